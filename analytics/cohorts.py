"""Cohorts as people make them: the filter in words, the definition for a choice of rules, saving and sharing."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, pgettext_lazy

from accounts.access import Act
from accounts.history import change_context
from accounts.models import Centre, User
from analytics.charts.numbers import day_text, localised
from analytics.models import Cohort, CoursesCounted, Definition
from analytics.rules.endpoints import EndpointDefinition
from languages.wording import Stored
from languages.wording import day as day_said
from patients.models import FunctionalSyndrome, PrimarySite, PriorTherapyKind, Sex, TumourType, WhoGrade
from treatments.models import DiscontinuationReason, Intent

PRIOR_THERAPIES = [*PriorTherapyKind.choices, ("prrt", "PRRT")]

# What a list of the filter may name, with its words; protocols and centres are called by their codes.
CHOICES: dict[str, list[tuple[Any, Any]]] = {
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
    "statuses": [
        ("completed", gettext_lazy("Completed")),
        ("ongoing", gettext_lazy("Ongoing")),
        ("discontinued", gettext_lazy("Discontinued")),
    ],
    "discontinuation_reasons": list(DiscontinuationReason.choices),
}
_LISTS_IN_WORDS = {
    "centre_codes": gettext_lazy("Centre: {values}."),
    "tumour_types": gettext_lazy("Tumour type: {values}."),
    "primary_sites": gettext_lazy("Primary site: {values}."),
    "sexes": gettext_lazy("Sex: {values}."),
    "who_grades": gettext_lazy("WHO grade: {values}."),
    "functional_syndromes": gettext_lazy("Functional syndrome: {values}."),
    "ecogs": gettext_lazy("Performance status before the first administration: {values}."),
    "protocols": gettext_lazy("Protocol: {values}."),
    "intents": gettext_lazy("Intent: {values}."),
    "krenning_scores": gettext_lazy("Krenning score at baseline: {values}."),
    "statuses": pgettext_lazy("state of the courses counted", "Course: {values}."),
    "discontinuation_reasons": gettext_lazy("Discontinued for: {values}."),
}
_RANGES_IN_WORDS = {
    "age": (gettext_lazy("Age at the first administration"), gettext_lazy("years")),
    "ki67": ("Ki-67", "%"),
    "cycles": (gettext_lazy("Cycles given"), ""),
    "suv_max": (gettext_lazy("Baseline SUVmax of the hottest lesion"), "g/mL"),
    "started": (gettext_lazy("First administration"), ""),
}
LACKING = gettext_lazy("Who lacks a value that the filter asks for is not counted.")


def filter_in_words(cohort: Cohort) -> list[str]:
    """Return whom the cohort counts, a sentence for each restriction, for print beside a figure."""
    sentences = [
        _("Each patient's first course is counted.")
        if cohort.courses_counted == CoursesCounted.FIRST
        else _("Every course is counted.")
    ]
    for name, words in _LISTS_IN_WORDS.items():
        if chosen := getattr(cohort, name):
            sentences.append(words.format(values=_or(_named(name, chosen))))
    if chosen := cohort.with_prior_therapies:
        names = _or(_named("with_prior_therapies", chosen))
        sentences.append(_("Earlier therapy with {therapies}.").format(therapies=names))
    if chosen := cohort.without_prior_therapies:
        names = _or(_named("without_prior_therapies", chosen))
        sentences.append(_("No earlier therapy with {therapies}.").format(therapies=names))
    for name, (what, unit) in _RANGES_IN_WORDS.items():
        lowest, highest = getattr(cohort, f"{name}_from"), getattr(cohort, f"{name}_to")
        if lowest is not None and highest is not None:
            said = _("{what} from {lowest} to {highest}.")
        elif lowest is not None:
            since = isinstance(lowest, date)
            said = _("{what} on or after {lowest}.") if since else _("{what} at least {lowest}.")
        elif highest is not None:
            until = isinstance(highest, date)
            said = _("{what} on or before {highest}.") if until else _("{what} at most {highest}.")
        else:
            continue
        sentences.append(
            said.format(
                what=what,
                lowest=_measured(lowest, unit if highest is None else ""),
                highest=_measured(highest, unit),
            )
        )
    if len(sentences) > 1:
        sentences.append(str(LACKING))
    return sentences


def _named(name: str, chosen: Iterable[Any]) -> list[str]:
    names = dict(CHOICES.get(name, []))
    return [str(names.get(code, code)) for code in chosen]


def _or(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return _("{first} or {last}").format(first=", ".join(names[:-1]), last=names[-1])


def _measured(value: Any, unit: Any) -> str:
    said = day_said(value) if isinstance(value, date) else localised(f"{value}")
    return f"{said} {unit}".strip()


def methods(cohort: Cohort, data_cutoff: str) -> list[str]:
    """Return the "Methods" of the cohort's figures, ready to paste: whom they count, how endpoints are derived."""
    rules = cohort.definition.rules
    # The definition names Wilson's limits itself.
    # xgettext:no-python-format
    limits = [] if rules.interval == "wilson" else [_("Rates come with Clopper-Pearson 95 % limits.")]
    return [
        *filter_in_words(cohort),
        _("Data cut-off is {cutoff}: facts after it do not count.").format(cutoff=day_text(data_cutoff)),
        *rules.in_words(),
        _(
            # xgettext:no-python-format
            "Survival is estimated by the Kaplan-Meier method with pointwise 95 % limits on the log(-log) scale; follow-up "
            "by the reverse Kaplan-Meier method."
        ),
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


# Names are stored as they are made, in English.
_NAMES = Stored(
    [
        gettext_noop("Up to {day}, {number}"),
        gettext_noop("Up to today, {number}"),
        gettext_noop("Up to {day}"),
        gettext_noop("Up to today"),
    ]
)
_MADE = re.compile(r"Up to (today|\d{4}-\d{2}-\d{2})(, \d+)?")


def definition_name(name: str) -> str:
    """Return the name of a definition in the reader's language where ``definition_for`` made it, else as people wrote it."""
    return _NAMES.retold(name) if _MADE.fullmatch(name) else name


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
                _("You keep {n} cohorts of your own: delete one before you save another.").format(n=MOST_OWN)
            )
    if cohort.is_shared and unmanaged(by, cohort.centre_codes):
        raise ValidationError(
            {
                "is_shared": _(
                    "Cohorts are shared by who manages them at every centre counted. Keep it as your own."
                )
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
        raise ValidationError(_("Only a cohort of your own that is not shared can be deleted."))
    if cohort.locks.exists():
        raise ValidationError(_("Data locks rest on this cohort: it stays, so that they can be recomputed."))
    with change_context(by=by, reason="Deleted by its owner"):
        cohort.delete()


def check_ranges(cohort: Cohort) -> None:
    """Refuse a range of the filter that nobody lies in.

    Raises:
        ValidationError: by field.
    """
    problems = {
        f"{name}_to": _("This lies before the lower end: nobody would be counted.")
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
