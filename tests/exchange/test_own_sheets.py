"""A clinic's own sheet: what is certain is taken, what can be read in two ways is refused and named."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Centre, User
from exchange import importing
from exchange.mapping import SheetMapping
from exchange.models import Import, ImportState
from exchange.problems import ImportRefused
from patients.models import Contact, Death, Patient, PatientIdentity
from tests.exchange.sheets import CLEAR, NEXT, PROTOCOL, at, messy, workbook
from treatments.models import Administration, Course, Cycle, LabResult


def checked(content: bytes, centre: Centre, by: User, **reading: str) -> Import:
    """Return a file that was mapped as suggested and checked."""
    job = importing.receive(content, centre=centre, by=by)
    proposed = importing.proposed(job).as_json()
    proposed["reading"] |= reading
    proposed["stated"] |= {"courses.protocol": PROTOCOL}
    # The second cycle's header says no unit.
    importing.set_columns(job, SheetMapping.of_json(proposed), by=by)
    importing.ask_check(job, by=by)
    return job


def said(job: Import) -> list[str]:
    return [f"{one['row']} {one['column']} {one['value']!r}: {one['expected']}" for one in job.problems]


def test_the_header_is_found_under_titles_and_its_merged_cells_name_the_cycles(station, data_manager):
    job = importing.receive(messy(), centre=station, by=data_manager)

    mapping = importing.proposed(job)

    assert (mapping.first, mapping.last) == (3, 4)
    assert [(one.name, one.target, one.of, one.unit) for one in mapping.columns] == [
        ("Pat-ID", "patients.mrn", "", ""),
        ("Nachname", "patients.family_name", "", ""),
        ("Geburtsdatum", "patients.birth_date", "", ""),
        ("Geschlecht", "patients.sex", "", ""),
        ("Zyklus 1 · Datum", "cycles.administered_at", "1", ""),
        ("Zyklus 1 · Aktivität (GBq)", "cycles.administered_activity_mbq", "1", "GBq"),
        ("Zyklus 2 · Datum", "cycles.administered_at", "2", ""),
        ("Zyklus 2 · Aktivität", "cycles.administered_activity_mbq", "2", ""),
        ("Gewicht (kg)", "cycles.body_weight_kg", "", "kg"),
    ]


def test_a_messy_sheet_is_imported_with_all_that_is_certain(station, data_manager):
    job = checked(messy(), station, data_manager)
    assert (said(job), job.state) == ([], ImportState.CHECKED)
    assert Patient.objects.count() == 0

    assert importing.ask_import(job, by=data_manager)
    assert importing.run(job.pk)

    job.refresh_from_db()
    assert job.state == ImportState.DONE
    assert dict(PatientIdentity.objects.values_list("mrn", "patient__registry_number")) == {
        "4711": "STA-0001",
        "4712": "STA-0002",
        "4713": "STA-0003",
    }
    assert PatientIdentity.objects.get(mrn="4713").family_name == "Doe"
    given = Administration.objects.order_by("administered_at").values_list(
        "cycle__course__patient__registry_number",
        "cycle__number",
        "administered_at",
        "administered_activity_mbq",
        "body_weight_kg",
    )
    assert list(given) == [
        ("STA-0001", 1, datetime(2019, 1, 14, 8, 30, tzinfo=UTC), Decimal("7400.0"), Decimal("71.5")),
        ("STA-0002", 1, datetime(2019, 2, 18, 7, 45, tzinfo=UTC), Decimal("7391.0"), Decimal("80.0")),
        ("STA-0003", 1, datetime(2019, 2, 18, 10, 0, tzinfo=UTC), Decimal("7400.0"), Decimal("64.0")),
        ("STA-0001", 2, datetime(2019, 3, 13, 9, 15, tzinfo=UTC), Decimal("7400.0"), Decimal("71.5")),
    ]
    assert Course.objects.count() == 3
    assert [patient.birth_date.isoformat() for patient in Patient.objects.order_by("registry_number")] == [
        "1957-12-25",
        "1949-11-30",
        "1961-05-30",
    ]


def test_a_date_that_could_be_two_days_is_refused_and_nothing_else(station, data_manager):
    job = checked(messy(*NEXT), station, data_manager)

    assert job.state == ImportState.REFUSED
    assert said(job) == [
        "10 Geburtsdatum '03/04/1959': could be 1959-03-04 or 1959-04-03: say in the columns step whether the day or the"
        " month stands first"
    ]
    assert Patient.objects.count() == 0


@pytest.mark.parametrize(("style", "day"), [("dmy", "1959-04-03"), ("mdy", "1959-03-04")])
def test_a_stated_style_decides_it(station, data_manager, style: str, day: str):
    content = messy(*NEXT, clear=False)
    job = checked(content, station, data_manager, date_style=style)
    assert said(job) == []
    importing.ask_import(job, by=data_manager)
    importing.run(job.pk)

    assert Patient.objects.get().birth_date.isoformat() == day


WRONG: list[tuple[int, Any, str]] = [
    (2, "03.04.59", "expected a year of four digits"),
    (2, 21543, "expected a date; a bare number is none"),
    (2, "31.02.1959", "expected a date that exists"),
    (3, "?!", "expected one of female, male, other, unknown"),
    (4, "14.01.2019", "expected a time beside the date: state one for all rows"),
    (5, "7,400", "could be 7.400 or 7400: say in the columns step"),
    (5, "ca. 7,4", "expected a number; “<”, “ca.” and words are not taken"),
    (5, "7,4 Ci", "“Ci” stands behind the number; expected one of MBq, GBq, kBq, mCi"),
    (5, "74 GBq", "expected a number above 0 up to 20000"),
]


@pytest.mark.parametrize(("column", "cell", "expected"), WRONG)
def test_what_is_not_certain_is_named_with_its_row_and_column(station, data_manager, column, cell, expected):
    row = list(CLEAR[0])
    row[column] = cell

    job = checked(messy(row, clear=False), station, data_manager)

    assert len(job.problems) == 1
    assert job.problems[0]["row"] == 5
    assert job.problems[0]["column"] == importing.proposed(job).columns[column].name
    assert job.problems[0]["expected"].startswith(expected)


def test_an_activity_without_a_unit_anywhere_is_refused(station, data_manager):
    row = list(CLEAR[0])
    row[7] = 7400

    job = checked(messy(row, clear=False), station, data_manager)

    assert said(job) == [
        "5 Zyklus 2 · Aktivität '7400': expected a unit, one of MBq, GBq, kBq, mCi: state it in the columns step"
    ]


def test_a_row_that_is_there_twice_is_named(station, data_manager):
    job = checked(messy(CLEAR[2]), station, data_manager)

    assert said(job) == ["10  '': says the same as row 7: leave one of the two out"]


def test_one_mrn_with_two_birth_dates_is_named_without_the_mrn(station, data_manager):
    other = list(CLEAR[2])
    other[2] = "1.12.1949"

    job = checked(messy(other), station, data_manager, date_style="dmy")

    assert said(job) == [
        "10 Geburtsdatum '1949-12-01': row 7 says “1949-11-30” of the same patient: correct one, or leave it out"
    ]
    assert "4712" not in str(job.problems)


def test_a_row_of_nobody_is_named(station, data_manager):
    job = checked(messy([None, "Roe", "1.1.1950", "w"]), station, data_manager)

    assert said(job) == ["10 Pat-ID '': expected the patient's MRN or registry number: this row is nobody's"]


def test_a_second_sheet_adds_to_the_patients_it_names_and_blank_cells_take_nothing_away(
    station, data_manager
):
    first = checked(messy(), station, data_manager)
    importing.ask_import(first, by=data_manager)
    importing.run(first.pk)
    content = workbook(
        [
            ["MRN", "Zyklus", "Datum der Gabe", "Aktivität (MBq)", "Gewicht (kg)"],
            ["4712", "Zyklus 2", at(2019, 4, 15, 9), 7350, None],
            ["4712", 1, at(2019, 2, 18, 8, 45), 7391, None],
        ]
    )

    job = checked(content, station, data_manager)
    assert (said(job), job.counts["cycles"]) == ([], {"new": 1, "changed": 0, "unchanged": 1})
    importing.ask_import(job, by=data_manager)
    importing.run(job.pk)

    assert Patient.objects.count() == 3
    cycles = Cycle.objects.filter(course__patient__identity__mrn="4712").order_by("number")
    assert [(cycle.number, cycle.status) for cycle in cycles] == [(1, "given"), (2, "given")]
    assert Administration.objects.get(cycle=cycles[0]).body_weight_kg == Decimal("80.0")


def test_a_sheet_that_says_nothing_of_a_cycle_but_its_weight_takes_no_administration_back(
    station, data_manager
):
    first = checked(messy(), station, data_manager)
    importing.ask_import(first, by=data_manager)
    importing.run(first.pk)
    content = workbook([["MRN", "Zyklus", "Charge"], ["4712", 1, "L-77"]])

    job = checked(content, station, data_manager)
    importing.ask_check(job, by=data_manager, reason="Lots were missing")
    importing.ask_import(job, by=data_manager)
    importing.run(job.pk)

    given = Administration.objects.current().get(cycle__course__patient__identity__mrn="4712")
    assert (given.lot, given.cycle.status) == ("L-77", "given")


def test_an_mrn_under_any_header_is_not_kept_in_problems(station, data_manager):
    job = importing.receive(
        workbook([["Nr.", "Kürzel", "DOB", "Sex"], ["x" * 41, "y" * 101, "1.1.1950", "w"]]),
        centre=station,
        by=data_manager,
    )
    mapping = importing.proposed(job).as_json()
    for column, target in zip(mapping["columns"], ("patients.mrn", "patients.family_name"), strict=False):
        column["target"] = target
    importing.set_columns(job, SheetMapping.of_json(mapping), by=data_manager)
    importing.ask_check(job, by=data_manager)

    job.refresh_from_db()
    assert said(job) == [
        "2 Kürzel '': expected at most 100 characters, not 101",
        "2 Nr. '': expected at most 40 characters, not 41",
    ]


def test_a_formula_that_was_never_computed_is_refused_instead_of_taken_for_an_empty_cell(
    station, data_manager
):
    with pytest.raises(ImportRefused) as refused:
        importing.receive(workbook([["MRN", "DOB"], ["1", "=A1"]]), centre=station, by=data_manager)

    assert "never computed" in str(refused.value.problems[0])


def test_laboratory_values_stand_side_by_side(station, data_manager):
    first = checked(messy(), station, data_manager)
    importing.ask_import(first, by=data_manager)
    importing.run(first.pk)
    content = (
        "Pat-ID;Labordatum;Thrombozyten (G/l);Hb;Kreatinin (mg/dl)\r\n"
        "4711;14.01.2019;212 10^9/L;12,4 g/dl;0,9\r\n4712;18.02.2019;;;1,1\r\n"
    ).encode("cp1252")

    job = checked(content, station, data_manager)
    importing.ask_import(job, by=data_manager)
    importing.run(job.pk)

    assert said(job) == []
    stored = LabResult.objects.values_list("patient__registry_number", "analyte", "value", "original_unit")
    assert sorted((number, analyte, value.normalize(), unit) for number, analyte, value, unit in stored) == [
        ("STA-0001", "creatinine", Decimal("79.56"), "mg/dL"),
        ("STA-0001", "haemoglobin", Decimal("124").normalize(), "g/dL"),
        ("STA-0001", "platelets", Decimal("212"), "10⁹/L"),
        ("STA-0002", "creatinine", Decimal("97.24"), "mg/dL"),
    ]


def test_a_follow_up_list_by_registry_number_takes_what_is_stated_for_every_row(station, data_manager):
    first = checked(messy(), station, data_manager)
    importing.ask_import(first, by=data_manager)
    importing.run(first.pk)
    content = workbook(
        [
            ["Registernummer", "Letzter Kontakt", "Todesdatum", "ECOG"],
            ["STA-0001", "2.5.2019", None, None],
            ["STA-0002", "25.4.2019", "26.04.2019", None],
        ]
    )
    job = importing.receive(content, centre=station, by=data_manager)
    mapping = importing.proposed(job).as_json()
    mapping["columns"][3]["target"] = ""
    mapping["reading"]["date_style"] = "dmy"
    with pytest.raises(ValidationError) as missing:
        importing.set_columns(job, SheetMapping.of_json(mapping), by=data_manager)
    assert "contacts needs source" in str(missing.value)
    mapping["stated"] |= {"contacts.source": "visit", "deaths.cause": "unknown"}
    importing.set_columns(job, SheetMapping.of_json(mapping), by=data_manager)
    importing.ask_check(job, by=data_manager)
    assert said(job) == []
    importing.ask_import(job, by=data_manager)
    importing.run(job.pk)

    seen = Contact.objects.order_by("known_alive_on").values_list(
        "patient__registry_number", "known_alive_on", "source"
    )
    assert [(number, on.isoformat(), source) for number, on, source in seen] == [
        ("STA-0002", "2019-04-25", "visit"),
        ("STA-0001", "2019-05-02", "visit"),
    ]
    assert Death.objects.get().cause == "unknown"
    assert Patient.objects.count() == 3


def test_a_number_of_nobody_and_a_contradiction_are_named_in_the_rows_of_the_sheet(station, data_manager):
    first = checked(messy(), station, data_manager)
    importing.ask_import(first, by=data_manager)
    importing.run(first.pk)
    content = workbook([["Registry number", "Date of death", "Cause of death"], ["STA-0099", "2019-05-02", "Tumor"], [],
                        ["STA-0001", "2019-01-20", "Tumor"]])  # fmt: skip

    job = checked(content, station, data_manager)

    assert [(one["row"], one["column"]) for one in job.problems] == [
        (2, "Registry number"),
        (4, "Date of death"),
    ]
    assert "there is no such row in patients" in job.problems[0]["expected"]
    assert "but the patient died on 2019-01-20" in job.problems[1]["expected"]
