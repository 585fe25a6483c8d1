"""Uptake of a somatostatin-receptor PET: its change from baseline, ratios to normal organs, and a class of response.

No guideline fixes how uptake answers to PRRT: the thresholds are the protocol's, and the class stands beside RECIST 1.1,
never in its place. A fall of SUVmax alone did not foretell progression-free survival where the ratio to the spleen did
(Haug et al., J Nucl Med 2010;51:1349-1356, 33 patients). In words: docs/rules/sstr.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from imaging.rules.recist import LesionRole, State, share
from imaging.rules.telling import Message, Told, ngettext_lazy
from languages.wording import gettext as _
from languages.wording import gettext_noop

DECREASE_PERCENT = Decimal(30)
INCREASE_PERCENT = Decimal(30)
_HUNDRED = Decimal(100)
_ZERO = Decimal(0)

BASELINE = Message(gettext_noop("Baseline: highest SUVmax {suv}."))
BASELINE_WITHOUT = Message(gettext_noop("Baseline: no uptake was measured."))
NO_PET = Message(gettext_noop("No PET."))
NEW_UPTAKE = ngettext_lazy("New uptake in {labels}.", "New uptake in {labels}.")
NOT_AT_BASELINE = Message(gettext_noop("No uptake was measured at baseline."))
NOT_MEASURED = Message(gettext_noop("No uptake was measured."))
UNKNOWN_BEFORE = ngettext_lazy(
    "The SUVmax of {labels} was not measured at baseline.",
    "The SUVmax of {labels} was not measured at baseline.",
)
MISSING = ngettext_lazy(
    "The SUVmax of {labels} was not measured.", "The SUVmax of {labels} was not measured."
)
DISAPPEARED = Message(gettext_noop("All uptake has disappeared (highest SUVmax at baseline {baseline})."))
THE_SAME = Message(gettext_noop("Highest SUVmax {suv} ({label}) is the {baseline} of the baseline on {day}."))
BELOW = Message(
    gettext_noop(
        "Highest SUVmax {suv} ({label}) is {percent} % below the {baseline} of the baseline on {day}."
    )
)
ABOVE = Message(
    gettext_noop(
        "Highest SUVmax {suv} ({label}) is {percent} % above the {baseline} of the baseline on {day}."
    )
)
LITTLE_BELOW = Message(
    gettext_noop(
        "Highest SUVmax {suv} ({label}) is {percent} % below the {baseline} of the baseline on {day}, less than the"
        " protocol's {bound} %."
    )
)
LITTLE_ABOVE = Message(
    gettext_noop(
        "Highest SUVmax {suv} ({label}) is {percent} % above the {baseline} of the baseline on {day}, less than the"
        " protocol's {bound} %."
    )
)


class SstrClass(StrEnum):
    DISAPPEARED = "disappeared"
    DECREASED = "decreased"
    UNCHANGED = "unchanged"
    INCREASED = "increased"
    NOT_EVALUABLE = "not_evaluable"


@dataclass(frozen=True, slots=True)
class SstrRules:
    """From which change of SUVmax on uptake counts as decreased or increased, in percent of the baseline."""

    decrease_percent: Decimal = DECREASE_PERCENT
    increase_percent: Decimal = INCREASE_PERCENT


@dataclass(frozen=True, slots=True)
class Uptake:
    """One lesion in one study.

    Args:
        suv_max: g/mL (SUVbw); None: not measured.
        state: as for RECIST 1.1; None: only the uptake was measured.
    """

    suv_max: Decimal | None = None
    state: State | None = None


@dataclass(frozen=True, slots=True)
class UptakeLesion:
    """One lesion and its uptake, by key of the study."""

    label: str
    role: LesionRole
    uptakes: Mapping[str, Uptake]


@dataclass(frozen=True, slots=True)
class PetStudy:
    """One study; ``is_pet``: whether uptake can be seen in it. SUVmean of normal organs in g/mL."""

    key: str
    on: date
    is_pet: bool = True
    liver_suv_mean: Decimal | None = None
    spleen_suv_mean: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LesionUptake:
    """One lesion in one study against its baseline; ``change_percent`` is exact, None where nothing can be compared."""

    label: str
    suv_max: Decimal | None
    change_percent: Decimal | None
    to_liver: Decimal | None
    to_spleen: Decimal | None
    response: SstrClass


@dataclass(frozen=True, slots=True)
class StudyUptake:
    """The uptake of one study.

    Attributes:
        lesions: those with uptake at baseline or now, in the order of their labels.
        hottest: the label of the lesion with the highest SUVmax; None where none was measured.
        change_percent: of the hottest lesion now from the hottest at baseline, which may be another one.
        response: None at baseline, and where the study shows no uptake (CT, MRI).
        new_uptake: labels of new lesions with uptake.
        why: why.
    """

    key: str
    on: date
    lesions: tuple[LesionUptake, ...]
    hottest: str | None
    hottest_suv_max: Decimal | None
    change_percent: Decimal | None
    to_liver: Decimal | None
    to_spleen: Decimal | None
    response: SstrClass | None
    new_uptake: tuple[str, ...]
    why: Told

    @property
    def reason(self) -> str:
        """Why, in words."""
        return str(self.why)


def assess_uptake(
    lesions: Iterable[UptakeLesion], studies: Iterable[PetStudy], rules: SstrRules
) -> list[StudyUptake]:
    """Return the uptake of every study, oldest first; the first study is the baseline.

    Neither the order of the lesions nor that of the studies matters.

    Raises:
        ValueError: a negative SUVmax, or an SUVmean that is not above 0.
    """
    ordered = sorted(lesions, key=lambda lesion: (len(lesion.label), lesion.label))
    days = sorted(studies, key=lambda study: (study.on, study.key))
    for lesion in ordered:
        for uptake in lesion.uptakes.values():
            if uptake.suv_max is not None and uptake.suv_max < 0:
                raise ValueError(f"{lesion.label}: SUVmax {uptake.suv_max}: expected 0 or more")
    for study in days:
        for suv in (study.liver_suv_mean, study.spleen_suv_mean):
            if suv is not None and suv <= 0:
                raise ValueError(f"SUVmean {suv} on {study.on}: expected above 0")
    if not days:
        return []
    baseline = days[0]
    followed = [lesion for lesion in ordered if lesion.role is not LesionRole.NEW]
    new = [lesion for lesion in ordered if lesion.role is LesionRole.NEW]
    before = {lesion.label: _suv(lesion, baseline) for lesion in followed}
    return [_of_study(study, followed, new, before, baseline, rules) for study in days]


def _suv(lesion: UptakeLesion, study: PetStudy) -> Decimal | None:
    """Return the SUVmax; 0 where the lesion was looked for and is absent, None where it was not measured."""
    uptake = lesion.uptakes.get(study.key)
    if not study.is_pet or uptake is None:
        return None
    if uptake.suv_max is None and uptake.state is State.ABSENT:
        return _ZERO
    return uptake.suv_max


def _is_merged(lesion: UptakeLesion, study: PetStudy) -> bool:
    uptake = lesion.uptakes.get(study.key)
    return uptake is not None and uptake.state is State.MERGED and uptake.suv_max is None


def _is_equivocal(lesion: UptakeLesion, study: PetStudy) -> bool:
    uptake = lesion.uptakes.get(study.key)
    return uptake is not None and uptake.state is State.EQUIVOCAL


def _ratio(suv_max: Decimal | None, organ: Decimal | None) -> Decimal | None:
    return suv_max / organ if suv_max is not None and organ is not None else None


def _change(now: Decimal | None, before: Decimal | None) -> Decimal | None:
    return (now - before) / before * _HUNDRED if now is not None and before else None


def _class(now: Decimal | None, before: Decimal | None, rules: SstrRules) -> SstrClass:
    if now is None or not before:
        return SstrClass.NOT_EVALUABLE
    if now == 0:
        return SstrClass.DISAPPEARED
    # Multiplied, not divided: 14 against 20 is exactly 30 % less.
    if (before - now) * _HUNDRED >= rules.decrease_percent * before:
        return SstrClass.DECREASED
    if (now - before) * _HUNDRED >= rules.increase_percent * before:
        return SstrClass.INCREASED
    return SstrClass.UNCHANGED


def _of_study(
    study: PetStudy,
    followed: Sequence[UptakeLesion],
    new: Sequence[UptakeLesion],
    before: Mapping[str, Decimal | None],
    baseline: PetStudy,
    rules: SstrRules,
) -> StudyUptake:
    now = {lesion.label: _suv(lesion, study) for lesion in [*followed, *new]}
    measured = {label: suv for label, suv in now.items() if suv is not None}
    equivocal = {lesion.label for lesion in new if _is_equivocal(lesion, study)}
    shown = [
        LesionUptake(
            lesion.label,
            now[lesion.label],
            None if study.key == baseline.key else _change(now[lesion.label], before.get(lesion.label)),
            _ratio(now[lesion.label], study.liver_suv_mean),
            _ratio(now[lesion.label], study.spleen_suv_mean),
            _class(now[lesion.label], before.get(lesion.label), rules),
        )
        for lesion in [*followed, *new]
        if lesion.label in measured or before.get(lesion.label)
    ]
    certain = {label: suv for label, suv in measured.items() if label not in equivocal}
    highest = max(certain.values(), default=None)
    hottest = next((label for label, suv in certain.items() if suv == highest and suv), None)
    new_uptake = tuple(lesion.label for lesion in new if certain.get(lesion.label))
    base = max((suv for suv in before.values() if suv is not None), default=None)
    is_baseline = study.key == baseline.key
    response: SstrClass | None = None
    if is_baseline:
        why = BASELINE(suv=base) if base else BASELINE_WITHOUT()
    elif not study.is_pet:
        why = NO_PET()
    else:
        missing = [
            lesion.label for lesion in followed
            if before[lesion.label] and now[lesion.label] is None and not _is_merged(lesion, study)
        ]  # fmt: skip
        unknown = [lesion.label for lesion in followed if before[lesion.label] is None and now[lesion.label]]
        response, why = _response(
            highest, base, missing, unknown, new_uptake, rules, hottest=hottest, baseline=baseline
        )
    return StudyUptake(
        key=study.key,
        on=study.on,
        lesions=tuple(shown),
        hottest=hottest,
        hottest_suv_max=highest,
        change_percent=None if is_baseline else _change(highest, base),
        to_liver=_ratio(highest, study.liver_suv_mean),
        to_spleen=_ratio(highest, study.spleen_suv_mean),
        response=response,
        new_uptake=new_uptake,
        why=why,
    )


def _response(
    highest: Decimal | None,
    base: Decimal | None,
    missing: Sequence[str],
    unknown: Sequence[str],
    new_uptake: Sequence[str],
    rules: SstrRules,
    *,
    hottest: str | None,
    baseline: PetStudy,
) -> tuple[SstrClass, Told]:
    if new_uptake:
        return SstrClass.INCREASED, NEW_UPTAKE(labels=new_uptake)
    if not base:
        return SstrClass.NOT_EVALUABLE, NOT_AT_BASELINE()
    if highest is None:
        return SstrClass.NOT_EVALUABLE, NOT_MEASURED()
    if unknown:
        return SstrClass.NOT_EVALUABLE, UNKNOWN_BEFORE(labels=unknown)
    found = _class(highest, base, rules)
    # What was not measured can only be hotter: an increase is certain already.
    if missing and found is not SstrClass.INCREASED:
        return SstrClass.NOT_EVALUABLE, MISSING(labels=missing)
    if found is SstrClass.DISAPPEARED:
        return found, DISAPPEARED(baseline=base)
    places = {"suv": highest, "label": hottest, "baseline": base, "day": baseline.on}
    if highest == base:
        return found, THE_SAME(**places)
    less = highest < base
    bound = rules.decrease_percent if less else rules.increase_percent
    places["percent"] = share(abs(highest - base), base, (bound,))
    if found is SstrClass.UNCHANGED:
        return found, (LITTLE_BELOW if less else LITTLE_ABOVE)(**places, bound=bound)
    return found, (BELOW if less else ABOVE)(**places)


_BETTER_BY_RECIST = frozenset({"CR", "PR"})
_LESS_UPTAKE = frozenset({SstrClass.DISAPPEARED, SstrClass.DECREASED})


def discordance(recist: str, response: SstrClass | str | None) -> str:
    """Return in words that size and uptake go opposite ways; blank where they do not.

    Args:
        recist: overall response by RECIST 1.1.
    """
    if recist == "PD" and response in _LESS_UPTAKE:
        return _(
            "Discordant: progression by RECIST 1.1 while uptake has fallen. Lesions may have lost receptors."
        )
    if recist in _BETTER_BY_RECIST and response == SstrClass.INCREASED:
        return _("Discordant: response by RECIST 1.1 while uptake has risen or is new.")
    return ""
