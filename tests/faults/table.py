"""The fault table, which docs/faults.md prints and test_table.py runs."""

from __future__ import annotations

from functools import partial

from connections.lifecycle import Reason, State
from tests.faults.row import Credentials, Phase, Recovery, Row

_R, _A, _C = State.RECONNECTING, State.ACTION_NEEDED, State.CONNECTING

LOST = (_R, Reason.LINK_LOST)
SILENT = (_R, Reason.NOT_ANSWERING)
CUT_OFF = (_R, Reason.UNREACHABLE)
REFUSED = (_R, Reason.LOGIN_REFUSED)
STILL_REFUSED = (_R, Reason.LOGIN_STILL_REFUSED)
UNSTABLE = (_R, Reason.LINK_UNSTABLE)
BAN = (_R, Reason.TEMPORARILY_BANNED)
OUTDATED = (_R, Reason.CLIENT_OUTDATED)
CRASHED = (_R, Reason.HOST_CRASHED)
RESTARTED = (_R, Reason.SERVICE_RESTARTED)
UNCONFIRMED = (State.DISCONNECTED, Reason.DISCONNECTED_UNCONFIRMED)
CODE_LOST = (_C, Reason.CODE_LOST)
NO_CODE_YET = (_C, Reason.UNREACHABLE)
FAILING = (_R, Reason.UNAVAILABLE)
FAILING_BEFORE_CODE = (_C, Reason.UNAVAILABLE)

_linked = partial(Row, Phase.LINKED)
_outage = partial(Row, Phase.LINKED, within=60, expected_within=40, has_duration=True)
# The pause between attempts, and the time until a link counts as stable.
_unstable = partial(
    Row,
    Phase.LINKED,
    expected=UNSTABLE,
    within=90,
    expected_within=30,
    has_duration=True,
    max_events=6,
)
_silent = partial(
    Row, Phase.LINKED, expected=SILENT, within=60, expected_within=60, has_duration=True
)
_refused = partial(Row, Phase.LINKED, recovery=Recovery.NEW_CODE, credentials=Credentials.UNUSED)
_logout = partial(
    Row,
    Phase.LINKED,
    expected=UNCONFIRMED,
    recovery=Recovery.DONE,
    credentials=Credentials.GONE,
    within=15,
    expected_within=15,
)
_pairing = partial(Row, Phase.PAIRING, credentials=Credentials.NONE_YET)
_dialling = partial(
    Row,
    Phase.PAIRING,
    expected=NO_CODE_YET,
    credentials=Credentials.NONE_YET,
    within=15,
    expected_within=40,
    has_duration=True,
    before_code=True,
)
_failing = partial(
    Row, Phase.PAIRING, recovery=Recovery.NEW_CODE, credentials=Credentials.NOT_ADOPTED
)

DATABASE = (
    "the link stays up; requests wait, or get a 503 that says so; "
    "what happened meanwhile is told within 10 s of its end"
)

LINKED = (
    _linked("drop", "the connection drops", LOST),
    _linked("websocket_close", "WhatsApp closes the connection", LOST),
    _linked("stream_503", "WhatsApp ends the stream: 503", LOST),
    _linked("stream_500", "WhatsApp ends the stream with another error", LOST, within=30),
    _linked(
        "stream_515",
        "WhatsApp asks for a restart of the stream: 515",
        None,
        unnoticed_outcome="it restarts at once",
    ),
    _linked("lost_restart", "the same, and the restart fails", LOST, within=30, expected_within=30),
    _outage("refuse", "the proxy or firewall refuses connections", CUT_OFF),
    _outage("refuse_407", "the proxy wants a password: 407", CUT_OFF),
    _outage("http_503", "WhatsApp answers the dial with HTTP 503", FAILING),
    _outage("no_server_hello", "WhatsApp accepts the dial and says nothing", CUT_OFF),
    _outage("cut_login", "logins are cut off", LOST),
    _outage("mute_login", "logins stay unanswered", CUT_OFF),
    _silent("no_pong", "pings stay unanswered"),
    _silent("silence", "nothing is answered any more"),
    _unstable("drop_at_login", "logins are let in and dropped at once"),
    _unstable("drop_after_login", "logins are let in and dropped some seconds later"),
    _unstable("stream_503_at_login", "logins are let in, and the stream is ended: 503"),
    _linked("slow_success", "WhatsApp lets a login in late", LOST, within=15),
    _outage("failure_500", "logins fail: 500", REFUSED),
    _outage("failure_503", "logins fail: 503", REFUSED),
    _linked(
        "failure_503_long",
        "the login fails for minutes: 503",
        STILL_REFUSED,
        within=60,
        expected_within=220,
        test_expected_within=30,
        has_duration=True,
    ),
    _outage("failure_501", "logins fail for a reason that is no verdict: 501", REFUSED),
    _outage("failure_599", "logins fail for a reason that nobody knows", REFUSED),
    _linked(
        "replaced",
        "another program logs in with the same credentials",
        (_A, Reason.TAKEN_OVER),
        Recovery.RESUMES,
    ),
    _refused("unlink", "the phone unlinks the device", (_A, Reason.LOGGED_OUT_BY_PHONE)),
    _refused("failure_401", "it was unlinked while offline: 401", (_A, Reason.FORGOTTEN)),
    _refused("failure_403", "the account is locked: 403", (_A, Reason.ACCOUNT_LOCKED)),
    _refused("failure_406", "the number is banned: 406", (_A, Reason.BANNED)),
    _linked("ban", "the number is banned for a while: 402", BAN, has_duration=True),
    _linked("ban_restart", "the same, and the service is killed meanwhile", BAN, has_duration=True),
    _linked(
        "outdated",
        "WhatsApp refuses the software's version: 405",
        OUTDATED,
        within=360,
        test_within=20,
        has_duration=True,
    ),
    _logout("deaf_logout", "Disconnect, and WhatsApp does not answer the logout"),
    _logout("silent_logout", "Disconnect, and WhatsApp answers nothing"),
    _logout("banned_logout", "Disconnect during a ban: WhatsApp is not asked"),
    _linked("host_killed", "the host process is killed", CRASHED, neighbours=3),
    _linked("host_stopped", "the host process hangs", CRASHED, expected_within=30, neighbours=1),
    _linked(
        "host_memory",
        "the host process gets no more memory",
        CRASHED,
        expected_within=30,
        neighbours=1,
    ),
    _linked("failure_413", "WhatsApp's answer crashes the host process", CRASHED, within=60),
    _linked(
        "fork_server_killed",
        "the parent of the host processes is killed",
        None,
        unnoticed_outcome="links stay up, and the next pairing works",
        neighbours=1,
    ),
    _linked("product_killed", "the service is killed and started again", RESTARTED, within=15),
    _linked(
        "database_locked",
        "the database cannot be written",
        None,
        unnoticed_outcome=DATABASE,
        neighbours=1,
    ),
    _linked(
        "database_away",
        "the database cannot be reached",
        None,
        unnoticed_outcome=DATABASE,
        neighbours=1,
    ),
    _linked(
        "disk_full",
        "the disk is full",
        None,
        unnoticed_outcome="it stays connected, and comes back from drops",
    ),
    _linked(
        "read_only",
        "the credentials folder becomes read-only",
        None,
        unnoticed_outcome="it stays connected, and comes back from drops",
    ),
    _linked("read_only_restart", "the same, and the service is restarted", RESTARTED, within=15),
    _linked(
        "store_unusable",
        "the credentials cannot be opened",
        (_R, Reason.STORE_UNUSABLE),
        within=60,
        expected_within=20,
        has_duration=True,
    ),
    _refused(
        "credentials_damaged",
        "the credentials are damaged, and the service is restarted",
        (_A, Reason.CREDENTIALS_DAMAGED),
        expected_within=20,
    ),
    _linked(
        "credentials_missing",
        "the credentials folder is lost, and the service is restarted",
        (_A, Reason.CREDENTIALS_MISSING),
        Recovery.NEW_CODE,
        credentials=Credentials.LOST,
        expected_within=20,
    ),
)

PAIRING = (
    _pairing("drop", "the connection drops", CODE_LOST),
    _pairing("websocket_close", "WhatsApp closes the connection", CODE_LOST),
    _pairing("stream_503", "WhatsApp ends the stream: 503", CODE_LOST),
    _pairing(
        "stream_515",
        "WhatsApp asks for a restart of the stream: 515",
        None,
        unnoticed_outcome="a new code by itself, within 10 s",
    ),
    _pairing("stream_500", "WhatsApp ends the stream with another error", CODE_LOST),
    _pairing("host_killed", "the host process is killed", CODE_LOST),
    _pairing("host_stopped", "the host process hangs", CODE_LOST, expected_within=40),
    _pairing(
        "old_code",
        "the phone scans a code that is not shown any more",
        None,
        unnoticed_outcome="the phone is refused; the code that is shown links",
    ),
    _pairing(
        "early_refresh",
        "WhatsApp replaces the code before its time",
        None,
        unnoticed_outcome="the new code is shown for its full time, and links",
    ),
    _pairing(
        "downgrade_webclient",
        "a phone scans that cannot link devices yet",
        (State.AWAITING_SCAN, Reason.PHONE_UNSUPPORTED),
        same_code=True,
    ),
    _failing("passkey", "the phone asks for a passkey", (_A, Reason.PAIRING_PASSKEY)),
    _dialling("refuse", "the proxy or firewall refuses connections"),
    _dialling("refuse_407", "the proxy wants a password: 407"),
    _dialling("http_503", "WhatsApp answers the dial with HTTP 503", expected=FAILING_BEFORE_CODE),
    _dialling("no_server_hello", "WhatsApp accepts and says nothing"),
    _failing(
        "refuse_long",
        "connections are refused for more than 90 s",
        (_A, Reason.PAIRING_UNREACHABLE),
        expected_within=120,
        before_code=True,
    ),
    _dialling("failure_503", "WhatsApp gives no code: 503", expected=FAILING_BEFORE_CODE),
    _dialling("failure_501", "WhatsApp gives no code: 501", expected=FAILING_BEFORE_CODE),
    _failing(
        "failure_501_long",
        "the same, for more than 90 s",
        (_A, Reason.PAIRING_UNAVAILABLE),
        expected_within=120,
        before_code=True,
    ),
    _dialling("failure_413", "WhatsApp's answer crashes the process"),
    _failing(
        "outdated",
        "WhatsApp refuses the software's version: 405",
        (_A, Reason.PAIRING_OUTDATED),
        before_code=True,
        reconnect_within=60,
    ),
    _failing(
        "no_scan",
        "no one scans any of the codes",
        (_A, Reason.CODES_EXPIRED),
        expected_within=170,
        before_code=True,
    ),
    _failing("bad_hmac", "the phone's answer is forged", (_A, Reason.PAIRING_UNVERIFIED)),
    _failing(
        "bad_signature",
        "the phone's answer has a wrong signature",
        (_A, Reason.PAIRING_UNVERIFIED),
    ),
    _pairing(
        "ban",
        "the number is banned for a while: 402",
        BAN,
        credentials=Credentials.KEPT,
        has_duration=True,
    ),
    _failing("failure_401", "the phone unlinks the device at once: 401", (_A, Reason.FORGOTTEN)),
    _failing("wrong_number", "another number than expected scans", (_A, Reason.WRONG_NUMBER)),
    _failing(
        "number_in_use",
        "a number scans that another organization has",
        (_A, Reason.NUMBER_IN_USE),
        neighbours=1,
    ),
    _pairing("product_killed", "the service is killed and started again", CODE_LOST, within=15),
    _pairing(
        "database_locked",
        "the database cannot be written",
        None,
        unnoticed_outcome="the code stays good",
    ),
    _pairing(
        "database_away",
        "the database cannot be reached",
        None,
        unnoticed_outcome="the code stays good",
    ),
    _failing("disk_full", "the disk is full", (_A, Reason.STORE_FAILED), before_code=True),
    _failing(
        "read_only",
        "the credentials folder is read-only",
        (_A, Reason.STORE_FAILED),
        before_code=True,
    ),
)

ROWS: tuple[Row, ...] = LINKED + PAIRING
