from django.apps import AppConfig
from django.utils.translation import gettext_noop

from languages.names import translate_names

# What Django makes out of the names of models and fields.
NAMES = [
    gettext_noop("patient"),
    gettext_noop("patients"),
    gettext_noop("id"),
    gettext_noop("version"),
    gettext_noop("created at"),
    gettext_noop("voided at"),
    gettext_noop("void reason"),
    gettext_noop("centre"),
    gettext_noop("registry number"),
    gettext_noop("sex"),
    gettext_noop("birth date"),
    gettext_noop("family name"),
    gettext_noop("given names"),
    gettext_noop("diagnosis"),
    gettext_noop("tumour type"),
    gettext_noop("primary site"),
    gettext_noop("diagnosed on"),
    gettext_noop("functional syndrome"),
    gettext_noop("stage"),
    gettext_noop("metastatic sites"),
    gettext_noop("assessed on"),
    gettext_noop("note"),
    gettext_noop("kind"),
    gettext_noop("agent"),
    gettext_noop("started on"),
    gettext_noop("ended on"),
    gettext_noop("contact"),
    gettext_noop("contacts"),
    gettext_noop("known alive on"),
    gettext_noop("source"),
    gettext_noop("disease event"),
    gettext_noop("disease events"),
    gettext_noop("occurred on"),
    gettext_noop("death"),
    gettext_noop("deaths"),
    gettext_noop("died on"),
    gettext_noop("cause"),
]


class PatientsConfig(AppConfig):
    name = "patients"

    def ready(self) -> None:
        translate_names(self)
