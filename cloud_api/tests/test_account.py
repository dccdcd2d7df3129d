"""What clients ask about the account before they write and receive."""

from __future__ import annotations

import pytest
from django.test import Client
from rest_framework.test import APIRequestFactory

from cloud_api.query_secrets import SCOPE_KEY, QuerySecrets
from cloud_api.tests.support.graph import READ, SEND, Graph, error, graph_token
from cloud_api.views_account import DebugTokenView
from connections.models import Connection, Worker
from organizations.models import Organization


@pytest.fixture
def linked(organization: Organization, worker: Worker) -> Connection:
    return Connection.objects.create(
        organization=organization,
        number="5511912345678",
        state="connected",
        desired="connected",
        store_name="store",
        worker=worker,
    )


def test_number_is_told_with_its_state(graph: Graph, linked: Connection) -> None:
    found = graph("get", str(graph.organization.pk)).json()
    assert found["id"] == str(graph.organization.pk)
    assert found["verified_name"] == "Acme"
    assert found["display_phone_number"] == "+55 11 91234-5678"
    assert (found["status"], found["code_verification_status"]) == ("CONNECTED", "VERIFIED")


def test_number_that_was_never_linked_is_told_too(graph: Graph) -> None:
    found = graph("get", str(graph.organization.pk)).json()
    assert found["display_phone_number"] == ""
    assert (found["status"], found["code_verification_status"]) == (
        "DISCONNECTED",
        "NOT_VERIFIED",
    )


def test_fields_that_are_asked_for_are_told(graph: Graph) -> None:
    found = graph("get", f"{graph.organization.pk}?fields=verified_name,unknown").json()
    assert found == {"id": str(graph.organization.pk), "verified_name": "Acme"}


def test_numbers_of_the_account_are_one_page(graph: Graph) -> None:
    page = graph.of_number("get", "phone_numbers").json()
    [number] = page["data"]
    assert number["id"] == str(graph.organization.pk)
    after = page["paging"]["cursors"]["after"]
    assert "next" not in page["paging"]
    assert graph.of_number("get", f"phone_numbers?after={after}").json()["data"] == []


def test_there_are_no_templates(graph: Graph) -> None:
    page = graph.of_number("get", "message_templates").json()
    assert (page["data"], page["summary"]["total_count"]) == ([], 0)
    assert "next" not in page["paging"]


def test_subscription_is_there_and_its_address_is_an_owners_matter(graph: Graph) -> None:
    [app] = graph.of_number("get", "subscribed_apps").json()["data"]
    assert app["whatsapp_business_api_data"]["name"] == "software"
    path = f"/graph/{graph.organization.pk}/subscribed_apps"
    assert graph.client.generic("POST", path).json() == {"success": True}
    assert graph.of_number("post", "subscribed_apps", {}).json() == {"success": True}
    override = {"override_callback_uri": "https://example.com", "verify_token": "x"}
    assert error(graph.of_number("post", "subscribed_apps", override)) == (403, 10)
    assert error(graph.of_number("delete", "subscribed_apps")) == (403, 10)


def debug(graph: Graph, *tokens: str) -> tuple[int, dict[str, object]]:
    """Ask what a token may do; the server has moved it out of the query."""
    request = APIRequestFactory().get(
        "/graph/debug_token", headers={"Authorization": f"Bearer {graph.text}"}
    )
    request.scope = {SCOPE_KEY: QuerySecrets({"input_token": list(tokens)})}  # type: ignore[attr-defined]
    response = DebugTokenView.as_view()(request)
    return response.status_code, response.data.get("data", response.data)


def test_token_is_described(graph: Graph) -> None:
    status, found = debug(graph, graph.text)
    assert (status, found["is_valid"]) == (200, True)
    assert graph.token.expiry is not None
    assert found["expires_at"] == int(graph.token.expiry.timestamp())
    assert found["scopes"] == ["whatsapp_business_messaging", "whatsapp_business_management"]
    _, text = graph_token(graph.organization, SEND)
    account = [str(graph.organization.pk)]
    scope = {"scope": "whatsapp_business_messaging", "target_ids": account}
    assert debug(graph, text)[1]["granular_scopes"] == [scope]


def test_token_of_another_tenant_and_a_wrong_one_are_invalid_alike(
    graph: Graph, other_organization: Organization
) -> None:
    _, foreign = graph_token(other_organization, READ)
    answers = [debug(graph, text)[1] for text in (foreign, "wao_wrong", "\0")]
    for found in answers:
        found.pop("issued_at")
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["is_valid"] is False


def test_debug_token_needs_a_token_to_debug(graph: Graph) -> None:
    assert debug(graph)[0] == 400
    assert debug(graph, graph.text, graph.text)[0] == 400
    assert error(Client().get("/graph/debug_token")) == (401, 190)
