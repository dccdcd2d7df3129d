"""Sends and reads messages of a running product over its API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.application import Answer, Application, until
from tests.support.linking import link

SECONDS = 20.0


@dataclass
class Chat:
    """A linked organization of a running product, and a simulated person who writes with it."""

    application: Application
    organization: int
    number: str  # the linked one, digits
    person: str  # digits
    cursor: int = 0

    @classmethod
    def start(cls, application: Application, organization: int, **person: Any) -> Chat:
        """Link an organization, and make a person."""
        number = link(application, organization)
        made = application.simulator.save_person(**person)
        return cls(application, organization, number, str(made["number"]))

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Call `/api/v1/organizations/{organization}/{path}`."""
        whole = f"/api/v1/organizations/{self.organization}/{path}"
        return self.application.request(method, whole, body=body)

    def send(self, text: str = "", to: str = "", **fields: Any) -> str:
        """Send a message, a text by default, to the person or a number. Return its id."""
        body = {"type": "text", "text": {"body": text}} if text else {}
        answer = self.request("POST", "messages", {"to": f"+{to or self.person}", **body, **fields})
        assert answer.status == 202, answer
        assert answer.body["state"] == "queued"
        return str(answer.body["id"])

    def message(self, message_id: str) -> dict[str, Any]:
        """Return a message as the API shows it."""
        answer = self.request("GET", f"messages/{message_id}")
        assert answer.status == 200, answer
        return answer.body

    def wait_for_state(
        self, message_id: str, *states: str, seconds: float = SECONDS
    ) -> dict[str, Any]:
        """Wait until a message has one of these states, and return it."""
        found: dict[str, Any] = {}

        def reached() -> bool:
            found.update(self.message(message_id))
            return found["state"] in states

        until(reached, seconds, f"a message that is {' or '.join(states)}")
        return found

    def events(self, *types: str) -> list[dict[str, Any]]:
        """Return the new events of the log since the last call, of some types."""
        answer = self.request("GET", f"feed?after={self.cursor}&limit=500")
        assert answer.status == 200, answer
        self.cursor = answer.body["next"]
        return [event for event in answer.body["events"] if not types or event["type"] in types]

    def wait_for_event(self, *types: str, seconds: float = SECONDS) -> dict[str, Any]:
        """Wait for a new event of one of these types, and return the first; skip others."""
        found: list[dict[str, Any]] = []

        def came() -> bool:
            found.extend(self.events(*types))
            return bool(found)

        until(came, seconds, f"an event {' or '.join(types)}")
        return found[0]

    def write(self, text: str = "", **message: Any) -> str:
        """Let the person write to the organization. Return WhatsApp's id."""
        return self.application.simulator.say(self.person, self.number, text, **message)

    def received(self) -> list[dict[str, Any]]:
        """Return what the person has received from anyone."""
        return self.application.simulator.received(self.person)
