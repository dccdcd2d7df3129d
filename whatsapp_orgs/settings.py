"""The one settings file.

Every variable is read here, typed, from the environment or from a `.env` file beside manage.py
(ENV_FILE names another, or none); `.env.example` documents each. A wrong value ends the start with
one line that names it.
"""

import math
import os
import secrets
from datetime import timedelta
from pathlib import Path

import django_stubs_ext
import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from whatsapp_orgs import backends, private_files
from whatsapp_orgs.logging import formatters, redaction

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()


def read_env_file() -> None:
    """Take from ENV_FILE what the environment does not say. Raises ImproperlyConfigured."""
    usual = str(BASE_DIR / ".env")
    path = env.str("ENV_FILE", default=usual)
    if path not in ("", usual) and not Path(path).is_file():
        raise ImproperlyConfigured(f"ENV_FILE must be a file, or empty for none, not {path!r}.")
    if path:
        env.read_env(path)


read_env_file()


def positive(name: str, default: float) -> float:
    """A number of seconds that must be above zero."""
    text = env.str(name, default=str(default))
    try:
        # Not env.float: that takes "2 minutes" for 2 and "1e3" for 13.
        value = float(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a number, not {text!r}.") from error
    if not 0 < value < math.inf:
        raise ImproperlyConfigured(f"{name} must be above zero, not {value:g}.")
    return value


def whole(name: str, default: int) -> int:
    """A number of things, at least one."""
    value = positive(name, default)
    if not value.is_integer():
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value:g}.")
    return int(value)


def one_of(name: str, default: str, choices: tuple[str, ...]) -> str:
    """A word out of a few."""
    value = env.str(name, default=default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return str(value)


def flag(name: str, default: bool) -> bool:
    """A yes or a no; anything else is refused rather than taken for a no."""
    value = env.str(name, default=str(default)).lower()
    if value not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return value in ("true", "1", "yes", "on")


def long_enough(name: str, length: int) -> str:
    """A secret that cannot be guessed, or "" for none."""
    value = env.str(name, default="")
    if value and (len(value) < length or not value.isascii()):
        raise ImproperlyConfigured(f"{name} must have {length} plain characters, or be empty.")
    return str(value)


DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
AUTH_SESSIONS_DIR = Path(
    env.str("AUTH_SESSIONS_DIR", default=str(DATA_DIR / "auth_sessions"))
).resolve()


def secret_key() -> str:
    """SECRET_KEY, or one made on the first start and kept in the data folder for this user only."""
    if given := env.str("SECRET_KEY", default=""):
        return str(given)
    path = DATA_DIR / "secret_key"
    if key := private_files.write_once(path, secrets.token_urlsafe(48)).strip():
        return key
    raise ImproperlyConfigured(f"{path} is empty. Delete it, or set SECRET_KEY.")


SECRET_KEY = secret_key()
# Keys of before: what they have signed is still good, and nothing new is signed with them.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
DEBUG = flag("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# --- Production: safe or not at all (whatsapp_orgs/checks.py) -----------------------------------
PRODUCTION = flag("PRODUCTION", default=False)
# A proxy in front ends TLS and says so; what it says of a client is taken for true.
TRUST_PROXY = flag("TRUST_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
SECURE_SSL_REDIRECT = flag("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_HSTS_SECONDS = whole("SECURE_HSTS_SECONDS", 31_536_000) if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = flag("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=PRODUCTION)
# To be on the browsers' own lists is for the owner of the whole domain to ask for.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_ENGINE = "whatsapp_orgs.null_bytes"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
# What pages may load: their own files, and pictures in the page itself (a QR code is one).
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
# The largest body of a request, in bytes: the server refuses larger ones (server/serving.py).
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

INSTALLED_APPS = [
    # Before anything else of Twisted: it installs the asyncio reactor.
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
    "connections",
]

MIDDLEWARE = [
    "whatsapp_orgs.logging.request_log.request_log",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whatsapp_orgs.headers.permissions_policy",
    "whatsapp_orgs.null_bytes.refuse_in_query",
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

# --- Where the truth stands, and how processes hear of a change (whatsapp_orgs/backends.py) ------
DATABASE_URL = env.str("DATABASE_URL", default="")
REDIS_URL = env.str("REDIS_URL", default="")
# Two installations on one Redis need two names.
REDIS_PREFIX = env.str("REDIS_PREFIX", default="whatsapp_orgs")
# Connections to PostgreSQL that one process may have open.
DATABASE_CONNECTIONS = whole("DATABASE_CONNECTIONS", 20)
DATABASES = {"default": backends.database(DATABASE_URL, DATA_DIR, DATABASE_CONNECTIONS)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Where organizations' credentials are: in folders of AUTH_SESSIONS_DIR, which one machine has, or
# in a PostgreSQL, which all have: the same one, or another.
AUTH_SESSIONS_URL = env.str("AUTH_SESSIONS_URL", default="") or DATABASE_URL
AUTH_SESSIONS = one_of(
    "AUTH_SESSIONS", "database" if AUTH_SESSIONS_URL else "folders", ("folders", "database")
)
backends.check_auth_sessions(AUTH_SESSIONS, AUTH_SESSIONS_URL)

CHANNEL_LAYERS = {"default": backends.channel_layer(REDIS_URL, REDIS_PREFIX)}
CACHES = {"default": backends.cache(REDIS_URL, REDIS_PREFIX)}

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "whatsapp_orgs.login.lockout.ThrottleBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# How many passwords one process hashes at a time. Each takes a core: half of them stay free for all
# else (whatsapp_orgs/login/password_hashing.py).
PASSWORD_HASHING_PLACES = whole("PASSWORD_HASHING_PLACES", max(1, (os.cpu_count() or 1) // 2))
PASSWORD_HASHERS = ["whatsapp_orgs.login.password_hashing.BoundedPBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Staff without a second factor reach nothing but the page that sets one up.
REQUIRE_SECOND_FACTOR = flag("REQUIRE_SECOND_FACTOR", default=False)
OTP_TOTP_ISSUER = "WhatsApp Orgs"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# A login ends so many seconds after its last use (whatsapp_orgs/login/idle_sessions.py).
SESSION_IDLE_SECONDS = positive("SESSION_IDLE_SECONDS", 43_200)
SESSION_COOKIE_AGE = SESSION_IDLE_SECONDS

# Wrong passwords: of one user name from one address, counted in the database for all processes.
# `manage.py axes_reset` lets everyone try again.
AXES_FAILURE_LIMIT = whole("LOGIN_ATTEMPTS", 5)
AXES_COOLOFF_TIME = timedelta(seconds=positive("LOGIN_LOCKOUT_SECONDS", 900))
# Failed logins of one network within that time, over all names; of one name from everywhere,
# before each further one doubles its delay (organizations/login/throttle.py).
LOGIN_ATTEMPTS_PER_NETWORK = whole("LOGIN_ATTEMPTS_PER_NETWORK", 20)
LOGIN_ATTEMPTS_PER_NAME = whole("LOGIN_ATTEMPTS_PER_NAME", 10)
LOGIN_MAX_DELAY_SECONDS = positive("LOGIN_MAX_DELAY_SECONDS", 300)
AXES_HANDLER = "whatsapp_orgs.login.lockout.AxesHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "whatsapp_orgs.login.lockout.lockout_response"
AXES_USERNAME_CALLABLE = "whatsapp_orgs.login.lockout.counted_name"
# A failed login keeps its form without these, and without the password: a code may be a good one.
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code", "sealed"]
AXES_CLIENT_IP_CALLABLE = "whatsapp_orgs.login.lockout.counted_address"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# People type passwords where the user name goes: the log has the address alone.
AXES_CLIENT_STR_CALLABLE = "whatsapp_orgs.login.lockout.client_for_log"

# Who reads decides: by a cookie (the menu in the header), else by what the browser asks for.
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("pt-br", "Português"), ("es", "Español")]
LANGUAGE_COOKIE_HTTPONLY, LANGUAGE_COOKIE_SAMESITE = True, "Lax"
LANGUAGE_COOKIE_SECURE = PRODUCTION
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
# Where `collectstatic` puts copies for a web server in front; without it the originals are served.
STATIC_ROOT = env.str("STATIC_ROOT", default="") or None
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

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
    "DESCRIPTION": "One WhatsApp number for each organization: connect it, watch it, end it.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "CAMELIZE_NAMES": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    # Its pages load nothing from other hosts.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {"StateEnum": "connections.api.schema_responses.STATES"},
}
KNOX_TOKEN_MODEL = "organizations.ApiToken"
# Its migrations make a table of tokens although ours stands in for it; PostgreSQL could then not
# empty the tables that it refers to.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {
    "TOKEN_MODEL": KNOX_TOKEN_MODEL,
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_PREFIX": "wao_",
    "TOKEN_TTL": None,
}

# --- WhatsApp -----------------------------------------------------------------------------------
# "simulator": a stand-in on this machine that SIMULATOR_STATE describes; "live": WhatsApp itself.
WHATSAPP_SERVER = one_of("WHATSAPP_SERVER", "live", ("live", "simulator"))
SIMULATOR_STATE = Path(
    env.str("SIMULATOR_STATE", default=str(DATA_DIR / "simulator" / "simulator.json"))
)
# The name a phone shows in its list of linked devices.
DEVICE_NAME = env.str("DEVICE_NAME", default="WhatsApp Orgs")

# The supervisor inside the web process (`manage.py serve`), or in processes of its own.
EMBEDDED_WORKER = flag("EMBEDDED_WORKER", default=True)
# How many organizations one worker takes, and how long it may take to hand them over when it stops.
WORKER_CAPACITY = whole("WORKER_CAPACITY", 1000)
DRAIN_SECONDS = positive("DRAIN_SECONDS", 60)
# Linked organizations in one session host; pairing processes kept warm.
SESSIONS_PER_HOST = whole("SESSIONS_PER_HOST", 25)
WARM_HOSTS = whole("WARM_HOSTS", 1)
# A session host is replaced after so many starts (each leaks a little), or at this size.
HOST_MAX_STARTS = whole("HOST_MAX_STARTS", 100)
HOST_MAX_MEMORY_MB = whole("HOST_MAX_MEMORY_MB", 500)
# How fast clients are started, over all organizations: the end of an outage is no stampede.
CONNECTS_PER_SECOND = whole("CONNECTS_PER_SECOND", 100)

# New attempts within ten minutes, before a caller is told to wait: WhatsApp bans numbers that
# hammer it. A running attempt that is asked for again does not count.
RECONNECTS_PER_ORGANIZATION = whole("RECONNECTS_PER_ORGANIZATION", 20)
RECONNECTS_PER_CALLER = whole("RECONNECTS_PER_CALLER", 300)

# Links for a phone's owner that an organization gets in ten minutes, and how long one can be used.
OWNER_LINKS_PER_ORGANIZATION = whole("OWNER_LINKS_PER_ORGANIZATION", 10)
OWNER_LINK_SECONDS = positive("OWNER_LINK_SECONDS", 900)

# Wrong API tokens from one address within the window, before more of them are told to wait; open
# WebSockets of one user, or of one organization's own token, in each web process.
WRONG_TOKENS_PER_ADDRESS = whole("WRONG_TOKENS_PER_ADDRESS", 20)
SOCKETS_PER_CALLER = whole("SOCKETS_PER_CALLER", 50)

# Open TCP connections from one address (IPv6: from one /64), in each web process. With TRUST_PROXY
# all come from the proxy, which limits them.
CONNECTIONS_PER_ADDRESS = whole("CONNECTIONS_PER_ADDRESS", 200)
# Seconds, after which a client is dropped. "request": from the connection, or the first byte of a
# request on one that stays, to the request's last byte. "idle": nothing has come after an answer.
# "read": it has taken nothing of what waits for it.
CLIENT_DEADLINES = {"request": 20.0, "idle": 60.0, "read": 20.0}
# Requests that one process works on at a time, each in a thread; others wait for up to 10 s.
REQUEST_THREADS = whole("REQUEST_THREADS", 40)

# Seconds.
WRONG_TOKEN_WINDOW_SECONDS = positive("WRONG_TOKEN_WINDOW_SECONDS", 600)
RECONNECT_WAIT_SECONDS = positive("RECONNECT_WAIT_SECONDS", 5)
DISCONNECT_WAIT_SECONDS = positive("DISCONNECT_WAIT_SECONDS", 20)
LOGOUT_TIMEOUT_SECONDS = positive("LOGOUT_TIMEOUT_SECONDS", 8)
DIAL_TIMEOUT_SECONDS = positive("DIAL_TIMEOUT_SECONDS", 15)
# Six codes last 160 s; the rest is for an outage before them and for a scan at the last moment.
PAIRING_TIMEOUT_SECONDS = positive("PAIRING_TIMEOUT_SECONDS", 270)
# WhatsApp refuses this version of the software: how long until one client asks again.
OUTDATED_RETRY_SECONDS = positive("OUTDATED_RETRY_SECONDS", 300)
# WhatsApp refuses a saved login: how long until people are told that a new code may help.
LOGIN_REFUSED_LONG_SECONDS = positive("LOGIN_REFUSED_LONG_SECONDS", 180)

# What Prometheus has to show for /metrics; without it, that answers to this machine alone.
METRICS_TOKEN = long_enough("METRICS_TOKEN", 32)

# A line for people to read, or an object for programs that collect logs (docs/monitoring.md).
LOG_FORMAT = one_of("LOG_FORMAT", "line", ("line", "json"))
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
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO").upper()},
    "loggers": {
        # Its lines hold a request's path with its query: ours go through Django's own logger.
        "daphne.http_protocol": {"level": "WARNING"},
        "daphne.server": {"level": "WARNING"},
        # Three lines with the server's address for each try; ours say that it is unavailable.
        "psycopg.pool": {"level": "ERROR"},
        # Four lines for each login; wrong passwords are warnings.
        "axes": {"level": "WARNING"},
        # Django's own handlers would write lines a second time, as they were (with DEBUG).
        "django": {"handlers": [], "level": "INFO"},
    },
}
