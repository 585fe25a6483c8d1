"""What stands in a result, told again in the reader's language: its words are stored in English, whoever looked first."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from analytics import strata
from analytics.rules.endpoints import EndpointDefinition
from analytics.rules.sentences import NOTES, REFUSALS, TESTS
from imaging.models import SstrResponse
from patients.models import FunctionalSyndrome, PrimarySite, PriorTherapyKind, Sex, TumourType, WhoGrade
from treatments.models import Intent

Document = dict[str, Any]

# The names of values, as they are now: a code is told by them, a code that is no longer one as it was stored.
_VALUES: dict[str, Mapping[str, Any]] = {
    "sex": dict(Sex.choices),
    "tumour_type": dict(TumourType.choices),
    "primary_site": dict(PrimarySite.choices),
    "who_grade": dict(WhoGrade.choices),
    "functional_syndrome": dict(FunctionalSyndrome.choices),
    "intent": dict(Intent.choices),
    "prior_therapy": dict(PriorTherapyKind.choices),
    "sstr": dict(SstrResponse.choices),
}


def is_english() -> bool:
    return translation.get_language() == settings.LANGUAGE_CODE


def definition_in_words(definition: Mapping[str, Any]) -> list[str]:
    """Return the sentences of a result's definition; as they were stored where its rules say another thing today."""
    stored = list(definition["in_words"])
    if is_english():
        return stored
    known = EndpointDefinition().to_json()
    rules = EndpointDefinition.from_json({key: value for key, value in definition.items() if key in known})
    with translation.override(settings.LANGUAGE_CODE):
        is_the_same = rules.in_words() == stored
    return rules.in_words() if is_the_same else stored


def with_definition_told(result: Mapping[str, Any]) -> Document:
    """Return a result whose definition has its sentences in the reader's language beside those stored (``told``)."""
    definition = result.get("definition")
    if not definition or "in_words" not in definition or is_english():
        return dict(result)
    return {**result, "definition": {**definition, "told": definition_in_words(definition)}}


def unit(stored: str) -> str:
    return _(stored) if stored.isalpha() else stored


def reason(stored: str, names: Mapping[str, str] | None = None) -> str:
    """Return why there is no number.

    Args:
        names: of strata, as stored to as the reader calls them.
    """
    known = names or {}
    return REFUSALS.retold(stored, lambda name: known.get(name) or _(name))


def column(of: Mapping[str, Any], by: str) -> str:
    """Return the name of a column of Table 1: of all, of a stratum, or of a cohort."""
    if of["code"] is not None:
        return strata.name_of(by, of["code"]) if by else of["name"]
    return _("All") if of["name"] == "All" else of["name"]


def row_of_table_1(row: Mapping[str, Any], strata_names: Mapping[str, str]) -> Document:
    told: Document = {**row, "name": _(row["name"])}
    if row.get("unit"):
        told["unit"] = unit(row["unit"])
    names = _VALUES.get(row["key"], {})
    if "options" in row:
        told["options"] = [
            {**option, "name": str(names.get(option["code"], _(option["name"])))} for option in row["options"]
        ]
    told["tests"] = [
        {
            **test,
            **({"name": TESTS.get(test["name"], test["name"])} if test.get("name") else {}),
            **({"note": NOTES.retold(test["note"])} if test.get("note") else {}),
            **({"problem": reason(test["problem"], strata_names)} if test.get("problem") else {}),
        }
        for test in row.get("tests", [])
    ]
    return told


def comparison(of: Mapping[str, Any], names: Mapping[str, str]) -> Document:
    """Return the tests between strata with their names and reasons told.

    Args:
        names: name as stored to name for the reader.
    """
    log_rank, cox = dict(of["log_rank"]), dict(of["cox"])
    for part in (log_rank, cox):
        if part.get("problem"):
            part["problem"] = reason(part["problem"], names)
    if "reference" in cox:
        cox["reference"] = names.get(cox["reference"], cox["reference"])
    for key in ("hazard_ratios", "proportional_hazards"):
        if key in cox:
            cox[key] = [{**one, "name": names.get(one["name"], one["name"])} for one in cox[key]]
    return {**of, "log_rank": log_rank, "cox": cox}
