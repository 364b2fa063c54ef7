"""All settings in one file. What differs between machines comes from the environment, through `environment`."""

from pathlib import Path
from typing import Any

from alphapulse_site import environment, logs, queues
from alphapulse_site.places import Places

BASE_DIR = Path(__file__).resolve().parent.parent
PROFILE = environment.choice("ALPHAPULSE_PROFILE", "embedded", ("embedded", "production"))
IS_EMBEDDED = PROFILE == "embedded"
DEBUG = False

# --- places -----------------------------------------------------------------------------------------------------------
PLACES = Places(environment.path("ALPHAPULSE_DATA", BASE_DIR / "var"))
ALPHAPULSE_RECORDING = environment.path(
    "ALPHAPULSE_RECORDING", BASE_DIR / "ingestion" / "recordings" / "2021-06-10_2021-07-10"
)
# What `up` wants free before it starts: the database of a month, its write-ahead log, and room to grow.
ALPHAPULSE_MINIMUM_DISK_MB = environment.whole_number("ALPHAPULSE_MINIMUM_DISK_MB", 2000, minimum=0, maximum=10**9)

# --- the scan ---------------------------------------------------------------------------------------------------------
ALPHAPULSE_SCAN_TIMEFRAME = environment.choice("ALPHAPULSE_SCAN_TIMEFRAME", "15m", ("1m", "5m", "15m", "1h", "4h"))
# Symbols a task looks at: enough for the message to cost little, few enough for several workers to share a close.
ALPHAPULSE_SCAN_CHUNK = environment.whole_number("ALPHAPULSE_SCAN_CHUNK", 50, minimum=1, maximum=300)
# Wall seconds after a minute's close after which few symbols without its candle are not waited for any longer: 8 in
# which the stream may bring it, 10 in which the exchange may answer over REST, 2 to spare. They are scanned later.
ALPHAPULSE_SCAN_DEADLINE = environment.number("ALPHAPULSE_SCAN_DEADLINE", 20.0, minimum=1.0, maximum=86_400.0)
# Fractions of price, a side: Binance's taker fee, and the distance to the price that was seen.
ALPHAPULSE_FEE = environment.number("ALPHAPULSE_FEE", 0.001, minimum=0.0, maximum=0.05)
ALPHAPULSE_SLIPPAGE = environment.number("ALPHAPULSE_SLIPPAGE", 0.0002, minimum=0.0, maximum=0.05)
# Wall seconds that a scan waits for last night's weights before it decides with the old ones.
ALPHAPULSE_WEIGHTS_DEADLINE = environment.whole_number("ALPHAPULSE_WEIGHTS_DEADLINE", 300, minimum=1, maximum=86_400)

# --- the exchange -----------------------------------------------------------------------------------------------------
# Binance; the local exchange in a data directory that follows a recording.
ALPHAPULSE_SPOT_URL = environment.web_url("ALPHAPULSE_SPOT_URL", PLACES.exchange_url("http", "https://api.binance.com"))
ALPHAPULSE_STREAM_URL = environment.web_url(
    "ALPHAPULSE_STREAM_URL", PLACES.exchange_url("ws", "wss://stream.binance.com:9443"), ("wss", "ws")
)
# Root of candle archives in the layout of data.binance.vision: a web address or a directory; `none` is nowhere.
ALPHAPULSE_ARCHIVE = environment.text(
    "ALPHAPULSE_ARCHIVE", f"{PLACES.exchange_url('http', 'https://data.binance.vision')}/data"
).removeprefix("none")
# A hole longer than this comes from the archive, where there is one.
ALPHAPULSE_ARCHIVE_AFTER_DAYS = environment.number("ALPHAPULSE_ARCHIVE_AFTER_DAYS", 3.0, minimum=0.0, maximum=3650.0)
# How much of the exchange's request weight a minute we spend; others may sit behind the same address.
ALPHAPULSE_WEIGHT_SHARE = environment.number("ALPHAPULSE_WEIGHT_SHARE", 0.8, minimum=0.01, maximum=1.0)

# --- feeds of the futures market --------------------------------------------------------------------------------------
# auto: on while the market follows the wall clock; of the years of a recording the exchange keeps no feeds.
ALPHAPULSE_FEEDS = environment.choice("ALPHAPULSE_FEEDS", "auto", ("auto", "on", "off"))
ALPHAPULSE_FUTURES_URL = environment.web_url("ALPHAPULSE_FUTURES_URL", "https://fapi.binance.com")
# A daily fear-and-greed index in the format of alternative.me's /fng/; empty is none.
ALPHAPULSE_FEAR_GREED_URL = environment.web_url("ALPHAPULSE_FEAR_GREED_URL", "")
ALPHAPULSE_EXCHANGE_TIMEOUT = environment.number("ALPHAPULSE_EXCHANGE_TIMEOUT", 10.0, minimum=0.1, maximum=60.0)
# A run, every five minutes. Binance allows 500 requests for funding and 1000 for statistics in that time.
ALPHAPULSE_FEED_REQUESTS = environment.whole_number("ALPHAPULSE_FEED_REQUESTS", 300, minimum=1, maximum=450)
# How far back a new series starts. Decisions look back 26 hours, and readings fetched late are seen by none before.
ALPHAPULSE_FEED_HISTORY_DAYS = environment.whole_number("ALPHAPULSE_FEED_HISTORY_DAYS", 2, minimum=2, maximum=365)

# --- the stream -------------------------------------------------------------------------------------------------------
# Wall seconds without a frame of the market after which a connection counts as dead.
ALPHAPULSE_STREAM_SILENCE = environment.number("ALPHAPULSE_STREAM_SILENCE", 30.0, minimum=0.5, maximum=600.0)
# Seconds of the market after a close in which a candle may still come before it is asked for over REST.
ALPHAPULSE_STREAM_CLOSE_OUT = environment.number("ALPHAPULSE_STREAM_CLOSE_OUT", 8.0, minimum=1.0, maximum=50.0)
ALPHAPULSE_STREAMS_A_CONNECTION = environment.whole_number(
    "ALPHAPULSE_STREAMS_A_CONNECTION", 1024, minimum=1, maximum=1024
)
# Binance cuts a connection after 24 hours; another one takes over before that.
ALPHAPULSE_STREAM_RENEW_HOURS = environment.number("ALPHAPULSE_STREAM_RENEW_HOURS", 23.0, minimum=0.0001, maximum=23.9)
# Candles that wait for the database, of some 300 bytes each, before reading stops.
ALPHAPULSE_STREAM_QUEUE = environment.whole_number("ALPHAPULSE_STREAM_QUEUE", 20_000, minimum=10, maximum=1_000_000)

# --- which symbols are scanned ----------------------------------------------------------------------------------------
# Those priced in this asset, of enough turnover in 24 hours (in that asset), and of them the ones with most.
ALPHAPULSE_QUOTE_ASSET = environment.text("ALPHAPULSE_QUOTE_ASSET", "USDT")
ALPHAPULSE_MINIMUM_QUOTE_VOLUME = environment.number(
    "ALPHAPULSE_MINIMUM_QUOTE_VOLUME", 5_000_000.0, minimum=0.0, maximum=1e15
)
ALPHAPULSE_TOP_SYMBOLS = environment.whole_number("ALPHAPULSE_TOP_SYMBOLS", 100, minimum=0, maximum=3000)
# Beside those of the rule, whatever their turnover (with 0 for the line above: these alone); and never, whatever it is.
ALPHAPULSE_SYMBOLS = environment.names("ALPHAPULSE_SYMBOLS", [])
ALPHAPULSE_EXCLUDED_SYMBOLS = environment.names("ALPHAPULSE_EXCLUDED_SYMBOLS", [])
# How far back a new symbol is fetched. A scan looks back 43 days at most: two blocks of 128 candles of 4h.
ALPHAPULSE_HISTORY_DAYS = environment.whole_number("ALPHAPULSE_HISTORY_DAYS", 60, minimum=1, maximum=4000)

# --- secrets and hosts ------------------------------------------------------------------------------------------------
SECRET_KEY = environment.kept_secret(PLACES.root / "secret_key") if IS_EMBEDDED else environment.secret("SECRET_KEY")
ALLOWED_HOSTS = environment.names("ALLOWED_HOSTS", ["127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS = environment.names("CSRF_TRUSTED_ORIGINS", [])
# The embedded profile listens on loopback only, so the README's curl lines may read without a token.
ALPHAPULSE_ANONYMOUS_READS = environment.flag("ALPHAPULSE_ANONYMOUS_READS", IS_EMBEDDED)
# How many answers a web process keeps until the records they are made of change; 0 computes each one anew.
ALPHAPULSE_KEPT_ANSWERS = environment.whole_number("ALPHAPULSE_KEPT_ANSWERS", 256, minimum=0, maximum=100_000)

# Where people find Flower, for the link on the page of jobs; empty is no link.
ALPHAPULSE_FLOWER_URL = environment.web_url("ALPHAPULSE_FLOWER_URL", "http://127.0.0.1:5555" if IS_EMBEDDED else "")

# --- Django -----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "alphapulse_site",
    "ingestion",
    "signals",
    "learning",
    "analytics",
    # Behind ours, whose templates stand before its own.
    "analytics.admin_app.AdminPages",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "alphapulse_site.urls"
WSGI_APPLICATION = "alphapulse_site.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LANGUAGE_CODE = "en"
USE_I18N = False
DATE_FORMAT, DATETIME_FORMAT = "Y-m-d", "Y-m-d H:i:s"
USE_TZ = True
TIME_ZONE = "UTC"

# --- database ---------------------------------------------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {
    "default": environment.database("DATABASE_URL", PLACES.database_url() if IS_EMBEDDED else None)
    | {
        "CONN_MAX_AGE": environment.whole_number("DATABASE_CONN_MAX_AGE", 60, minimum=0, maximum=3600),
        "CONN_HEALTH_CHECKS": True,
    }
}

# --- static files -----------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = environment.path("ALPHAPULSE_STATIC", PLACES.root / "static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Found straight in the apps where nobody has run collectstatic (embedded profile, tests).
WHITENOISE_USE_FINDERS = IS_EMBEDDED
if IS_EMBEDDED:
    # WhiteNoise warns of a directory that is missing, even of one it does not need.
    environment.directory(STATIC_ROOT)
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}

# --- security ---------------------------------------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
# Nothing from another host, nothing inline: a page can run and show only what we serve.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
LOGIN_URL = "dashboard:login"
LOGIN_REDIRECT_URL = "dashboard:overview"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
BEHIND_TLS = environment.flag("BEHIND_TLS", not IS_EMBEDDED)
SESSION_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_SSL_REDIRECT = BEHIND_TLS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = BEHIND_TLS
SECURE_HSTS_PRELOAD = BEHIND_TLS
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- HTTP API ---------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "analytics.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["analytics.api.permissions.ReaderOrOperator"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "analytics.api.negotiation.ByParameterOrHeader",
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "analytics.api.errors.problem_response",
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
    "DEFAULT_THROTTLE_CLASSES": ["analytics.api.throttles.ByMinute"],
    # Whose address counts: behind TLS that of the proxy's client, else the one that connects.
    "NUM_PROXIES": 1 if BEHIND_TLS else 0,
}
# Requests a minute: of an address without a name, of a token or session that reads, of one that writes. 0: no limit.
ALPHAPULSE_RATES = {
    "anonymous": environment.whole_number("ALPHAPULSE_ANONYMOUS_RATE", 3000, minimum=0, maximum=10**6),
    "read": environment.whole_number("ALPHAPULSE_READ_RATE", 3000, minimum=0, maximum=10**6),
    "write": environment.whole_number("ALPHAPULSE_WRITE_RATE", 60, minimum=0, maximum=10**6),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "AlphaPulse",
    "DESCRIPTION": "Signals, shadows, their outcomes and what was learned from them.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": f"/{STATIC_URL}dashboard/favicon.svg",
    "OAS_VERSION": "3.1.1",
    "SERVERS": [{"url": "/", "description": "this server"}],
    "TAGS": [
        {"name": "decisions", "description": "Scans, signals, shadows and paper positions."},
        {"name": "learning", "description": "How signals, heads, gates and the learner did; the learner's jobs."},
        {"name": "versions", "description": "What was learned, version by version, and what a person may do to it."},
        {"name": "market", "description": "Candles, gaps and symbols as they are stored."},
        {"name": "reports", "description": "A day or a week in one answer."},
        {"name": "operations", "description": "What runs, what failed, and whether all is well."},
    ],
    "SERVE_PERMISSIONS": ["analytics.api.permissions.ReaderOrOperator"],
    "PREPROCESSING_HOOKS": ["analytics.api.schema.without_second_spellings"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "analytics.api.schema.told_as_it_is",
    ],
    "ENUM_NAME_OVERRIDES": {
        "JobStatus": "analytics.api.serializers.operations.JOB_STATUSES",
        "Outcome": "analytics.api.serializers.decisions.OUTCOMES",
        "StateType": "learning.models.STATE_TYPES",
        "VersionStatus": "learning.models.LearningState.STATUSES",
        "GapStatus": "ingestion.models.CandleGap.Status",
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

# --- notifications ----------------------------------------------------------------------------------------------------
# Where the pages are for whoever gets a message; empty leaves the links out.
OWN_URL = f"http://127.0.0.1:{environment.whole_number('PORT', 8000, minimum=1, maximum=65_535)}"
ALPHAPULSE_PUBLIC_URL = environment.web_url("ALPHAPULSE_PUBLIC_URL", OWN_URL if IS_EMBEDDED else "")
ALPHAPULSE_TELEGRAM_URL = environment.web_url("ALPHAPULSE_TELEGRAM_URL", "https://api.telegram.org")
# Tokens and secrets by the name of their variable, which is all that a channel knows of them.
ALPHAPULSE_CHANNEL_SECRETS = environment.secrets_named("ALPHAPULSE_CHANNEL_")
# Whether a webhook may lead into our own network.
ALPHAPULSE_WEBHOOK_PRIVATE = environment.flag("ALPHAPULSE_WEBHOOK_PRIVATE", IS_EMBEDDED)
EMAIL_HOST = environment.text("EMAIL_HOST", "localhost")
EMAIL_PORT = environment.whole_number("EMAIL_PORT", 25, minimum=1, maximum=65_535)
EMAIL_HOST_USER = environment.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = environment.secrets_named("EMAIL_HOST_PASSWORD").get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = environment.flag("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = environment.flag("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", "alphapulse@localhost")

# --- Celery (reasons: operations notes in DECISIONS.md) ---------------------------------------------------------------
# RabbitMQ instead of Redis where ALPHAPULSE_BROKER_URL names one; then REDIS_URL may be left out.
ON_RABBITMQ = environment.rabbitmq_is_chosen()
REDIS_URL = environment.redis("REDIS_URL", "" if ON_RABBITMQ else PLACES.broker_url if IS_EMBEDDED else None)
REDIS_KEY_PREFIX = environment.text("REDIS_KEY_PREFIX", "alphapulse:")
CELERY_BROKER_URL = environment.broker("ALPHAPULSE_BROKER_URL", REDIS_URL)
# Seconds after which a task's process is killed. RabbitMQ takes a message back after half an hour.
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_SOFT_TIME_LIMIT = 540
CELERY_BROKER_TRANSPORT_OPTIONS = queues.transport_options(
    rabbitmq=ON_RABBITMQ, visibility_timeout=CELERY_TASK_TIME_LIMIT * 3 // 2, prefix=REDIS_KEY_PREFIX
)
# Seconds; a RabbitMQ connection that is silent for two of them is dead.
CELERY_BROKER_HEARTBEAT = 20
# Counts of requests lie in Redis, where all web processes see them. A cache that does not answer at once is done
# without; where there is no Redis each process counts for itself.
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    if not REDIS_URL
    else {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": environment.cache_url(REDIS_URL),
        "KEY_PREFIX": f"{REDIS_KEY_PREFIX}cache",
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    }
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_RETRY_ON_WORKER_LOST = True
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.4, "interval_max": 1.0}
CELERY_TASK_SEND_SENT_EVENT = True
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Quorum queues know no prefetch count for a whole connection; with this each consumer gets its own.
CELERY_WORKER_DETECT_QUORUM_QUEUES = True
# On Redis a cancelled task would wait for the visibility timeout.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 600_000
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_MAX_LOOP_INTERVAL = 10
# In memory: no file to corrupt, and nothing to remember, since missed work is found from PostgreSQL. A second beat
# stands by.
CELERY_BEAT_SCHEDULER = "alphapulse_site.beat:LeasedScheduler"
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True

# --- logging: to standard error, for whoever collects it -------------------------------------------------------------
# Lines for people, or one JSON object each.
ALPHAPULSE_LOG = environment.choice("ALPHAPULSE_LOG", logs.LINE if IS_EMBEDDED else logs.JSON, (logs.LINE, logs.JSON))
LOGGING = logs.configuration(
    ALPHAPULSE_LOG, environment.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
)
