"""The address of static files changes with their content, so that browsers keep them for good.

The version is a folder of the address, not a part of each name: modules that import each other and
pictures in stylesheets keep their relative addresses.
"""

import hashlib
from importlib import metadata
from pathlib import Path

PACKAGES = ("Django", "drf-spectacular-sidecar")
"""The packages that bring static files."""

VERSION_LENGTH = 12

BUNDLES = {
    # Beside Django's files, because of the relative addresses in them.
    "admin/css/frame.css": (
        "admin/css/base.css",
        "admin/css/dark_mode.css",
        "connections/shared/languages.css",
        "organizations/access.css",
        "organizations/frame.css",
    ),
    "admin/css/list.css": (
        "admin/css/changelists.css",
        "organizations/lists.css",
    ),
    # The second one imports the first one, for which a browser would ask when it has the second.
    "admin/css/form.css": (
        "admin/css/widgets.css",
        "admin/css/forms.css",
        "organizations/forms.css",
    ),
    "connections/fleet.css": (
        "connections/shared/pill.css",
        "connections/fleet/fleet.css",
        "connections/shared/outages.css",
        "messaging/traffic.css",
        "organizations/invitations.css",
    ),
    "connections/list.css": (
        "connections/shared/pill.css",
        "connections/shared/outages.css",
        "connections/list/list.css",
    ),
    "connections/page.css": (
        "connections/shared/pill.css",
        "connections/shared/head.css",
        "connections/live/live.css",
        "connections/live/stage.css",
        "connections/history/timeline.css",
        "connections/live/owner_link.css",
    ),
}
"""Stylesheets that are made of others (bundle_finder.py): of all pages, lists and forms of the
admin, and of the fleet page, the list of connections and the page of one."""


def version(folder: Path) -> str:
    """Return a text that changes with any of our files, and with the packages that bring some."""
    digest = hashlib.sha256(repr(BUNDLES).encode(), usedforsecurity=False)
    for package in PACKAGES:
        digest.update(f"{package} {metadata.version(package)}\n".encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:VERSION_LENGTH]
