"""What RECIST 1.1 asks of the lesions chosen at baseline.

Source: Eisenhauer et al., Eur J Cancer 2009;45:228-247, sections 3.1 and 4.2, and appendix II on slice thickness.
In words: docs/rules/recist.md.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from imaging.rules.recist import NORMAL_NODE_BELOW_MM, Lesion, LesionRole, State
from imaging.rules.telling import Message, Told
from languages.wording import gettext_noop, within

MOST_TARGETS = 5
MOST_TARGETS_PER_ORGAN = 2
LEAST_TARGET_MM = Decimal(10)
LEAST_TARGET_NODE_MM = Decimal(15)  # short axis
# Thicker slices than this ask for a lesion of twice their thickness.
USUAL_SLICE_MM = Decimal(5)

NOT_MEASURED = Message(
    gettext_noop("{label} is a target lesion without a size at baseline: measure it, or make it non-target.")
)
TOO_SMALL = Message(
    gettext_noop(
        "{label} measures {size} mm: a target lesion needs a longest diameter of {least} mm or more. Make it a non-target"
        " lesion, or keep it with a reason."
    )
)
TOO_SMALL_FOR_SLICES = Message(
    gettext_noop(
        "{label} measures {size} mm: a target lesion needs a longest diameter of {least} mm or more (twice the slice"
        " thickness of {slice} mm). Make it a non-target lesion, or keep it with a reason."
    )
)
NORMAL_NODE = Message(
    gettext_noop(
        "{label} is a node of {size} mm short axis: below {normal} mm a node is normal and no lesion. Leave it out, or keep"
        " it with a reason."
    )
)
SMALL_NODE = Message(
    gettext_noop(
        "{label} is a node of {size} mm short axis: a target node needs {least} mm or more; from {normal} mm on it is a"
        " non-target lesion. Make it one, or keep it with a reason."
    )
)
TOO_MANY = Message(
    gettext_noop(
        "There are {n} target lesions: RECIST 1.1 takes at most {most}. Make the others non-target lesions."
    )
)
TOO_MANY_IN_ORGAN = Message(
    gettext_noop(
        "There are {n} target lesions in one organ ({organ}: {text}): RECIST 1.1 takes at most {most}; lymph nodes count as"
        " one organ. Make the others non-target lesions."
    )
)
PROBLEMS = (
    NOT_MEASURED, TOO_SMALL, TOO_SMALL_FOR_SLICES, NORMAL_NODE, SMALL_NODE, TOO_MANY, TOO_MANY_IN_ORGAN,
)  # fmt: skip


@dataclass(frozen=True)
class SelectionProblem:
    """What stands against a choice of lesions.

    Attributes:
        code: stable: too_many_targets, too_many_in_organ, target_too_small, node_too_small, node_is_normal, not_measured.
        labels: the lesions it is about.
        why: why, and what to do.
        may_be_overridden: whether a reader may keep the lesion with a reason.
    """

    code: str
    labels: tuple[str, ...]
    why: Told
    may_be_overridden: bool

    @property
    def sentence(self) -> str:
        """Why, and what to do, in words."""
        return str(self.why)


@dataclass(frozen=True, slots=True)
class _Organ:
    name: object

    def __str__(self) -> str:
        return within(str(self.name))


def selection_problems(
    lesions: Iterable[Lesion],
    *,
    baseline_key: str,
    slice_thickness_mm: Decimal | None,
    overridden: frozenset[str] = frozenset(),
    organ_names: Mapping[str, object] | None = None,
) -> list[SelectionProblem]:
    """Return what is wrong with the lesions of a baseline; those that a reader kept with a reason are left out.

    Args:
        slice_thickness_mm: of the baseline CT; None where it is not known, and 5 mm or less is assumed.
        overridden: labels of lesions that a reader has kept with a reason.
        organ_names: of the codes, for the sentences.
    """
    ordered = sorted(lesions, key=lambda lesion: (len(lesion.label), lesion.label))
    targets = [lesion for lesion in ordered if lesion.role is LesionRole.TARGET]
    found = count_problems([(lesion.label, lesion.organ) for lesion in targets], organ_names or {})
    least_mm = LEAST_TARGET_MM
    if slice_thickness_mm is not None and slice_thickness_mm > USUAL_SLICE_MM:
        least_mm = max(LEAST_TARGET_MM, 2 * slice_thickness_mm)
    for lesion in targets:
        finding = lesion.findings.get(baseline_key)
        if finding is None:
            continue  # not entered yet; the sum says so
        if finding.size_mm is None or finding.state in (State.NOT_EVALUABLE, State.MERGED):
            found.append(
                SelectionProblem(
                    "not_measured",
                    (lesion.label,),
                    NOT_MEASURED(label=lesion.label),
                    False,
                )
            )
        elif lesion.is_node and finding.size_mm < LEAST_TARGET_NODE_MM:
            found.append(_small_node(lesion, finding.size_mm))
        elif not lesion.is_node and finding.size_mm < least_mm:
            why = TOO_SMALL(label=lesion.label, size=finding.size_mm, least=least_mm)
            if slice_thickness_mm is not None and least_mm > LEAST_TARGET_MM:
                why = TOO_SMALL_FOR_SLICES(
                    label=lesion.label, size=finding.size_mm, least=least_mm, slice=slice_thickness_mm
                )
            found.append(SelectionProblem("target_too_small", (lesion.label,), why, True))
    for lesion in ordered:
        finding = lesion.findings.get(baseline_key)
        if (
            lesion.role is LesionRole.NON_TARGET
            and lesion.is_node
            and finding is not None
            and finding.size_mm is not None
            and finding.size_mm < NORMAL_NODE_BELOW_MM
        ):
            found.append(_normal_node(lesion, finding.size_mm))
    return [
        problem
        for problem in found
        if not (problem.may_be_overridden and overridden.issuperset(problem.labels))
    ]


def count_problems(
    targets: Sequence[tuple[str, str]], organ_names: Mapping[str, object]
) -> list[SelectionProblem]:
    """Return what stands against the number of target lesions, given as label and organ."""
    found = []
    if len(targets) > MOST_TARGETS:
        found.append(
            SelectionProblem(
                "too_many_targets",
                tuple(label for label, _ in targets),
                TOO_MANY(n=len(targets), most=MOST_TARGETS),
                False,
            )
        )
    by_organ: dict[str, list[str]] = defaultdict(list)
    for label, organ in targets:
        by_organ[organ].append(label)
    for organ, labels in by_organ.items():
        if len(labels) > MOST_TARGETS_PER_ORGAN:
            found.append(
                SelectionProblem(
                    "too_many_in_organ",
                    tuple(labels),
                    TOO_MANY_IN_ORGAN(
                        n=len(labels),
                        organ=_Organ(organ_names.get(organ, organ)),
                        text=", ".join(labels),
                        most=MOST_TARGETS_PER_ORGAN,
                    ),
                    False,
                )
            )
    return found


def _small_node(lesion: Lesion, size_mm: Decimal) -> SelectionProblem:
    if size_mm < NORMAL_NODE_BELOW_MM:
        return _normal_node(lesion, size_mm)
    why = SMALL_NODE(
        label=lesion.label, size=size_mm, least=LEAST_TARGET_NODE_MM, normal=NORMAL_NODE_BELOW_MM
    )
    return SelectionProblem("node_too_small", (lesion.label,), why, True)


def _normal_node(lesion: Lesion, size_mm: Decimal) -> SelectionProblem:
    why = NORMAL_NODE(label=lesion.label, size=size_mm, normal=NORMAL_NODE_BELOW_MM)
    return SelectionProblem("node_is_normal", (lesion.label,), why, True)
