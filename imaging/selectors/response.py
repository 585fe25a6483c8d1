"""The response of every study of a course as the rules derive it from the measurements, for one reader's lesions.

Read in a few statements for any number of patients. Drafts (from a measurement report, not accepted yet) do not count.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from imaging.models import Lesion, LesionOrgan, Measurement, Modality, ReaderRole, Reading, Study, Timepoint
from imaging.rules import recist, sstr
from imaging.rules.best_response import Assessment
from imaging.rules.selection import PROBLEMS, SelectionProblem, selection_problems
from imaging.rules.telling import Message, Stored, Told
from languages.wording import gettext, gettext_noop, within
from patients.models import Patient

Key = tuple[UUID, int, str]  # patient, course number, reader role
_PET = frozenset({Modality.PET_CT, Modality.PET_MR})

NO_LESIONS = Message(gettext_noop("No lesions have been entered."))
NO_BASELINE = Message(gettext_noop("There is no baseline study of this course: nothing can be compared."))
NOT_DERIVED = Message(gettext_noop("Not derived: {words}"))
NOTHING_ENTERED = Message(gettext_noop("Nothing has been entered for this study."))
DRAFTS_WAITING = Message(
    gettext_noop("Nothing has been entered for this study. Imported drafts have not been accepted yet.")
)


def _organ(english: str) -> str:
    return within(gettext(english[:1].upper() + english[1:]))


# Tells ``Reading.derived_reason`` in the reader's language.
DERIVED_REASON = Stored(
    [*PROBLEMS, NO_LESIONS, NO_BASELINE, NOT_DERIVED, NOTHING_ENTERED, DRAFTS_WAITING, *recist.REASONS],
    {"organ": _organ},
)


@dataclass(frozen=True)
class Derived:
    """What the rules say of one study.

    Attributes:
        response: a code of ``OverallResponse``; blank where none can be told.
        why: why; a plain text is a message of the catalogues.
        timepoint: with its sums; None without a baseline study or any lesion.
    """

    response: str
    why: Told | str
    timepoint: recist.Timepoint | None = None

    @property
    def reason(self) -> str:
        """Why, in words of the language that is active now."""
        return gettext(self.why) if isinstance(self.why, str) else str(self.why)


@dataclass
class CourseResponse:
    """The lesions of one reader through the studies of a course.

    Attributes:
        studies: by day, the baseline first where there is one.
        measurements: by lesion and study, drafts among them.
        problems: what RECIST 1.1 has against the lesions chosen at baseline; while there are any nothing is derived.
        sstr_rules: thresholds of the course's protocol.
    """

    patient_id: UUID
    course_number: int
    reader_role: str
    studies: list[Study] = field(default_factory=list)
    lesions: list[Lesion] = field(default_factory=list)
    measurements: dict[tuple[UUID, UUID], Measurement] = field(default_factory=dict)
    problems: list[SelectionProblem] = field(default_factory=list)
    sstr_rules: sstr.SstrRules = field(default_factory=sstr.SstrRules)
    _timepoints: dict[UUID, recist.Timepoint] = field(default_factory=dict)
    _uptakes: dict[UUID, sstr.StudyUptake] = field(default_factory=dict)

    @property
    def baseline(self) -> Study | None:
        first = self.studies[0] if self.studies else None
        return first if first is not None and first.timepoint == Timepoint.BASELINE else None

    @property
    def is_measurable(self) -> bool:
        """Whether there are target lesions."""
        return any(lesion.role == recist.LesionRole.TARGET for lesion in self.lesions)

    def drafts(self, study: Study) -> list[Measurement]:
        """Return the measurements of a study that no reader has accepted yet."""
        return [one for (_, key), one in self.measurements.items() if key == study.pk and one.is_draft]

    def timepoint(self, study: Study) -> recist.Timepoint | None:
        return self._timepoints.get(study.pk)

    def uptake(self, study: Study) -> sstr.StudyUptake | None:
        """Return the uptake of a study; None without a baseline study, or where no SUVmax of the course was entered."""
        return self._uptakes.get(study.pk)

    def derived(self, study: Study) -> Derived:
        """Return the response of a study of this course, or why there is none."""
        timepoint = self._timepoints.get(study.pk)
        if not self.lesions:
            return Derived("", NO_LESIONS())
        if self.baseline is None or timepoint is None:
            return Derived("", NO_BASELINE())
        if study.pk == self.baseline.pk:
            return Derived("", timepoint.why, timepoint)
        if self.problems:
            return Derived("", NOT_DERIVED(words=self.problems[0].why), timepoint)
        if not any(key == study.pk and not one.is_draft for (_, key), one in self.measurements.items()):
            why = DRAFTS_WAITING() if self.drafts(study) else NOTHING_ENTERED()
            return Derived("", why, timepoint)
        return Derived(timepoint.overall or "", timepoint.why, timepoint)

    def assessments(self) -> list[Assessment]:
        """Return the derived responses of the studies after the baseline."""
        found = []
        for study in self.studies:
            response = self.derived(study).response
            if response:
                found.append(Assessment(study.performed_on, response))
        return found


def course_responses(patient_ids: Iterable[UUID]) -> dict[Key, CourseResponse]:
    """Return the response of every course of these patients, for each reader who has lesions. Four queries."""
    ids = list(patient_ids)
    studies: dict[tuple[UUID, int], list[Study]] = defaultdict(list)
    for study in Study.objects.current().filter(patient__in=ids).order_by("performed_on", "pk"):
        studies[study.patient_id, study.course_number].append(study)
    found: dict[Key, CourseResponse] = {}
    of_lesion: dict[UUID, CourseResponse] = {}
    for lesion in Lesion.objects.current().filter(patient__in=ids):
        key = (lesion.patient_id, lesion.course_number, lesion.reader_role)
        if key not in found:
            found[key] = CourseResponse(*key, studies=studies[key[0], key[1]])
        found[key].lesions.append(lesion)
        of_lesion[lesion.pk] = found[key]
    if not found:
        return found
    for one in Measurement.objects.current().filter(lesion__in=list(of_lesion)):
        of_lesion[one.lesion_id].measurements[one.lesion_id, one.study_id] = one
    rules = _sstr_rules(ids)
    for response in found.values():
        response.sstr_rules = rules.get((response.patient_id, response.course_number), response.sstr_rules)
        _derive(response)
    return found


def course_response(
    patient_id: UUID, course_number: int, reader_role: str = ReaderRole.FIRST
) -> CourseResponse:
    """Return the response of one course by one reader's lesions; without any lesion it is empty but for its studies."""
    key = (patient_id, course_number, str(reader_role))
    found = course_responses([patient_id]).get(key)
    if found is not None:
        return found
    studies = Study.objects.current().filter(patient=patient_id, course_number=course_number)
    return CourseResponse(*key, studies=list(studies.order_by("performed_on", "pk")))


def _sstr_rules(patient_ids: list[UUID]) -> dict[tuple[UUID, int], sstr.SstrRules]:
    """Return the thresholds of the protocols by patient and course number. One query.

    The courses are reached through the patient: imaging and treatments do not import each other.
    """
    rows = Patient.objects.filter(pk__in=patient_ids, courses__voided_at__isnull=True).values_list(
        "pk",
        "courses__number",
        "courses__protocol__sstr_decrease_percent",
        "courses__protocol__sstr_increase_percent",
    )
    return {
        (patient_id, number): sstr.SstrRules(decrease, increase)
        for patient_id, number, decrease, increase in rows
        if number is not None
    }


def lesion_order(lesion: Lesion) -> tuple[int, int, str]:
    """Sort lesions as the grid shows them: targets, non-targets, new ones, each by label."""
    return list(recist.LesionRole).index(recist.LesionRole(lesion.role)), len(lesion.label), lesion.label


def _derive(response: CourseResponse) -> None:
    response.lesions.sort(key=lesion_order)
    if response.baseline is None:
        return
    lesions = rule_lesions(response)
    baseline = response.baseline
    response.problems = selection_problems(
        lesions,
        baseline_key=str(baseline.pk),
        slice_thickness_mm=baseline.slice_thickness_mm,
        overridden=frozenset(lesion.label for lesion in response.lesions if lesion.selection_reason),
        organ_names=dict(LesionOrgan.choices),
    )
    days = [recist.StudyDay(str(study.pk), study.performed_on) for study in response.studies]
    by_key = {timepoint.key: timepoint for timepoint in recist.assess(lesions, days)}
    response._timepoints = {study.pk: by_key[str(study.pk)] for study in response.studies}
    if any(one.suv_max is not None and not one.is_draft for one in response.measurements.values()):
        uptakes = sstr.assess_uptake(_uptake_lesions(response), _pet_studies(response), response.sstr_rules)
        of_key = {uptake.key: uptake for uptake in uptakes}
        response._uptakes = {study.pk: of_key[str(study.pk)] for study in response.studies}


def _pet_studies(response: CourseResponse) -> list[sstr.PetStudy]:
    return [
        sstr.PetStudy(
            str(study.pk),
            study.performed_on,
            is_pet=study.modality in _PET,
            liver_suv_mean=study.liver_suv_mean,
            spleen_suv_mean=study.spleen_suv_mean,
        )
        for study in response.studies
    ]


def _uptake_lesions(response: CourseResponse) -> list[sstr.UptakeLesion]:
    uptakes: dict[UUID, dict[str, sstr.Uptake]] = defaultdict(dict)
    for (lesion_id, study_id), one in response.measurements.items():
        if not one.is_draft:
            uptakes[lesion_id][str(study_id)] = sstr.Uptake(
                one.suv_max, recist.State(one.state) if one.state else None
            )
    return [
        sstr.UptakeLesion(lesion.label, recist.LesionRole(lesion.role), uptakes[lesion.pk])
        for lesion in response.lesions
    ]


def rule_lesions(response: CourseResponse) -> list[recist.Lesion]:
    """Return the lesions as the rules take them. What only says an uptake is no finding of RECIST."""
    findings: dict[UUID, dict[str, recist.Finding]] = defaultdict(dict)
    labels = {lesion.pk: lesion.label for lesion in response.lesions}
    for (lesion_id, study_id), one in response.measurements.items():
        if one.state and not one.is_draft:
            findings[lesion_id][str(study_id)] = recist.Finding(
                recist.State(one.state),
                one.size_mm,
                labels.get(one.merged_into_id, "") if one.merged_into_id else "",
            )
    return [
        recist.Lesion(
            lesion.label,
            recist.LesionRole(lesion.role),
            lesion.is_node,
            lesion.organ,
            findings[lesion.pk],
        )
        for lesion in response.lesions
    ]


def readings_of(studies: Iterable[Study]) -> dict[tuple[UUID, str], Reading]:
    """Return the current readings of studies by study and role of the reader. One query."""
    found = Reading.objects.current().filter(study__in=list(studies)).select_related("reader")
    return {(reading.study_id, reading.reader_role): reading for reading in found}


def assessments_in_force(patient_id: UUID, course_number: int) -> list[Assessment]:
    """Return the readings of a course that count, oldest first: those that the outcomes rest on."""
    rows: Iterable[tuple[date, str]] = (
        Reading.objects.in_force()
        .filter(study__patient=patient_id, study__course_number=course_number, study__voided_at__isnull=True)
        .order_by("study__performed_on", "pk")
        .values_list("study__performed_on", "overall_response")
    )
    return [Assessment(on, response) for on, response in rows]
