"""Tables and columns are called in the reader's language, also where Django makes their names of the models' words."""

import pytest
from django.apps import apps
from django.utils import translation

from accounts.models import Membership
from languages.apps import OWN_APPS
from languages.calling import called
from languages.names import NAMES
from patients.models import Contact


def names_that_no_model_spells_out() -> set[str]:
    names = set()
    for app in OWN_APPS:
        config = apps.get_app_config(app)
        names.add(config.verbose_name)
        for model in config.get_models():
            if hasattr(model, "pgh_tracked_model"):  # a history: called as what it tracks
                continue
            options = model._meta
            for which in ("verbose_name", "verbose_name_plural"):
                if which not in options.original_attrs:
                    names.add(getattr(options, which))
            for field in options.get_fields():
                if hasattr(field, "verbose_name") and field._verbose_name is None:
                    names.add(field.verbose_name)
    with translation.override("en-gb"):
        return {str(name) for name in names}


def test_every_name_is_listed_for_the_catalogue():
    with translation.override("en-gb"):
        listed = {str(name) for name in NAMES}
    assert listed == names_that_no_model_spells_out()


def test_every_name_has_its_german():
    with translation.override("en-gb"):
        names = [str(name) for name in NAMES]
    with translation.override("de"):
        alike = {name for name in names if called(name) == name}
    assert not alike


@pytest.mark.parametrize(
    ("language", "column", "table"),
    [
        ("en-gb", "known alive on", "contact"),
        ("de", "am Leben bekannt am", "Kontakt"),
        (None, "known alive on", "contact"),
    ],
)
def test_a_name_follows_the_language(language, column, table):
    with translation.override(language):
        assert str(Contact._meta.get_field("known_alive_on").verbose_name) == column
        assert str(Contact._meta.verbose_name) == table
        assert str(Membership._meta.verbose_name_plural) == (
            "Rollen an Zentren" if language == "de" else "memberships"
        )
