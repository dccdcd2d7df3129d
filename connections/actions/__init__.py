"""The only writers of connections, attempts and history.

`requests`: what people ask for. `sightings`: what the worker saw; each comes with a `Fence`, and a
write under an old claim or an old generation changes no row and says so. `ownership`: which worker
has what. `bulk`: one request about many. Every change adds its line to the history in the same
transaction, and is told on commit.
"""

from connections.actions.bulk import NothingToDo, advance_runs, start_run, stop_run
from connections.actions.claims import (
    claim,
    drain_worker,
    hand_over,
    heartbeat,
    start_worker,
    stop_worker,
)
from connections.actions.events import (
    accept_code,
    begin_pairing,
    end_pairing,
    forget_credentials,
    link,
    lose_code,
    mark_started,
    record_event,
    show_code,
    show_phone_code,
)
from connections.actions.lost_rights import revoke_keys_of
from connections.actions.owner_links import (
    LinkOver,
    TooManyLinks,
    make_owner_link,
    open_owner_link,
    revoke_owner_link,
    use_owner_link,
)
from connections.actions.requests import (
    AlreadyConnected,
    NothingToCancel,
    OrganizationInactive,
    TemporarilyBanned,
    UnexpectedNumber,
    request_cancel,
    request_disconnect,
    request_reconnect,
)
from connections.actions.self_tests import (
    NotConnected,
    TooManyTests,
    end_self_test,
    request_self_test,
    take_self_test,
)
from connections.actions.transitions import (
    GONE_AT_WHATSAPP,
    Fence,
    NumberRejected,
    Superseded,
    as_owner,
)

__all__ = [
    "GONE_AT_WHATSAPP",
    "AlreadyConnected",
    "Fence",
    "LinkOver",
    "NotConnected",
    "NothingToCancel",
    "NothingToDo",
    "OrganizationInactive",
    "Superseded",
    "TemporarilyBanned",
    "TooManyLinks",
    "TooManyTests",
    "UnexpectedNumber",
    "NumberRejected",
    "accept_code",
    "advance_runs",
    "as_owner",
    "mark_started",
    "begin_pairing",
    "claim",
    "end_self_test",
    "forget_credentials",
    "drain_worker",
    "end_pairing",
    "hand_over",
    "heartbeat",
    "link",
    "lose_code",
    "make_owner_link",
    "record_event",
    "open_owner_link",
    "request_cancel",
    "request_disconnect",
    "request_reconnect",
    "request_self_test",
    "revoke_keys_of",
    "revoke_owner_link",
    "show_code",
    "show_phone_code",
    "start_run",
    "start_worker",
    "stop_run",
    "stop_worker",
    "take_self_test",
    "use_owner_link",
]
