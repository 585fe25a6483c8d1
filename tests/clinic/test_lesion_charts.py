"""Figures of lesions: SUVmax and sums of diameters over time, their words, their numbers and who gets them."""

import csv
import io
import json
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role
from analytics.charts import render
from clinic.charts.laboratory import CycleMark
from clinic.charts.lesions import (
    LESION_FIGURES,
    MOST_LABELS,
    LesionCourse,
    LesionTrace,
    SumPoint,
    Uptake,
    sums_alt,
    sums_csv,
    sums_spec,
    uptake_alt,
    uptake_csv,
    uptake_spec,
)
from imaging.models import LesionState, ReaderRole, ReadingRole
from tests.clinic.test_pages import signed_in
from tests.factories import (
    CourseFactory,
    LesionFactory,
    MeasurementFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
)

DAYS = [date(2018, 12, 17), date(2019, 4, 1), date(2019, 8, 1), date(2020, 1, 10)]


def trace(label: str, *values: str | None, role: str = "target") -> LesionTrace:
    points = [
        Uptake(on, Decimal(value)) for on, value in zip(DAYS, values, strict=False) if value is not None
    ]
    return LesionTrace(label, "Liver", role, points)


def point(
    at: int, sum_mm: str, derived: str = "", read: str = "", change: str | None = "0", whole: bool = True
):
    return SumPoint(
        DAYS[at], Decimal(sum_mm), whole, None if change is None else Decimal(change), None, derived, read
    )


FIRST_CYCLE = CycleMark(date(2019, 1, 7), "C1", "Cycle 1")


def course(traces=(), sums=(), cycles=(FIRST_CYCLE,)) -> LesionCourse:
    return LesionCourse(1, list(traces), list(sums), list(cycles))


SUMS = course(
    sums=[
        point(0, "100"),
        point(1, "80", "SD", "SD", "-20"),
        point(2, "60", "PR", "SD", "-40"),
        point(3, "30", "NE", "", None, whole=False),
    ]
)
LESIONS = course(
    [
        trace("L1", "24.1", "12"),
        trace("L2", "31.2", "8"),
        trace("B1", "10", "9", role="non_target"),
        trace("X1", None, None, "40", "50", role="new"),
    ]
)


def layers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return spec["vconcat"][0]["layer"]


def rows(spec: dict[str, Any], style: str, kind: str | None = None) -> list[dict[str, Any]]:
    return [
        row
        for layer in layers(spec)
        if layer["mark"].get("style") == style and kind in {None, layer["mark"]["type"]}
        for row in layer["data"]["values"]
    ]


def footer(spec: dict[str, Any]) -> str:
    return " ".join(spec["vconcat"][0]["title"]["text"])


def test_every_lesion_has_a_line_with_its_name_at_the_end():
    spec = uptake_spec(LESIONS)

    assert [row["text"] for row in rows(spec, "side-name")] == ["L2", "B1", "L1", "X1"]
    assert [row["value"] for row in rows(spec, "trace-target")] == [24.1, 12]


def test_the_hottest_lesion_at_first_is_thicker_whatever_comes_later():
    spec = uptake_spec(LESIONS)

    assert [row["value"] for row in rows(spec, "hottest")] == [31.2, 8]
    style = spec["config"]["style"]
    assert style["hottest"]["strokeWidth"] > 2 * style["trace-target"]["strokeWidth"]
    assert "L2" in footer(spec)


def test_of_two_equally_hot_lesions_the_first_by_label_is_meant():
    found = course([trace("L1", "20"), trace("L2", "20")]).hottest

    assert found is not None
    assert found.label == "L1"


def test_roles_differ_without_colour():
    style = uptake_spec(LESIONS)["config"]["style"]

    dashes = {str(style[f"trace-{role}"].get("strokeDash")) for role in ("target", "non_target", "new")}
    assert len(dashes) == 3
    assert "non-target lesions dashed" in footer(uptake_spec(LESIONS))


def test_names_of_lines_that_end_close_together_do_not_cover_each_other():
    many = course([trace(f"L{n}", "20", "10") for n in range(1, 8)] + [trace("L9", "20", "0.1")])

    spec = uptake_spec(many)

    most = layers(spec)[-1]["encoding"]["y"]["scale"]["domain"][1]
    places = [row["value"] / most * 240 for row in rows(spec, "side-name")]
    assert all(later - earlier > 12.9 for earlier, later in pairwise(places))
    assert max(places) <= 240.01


def test_more_lesions_than_can_be_named_are_drawn_and_it_is_said():
    spec = uptake_spec(course([trace(f"L{n}", "20", f"{n}") for n in range(1, MOST_LABELS + 4)]))

    assert len(rows(spec, "side-name")) == MOST_LABELS
    assert f"Named: the {MOST_LABELS} lesions with the highest last value." in footer(spec)
    assert len(rows(spec, "sample")) == 2 * (MOST_LABELS + 3)


def test_cycles_are_marked():
    for spec in (uptake_spec(LESIONS), sums_spec(SUMS)):
        assert [row["text"] for row in rows(spec, "cycle-name")] == ["C1"]


def test_the_sums_have_baseline_nadir_and_both_bounds():
    spec = sums_spec(SUMS)

    assert [row["text"] for row in rows(spec, "side-name")] == [
        "Nadir: 60 mm",
        "−30 %: 70 mm",
        "Nadir +20 %: 72 mm",
        "Baseline: 100 mm",
    ]
    assert [row["value"] for row in rows(spec, "level")] == [100, 60]


def test_below_25_mm_progression_needs_5_mm():
    small = course(sums=[point(0, "30"), point(1, "20", "PR")])

    assert "Nadir +5 mm: 25 mm" in [row["text"] for row in rows(sums_spec(small), "side-name")]


def test_at_25_mm_both_rules_of_progression_say_30_mm():
    small = course(sums=[point(0, "40"), point(1, "25", "PR")])

    assert "Nadir +20 %: 30 mm" in [row["text"] for row in rows(sums_spec(small), "side-name")]


def test_while_the_baseline_is_the_smallest_sum_it_is_the_nadir_too():
    spec = sums_spec(course(sums=[point(0, "40"), point(1, "44", "SD")]))

    assert "Baseline, nadir: 40 mm" in [row["text"] for row in rows(spec, "side-name")]


def test_an_incomplete_sum_is_no_nadir_and_not_on_the_line():
    spec = sums_spec(SUMS)

    assert [row["value"] for row in rows(spec, "curve")] == [100, 80, 60]
    hollow = [layer for layer in layers(spec) if layer["mark"].get("filled") is False]
    assert [row["said"] for row in hollow[0]["data"]["values"]] == ["30 mm, incomplete"]
    assert "Hollow: incomplete sums" in footer(spec)


def test_the_reading_stands_at_the_point_and_a_star_where_the_rules_say_another():
    spec = sums_spec(SUMS)

    assert [row["mark"] for row in rows(spec, "response-name")] == ["SD", "SD*", "NE"]
    assert rows(spec, "sample")[2]["response"] == "SD (derived PR)"
    assert "differs from the derived response" in footer(spec)


def test_without_a_complete_baseline_there_is_nothing_to_be_compared_with():
    spec = sums_spec(
        course(sums=[point(0, "40", whole=False, change=None), point(1, "44", "NE", change=None)])
    )

    assert not rows(spec, "side-name")


def test_the_figures_are_said_in_words():
    assert "60 mm on 2019-08-01 (−40.0 % from baseline, SD (derived PR))" in sums_alt(SUMS)
    assert "Nadir 60 mm on 2019-08-01." in sums_alt(SUMS)
    assert "L1 (Liver) 24.1 on 2018-12-17, 12 on 2019-04-01" in uptake_alt(LESIONS)
    assert "Hottest at first: L2." in uptake_alt(LESIONS)


def test_the_numbers_have_units_in_their_names_and_the_cycles_after_them():
    sums = list(csv.DictReader(io.StringIO(sums_csv(SUMS))))
    values = list(csv.DictReader(io.StringIO(uptake_csv(LESIONS))))

    assert [(row["on"], row["sum_of_diameters_mm"], row["is_complete"]) for row in sums][2:4] == [
        ("2019-08-01", "60", "yes"),
        ("2020-01-10", "30", "no"),
    ]
    assert sums[2]["derived_response"] == "PR"
    assert sums[2]["read_response"] == "SD"
    assert values[0]["suv_max_g_per_ml"] == "24.1"
    assert [row["kind"] for row in values].count("lesion") == 8
    assert sums[-1]["kind"] == values[-1]["kind"] == "cycle"


@pytest.mark.parametrize(
    "build", [lambda **how: uptake_spec(LESIONS, **how), lambda **how: sums_spec(SUMS, **how)]
)
def test_figures_are_drawn_the_same_every_time_in_all_formats(build):
    assert render(build(), "svg") == render(build(), "svg")
    paper = build(theme="print", synthetic=True)
    assert render(paper, "png").startswith(b"\x89PNG")
    assert render(paper, "pdf").startswith(b"%PDF")
    assert "tooltip" not in json.dumps(paper)
    assert "Synthetic patients." in footer(paper)


# From the database


@pytest.fixture
def followed(centre):
    """A course with two lesions through three studies: 100, 80 and 60 mm."""
    patient = PatientFactory(centre=centre)
    CourseFactory(patient=patient, given=2)
    studies = [
        StudyFactory(patient=patient, timepoint=timepoint, performed_on=on)
        for timepoint, on in zip(("baseline", "interim", "post"), DAYS, strict=False)
    ]
    for label, organ, sizes, suv in (
        ("L1", "liver", (60, 50, 40), "24.1"),
        ("L2", "bone", (40, 30, 20), "31"),
    ):
        lesion = LesionFactory(patient=patient, label=label, organ=organ)
        for at, (study, size) in enumerate(zip(studies, sizes, strict=True)):
            MeasurementFactory(lesion=lesion, study=study, size_mm=Decimal(size), suv_max=Decimal(suv) - at)
    ReadingFactory(study=studies[1], overall_response="SD")
    return patient


def addresses(patient, slug="sums", reader=""):
    query = f"?reader={reader}" if reader else ""
    return [
        reverse("lesion-figure-spec", args=[patient.pk, 1, slug]) + query,
        reverse("lesion-figure-file", args=[patient.pk, 1, slug, "csv"]) + query,
        reverse("lesion-figure-file", args=[patient.pk, 1, slug, "svg"]) + query,
    ]


def test_sums_and_responses_follow_from_what_was_measured(followed, physician):
    spec = signed_in(physician).get(addresses(followed)[0]).json()

    assert [row["value"] for row in rows(spec, "curve")] == [100, 80, 60]
    assert [row["mark"] for row in rows(spec, "response-name")] == ["SD", "PR"]
    assert [row["text"] for row in rows(spec, "cycle-name")] == ["C1", "C2"]


def test_the_uptake_is_drawn_of_what_has_an_uptake(followed, physician):
    spec = signed_in(physician).get(addresses(followed, "suvmax")[0]).json()

    assert [row["value"] for row in rows(spec, "hottest")] == [31, 30, 29]


def test_what_was_imported_and_not_accepted_is_not_drawn(followed, physician):
    lesion = LesionFactory(patient=followed, label="L3", organ="lung", role="non_target")
    study = followed.studies.get(timepoint="baseline")
    MeasurementFactory(
        lesion=lesion,
        study=study,
        state=LesionState.PRESENT,
        size_mm=None,
        suv_max=Decimal(99),
        is_draft=True,
    )

    assert "99" not in signed_in(physician).get(addresses(followed, "suvmax")[1]).content.decode()


def test_the_second_reader_has_figures_of_the_own_lesions(followed, physician):
    client = signed_in(physician)
    assert client.get(addresses(followed, reader=ReaderRole.SECOND)[0]).status_code == 404

    lesion = LesionFactory(patient=followed, label="L1", reader_role=ReaderRole.SECOND)
    for study in followed.studies.all():
        MeasurementFactory(lesion=lesion, study=study, size_mm=Decimal(33))

    spec = client.get(addresses(followed, reader=ReaderRole.SECOND)[0]).json()
    assert [row["value"] for row in rows(spec, "curve")] == [33, 33, 33]
    assert client.get(addresses(followed, reader=ReadingRole.ADJUDICATOR)[0]).status_code == 404


@pytest.mark.parametrize("role", [Role.RESEARCHER, None])
def test_who_may_not_see_records_gets_no_figure(role, followed, user_with):
    client = signed_in(user_with(role))

    assert {client.get(address).status_code for address in addresses(followed)} <= {403, 404}


def test_figures_of_patients_of_another_centre_are_not_there(followed, user_with, other_centre):
    client = signed_in(user_with(Role.PHYSICIAN, other_centre))

    assert {client.get(address).status_code for address in addresses(followed)} == {404}


def test_a_figure_of_nothing_is_not_there(centre, physician):
    client = signed_in(physician)
    patient = PatientFactory(centre=centre)

    for slug in (*LESION_FIGURES, "nonsense"):
        assert client.get(addresses(patient, slug)[0]).status_code == 404


@pytest.mark.parametrize(("file_type", "begin"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_figure_is_had_as_a_file(file_type, begin, followed, physician):
    answer = signed_in(physician).get(reverse("lesion-figure-file", args=[followed.pk, 1, "sums", file_type]))

    assert answer.content.startswith(begin)
    assert f"{followed.registry_number}-course-1-sums.{file_type}" in answer["Content-Disposition"]


def test_the_courses_of_the_patient_are_lanes_that_open_their_imaging(followed, physician):
    CourseFactory(patient=followed, number=2)  # not begun

    spec = signed_in(physician).get(addresses(followed, "courses")[0]).json()
    text = signed_in(physician).get(addresses(followed, "courses")[1]).content.decode()

    plot = next(view for view in spec["vconcat"] if view["name"] == "plot")
    lanes = [row for layer in plot["layer"] for row in layer["data"]["values"] if "Known for" in row]
    assert [(row["course"], row["href"]) for row in lanes] == [
        ("Course 1", reverse("imaging", args=[followed.pk, 1]))
    ]
    facts = [(row["kind"], row["day"], row["value"]) for row in csv.DictReader(io.StringIO(text))]
    assert facts == [
        ("cycle", "0", "1"),
        ("cycle", "56", "2"),
        ("response", "84", "SD"),
        ("last_known", "206", "ongoing"),
    ]
    assert followed.registry_number not in json.dumps(spec)


def test_the_fragment_shows_its_figures_with_words_and_downloads(followed):
    html = render_to_string("clinic/_lesion_figures.html", {"patient": followed, "course_number": 1})

    assert html.count("data-vega-spec") == 3
    assert "100 mm on 2018-12-17" in html
    assert html.count("download>") == 12
    assert "reader=" not in html
    nobody = {"patient": PatientFactory(), "course_number": 1}
    assert not render_to_string("clinic/_lesion_figures.html", nobody).strip()


def test_figures_cost_the_same_for_any_number_of_studies(followed, physician):
    client = signed_in(physician)
    client.get(addresses(followed)[0])
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(addresses(followed)[0])
    for n in range(4):
        study = StudyFactory(
            patient=followed, timepoint="follow_up", performed_on=DAYS[2] + timedelta(days=100 * (n + 1))
        )
        for lesion in followed.lesions.all():
            MeasurementFactory(lesion=lesion, study=study)
        ReadingFactory(study=study)

    with CaptureQueriesContext(connection) as many:
        client.get(addresses(followed)[0])

    assert len(many) == len(few)
