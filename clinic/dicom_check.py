"""What was read of a study, between the page that read it and the page that stores it: sealed, and beside the records.

It travels in a field of the form, signed and for an hour. Whose files they were is no part of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.core import signing
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.models import User
from clinic.lesion_grid import cell_of
from clinic.typed import moment, number_shown, with_reader_sign
from imaging.dicom.facts import NO_PET, DicomStudy, ReportedMeasurement, StudyFacts
from imaging.dicom.suv import SuvFactor
from imaging.models import Lesion, LesionOrgan, Measurement, Modality, Role, Study, Timepoint
from imaging.services.dicom import is_other_than
from languages.wording import day
from patients.models import Patient

SALT = "clinic.dicom_check"
VALID_SECONDS = 60 * 60
G_PER_BQ = "g/Bq"
NEW_STUDY = "new"
LEFT_OUT = "out"
SAME_MOMENT = timedelta(minutes=1)  # a study's injection is typed to the minute
_HUNDREDTH = Decimal("0.01")


class SealBroken(Exception):
    """What came back is not what was given out, is another's, or is too old. The message is for people."""


@dataclass(frozen=True)
class Read:
    """What was read.

    Attributes:
        is_other_person: something spoke against the files being this patient's.
    """

    facts: StudyFacts
    measurements: tuple[ReportedMeasurement, ...] = ()
    is_other_person: bool = False

    @classmethod
    def of(cls, study: DicomStudy, *, is_other_person: bool) -> "Read":
        return cls(study.facts, study.measurements, is_other_person)


# The seal


def sealed(read: Read, *, user: User, patient: Patient, course_number: int) -> str:
    """Return it as a text that only this user can send back, for this course alone."""
    payload = {
        "of": [str(user.pk), str(patient.pk), course_number],
        "facts": {name: _written(getattr(read.facts, name)) for name in _FACTS},
        "suvbw": [_written(read.facts.suvbw.value), read.facts.suvbw.unit, read.facts.suvbw.basis],
        "measured": [{name: _written(getattr(one, name)) for name in _MEASURED} for one in read.measurements],
        "is_other_person": read.is_other_person,
    }
    return signing.dumps(payload, salt=SALT, compress=True, serializer=_Plain)


def unsealed(text: str, *, user: User, patient: Patient, course_number: int) -> Read:
    """Return what was sealed.

    Raises:
        SealBroken: it was changed, is of another user, patient or course, or too old.
    """
    try:
        payload = signing.loads(text, salt=SALT, max_age=VALID_SECONDS, serializer=_Plain)
    except signing.SignatureExpired as error:
        raise SealBroken(_("What was read an hour ago is not kept.")) from error
    except signing.BadSignature as error:
        raise SealBroken(_("What was read did not come back as it was.")) from error
    if payload["of"] != [str(user.pk), str(patient.pk), course_number]:
        raise SealBroken(_("What was read belongs to another page."))
    value, unit, basis = payload["suvbw"]
    facts = {name: _FACTS[name](written) for name, written in payload["facts"].items() if written is not None}
    return Read(
        StudyFacts(**facts, suvbw=SuvFactor(_decimal(value), unit, basis)),
        tuple(
            ReportedMeasurement(**{name: _MEASURED[name](written) for name, written in one.items()})
            for one in payload["measured"]
        ),
        payload["is_other_person"],
    )


class _Plain:
    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


def _written(value: Any) -> Any:
    if isinstance(value, Decimal | date):
        return str(value)
    return value


def _decimal(written: str | None) -> Decimal | None:
    return Decimal(written) if written is not None else None


def _as_it_is(value: Any) -> Any:
    return value


_FACTS: Mapping[str, Any] = {
    "study_instance_uid": _as_it_is,
    "modality": _as_it_is,
    "performed_on": date.fromisoformat,
    "tracer": _as_it_is,
    "injected_activity_mbq": Decimal,
    "injected_at": datetime.fromisoformat,
    "utc_offset_minutes": _as_it_is,
    "half_life_s": Decimal,
    "body_weight_kg": Decimal,
    "uptake_minutes": _as_it_is,
    "slice_thickness_mm": Decimal,
    "warnings": tuple,
    "file_count": _as_it_is,
}
_MEASURED: Mapping[str, Any] = {
    "tracking_identifier": _as_it_is,
    "tracking_uid": _as_it_is,
    "finding_site": _as_it_is,
    "role": _as_it_is,
    "long_axis_mm": _decimal,
    "short_axis_mm": _decimal,
    "suv_max": _decimal,
}


# Beside the study that stands in the registry


@dataclass(frozen=True)
class Row:
    """One thing read.

    Attributes:
        values: the study's fields that taking it fills in; none: it is only shown.
        state: "new", "same", "fills", "differs" or "absent" (not in the files).
    """

    name: str
    label: str
    found: str
    stored: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    state: str = "absent"
    note: str = ""

    @property
    def may_be_taken(self) -> bool:
        return self.state in {"new", "fills", "differs"}

    @property
    def is_taken_at_first(self) -> bool:
        return self.state in {"new", "fills"}


def injected_at(facts: StudyFacts, patient: Patient) -> datetime | None:
    """Return the moment of injection. Without an offset in the files the scanner's clock is the centre's."""
    if facts.injected_at is None:
        return None
    if facts.utc_offset_minutes is not None:
        return (facts.injected_at - timedelta(minutes=facts.utc_offset_minutes)).replace(tzinfo=UTC)
    return timezone.make_aware(facts.injected_at, patient.centre.zone)


def rows_of(facts: StudyFacts, study: Study | None, patient: Patient) -> list[Row]:
    """Return what was read, beside what ``study`` says; None: a study to be made, whose day and kind are asked for."""
    factor = facts.suvbw
    in_g_per_bq = factor.value if factor.unit == G_PER_BQ else None
    # Of a PET alone it is not what lesions are measured on.
    slice_mm = facts.slice_thickness_mm if facts.modality is not None else None
    rows = [
        _row("study_instance_uid", _("Study Instance UID"), facts.study_instance_uid, study),
        _row("tracer", _("Tracer"), facts.tracer, study),
        _row("tracer_activity_mbq", _("Injected activity"), facts.injected_activity_mbq, study, "MBq"),
        _row("injected_at", _("Injected at"), injected_at(facts, patient), study),
        Row("half_life", _("Half-life"), _shown(facts.half_life_s, "s"), state="shown"),
        _row("body_weight_kg", _("Body weight"), facts.body_weight_kg, study, "kg"),
        _row("uptake_minutes", _("Uptake time"), facts.uptake_minutes, study, "min"),
        _factor_row(in_g_per_bq, factor, study),
        _row(
            "slice_thickness_mm",
            _("Slice thickness"),
            slice_mm.quantize(_HUNDREDTH, ROUND_HALF_UP) if slice_mm is not None else None,
            study,
            "mm",
            note=""
            if slice_mm is not None or facts.slice_thickness_mm is None
            else _("{thickness} is the PET's; lesions are measured on CT or MRI.").format(
                thickness=_shown(facts.slice_thickness_mm, "mm")
            ),
        ),
        Row(
            "files",
            _("Files read"),
            number_format(facts.file_count, use_l10n=True, force_grouping=True),
            state="shown",
        ),
    ]
    if study is not None:
        modality = Modality(facts.modality) if facts.modality else None
        rows[:0] = [
            _row("performed_on", _("Study date"), facts.performed_on, study),
            _row("modality", _("Modality"), modality, study),
        ]
    return rows


def _row(name: str, label: str, found: Any, study: Study | None, unit: str = "", *, note: str = "") -> Row:
    stored = getattr(study, name) if study is not None else None
    if name == "modality" and stored:
        stored = Modality(stored)
    if found in (None, ""):
        return Row(name, label, "", _shown(stored, unit), note=note)
    if study is None:
        state = "new"
    elif stored in (None, ""):
        state = "fills"
    else:
        state = "same" if _is_same(found, stored) else "differs"
    return Row(name, label, _shown(found, unit), _shown(stored, unit), {name: found}, state, note)


def _factor_row(in_g_per_bq: Decimal | None, factor: SuvFactor, study: Study | None) -> Row:
    found = factor.value is not None
    values = {"suvbw_factor": in_g_per_bq, "suvbw_basis": factor.basis[:500]} if found else {}
    stored = ""
    state = "new" if found else "absent"
    if study is not None:
        stored = _shown(study.suvbw_factor, G_PER_BQ) or (_("see below") if study.suvbw_basis else "")
        if found and study.suvbw_basis:
            stands = study.suvbw_factor == in_g_per_bq and study.suvbw_basis == values["suvbw_basis"]
            state = "same" if stands else "differs"
        elif found:
            state = "fills"
    unit = G_PER_BQ if factor.unit == G_PER_BQ else factor.unit.removeprefix("1")
    return Row(
        "suvbw_factor", _("SUVbw factor"), _shown(factor.value, unit), stored, values, state, factor.basis
    )


def _is_same(found: Any, stored: Any) -> bool:
    if isinstance(found, datetime):
        return abs(found - stored) < SAME_MOMENT
    return bool(found == stored)


def _shown(value: Any, unit: str = "") -> str:
    if value in (None, ""):
        return ""
    if isinstance(value, Modality):
        return str(value.label)
    if isinstance(value, datetime):
        return moment(timezone.localtime(value))
    if isinstance(value, date):
        return day(value)
    if isinstance(value, Decimal):
        value = with_reader_sign(f"{value:.4g}") if abs(value) < _HUNDREDTH else number_shown(value)
    return f"{value} {unit}".strip()


def study_like(facts: StudyFacts, studies: list[Study]) -> Study | None:
    """Return the study that the files are of: by its UID, else by its day where no other UID is recorded for it."""
    by_uid = [one for one in studies if one.study_instance_uid == facts.study_instance_uid]
    by_day = [
        one
        for one in studies
        if one.performed_on == facts.performed_on
        and not one.study_instance_uid
        and (facts.modality is None or one.modality == facts.modality)
    ]
    return next(iter([*by_uid, *by_day]), None)


def modality_of(facts: StudyFacts) -> str:
    """Return what a new study would be: as the files show, else a PET/CT where they hold a PET."""
    return facts.modality or (Modality.PET_CT.value if facts.suvbw != NO_PET else "")


# Reported lesions

# Words of a finding site, as CID 7150 and others write them, to organs of the registry. The first that fits counts.
_ORGAN_WORDS = (
    ("lymph", LesionOrgan.LYMPH_NODE),
    ("node", LesionOrgan.LYMPH_NODE),
    ("liver", LesionOrgan.LIVER),
    ("hepat", LesionOrgan.LIVER),
    ("pancrea", LesionOrgan.PANCREAS),
    ("small intestine", LesionOrgan.SMALL_INTESTINE),
    ("ileum", LesionOrgan.SMALL_INTESTINE),
    ("jejunum", LesionOrgan.SMALL_INTESTINE),
    ("duodenum", LesionOrgan.SMALL_INTESTINE),
    ("mesenter", LesionOrgan.MESENTERY),
    ("peritone", LesionOrgan.PERITONEUM),
    ("stomach", LesionOrgan.STOMACH),
    ("colon", LesionOrgan.COLON_RECTUM),
    ("rectum", LesionOrgan.COLON_RECTUM),
    ("adrenal", LesionOrgan.ADRENAL),
    ("pleura", LesionOrgan.PLEURA),
    ("lung", LesionOrgan.LUNG),
    ("kidney", LesionOrgan.KIDNEY),
    ("spleen", LesionOrgan.SPLEEN),
    ("ovar", LesionOrgan.OVARY),
    ("breast", LesionOrgan.BREAST),
    ("thyroid", LesionOrgan.THYROID),
    ("brain", LesionOrgan.BRAIN),
    ("heart", LesionOrgan.HEART),
    ("bone", LesionOrgan.BONE),
    ("vertebra", LesionOrgan.BONE),
    ("spine", LesionOrgan.BONE),
    ("femur", LesionOrgan.BONE),
    ("pelvis", LesionOrgan.BONE),
    ("rib", LesionOrgan.BONE),
    ("soft tissue", LesionOrgan.SOFT_TISSUE),
)


def organ_of(finding_site: str) -> str:
    """Return the organ that a finding site names; blank where no word of it is known."""
    said = finding_site.casefold()
    return next((organ.value for word, organ in _ORGAN_WORDS if word in said), "")


def lesion_like(measured: ReportedMeasurement, lesions: list[Lesion]) -> Lesion | None:
    """Return the lesion that was measured: by its tracking UID, else by its label where no other UID is known for it."""
    if measured.tracking_uid:
        for lesion in lesions:
            if lesion.tracking_uid == measured.tracking_uid:
                return lesion
    label = measured.tracking_identifier.upper()
    known = [one for one in lesions if one.label == label]
    return next(
        (one for one in known if not (one.tracking_uid and measured.tracking_uid)),
        None,
    )


@dataclass(frozen=True)
class LesionRow:
    """A measurement out of a report, and where it goes at first.

    Attributes:
        goes_to: key of a lesion, a role of a new one, or blank: a person is to say.
        matched: the label of the lesion that it is of, and by what that was found.
        stored: what has been found of that lesion in the study already.
    """

    index: int
    measured: ReportedMeasurement
    goes_to: str
    organ: str
    matched: str = ""
    stored: str = ""

    @property
    def size(self) -> str:
        one = self.measured
        said = [
            words.format(size=number_shown(value))
            for value, words in (
                (one.long_axis_mm, _("{size} mm long axis")),
                (one.short_axis_mm, _("{size} mm short axis")),
            )
            if value is not None
        ]
        return ", ".join(said)

    @property
    def suv(self) -> str:
        return number_shown(self.measured.suv_max) if self.measured.suv_max is not None else ""


def lesion_rows(
    measurements: tuple[ReportedMeasurement, ...],
    lesions: list[Lesion],
    study: Study | None,
    *,
    is_baseline: bool,
) -> list[LesionRow]:
    """Return every measurement with the lesion it is matched to. One query.

    What no lesion matches becomes, at baseline, what the report calls it. Later a person says: a lesion that is not known
    may be a new one, which is progression.
    """
    stored = {
        one.lesion_id: one
        for one in Measurement.objects.current().filter(study=study, lesion__in=lesions).select_related("lesion")
    } if study is not None else {}  # fmt: skip
    labels = {lesion.pk: lesion.label for lesion in lesions}
    found = []
    for index, measured in enumerate(measurements):
        lesion = lesion_like(measured, lesions)
        if lesion is None:
            role = measured.role if is_baseline and measured.role in Role.values else ""
            found.append(LesionRow(index, measured, role or "", organ_of(measured.finding_site)))
            continue
        by = (
            _("{lesion}, by its tracking UID")
            if lesion.tracking_uid == measured.tracking_uid != ""
            else _("{lesion}, by its label")
        )
        one = stored.get(lesion.pk)
        stands = ""
        goes_to = str(lesion.pk)
        if one is not None and study is not None:
            stands = _stands(cell_of(lesion, study, one, labels))
            # What a reader has accepted is not overwritten: by itself it stays, and the page says so.
            if not one.is_draft and is_other_than(one, measured):
                goes_to = LEFT_OUT
        found.append(
            LesionRow(index, measured, goes_to, lesion.organ, by.format(lesion=lesion.label), stands)
        )
    return found


def _stands(cell: Any) -> str:
    said = ", ".join(filter(None, [cell.size, f"SUVmax {cell.suv}" if cell.suv else ""]))
    return _("{found} (imported, not accepted)").format(found=said) if cell.is_draft else said


def timepoint_at_first(studies: list[Study]) -> str:
    """Return a new study's timepoint where there is but one answer: the first study of a course is its baseline."""
    return "" if studies else Timepoint.BASELINE.value
