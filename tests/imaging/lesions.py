"""Lesions written as a reader types them: one cell for each study, the baseline first."""

from collections.abc import Sequence
from datetime import date

from imaging.rules.cells import parse_cell
from imaging.rules.recist import Finding, Lesion, LesionRole, StudyDay, Timepoint, assess

DAYS = [date(2019, 1, 7), date(2019, 5, 2), date(2019, 9, 2), date(2020, 1, 6), date(2020, 5, 4)]
STUDIES = [StudyDay(f"study {number}", on) for number, on in enumerate(DAYS)]
NODE = "lymph_node"


def target(label: str, *cells: str, organ: str = "liver") -> Lesion:
    return lesion(label, cells, LesionRole.TARGET, organ)


def non_target(label: str, *cells: str, organ: str = "bone") -> Lesion:
    return lesion(label, cells, LesionRole.NON_TARGET, organ)


def new(label: str, *cells: str, organ: str = "liver") -> Lesion:
    """Return a new lesion; its first cell is the one of the first study after the baseline."""
    return lesion(label, ["", *cells], LesionRole.NEW, organ)


def lesion(label: str, cells: Sequence[str], role: LesionRole, organ: str) -> Lesion:
    findings = {}
    for study, cell in zip(STUDIES, cells, strict=False):
        entry = parse_cell(cell, role)
        if entry is not None:
            findings[study.key] = Finding(entry.state, entry.size_mm, entry.merged_into)
    return Lesion(label, role, organ == NODE, organ, findings)


def followed(*lesions: Lesion, n_studies: int | None = None) -> list[Timepoint]:
    """Return every study after the baseline, up to the last one that anything was entered for."""
    entered = [
        number for number, study in enumerate(STUDIES) if any(study.key in x.findings for x in lesions)
    ]
    return assess(lesions, STUDIES[: n_studies or max(entered) + 1])[1:]


def overall(*lesions: Lesion) -> list[str | None]:
    return [timepoint.overall for timepoint in followed(*lesions)]


def last(*lesions: Lesion) -> Timepoint:
    return followed(*lesions)[-1]
