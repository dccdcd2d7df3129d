"""The format of webhooks in which Meta's Cloud API sends its notifications."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from datetime import datetime
from urllib.parse import urlencode

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from cloud_api.notifications import notification, sample
from connections.long_poll import waiting_for_others
from events.models import Event
from outbound import limited_client
from outbound.errors import RequestFailed, TooManyRequests
from webhooks.formats import TEST_TYPE, Format, OutgoingRequest
from webhooks.models import Endpoint
from webhooks.refusals import NotVerified, TooManyVerifications

WRONG_STATUS = _("it answered with status {status}")
WRONG_CHALLENGE = _("it did not answer with the challenge")


class CloudFormat(Format):
    """Meta's notifications, with `X-Hub-Signature-256` by the endpoint's app secret."""

    name = "cloud"
    has_verify_token = True
    # Meta's header has room for one signature: a new secret signs at once.
    signs_twice = False

    def new_secret(self) -> str:
        # As long as Meta's app secrets.
        return secrets.token_hex(16)

    def requests(self, event: Event, endpoint: Endpoint) -> list[OutgoingRequest]:
        is_test = event.type == TEST_TYPE
        body = sample(str(event.organization_id or 0)) if is_test else notification(event)
        if body is None:
            return []
        # In ASCII, as Meta writes it: some receivers sign a text that they have encoded again.
        content = json.dumps(body, separators=(",", ":")).encode()
        return [OutgoingRequest(content, {"content-type": "application/json"})]

    def sign(
        self, request: OutgoingRequest, endpoint: Endpoint, webhook_id: str, at: datetime
    ) -> dict[str, str]:
        secret = endpoint.secrets_at(at)[0].encode()
        signature = hmac.new(secret, request.body, hashlib.sha256).hexdigest()
        return {"x-hub-signature-256": f"sha256={signature}"}

    def verify(self, endpoint: Endpoint) -> None:
        """Ask an address for the challenge, which it returns if it knows the verify token."""
        # Digits only, as receivers may read it as a number.
        challenge = str(secrets.randbelow(9 * 10**9) + 10**9)
        query = {
            "hub.mode": "subscribe",
            "hub.challenge": challenge,
            "hub.verify_token": endpoint.verify_token,
        }
        separator = "&" if "?" in endpoint.url else "?"
        url = f"{endpoint.url}{separator}{urlencode(query)}"
        try:
            with waiting_for_others():
                answer = limited_client.get(url, endpoint.organization_id)
        except RequestFailed as error:
            raise NotVerified(error.sentence.rstrip(".")) from error
        except TooManyRequests as error:
            raise TooManyVerifications(retry_after=10) from error
        if answer.status != 200:
            raise NotVerified(gettext(WRONG_STATUS).format(status=answer.status))
        if not hmac.compare_digest(answer.text.strip().encode(), challenge.encode()):
            raise NotVerified(gettext(WRONG_CHALLENGE))
