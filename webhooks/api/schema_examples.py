"""Examples of the OpenAPI document about webhooks."""

from __future__ import annotations

from typing import Any

AT = "2026-03-01T09:30:00+00:00"
ID, EARLIER = "u3GhZ0cVqvq1QdGdX9rHnA", "k0Yd1QmJ3wS8oF2bTzRxLw"
URL = "https://crm.example.com/hooks/whatsapp"

WEBHOOK: dict[str, Any] = {
    "id": ID,
    "organization": 7,
    "url": URL,
    "host": "crm.example.com",
    "types": ["message.received", "message.status"],
    "format": "standard",
    "state": "enabled",
    "reason": None,
    "sentence": None,
    "stateSince": AT,
    "createdAt": AT,
    "madeBy": "olivia (API token billing system)",
    "lastSuccessAt": AT,
    "failingSince": None,
    "oldSecretUntil": None,
    "waiting": {"events": 0, "nextAt": None, "sentence": "Nothing waits."},
}
PAUSED = {
    "state": "paused",
    "reason": "paused_by_person",
    "sentence": "It is paused. Events wait until it is turned on.",
}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw… (told only now)"
DELIVERY: dict[str, Any] = {
    "id": EARLIER,
    "webhookId": f"{ID}_7_41",
    "kind": "live",
    "repeats": None,
    "organization": 7,
    "sequence": 41,
    "type": "message.received",
    "eventAt": AT,
    "state": "retrying",
    "tries": 1,
    "nextAt": "2026-03-01T09:30:05+00:00",
    "createdAt": AT,
    "endedAt": None,
    "status": 500,
    "failure": "status",
    "sentence": "The server answered with status 500.",
    "milliseconds": 84,
}
NEW_DELIVERY = DELIVERY | {
    **{"state": "waiting", "tries": 0, "nextAt": None},
    **dict.fromkeys(["status", "failure", "sentence", "milliseconds"]),
}
TEST = NEW_DELIVERY | {
    **{"webhookId": f"{ID}_test_{EARLIER}", "kind": "test"},
    **{"sequence": None, "type": "webhook.test"},
}
WHOLE_DELIVERY = {
    "success": True,
    **DELIVERY,
    "event": {
        "sequence": 41,
        "type": "message.received",
        "at": AT,
        "data": {"id": EARLIER, "type": "text", "text": {"body": "Olá!"}},
    },
    "attempts": [
        {
            "number": 1,
            "at": AT,
            "status": 500,
            "failure": "status",
            "sentence": "The server answered with status 500.",
            "milliseconds": 84,
            "answer": "Internal Server Error",
        }
    ],
}
REPLAYS = {
    "success": True,
    "events": 212,
    "replays": [{"organization": 7, "fromSequence": 41, "toSequence": 260, "events": 212}],
}
