"""All settings. `.env.example` documents the environment variables.

They are read from the environment or from `.env` beside manage.py (ENV_FILE names another file, or
none). An invalid value prevents the start with one line that names the variable.
"""

import logging
import math
import os
import re
import secrets
import zoneinfo
from datetime import timedelta
from pathlib import Path

import django_stubs_ext
import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from whatsapp_orgs import backends, media_storage, private_files, static_files
from whatsapp_orgs.logging import formatters, redaction

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()


def read_env_file() -> None:
    """Read ENV_FILE; the environment takes precedence. Raises ImproperlyConfigured."""
    default_path = str(BASE_DIR / ".env")
    path = env.str("ENV_FILE", default=default_path)
    if path not in ("", default_path) and not Path(path).is_file():
        raise ImproperlyConfigured(f"ENV_FILE must be a file, or empty for none, not {path!r}.")
    if path:
        env.read_env(path)


read_env_file()


def positive_number(name: str, default: float) -> float:
    """Return a number above zero. Raises ImproperlyConfigured."""
    text = env.str(name, default=str(default))
    try:
        # Not env.float: that takes "2 minutes" for 2 and "1e3" for 13.
        value = float(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a number, not {text!r}.") from error
    if not 0 < value < math.inf:
        raise ImproperlyConfigured(f"{name} must be above zero, not {value:g}.")
    return value


def whole_number(name: str, default: int) -> int:
    """Return a whole number above zero. Raises ImproperlyConfigured."""
    value = positive_number(name, default)
    if not value.is_integer():
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value:g}.")
    return int(value)


def days_or_ever(name: str, default: int) -> int:
    """Return a whole number of days, 0 for no end. Raises ImproperlyConfigured."""
    return 0 if env.str(name, default=str(default)) == "0" else whole_number(name, default)


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """Return one of `choices`. Raises ImproperlyConfigured."""
    value = env.str(name, default=default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return str(value)


def boolean(name: str, default: bool) -> bool:
    """Return a boolean. Raises ImproperlyConfigured for other words, unlike environ."""
    value = env.str(name, default=str(default)).lower()
    if value not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return value in ("true", "1", "yes", "on")


def origin(name: str) -> str:
    """Return a scheme and host, such as https://orgs.example.com, or "".

    Raises ImproperlyConfigured.
    """
    value = env.str(name, default="").rstrip("/")
    if value and not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+", value):
        raise ImproperlyConfigured(f"{name} must be like https://orgs.example.com, not {value!r}.")
    return str(value)


def secret(name: str, length: int) -> str:
    """Return a secret of at least `length` characters, or "". Raises ImproperlyConfigured."""
    value = env.str(name, default="")
    if value and (len(value) < length or not value.isascii()):
        raise ImproperlyConfigured(f"{name} must have {length} plain characters, or be empty.")
    return str(value)


def time_zone() -> str:
    """Return TIME_ZONE. Raises ImproperlyConfigured for one that this system does not know."""
    value = env.str("TIME_ZONE", default="UTC")
    try:
        zoneinfo.ZoneInfo(value)
    # What it raises depends on the text: one without such a file, of a folder, outside of both.
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ImproperlyConfigured(
            f"TIME_ZONE must be a time zone like America/Sao_Paulo, not {value!r}."
        ) from error
    return str(value)


def log_level() -> str:
    """Return LOG_LEVEL, in capitals. Raises ImproperlyConfigured."""
    value, levels = env.str("LOG_LEVEL", default="INFO"), logging.getLevelNamesMapping()
    if value.upper() not in levels:
        raise ImproperlyConfigured(f"LOG_LEVEL must be one of {', '.join(levels)}, not {value!r}.")
    return str(value.upper())


DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
AUTH_SESSIONS_DIR = Path(
    env.str("AUTH_SESSIONS_DIR", default=str(DATA_DIR / "auth_sessions"))
).resolve()


def secret_key() -> str:
    """Return SECRET_KEY, or the one that the first start creates in DATA_DIR."""
    if key := env.str("SECRET_KEY", default=""):
        return str(key)
    path = DATA_DIR / "secret_key"
    if key := private_files.write_once(path, secrets.token_urlsafe(48)).strip():
        return key
    raise ImproperlyConfigured(f"{path} is empty. Delete it, or set SECRET_KEY.")


def data_keys() -> dict[str, str]:
    """Return the keys in DATA_KEYS by their ids. Raises ImproperlyConfigured."""
    found = dict(item.partition(":")[::2] for item in env.list("DATA_KEYS", default=[]))
    for key_id, key in found.items():
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,20}", key_id) or not re.fullmatch(
            r"[A-Za-z0-9_-]{43}=", key
        ):
            raise ImproperlyConfigured(
                "DATA_KEYS must be a list like ID:KEY,ID:KEY, each key of 32 bytes in base64url."
            )
    return found


# --- Security (whatsapp_orgs/checks.py refuses unsafe values) -------------------------------------
SECRET_KEY = secret_key()
# Old keys: their signatures stay valid, and nothing new is signed with them.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# Keys for texts and files at rest, the one for new ones first; empty: derived from SECRET_KEY.
DATA_KEYS = data_keys()
DEBUG = boolean("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Where people and software reach this service, for addresses that no request is asked for.
SITE_URL = origin("SITE_URL")

PRODUCTION = boolean("PRODUCTION", default=False)
# Trust X-Forwarded-For and X-Forwarded-Proto of a proxy that terminates TLS.
TRUST_PROXY = boolean("TRUST_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
SECURE_SSL_REDIRECT = boolean("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_HSTS_SECONDS = whole_number("SECURE_HSTS_SECONDS", 31_536_000) if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = boolean("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=PRODUCTION)
# HSTS preloading is a decision of the domain's owner.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_ENGINE = "whatsapp_orgs.login.sessions"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
# Pages load only their own files, and inline images (QR codes).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# Bytes. The server refuses larger request bodies (server/serving.py).
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- Applications ---------------------------------------------------------------------------------
INSTALLED_APPS = [
    # First, because it installs the asyncio reactor.
    "daphne",
    "organizations.admin_config.OrgsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "knox",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "whatsapp_orgs",
    "organizations",
    "events",
    "connections",
    "messaging",
    "webhooks",
    "notices",
    "removal",
    "cloud_api",
    "monitoring",
]

MIDDLEWARE = [
    "whatsapp_orgs.logging.request_log.request_log",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whatsapp_orgs.permissions_policy.permissions_policy",
    "whatsapp_orgs.null_bytes.refuse_in_query",
    "whatsapp_orgs.compression.CompressionMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "whatsapp_orgs.login.idle_sessions.extend_session",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "whatsapp_orgs.login.hashing_middleware.HashingMiddleware",
]

ROOT_URLCONF = "whatsapp_orgs.urls"
ASGI_APPLICATION = "whatsapp_orgs.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Databases, channel layer and cache (whatsapp_orgs/backends.py) -------------------------------
DATABASE_URL = env.str("DATABASE_URL", default="")
REDIS_URL = env.str("REDIS_URL", default="")
# Installations that share a Redis need different prefixes.
REDIS_PREFIX = env.str("REDIS_PREFIX", default="whatsapp_orgs")
# The maximum of open PostgreSQL connections in one process.
DATABASE_CONNECTIONS = whole_number("DATABASE_CONNECTIONS", 20)
DATABASES = {"default": backends.database(DATABASE_URL, DATA_DIR, DATABASE_CONNECTIONS)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Where credentials are stored: in folders of AUTH_SESSIONS_DIR on one machine, or in a PostgreSQL.
AUTH_SESSIONS_URL = env.str("AUTH_SESSIONS_URL", default="") or DATABASE_URL
AUTH_SESSIONS = choice(
    "AUTH_SESSIONS", "database" if AUTH_SESSIONS_URL else "folders", ("folders", "database")
)
backends.check_auth_sessions(AUTH_SESSIONS, AUTH_SESSIONS_URL)

CHANNEL_LAYERS = {"default": backends.channel_layer(REDIS_URL, REDIS_PREFIX)}
CACHES = {"default": backends.cache(REDIS_URL, REDIS_PREFIX)}

# --- Logins ---------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "whatsapp_orgs.login.lockout.ThrottleBackend",
    "whatsapp_orgs.login.mail_login.MailBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Parallel password hashes in one process. Each takes a core (login/password_hashing.py).
PASSWORD_HASHING_PLACES = whole_number(
    "PASSWORD_HASHING_PLACES", max(1, (os.cpu_count() or 1) // 2)
)
PASSWORD_HASHERS = ["whatsapp_orgs.login.password_hashing.BoundedPBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Staff without a second factor can only open the page that sets one up.
REQUIRE_SECOND_FACTOR = boolean("REQUIRE_SECOND_FACTOR", default=False)
OTP_TOTP_ISSUER = "WhatsApp Orgs"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# Seconds from the last action to the end of a login (login/idle_sessions.py).
SESSION_IDLE_SECONDS = positive_number("SESSION_IDLE_SECONDS", 43_200)
SESSION_COOKIE_AGE = SESSION_IDLE_SECONDS

# Failed logins per name and network, counted in the database. `manage.py axes_reset` resets them.
AXES_FAILURE_LIMIT = whole_number("LOGIN_ATTEMPTS", 5)
AXES_COOLOFF_TIME = timedelta(seconds=positive_number("LOGIN_LOCKOUT_SECONDS", 900))
# Failed logins per network over all names, and per name over all networks, before each further
# one doubles the delay (organizations/login/throttle.py).
LOGIN_ATTEMPTS_PER_NETWORK = whole_number("LOGIN_ATTEMPTS_PER_NETWORK", 20)
LOGIN_ATTEMPTS_PER_NAME = whole_number("LOGIN_ATTEMPTS_PER_NAME", 10)
LOGIN_MAX_DELAY_SECONDS = positive_number("LOGIN_MAX_DELAY_SECONDS", 300)
AXES_HANDLER = "whatsapp_orgs.login.lockout.AxesHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "whatsapp_orgs.login.lockout.lockout_response"
AXES_USERNAME_CALLABLE = "whatsapp_orgs.login.lockout.counted_name"
# Not stored with a failed login: a code may still be valid.
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code", "sealed"]
AXES_CLIENT_IP_CALLABLE = "whatsapp_orgs.login.lockout.counted_address"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# Logs have only the address, because users type passwords into the name field.
AXES_CLIENT_STR_CALLABLE = "whatsapp_orgs.login.lockout.client_for_log"

# --- Mail -----------------------------------------------------------------------------------------
# Notices, and invitations of colleagues, are mailed if this and SITE_URL are set.
EMAIL_URL = env.str("EMAIL_URL", default="")
if EMAIL_URL:
    vars().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
# Seconds that a mail server may take for each step.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="WhatsApp Orgs <webmaster@localhost>")

# --- Languages and static files -------------------------------------------------------------------
# The language: of the cookie (menu in the header), else of Accept-Language.
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "whatsapp_orgs.formats"
LANGUAGES = [("en", "English"), ("pt-br", "Português"), ("es", "Español")]
LANGUAGE_COOKIE_HTTPONLY, LANGUAGE_COOKIE_SAMESITE = True, "Lax"
LANGUAGE_COOKIE_SECURE = PRODUCTION
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
TIME_ZONE = time_zone()
USE_I18N = True
USE_TZ = True

# Files of messages, encrypted: in a folder that all web processes and workers share, or in S3.
MEDIA_STORAGE = choice("MEDIA_STORAGE", "folder", ("folder", "s3"))
MEDIA_DIR = Path(env.str("MEDIA_DIR", default=str(DATA_DIR / "media"))).resolve()
MEDIA_S3_ENDPOINT = env.str("MEDIA_S3_ENDPOINT", default="")
MEDIA_S3_REGION = env.str("MEDIA_S3_REGION", default="")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "media": media_storage.folder(MEDIA_DIR)
    if MEDIA_STORAGE == "folder"
    else media_storage.s3(
        env.str("MEDIA_S3_BUCKET", default=""),
        MEDIA_S3_ENDPOINT,
        MEDIA_S3_REGION,
        env.str("MEDIA_S3_PREFIX", default=""),
    ),
}
# Where `manage.py backup s3://…` finds its bucket; the credentials are boto3's own affair.
BACKUP_S3_ENDPOINT = env.str("BACKUP_S3_ENDPOINT", default=MEDIA_S3_ENDPOINT)
BACKUP_S3_REGION = env.str("BACKUP_S3_REGION", default=MEDIA_S3_REGION)
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "whatsapp_orgs.bundle_finder.BundleFinder",
]
# With DEBUG, files change while the process runs.
STATIC_VERSION = "" if DEBUG else f"{static_files.version(STATICFILES_DIRS[0])}/"
STATIC_URL = f"static/{STATIC_VERSION}"
# The target of `collectstatic` for a web server; if it is empty, the originals are served.
STATIC_ROOT = env.str("STATIC_ROOT", default="") or None
if STATIC_ROOT:
    STATIC_ROOT = str(Path(STATIC_ROOT) / STATIC_VERSION)
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
# Browsers keep these without asking again, as another content has another address.
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/[0-9a-f]{12}/"

# --- REST API -------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["organizations.tokens.BearerTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["organizations.tokens.IsAuthenticatedCaller"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["organizations.api.parsers.Utf8JsonParser"],
    "DEFAULT_METADATA_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_SCHEMA_CLASS": "organizations.api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "whatsapp_orgs.api.error_response",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "WhatsApp Orgs",
    "DESCRIPTION": (BASE_DIR / "whatsapp_orgs" / "introduction.md").read_text(encoding="utf-8"),
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "CAMELIZE_NAMES": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "TAGS": [
        {"name": "organizations", "description": "Who they are, and what happened to each."},
        {"name": "whatsapp", "description": "The connection: status, codes, owner's links."},
        {"name": "messages", "description": "What is sent and received, with files and events."},
        {"name": "webhooks", "description": "The events, sent to an address of yours."},
        {"name": "tokens", "description": "What opens the API: of organizations, and your own."},
        {"name": "members", "description": "Who may do what in an organization."},
        {"name": "invitations", "description": "Of people who are to become members."},
    ],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "StateEnum": "connections.api.schema_responses.STATES",
        "ReasonEnum": "connections.api.schema_responses.REASONS",
        "MessageStateEnum": "messaging.api.schema_responses.MESSAGE_STATES",
        "MessageReasonEnum": "messaging.api.schema_responses.REASONS",
        "EventTypeEnum": "messaging.api.schema_responses.EVENT_TYPES",
        "MediaStateEnum": "messaging.api.schema_responses.MEDIA_STATES",
        "WebhookStateEnum": "webhooks.api.schema_responses.WEBHOOK_STATES",
        "WebhookReasonEnum": "webhooks.api.schema_responses.WEBHOOK_REASONS",
        "DeliveryStateEnum": "webhooks.api.schema_responses.DELIVERY_STATES",
        "DeliveryKindEnum": "webhooks.api.schema_responses.DELIVERY_KINDS",
        "DeliveryFailureEnum": "webhooks.api.schema_responses.FAILURES",
        "ProxyKindEnum": "connections.models.proxies.OrganizationProxy.Scheme",
        "ProxyProblemEnum": "connections.api.proxy_serializers.PROBLEMS",
        "TokenKindEnum": "organizations.models.tokens.ApiToken.Kind",
    },
}
KNOX_TOKEN_MODEL = "organizations.ApiToken"
# Without knox's own token table: on PostgreSQL its foreign keys would prevent TRUNCATE in tests.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {
    "TOKEN_MODEL": KNOX_TOKEN_MODEL,
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_PREFIX": "wao_",
    "TOKEN_TTL": None,
}

# --- WhatsApp and workers -------------------------------------------------------------------------
# "live": WhatsApp; "simulator": the local simulator that SIMULATOR_STATE describes.
WHATSAPP_SERVER = choice("WHATSAPP_SERVER", "live", ("live", "simulator"))
SIMULATOR_STATE = Path(
    env.str("SIMULATOR_STATE", default=str(DATA_DIR / "simulator" / "simulator.json"))
)
# The name in a phone's list of linked devices.
DEVICE_NAME = env.str("DEVICE_NAME", default="WhatsApp Orgs")

# Whether the web process runs the supervisor, too.
EMBEDDED_WORKER = boolean("EMBEDDED_WORKER", default=True)
# Organizations of one worker, and seconds to hand them over at a stop.
WORKER_CAPACITY = whole_number("WORKER_CAPACITY", 1000)
DRAIN_SECONDS = positive_number("DRAIN_SECONDS", 60)
# Linked organizations in one session host; idle pairing processes that are kept ready.
SESSIONS_PER_HOST = whole_number("SESSIONS_PER_HOST", 25)
WARM_HOSTS = whole_number("WARM_HOSTS", 1)
# A session host is recycled after so many starts, because each leaks memory, or at this size.
HOST_MAX_STARTS = whole_number("HOST_MAX_STARTS", 100)
HOST_MAX_MEMORY_MB = whole_number("HOST_MAX_MEMORY_MB", 500)
# Client starts per second over all organizations, so that they do not all start at once.
CONNECTS_PER_SECOND = whole_number("CONNECTS_PER_SECOND", 100)
LOGOUT_TIMEOUT_SECONDS = positive_number("LOGOUT_TIMEOUT_SECONDS", 8)
DIAL_TIMEOUT_SECONDS = positive_number("DIAL_TIMEOUT_SECONDS", 15)
# Six codes last 160 s; the rest allows for an outage before them and for a late scan.
PAIRING_TIMEOUT_SECONDS = positive_number("PAIRING_TIMEOUT_SECONDS", 270)
# The interval of attempts while WhatsApp refuses this version of the client.
OUTDATED_RETRY_SECONDS = positive_number("OUTDATED_RETRY_SECONDS", 300)
# How long logins are refused before the status recommends a new code.
LOGIN_REFUSED_LONG_SECONDS = positive_number("LOGIN_REFUSED_LONG_SECONDS", 180)

# --- Messages -------------------------------------------------------------------------------------
# The defaults of each organization; an owner can set others.
MESSAGES_PER_MINUTE = whole_number("MESSAGES_PER_MINUTE", 60)
NEW_RECIPIENTS_PER_DAY = whole_number("NEW_RECIPIENTS_PER_DAY", 50)
# Days to keep things, 0 for ever; of media: as long as their messages.
MESSAGE_RETENTION_DAYS = days_or_ever("MESSAGE_RETENTION_DAYS", 90)
MEDIA_RETENTION_DAYS = days_or_ever("MEDIA_RETENTION_DAYS", 0)
DELIVERY_RETENTION_DAYS = whole_number("DELIVERY_RETENTION_DAYS", 30)
HISTORY_RETENTION_DAYS = days_or_ever("HISTORY_RETENTION_DAYS", 0)
# Seconds between two messages of an organization, on average; before a first message to someone.
MESSAGE_GAP_SECONDS = positive_number("MESSAGE_GAP_SECONDS", 0.6)
NEW_RECIPIENT_GAP_SECONDS = positive_number("NEW_RECIPIENT_GAP_SECONDS", 5)
# Messages of an organization that may wait; more are refused.
OUTBOX_LIMIT = whole_number("OUTBOX_LIMIT", 10_000)
# Megabytes of one file, sent or received, and of all files of an organization.
MEDIA_MAX_MB = whole_number("MEDIA_MAX_MB", 16)
MEDIA_TOTAL_MB = whole_number("MEDIA_TOTAL_MB", 2048)
# What one token may ask for within a minute, and what one person may be sent, within a minute and a
# day; more is refused.
MESSAGES_PER_TOKEN = whole_number("MESSAGES_PER_TOKEN", 6000)
MESSAGES_PER_RECIPIENT = whole_number("MESSAGES_PER_RECIPIENT", 1000)
MESSAGES_PER_RECIPIENT_A_DAY = whole_number("MESSAGES_PER_RECIPIENT_A_DAY", 5000)
# How long WhatsApp may take to accept a message, whose file it has, before its outcome is unknown.
SEND_TIMEOUT_SECONDS = positive_number("SEND_TIMEOUT_SECONDS", 30)
# How long only answers are sent after WhatsApp has refused a first message (463).
REPLIES_ONLY_SECONDS = positive_number("REPLIES_ONLY_SECONDS", 3600)

# Whether webhooks and files by link may have addresses on our own network, and plain http; a list
# of hosts limits that to those, and production needs one (outbound/policy.py).
WEBHOOKS_ALLOW_PRIVATE = boolean("WEBHOOKS_ALLOW_PRIVATE", default=False)
WEBHOOKS_ALLOWED_HOSTS = env.list("WEBHOOKS_ALLOWED_HOSTS", default=[])

# The same for proxies of organizations, which may have any port anyway (outbound/proxies.py).
PROXIES_ALLOW_PRIVATE = boolean("PROXIES_ALLOW_PRIVATE", default=False)
PROXIES_ALLOWED_HOSTS = env.list("PROXIES_ALLOWED_HOSTS", default=[])

# --- Webhooks -------------------------------------------------------------------------------------
# Endpoints of an organization; so many of all organizations as well.
WEBHOOKS_PER_ORGANIZATION = whole_number("WEBHOOKS_PER_ORGANIZATION", 20)
# Requests under way in one worker, in all and to one host.
WEBHOOK_SOCKETS = whole_number("WEBHOOK_SOCKETS", 300)
WEBHOOK_SOCKETS_PER_HOST = whole_number("WEBHOOK_SOCKETS_PER_HOST", 20)

# --- Limits ---------------------------------------------------------------------------------------
# New attempts within ten minutes. WhatsApp bans numbers with too many. Repeated requests for a
# running attempt do not count.
RECONNECTS_PER_ORGANIZATION = whole_number("RECONNECTS_PER_ORGANIZATION", 20)
RECONNECTS_PER_CALLER = whole_number("RECONNECTS_PER_CALLER", 300)

# Owner's links per organization within ten minutes, and their lifetime in seconds.
OWNER_LINKS_PER_ORGANIZATION = whole_number("OWNER_LINKS_PER_ORGANIZATION", 10)
OWNER_LINK_SECONDS = positive_number("OWNER_LINK_SECONDS", 900)

# Wrong API tokens per address within the window; open WebSockets per user or organization's token,
# in each web process.
WRONG_TOKENS_PER_ADDRESS = whole_number("WRONG_TOKENS_PER_ADDRESS", 20)
WRONG_TOKEN_WINDOW_SECONDS = positive_number("WRONG_TOKEN_WINDOW_SECONDS", 600)
SOCKETS_PER_CALLER = whole_number("SOCKETS_PER_CALLER", 50)

# Open TCP connections per IPv4 address or IPv6 /64, in each web process. Not with TRUST_PROXY: the
# proxy limits them.
CONNECTIONS_PER_ADDRESS = whole_number("CONNECTIONS_PER_ADDRESS", 200)
# Seconds until a slow client is disconnected. "request": for receiving a whole request; "idle":
# between requests; "read": without reading pending data.
CLIENT_DEADLINES = {"request": 20.0, "idle": 60.0, "read": 20.0}
# Parallel requests in one process, each in a thread; others wait for up to 10 s.
REQUEST_THREADS = whole_number("REQUEST_THREADS", 40)

# Seconds that a request waits for a result.
RECONNECT_WAIT_SECONDS = positive_number("RECONNECT_WAIT_SECONDS", 5)
DISCONNECT_WAIT_SECONDS = positive_number("DISCONNECT_WAIT_SECONDS", 20)

# --- Monitoring -----------------------------------------------------------------------------------
# The bearer token for /metrics; without it only local requests are allowed.
METRICS_TOKEN = secret("METRICS_TOKEN", 32)

# "line": text; "json": one JSON object for each line (docs/monitoring.md).
LOG_FORMAT = choice("LOG_FORMAT", "line", ("line", "json"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"console": formatters.formatter(LOG_FORMAT)},
    "filters": {
        "about": {
            "()": "django.utils.log.CallbackFilter",
            "callback": formatters.add_context_fields,
        },
        "redacted": {
            "()": "django.utils.log.CallbackFilter",
            "callback": redaction.redact_request,
        },
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "console",
            "filters": ["about", "redacted"],
        }
    },
    "root": {"handlers": ["console"], "level": log_level()},
    "loggers": {
        # Its lines hold the path and the query of a request.
        "daphne.http_protocol": {"level": "WARNING"},
        "daphne.server": {"level": "WARNING"},
        # Their lines hold requests to webhooks, and what those answer.
        "httpcore": {"level": "WARNING"},
        # Its lines name the hosts of chats.
        "apprise": {"level": "CRITICAL"},
        # Theirs hold signatures.
        **dict.fromkeys(["boto3", "botocore", "s3transfer", "urllib3"], {"level": "WARNING"}),
        # Three lines with the server's address for each attempt; we log outages ourselves.
        "psycopg.pool": {"level": "ERROR"},
        # Four lines for each login at INFO; failed logins are warnings.
        "axes": {"level": "WARNING"},
        # Django's own handlers would write lines a second time, without redaction.
        "django": {"handlers": [], "level": "INFO"},
    },
}
