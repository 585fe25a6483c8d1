"""The cohort file as data: its sheets, their columns and keys. The reader, the writer and docs/cohort-file.md follow it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.access import Act
from accounts.records import ClinicalRecord
from exchange.values import (
    Code,
    Codes,
    Date,
    Kind,
    Lines,
    Measured,
    Moment,
    Number,
    Parts,
    Text,
    Whole,
    Words,
    YesNo,
    code_of,
)
from imaging.models import (
    KRENNING,
    MOST_SIZE_MM,
    MOST_SUV,
    MOST_TRACER_ACTIVITY_MBQ,
    Lesion,
    LesionOrgan,
    LesionState,
    Measurement,
    Modality,
    OverallResponse,
    ReaderRole,
    Reading,
    ReadingRole,
    ReadingStatus,
    Role,
    Study,
    Timepoint,
)
from imaging.models.studies import MOST_SLICE_MM, MOST_WEIGHT_KG
from languages.wording import gettext_noop
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
    PerformanceStatus,
    PrimarySite,
    PriorTherapy,
    PriorTherapyKind,
    Sex,
    TumourType,
    WhoGrade,
)
from treatments.models import (
    AbsorbedDose,
    Administration,
    AdverseEvent,
    AminoAcidRegimen,
    Attribution,
    Course,
    Cycle,
    CycleStatus,
    Discontinuation,
    DiscontinuationReason,
    DoseAdvice,
    DoseDecision,
    DoseMethod,
    EventAction,
    Hold,
    HoldReason,
    Intent,
    LabAnalyte,
    LabResult,
    Organ,
    PriorPrrt,
    SomatostatinAnalogue,
    SomatostatinAnalogueDose,
    VenousAccess,
)
from treatments.rules.labs import ANALYTES


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
        computed: what an export writes, from the other values of the row; nothing of the column is stored.
    """

    name: str
    path: str
    kind: Kind
    words: str
    required: bool = False
    blank: Any = None
    extra: bool = False
    computed: Callable[[Mapping[str, Any]], Any] | None = None


@dataclass(frozen=True)
class Reference:
    """A record that a row names beside the one it belongs to.

    Attributes:
        field: of the row's model.
        sheet: where that record stands.
        columns: of the row, in the order of that sheet's key; where the last is blank, none is named.
    """

    field: str
    sheet: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """One kind of record: a file ``<name>.csv``, or the worksheet ``<name>``.

    Attributes:
        model: what a row is.
        parent: field that holds the record it belongs to, and the sheet that record stands in.
        key: names of the columns that say which record a row is; the first columns of the sheet. One that is not needed
            may be left out: it is then blank.
        references: further records that a row names.
        extra_model, extra_link: a second record that a row may hold, and its field that points at the first.
    """

    name: str
    words: str
    model: type[ClinicalRecord]
    parent: tuple[str, str] | None
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    references: tuple[Reference, ...] = ()
    extra_model: type[ClinicalRecord] | None = None
    extra_link: str = ""

    @property
    def act(self) -> Act:
        return self.model.EDIT_ACT

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


_REGISTRY_NUMBER = Text(
    gettext_noop("a registry number such as STA-0001"), max_length=20, pattern=r"[A-Z]{2,8}-[0-9]{4,}"
)
_NOTE = Text("text of at most 500 characters")
_FROM_ONE = Whole("a whole number from 1", least=1)


def _patient(path: str) -> Column:
    return Column("registry_number", path, _REGISTRY_NUMBER, "The patient, as in patients.", required=True)


def _course(path: str) -> Column:
    return Column("course_number", path, _FROM_ONE, "The patient's course, counted from 1.", required=True)


def _cycle() -> Column:
    return Column("cycle_number", "cycle__number", _FROM_ONE, "The cycle, as in cycles.", required=True)


def _of_cycle() -> tuple[Column, ...]:
    return (
        _patient("cycle__course__patient__registry_number"),
        _course("cycle__course__number"),
        _cycle(),
    )


def _given(name: str, kind: Kind, words: str, *, blank: Any = None) -> Column:
    """Return a column of the administration."""
    return Column(name, name, kind, f"{words} Given cycles only.", blank=blank, extra=True)


def _unit(values: Mapping[str, Any]) -> str:
    """Return the unit in which a laboratory value is stored, and exported."""
    return ANALYTES[values["analyte"]].unit


_ABSORBED_GY = "a number with a decimal point, such as 4.215"
_MOMENT_OR_DAY = Moment(
    gettext_noop(
        "a date and time as 2019-01-07T09:30+01:00, or 2019-01-07T09:30 in the centre's local time, or a date alone"
    ),
    is_date_enough=True,
)
# In whichever unit; what a value can be is checked in the analyte's own.
_LAB = Measured(
    "a number with a decimal point, such as 7.4",
    max_digits=13,
    most=Decimal(1_000_000_000),
    above_least=False,
)


def _dose_gy(name: str, words: str) -> Column:
    return Column(
        name,
        name,
        Number(
            "a number with a decimal point, such as 18.40",
            max_digits=6,
            decimal_places=2,
            most=Decimal(1000),
            above_least=False,
        ),
        words,
    )


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


@dataclass(frozen=True)
class _Status(Code):
    """A signature is given in the registry, with a password, and by nothing else: in a file it is one given elsewhere."""

    def read(self, text: str) -> str:
        status = super().read(text)
        return ReadingStatus.REPORTED.value if status == ReadingStatus.SIGNED else status

    def same(self, stored: Any, read: Any) -> bool:
        return bool((stored == ReadingStatus.DRAFT) == (read == ReadingStatus.DRAFT))


def _suv(name: str, words: str, *, above_least: bool = True) -> Column:
    return Column(
        name,
        name,
        Number(
            "a number with a decimal point, such as 24.60",
            max_digits=6,
            decimal_places=2,
            most=MOST_SUV - Decimal("0.01"),
            above_least=above_least,
        ),
        words,
    )


def _lesion_columns(prefix: str) -> tuple[Column, ...]:
    return (
        _patient(f"{prefix}patient__registry_number"),
        _course(f"{prefix}course_number"),
        Column(
            "reader_role",
            f"{prefix}reader_role",
            code_of(ReaderRole.values),
            "Which reader follows the lesion: two independent readers have lesions of their own.",
            blank=ReaderRole.FIRST.value,
        ),
        Column(
            "label",
            f"{prefix}label",
            _LABEL,
            "What the lesion is called, once for each reader of a course.",
            required=True,
        ),
    )


_LABEL = Text(
    gettext_noop("capital letters and digits, such as L1"), max_length=12, pattern=r"[A-Z0-9][A-Z0-9_-]*"
)
_SITE = Text("text of at most 80 characters", max_length=80)
_UID = Text(gettext_noop("a DICOM UID of digits and dots"), max_length=64, pattern=r"[0-9]+(\.[0-9]+)*")
_LESION_KEY = ("registry_number", "course_number", "reader_role", "label")
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
                "mrn",
                "mrn",
                Text(gettext_noop("an MRN"), max_length=40),
                "Medical record number.",
                blank="",
                extra=True,
            ),
            Column(
                "family_name",
                "family_name",
                Text(gettext_noop("a name"), max_length=100),
                "Family name; needs an MRN.",
                blank="",
                extra=True,
            ),
            Column(
                "given_names",
                "given_names",
                Text(gettext_noop("names"), max_length=100),
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
            Column(
                "stage", "stage", Text(gettext_noop("a stage such as IV"), max_length=20), "Stage.", blank=""
            ),
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
        "performance_statuses",
        "ECOG performance status as found on a day, one row per patient and day.",
        PerformanceStatus,
        ("patient", "patients"),
        ("registry_number", "assessed_on"),
        (
            _patient("patient__registry_number"),
            Column("assessed_on", "assessed_on", Date(), "The day.", required=True),
            Column(
                "ecog",
                "ecog",
                Whole("a whole number from 0 to 5", most=5),
                "ECOG performance status: 0 fully active … 5 dead.",
                required=True,
            ),
            _note(),
        ),
    ),
    Sheet(
        "prior_therapies",
        "Treatments of the tumour before PRRT; earlier PRRT stands in prior_prrt.",
        PriorTherapy,
        ("patient", "patients"),
        ("registry_number", "kind", "agent", "started_on"),
        (
            _patient("patient__registry_number"),
            Column("kind", "kind", code_of(PriorTherapyKind.values), "Kind of treatment.", required=True),
            Column(
                "agent",
                "agent",
                Text(gettext_noop("a drug, regimen or procedure such as lanreotide"), max_length=100),
                "What was given or done.",
                blank="",
            ),
            Column("started_on", "started_on", Date(), "Day it started; blank: not known."),
            Column("ended_on", "ended_on", Date(), "Day it ended; blank: it goes on, or is not known."),
            _note(),
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
                Text(gettext_noop("the code of a protocol in the registry"), max_length=60),
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
            Column(
                "set_on",
                "set_on",
                Date(),
                "Day set by hand, which goes before the protocol's; of cycle 1 the start of the course.",
            ),
            Column("status", "status", code_of(CycleStatus.values), "Where the cycle stands.", required=True),
            Column(
                "planned_activity_mbq",
                "prescribed_activity_mbq",
                Number(),
                "Activity prescribed for the cycle where it is not the protocol's, MBq; blank: the protocol's.",
            ),
            Column(
                "cancel_reason",
                "cancel_reason",
                _NOTE,
                "Why this cycle alone was left out; blank where its course was discontinued. Cancelled cycles only.",
                blank="",
            ),
            _given(
                "administered_at",
                Moment(),
                "Start of the infusion. With its offset from UTC, or in the centre's local time.",
            ),
            _given(
                "prescribed_activity_mbq",
                Number(),
                "Activity that was prescribed, MBq; blank: planned_activity_mbq, or else the protocol's.",
            ),
            _given(
                "administered_activity_mbq",
                Number(),
                "Net activity at administered_at, residual taken off, MBq; blank: computed from syringe and residual.",
            ),
            _given("syringe_activity_mbq", Number(), "Activity of the syringe at syringe_measured_at, MBq."),
            _given(
                "syringe_measured_at", Moment(), "When the syringe was measured, before the infusion began."
            ),
            _given(
                "residual_activity_mbq",
                Number(above_least=False),
                "What stayed in syringe and lines at residual_measured_at, MBq; blank: not measured.",
            ),
            _given(
                "residual_measured_at", Moment(), "When the residual was measured, after the infusion began."
            ),
            _given("infusion_ended_at", Moment(), "End of the infusion."),
            _given(
                "volume_ml",
                Number("a number with a decimal point, such as 25.0", max_digits=6, most=Decimal(1000)),
                "Infused volume, mL.",
            ),
            _given(
                "amino_acid_regimen",
                code_of(AminoAcidRegimen.values),
                "Amino acids given to protect the kidneys; blank: not known.",
                blank="",
            ),
            _given(
                "amino_acid_minutes",
                Whole(gettext_noop("a whole number"), most=1440),
                "Duration of the amino acid infusion, minutes.",
            ),
            _given(
                "antiemetic",
                Text(gettext_noop("a drug"), max_length=100),
                "Antiemetic; blank: not known.",
                blank="",
            ),
            _given(
                "body_weight_kg",
                Number(
                    "a number with a decimal point, such as 71.5",
                    max_digits=4,
                    least=Decimal(20),
                    most=Decimal(350),
                    above_least=False,
                ),
                "Body weight on the day, kg.",
            ),
            _given(
                "venous_access", code_of(VenousAccess.values), "Venous access; blank: not known.", blank=""
            ),
            _given("is_extravasated", YesNo(), "Whether it ran beside the vein; blank: not known."),
            _given(
                "extravasated_percent",
                Number("a percentage such as 4.5", max_digits=4, most=Decimal(100), above_least=False),
                "Estimate of what ran beside the vein, percent of the net activity; of an extravasation only.",
            ),
            _given(
                "staff", Text(gettext_noop("names or initials"), max_length=200), "Who gave it.", blank=""
            ),
            _given("lot", Text(gettext_noop("a lot number"), max_length=40), "Lot number.", blank=""),
            _given(
                "deviation_explanation",
                _NOTE,
                "Why the activity deviates from the prescription.",
                blank="",
            ),
            _given(
                "confirmed_warnings",
                Words(),
                "Codes of the warnings that were confirmed when it was recorded.",
                blank=(),
            ),
            _given(
                "confirmation_reason",
                _NOTE,
                "Why it was recorded in spite of them; goes with confirmed_warnings.",
                blank="",
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
                Whole(gettext_noop("a whole number")),
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
        "holds",
        "What a cycle waited for, or waits for: one row per hold.",
        Hold,
        ("cycle", "cycles"),
        ("registry_number", "course_number", "cycle_number", "held_on"),
        (
            *_of_cycle(),
            Column("held_on", "held_on", Date(), "Day on which the hold began.", required=True),
            Column("reason", "reason", code_of(HoldReason.values), "Why.", required=True),
            Column("review_on", "review_on", Date(), "Day on which it is looked at again."),
            Column(
                "resumed_on",
                "resumed_on",
                Date(),
                "Day on which the hold ended; blank: it is open, and its cycle held or cancelled.",
            ),
            _note(),
        ),
    ),
    Sheet(
        "dose_decisions",
        "What was decided before a cycle, beside what the rule had advised.",
        DoseDecision,
        ("cycle", "cycles"),
        ("registry_number", "course_number", "cycle_number", "decided_at"),
        (
            *_of_cycle(),
            Column("decided_at", "decided_at", Moment(), "When it was decided.", required=True),
            Column("advice", "advice", code_of(DoseAdvice.values), "What the rule advised.", required=True),
            Column(
                "advice_facts",
                "advice_facts",
                Lines(),
                "What led to the advice, one fact in a line.",
                blank=(),
            ),
            Column("advice_source", "advice_source", _NOTE, "Source of the rule.", blank=""),
            Column(
                "decision",
                "decision",
                code_of(code for code in DoseAdvice.values if code != DoseAdvice.INSUFFICIENT),
                "What was decided.",
                required=True,
            ),
            Column(
                "prescribed_activity_mbq",
                "prescribed_activity_mbq",
                Number(),
                "Activity decided for the cycle, MBq; blank: it is not to be given now.",
            ),
            Column(
                "reason", "reason", _NOTE, "Why; needed where the decision differs from the advice.", blank=""
            ),
        ),
    ),
    Sheet(
        "absorbed_doses",
        "Absorbed doses of organs and lesions, of given cycles.",
        AbsorbedDose,
        ("cycle", "cycles"),
        ("registry_number", "course_number", "cycle_number", "organ", "lesion"),
        (
            *_of_cycle(),
            Column("organ", "organ", code_of(Organ.values), "Organ, or lesion.", required=True),
            Column(
                "lesion",
                "lesion",
                Text(gettext_noop("a name"), max_length=60),
                "Which lesion; of lesions only.",
                blank="",
            ),
            Column(
                "absorbed_dose_gy",
                "absorbed_dose_gy",
                Number(_ABSORBED_GY, decimal_places=3, most=Decimal(1000), above_least=False),
                "Absorbed dose in this cycle, Gy.",
                required=True,
            ),
            Column("method", "method", code_of(DoseMethod.values), "How it was found.", required=True),
            _note(),
        ),
    ),
    Sheet(
        "lab_results",
        "One row per laboratory value.",
        LabResult,
        ("patient", "patients"),
        ("registry_number", "analyte", "taken_at"),
        (
            _patient("patient__registry_number"),
            Column("analyte", "analyte", code_of(LabAnalyte.values), "What was measured.", required=True),
            Column(
                "taken_at",
                "taken_at",
                _MOMENT_OR_DAY,
                "When the sample was taken; a date alone, or local midnight, where the time is not known.",
                required=True,
            ),
            Column("value", "value", _LAB, "The value, in unit.", required=True),
            Column(
                "unit",
                "",
                Text(gettext_noop("a unit that the analyte is given in"), max_length=20),
                "Unit of value and of the limits; blank: the analyte's own. Exports write that one.",
                computed=_unit,
            ),
            Column("lower_limit", "lower_limit", _LAB, "The laboratory's lower limit of normal, in unit."),
            Column("upper_limit", "upper_limit", _LAB, "The laboratory's upper limit of normal, in unit."),
            Column(
                "is_unlikely_confirmed",
                "is_unlikely_confirmed",
                YesNo(),
                "Whether an unlikely value was checked: without yes it is refused; blank: no.",
                blank=False,
            ),
            Column(
                "original_value",
                "original_value",
                Text(gettext_noop("a number as it was written"), max_length=40),
                "The value as it was first written, before conversion; blank: what the row itself converts.",
                blank="",
            ),
            Column(
                "original_unit",
                "original_unit",
                Text(gettext_noop("a unit"), max_length=20),
                "The unit it was first written in.",
                blank="",
            ),
            _note(),
        ),
    ),
    Sheet(
        "adverse_events",
        "One row per adverse event, with its highest grade.",
        AdverseEvent,
        ("patient", "patients"),
        ("registry_number", "term", "onset_on"),
        (
            _patient("patient__registry_number"),
            Column(
                "term",
                "term",
                Text("text of at most 120 characters", max_length=120),
                "A CTCAE term, or free text.",
                required=True,
            ),
            Column("onset_on", "onset_on", Date(), "Day on which it began.", required=True),
            Column(
                "grade",
                "grade",
                Whole("a whole number from 1 to 5", least=1, most=5),
                "Highest CTCAE grade.",
                required=True,
            ),
            Column("resolved_on", "resolved_on", Date(), "Day on which it was over; blank: it was not."),
            Column(
                "attribution",
                "attribution",
                code_of(Attribution.values),
                "Attribution to the treatment.",
                blank=Attribution.NOT_ASSESSED.value,
            ),
            Column("is_serious", "is_serious", YesNo(), "Whether it was serious; blank: no.", blank=False),
            Column(
                "action",
                "action",
                code_of(EventAction.values),
                "What was done about it.",
                blank=EventAction.NONE.value,
            ),
            _note(),
        ),
    ),
    Sheet(
        "somatostatin_analogue_doses",
        "One row per dose of a somatostatin analogue.",
        SomatostatinAnalogueDose,
        ("patient", "patients"),
        ("registry_number", "drug", "given_at"),
        (
            _patient("patient__registry_number"),
            Column("drug", "drug", code_of(SomatostatinAnalogue.values), "Drug.", required=True),
            Column(
                "given_at",
                "given_at",
                _MOMENT_OR_DAY,
                "When it was given; a date alone, or local midnight, where the time is not known.",
                required=True,
            ),
            Column(
                "dose_mg",
                "dose_mg",
                Number(
                    "a number with a decimal point, such as 30.00",
                    max_digits=6,
                    decimal_places=2,
                    most=Decimal(1000),
                ),
                "Dose, mg.",
            ),
            _note(),
        ),
    ),
    Sheet(
        "prior_prrt",
        "Radionuclide therapy before the patient came to this registry, summed up: one row per radiopharmaceutical.",
        PriorPrrt,
        ("patient", "patients"),
        ("registry_number", "radiopharmaceutical", "last_given_on"),
        (
            _patient("patient__registry_number"),
            Column(
                "radiopharmaceutical",
                "radiopharmaceutical",
                Text(gettext_noop("a name such as 90Y-DOTATOC"), max_length=60),
                "What was given.",
                required=True,
            ),
            Column("last_given_on", "last_given_on", Date(), "Day of the last cycle.", required=True),
            Column(
                "cycles",
                "cycles",
                Whole("a whole number from 1", least=1, most=50),
                "Number of cycles.",
                required=True,
            ),
            Column(
                "administered_activity_mbq",
                "administered_activity_mbq",
                Number(max_digits=8, most=Decimal(500_000)),
                "Activity of all cycles together, MBq.",
                required=True,
            ),
            _dose_gy("kidney_dose_gy", "Absorbed dose of the kidneys, all cycles, Gy."),
            _dose_gy("marrow_dose_gy", "Absorbed dose of the red marrow, all cycles, Gy."),
            Column(
                "dose_method",
                "dose_method",
                code_of(DoseMethod.values),
                "How the doses were found; blank: not known.",
                blank="",
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
                Text(gettext_noop("a tracer"), max_length=40),
                "Tracer, such as 68Ga-DOTATATE.",
                blank="",
            ),
            Column(
                "tracer_activity_mbq",
                "tracer_activity_mbq",
                Number(
                    "a number with a decimal point, such as 148.5",
                    max_digits=6,
                    most=Decimal(MOST_TRACER_ACTIVITY_MBQ),
                ),
                "Injected tracer activity, MBq.",
            ),
            Column(
                "uptake_minutes",
                "uptake_minutes",
                Whole(gettext_noop("a whole number")),
                "Injection to scan, minutes.",
            ),
            Column("injected_at", "injected_at", Moment(), "When the tracer was injected."),
            Column(
                "body_weight_kg",
                "body_weight_kg",
                Number(
                    "a number with a decimal point, such as 71.5", max_digits=5, most=Decimal(MOST_WEIGHT_KG)
                ),
                "Body weight at the scan, kg.",
            ),
            Column(
                "slice_thickness_mm",
                "slice_thickness_mm",
                Number(
                    "a number with a decimal point, such as 3.00",
                    max_digits=5,
                    decimal_places=2,
                    most=Decimal(MOST_SLICE_MM),
                ),
                "Slice thickness of the CT or MRI that lesions are measured on, mm.",
            ),
            _suv("liver_suv_mean", "SUVmean of normal liver, g/mL."),
            _suv("spleen_suv_mean", "SUVmean of the spleen, g/mL."),
            Column(
                "krenning_score",
                "krenning_score",
                Whole("a whole number from 0 to 4", most=KRENNING[-1][0]),
                "Krenning score of the lesion with the highest uptake.",
            ),
            Column(
                "study_instance_uid",
                "study_instance_uid",
                _UID,
                "Study Instance UID (DICOM).",
                blank="",
            ),
            Column(
                "suvbw_factor_g_per_bq",
                "suvbw_factor",
                Number(
                    "a number with a decimal point, such as 0.00052",
                    max_digits=18,
                    decimal_places=14,
                    most=Decimal(9999),
                ),
                "What an activity concentration in Bq/mL is multiplied by to give the SUV by body weight, g/Bq.",
            ),
            Column("suvbw_basis", "suvbw_basis", _NOTE, "How that factor was found.", blank=""),
        ),
    ),
    Sheet(
        "lesions",
        "One row per lesion that a reader follows through the studies of a course.",
        Lesion,
        ("patient", "patients"),
        _LESION_KEY,
        (
            *_lesion_columns(""),
            Column(
                "role",
                "role",
                code_of(Role.values),
                "Target, non-target, or new after the baseline.",
                required=True,
            ),
            Column("organ", "organ", code_of(LesionOrgan.values), "Where it is.", required=True),
            Column("site", "site", _SITE, "Where in the organ, such as segment VII.", blank=""),
            Column(
                "selection_reason",
                "selection_reason",
                _NOTE,
                "Why it is kept against what RECIST 1.1 asks of a baseline.",
                blank="",
            ),
            Column("tracking_uid", "tracking_uid", _UID, "Tracking UID of a measurement report.", blank=""),
        ),
    ),
    Sheet(
        "measurements",
        "What was found of a lesion in a study: a size or a state, and its uptake.",
        Measurement,
        ("lesion", "lesions"),
        (*_LESION_KEY, "timepoint", "performed_on", "modality"),
        (
            *_lesion_columns("lesion__"),
            *_study_columns("study__")[2:],
            Column(
                "state",
                "state",
                code_of(LesionState.values),
                "How it was found; blank: measured where there is a size, split with parts, merged with merged_into, or else"
                " only the uptake was measured.",
                blank="",
            ),
            Column(
                "size_mm",
                "size_mm",
                Number(
                    "a number with a decimal point, such as 23.0", max_digits=5, most=Decimal(MOST_SIZE_MM)
                ),
                "Longest diameter, of a node the short axis, mm; of a split lesion the sum of its parts, computed if blank.",
            ),
            Column("parts_mm", "parts_mm", Parts(), "The parts of a split lesion, mm.", blank=()),
            Column(
                "merged_into",
                "merged_into__label",
                _LABEL,
                "Label of the lesion that a merged one is a part of now.",
                blank="",
            ),
            _suv("suv_max", "SUVmax by body weight, g/mL.", above_least=False),
            Column(
                "is_draft",
                "is_draft",
                YesNo(),
                "Whether no reader has accepted it yet, so that it does not count; blank: no.",
                blank=False,
            ),
            _note(),
        ),
        references=(
            Reference("study", "studies", _STUDY_KEY),
            Reference(
                "merged_into", "lesions", ("registry_number", "course_number", "reader_role", "merged_into")
            ),
        ),
    ),
    Sheet(
        "readings",
        "What was read from a study after the baseline, one row for each reader.",
        Reading,
        ("study", "studies"),
        (*_STUDY_KEY, "reader_role"),
        (
            *_study_columns("study__"),
            Column(
                "reader_role",
                "reader_role",
                code_of(ReadingRole.values),
                "Whose reading it is; an adjudicator's counts where the two readers differ.",
                blank=ReadingRole.FIRST.value,
            ),
            Column(
                "status",
                "status",
                _Status(codes=tuple(ReadingStatus.values)),
                "Exports say how the reading stands. An import stores a draft as one, which does not count, and every other"
                " as reported: a signature is given in the registry only.",
                blank=ReadingStatus.REPORTED.value,
            ),
            Column(
                "overall_response",
                "overall_response",
                code_of(OverallResponse.values),
                "Overall response by RECIST 1.1, as the reader said it.",
                required=True,
            ),
            Column(
                "new_lesions",
                "new_lesions",
                YesNo(),
                "Whether a new lesion was seen; blank: no.",
                blank=False,
            ),
            Column(
                "override_reason",
                "override_reason",
                _NOTE,
                "Why it is another response than the one derived from the measurements.",
                blank="",
            ),
            _note(),
        ),
    ),
)
SHEET = {sheet.name: sheet for sheet in SHEETS}
