"""What is planted, and where it may be found: one row for each kind of secret and of text.

A row is exact: a marker in another place is a leak, and one that is missing where it must be means
that it was not planted, or that the search does not look there. A new secret gets a row here, and a
line in driver.py that uses it.
"""

from __future__ import annotations

from enum import StrEnum


class Place(StrEnum):
    """Where the search looks."""

    LOG = "the log"
    AUDIT = "the audit"
    DATABASE = "the database, outside of the audit and of credentials"
    METRICS = "the metrics"
    PAGES = "answers that refuse or fail"
    CHANNEL = "messages between processes"
    REDIS = "what Redis keeps"
    ENVIRONMENT = "the environment of the service's own process"
    CHILD_ENVIRONMENT = "the environment of processes that it starts"
    COMMAND_LINE = "a command line"
    FILES = "files of the data folder, but for database, credentials, log and first login"


NOWHERE: frozenset[Place] = frozenset()
SETTING = frozenset({Place.ENVIRONMENT})
STORED = frozenset({Place.DATABASE})

# Given by the operator in the environment of the service, and for it alone.
SETTINGS: dict[str, frozenset[Place]] = {
    "SECRET_KEY": SETTING,
    "METRICS_TOKEN": SETTING,
    "password of the mail server": SETTING,
    # The processes that hold connections need the way out, and its password with it.
    "password of the proxy": SETTING | {Place.CHILD_ENVIRONMENT},
}
SERVER_SETTINGS: dict[str, frozenset[Place]] = {
    "password of the database": SETTING,
    "password of Redis": SETTING,
}
# Made up by the product, or typed into it.
SECRETS: dict[str, frozenset[Place]] = {
    "API token of a user": NOWHERE,
    "API token of an organization": NOWHERE,
    "wrong API token": NOWHERE,
    "token of the Cloud API": NOWHERE,
    "app secret of a webhook": NOWHERE,
    "verify token of a webhook": NOWHERE,
    "wrong token in a query": NOWHERE,
    "wrong token to describe": NOWHERE,
    "Idempotency-Key": NOWHERE,
    "address of a file": NOWHERE,
    "wrong address of a file": NOWHERE,
    "link for the phone's owner": NOWHERE,
    "links for the owners of many phones": NOWHERE,
    "link for the phone's owner, over the API": NOWHERE,
    "cookie of the phone's owner": NOWHERE,
    "wrong link for the phone's owner": NOWHERE,
    "invitation of a colleague": NOWHERE,
    "wrong invitation of a colleague": NOWHERE,
    "password of a colleague": NOWHERE,
    # Django looks a session up by what the cookie says.
    "session cookie": STORED,
    "CSRF cookie": NOWHERE,
    "right password": NOWHERE,
    "wrong password": NOWHERE,
    # What the QR code and the typed code say is stored for as long as the code is shown.
    "QR code": NOWHERE,
    "QR code, shown": STORED,
    "typed code": NOWHERE,
    "typed code, shown": STORED,
    "secret of a webhook": NOWHERE,
    "path of a webhook": NOWHERE,
    "path of a refused webhook": NOWHERE,
    "secret shown on the page": NOWHERE,
    "path typed on the page": NOWHERE,
    "path refused on the page": NOWHERE,
    "address of a chat": NOWHERE,
    "address of a refused chat": NOWHERE,
    # The page's language menu leads back to itself.
    "link that confirms an address": frozenset({Place.PAGES}),
    "password of an organization's proxy": NOWHERE,
    "user of an organization's proxy": NOWHERE,
    "password of a refused proxy": NOWHERE,
    "noise key of the credentials": NOWHERE,
    "identity key of the credentials": NOWHERE,
}
TEXTS: dict[str, frozenset[Place]] = {
    "name of an organization": STORED | {Place.AUDIT},
    "name of a token": STORED | {Place.AUDIT},
    "name of a colleague": STORED,
    "mail address of a colleague": STORED | {Place.AUDIT},
    # Only its domain is in the audit.
    "mail address for notices": STORED,
    # Only numbers of the messages of people are stored as they are.
    "number of a customer": STORED,
    "name of a customer": NOWHERE,
    "text of a received message": NOWHERE,
    # In a spool until it is stored; put aside when the database refuses it.
    "text of a record that the database refuses": NOWHERE,
    "name of a received file": NOWHERE,
    "content of a received file": NOWHERE,
    "text of a sent message": NOWHERE,
    "text sent over the Cloud API": NOWHERE,
    "callback data of a message": NOWHERE,
    "text of a refused message": NOWHERE,
    # It is refused by its name.
    "type of a refused message": frozenset({Place.PAGES}),
    "answer of a receiver": NOWHERE,
    # It is fetched, and not kept.
    "link to a file": NOWHERE,
    "text written on the page": NOWHERE,
    "text refused on the page": NOWHERE,
    "reason to open messages": frozenset({Place.AUDIT}),
    "reason to export all data": frozenset({Place.AUDIT}),
    "reason to export over the API": frozenset({Place.AUDIT}),
    "content of a sent file": NOWHERE,
    "name of a sent file": NOWHERE,
    "number of the linked phone": STORED,
    "expected number": STORED,
    "number typed for a code": STORED,
    # django-axes counts wrong passwords by a hash of the name, and keeps browser and query.
    "name typed into the login": NOWHERE,
    "User-Agent of a login": STORED,
    # So does the page that tells them to wait: its language menu leads back to itself.
    "query of the login": STORED | {Place.PAGES},
    "path of an unknown page": NOWHERE,
    "path of an unknown page of the API": NOWHERE,
    "path of an unknown socket": NOWHERE,
    "query of an unknown page": NOWHERE,
    "unknown header": NOWHERE,
    "User-Agent": NOWHERE,
    "Host": NOWHERE,
    "Origin": NOWHERE,
    "Referer": NOWHERE,
    "made up method": NOWHERE,
    "body that is no JSON": NOWHERE,
    "body that is too large": NOWHERE,
    "form without CSRF token": NOWHERE,
    "message to a socket": NOWHERE,
    "path of a crash": NOWHERE,
    "form of a crash": NOWHERE,
}
# Leaked on purpose: it proves that the search finds what is in a place.
INTENTIONAL_LEAK = "leaked on purpose"


def expected(servers: bool) -> dict[str, frozenset[Place]]:
    """Return all rows; `servers`: on PostgreSQL and Redis rather than SQLite and memory."""
    leaked = frozenset(Place) - {Place.ENVIRONMENT, Place.METRICS}
    if not servers:
        leaked -= {Place.CHANNEL, Place.REDIS}
    return {
        **SETTINGS,
        **(SERVER_SETTINGS if servers else {}),
        **SECRETS,
        **TEXTS,
        INTENTIONAL_LEAK: leaked,
    }
