"""The REST API of webhooks."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from events.models import Event
from messaging.tests.support.api import READ, MessageApi
from organizations.models import Organization
from organizations.tests.support.api import Api, error, olivia, root
from webhooks.models import Attempt, Cursor, Delivery, Endpoint
from webhooks.tests.support.events import append, make_endpoint

__all__ = ["olivia", "root"]

pytestmark = pytest.mark.django_db

URL = "https://crm.example.com/hooks?key=planted"


@pytest.fixture
def api(olivia: User, organization: Organization) -> MessageApi:
    return MessageApi(olivia, organization, READ)


def make(api: MessageApi, **fields: Any) -> dict[str, Any]:
    response = api("post", "webhooks", {"url": URL, **fields})
    assert response.status_code == 201
    return dict(response.json())


def test_new_webhook_tells_its_secret_once(api: MessageApi) -> None:
    made = make(api, types=["message.received"])
    assert made["secret"].startswith("whsec_") and made["verifyToken"] is None
    assert (made["host"], made["state"], made["types"]) == (
        *("crm.example.com", "enabled", ["message.received"]),
    )
    read = api("get", f"webhooks/{made['id']}").json()
    assert read == {name: made[name] for name in made if name not in ("secret", "verifyToken")}
    assert api("get", "webhooks").json() == {
        "results": [{name: read[name] for name in read if name != "success"}]
    }


def test_whole_address_is_told_to_owners_who_read_only(
    api: MessageApi, alice: User, root: User, olivia: User, organization: Organization
) -> None:
    made = make(api)
    path = f"/organizations/{organization.pk}/webhooks/{made['id']}"
    for user in (alice, root, olivia):
        told = Api(user)("get", path).json()
        assert (told["url"], told["host"]) == (None, "crm.example.com")
    assert made["url"] == URL


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "url: This field is required."),
        ({"url": "http://crm.example.com/"}, "url: This address cannot be reached"),
        ({"url": "https://10.0.0.1/"}, "url: This address cannot be reached"),
        ({"url": "https://a.example/" + "a" * 2048}, "url: Ensure this field has no more than"),
        ({"url": URL, "types": ["message.exploded"]}, "types.0: "),
        ({"url": URL, "format": "xml"}, 'format: "xml" is not a valid choice.'),
        ({"url": URL, "fromSequence": 0}, "fromSequence: "),
        ({"url": URL, "verifyToken": "x"}, "verifyToken: This format has none."),
    ],
)
def test_bad_body_is_named(
    api: MessageApi, body: dict[str, Any], message: str, settings: Any
) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    status, code, text = error(api("post", "webhooks", body))
    assert (status, code, text[: len(message)]) == (400, "invalid", message)
    assert not Endpoint.objects.exists()


def test_webhook_is_changed_paused_enabled_rotated_and_deleted(api: MessageApi) -> None:
    made = make(api)
    path = f"webhooks/{made['id']}"
    changed = api("patch", path, {"url": "https://b.example/", "types": ["message.status"]})
    assert (changed.json()["host"], changed.json()["types"]) == ("b.example", ["message.status"])
    paused = api("patch", path, {"state": "paused"}).json()
    assert (paused["state"], paused["reason"]) == ("paused", "paused_by_person")
    assert paused["sentence"] == "It is paused. Events wait until it is turned on."
    assert api("post", f"{path}/enable").json()["state"] == "enabled"
    rotated = api("post", f"{path}/rotate").json()
    assert rotated["secret"] != made["secret"] and rotated["oldSecretUntil"]
    assert api("delete", path).status_code == 204
    assert error(api("get", path)) == (404, "not_found", "There is no such webhook.")


def test_webhook_of_another_organization_is_unknown(
    api: MessageApi, other_organization: Organization
) -> None:
    other = make_endpoint(other_organization, URL)
    everywhere = make_endpoint(None, URL)
    for endpoint in (other, everywhere):
        for method, path in (
            ("get", ""),
            ("delete", ""),
            ("post", "/test"),
            ("get", "/deliveries"),
        ):
            response = api(method, f"webhooks/{endpoint.public_id}{path}")
            assert error(response)[:2] == (404, "not_found")


def test_what_waits_is_said_in_a_sentence(api: MessageApi, organization: Organization) -> None:
    path = f"webhooks/{make(api, types=['message.received'])['id']}"
    assert api("get", path).json()["waiting"]["sentence"] == "Nothing waits."
    append(organization, count=3)
    waiting = api("get", path).json()["waiting"]
    assert (waiting["events"], waiting["sentence"]) == (3, "3 events are on their way.")
    at = timezone.now()
    Delivery.objects.create(
        endpoint=Endpoint.objects.get(),
        organization=organization,
        cursor=Cursor.objects.get(),
        sequence=1,
        type="message.received",
        event_at=at,
        state="retrying",
        tries=2,
        next_at=at,
        status=500,
        failure="status",
    )
    waiting = api("get", path).json()["waiting"]
    assert waiting["sentence"] == (
        "3 events wait. The server answered with status 500. "
        f"Try 3 of 11 is at {at:%Y-%m-%d %H:%M:%S} UTC."
    )
    waiting = api("patch", path, {"state": "paused"}).json()["waiting"]
    assert waiting["sentence"] == "3 events wait until it is turned on."
    api("patch", path, {"types": ["media.ready"]})
    assert api("get", path).json()["waiting"]["sentence"] == "Nothing waits."


def ended(organization: Organization, **fields: Any) -> Delivery:
    """Return a delivery that was given up, with its event and an attempt."""
    append(organization)
    event = Event.objects.get()
    Cursor.objects.update(position=1)
    delivery = Delivery.objects.create(
        endpoint=Endpoint.objects.get(),
        organization=organization,
        cursor=Cursor.objects.get(),
        sequence=1,
        type=event.type,
        event_at=event.at,
        **({"state": "dead", "failure": "status", "status": 500, "tries": 1} | fields),
    )
    Attempt.objects.create(
        delivery=delivery,
        endpoint=delivery.endpoint,
        number=1,
        at=timezone.now(),
        status=500,
        failure="status",
        milliseconds=84,
        answer="an error",
    )
    return delivery


def test_delivery_is_told_with_attempts_event_and_answer_to_readers(
    api: MessageApi, alice: User, organization: Organization
) -> None:
    endpoint = make(api)["id"]
    delivery = ended(organization)
    path = f"webhooks/{endpoint}/deliveries"
    page = api("get", f"{path}?state=dead").json()
    assert page["next"] is None and [row["id"] for row in page["results"]] == [delivery.public_id]
    assert api("get", f"{path}?state=delivered").json()["results"] == []
    told = api("get", f"{path}/{delivery.public_id}").json()
    assert told["webhookId"] == f"{endpoint}_{organization.pk}_1"
    assert told["event"]["data"] == {"id": "m"}
    (attempt,) = told["attempts"]
    assert (attempt["answer"], attempt["milliseconds"]) == ("an error", 84)
    assert attempt["sentence"] == "The server answered with status 500."
    whole = f"/organizations/{organization.pk}/{path}/{delivery.public_id}"
    told = Api(alice)("get", whole).json()
    assert (told["event"], told["attempts"][0]["answer"]) == (None, None)


def test_deliveries_are_told_page_by_page(api: MessageApi, organization: Organization) -> None:
    path = f"webhooks/{make(api)['id']}/deliveries?pageSize=2"
    delivery = ended(organization)
    for sequence in range(2, 6):
        delivery.pk, delivery.public_id, delivery.sequence = None, f"{sequence:022}", sequence
        delivery.save(force_insert=True)
    found = []
    while path:
        page = api("get", path).json()
        found += [row["sequence"] for row in page["results"]]
        path = page["next"] and "webhooks" + page["next"].partition("/webhooks")[2]
    assert found == [5, 4, 3, 2, 1]


def test_event_is_sent_again_replayed_and_tested(
    api: MessageApi, organization: Organization
) -> None:
    path = f"webhooks/{make(api)['id']}"
    delivery = ended(organization)
    again = api("post", f"{path}/deliveries/{delivery.public_id}/resend")
    assert again.status_code == 202
    assert (again.json()["repeats"], again.json()["state"]) == (delivery.public_id, "waiting")
    replay = api("post", f"{path}/replay", {"fromSequence": 1})
    assert replay.status_code == 202
    assert replay.json() == {
        "success": True,
        "events": 1,
        "replays": [
            {"organization": organization.pk, "fromSequence": 1, "toSequence": 1, "events": 1}
        ],
    }
    assert error(api("post", f"{path}/replay", {"fromSequence": 1}))[:2] == (409, "replay_running")
    assert error(api("post", f"{path}/replay", {}))[0] == 400
    test = api("post", f"{path}/test")
    assert test.status_code == 202 and test.json()["sequence"] is None


def test_superusers_make_webhooks_of_all_organizations(
    root: User, olivia: User, organization: Organization, other_organization: Organization
) -> None:
    api = MessageApi(root, organization, READ)
    client, prefix = api._client, "/api/v1/webhooks"
    made = client.post(prefix, {"url": URL}, content_type="application/json")
    assert made.status_code == 201 and made.json()["organization"] is None
    append(organization)
    Cursor.objects.update(position=1)
    replay = f"{prefix}/{made.json()['id']}/replay"
    for body, status in (
        ({"fromSequence": 1}, 400),
        ({"fromSequence": 1, "organization": 10**9}, 404),
        ({"fromSequence": 1, "organization": organization.pk}, 202),
    ):
        response = client.post(replay, body, content_type="application/json")
        assert response.status_code == status, body
    assert error(Api(olivia)("get", "/webhooks"))[0] == 403
    assert error(Api(root)("post", "/webhooks", {"url": URL}))[:2] == (403, "permission_denied")
