"""Production refuses to start half configured, and says everything that is missing at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from prrt_registry import env

ROOT = Path(__file__).parents[2]
REQUIRED = ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "CELERY_BROKER_URL")
COMPLETE = {
    "REGISTRY_MODE": "production",
    "SECRET_KEY": "q7Zr-2nB" * 8,
    "ALLOWED_HOSTS": "registry.example.org",
    "DATABASE_URL": "postgresql://registry:secret@127.0.0.1:1/registry",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
}
PRINT_SETTINGS = "from django.conf import settings; settings.DEBUG; print({})"


def load_settings(var: Path, environment: dict[str, str], shown: str = "'loaded'") -> tuple[int, str]:
    """Load the settings in a process of its own that has this environment alone; return its code and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", PRINT_SETTINGS.format(shown)],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "prrt_registry.settings",
            "REGISTRY_VAR": str(var),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_production_without_anything_names_everything_that_is_missing(tmp_path):
    code, said = load_settings(tmp_path, {"REGISTRY_MODE": "production"})

    assert code != 0
    message = said.strip().splitlines()[-1]
    assert "ImproperlyConfigured" in message
    assert all(name in message for name in REQUIRED)


def test_production_that_is_told_everything_starts_and_keeps_no_secret_on_disk(tmp_path):
    code, said = load_settings(tmp_path, COMPLETE, "settings.ALLOWED_HOSTS, settings.DEBUG")

    assert (code, said.strip()) == (0, "['registry.example.org'] False")
    assert not (tmp_path / "secret-key").exists()


@pytest.mark.parametrize("name", REQUIRED)
def test_production_names_the_one_that_is_missing_and_no_other(tmp_path, name):
    code, said = load_settings(tmp_path, COMPLETE | {name: "  "})

    message = said.strip().splitlines()[-1]
    assert code != 0
    assert [each for each in REQUIRED if f"{each} (" in message] == [name]


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("SECRET_KEY", "x" * 49, "SECRET_KEY must be at least 50 random characters"),
        ("SECRET_KEY", "a" * 60, "SECRET_KEY must be at least 50 random characters"),
        ("SECRET_KEY", "abcde" * 12, "SECRET_KEY must be at least 50 random characters"),
        ("ALLOWED_HOSTS", " , ", "ALLOWED_HOSTS must name the hosts it is reached by, not ','"),
        ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS must name the hosts it is reached by: '*' is none"),
        (
            "ALLOWED_HOSTS",
            "registry.example.org, *",
            "ALLOWED_HOSTS must name the hosts it is reached by: '*' is none",
        ),
        ("SECRET_KEY", "change-me" * 8, "SECRET_KEY must be at least 50 random characters"),
        ("DATABASE_URL", "sqlite:///registry.db", "DATABASE_URL must start with postgresql://"),
        ("DATABASE_URL", "postgresql://db", "DATABASE_URL must end with the name of a database"),
        ("REGISTRY_MODE", "prod", "REGISTRY_MODE must be embedded or production, not 'prod'"),
        ("SECURE_SSL_REDIRECT", "maybe", "SECURE_SSL_REDIRECT must be yes or no, not 'maybe'"),
        ("SECURE_HSTS_SECONDS", "-1", "SECURE_HSTS_SECONDS must be a whole number, not '-1'"),
        ("DICOMWEB_URL", "pacs.example.org", "DICOMWEB_URL must begin with https:// or http://"),
        ("DICOM_VIEWER_URL", "javascript:alert(1)", "DICOM_VIEWER_URL must begin with https:// or http://"),
        ("DICOM_VIEWER_URL", "https://viewer", "DICOM_VIEWER_URL must hold {study_instance_uid}"),
    ],
)
def test_a_value_that_cannot_be_used_stops_the_start_with_its_name(tmp_path, name, value, complaint):
    code, said = load_settings(tmp_path, COMPLETE | {name: value})

    assert code != 0
    assert complaint in said.strip().splitlines()[-1]


def test_a_secret_key_of_50_characters_is_long_enough(tmp_path):
    assert load_settings(tmp_path, COMPLETE | {"SECRET_KEY": "abcdef" + "x" * 44})[0] == 0


def test_production_has_no_demo_banner_and_the_demo_has_one(tmp_path):
    production = load_settings(tmp_path, COMPLETE, "settings.SYNTHETIC_DATA_BANNER")
    demo = load_settings(tmp_path, {}, "settings.SYNTHETIC_DATA_BANNER")

    assert (production[1].strip(), demo[1].strip()) == ("False", "True")


def test_the_demo_makes_itself_a_secret_that_only_its_owner_reads_and_keeps_it(tmp_path):
    first = load_settings(tmp_path, {}, "settings.SECRET_KEY")[1]
    second = load_settings(tmp_path, {}, "settings.SECRET_KEY")[1]

    assert len(first.strip()) >= 50
    assert second == first
    assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p%40ss@db:5433/registry", ("registry", "u", "p@ss", "db", "5433", {})),
        ("postgres://u@db/registry", ("registry", "u", "", "db", "", {})),
        ("postgresql://u@:5433/registry?host=/run/pg", ("registry", "u", "", "/run/pg", "5433", {})),
        (
            "postgresql://u:p@db/registry?sslmode=verify-full",
            ("registry", "u", "p", "db", "", {"sslmode": "verify-full"}),
        ),
    ],
)
def test_a_database_address_is_read_whole(url, expected):
    found = env.database(url)

    assert tuple(found[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")) == expected


@pytest.mark.parametrize(
    "url", ["postgresql://u:geheim/x@db/registry", "postgresql://u:geheim[x@db/registry"]
)
def test_an_address_that_cannot_be_read_is_refused_without_showing_its_password(url):
    with pytest.raises(ImproperlyConfigured, match="percent-encode") as refused:
        env.database(url)

    assert "geheim" not in str(refused.value)
    assert refused.value.__suppress_context__
