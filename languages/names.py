"""The names of models and of their fields in the language of who reads them, without a migration for each."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


def translate_names(app: AppConfig) -> None:
    """Let the names that Django makes out of Python's (``course_number``: course number) be looked up when they are read.

    Names that a model gives itself are translated where they stand. The app marks the others for its catalogue.
    """
    for model in app.get_models():
        options = model._meta
        given = options.original_attrs
        if "verbose_name_plural" not in given:
            options.verbose_name_plural = gettext_lazy(str(options.verbose_name_plural))
        if "verbose_name" not in given:
            options.verbose_name = gettext_lazy(str(options.verbose_name))
        for field in options.local_fields:
            if field._verbose_name is None:  # type: ignore[attr-defined]
                field.verbose_name = gettext_lazy(str(field.verbose_name))
