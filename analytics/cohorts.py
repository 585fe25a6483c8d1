"""Cohorts as people make them: the filter in words, the definition for a choice of rules, saving and sharing."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import slugify

from accounts.access import Act
from accounts.history import change_context
from accounts.models import Centre, User
from analytics.models import Cohort, CoursesCounted, Definition
from analytics.rules.endpoints import EndpointDefinition
from patients.models import FunctionalSyndrome, PrimarySite, PriorTherapyKind, Sex, TumourType, WhoGrade
from treatments.models import DiscontinuationReason, Intent

PRIOR_THERAPIES = [*PriorTherapyKind.choices, ("prrt", "PRRT")]

# What a list of the filter may name, with its words; protocols and centres are called by their codes.
CHOICES: dict[str, list[tuple[Any, str]]] = {
    "tumour_types": list(TumourType.choices),
    "primary_sites": list(PrimarySite.choices),
    "sexes": list(Sex.choices),
    "who_grades": list(WhoGrade.choices),
    "functional_syndromes": list(FunctionalSyndrome.choices),
    "ecogs": [(score, f"ECOG {score}") for score in range(6)],
    "with_prior_therapies": list(PRIOR_THERAPIES),
    "without_prior_therapies": list(PRIOR_THERAPIES),
    "intents": list(Intent.choices),
    "krenning_scores": [(score, f"Krenning {score}") for score in range(5)],
    "statuses": [("completed", "Completed"), ("ongoing", "Ongoing"), ("discontinued", "Discontinued")],
    "discontinuation_reasons": list(DiscontinuationReason.choices),
}
_LISTS_IN_WORDS = {
    "centre_codes": "centre",
    "tumour_types": "tumour type",
    "primary_sites": "primary site",
    "sexes": "sex",
    "who_grades": "WHO grade",
    "functional_syndromes": "functional syndrome",
    "ecogs": "performance status before the first administration",
    "protocols": "protocol",
    "intents": "intent",
    "krenning_scores": "Krenning score at baseline",
    "statuses": "course",
    "discontinuation_reasons": "discontinued for",
}
_RANGES_IN_WORDS = {
    "age": ("age at the first administration", "years"),
    "ki67": ("Ki-67", "%"),
    "cycles": ("cycles given", ""),
    "suv_max": ("baseline SUVmax of the hottest lesion", "g/mL"),
    "started": ("first administration", ""),
}


def filter_in_words(cohort: Cohort) -> list[str]:
    """Return whom the cohort counts, a sentence for each restriction, for print beside a figure."""
    sentences = [
        "Each patient's first course is counted."
        if cohort.courses_counted == CoursesCounted.FIRST
        else "Every course is counted."
    ]
    for name, words in _LISTS_IN_WORDS.items():
        if chosen := getattr(cohort, name):
            sentences.append(f"{_capital(words)}: {_or(_named(name, chosen))}.")
    if chosen := cohort.with_prior_therapies:
        sentences.append(f"Earlier therapy with {_or(_named('with_prior_therapies', chosen))}.")
    if chosen := cohort.without_prior_therapies:
        sentences.append(f"No earlier therapy with {_or(_named('without_prior_therapies', chosen))}.")
    for name, (words, unit) in _RANGES_IN_WORDS.items():
        lowest, highest = getattr(cohort, f"{name}_from"), getattr(cohort, f"{name}_to")
        if lowest is not None and highest is not None:
            sentences.append(f"{_capital(words)} from {_measured(lowest, '')} to {_measured(highest, unit)}.")
        elif lowest is not None:
            since = "on or after" if isinstance(lowest, date) else "at least"
            sentences.append(f"{_capital(words)} {since} {_measured(lowest, unit)}.")
        elif highest is not None:
            until = "on or before" if isinstance(highest, date) else "at most"
            sentences.append(f"{_capital(words)} {until} {_measured(highest, unit)}.")
    if len(sentences) > 1:
        sentences.append("Who lacks a value that the filter asks for is not counted.")
    return sentences


def _named(name: str, chosen: Iterable[Any]) -> list[str]:
    names = dict(CHOICES.get(name, []))
    return [str(names.get(code, code)) for code in chosen]


def _or(names: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _measured(value: Any, unit: str) -> str:
    return f"{value} {unit}".strip()


def methods(cohort: Cohort, data_cutoff: str) -> list[str]:
    """Return the "Methods" of the cohort's figures, ready to paste: whom they count, how endpoints are derived."""
    rules = cohort.definition.rules
    # The definition names Wilson's limits itself.
    limits = [] if rules.interval == "wilson" else ["Rates come with Clopper-Pearson 95 % limits."]
    return [
        *filter_in_words(cohort),
        f"Data cut-off is {data_cutoff}: facts after it do not count.",
        *rules.in_words(),
        "Survival is estimated by the Kaplan-Meier method with pointwise 95 % limits on the log(-log) scale; follow-up by "
        "the reverse Kaplan-Meier method.",
        *limits,
    ]


def known_definition(rules: EndpointDefinition, data_cutoff: date | None) -> Definition | None:
    """Return the definition with these rules and this cut-off, if there is one."""
    endpoints = rules.to_json()
    for known in Definition.objects.filter(data_cutoff=data_cutoff).order_by("pk"):
        try:
            if known.rules.to_json() == endpoints:
                return known
        except ValueError:
            continue
    return None


def definition_for(rules: EndpointDefinition, data_cutoff: date | None, *, by: User | None) -> Definition:
    """Return the definition with these rules and this cut-off; a new one where there is none."""
    known = known_definition(rules, data_cutoff)
    if known is not None:
        return known
    taken = set(Definition.objects.values_list("name", flat=True))
    stem = f"Up to {data_cutoff}" if data_cutoff else "Up to today"
    name = next(name for n in range(1, len(taken) + 2) if (name := f"{stem}, {n}") not in taken)
    with change_context(by=by):
        return Definition.objects.create(name=name, endpoints=rules.to_json(), data_cutoff=data_cutoff)


def unmanaged(user: User, codes: Iterable[str]) -> set[str]:
    """Return those of the centres that a cohort counts at which ``user`` may not manage cohorts.

    Args:
        codes: the cohort's; none: every centre of the registry is counted.
    """
    if user.is_superuser and user.is_active:
        return set()
    counted = set(codes) or set(Centre.objects.values_list("code", flat=True))
    return counted - set(Centre.objects.visible_to(user, Act.MANAGE_COHORTS).values_list("code", flat=True))


def may_change(user: User, cohort: Cohort) -> bool:
    """Return whether ``user`` may change the cohort: its owner while it is not shared, then who manages its centres."""
    if cohort.owner_id == user.pk and not cohort.is_shared:
        return user.may(Act.VIEW_RESULTS)
    return user.may(Act.MANAGE_COHORTS) and not unmanaged(user, cohort.centre_codes)


MOST_OWN = (
    100  # cohorts of one user that are not shared: each is kept up to date with every change of a record
)


@transaction.atomic
def save(cohort: Cohort, *, by: User, reason: str = "") -> Cohort:
    """Store a cohort, new or changed.

    Raises:
        ValidationError: what it counts contradicts itself, the slug is taken, or ``by`` may not share it.
    """
    if cohort._state.adding:
        cohort.owner = by
        if not cohort.is_shared and Cohort.objects.filter(owner=by, is_shared=False).count() >= MOST_OWN:
            raise ValidationError(
                f"You keep {MOST_OWN} cohorts of your own: delete one before you save another."
            )
    if cohort.is_shared and unmanaged(by, cohort.centre_codes):
        raise ValidationError(
            {
                "is_shared": "Cohorts are shared by who manages them at every centre counted. Keep it as your own."
            }
        )
    check_ranges(cohort)
    cohort.full_clean(exclude=["definition", "owner"])
    with change_context(by=by, reason=reason):
        cohort.save()
    return cohort


@transaction.atomic
def delete(cohort: Cohort, *, by: User) -> None:
    """Delete a cohort of one's own that is not shared, with its results; the records it counted stay.

    Raises:
        ValidationError: it is shared or another's, or a data lock rests on it.
    """
    cohort = Cohort.objects.select_for_update().get(pk=cohort.pk)
    if cohort.is_shared or cohort.owner_id != by.pk:
        raise ValidationError("Only a cohort of your own that is not shared can be deleted.")
    if cohort.locks.exists():
        raise ValidationError("Data locks rest on this cohort: it stays, so that they can be recomputed.")
    with change_context(by=by, reason="Deleted by its owner"):
        cohort.delete()


def check_ranges(cohort: Cohort) -> None:
    """Refuse a range of the filter that nobody lies in.

    Raises:
        ValidationError: by field.
    """
    problems = {
        f"{name}_to": "This lies before the lower end: nobody would be counted."
        for name in _RANGES_IN_WORDS
        if None not in (lowest := getattr(cohort, f"{name}_from"), highest := getattr(cohort, f"{name}_to"))
        and lowest > highest
    }
    if problems:
        raise ValidationError(problems)


# Pages beside those of the cohorts.
RESERVED_SLUGS = frozenset({"new", "count", "explore", "compare"})


def slug_for(name: str, taken: Iterable[str]) -> str:
    """Return an address for a cohort of this name that no other cohort has, and no other page."""
    stem = slugify(name)[:40] or "cohort"
    known = set(taken) | RESERVED_SLUGS
    return next(
        slug for n in range(1, len(known) + 2) if (slug := stem if n == 1 else f"{stem}-{n}") not in known
    )
