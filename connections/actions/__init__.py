"""The only writers of connections, attempts and history; callers use `actions.NAME`.

`requests`: what people request. `events`: what the worker observed; each write carries a `Fence`,
and one with an old claim or generation raises Superseded and changes nothing. `claims`: which
worker owns which connection. `bulk`: one request about many connections. Every change adds its
event to the history in the same transaction and notifies on commit.
"""

from connections.actions.bulk import NothingToDo, advance_runs, start_run, stop_run
from connections.actions.bulk_owner_links import LinkResult, make_owner_links
from connections.actions.claims import (
    claim,
    claim_saved_logins,
    drain_worker,
    hand_over,
    heartbeat,
    start_worker,
    stop_worker,
)
from connections.actions.events import (
    LinkEvent,
    accept_code,
    end_pairing,
    forget_credentials,
    link,
    lose_code,
    mark_started,
    record_event,
    record_events,
    record_logout_problem,
    show_code,
    show_phone_code,
    start_pairing,
)
from connections.actions.lost_rights import revoke_keys
from connections.actions.owner_links import (
    MAX_LIFETIME,
    cancel_owner_attempt,
    make_owner_link,
    open_owner_link,
    revoke_owner_link,
    use_owner_link,
)
from connections.actions.phone_signs import STEP as PHONE_SIGN_STEP
from connections.actions.phone_signs import (
    announce_phone_silences,
    record_phone_sign,
)
from connections.actions.proxies import (
    ProxyValues,
    TryResult,
    begin_try,
    end_try,
    proxy_of,
    remove_proxy,
    set_proxy,
)
from connections.actions.requests import (
    request_cancel,
    request_disconnect,
    request_final_disconnect,
    request_reconnect,
)
from connections.actions.retention import delete_old_history
from connections.actions.self_tests import (
    end_self_test,
    request_self_test,
    take_self_test,
)
from connections.actions.transitions import (
    STILL_LINKED,
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
    ProxyIsTried,
    RequestRefused,
    TemporarilyBanned,
    TooManyOwnerLinks,
    TooManyRequests,
    TooManySelfTests,
    UnexpectedNumber,
)
