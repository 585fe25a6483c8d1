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

from imaging.rules.recist import LesionRole, State, listed, number, percent

DECREASE_PERCENT = Decimal(30)
INCREASE_PERCENT = Decimal(30)
_HUNDRED = Decimal(100)
_ZERO = Decimal(0)


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
        reason: why, in words.
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
    reason: str


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
        reason = f"Baseline: highest SUVmax {number(base)}." if base else "Baseline: no uptake was measured."
    elif not study.is_pet:
        reason = "No PET."
    else:
        missing = [
            lesion.label for lesion in followed
            if before[lesion.label] and now[lesion.label] is None and not _is_merged(lesion, study)
        ]  # fmt: skip
        unknown = [lesion.label for lesion in followed if before[lesion.label] is None and now[lesion.label]]
        response, words = _response(
            highest, base, missing, unknown, new_uptake, rules, hottest=hottest, baseline=baseline
        )
        reason = f"{words[:1].upper()}{words[1:]}."
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
        reason=reason,
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
) -> tuple[SstrClass, str]:
    if new_uptake:
        return SstrClass.INCREASED, f"new uptake in {listed(new_uptake)}"
    if not base:
        return SstrClass.NOT_EVALUABLE, "no uptake was measured at baseline"
    if highest is None:
        return SstrClass.NOT_EVALUABLE, "no uptake was measured"
    if unknown:
        return SstrClass.NOT_EVALUABLE, f"the SUVmax of {listed(unknown)} was not measured at baseline"
    found = _class(highest, base, rules)
    # What was not measured can only be hotter: an increase is certain already.
    if missing and found is not SstrClass.INCREASED:
        return SstrClass.NOT_EVALUABLE, f"the SUVmax of {listed(missing)} was not measured"
    if found is SstrClass.DISAPPEARED:
        return found, f"all uptake has disappeared (highest SUVmax at baseline {number(base)})"
    against = f"the {number(base)} of the baseline on {baseline.on}"
    if highest == base:
        return found, f"highest SUVmax {number(highest)} ({hottest}) is {against}"
    less = highest < base
    bound = rules.decrease_percent if less else rules.increase_percent
    change = percent(abs(highest - base), base, (bound,))
    words = (
        f"highest SUVmax {number(highest)} ({hottest}) is {change} {'below' if less else 'above'} {against}"
    )
    if found is SstrClass.UNCHANGED:
        words += f", less than the protocol's {number(bound)} %"
    return found, words


_BETTER_BY_RECIST = frozenset({"CR", "PR"})
_LESS_UPTAKE = frozenset({SstrClass.DISAPPEARED, SstrClass.DECREASED})


def discordance(recist: str, response: SstrClass | str | None) -> str:
    """Return in words that size and uptake go opposite ways; blank where they do not.

    Args:
        recist: overall response by RECIST 1.1.
    """
    if recist == "PD" and response in _LESS_UPTAKE:
        return (
            "Discordant: progression by RECIST 1.1 while uptake has fallen. Lesions may have lost receptors."
        )
    if recist in _BETTER_BY_RECIST and response == SstrClass.INCREASED:
        return "Discordant: response by RECIST 1.1 while uptake has risen or is new."
    return ""
