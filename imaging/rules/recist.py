"""Response by RECIST 1.1: target, non-target, new lesions and overall, for every study of a course, with the reason.

Source: Eisenhauer et al., Eur J Cancer 2009;45:228-247, sections 3 and 4, tables 1 to 3 and appendices II and III;
where it is silent, Schwartz et al., Eur J Cancer 2016;62:132-137. Our choices between readings of it: docs/rules/recist.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from imaging.rules import telling
from imaging.rules.telling import Message, Stored, Told, ngettext_lazy
from languages.wording import gettext_noop

PR_DECREASE = Decimal("0.30")  # of the baseline sum, at least
PD_INCREASE = Decimal("0.20")  # over the nadir, at least
PD_INCREASE_MM = Decimal(5)  # and at least so much
NORMAL_NODE_BELOW_MM = Decimal(10)  # short axis
TOO_SMALL_MM = Decimal(5)  # of a lesion that is seen and cannot be measured

_ZERO, _ONE, _HUNDRED = Decimal(0), Decimal(1), Decimal(100)
_PR_AT_MOST = _ONE - PR_DECREASE


class LesionRole(StrEnum):
    TARGET = "target"
    NON_TARGET = "non_target"
    NEW = "new"


class State(StrEnum):
    """How a lesion was found in a study."""

    MEASURED = "measured"
    PRESENT = "present"  # seen, not measured: non-target and new lesions
    TOO_SMALL = "too_small"
    ABSENT = "absent"
    NOT_EVALUABLE = "not_evaluable"
    SPLIT = "split"  # into parts, whose diameters are added
    MERGED = "merged"  # into another lesion, which is measured as one
    PROGRESSED = "progressed"  # unequivocal progression of a non-target lesion
    EQUIVOCAL = "equivocal"  # a new lesion that may be none


_SEEN_AND_SIZED = frozenset({State.MEASURED, State.SPLIT, State.TOO_SMALL})

# What a cell of each role can say.
STATES_OF_ROLE: dict[LesionRole, frozenset[State]] = {
    LesionRole.TARGET: frozenset(
        {State.MEASURED, State.TOO_SMALL, State.ABSENT, State.NOT_EVALUABLE, State.SPLIT, State.MERGED}
    ),
    LesionRole.NON_TARGET: frozenset(set(State) - {State.EQUIVOCAL}),
    LesionRole.NEW: frozenset(set(State) - {State.PROGRESSED}),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One lesion in one study.

    Args:
        size_mm: longest diameter, of a node the short axis, of a split lesion the sum of its parts.
        merged_into: label of the lesion that it is a part of now.
    """

    state: State
    size_mm: Decimal | None = None
    merged_into: str = ""


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion and what was found of it, by key of the study. No finding: nothing was entered."""

    label: str
    role: LesionRole
    is_node: bool
    organ: str
    findings: Mapping[str, Finding]


@dataclass(frozen=True, slots=True)
class StudyDay:
    key: str
    on: date


@dataclass(frozen=True, slots=True)
class Timepoint:
    """The response of one study.

    Attributes:
        sum_mm: of the target lesions that could be measured; None where none could.
        is_complete: whether every target lesion is in the sum.
        baseline_mm: the sum at baseline; None where it is incomplete, or there are no target lesions.
        nadir_mm, nadir_on: the smallest complete sum before this study, the baseline included, and when it was reached.
        change_percent, nadir_change_percent: of a complete sum, from baseline and nadir; not rounded.
        target: CR, PR, SD, PD or NE; None without target lesions, and at baseline.
        non_target: CR, NON_CR_NON_PD, PD or NE; None likewise.
        new_lesions: labels of those seen, for certain or confirmed as such later.
        overall: CR, PR, SD, NON_CR_NON_PD, PD or NE; None at baseline.
        why: why; begins with the overall response.
    """

    key: str
    on: date
    sum_mm: Decimal | None
    is_complete: bool
    baseline_mm: Decimal | None
    nadir_mm: Decimal | None
    nadir_on: date | None
    change_percent: Decimal | None
    nadir_change_percent: Decimal | None
    target: str | None
    non_target: str | None
    new_lesions: tuple[str, ...]
    overall: str | None
    why: Told

    @property
    def reason(self) -> str:
        """Why, in words."""
        return str(self.why)


# Why, as messages: in the order in which a stored reason is looked for among them.

NO_LESION_YET = Message(gettext_noop("Baseline: no lesion has been entered."))
NON_TARGET_ONLY = Message(gettext_noop("Baseline: non-target lesions only."))
BASELINE_SUM = Message(gettext_noop("Baseline: sum of diameters {sum} mm."))
BASELINE_ZERO = Message(
    gettext_noop("Baseline: the sum of diameters is 0 mm, so nothing can be compared with it.")
)
NO_BASELINE_SUM = ngettext_lazy(
    "Baseline: no sum, {labels} was not measured.", "Baseline: no sum, {labels} were not measured."
)
NO_LESION_AT_BASELINE = Message(gettext_noop("NE: no lesion was entered at baseline"))
OVERALL = Message("{response}: {words}")
BOTH = Message("{words}; {more}")
BUT = Message(gettext_noop("{words}, but {more}"))
EVEN_WITHOUT = Message(gettext_noop("{words}, even without {labels}"))
NEITHER = Message(gettext_noop("{words}: neither PR nor PD"))
AND_ABOVE_NADIR = Message(
    gettext_noop("{words}, and {percent} % and {growth} mm above the nadir of {nadir} mm on {day}")
)
AND_ABOVE_NADIR_OF_ZERO = Message(
    gettext_noop("{words}, and {growth} mm above the nadir of {nadir} mm on {day}")
)
NONE_MEASURED = Message(gettext_noop("no target lesion was measured"))
NOTHING_TO_COMPARE = ngettext_lazy(
    "there is no baseline sum to compare with ({labels} was not measured)",
    "there is no baseline sum to compare with ({labels} were not measured)",
)
NOTHING_TO_COMPARE_WITH_ZERO = Message(
    gettext_noop("there is no baseline sum to compare with (its sum is 0 mm)")
)
ABOVE_NADIR = Message(
    gettext_noop("sum {sum} mm is {percent} % and {growth} mm above the nadir of {nadir} mm on {day}")
)
ABOVE_NADIR_OF_ZERO = Message(
    gettext_noop("sum {sum} mm is {growth} mm above the nadir of {nadir} mm on {day}")
)
INCOMPLETE = ngettext_lazy(
    "the sum is incomplete, {labels} was not measured", "the sum is incomplete, {labels} were not measured"
)
ALL_GONE = Message(gettext_noop("all target lesions have disappeared"))
ALL_GONE_BUT_NODES = Message(
    gettext_noop("all target lesions have disappeared, nodes are below 10 mm (sum {sum} mm)")
)
BELOW_BASELINE = Message(
    gettext_noop("sum {sum} mm is {percent} % below the baseline of {baseline} mm on {day}")
)
AS_BASELINE = Message(gettext_noop("sum {sum} mm is that of the baseline on {day}"))
ABOVE_BASELINE = Message(
    gettext_noop("sum {sum} mm is {percent} % above the baseline of {baseline} mm on {day}")
)
NON_TARGET_PROGRESSED = ngettext_lazy(
    "unequivocal progression of non-target lesion {labels}",
    "unequivocal progression of non-target lesions {labels}",
)
NON_TARGET_AGAIN = ngettext_lazy(
    "non-target lesion {labels} seen again after complete response",
    "non-target lesions {labels} seen again after complete response",
)
NON_TARGET_MISSING = ngettext_lazy(
    "non-target lesion {labels} not evaluated", "non-target lesions {labels} not evaluated"
)
NON_TARGET_PRESENT = ngettext_lazy(
    "non-target lesion {labels} still present", "non-target lesions {labels} still present"
)
NON_TARGET_GONE = Message(gettext_noop("all non-target lesions have disappeared"))
SEEN_AGAIN = ngettext_lazy(
    "{labels} seen again after complete response", "{labels} seen again after complete response"
)
NEW_LESIONS = ngettext_lazy("new lesion {labels}", "new lesions {labels}")
CONFIRMED_LATER = Message(gettext_noop("{label} (equivocal here, confirmed on {day})"))

REASONS = (
    NO_LESION_YET, NON_TARGET_ONLY, BASELINE_SUM, BASELINE_ZERO, NO_BASELINE_SUM, NO_LESION_AT_BASELINE,
    OVERALL, BOTH, BUT, EVEN_WITHOUT, NEITHER, AND_ABOVE_NADIR, AND_ABOVE_NADIR_OF_ZERO, NONE_MEASURED,
    NOTHING_TO_COMPARE, NOTHING_TO_COMPARE_WITH_ZERO, ABOVE_NADIR, ABOVE_NADIR_OF_ZERO, INCOMPLETE, ALL_GONE,
    ALL_GONE_BUT_NODES, BELOW_BASELINE, AS_BASELINE, ABOVE_BASELINE, NON_TARGET_PROGRESSED, NON_TARGET_AGAIN,
    NON_TARGET_MISSING, NON_TARGET_PRESENT, NON_TARGET_GONE, SEEN_AGAIN, NEW_LESIONS, CONFIRMED_LATER,
)  # fmt: skip
REASON = Stored(REASONS)


def assess(lesions: Iterable[Lesion], studies: Iterable[StudyDay]) -> list[Timepoint]:
    """Return the response of every study, oldest first; the first study is the baseline.

    Neither the order of the lesions nor that of the studies matters.

    Raises:
        ValueError: a state that the role of a lesion cannot have, a size that is missing or negative, or a lesion that is
            merged into none.
    """
    ordered = sorted(lesions, key=lambda lesion: (len(lesion.label), lesion.label))
    days = sorted(studies, key=lambda study: (study.on, study.key))
    if not days:
        return []
    targets = [lesion for lesion in ordered if lesion.role is LesionRole.TARGET]
    others = [lesion for lesion in ordered if lesion.role is LesionRole.NON_TARGET]
    new = [lesion for lesion in ordered if lesion.role is LesionRole.NEW]
    for lesion in ordered:
        _check(lesion, targets)
    sightings = {lesion.label: _sightings(lesion, days[1:]) for lesion in new}

    baseline = days[0]
    first = _sum(targets, baseline.key)
    baseline_mm = first.mm if first.is_complete and first.mm else None
    nadir_mm, nadir_on = (baseline_mm, baseline.on) if baseline_mm is not None else (None, None)
    found = [_at_baseline(baseline, first, baseline_mm, targets, others)]
    was_complete_response = False
    for study in days[1:]:
        timepoint = _assess_one(
            study,
            targets,
            others,
            sightings,
            baseline,
            baseline_mm,
            nadir_mm,
            nadir_on,
            first,
            was_complete_response,
        )
        found.append(timepoint)
        if (
            timepoint.is_complete
            and timepoint.sum_mm is not None
            and (nadir_mm is not None and timepoint.sum_mm < nadir_mm)
        ):
            nadir_mm, nadir_on = timepoint.sum_mm, study.on
        if timepoint.overall == "CR":
            was_complete_response = True
    return found


def _check(lesion: Lesion, targets: Sequence[Lesion]) -> None:
    allowed = STATES_OF_ROLE[lesion.role]
    for finding in lesion.findings.values():
        state = finding.state
        if state not in allowed:
            raise ValueError(
                f"{lesion.label}: a {lesion.role.replace('_', '-')} lesion cannot be {state.replace('_', ' ')}"
            )
        if state is State.MEASURED or state is State.SPLIT:
            if finding.size_mm is None or finding.size_mm < 0:
                raise ValueError(f"{lesion.label}: {finding.size_mm} mm: expected a diameter from 0 mm")
        elif state is State.MERGED and (
            finding.merged_into == lesion.label
            or (
                lesion.role is LesionRole.TARGET
                and all(finding.merged_into != other.label for other in targets)
            )
        ):
            raise ValueError(
                f"{lesion.label}: merged into {finding.merged_into!r}: expected another target lesion"
            )


@dataclass(slots=True)
class _Sum:
    """The target lesions of one study: the sum of those measured, and what stands against it."""

    mm: Decimal | None
    missing: list[str]
    seen: list[str]  # those that are disease: not gone, of nodes not normal

    @property
    def is_complete(self) -> bool:
        return self.mm is not None and not self.missing


def _sum(targets: Sequence[Lesion], key: str) -> _Sum:
    total = _ZERO
    n_measured = 0
    missing: list[str] = []
    seen: list[str] = []
    for lesion in targets:
        finding = lesion.findings.get(key)
        state = finding.state if finding is not None else State.NOT_EVALUABLE
        if finding is None or state is State.NOT_EVALUABLE:
            missing.append(lesion.label)
            continue
        if state is State.ABSENT:
            n_measured += 1
            continue
        if state is State.MERGED:
            # Its part is in the diameter of the other; whether it can be told hangs on that one.
            if not _is_measured_in_another(finding, targets, key):
                missing.append(lesion.label)
            continue
        total += finding.size_mm if finding.size_mm is not None else TOO_SMALL_MM
        n_measured += 1
        if _is_disease(lesion, finding):
            seen.append(lesion.label)
    return _Sum(total if n_measured else None, missing, seen)


def _is_measured_in_another(merged: Finding, targets: Sequence[Lesion], key: str) -> bool:
    """Whether the lesion that a merged one is part of was measured, be it merged itself into a further one."""
    of_label = {lesion.label: lesion.findings.get(key) for lesion in targets}
    finding: Finding | None = merged
    for _ in targets:  # no longer chain can end in a size
        if finding is not None and finding.state is State.MERGED:
            finding = of_label[finding.merged_into]
    return finding is not None and finding.state in _SEEN_AND_SIZED


def _is_disease(lesion: Lesion, finding: Finding) -> bool:
    """Whether a lesion that was looked at is there: it has not disappeared, and a node is not of normal size."""
    if finding.state is State.ABSENT:
        return False
    size_mm = TOO_SMALL_MM if finding.state is State.TOO_SMALL else finding.size_mm
    if size_mm is None:
        return True
    return size_mm >= NORMAL_NODE_BELOW_MM if lesion.is_node else size_mm > 0


def _at_baseline(
    study: StudyDay,
    first: _Sum,
    baseline_mm: Decimal | None,
    targets: Sequence[Lesion],
    others: Sequence[Lesion],
) -> Timepoint:
    if not targets and not others:
        why = NO_LESION_YET()
    elif not targets:
        why = NON_TARGET_ONLY()
    elif baseline_mm is not None:
        why = BASELINE_SUM(sum=baseline_mm)
    elif first.is_complete:
        why = BASELINE_ZERO()
    else:
        why = NO_BASELINE_SUM(labels=first.missing)
    return Timepoint(
        study.key, study.on, first.mm, first.is_complete, baseline_mm, None, None, None, None, None, None, (), None, why
    )  # fmt: skip


def _assess_one(
    study: StudyDay,
    targets: Sequence[Lesion],
    others: Sequence[Lesion],
    sightings: Mapping[str, Mapping[str, date | None]],
    baseline: StudyDay,
    baseline_mm: Decimal | None,
    nadir_mm: Decimal | None,
    nadir_on: date | None,
    first: _Sum,
    was_complete_response: bool,
) -> Timepoint:
    total = _sum(targets, study.key)
    change = nadir_change = None
    target = non_target = None
    target_why = non_target_why = None
    if targets:
        if total.is_complete and total.mm is not None and baseline_mm is not None:
            change = (total.mm - baseline_mm) / baseline_mm * _HUNDRED
            nadir_change = (total.mm - nadir_mm) / nadir_mm * _HUNDRED if nadir_mm else None
        target, target_why = _target_response(
            total, baseline_mm, baseline.on, nadir_mm, nadir_on, first, was_complete_response, targets
        )
    if others:
        non_target, non_target_why = _non_target_response(others, study.key, was_complete_response)
    seen = {label: days[study.key] for label, days in sightings.items() if study.key in days}
    overall, why = _overall(target, target_why, non_target, non_target_why, seen)
    return Timepoint(
        study.key, study.on, total.mm, total.is_complete, baseline_mm, nadir_mm, nadir_on, change, nadir_change,
        target, non_target, tuple(seen), overall, why,
    )  # fmt: skip


def _target_response(
    total: _Sum,
    baseline_mm: Decimal | None,
    baseline_on: date,
    nadir_mm: Decimal | None,
    nadir_on: date | None,
    first: _Sum,
    was_complete_response: bool,
    targets: Sequence[Lesion],
) -> tuple[str, Told]:
    """Return the response of the target lesions (table 1 and section 4.3.1) and why."""
    if total.mm is None:
        return "NE", NONE_MEASURED()
    if baseline_mm is None or nadir_mm is None or nadir_on is None:
        if first.missing:
            return "NE", NOTHING_TO_COMPARE(labels=first.missing)
        return "NE", NOTHING_TO_COMPARE_WITH_ZERO()
    if was_complete_response and total.seen:
        # Table 3, footnote a: after a complete response any disease that is seen again is progression.
        return "PD", SEEN_AGAIN(labels=total.seen)
    growth_mm = total.mm - nadir_mm
    # A lesion without a size can only add to the sum: progression may be certain already.
    if growth_mm >= PD_INCREASE_MM and growth_mm >= PD_INCREASE * nadir_mm:
        if nadir_mm:
            why = ABOVE_NADIR(
                sum=total.mm,
                percent=share(growth_mm, nadir_mm),
                growth=growth_mm,
                nadir=nadir_mm,
                day=nadir_on,
            )
        else:
            why = ABOVE_NADIR_OF_ZERO(sum=total.mm, growth=growth_mm, nadir=nadir_mm, day=nadir_on)
        return "PD", EVEN_WITHOUT(words=why, labels=total.missing) if total.missing else why
    if total.missing:
        return "NE", INCOMPLETE(labels=total.missing)
    if not total.seen:
        return "CR", ALL_GONE_BUT_NODES(sum=total.mm) if total.mm > 0 else ALL_GONE()
    if total.mm <= _PR_AT_MOST * baseline_mm:
        return "PR", _against_baseline(total.mm, baseline_mm, baseline_on)
    return "SD", _stable_words(total.mm, baseline_mm, baseline_on, nadir_mm, nadir_on)


def _against_baseline(sum_mm: Decimal, baseline_mm: Decimal, baseline_on: date) -> Told:
    if sum_mm == baseline_mm:
        return AS_BASELINE(sum=sum_mm, day=baseline_on)
    message = BELOW_BASELINE if sum_mm < baseline_mm else ABOVE_BASELINE
    change = share(abs(sum_mm - baseline_mm), baseline_mm)
    return message(sum=sum_mm, percent=change, baseline=baseline_mm, day=baseline_on)


def _stable_words(
    sum_mm: Decimal, baseline_mm: Decimal, baseline_on: date, nadir_mm: Decimal, nadir_on: date
) -> Told:
    words = _against_baseline(sum_mm, baseline_mm, baseline_on)
    growth_mm = sum_mm - nadir_mm
    if nadir_mm < baseline_mm and growth_mm > 0:
        if nadir_mm:
            change = share(growth_mm, nadir_mm)
            words = AND_ABOVE_NADIR(
                words=words, percent=change, growth=growth_mm, nadir=nadir_mm, day=nadir_on
            )
        else:
            words = AND_ABOVE_NADIR_OF_ZERO(words=words, growth=growth_mm, nadir=nadir_mm, day=nadir_on)
    return NEITHER(words=words)


def _non_target_response(others: Sequence[Lesion], key: str, was_complete_response: bool) -> tuple[str, Told]:
    """Return the response of the non-target lesions (section 4.3.3) and why."""
    progressed, seen, missing = [], [], []
    for lesion in others:
        finding = lesion.findings.get(key)
        if finding is None or finding.state is State.NOT_EVALUABLE:
            missing.append(lesion.label)
        elif finding.state is State.PROGRESSED:
            progressed.append(lesion.label)
        elif _is_disease(lesion, finding):
            seen.append(lesion.label)
    if progressed:
        return "PD", NON_TARGET_PROGRESSED(labels=progressed)
    if was_complete_response and seen:
        return "PD", NON_TARGET_AGAIN(labels=seen)
    if missing:
        return "NE", NON_TARGET_MISSING(labels=missing)
    if seen:
        return "NON_CR_NON_PD", NON_TARGET_PRESENT(labels=seen)
    return "CR", NON_TARGET_GONE()


def _sightings(lesion: Lesion, days: Sequence[StudyDay]) -> dict[str, date | None]:
    """Return the studies that show a new lesion: None where it is certain, else the day that confirmed it.

    An equivocal lesion that a later study shows for certain was there (section 4.3.5), unless it was absent in between.
    """
    found: dict[str, date | None] = {}
    confirmed_on = None
    for study in reversed(days):
        finding = lesion.findings.get(study.key)
        if finding is None or finding.state is State.NOT_EVALUABLE:
            continue
        if finding.state is State.EQUIVOCAL:
            if confirmed_on is not None:
                found[study.key] = confirmed_on
        elif _is_disease(lesion, finding):
            confirmed_on = study.on
            found[study.key] = None
        else:
            confirmed_on = None
    return found


def _overall(
    target: str | None,
    target_why: Told | None,
    non_target: str | None,
    non_target_why: Told | None,
    new: Mapping[str, date | None],
) -> tuple[str, Told]:
    """Return the overall response (tables 1 and 2) and why."""
    if target == "PD" or non_target == "PD" or new:
        why = [target_why] if target == "PD" else []
        if non_target == "PD":
            why.append(non_target_why)
        if new:
            labels = [
                CONFIRMED_LATER(label=label, day=on) if on is not None else label for label, on in new.items()
            ]
            why.append(NEW_LESIONS(labels=labels))
        return "PD", _why("PD", *why)
    if target is None:
        if non_target is None:
            return "NE", NO_LESION_AT_BASELINE()
        return non_target, _why(non_target, non_target_why)
    if target == "CR":
        if non_target in (None, "CR"):
            return "CR", _why("CR", target_why, non_target_why)
        return "PR", _why("PR", BUT(words=target_why, more=non_target_why))
    if non_target == "NE":
        return target, _why(target, target_why, non_target_why)
    return target, _why(target, target_why)


def _why(response: str, *words: Told | None) -> Told:
    *others, last = [one for one in words if one is not None]
    for one in reversed(others):
        last = BOTH(words=one, more=last)
    return OVERALL(response="Non-CR/non-PD" if response == "NON_CR_NON_PD" else response, words=last)


# Words

number = telling.number


def mm(size: Decimal) -> str:
    """Return a length in words, such as ``51 mm``."""
    return f"{number(size)} mm"


# Bounds that a rounded number must not seem to reach.
_BOUNDS = (PD_INCREASE * _HUNDRED, PR_DECREASE * _HUNDRED)
_TENTH = Decimal("0.1")


def share(part: Decimal, whole: Decimal, bounds: Sequence[Decimal] = _BOUNDS) -> Decimal:
    """Return a share to a tenth of a percent, such as 24.4; finer where a rounded one would seem to reach a bound."""
    exact = part / whole * _HUNDRED
    step = _TENTH
    rounded = exact.quantize(step, ROUND_HALF_UP)
    while rounded in bounds and exact != rounded and step > Decimal("1e-9"):
        step /= 10
        rounded = exact.quantize(step, ROUND_HALF_UP)
    return rounded


def percent(part: Decimal, whole: Decimal, bounds: Sequence[Decimal] = _BOUNDS) -> str:
    """Return a share in words, such as ``24.4 %``; see ``share``."""
    return f"{number(share(part, whole, bounds))} %"
