"""Stores with the content that whatsmeow writes, to copy from one backend to the other."""

from __future__ import annotations

from typing import Any

from connections.stores.base import SECRETS_TABLE
from connections.stores.moving import CopyBackend, Row, digest
from connections.worker.hosts.store_template import StorePreparer

JID = "5511987654321:3@s.whatsapp.net"
EVERY_BYTE = bytes(range(256))

SECRET_COLUMNS = ("our_jid", "chat_jid", "sender_jid", "message_id", "key")

Content = dict[str, list[dict[str, Any]]]

DEVICE: dict[str, Any] = {
    "jid": JID,
    "lid": None,
    "facebook_uuid": "6a0b1f6e-8f2d-4a53-9d7a-000000000001",
    "registration_id": 4294967295,
    "noise_key": bytes(32),
    "identity_key": EVERY_BYTE[-32:],
    "signed_pre_key": EVERY_BYTE[:32],
    "signed_pre_key_id": 1,
    "signed_pre_key_sig": EVERY_BYTE[:64],
    "adv_key": EVERY_BYTE,
    "adv_details": b"",
    "adv_account_sig": bytes(64),
    "adv_account_sig_key": bytes(32),
    "adv_device_sig": bytes(64),
    "push_name": "João \\N 'quoted' \t 🙂\n",
}


def store_content(prekeys: int) -> Content:
    """Return the rows of whatsmeow's tables, with every column type and with so many prekeys."""
    return {
        "whatsmeow_device": [DEVICE],
        "whatsmeow_pre_keys": [
            {"jid": JID, "key_id": key, "key": key.to_bytes(32), "uploaded": key % 2}
            for key in range(prekeys)
        ],
        "whatsmeow_sessions": [
            {"our_jid": JID, "their_id": "1.0:1", "session": None},
            {"our_jid": JID, "their_id": "2.0:1", "session": EVERY_BYTE * 40},
        ],
        "whatsmeow_app_state_version": [
            {"jid": JID, "name": "regular", "version": 2**63 - 1, "hash": bytes(128)}
        ],
        "whatsmeow_app_state_mutation_macs": [
            {
                "jid": JID,
                "name": "regular",
                "version": 5,
                "index_mac": EVERY_BYTE[:32],
                "value_mac": bytes(range(91, 123)),
            }
        ],
        "whatsmeow_chat_settings": [
            {"our_jid": JID, "chat_jid": "g", "muted_until": -1, "pinned": 1, "archived": 0}
        ],
    }


def write(backend: CopyBackend, organization: int, store: str, prekeys: int = 900) -> None:
    """Create a store as whatsmeow does, with every column type in it."""
    with StorePreparer() as prepare:
        assert prepare(backend.create(organization, store)) == ""
    with backend.tables(organization, store) as tables:
        for table, rows in store_content(prekeys).items():
            columns = list(rows[0])
            tables.fill(table, columns, (list(row.values()) for row in rows))


def write_secrets(backend: CopyBackend, organization: int, store: str, numbers: range) -> None:
    """Write message secrets with these numbers, the message "n" with n."""
    with backend.tables(organization, store) as tables:
        rows: list[Row] = [
            [JID, "1@lid", "1@lid", str(number), bytes(32), number] for number in numbers
        ]
        tables.fill(SECRETS_TABLE, [*SECRET_COLUMNS, tables.number_column], iter(rows))


def insert_secret(database: Any, table: str, message_id: str) -> None:
    """Write a message secret as the library does: the table numbers it."""
    database.execute(
        f"INSERT INTO {table} ({', '.join(SECRET_COLUMNS)})"
        f" VALUES ('{JID}', '1@lid', '1@lid', '{message_id}', 'key')"
    )


def secrets_of(backend: CopyBackend, organization: int, store: str) -> dict[int, str]:
    """Return the ids of the messages with secrets, by their numbers."""
    newest = backend.newest_secret(organization, store)
    found = backend.message_secrets(organization, store, 0, newest)
    return {secret.row: secret.message_id for secret in found}


def use_store(backend: CopyBackend, organization: int, store: str, key: int) -> None:
    """Change a store as a linked client does."""
    with backend.tables(organization, store) as tables:
        columns = ["jid", "key_id", "key", "uploaded"]
        tables.fill("whatsmeow_pre_keys", columns, iter([(JID, key, bytes(32), 1)]))


def digest_of(backend: CopyBackend, organization: int, store: str) -> str:
    with backend.tables(organization, store) as tables:
        return digest(tables)[0]
