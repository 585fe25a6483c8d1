"""Rows of ADTR: the first reader's target lesions, their sum and the uptake of every lesion, from the records of now.

A data lock holds responses and no measurements, so that its export has no ADTR.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from analytics.datasets.identification import Level, Person
from analytics.datasets.shaping import relative_day
from analytics.datasets.source import Course
from analytics.datasets.variables import Row
from imaging.models import Lesion, ReaderRole, Study
from imaging.rules.recist import TOO_SMALL_MM, LesionRole, State
from imaging.selectors.response import CourseResponse, course_responses

_HUNDRED = Decimal(100)
_PERCENT_DECIMALS = 10  # as many as every format of the export carries


def measurements(
    told: Sequence[tuple[Course, Person]], study: str, cutoff: date
) -> Iterator[tuple[Course, list[Row]]]:
    """Yield each analysed course that has lesions with its rows. Five queries for any number of courses."""
    found = course_responses([course.patient_id for course, _ in told if course.patient_id is not None])
    for course, person in told:
        if course.patient_id is None or not course.is_analysed:
            continue
        of_course = found.get((course.patient_id, course.course_number, ReaderRole.FIRST))
        if of_course is not None:
            yield course, list(_Rows(of_course, course, person, study, cutoff).all())


class _Rows:
    """The rows of one course, counted as they are made."""

    def __init__(
        self, response: CourseResponse, course: Course, person: Person, study: str, cutoff: date
    ) -> None:
        self.response, self.course, self.person, self.study_name = response, course, person, study
        self.studies = [study for study in response.studies if study.performed_on <= cutoff]
        self.targets = [lesion for lesion in response.lesions if lesion.role == LesionRole.TARGET]
        self.numbers = {lesion.label: number for number, lesion in enumerate(response.lesions, 1)}
        self.sequence = 0

    def all(self) -> Iterator[Row]:
        for study in self.studies:
            for number, lesion in enumerate(self.targets, 1):
                yield from self._diameter(study, lesion, number)
            yield from self._sum(study)
            yield from self._uptakes(study)

    def _line(self, study: Study, parameter: tuple[str, str], value: Decimal | None, unit: str) -> Row:
        self.sequence += 1
        on, row, baseline = study.performed_on, self.course.row, self.response.baseline
        return {
            "STUDYID": self.study_name,
            "USUBJID": self.person.subject,
            "COURSENO": self.course.course_number,
            "ASEQ": self.sequence,
            "PARAM": parameter[1],
            "PARAMCD": parameter[0],
            "AVISIT": study.timepoint.upper(),
            "ADT": self.person.date(on),
            "ADY": relative_day(on, row["started_on"]),
            "DAYS0": (on - row["time_zero"]).days,
            "AVAL": value,
            "AVALU": unit,
            "ABLFL": "Y" if baseline is not None and study.pk == baseline.pk else "",
        }

    def _of_lesion(self, lesion: Lesion, test: str) -> Row:
        named = self.person.level is Level.REGISTRY
        return {
            "TRLNKID": lesion.label if named else f"L{self.numbers[lesion.label]}",
            "TRTESTCD": test,
            "TULOC": lesion.organ.upper(),
            "TULOCGR1": "NODAL" if lesion.is_node else "NON-NODAL",
        }

    def _found(self, lesion: Lesion, study: Study | None) -> tuple[Decimal | None, str]:
        """Return the diameter that goes into the sum, and how the lesion was found; None where it has none of its own."""
        one = self.response.measurements.get((lesion.pk, study.pk)) if study is not None else None
        if one is None or one.is_draft or not one.state:
            return None, ""
        if one.state == State.ABSENT:
            return Decimal(0), one.state
        if one.state == State.TOO_SMALL:
            return TOO_SMALL_MM, one.state
        return one.size_mm, one.state

    def _is_in_sum(self, lesion: Lesion, study: Study) -> bool:
        """Whether the lesion was measured in the study, or is a part of one that was."""
        of_pk = {target.pk: target for target in self.targets}
        for _ in self.targets:  # no longer chain of lesions that merged
            size, state = self._found(lesion, study)
            if state != State.MERGED:
                return size is not None
            into = self.response.measurements[lesion.pk, study.pk].merged_into_id
            if into is None or into not in of_pk:
                return False
            lesion = of_pk[into]
        return False

    def _diameter(self, study: Study, lesion: Lesion, number: int) -> Iterator[Row]:
        size, state = self._found(lesion, study)
        if state:
            parameter = (f"LDIAM{number}", f"Diameter of Target Lesion {number} (mm)")
            base, _ = self._found(lesion, self.response.baseline)
            one = self._line(study, parameter, size, "mm") | {"AVALC": state.upper()}
            yield one | self._of_lesion(lesion, "LPERP" if lesion.is_node else "LDIAM") | _changes(size, base)

    def _sum(self, study: Study) -> Iterator[Row]:
        timepoint = self.response.timepoint(study)
        if not self.targets or timepoint is None or timepoint.sum_mm is None:
            return
        sum_mm, nadir = timepoint.sum_mm, timepoint.nadir_mm
        # A sum that lacks a lesion compares with none.
        compared = sum_mm if timepoint.is_complete else None
        from_nadir = None if nadir is None or compared is None else compared - nadir
        one = self._line(study, ("SDIAM", "Sum of Diameters of Target Lesions (mm)"), sum_mm, "mm")
        yield (
            one
            | _changes(compared, timepoint.baseline_mm)
            | {
                "NADIR": nadir,
                "CHGNAD": from_nadir,
                "PCHGNAD": _percent(from_nadir, nadir),
                "ANL01FL": "Y" if timepoint.is_complete else "",
                "TRTESTCD": "SUMDIAM",
                "LSEXP": len(self.targets),
                "LSASS": sum(self._is_in_sum(lesion, study) for lesion in self.targets),
            }
        )

    def _suv_max(self, study: Study | None) -> dict[str, Decimal]:
        """Return lesion to SUVmax as the uptake rules take it: 0 of a lesion that was looked for and is absent."""
        if study is None:
            return {}
        uptake = self.response.uptake(study)
        if uptake is None:
            return {}
        return {one.label: one.suv_max for one in uptake.lesions if one.suv_max is not None}

    def _uptakes(self, study: Study) -> Iterator[Row]:
        now, before = self._suv_max(study), self._suv_max(self.response.baseline)
        for lesion in self.response.lesions:
            value = now.get(lesion.label)
            if value is None:
                continue
            number = self.numbers[lesion.label]
            parameter = (f"SUVMAX{number}", f"SUVmax of Lesion {number} (g/mL)")
            one = self._line(study, parameter, value, "g/mL") | self._of_lesion(lesion, "SUVMAX")
            yield one | _changes(value, before.get(lesion.label))
        if now:
            hottest = max(now.values())
            one = self._line(study, ("SUVMAXH", "SUVmax of the Hottest Lesion (g/mL)"), hottest, "g/mL")
            yield one | {"TRTESTCD": "SUVMAX"} | _changes(hottest, max(before.values(), default=None))


def _changes(value: Decimal | None, base: Decimal | None) -> Row:
    change = None if value is None or base is None else value - base
    return {"BASE": base, "CHG": change, "PCHG": _percent(change, base)}


def _percent(change: Decimal | None, of: Decimal | None) -> Decimal | None:
    return None if change is None or not of else round(change / of * _HUNDRED, _PERCENT_DECIMALS)
