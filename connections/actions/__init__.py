"""The only writers of connections, attempts and history; callers say `actions.NAME`.

`requests`: what people ask for. `events`: what the worker saw; each comes with a `Fence`, and a
write under an old claim or an old generation changes no row and says so. `claims`: which worker
owns what. `bulk`: one request about many. Every change adds its line to the history in the same
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
    make_owner_link,
    open_owner_link,
    revoke_owner_link,
    use_owner_link,
)
from connections.actions.requests import (
    request_cancel,
    request_disconnect,
    request_reconnect,
)
from connections.actions.self_tests import (
    end_self_test,
    request_self_test,
    take_self_test,
)
from connections.actions.transitions import (
    Fence,
    NumberRejected,
    Superseded,
    as_owner,
)
from connections.lifecycle import GONE_AT_WHATSAPP
from connections.refusals import (
    AlreadyConnected,
    LinkOver,
    NotConnected,
    NothingToCancel,
    OrganizationInactive,
    RequestRefused,
    TemporarilyBanned,
    TooManyLinks,
    TooManyRequests,
    TooManyTests,
    UnexpectedNumber,
)
