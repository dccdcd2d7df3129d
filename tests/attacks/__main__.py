"""Runs every attack on a server that is started for it, and prints what each one reaches."""

from tests.attacks import login_spray, unread_answers, wrong_logins


def main() -> None:
    for attack in (login_spray, unread_answers, wrong_logins):
        attack.main()


if __name__ == "__main__":
    main()
