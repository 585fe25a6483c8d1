"""A small cohort file that imports, and a way to change one thing of it."""

import copy
import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from accounts.models import Centre
from exchange import services
from tests.factories import default_protocol

PROTOCOL = "177lu-dotatate-4x7400-q8w"
Tables = dict[str, list[dict[str, str]]]

# By hand: 8 h before the infusion 177Lu is 1.0354 × as much (2 ^ (8 / 24 / 6.647)), 2 h after it 0.9913 ×.
# 7700.0 / 1.035370 = 7437.0; 45.0 × 1.008725 = 45.4; their difference is 7391.6, within 0.1 of what was recorded.
MEASURED = {
    "syringe_activity_mbq": "7700.0",
    "syringe_measured_at": "2019-04-01T01:30:00+02:00",
    "residual_activity_mbq": "45.0",
    "residual_measured_at": "2019-04-01T11:30:00+02:00",
    "infusion_ended_at": "2019-04-01T10:00:00+02:00",
    "volume_ml": "25.0",
    "amino_acid_regimen": "lysine_arginine",
    "amino_acid_minutes": "240",
    "antiemetic": "Granisetron 1 mg",
    "body_weight_kg": "71.5",
    "venous_access": "peripheral",
    "is_extravasated": "yes",
    "extravasated_percent": "2.5",
    "staff": "MK, TB",
    "confirmed_warnings": "outside_window|labs_old",
    "confirmation_reason": "Patient had travelled far",
}

SMALL: Tables = {
    "patients": [
        {
            "registry_number": "STA-0001",
            "sex": "female",
            "birth_date": "1957-03-02",
            "mrn": "0042",
            "family_name": "Müller, „Erika“",
            "given_names": 'Ana "Nía"',
        },
        {
            "registry_number": "STA-0002",
            "sex": "male",
            "birth_date": "1949-11-30",
            "mrn": "",
            "family_name": "",
            "given_names": "",
        },
    ],
    "diagnoses": [
        {
            "registry_number": "STA-0001",
            "tumour_type": "net",
            "primary_site": "small_intestine",
            "diagnosed_on": "2016-05-04",
            "who_grade": "g2",
            "ki67_percent": "4.5",
            "functional_syndrome": "carcinoid",
            "stage": "IV",
            "metastatic_sites": "liver|bone",
        }
    ],
    "performance_statuses": [
        {"registry_number": "STA-0001", "assessed_on": on, "ecog": ecog, "note": note}
        for on, ecog, note in (("2018-12-20", "0", ""), ("2019-05-20", "2", "Tired"))
    ],
    "prior_therapies": [
        {
            "registry_number": "STA-0001",
            "kind": kind,
            "agent": agent,
            "started_on": started_on,
            "ended_on": ended_on,
            "note": note,
        }
        for kind, agent, started_on, ended_on, note in (
            ("somatostatin_analogue", "lanreotide", "", "", "Before that"),
            ("somatostatin_analogue", "lanreotide", "2015-09-01", "", "120 mg every 4 weeks"),
            ("surgery", "Hemicolectomy", "2015-06-02", "2015-06-02", ""),
        )
    ],
    "contacts": [
        {"registry_number": "STA-0001", "known_alive_on": "2019-06-03", "source": "visit", "note": "=1+1"},
        {
            "registry_number": "STA-0002",
            "known_alive_on": "2019-05-02",
            "source": "letter",
            "note": "two\nlines; é",
        },
    ],
    "disease_events": [
        {
            "registry_number": "STA-0001",
            "kind": "clinical_progression",
            "occurred_on": "2019-06-10",
            "note": "",
        }
    ],
    "deaths": [{"registry_number": "STA-0002", "died_on": "2019-08-01", "cause": "comorbidity", "note": ""}],
    "courses": [
        {
            "registry_number": number,
            "course_number": "1",
            "protocol_code": PROTOCOL,
            "protocol_version": "1",
            "intent": "initial",
        }
        for number in ("STA-0001", "STA-0002")
    ],
    "cycles": [
        {
            "registry_number": number,
            "course_number": "1",
            "cycle_number": str(cycle),
            "planned_on": planned_on,
            "set_on": "2019-05-27" if cycle == 3 else "",
            "status": "given" if at else status,
            "planned_activity_mbq": "3700.0" if cycle == 3 else "",
            "cancel_reason": "",
            "administered_at": at,
            "prescribed_activity_mbq": "7400.0" if at else "",
            "administered_activity_mbq": "7391.5" if at else "",
            "syringe_activity_mbq": "",
            "syringe_measured_at": "",
            "residual_activity_mbq": "",
            "residual_measured_at": "",
            "infusion_ended_at": "",
            "volume_ml": "",
            "amino_acid_regimen": "",
            "amino_acid_minutes": "",
            "antiemetic": "",
            "body_weight_kg": "",
            "venous_access": "",
            "is_extravasated": "",
            "extravasated_percent": "",
            "staff": "",
            "lot": "#N/A" if at else "",
            "deviation_explanation": "",
            "confirmed_warnings": "",
            "confirmation_reason": "",
            "note": "",
        }
        | (MEASURED if cycle == 2 and at else {})
        for number, status, cycle, planned_on, at in (
            ("STA-0001", "planned", 1, "2019-01-07", "2019-01-07T09:30:00+01:00"),
            ("STA-0001", "planned", 2, "2019-03-04", "2019-04-01T09:30:00+02:00"),
            ("STA-0001", "planned", 3, "2019-05-27", ""),
            ("STA-0002", "cancelled", 1, "2019-01-08", "2019-01-08T09:30:00+01:00"),
            ("STA-0002", "cancelled", 2, "", ""),
        )
    ],
    "discontinuations": [
        {
            "registry_number": "STA-0002",
            "course_number": "1",
            "discontinued_on": "2019-02-20",
            "after_cycle": "1",
            "main_reason": "comorbidity",
            "further_reasons": "renal|patient_choice",
            "note": "",
        }
    ],
    "holds": [
        {
            "registry_number": number,
            "course_number": "1",
            "cycle_number": "2",
            "held_on": held_on,
            "reason": "haematological",
            "review_on": review_on,
            "resumed_on": resumed_on,
            "note": "Platelets awaited.",
        }
        for number, held_on, review_on, resumed_on in (
            ("STA-0001", "2019-02-28", "2019-03-14", "2019-03-28"),
            ("STA-0002", "2019-02-18", "2019-03-04", ""),
        )
    ],
    "dose_decisions": [
        {
            "registry_number": "STA-0001",
            "course_number": "1",
            "cycle_number": "3",
            "decided_at": decided_at,
            "advice": "reduce",
            "advice_facts": "Platelets 62 ×10⁹/L on 2019-05-20: grade 2\nCycle 2 was given on 2019-04-01",
            "advice_source": "The label",
            "decision": decision,
            "prescribed_activity_mbq": activity,
            "reason": reason,
        }
        for decided_at, decision, activity, reason in (
            ("2019-05-20T12:00:00.123456+02:00", "hold", "", "Recovery first"),
            ("2019-06-05T10:00:00+02:00", "reduce", "3700.0", ""),
        )
    ],
    "absorbed_doses": [
        {
            "registry_number": "STA-0001",
            "course_number": "1",
            "cycle_number": "1",
            "organ": organ,
            "lesion": lesion,
            "absorbed_dose_gy": gy,
            "method": "spect_ct",
            "note": "",
        }
        for organ, lesion, gy in (
            ("kidneys", "", "4.215"),
            ("lesion", "liver, segment 4", "31.000"),
            ("lesion", "liver, segment 7", "0.000"),
        )
    ],
    "lab_results": [
        {
            "registry_number": "STA-0001",
            "analyte": analyte,
            "taken_at": taken_at,
            "value": value,
            "unit": unit,
            "lower_limit": lower,
            "upper_limit": upper,
            "is_unlikely_confirmed": confirmed,
            "original_value": original,
            "original_unit": original_unit,
            "note": "",
        }
        for analyte, taken_at, value, unit, lower, upper, confirmed, original, original_unit in (
            ("creatinine", "2019-01-04T08:15:00+01:00", "106.08", "µmol/L", "", "104", "no", "1.20", "mg/dL"),
            ("haemoglobin", "2019-01-04T08:15:00+01:00", "119.2436", "g/L", "", "", "no", "7.4", "mmol/L"),
            ("platelets", "2019-01-04T08:15:00+01:00", "190", "10⁹/L", "150", "400", "no", "", ""),
            ("platelets", "2019-05-20T00:00:00+02:00", "12.5", "10⁹/L", "", "", "yes", "12500", "/µL"),
        )
    ],
    "adverse_events": [
        {
            "registry_number": "STA-0001",
            "term": term,
            "onset_on": "2019-05-20",
            "grade": grade,
            "resolved_on": resolved_on,
            "attribution": "probable",
            "is_serious": serious,
            "action": action,
            "note": "",
        }
        for term, grade, resolved_on, serious, action in (
            ("Nausea", "1", "2019-05-21", "no", "none"),
            ("Platelet count decreased", "4", "", "yes", "cycle_held"),
        )
    ],
    "somatostatin_analogue_doses": [
        {
            "registry_number": "STA-0001",
            "drug": "octreotide_lar",
            "given_at": given_at,
            "dose_mg": dose_mg,
            "note": "",
        }
        for given_at, dose_mg in (("2018-12-03T00:00:00+01:00", "30.00"), ("2019-01-08T14:00:00+01:00", ""))
    ],
    "prior_prrt": [
        {
            "registry_number": "STA-0001",
            "radiopharmaceutical": "90Y-DOTATOC",
            "last_given_on": "2016-11-02",
            "cycles": "2",
            "administered_activity_mbq": "6200.0",
            "kidney_dose_gy": "9.80",
            "marrow_dose_gy": "",
            "dose_method": "planar",
            "note": "At another hospital.",
        }
    ],
    "studies": [
        {
            "registry_number": "STA-0001",
            "course_number": "1",
            "timepoint": timepoint,
            "performed_on": on,
            "modality": "pet_ct",
            "tracer": tracer,
            "tracer_activity_mbq": activity,
            "uptake_minutes": minutes,
            "injected_at": injected_at,
            "body_weight_kg": weight,
            "slice_thickness_mm": slice_mm,
            "liver_suv_mean": liver,
            "spleen_suv_mean": spleen,
            "krenning_score": krenning,
            "study_instance_uid": uid,
            "suvbw_factor_g_per_bq": "0.00087950000000" if uid else "",
            "suvbw_basis": "DECY, 68Ga, 71.5 kg" if uid else "",
        }
        for timepoint, on, tracer, activity, minutes, injected_at, weight, slice_mm, liver, spleen, krenning, uid in (
            (
                "baseline",
                "2018-12-17",
                "68Ga-DOTATATE",
                "148.5",
                "60",
                "2018-12-17T09:05:30+01:00",
                "71.5",
                "3.00",
                "5.40",
                "21.75",
                "4",
                "1.2.840.113619.2.55.3",
            ),
            ("interim", "2019-05-13", "", "", "", "", "", "", "", "", "", ""),
        )
    ],
    "lesions": [
        {
            "registry_number": "STA-0001",
            "course_number": "1",
            "reader_role": reader,
            "label": label,
            "role": role,
            "organ": organ,
            "site": site,
            "selection_reason": reason,
            "tracking_uid": uid,
        }
        for reader, label, role, organ, site, reason, uid in (
            ("first", "L1", "target", "liver", "segment VII", "", "1.2.3.4"),
            ("first", "L2", "target", "liver", "segment IV", "", ""),
            ("first", "L3", "target", "lymph_node", "", "Short axis 14 mm, but hot", ""),
            ("first", "L4", "non_target", "bone", "L5", "", ""),
            ("second", "L1", "target", "liver", "", "", ""),
        )
    ],
    # By hand: 40 + 20 + 14 = 74 mm, then 21 + 0 + 9 = 30 mm, 59.5 % below: PR. The second reader: 40 mm, 41 mm: SD.
    "measurements": [
        {
            "registry_number": "STA-0001",
            "course_number": "1",
            "reader_role": reader,
            "label": label,
            "timepoint": timepoint,
            "performed_on": on,
            "modality": "pet_ct",
            "state": state,
            "size_mm": size,
            "parts_mm": parts,
            "merged_into": merged,
            "suv_max": suv,
            "is_draft": draft,
            "note": note,
        }
        for reader, label, timepoint, on, state, size, parts, merged, suv, draft, note in (
            ("first", "L1", "baseline", "2018-12-17", "measured", "40.0", "", "", "32.50", "no", ""),
            (
                "first",
                "L1",
                "interim",
                "2019-05-13",
                "split",
                "21.0",
                "12.0+9.0",
                "",
                "14.00",
                "no",
                "Necrosis",
            ),
            ("first", "L2", "baseline", "2018-12-17", "measured", "20.0", "", "", "", "no", ""),
            ("first", "L2", "interim", "2019-05-13", "merged", "", "", "L1", "", "no", ""),
            ("first", "L3", "baseline", "2018-12-17", "measured", "14.0", "", "", "0.00", "no", ""),
            ("first", "L3", "interim", "2019-05-13", "measured", "9.0", "", "", "", "no", ""),
            ("first", "L4", "baseline", "2018-12-17", "", "", "", "", "8.10", "no", ""),
            ("first", "L4", "interim", "2019-05-13", "present", "", "", "", "", "yes", ""),
            ("second", "L1", "baseline", "2018-12-17", "measured", "40.0", "", "", "", "no", ""),
            ("second", "L1", "interim", "2019-05-13", "measured", "41.0", "", "", "", "no", ""),
        )
    ],
    "readings": [
        {
            "registry_number": "STA-0001",
            "course_number": "1",
            "timepoint": "interim",
            "performed_on": "2019-05-13",
            "modality": "pet_ct",
            "reader_role": reader,
            "status": status,
            "overall_response": response,
            "new_lesions": "no",
            "override_reason": override,
            "note": "",
        }
        for reader, status, response, override in (
            ("adjudicator", "draft", "SD", ""),
            ("first", "reported", "SD", "Fewer slices"),
            ("second", "reported", "SD", ""),
        )
    ],
}


def as_csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_folder(folder: Path, tables: Tables) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        (folder / f"{name}.csv").write_text(as_csv(rows), encoding="utf-8")
    return folder


@pytest.fixture
def tables() -> Tables:
    """The small cohort, to change at will."""
    return copy.deepcopy(SMALL)


@pytest.fixture
def station(centre: Centre) -> Centre:
    default_protocol()
    return centre


@pytest.fixture
def import_tables(station: Centre, tmp_path: Path) -> Callable[..., services.ImportSummary]:
    """Return a function that writes tables as a folder and imports it at the plain centre."""

    def run(tables: Tables, **options: object) -> services.ImportSummary:
        folder = tmp_path / "cohort"
        for file in folder.glob("*.csv"):
            file.unlink()
        return services.import_cohort(write_folder(folder, tables), centre=station, **options)

    return run


@pytest.fixture
def problems_of(import_tables: Callable[..., services.ImportSummary]) -> Callable[..., list[str]]:
    """Return a function that imports tables that must be refused, and returns the problems as text."""

    def run(tables: Tables, **options: object) -> list[str]:
        with pytest.raises(services.ImportRefused) as refused:
            import_tables(tables, **options)
        return [str(problem) for problem in refused.value.problems]

    return run
