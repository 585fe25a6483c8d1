from django.apps import AppConfig
from django.utils.translation import gettext_noop

from languages.names import translate_names

# What Django makes out of the names of models and fields.
NAMES = [
    gettext_noop("study"),
    gettext_noop("id"),
    gettext_noop("version"),
    gettext_noop("created at"),
    gettext_noop("voided at"),
    gettext_noop("void reason"),
    gettext_noop("patient"),
    gettext_noop("course number"),
    gettext_noop("timepoint"),
    gettext_noop("modality"),
    gettext_noop("performed on"),
    gettext_noop("tracer"),
    gettext_noop("lesion"),
    gettext_noop("lesions"),
    gettext_noop("label"),
    gettext_noop("role"),
    gettext_noop("organ"),
    gettext_noop("site"),
    gettext_noop("selection reason"),
    gettext_noop("measurement"),
    gettext_noop("measurements"),
    gettext_noop("state"),
    gettext_noop("merged into"),
    gettext_noop("note"),
    gettext_noop("reading"),
    gettext_noop("readings"),
    gettext_noop("reader"),
    gettext_noop("status"),
    gettext_noop("signed at"),
    gettext_noop("overall response"),
    gettext_noop("derived response"),
    gettext_noop("derived reason"),
    gettext_noop("target response"),
    gettext_noop("non target response"),
    gettext_noop("sum of diameters mm"),
    gettext_noop("sstr response"),
]


class ImagingConfig(AppConfig):
    name = "imaging"

    def ready(self) -> None:
        translate_names(self)
