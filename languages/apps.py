"""Who speaks for plain Python, and the names of tables and columns in the language of who reads them."""

from datetime import date
from typing import Any

from django.apps import AppConfig, apps
from django.utils import formats, translation

from languages import wording
from languages.calling import lazily_called

OWN_APPS = ("accounts", "patients", "treatments", "imaging", "analytics", "exchange", "clinic")


class LanguagesConfig(AppConfig):
    name = "languages"

    def ready(self) -> None:
        wording.speak_with(
            gettext=translation.gettext,
            ngettext=translation.ngettext,
            pgettext=translation.pgettext,
            number=formats.number_format,
            day=_day,
        )
        translate_names()


def _day(on: date) -> str:
    # Without a language (migrations are made and run so) Django would write "Jan. 1, 1890".
    return formats.date_format(on) if translation.get_language() else f"{on:%Y-%m-%d}"


def translate_names() -> None:
    """Let apps, tables and columns be called in the reader's language.

    Django makes the names that a model does not spell out (``performed_on`` is "performed on"), in English and at import
    time. Migrations are not touched: they hold what the models spell out. The names stand in ``languages.names``.
    """
    for app in OWN_APPS:
        config = apps.get_app_config(app)
        config.verbose_name = _name(config.verbose_name)
        for model in config.get_models():
            options = model._meta
            options.verbose_name = _name(options.verbose_name)
            if "verbose_name_plural" not in options.original_attrs:  # made by adding an s
                with translation.override(None):
                    options.verbose_name_plural = str(options.verbose_name_plural)
            options.verbose_name_plural = _name(options.verbose_name_plural)
            for field in options.get_fields():
                if hasattr(field, "verbose_name"):
                    field.verbose_name = _name(field.verbose_name)


def _name(words: Any) -> Any:
    return lazily_called(words) if isinstance(words, str) and words else words
