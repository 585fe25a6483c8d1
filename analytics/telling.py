"""What stands in a result, told again in the reader's language: its words are stored in English, whoever looked first."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from analytics import strata
from analytics.rules.endpoints import EndpointDefinition
from imaging.models import SstrResponse
from languages.wording import Stored, gettext_noop
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

# Why a test or a model is not given. They are the sentences of analytics.rules and of analytics.comparing.
_REASONS = Stored(
    [
        gettext_noop("{n} strata with patients: nothing to compare"),
        gettext_noop("{n} strata with values: nothing to compare"),
        gettext_noop("no events"),
        gettext_noop("only one stratum has patients at risk on a day with an event"),
        gettext_noop("strata were never at risk together when some had an event and some had not"),
        gettext_noop("{names}: cannot be told apart in the patients at risk when somebody had an event"),
        gettext_noop("{n_events} events for {n} coefficients: fewer than {events_per_coefficient} for each"),
        gettext_noop("{name} is the same in all patients"),
        gettext_noop("no events where {name} is {value}: its hazard ratio is 0 or infinite"),
        gettext_noop("no events where {values}: a hazard ratio is 0 or infinite"),
        gettext_noop("one value in {name}: no standard deviation"),
        gettext_noop("no spread of values within the strata"),
        gettext_noop("all values in {name} are the same: its weight would be infinite"),
        gettext_noop("all values are the same"),
        gettext_noop("all patients are in the same category"),
        gettext_noop("{n} categories in {n_strata} strata: Fisher's test is of two in two"),
        gettext_noop("nobody to follow"),
        gettext_noop("follow-up ends on day {last}, before day {tau}"),
        gettext_noop("fewer than two strata have patients"),
    ]
)


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


def in_both(rules: EndpointDefinition) -> list[tuple[str, str]]:
    """Return the sentences of a definition in English, by which they are chosen, each with the same for the reader."""
    told = rules.in_words()
    if is_english():
        return [(said, said) for said in told]
    with translation.override(settings.LANGUAGE_CODE):
        english = rules.in_words()
    return list(zip(english, told, strict=True))


def unit(stored: str) -> str:
    return _(stored) if stored.isalpha() else stored


def reason(stored: str) -> str:
    return _REASONS.retold(stored)


def column(of: Mapping[str, Any], by: str) -> str:
    """Return the name of a column of Table 1: of all, of a stratum, or of a cohort."""
    if of["code"] is not None:
        return strata.name_of(by, of["code"]) if by else of["name"]
    return _("All") if of["name"] == "All" else of["name"]


def row_of_table_1(row: Mapping[str, Any]) -> Document:
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
            **({"name": _(test["name"])} if test.get("name") else {}),
            **({"problem": reason(test["problem"])} if test.get("problem") else {}),
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
            part["problem"] = reason(part["problem"])
    if "reference" in cox:
        cox["reference"] = names.get(cox["reference"], cox["reference"])
    for key in ("hazard_ratios", "proportional_hazards"):
        if key in cox:
            cox[key] = [{**one, "name": names.get(one["name"], one["name"])} for one in cox[key]]
    return {**of, "log_rank": log_rank, "cox": cox}
