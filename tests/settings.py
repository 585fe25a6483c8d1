"""Settings of the tests: the real ones, with what would slow a test or leave the machine switched off."""

import os
from pathlib import Path

# The tests' servers and files lie beside the demo's, never in them.
os.environ.setdefault("REGISTRY_VAR", str(Path(__file__).resolve().parent.parent / "var" / "test"))

from prrt_registry.settings import *  # noqa: F403

# A lost test database is no loss; a real server (DATABASE_URL) decides for itself.
DATABASES["default"] |= {"CONN_MAX_AGE": 0}  # noqa: F405
if "EMBEDDED_VAR" in DATABASES["default"]:  # noqa: F405
    DATABASES["default"]["EMBEDDED_FSYNC"] = False  # noqa: F405

# Hashing slowly is for passwords that matter.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Files under their own names, straight from the apps: nothing needs collecting first.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
WHITENOISE_USE_FINDERS = True
AXES_ENABLED = False
