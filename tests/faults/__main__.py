"""Print the fault table: `.venv/bin/python -m tests.faults > docs/faults.md`."""

import os

import django


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "whatsapp_orgs.tests.settings"
    django.setup()
    # Texts are translated, so this import needs the settings.
    from tests.faults.document import text

    print(text(), end="")


if __name__ == "__main__":
    main()
