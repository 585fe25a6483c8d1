"""Settings of the registry. What differs between machines comes from the environment: see .env.example.

``REGISTRY_MODE=embedded`` (the default) runs everything on this machine, on loopback, with servers and a secret
of its own under ``var/``. ``REGISTRY_MODE=production`` refuses to start until it is told its secret, hosts and servers.
"""

from datetime import timedelta
from pathlib import Path

import bootstrap
import pghistory
from celery.schedules import crontab
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.utils.translation import gettext_lazy

from prrt_registry import env
from prrt_registry.embedded import broker

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("REGISTRY_VAR", str(BASE_DIR / "var"))).resolve()

REGISTRY_MODE = env.text("REGISTRY_MODE", "embedded")
if REGISTRY_MODE not in {"embedded", "production"}:
    raise ImproperlyConfigured(f"REGISTRY_MODE must be embedded or production, not {REGISTRY_MODE!r}.")
IN_PRODUCTION = REGISTRY_MODE == "production"
if IN_PRODUCTION:
    env.require(
        {
            "SECRET_KEY": "a long random text",
            "ALLOWED_HOSTS": "the host names it is reached by",
            "DATABASE_URL": "postgresql://…",
            "CELERY_BROKER_URL": "redis://…",
        }
    )

DEBUG = False
SECRET_KEY = env.text("SECRET_KEY") or env.kept_secret(VAR_DIR / "secret-key")
# A text of a few characters over and over is long and yet no secret.
if IN_PRODUCTION and (
    len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) <= 5 or SECRET_KEY.startswith("change-me")
):
    raise ImproperlyConfigured("SECRET_KEY must be at least 50 random characters. See .env.example.")
if IN_PRODUCTION:
    ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS")
else:
    ALLOWED_HOSTS = env.words("ALLOWED_HOSTS") or ["127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

# Every page of the demo says that its patients are synthetic.
SYNTHETIC_DATA_BANNER = env.flag("SYNTHETIC_DATA_BANNER", default=not IN_PRODUCTION)

# Who may see results but not records is not told numbers of patients below this one, other than 0.
SMALL_CELL = env.whole_number("SMALL_CELL", default=5)

INSTALLED_APPS = [
    "languages",  # first: names are in the reader's language before the admin makes its pages of them
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "accounts.admin_app.CorrectionDeskConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "axes",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "knox",
    "pghistory",
    "pgtrigger",
    "rest_framework",
    "accounts",
    "patients",
    "treatments",
    "imaging",
    "analytics",
    "exchange",
    "clinic",
    "prrt_registry",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "prrt_registry.compressing.PagesGZipMiddleware",
    "csp.middleware.CSPMiddleware",
    "prrt_registry.admin_csp.AdminContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "languages.middleware.LanguageMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.ChangeContextMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "prrt_registry.urls"
WSGI_APPLICATION = "prrt_registry.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "prrt_registry" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.i18n",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "prrt_registry.context_processors.registry",
            ]
        },
    }
]

if env.text("DATABASE_URL"):
    DATABASES = {"default": env.database(env.text("DATABASE_URL"))}
else:
    DATABASES = {
        "default": {
            "ENGINE": "prrt_registry.embedded.backend",
            "NAME": "registry",
            "EMBEDDED_VAR": str(VAR_DIR),
            "EMBEDDED_FSYNC": True,
        }
    }
# Opening a connection costs more than most pages; a dead one is noticed before it is used.
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Accounts

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 15}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_ADAPTER = "accounts.adapter.ClosedAccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # nobody is written to who has no account
ACCOUNT_RATE_LIMITS = {"login_failed": False}  # django-axes locks out, with a record of every try
MFA_TOTP_ISSUER = "PRRT registry"

AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = timedelta(minutes=15)
# User and address together: nobody can lock a colleague out from another desk.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ACCESS_FAILURE_LOG = True  # shown to the person and to administrators; removed after 90 days
AXES_LOCKOUT_CALLABLE = "accounts.lockout.locked_out"
AXES_ENABLE_ADMIN = False
AXES_CLIENT_IP_CALLABLE = "accounts.lockout.client_address"
TRUSTED_PROXIES = env.whole_number("TRUSTED_PROXIES", default=1 if IN_PRODUCTION else 0)

PASSWORD_RESET_TIMEOUT = 24 * 60 * 60  # of a link that an administrator made, in seconds
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

# Transport. Behind a proxy that ends TLS, which must set X-Forwarded-Proto itself.
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if IN_PRODUCTION:
    SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^health/"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env.whole_number("SECURE_HSTS_SECONDS", default=365 * 24 * 60 * 60)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# The admin's theme evaluates its own attributes; only pages under /admin/ get this (prrt_registry.admin_csp).
ADMIN_CONTENT_SECURITY_POLICY = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}

# E-mail: to who asks for the weekly list of what is due (clinic.services.reminders). Without a server it goes to the log.

SITE_URL = env.text("SITE_URL").rstrip("/")
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
EMAIL_PORT = env.whole_number("EMAIL_PORT", default=587)
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=True)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "prrt-registry@localhost")
if SITE_URL and not SITE_URL.startswith(("https://", "http://")):
    raise ImproperlyConfigured("SITE_URL must begin with https:// or http://.")

# Language and time: facts have dates of their centre; the clock is kept in UTC.

LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]
# The registry's own words go before those that Django and the admin's theme bring.
LOCALE_PATHS = [
    BASE_DIR / app / "locale"
    for app in (
        "clinic",
        "exchange",
        "analytics",
        "imaging",
        "treatments",
        "patients",
        "accounts",
        "prrt_registry",
        "languages",
    )
]
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
LANGUAGE_COOKIE_SECURE = IN_PRODUCTION
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["prrt_registry.formats"]

# Files

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
(VAR_DIR / "static-build").mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [
    ("bootstrap", Path(bootstrap.__path__[0])),
    VAR_DIR / "static-build",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "prrt_registry.storage.RegistryStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
FILE_UPLOAD_HANDLERS = ["prrt_registry.uploads.SmallUploadHandler"]
# A PET and its CT are thousands of files. One more than imaging.dicom.files takes, so that it is the one to refuse.
DATA_UPLOAD_MAX_NUMBER_FILES = 10_001

# DICOM: a PACS to fetch studies from (blank: none), and a viewer to open them in (docs/dicom.md).

DICOMWEB_URL = env.text("DICOMWEB_URL")
DICOMWEB_USER = env.text("DICOMWEB_USER")
DICOMWEB_PASSWORD = env.text("DICOMWEB_PASSWORD")
DICOMWEB_TOKEN = env.text("DICOMWEB_TOKEN")
DICOMWEB_TIMEOUT_SECONDS = env.whole_number("DICOMWEB_TIMEOUT_SECONDS", default=40)
DICOM_VIEWER_URL = env.text("DICOM_VIEWER_URL")
for name, address in {"DICOMWEB_URL": DICOMWEB_URL, "DICOM_VIEWER_URL": DICOM_VIEWER_URL}.items():
    if address and not address.startswith(("https://", "http://")):
        raise ImproperlyConfigured(f"{name} must begin with https:// or http://.")
if DICOM_VIEWER_URL and "{study_instance_uid}" not in DICOM_VIEWER_URL:
    raise ImproperlyConfigured("DICOM_VIEWER_URL must hold {study_instance_uid}, where the study's UID goes.")

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# History: every change of a clinical record, with who and why beside each (accounts.history).

PGHISTORY_APPEND_ONLY = True
PGHISTORY_CONTEXT_FIELD = pghistory.ContextJSONField()
PGHISTORY_CONTEXT_ID_FIELD = pghistory.ContextUUIDField()
PGHISTORY_ADMIN_ALL_EVENTS = False

# Tasks. A broker that is down delays a dashboard and never fails a save: analytics.freshness.

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL") or broker.broker_url(VAR_DIR)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker as long as it takes
# Whoever saves a record tries once and goes on: without these, kombu tries for six seconds. Workers are not bound by them.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1,
    "socket_timeout": 2,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "sweep-what-is-stale": {
        "task": "analytics.tasks.sweep",
        "schedule": timedelta(seconds=env.whole_number("SWEEP_SECONDS", default=10)),
        "options": {"expires": 10},
    },
    "sweep-imports": {
        "task": "exchange.tasks.sweep_imports",
        "schedule": timedelta(seconds=env.whole_number("SWEEP_SECONDS", default=10)),
        "options": {"expires": 10},
    },
    "reconcile-tallies": {
        "task": "analytics.tasks.reconcile",
        "schedule": crontab(hour=2, minute=30),  # UTC
        "options": {"expires": 6 * 3600},
    },
    # Every hour of Monday: who was missed by a mail server that was away is reached by the next.
    "weekly-digests": {
        "task": "clinic.tasks.send_digests",
        "schedule": crontab(day_of_week="mon", hour="5-20", minute=10),  # UTC
        "options": {"expires": 1800},
    },
    "tidy-forms": {"task": "clinic.tasks.tidy_forms", "schedule": timedelta(hours=6)},
    "query-data": {
        "task": "analytics.tasks.query_data",
        "schedule": crontab(minute=10),  # hourly: days begin at centres all round the clock
        "options": {"expires": 3600},
    },
    "tidy-accounts": {"task": "accounts.tasks.tidy", "schedule": timedelta(hours=6)},
}

# REST API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.rest.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["accounts.rest.renderers.FastJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["accounts.rest.parsers.StrictJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["accounts.rest.filters.StrictFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "accounts.rest.pagination.KeysetPagination",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": env.text("API_THROTTLE", "1200/min")},
    "DEFAULT_SCHEMA_CLASS": "accounts.rest.schema.RegistryAutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "accounts.rest.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    # Decimals travel as texts: a binary float would not be what was measured.
    "COERCE_DECIMAL_TO_STRING": True,
}
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=90),
    "TOKEN_LIMIT_PER_USER": 20,
    "AUTH_HEADER_PREFIX": "Token",
    "SECURE_HASH_ALGORITHM": "hashlib.sha512",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "PRRT registry",
    "DESCRIPTION": "Patients, 177Lu-DOTATATE cycles, imaging timepoints, discontinuations and their outcomes.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_NAME_OVERRIDES": {
        "DiscontinuationReasonEnum": "treatments.models.DiscontinuationReason",
        "CourseStateEnum": "treatments.api.courses.STATES",
        "CycleStatusEnum": "treatments.models.CycleStatus",
        "LabAnalyteEnum": "treatments.models.LabAnalyte",
        "DoseMethodEnum": "treatments.models.DoseMethod",
        "ContactSourceEnum": "patients.models.ContactSource",
        "DoseOrganEnum": "treatments.models.Organ",
        "LesionOrganEnum": "imaging.models.LesionOrgan",
        "LesionRoleEnum": "imaging.models.Role",
        "LesionStateEnum": "imaging.models.LesionState",
        "EcogEnum": "patients.models.Ecog",
        "DiseaseEventKindEnum": "patients.models.DiseaseEventKind",
        "PriorTherapyKindEnum": "patients.models.PriorTherapyKind",
        "PriorTherapiesEnum": "analytics.cohorts.PRIOR_THERAPIES",
        # One list each, of a record's field and of a cohort's filter.
        "FunctionalSyndromeEnum": "patients.models.FunctionalSyndrome",
        "IntentEnum": "treatments.models.Intent",
        "PrimarySiteEnum": "patients.models.PrimarySite",
        "SexEnum": "patients.models.Sex",
        "TumourTypeEnum": "patients.models.TumourType",
        "WhoGradeEnum": "patients.models.WhoGrade",
        "OverallResponseEnum": "imaging.models.OverallResponse",
        "ReaderRoleEnum": "imaging.models.ReaderRole",
        "ReadingRoleEnum": "imaging.models.ReadingRole",
        "SstrResponseEnum": "imaging.models.SstrResponse",
        "TimepointEnum": "imaging.models.Timepoint",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

UNFOLD = {
    "SITE_TITLE": gettext_lazy("PRRT registry"),
    "SITE_HEADER": gettext_lazy("PRRT registry"),
    "SITE_SUBHEADER": gettext_lazy("Correction desk"),
    "SHOW_HISTORY": True,
    "SITE_URL": "/",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("clinic/mark.svg")}
    ],
    "ENVIRONMENT": "prrt_registry.context_processors.desk_environment",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {"axes": {"level": "WARNING"}},
}
