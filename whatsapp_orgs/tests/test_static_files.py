"""Static files and pages are compressed, new secrets are not; browsers keep static files."""

import gzip
import re
from pathlib import Path

from django.contrib.auth.models import User
from django.templatetags.static import static
from django.test import Client
from django.urls import reverse

from organizations.models import Organization
from whatsapp_orgs import static_files

NAME = "admin/css/base.css"
GZIP = {"Accept-Encoding": "gzip"}


def test_static_file_is_compressed_and_immutable(db: None) -> None:
    answer = Client(headers=GZIP).get(static(NAME))
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "immutable" in answer.headers["Cache-Control"]
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert len(b"".join(answer.streaming_content)) < 8_000  # type: ignore[attr-defined]
    answer.close()


def test_address_of_another_version_leads_to_this_one(db: None) -> None:
    other = static(NAME).replace(static("").rstrip("/").rpartition("/")[2], "0" * 12)
    answer = Client().get(other)
    assert (answer.status_code, answer["Location"]) == (302, static(NAME))
    assert Client().get(static("nowhere.css")).status_code == 404
    assert Client().get(static("../settings.py")).status_code in (400, 404)


def test_version_changes_with_the_content_and_the_name(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "page.js"
    file.write_text("one")
    versions = {static_files.version(tmp_path)}
    file.write_text("two")
    versions.add(static_files.version(tmp_path))
    file.rename(tmp_path / "page.js")
    versions.add(static_files.version(tmp_path))
    assert len(versions) == 3
    assert all(len(version) == 12 for version in versions)


def test_page_is_compressed_but_neither_software_nor_new_secrets(
    admin_user: User, organization: Organization
) -> None:
    client = Client(headers=GZIP)
    client.force_login(admin_user)
    assert client.get(reverse("fleet")).headers["Content-Encoding"] == "gzip"
    made = client.post(
        reverse("admin:organizations_apitoken_add"),
        {
            "name": "made",
            "kind": "rest",
            "scope": "read",
            "reach": "organization",
            "organization": organization.pk,
            "expires_in_days": "90",
        },
    )
    assert made.status_code == 200 and b"wao_" in made.content
    assert "Content-Encoding" not in made.headers
    assert "Content-Encoding" not in client.get("/api/v1/organizations").headers


# Of a page with its stylesheets and scripts, compressed: what a browser with an empty cache needs.
MOST_REQUESTS, MOST_BYTES = 22, 50_000


def test_first_visit_needs_few_requests_and_bytes_and_waits_for_no_script(
    admin_user: User, organization: Organization
) -> None:
    """With 50 KB a second and 400 ms for each request, a page takes three seconds with these."""
    client = Client(headers=GZIP)
    client.force_login(admin_user)
    own = [organization.pk]
    pages = {
        "login": (Client(headers=GZIP), reverse("admin:login")),
        "fleet": (client, reverse("fleet")),
        "list": (client, reverse("admin:connections_connection_changelist")),
        "connection": (client, reverse("admin:connections_connection_change", args=own)),
        "messages": (client, reverse("messages", args=own)),
        "webhooks": (client, reverse("webhooks", args=own)),
        "settings": (client, reverse("admin:organizations_organization_change", args=own)),
        "token": (client, reverse("admin:organizations_apitoken_add")),
    }
    sizes: dict[str, int] = {}
    for name, (visitor, path) in pages.items():
        answer = visitor.get(path)
        html = gzip.decompress(answer.content).decode()
        files = set(re.findall(r'<(?:script|link)[^>]* (?:src|href)="(/[^"]+)"', html))
        for file in files - sizes.keys():
            sizes[file] = len(visitor.get(file).getvalue())
        total = len(answer.content) + sum(sizes[file] for file in files)
        assert len(files) < MOST_REQUESTS and total < MOST_BYTES, f"{name}: {len(files)}, {total}"
        assert "jquery" not in html
        waiting = re.findall(r"<script src=[^>]*>", html)
        assert all("theme.js" in each or " defer" in each for each in waiting), name


def test_imported_modules_are_preloaded_once(admin_user: User) -> None:
    client = Client()
    client.force_login(admin_user)
    html = client.get(reverse("fleet")).content.decode()
    for name in ("fleet/board", "shared/socket", "shared/outages"):
        assert html.count(f'modulepreload" href="{static(f"connections/{name}.js")}"') == 1
