"""Who speaks for plain Python."""

from django.apps import AppConfig
from django.utils import formats, translation

from languages import wording


class LanguagesConfig(AppConfig):
    name = "languages"

    def ready(self) -> None:
        wording.speak_with(
            gettext=translation.gettext,
            ngettext=translation.ngettext,
            pgettext=translation.pgettext,
            number=formats.number_format,
            day=formats.date_format,
        )
