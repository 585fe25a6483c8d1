"""The cohort file as data: its sheets, their columns and keys. The reader, the writer and docs/cohort-file.md follow it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.access import Act
from accounts.records import ClinicalRecord
from exchange.values import Codes, Date, Kind, Moment, Number, Text, Whole, YesNo, code_of
from imaging.models import Modality, OverallResponse, Reading, Study, Timepoint
from patients.models import (
    Contact,
    ContactSource,
    Death,
    DeathCause,
    Diagnosis,
    DiseaseEvent,
    DiseaseEventKind,
    FunctionalSyndrome,
    MetastaticSite,
    Patient,
    PatientIdentity,
    PrimarySite,
    Sex,
    TumourType,
    WhoGrade,
)
from treatments.models import (
    Administration,
    Course,
    Cycle,
    CycleStatus,
    Discontinuation,
    DiscontinuationReason,
    Intent,
)


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: in the file; a quantity ends in its unit.
        path: from the sheet's model (or from ``extra``'s) to the value, as ``course__number``.
        kind: how a cell is read and written.
        words: what it means.
        required: the column must be there, and no cell of it may be blank.
        blank: what a blank cell stands for.
        extra: the value belongs to the sheet's second model: the identity, the administration.
    """

    name: str
    path: str
    kind: Kind
    words: str
    required: bool = False
    blank: Any = None
    extra: bool = False


@dataclass(frozen=True)
class Sheet:
    """One kind of record: a file ``<name>.csv``, or the worksheet ``<name>``.

    Attributes:
        model: what a row is.
        parent: field that holds the record it belongs to, and the sheet that record stands in.
        key: names of the columns that say which record a row is; the first columns of the sheet.
        extra_model, extra_link: a second record that a row may hold, and its field that points at the first.
    """

    name: str
    words: str
    model: type[ClinicalRecord]
    parent: tuple[str, str] | None
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    extra_model: type[ClinicalRecord] | None = None
    extra_link: str = ""

    @property
    def act(self) -> Act:
        return self.model.EDIT_ACT

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


_REGISTRY_NUMBER = Text("a registry number such as STA-0001", max_length=20, pattern=r"[A-Z]{2,8}-[0-9]{4,}")
_NOTE = Text("text of at most 500 characters")
_FROM_ONE = Whole("a whole number from 1", least=1)


def _patient(path: str) -> Column:
    return Column("registry_number", path, _REGISTRY_NUMBER, "The patient, as in patients.", required=True)


def _course(path: str) -> Column:
    return Column("course_number", path, _FROM_ONE, "The patient's course, counted from 1.", required=True)


def _note() -> Column:
    return Column("note", "note", _NOTE, "Free text.", blank="")


def _study_columns(prefix: str) -> tuple[Column, ...]:
    return (
        _patient(f"{prefix}patient__registry_number"),
        _course(f"{prefix}course_number"),
        Column(
            "timepoint", f"{prefix}timepoint", code_of(Timepoint.values), "When in the course.", required=True
        ),
        Column("performed_on", f"{prefix}performed_on", Date(), "Day of the scan.", required=True),
        Column("modality", f"{prefix}modality", code_of(Modality.values), "Kind of scan.", required=True),
    )


_STUDY_KEY = ("registry_number", "course_number", "timepoint", "performed_on", "modality")

SHEETS: tuple[Sheet, ...] = (
    Sheet(
        "patients",
        "One row per patient.",
        Patient,
        None,
        ("registry_number",),
        (
            Column(
                "registry_number",
                "registry_number",
                _REGISTRY_NUMBER,
                "The patient's number in the registry; begins with the code of the centre.",
                required=True,
            ),
            Column("sex", "sex", code_of(Sex.values), "Sex.", required=True),
            Column("birth_date", "birth_date", Date(), "Date of birth, 1890 or later.", required=True),
            Column(
                "mrn", "mrn", Text("an MRN", max_length=40), "Medical record number.", blank="", extra=True
            ),
            Column(
                "family_name",
                "family_name",
                Text("a name", max_length=100),
                "Family name; needs an MRN.",
                blank="",
                extra=True,
            ),
            Column(
                "given_names",
                "given_names",
                Text("names", max_length=100),
                "Given names; need an MRN.",
                blank="",
                extra=True,
            ),
        ),
        extra_model=PatientIdentity,
        extra_link="patient",
    ),
    Sheet(
        "diagnoses",
        "The tumour that is treated, one row per patient.",
        Diagnosis,
        ("patient", "patients"),
        ("registry_number",),
        (
            _patient("patient__registry_number"),
            Column(
                "tumour_type", "tumour_type", code_of(TumourType.values), "Type of tumour.", required=True
            ),
            Column(
                "primary_site", "primary_site", code_of(PrimarySite.values), "Primary site.", required=True
            ),
            Column("diagnosed_on", "diagnosed_on", Date(), "Day of the diagnosis."),
            Column(
                "who_grade", "who_grade", code_of(WhoGrade.values), "WHO grade.", blank=WhoGrade.UNKNOWN.value
            ),
            Column(
                "ki67_percent",
                "ki67_percent",
                Number("a percentage such as 4.5", max_digits=4, most=Decimal(100), above_least=False),
                "Ki-67 index, percent of nuclei.",
            ),
            Column(
                "functional_syndrome",
                "functional_syndrome",
                code_of(FunctionalSyndrome.values),
                "Hormonal syndrome.",
                blank=FunctionalSyndrome.UNKNOWN.value,
            ),
            Column("stage", "stage", Text("a stage such as IV", max_length=20), "Stage.", blank=""),
            Column(
                "metastatic_sites",
                "metastatic_sites",
                Codes(codes=tuple(MetastaticSite.values)),
                "Sites of metastases.",
                blank=(),
            ),
        ),
    ),
    Sheet(
        "contacts",
        "Days on which a patient is known to have been alive.",
        Contact,
        ("patient", "patients"),
        ("registry_number", "known_alive_on", "source"),
        (
            _patient("patient__registry_number"),
            Column("known_alive_on", "known_alive_on", Date(), "The day.", required=True),
            Column("source", "source", code_of(ContactSource.values), "How it is known.", required=True),
            _note(),
        ),
    ),
    Sheet(
        "disease_events",
        "Clinical progressions, and starts of another anticancer therapy.",
        DiseaseEvent,
        ("patient", "patients"),
        ("registry_number", "kind", "occurred_on"),
        (
            _patient("patient__registry_number"),
            Column("kind", "kind", code_of(DiseaseEventKind.values), "What happened.", required=True),
            Column("occurred_on", "occurred_on", Date(), "The day.", required=True),
            _note(),
        ),
    ),
    Sheet(
        "deaths",
        "One row per patient who died.",
        Death,
        ("patient", "patients"),
        ("registry_number",),
        (
            _patient("patient__registry_number"),
            Column("died_on", "died_on", Date(), "Day of death.", required=True),
            Column("cause", "cause", code_of(DeathCause.values), "Cause of death.", required=True),
            _note(),
        ),
    ),
    Sheet(
        "courses",
        "One row per course.",
        Course,
        ("patient", "patients"),
        ("registry_number", "course_number"),
        (
            _patient("patient__registry_number"),
            _course("number"),
            Column(
                "protocol_code",
                "protocol__code",
                Text("the code of a protocol in the registry", max_length=60),
                "Protocol that the course follows.",
                required=True,
            ),
            Column("protocol_version", "protocol__version", _FROM_ONE, "Its version.", required=True),
            Column(
                "intent", "intent", code_of(Intent.values), "First treatment, or a later one.", required=True
            ),
        ),
    ),
    Sheet(
        "cycles",
        "One row per cycle, with its administration where it was given.",
        Cycle,
        ("course", "courses"),
        ("registry_number", "course_number", "cycle_number"),
        (
            _patient("course__patient__registry_number"),
            _course("course__number"),
            Column("cycle_number", "number", _FROM_ONE, "Counted from 1 within the course.", required=True),
            Column("planned_on", "planned_on", Date(), "Day it was or is planned for."),
            Column("status", "status", code_of(CycleStatus.values), "Where the cycle stands.", required=True),
            Column(
                "administered_at",
                "administered_at",
                Moment(),
                "Start of the infusion. With its offset from UTC, or in the centre's local time. Given cycles only.",
                extra=True,
            ),
            Column(
                "prescribed_activity_mbq",
                "prescribed_activity_mbq",
                Number(most=Decimal("999999.9")),
                "Prescribed activity, MBq; blank: the protocol's. Given cycles only.",
                extra=True,
            ),
            Column(
                "administered_activity_mbq",
                "administered_activity_mbq",
                Number(),
                "Net activity at administered_at, residual taken off, MBq. Given cycles only.",
                extra=True,
            ),
            Column(
                "lot",
                "lot",
                Text("a lot number", max_length=40),
                "Lot number. Given cycles only.",
                blank="",
                extra=True,
            ),
            Column(
                "deviation_explanation",
                "deviation_explanation",
                _NOTE,
                "Why the activity deviates from the prescription. Given cycles only.",
                blank="",
                extra=True,
            ),
            _note(),
        ),
        extra_model=Administration,
        extra_link="cycle",
    ),
    Sheet(
        "discontinuations",
        "One row per course that was stopped before all its cycles were given.",
        Discontinuation,
        ("course", "courses"),
        ("registry_number", "course_number"),
        (
            _patient("course__patient__registry_number"),
            _course("course__number"),
            Column("discontinued_on", "discontinued_on", Date(), "Day of the decision.", required=True),
            Column(
                "after_cycle",
                "after_cycle",
                Whole("a whole number"),
                "Number of cycles given.",
                required=True,
            ),
            Column(
                "main_reason",
                "main_reason",
                code_of(DiscontinuationReason.values),
                "Main reason.",
                required=True,
            ),
            Column(
                "further_reasons",
                "further_reasons",
                Codes(codes=tuple(DiscontinuationReason.values)),
                "Further reasons.",
                blank=(),
            ),
            _note(),
        ),
    ),
    Sheet(
        "studies",
        "One row per scan.",
        Study,
        ("patient", "patients"),
        _STUDY_KEY,
        (
            *_study_columns(""),
            Column(
                "tracer",
                "tracer",
                Text("a tracer", max_length=40),
                "Tracer, such as 68Ga-DOTATATE.",
                blank="",
            ),
            Column(
                "tracer_activity_mbq",
                "tracer_activity_mbq",
                Number("a number with a decimal point, such as 148.5", max_digits=6, most=Decimal(2000)),
                "Injected tracer activity, MBq.",
            ),
            Column(
                "uptake_minutes", "uptake_minutes", Whole("a whole number"), "Injection to scan, minutes."
            ),
        ),
    ),
    Sheet(
        "readings",
        "What was read from a study after the baseline, at most one row per study.",
        Reading,
        ("study", "studies"),
        _STUDY_KEY,
        (
            *_study_columns("study__"),
            Column(
                "overall_response",
                "overall_response",
                code_of(OverallResponse.values),
                "Overall response by RECIST 1.1.",
                required=True,
            ),
            Column(
                "new_lesions",
                "new_lesions",
                YesNo(),
                "Whether a new lesion was seen; blank: no.",
                blank=False,
            ),
            _note(),
        ),
    ),
)
SHEET = {sheet.name: sheet for sheet in SHEETS}
