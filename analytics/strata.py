"""The strata a cohort can be divided into: their codes in the order people read them, and their names."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics.models import Strata
from analytics.tallies import UNKNOWN_STRATUM
from languages.wording import keeps_capitals
from patients.models import PrimarySite, Sex, TumourType, WhoGrade
from treatments.models import Intent

_NAMES: dict[str, Mapping[str, Any]] = {
    Strata.SEX: dict(Sex.choices),
    Strata.AGE: {"below_65": gettext_lazy("below 65 years"), "from_65": gettext_lazy("65 years and over")},
    Strata.TUMOUR_TYPE: dict(TumourType.choices),
    Strata.PRIMARY_SITE: dict(PrimarySite.choices),
    Strata.WHO_GRADE: dict(WhoGrade.choices),
    Strata.KI67: {
        "below_3": gettext_lazy("Ki-67 below 3 %"),
        "3_to_20": gettext_lazy("Ki-67 3 to 20 %"),
        "above_20": gettext_lazy("Ki-67 above 20 %"),
    },
    Strata.FUNCTIONAL: {"none": gettext_lazy("Non-functional"), "functional": gettext_lazy("Functional")},
    Strata.ECOG: {"0": "ECOG 0", "1": "ECOG 1", "from_2": gettext_lazy("ECOG 2 and over")},
    Strata.PRIOR_PRRT: {"without": gettext_lazy("No earlier PRRT"), "with": gettext_lazy("Earlier PRRT")},
    Strata.INTENT: dict(Intent.choices),
    Strata.KRENNING: {str(score): f"Krenning {score}" for score in range(5)},
    Strata.STATUS: {
        "completed": gettext_lazy("Completed"),
        "discontinued": gettext_lazy("Discontinued"),
        "ongoing": gettext_lazy("Ongoing"),
    },
}


def title_of(by: str) -> str:
    return str(Strata(by).label)


def within_sentence(title: str) -> str:
    """Return a title as it stands within a sentence: abbreviations and names stay as they are (WHO grade, Ki-67)."""
    if keeps_capitals():
        return title
    first = title.split(" ")[0]
    is_word = first[1:].islower() and first != "Krenning" and not any(sign.isdigit() for sign in first)
    return title[:1].lower() + title[1:] if is_word else title


def name_of(by: str, code: str) -> str:
    """Return the stratum's name for people; centres and protocols are called by their codes."""
    if code == UNKNOWN_STRATUM:
        return str(_NAMES.get(by, {}).get(code, _("Not known")))
    return str(_NAMES.get(by, {}).get(code, code))


def in_order(by: str, codes: Iterable[str]) -> list[str]:
    """Return the codes as people read them; what is not known comes last."""
    order = {code: place for place, code in enumerate(_NAMES.get(by, {}))}
    return sorted(codes, key=lambda code: (code == UNKNOWN_STRATUM, order.get(code, len(order)), code))
