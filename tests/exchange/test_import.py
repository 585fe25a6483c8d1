"""What an import stores, what it refuses and where it says the problem is."""

# ruff: noqa: E501 - the table of problems reads in lines

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from accounts.models import Centre, Role
from accounts.records import ClinicalRecord, void_record
from exchange import planning, services
from exchange.columns import SHEET, SHEETS
from patients.models import Contact, Death, Patient, PatientIdentity, PriorTherapy
from tests.exchange.conftest import Tables, write_folder
from treatments.models import (
    AbsorbedDose,
    Administration,
    Cycle,
    Hold,
    LabResult,
)

Importer = Callable[..., services.ImportSummary]
Problems = Callable[..., list[str]]


def n_history_rows() -> int:
    return sum(
        model._default_manager.count()
        for model in apps.get_models()
        if issubclass(getattr(model, "pgh_tracked_model", object), ClinicalRecord)
    )


def n_records() -> int:
    return sum(sheet.model._default_manager.count() for sheet in SHEETS)


def test_a_file_is_stored_with_its_values(import_tables: Importer, tables: Tables) -> None:
    summary = import_tables(tables)

    assert {name: counts.new for name, counts in summary.counts.items()} == {
        name: len(rows) for name, rows in tables.items()
    }
    given = Administration.objects.get(cycle__course__patient__registry_number="STA-0001", cycle__number=2)
    assert given.administered_at.isoformat() == "2019-04-01T07:30:00+00:00"
    assert given.administered_activity_mbq == Decimal("7391.5")
    assert PatientIdentity.objects.get().family_name == "Müller, „Erika“"
    assert Contact.objects.get(source="letter").note == "two\nlines; é"


def test_history_says_who_imported_and_through_which_door(
    import_tables: Importer, tables: Tables, physician
) -> None:
    import_tables(tables, by=physician)

    event = apps.get_model("patients", "PatientEvent").objects.first()
    assert event.pgh_context["source"] == "import"
    assert event.pgh_context["username"] == "physician"
    assert n_history_rows() >= n_records()


def test_history_says_which_account_of_the_server_imported(
    import_tables: Importer, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "maria")

    import_tables(tables)

    event = apps.get_model("patients", "PatientEvent").objects.first()
    assert event.pgh_context == {"username": "maria (server)", "source": "import"}


def test_a_second_import_changes_nothing(import_tables: Importer, tables: Tables) -> None:
    import_tables(tables)
    before = n_history_rows()

    summary = import_tables(tables)

    assert all(counts.new == counts.changed == 0 for counts in summary.counts.values())
    assert summary.counts["cycles"].unchanged == 5
    assert n_history_rows() == before
    assert set(Cycle.objects.values_list("version", flat=True)) == {1}


def test_a_dry_run_stores_nothing(import_tables: Importer, tables: Tables) -> None:
    summary = import_tables(tables, dry_run=True)

    assert summary.counts["patients"].new == 2
    assert n_records() == n_history_rows() == 0


def test_one_bad_cell_keeps_the_whole_file_out(problems_of: Problems, tables: Tables) -> None:
    tables["readings"][0]["overall_response"] = "better"

    assert len(problems_of(tables)) == 1
    assert n_records() == n_history_rows() == 0


# Each problem, with its place. Sheet, row (0-based in the fixture), column, value put there, what must be said.
CELLS = [
    ("patients", 0, "birth_date", "02.03.1957", "patients.csv, row 2, birth_date: “02.03.1957”: expected a date as 2019-01-07"),
    ("patients", 0, "birth_date", "1957-02-30", "row 2, birth_date: “1957-02-30”: expected a date that exists"),
    ("patients", 0, "birth_date", "1889-12-31", "row 2, birth_date: “1889-12-31”: expected 1890-01-01 or later"),
    ("patients", 0, "sex", "f", "row 2, sex: “f”: expected one of female, male, other, unknown"),
    ("patients", 0, "sex", "", "row 2, sex: expected a value; one of female"),
    ("patients", 1, "registry_number", "NRD-0002", "row 3, registry_number: “NRD-0002”: expected a number of the centre, STA-…"),
    ("patients", 1, "registry_number", "2", "row 3, registry_number: “2”: expected a registry number such as STA-0001"),
    ("patients", 1, "registry_number", "STA-0001", "row 3, registry_number: “STA-0001”: the same registry_number as in row 2"),
    ("patients", 1, "mrn", "0042", "row 3, mrn: “0042”: the same MRN as in row 2"),
    ("patients", 1, "family_name", "Doe", "row 3, family_name: “Doe”: a name needs an MRN"),
    ("diagnoses", 0, "ki67_percent", "4,5", "row 2, ki67_percent: “4,5”: expected a percentage such as 4.5; a comma is ambiguous"),
    ("diagnoses", 0, "ki67_percent", "100.1", "“100.1”: expected a number from 0 up to 100"),
    ("diagnoses", 0, "metastatic_sites", "liver|toe", "metastatic_sites: “liver|toe”: expected codes with | between them"),
    ("diagnoses", 0, "diagnosed_on", "1950-01-01", "diagnosis on 1950-01-01, but the patient was born on 1957-03-02"),
    ("performance_statuses", 0, "ecog", "6", "performance_statuses.csv, row 2, ecog: “6”: expected a whole number from 0 to 5"),
    ("performance_statuses", 0, "ecog", "-1", "row 2, ecog: “-1”: expected a whole number from 0 to 5"),
    ("performance_statuses", 1, "assessed_on", "2018-12-20", "row 3, assessed_on: “2018-12-20”: the same registry_number, assessed_on as in row 2"),
    ("performance_statuses", 1, "assessed_on", "2999-01-01", "row 3, assessed_on: “2999-01-01”: lies in the future"),
    ("performance_statuses", 0, "assessed_on", "1957-03-01", "performance status on 1957-03-01, but the patient was born on 1957-03-02"),
    ("prior_therapies", 0, "kind", "prrt", "prior_therapies.csv, row 2, kind: “prrt”: expected one of somatostatin_analogue"),
    ("prior_therapies", 0, "agent", "x" * 101, "expected at most 100 characters, not 101"),
    ("prior_therapies", 2, "ended_on", "2015-06-01", "row 4, ended_on: “2015-06-01”: expected 2015-06-02 or later, since the therapy began on that day"),
    ("prior_therapies", 2, "ended_on", "2999-01-01", "row 4, ended_on: “2999-01-01”: lies in the future"),
    ("prior_therapies", 1, "started_on", "1957-03-01", "start of a prior therapy on 1957-03-01, but the patient was born on 1957-03-02"),
    ("contacts", 0, "registry_number", "STA-0009", "contacts.csv, row 2, registry_number: “STA-0009”: there is no such row in patients"),
    ("contacts", 1, "known_alive_on", "2019-08-02", "contacts.csv, row 3, known_alive_on: “2019-08-02”: contact on 2019-08-02, but the patient died on 2019-08-01"),
    ("contacts", 0, "known_alive_on", "2999-01-01", "row 2, known_alive_on: “2999-01-01”: lies in the future"),
    ("contacts", 0, "note", "x" * 501, "expected at most 500 characters, not 501"),
    ("courses", 0, "protocol_code", "none", "courses.csv, row 2, protocol_code: “none”: unknown protocol (version 1); known: 177lu-dotatate-4x7400-q8w version 1"),
    ("courses", 0, "course_number", "0", "row 2, course_number: “0”: expected a whole number from 1"),
    ("cycles", 2, "cycle_number", "5", "cycles.csv, row 4, cycle_number: “5”: expected at most cycle 4"),
    ("cycles", 2, "course_number", "2", "row 4, course_number: “2”: there is no such row in courses"),
    ("cycles", 1, "cycle_number", "3", "cycles.csv, row 4, cycle_number: “3”: the same registry_number, course_number, cycle_number as in row 3"),
    ("cycles", 2, "cycle_number", "4", "cycles.csv, row 4, cycle_number: “4”: there is no cycle 3 before it"),
    ("cycles", 0, "cycle_number", "4", "cycles.csv, row 3, cycle_number: “2”: there is no cycle 1 before it"),
    ("cycles", 0, "status", "held", "cycles.csv, row 3, status: “given”: cycle 2 was given, but cycle 1 is held: cycles are given in order"),
    ("cycles", 0, "status", "planned", "cycles.csv, row 3, status: “given”: cycle 2 was given, but cycle 1 is planned: cycles are given in order"),
    ("courses", 0, "course_number", "2", "courses.csv, row 2, course_number: “2”: there is no course 1 before it"),
    ("studies", 0, "course_number", "3", "studies.csv, row 2, course_number: “3”: the patient has no course 3, and the next one would be 2"),
    ("cycles", 0, "administered_activity_mbq", "", "row 2, administered_activity_mbq: expected a value, since the cycle was given"),
    ("cycles", 0, "administered_activity_mbq", "7391.55", "“7391.55”: expected at most 1 decimal place(s)"),
    ("cycles", 0, "administered_activity_mbq", "0", "“0”: expected a number above 0 up to 20000"),
    ("cycles", 0, "administered_activity_mbq", "7.391,5", "“7.391,5”: expected a number with a decimal point"),
    ("cycles", 0, "administered_activity_mbq", "1e4", "“1e4”: expected a number with a decimal point"),
    ("cycles", 2, "lot", "L1", "row 4, lot: “L1”: expected nothing, since the cycle is planned, not given"),
    ("cycles", 0, "administered_at", "2019-01-07", "“2019-01-07”: expected a date and time as"),
    ("cycles", 0, "administered_at", "2019-10-27T02:30", "an offset such as +01:00: clocks changed, this local time exists twice"),
    ("cycles", 0, "administered_at", "2019-03-31T02:30", "clocks changed, this local time exists not at all"),
    ("cycles", 1, "administered_at", "2019-01-07T12:00:00+01:00", "row 3, administered_at: “2019-01-07T12:00:00+01:00”: expected a day after cycle 1"),
    ("cycles", 4, "status", "planned", "row 6, status: “planned”: expected cancelled, since the course was discontinued"),
    ("cycles", 3, "administered_at", "2019-02-21T09:00:00+01:00", "cycle 1 was given on 2019-02-21, but the course was discontinued on 2019-02-20"),
    ("cycles", 2, "set_on", "27.05.2019", "row 4, set_on: “27.05.2019”: expected a date as 2019-01-07"),
    ("cycles", 2, "planned_activity_mbq", "20000.1", "row 4, planned_activity_mbq: “20000.1”: expected a number above 0 up to 20000"),
    ("cycles", 2, "cancel_reason", "Journey", "row 4, cancel_reason: “Journey”: expected nothing, since the cycle is planned, not cancelled"),
    ("cycles", 0, "status", "cancelled", "row 2, cancel_reason: expected why it was left out, since cycle 2 was given after it"),
    ("cycles", 2, "is_extravasated", "no", "row 4, is_extravasated: “False”: expected nothing, since the cycle is planned"),
    ("cycles", 2, "confirmed_warnings", "labs_old", "row 4, confirmed_warnings: “labs_old”: expected nothing, since the cycle is planned"),
    ("cycles", 1, "administered_activity_mbq", "7391.4", "row 3, administered_activity_mbq: “7391.4”: expected 7391.6, which syringe and residual give"),
    ("cycles", 1, "administered_activity_mbq", "7391.8", "row 3, administered_activity_mbq: “7391.8”: expected 7391.6, which syringe and residual give"),
    ("cycles", 1, "syringe_activity_mbq", "", "row 3, syringe_activity_mbq: The activity of the syringe is missing"),
    ("cycles", 1, "syringe_measured_at", "", "row 3, syringe_measured_at: When was the syringe measured?"),
    ("cycles", 1, "residual_measured_at", "", "row 3, residual_measured_at: A residual needs its activity and its time"),
    ("cycles", 1, "residual_activity_mbq", "7700", "row 3, syringe_activity_mbq: “7700.0”: The residual"),
    ("cycles", 1, "syringe_measured_at", "2019-04-01T09:30:01+02:00", "row 3, syringe_measured_at: “2019-04-01T09:30:01+02:00”: expected before the infusion began at 2019-04-01T09:30:00+02:00"),
    ("cycles", 1, "residual_measured_at", "2019-04-01T09:29:59+02:00", "row 3, residual_measured_at: “2019-04-01T09:29:59+02:00”: expected after the infusion began at 2019-04-01T09:30:00+02:00"),
    ("cycles", 1, "infusion_ended_at", "2019-04-01T09:29:59+02:00", "row 3, infusion_ended_at: “2019-04-01T09:29:59+02:00”: expected after the infusion began"),
    ("cycles", 1, "infusion_ended_at", "2999-01-01T00:00", "row 3, infusion_ended_at: “2999-01-01T00:00:00+01:00”: lies in the future"),
    ("cycles", 1, "volume_ml", "1000.1", "row 3, volume_ml: “1000.1”: expected a number above 0 up to 1000"),
    ("cycles", 1, "amino_acid_minutes", "1441", "row 3, amino_acid_minutes: “1441”: expected a whole number from 0 to 1440"),
    ("cycles", 1, "amino_acid_regimen", "arginine", "row 3, amino_acid_regimen: “arginine”: expected one of lysine_arginine, commercial, other, none"),
    ("cycles", 1, "body_weight_kg", "19.9", "row 3, body_weight_kg: “19.9”: expected a number from 20 up to 350"),
    ("cycles", 1, "body_weight_kg", "350.1", "row 3, body_weight_kg: “350.1”: expected a number from 20 up to 350"),
    ("cycles", 1, "is_extravasated", "no", "row 3, extravasated_percent: “2.5”: expected nothing, since is_extravasated is not yes"),
    ("cycles", 1, "is_extravasated", "", "row 3, extravasated_percent: “2.5”: expected nothing, since is_extravasated is not yes"),
    ("cycles", 1, "confirmation_reason", "", "row 3, confirmation_reason: expected a value: warnings are confirmed with a reason"),
    ("cycles", 1, "confirmed_warnings", "", "row 3, confirmed_warnings: expected a value: warnings are confirmed with a reason"),
    ("cycles", 1, "confirmed_warnings", "Labs old", "row 3, confirmed_warnings: “Labs old”: expected codes such as outside_window"),
    ("holds", 0, "cycle_number", "4", "holds.csv, row 2, cycle_number: “4”: there is no such row in cycles"),
    ("holds", 0, "resumed_on", "", "holds.csv, row 2, resumed_on: the hold of 2019-02-28 is open and the cycle given: expected the day on which the hold ended"),
    ("holds", 0, "resumed_on", "2019-02-27", "row 2, resumed_on: “2019-02-27”: expected 2019-02-28 or later"),
    ("holds", 0, "resumed_on", "2999-01-01", "row 2, resumed_on: “2999-01-01”: lies in the future"),
    ("holds", 0, "review_on", "2019-02-27", "row 2, review_on: “2019-02-27”: expected 2019-02-28 or later"),
    ("holds", 0, "held_on", "1957-03-01", "row 2, held_on: “1957-03-01”: hold on 1957-03-01, but the patient was born on 1957-03-02"),
    ("holds", 0, "reason", "platelets", "row 2, reason: “platelets”: expected one of haematological"),
    ("dose_decisions", 0, "reason", "", "dose_decisions.csv, row 2, reason: expected a reason, since hold was decided and reduce advised"),
    ("dose_decisions", 0, "decision", "insufficient", "row 2, decision: “insufficient”: expected one of continue, hold, reduce, return, discontinue"),
    ("dose_decisions", 0, "decided_at", "2999-01-01T00:00", "row 2, decided_at: “2999-01-01T00:00:00+01:00”: lies in the future"),
    ("dose_decisions", 0, "advice_facts", "x" * 501, "expected lines of at most 500 characters each"),
    ("absorbed_doses", 0, "cycle_number", "3", "absorbed_doses.csv, row 2, cycle_number: “3”: expected a given cycle: cycle 3 is planned"),
    ("absorbed_doses", 0, "lesion", "liver", "row 2, lesion: “liver”: expected nothing: only the dose of a lesion says which lesion"),
    ("absorbed_doses", 0, "absorbed_dose_gy", "1000.001", "row 2, absorbed_dose_gy: “1000.001”: expected a number from 0 up to 1000"),
    ("absorbed_doses", 1, "lesion", "liver, segment 7", "row 4, lesion: “liver, segment 7”: the same registry_number, course_number, cycle_number, organ, lesion as in row 3"),
    ("lab_results", 0, "analyte", "crea", "lab_results.csv, row 2, analyte: “crea”: expected one of platelets"),
    ("lab_results", 0, "unit", "mg", "row 2, unit: “mg”: expected one of µmol/L, mg/dL, or nothing for µmol/L"),
    ("lab_results", 0, "value", "3000.1", "row 2, value: “3000.1”: Creatinine: 3000.1 µmol/L cannot be. Accepted: 5 to 3000 µmol/L"),
    ("lab_results", 0, "value", "4.9", "row 2, value: “4.9”: Creatinine: 4.9 µmol/L cannot be. Accepted: 5 to 3000 µmol/L"),
    ("lab_results", 0, "value", "<5", "row 2, value: “<5”: expected a number with a decimal point"),
    ("lab_results", 1, "unit", "g/dL", "row 3, value: “119.2436”: Haemoglobin: 1192.4360 g/L cannot be. Accepted: 10 to 260 g/L"),
    ("lab_results", 3, "is_unlikely_confirmed", "no", "row 5, value: “12.5”: Platelets: 12.5 ×10⁹/L is unlikely (usual: 20 to 1000 ×10⁹/L). Check the value and its unit. If it is right, say yes in is_unlikely_confirmed"),
    ("lab_results", 3, "is_unlikely_confirmed", "", "say yes in is_unlikely_confirmed"),
    ("lab_results", 2, "lower_limit", "400", "row 4, upper_limit: “400”: expected above 0 and above lower_limit"),
    ("lab_results", 0, "upper_limit", "1000000.1", "row 2, upper_limit: “1000000.1”: expected at most 1,000,000 µmol/L"),
    ("lab_results", 0, "taken_at", "1957-03-01T12:00", "laboratory value on 1957-03-01, but the patient was born on 1957-03-02"),
    ("lab_results", 0, "taken_at", "2999-01-01T12:00", "row 2, taken_at: “2999-01-01T12:00:00+01:00”: lies in the future"),
    ("adverse_events", 0, "grade", "0", "adverse_events.csv, row 2, grade: “0”: expected a whole number from 1 to 5"),
    ("adverse_events", 0, "grade", "6", "row 2, grade: “6”: expected a whole number from 1 to 5"),
    ("adverse_events", 0, "resolved_on", "2019-05-19", "row 2, resolved_on: “2019-05-19”: expected 2019-05-20 or later"),
    ("adverse_events", 0, "onset_on", "1957-03-01", "adverse event on 1957-03-01, but the patient was born on 1957-03-02"),
    ("somatostatin_analogue_doses", 0, "dose_mg", "1000.01", "somatostatin_analogue_doses.csv, row 2, dose_mg: “1000.01”: expected a number above 0 up to 1000"),
    ("somatostatin_analogue_doses", 0, "given_at", "1957-03-01T12:00", "somatostatin analogue on 1957-03-01, but the patient was born on 1957-03-02"),
    ("prior_prrt", 0, "cycles", "51", "prior_prrt.csv, row 2, cycles: “51”: expected a whole number from 1 to 50"),
    ("prior_prrt", 0, "administered_activity_mbq", "500000.1", "row 2, administered_activity_mbq: “500000.1”: expected a number above 0 up to 500000"),
    ("prior_prrt", 0, "last_given_on", "2999-01-01", "row 2, last_given_on: “2999-01-01”: lies in the future"),
    ("discontinuations", 0, "after_cycle", "2", "discontinuations.csv, row 2, after_cycle: “2”: expected 1, the number of cycles"),
    ("discontinuations", 0, "discontinued_on", "2019-08-02", "discontinuation on 2019-08-02, but the patient died on 2019-08-01"),
    ("studies", 1, "timepoint", "baseline", "studies.csv, row 3, timepoint: “baseline”: expected one baseline study in a course"),
    ("studies", 0, "performed_on", "2019-05-13", "row 3, performed_on: “2019-05-13”: expected after the baseline"),
    ("readings", 0, "performed_on", "2019-05-14", "readings.csv, row 2, modality: “pet_ct”: there is no such row in studies"),
    ("readings", 0, "new_lesions", "yes", "row 2, overall_response: “SD”: expected PD, since there are new lesions"),
    ("readings", 0, "new_lesions", "maybe", "row 2, new_lesions: “maybe”: expected yes or no"),
]  # fmt: skip


@pytest.mark.parametrize(("sheet", "row", "column", "value", "said"), CELLS)
def test_a_problem_names_its_place_its_value_and_what_was_expected(
    problems_of: Problems, tables: Tables, sheet: str, row: int, column: str, value: str, said: str
) -> None:
    tables[sheet][row][column] = value

    problems = problems_of(tables)

    assert any(said in problem for problem in problems), problems


def test_a_study_and_its_reading_of_a_course_that_is_not_there_are_both_told(
    problems_of: Problems, tables: Tables
) -> None:
    del tables["lesions"], tables["measurements"], tables["readings"][1:]
    for sheet, row in (("studies", 1), ("readings", 0)):
        tables[sheet][row]["course_number"] = "7"

    problems = problems_of(tables)

    assert [problem.split(": ")[0] for problem in problems] == [
        "readings.csv, row 2, course_number",
        "studies.csv, row 3, course_number",
    ]


def test_a_baseline_may_precede_the_course_it_is_for(import_tables: Importer, tables: Tables) -> None:
    del tables["lesions"], tables["measurements"]
    tables["studies"][0]["registry_number"] = "STA-0002"
    tables["studies"][0]["course_number"] = "2"
    tables["studies"][0]["performed_on"] = "2019-07-01"

    assert import_tables(tables).counts["studies"].new == 2


def test_what_the_registry_holds_counts_for_the_order_of_cycles_and_courses(
    import_tables: Importer, problems_of: Problems, tables: Tables
) -> None:
    import_tables(tables)
    course = tables["courses"][0] | {"course_number": "3"}
    given = tables["cycles"][0] | {"cycle_number": "4", "administered_at": "2019-06-03T10:00"}

    problems = problems_of({"courses": [course], "cycles": [given]})

    assert problems == [
        "courses.csv, row 2, course_number: “3”: there is no course 2 before it: courses are numbered 1 to n without a gap",
        "cycles.csv, row 2, status: “given”: cycle 4 was given, but cycle 3 is planned: cycles are given in order",
    ]


def test_a_reading_of_a_baseline_is_refused(problems_of: Problems, tables: Tables) -> None:
    tables["readings"][0] |= {"timepoint": "baseline", "performed_on": "2018-12-17"}

    assert (
        "readings.csv, row 2, timepoint: “baseline”: expected a study after the baseline"
        in problems_of(tables)[0]
    )


def test_all_problems_are_reported_at_once(problems_of: Problems, tables: Tables) -> None:
    tables["patients"][0]["sex"] = "f"
    tables["cycles"][0]["administered_activity_mbq"] = "7400,5"
    tables["contacts"][1]["known_alive_on"] = "2019-08-02"

    assert [problem.split(",")[0] for problem in problems_of(tables)] == [
        "contacts.csv",
        "cycles.csv",
        "patients.csv",
    ]


def test_missing_and_unknown_columns_are_named(problems_of: Problems, tables: Tables) -> None:
    for row in tables["patients"]:
        row["gender"] = row.pop("sex")

    problems = problems_of(tables)

    assert "patients.csv, row 1, gender: unknown column; expected registry_number" in problems[0]
    # Nothing is said of rows elsewhere that refer to a sheet which could not be read.
    assert problems[1:] == ["patients.csv, row 1, sex: this column is missing"]


def test_therapies_are_known_by_kind_agent_and_start_dated_or_not(
    import_tables: Importer, tables: Tables
) -> None:
    import_tables(tables)

    again = import_tables(tables).counts["prior_therapies"]
    assert (again.new, again.unchanged) == (0, 3)
    found = PriorTherapy.objects.filter(agent="lanreotide").values_list("started_on", "note")
    assert {(str(on), note) for on, note in found} == {
        ("2015-09-01", "120 mg every 4 weeks"),
        ("None", "Before that"),
    }


def test_an_end_of_a_therapy_is_a_correction_with_a_reason(import_tables: Importer, tables: Tables) -> None:
    import_tables(tables)
    tables["prior_therapies"][1]["ended_on"] = "2018-11-30"

    import_tables(tables, reason="Letter of the oncologist")

    assert str(PriorTherapy.objects.get(started_on="2015-09-01").ended_on) == "2018-11-30"


# The course as it was run


@pytest.mark.parametrize(
    "sheet",
    [
        "performance_statuses",
        "prior_therapies",
        "lab_results",
        "adverse_events",
        "somatostatin_analogue_doses",
        "prior_prrt",
    ],
)
def test_a_fact_after_the_death_of_the_patient_is_refused(
    problems_of: Problems, tables: Tables, sheet: str
) -> None:
    dated = SHEET[sheet].key[-1]
    after = "2019-08-02" if dated.endswith("_on") else "2019-08-02T00:00:00+02:00"
    row = tables[sheet][0] | {"registry_number": "STA-0002", dated: after, "resolved_on": "", "ended_on": ""}
    tables[sheet] = [{name: value for name, value in row.items() if name in tables[sheet][0]}]

    (problem,) = problems_of(tables)

    assert problem.startswith(f"{sheet}.csv, row 2, {dated}: “{after}”: ")
    assert problem.endswith("on 2019-08-02, but the patient died on 2019-08-01")


def test_a_hold_may_follow_a_death_that_was_not_known_yet(import_tables: Importer, tables: Tables) -> None:
    tables["holds"][1] |= {"held_on": "2019-08-02", "review_on": ""}

    assert import_tables(tables).counts["holds"].new == 2


@pytest.mark.parametrize(("net", "kept"), [("7391.5", "7391.5"), ("7391.7", "7391.7"), ("", "7391.6")])
def test_the_net_activity_follows_from_syringe_and_residual(
    import_tables: Importer, tables: Tables, net: str, kept: str
) -> None:
    tables["cycles"][1]["administered_activity_mbq"] = net

    import_tables(tables)

    given = Administration.objects.get(cycle__number=2)
    assert given.administered_activity_mbq == Decimal(kept)
    assert given.confirmed_warnings == ["outside_window", "labs_old"]


def test_a_corrected_syringe_corrects_the_net_activity(
    import_tables: Importer, problems_of: Problems, tables: Tables
) -> None:
    import_tables(tables)
    corrected = tables["cycles"][1] | {"syringe_activity_mbq": "7800.0"}
    del corrected["administered_activity_mbq"]

    assert len(problems_of({"cycles": [corrected]})) == 2  # both are corrections
    import_tables({"cycles": [corrected]}, reason="Calibrator log")

    # 7800.0 / 1.035371 = 7533.5, less 45.4
    assert Administration.objects.get(cycle__number=2).administered_activity_mbq == Decimal("7488.1")


def test_a_cycle_may_be_left_out_with_a_reason_while_later_ones_are_given(
    import_tables: Importer, problems_of: Problems, tables: Tables
) -> None:
    blank = dict.fromkeys((column.name for column in SHEET["cycles"].columns if column.extra), "")
    tables["cycles"][0] |= {"status": "cancelled", **blank}
    del tables["absorbed_doses"]
    assert problems_of(tables) == [
        "cycles.csv, row 2, cancel_reason: expected why it was left out, since cycle 2 was given after it"
    ]
    tables["cycles"][0]["cancel_reason"] = "Long journey"

    import_tables(tables)

    left_out = Cycle.objects.get(number=1, course__patient__registry_number="STA-0001")
    assert (left_out.status, left_out.cancel_reason) == ("cancelled", "Long journey")


def test_a_course_of_given_and_left_out_cycles_cannot_be_discontinued(
    problems_of: Problems, tables: Tables
) -> None:
    blank = dict.fromkeys((column.name for column in SHEET["cycles"].columns if column.extra), "")
    first = tables["cycles"][3]
    tables["cycles"] = [
        first | {"cycle_number": "1", "status": "cancelled", "cancel_reason": "Journey", **blank},
        *(
            first | {"cycle_number": str(number), "administered_at": f"2019-01-{8 + number:02d}T09:30"}
            for number in (2, 3, 4)
        ),
    ]
    tables["discontinuations"][0]["after_cycle"] = "3"
    del tables["holds"], tables["dose_decisions"], tables["absorbed_doses"]

    assert problems_of(tables) == [
        "discontinuations.csv, row 2, discontinued_on: “2019-02-20”: expected no discontinuation: all planned cycles were"
        " given, the course is completed"
    ]


def test_a_restored_cycle_loses_its_reason_also_where_the_file_has_no_such_column(
    import_tables: Importer, problems_of: Problems, tables: Tables
) -> None:
    tables["cycles"][2] |= {"status": "cancelled", "cancel_reason": "Journey", "planned_activity_mbq": ""}
    import_tables(tables)
    restored = {
        name: "planned" if name == "status" else tables["cycles"][2][name]
        for name in ("registry_number", "course_number", "cycle_number", "status")
    }

    assert "status: “planned”: the registry holds “cancelled”" in problems_of({"cycles": [restored]})[0]
    import_tables({"cycles": [restored]}, reason="The journey was put off")

    cycle = Cycle.objects.get(number=3)
    assert (cycle.status, cycle.cancel_reason) == ("planned", "")


def test_a_hold_ends_without_a_reason_and_its_cycle_goes_on(
    import_tables: Importer, problems_of: Problems, tables: Tables
) -> None:
    held = tables["holds"][0] | {
        "cycle_number": "3",
        "held_on": "2019-05-22",
        "review_on": "",
        "resumed_on": "",
    }
    cycle = tables["cycles"][2] | {"status": "held"}
    import_tables(tables | {"holds": [held], "cycles": [*tables["cycles"][:2], cycle, *tables["cycles"][3:]]})

    assert problems_of({"cycles": [tables["cycles"][2]]}) == [
        "cycles.csv, row 2, status: “planned”: the hold of 2019-05-22 is open and the cycle planned: expected the day on"
        " which the hold ended (resumed_on), or a cycle that is held or cancelled"
    ]
    import_tables({"cycles": [tables["cycles"][2]], "holds": [held | {"resumed_on": "2019-06-05"}]})

    assert str(Hold.objects.get(cycle__number=3).resumed_on) == "2019-06-05"
    assert problems_of({"holds": [held | {"resumed_on": "2019-06-06"}]})[0].startswith(
        "holds.csv, row 2, resumed_on: “2019-06-06”: the registry holds “2019-06-05”: a correction"
    )


def test_two_open_holds_of_one_cycle_are_refused(problems_of: Problems, tables: Tables) -> None:
    tables["holds"].append(tables["holds"][1] | {"held_on": "2019-02-19"})

    assert problems_of(tables) == [
        "holds.csv, row 4, resumed_on: expected a day: the cycle has another open hold, of 2019-02-18"
    ]


def test_an_absorbed_dose_of_an_organ_needs_no_column_for_the_lesion(
    import_tables: Importer, tables: Tables
) -> None:
    del tables["absorbed_doses"][1:]
    del tables["absorbed_doses"][0]["lesion"]

    import_tables(tables)

    assert AbsorbedDose.objects.get().lesion == ""
    assert import_tables(tables).counts["absorbed_doses"].unchanged == 1


# Laboratory values

SAMPLE = {"registry_number": "STA-0001", "taken_at": "2019-02-01T08:00"}


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "stored"),
    [
        ("haemoglobin", "12.1", "g/dl", "121"),
        ("creatinine", "0.9", "mg/dL", "79.56"),  # × 88.4
        ("bilirubin", "1.1", "mg/dl", "18.8144"),  # × 17.104
        ("platelets", "231", "10^3/ul", "231"),
        ("platelets", "231000", "/µL", "231"),
        ("albumin", "41", "", "41"),
    ],
)
def test_a_value_is_converted_and_what_was_written_is_kept(
    import_tables: Importer, tables: Tables, analyte: str, value: str, unit: str, stored: str
) -> None:
    row = SAMPLE | {"analyte": analyte, "value": value, "unit": unit, "upper_limit": value}

    import_tables(tables | {"lab_results": [row]})

    result = LabResult.objects.get()
    assert result.value == result.upper_limit == Decimal(stored)
    assert (result.original_value, result.original_unit) == (value, unit or "g/L")
    # Once more, the file changes nothing.
    assert import_tables({"lab_results": [row]}).counts["lab_results"].unchanged == 1


def test_a_sample_of_an_unknown_time_is_a_date_alone(import_tables: Importer, tables: Tables) -> None:
    row = SAMPLE | {"taken_at": "2019-05-20", "analyte": "platelets", "value": "190"}

    import_tables(tables | {"lab_results": [row]})

    assert LabResult.objects.get().taken_at.isoformat() == "2019-05-19T22:00:00+00:00"


def test_a_file_without_originals_leaves_them_alone(import_tables: Importer, tables: Tables) -> None:
    import_tables(tables)
    row = {
        name: tables["lab_results"][0][name] for name in ("registry_number", "analyte", "taken_at", "value")
    }

    assert import_tables({"lab_results": [row]}).counts["lab_results"].unchanged == 1
    import_tables({"lab_results": [row | {"value": "100"}]}, reason="Typing error")

    result = LabResult.objects.get(analyte="creatinine")
    assert (result.original_value, result.original_unit) == ("100", "µmol/L")


def test_a_corrected_value_must_not_contradict_its_original(
    import_tables: Importer, problems_of: Problems, tables: Tables
) -> None:
    import_tables(tables)
    row = tables["lab_results"][0] | {"value": "100"}

    assert problems_of({"lab_results": [row]}, reason="Typing error") == [
        "lab_results.csv, row 2, original_value: “1.20”: is 106.08 µmol/L, not the value of this row: correct it, or"
        " leave original_value and original_unit blank"
    ]
    import_tables({"lab_results": [row | {"original_value": "", "original_unit": ""}]}, reason="Typing error")
    assert LabResult.objects.get(analyte="creatinine").value == 100


def test_every_laboratory_value_has_its_history(import_tables: Importer, tables: Tables, physician) -> None:
    import_tables(tables, by=physician)

    events = apps.get_model("treatments", "LabResultEvent").objects.all()
    assert sorted(events.values_list("analyte", flat=True)) == [
        "creatinine",
        "haemoglobin",
        "platelets",
        "platelets",
    ]
    assert {event.pgh_context["username"] for event in events} == {"physician"}
    assert {event.pgh_label for event in events} == {"insert"}


# Files of the form before the course was recorded as it is run

BEFORE = (
    "registry_number", "course_number", "cycle_number", "planned_on", "status", "administered_at",
    "prescribed_activity_mbq", "administered_activity_mbq", "lot", "deviation_explanation", "note",
)  # fmt: skip
SHEETS_BEFORE = (
    "patients", "diagnoses", "contacts", "disease_events", "deaths", "courses", "cycles", "discontinuations", "studies",
    "readings",
)  # fmt: skip


def test_a_file_of_the_earlier_form_is_read_and_gives_the_same(
    import_tables: Importer, tables: Tables
) -> None:
    earlier = {name: tables[name] for name in SHEETS_BEFORE}
    earlier["cycles"] = [{name: row[name] for name in BEFORE} for row in tables["cycles"]]

    import_tables(earlier)

    given = Administration.objects.get(cycle__number=2)
    assert (given.administered_activity_mbq, given.prescribed_activity_mbq) == (Decimal("7391.5"), 7400)
    assert (given.syringe_activity_mbq, given.is_extravasated, given.staff) == (None, None, "")
    cycle = Cycle.objects.get(number=3)
    assert (str(cycle.planned_on), cycle.set_on, cycle.prescribed_activity_mbq) == ("2019-05-27", None, None)
    assert import_tables(earlier).counts["cycles"].unchanged == 5


def test_a_file_of_the_earlier_form_leaves_what_it_does_not_say(
    import_tables: Importer, tables: Tables
) -> None:
    import_tables(tables)
    earlier = [{name: row[name] for name in BEFORE} for row in tables["cycles"]]

    assert import_tables({"cycles": earlier}).counts["cycles"].unchanged == 5
    assert Administration.objects.get(cycle__number=2).staff == "MK, TB"


# Corrections


def test_a_correction_without_a_reason_is_refused_with_old_and_new_value(
    import_tables: Importer, problems_of: Problems, tables: Tables
) -> None:
    import_tables(tables)
    tables["patients"][0]["birth_date"] = "1957-03-03"
    tables["cycles"][0]["administered_activity_mbq"] = "7400.0"

    problems = problems_of(tables)

    assert any("birth_date: “1957-03-03”: the registry holds “1957-03-02”" in problem for problem in problems)
    assert any("“7400.0”: the registry holds “7391.5”" in problem for problem in problems)
    assert str(Patient.objects.get(registry_number="STA-0001").birth_date) == "1957-03-02"


def test_a_correction_with_a_reason_is_stored_with_it(import_tables: Importer, tables: Tables) -> None:
    import_tables(tables)
    tables["patients"][0]["birth_date"] = "1957-03-03"
    tables["diagnoses"][0]["stage"] = ""

    summary = import_tables(tables, reason="Birth certificate seen")

    assert summary.counts["patients"].changed == summary.counts["diagnoses"].changed == 1
    patient = Patient.objects.get(registry_number="STA-0001")
    assert (str(patient.birth_date), patient.version) == ("1957-03-03", 2)
    assert patient.diagnoses.get().stage == ""
    event = apps.get_model("patients", "PatientEvent").objects.filter(pgh_obj=patient).latest("pgh_id")
    assert event.pgh_context["reason"] == "Birth certificate seen"


def test_a_planned_cycle_may_be_given_without_a_reason(import_tables: Importer, tables: Tables) -> None:
    import_tables(tables)
    tables["cycles"][2] |= {
        "status": "given",
        "administered_at": "2019-05-28T10:00",
        "administered_activity_mbq": "7402.0",
    }

    import_tables(tables)

    given = Administration.objects.get(cycle__number=3)
    assert given.administered_at.isoformat() == "2019-05-28T08:00:00+00:00"
    assert given.prescribed_activity_mbq == 3700  # blank: what was planned for the cycle
    given.refresh_from_db()
    assert given.amino_acid_regimen == ""
    assert given.confirmed_warnings == []


def test_a_planned_cycle_may_be_given_by_a_file_that_says_no_more_than_it_must(
    import_tables: Importer, tables: Tables
) -> None:
    import_tables(tables)
    given = {
        "registry_number": "STA-0001",
        "course_number": "1",
        "cycle_number": "3",
        "status": "given",
        "administered_at": "2019-05-28T10:00",
        "administered_activity_mbq": "3702.0",
    }

    import_tables({"cycles": [given]})

    administration = Administration.objects.get(cycle__number=3)
    assert (administration.lot, administration.prescribed_activity_mbq) == ("", 3700)
    assert import_tables({"cycles": [given]}).counts["cycles"].unchanged == 1


def test_a_given_cycle_is_taken_back_only_with_a_reason(
    import_tables: Importer, problems_of: Problems, tables: Tables
) -> None:
    import_tables(tables)
    blank = dict.fromkeys((column.name for column in SHEET["cycles"].columns if column.extra), "")
    tables["cycles"][1] |= {"status": "planned", **blank}

    assert any("the registry holds “given”" in problem for problem in problems_of(tables))
    import_tables(tables, reason="Entered for the wrong patient")

    taken_back = Administration.objects.get(
        cycle__number=2, cycle__course__patient__registry_number="STA-0001"
    )
    assert taken_back.voided_at is not None
    assert taken_back.void_reason == "Entered for the wrong patient"


def test_what_a_file_does_not_hold_is_left_alone(import_tables: Importer, tables: Tables) -> None:
    import_tables(tables)
    for row in tables["patients"]:
        for column in ("mrn", "family_name", "given_names"):
            row.pop(column)
    tables["contacts"].pop()

    summary = import_tables({"patients": tables["patients"], "contacts": tables["contacts"]})

    assert summary.counts["patients"].unchanged == 2
    assert PatientIdentity.objects.count() == 1
    assert Contact.objects.count() == 2


def test_a_new_row_is_checked_against_what_the_registry_holds(
    import_tables: Importer, problems_of: Problems, tables: Tables
) -> None:
    import_tables(tables)
    later = {"registry_number": "STA-0002", "known_alive_on": "2019-09-01", "source": "visit", "note": ""}

    assert problems_of({"contacts": [later]}) == [
        "contacts.csv, row 2, known_alive_on: “2019-09-01”: contact on 2019-09-01, but the patient died on 2019-08-01"
    ]
    earlier = tables["deaths"][0] | {"registry_number": "STA-0001", "died_on": "2019-05-01"}
    assert "deaths.csv, row 2, died_on" in problems_of({"deaths": [earlier]})[0]


def test_an_mrn_of_another_patient_is_refused(
    import_tables: Importer, problems_of: Problems, tables: Tables
) -> None:
    import_tables(tables)
    third = tables["patients"][0] | {"registry_number": "STA-0003"}

    assert problems_of({"patients": [third]}) == [
        "patients.csv, row 2, mrn: “0042”: STA-0001 has this MRN in the registry"
    ]


def test_an_mrn_voided_with_its_patient_is_free(import_tables: Importer, tables: Tables) -> None:
    import_tables({"patients": tables["patients"]})
    void_record(Patient.objects.get(registry_number="STA-0001"), by=None, reason="Another's MRN")
    third = tables["patients"][0] | {"registry_number": "STA-0003"}

    import_tables({"patients": [third]})

    assert PatientIdentity.objects.current().get(mrn="0042").patient.registry_number == "STA-0003"


def test_a_voided_patient_cannot_come_back_by_a_file(
    import_tables: Importer, problems_of: Problems, tables: Tables
) -> None:
    import_tables({"patients": tables["patients"]})
    Patient.objects.filter(registry_number="STA-0001").update(
        voided_at="2020-01-01T00:00Z", void_reason="Duplicate"
    )

    assert (
        "row 2, registry_number: “STA-0001”: this patient was voided"
        in problems_of({"patients": tables["patients"]})[0]
    )


def test_what_only_the_database_sees_is_told_without_a_place(
    problems_of: Problems, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "check_patient", lambda *_, **__: [])
    tables["deaths"][0]["died_on"] = "2019-04-01"

    assert problems_of(tables) == [
        "the database refused the file: The patient died on 2019-04-01: a contact, event or diagnosis cannot be later."
    ]
    assert not Death.objects.exists()


# Who may


@pytest.mark.parametrize(
    ("role", "may"),
    [(Role.DATA_MANAGER, True), (Role.PHYSICIAN, True), (Role.READER, False), (Role.RESEARCHER, False)],
)
def test_roles_decide_who_may_import(
    import_tables: Importer, tables: Tables, user_with: Callable[..., Any], role: str, may: bool
) -> None:
    user = user_with(role)
    if may:
        assert import_tables(tables, by=user).counts["patients"].new == 2
    else:
        with pytest.raises(PermissionDenied):
            import_tables(tables, by=user)
        assert n_records() == 0


def test_identities_need_the_act_of_seeing_them(
    import_tables: Importer, tables: Tables, user_with: Callable[..., Any]
) -> None:
    integration = user_with(Role.INTEGRATION)
    with pytest.raises(PermissionDenied):
        import_tables(tables, by=integration)
    for row in tables["patients"]:
        for column in ("mrn", "family_name", "given_names"):
            row.pop(column)

    assert import_tables(tables, by=integration).counts["patients"].new == 2


def test_roles_at_another_centre_do_not_count(
    import_tables: Importer, tables: Tables, user_with: Callable[..., Any], other_centre: Centre
) -> None:
    with pytest.raises(PermissionDenied):
        import_tables(tables, by=user_with(Role.PHYSICIAN, other_centre))


# The command


def test_the_command_prints_counts(station: Centre, tables: Tables, tmp_path: Path, capsys) -> None:
    call_command("import_cohort", str(write_folder(tmp_path / "c", tables)), "--centre", "STA")

    printed = capsys.readouterr().out
    assert "cycles" in printed
    assert next(line for line in printed.splitlines() if line.startswith("cycles")).split() == [
        "cycles",
        "5",
        "0",
        "0",
    ]


def test_the_command_names_the_known_centres(station: Centre, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"There is no centre XYZ. Known centres: STA\."):
        call_command("import_cohort", str(tmp_path), "--centre", "XYZ")


def test_the_command_prints_every_problem_and_fails(
    station: Centre, tables: Tables, tmp_path: Path, capsys
) -> None:
    tables["patients"][0]["sex"] = "f"
    with pytest.raises(CommandError, match="Nothing was stored"):
        call_command("import_cohort", str(write_folder(tmp_path / "c", tables)), "--centre", "STA")

    assert "patients.csv, row 2, sex" in capsys.readouterr().err


def test_a_cycle_given_later_today_is_refused(problems_of: Problems, tables: Tables) -> None:
    ahead = timezone.now() + timedelta(minutes=11)
    tables["cycles"][2] |= {
        "status": "given",
        "administered_at": ahead.isoformat(timespec="seconds"),
        "administered_activity_mbq": "7400.0",
    }

    assert "cycles.csv, row 4, administered_at" in problems_of(tables)[0]
    assert "lies in the future" in problems_of(tables)[0]
