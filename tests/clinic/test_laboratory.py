"""Laboratory pages: the table, the figures, and values entered by hand, by paste and by file."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role
from clinic.charts.laboratory import bands
from tests.clinic.test_pages import INLINE, signed_in
from tests.factories import (
    CourseFactory,
    LabResultFactory,
    PatientFactory,
    PatientIdentityFactory,
    ReferenceRangeFactory,
)
from treatments.models import LabResult
from treatments.rules.ctcae import scale_of

WIDE = "\t2019-01-04\t2019-02-01 07:30\nPLT\t210\t92\nHb (g/dL)\t12.4\t11.9\n"


@pytest.fixture
def patient(centre):
    return PatientFactory(centre=centre)


def result(patient, analyte, on, value, **values):
    at = datetime.fromisoformat(f"{on}T08:00:00+00:00")
    values = {"original_value": value, "original_unit": ""} | values
    return LabResultFactory(patient=patient, analyte=analyte, taken_at=at, value=Decimal(value), **values)


@pytest.fixture
def treated(patient):
    """A patient with two cycles given, and values before, between and after them."""
    CourseFactory(patient=patient, given=2)  # 2019-01-07 and 2019-03-04
    ReferenceRangeFactory(centre=patient.centre)  # platelets 150 to 400
    result(patient, "platelets", "2019-01-04", "210")
    result(patient, "platelets", "2019-02-01", "92")
    result(patient, "platelets", "2019-04-01", "49.9")
    result(patient, "haemoglobin", "2019-02-01", "118", lower_limit=Decimal(120))
    result(patient, "neutrophils", "2019-02-01", "3.1")
    result(patient, "creatinine", "2019-02-01", "88.4", original_value="1.0", original_unit="mg/dL")
    result(patient, "body_weight", "2019-01-04", "68")
    return patient


def page_of(user, patient, query=""):
    response = signed_in(user).get(reverse("laboratory", args=[patient.pk]) + query)
    assert response.status_code == 200
    return response


def enter(user, patient, **data):
    return signed_in(user).post(reverse("laboratory-enter", args=[patient.pk]), data)


def problems(response):
    assert response.status_code == 422
    return [problem.message for problem in response.context["problems"]]


def stored():
    return sorted(
        LabResult.objects.current().values_list(
            "analyte", "taken_at", "value", "original_value", "original_unit"
        )
    )


JAN_4, FEB_1 = datetime(2019, 1, 3, 23, tzinfo=UTC), datetime(2019, 2, 1, 6, 30, tzinfo=UTC)  # Berlin
WIDE_STORED = [
    ("haemoglobin", JAN_4, Decimal(124), "12.4", "g/dL"),
    ("haemoglobin", FEB_1, Decimal(119), "11.9", "g/dL"),
    ("platelets", JAN_4, Decimal(210), "210", "10⁹/L"),
    ("platelets", FEB_1, Decimal(92), "92", "10⁹/L"),
]
GRID = {
    "date-0": "2019-01-04",
    "date-1": "2019-02-01 07:30",
    "unit-haemoglobin": "g/dL",
    "value-haemoglobin-0": "12.4",
    "value-haemoglobin-1": "11.9",
    "value-platelets-0": "210",
    "value-platelets-1": "92",
}


# The page


def test_the_table_shows_values_with_their_grades_and_sides_and_the_cycles_between(treated, physician):
    response = page_of(physician, treated)
    page = response.context["page"]

    assert [column.cycle.short if column.cycle else str(column.on) for column in page.columns] == [
        "2019-01-04",
        "C1",
        "2019-02-01",
        "C2",
        "2019-04-01",
    ]
    platelets = page.rows[0]
    assert [[one.graded.grade for one in cell.shown] for cell in platelets.cells] == [[0], [], [1], [], [3]]
    assert [one.graded.is_below for one in platelets.cells[2].shown] == [True]
    assert platelets.limits_words == "150 to 400"
    content = response.content.decode()
    assert 'data-grade="3"><span class="visually-hidden">CTCAE grade </span>G3</span>' in content
    assert "×10⁹/L" in content


def test_a_sample_of_the_day_of_a_cycle_stands_before_it(treated, physician):
    result(treated, "platelets", "2019-03-04", "120")
    columns = page_of(physician, treated).context["page"].columns

    assert [column.cycle is not None for column in columns if column.on == date(2019, 3, 4)] == [False, True]


def test_kidney_function_is_shown_with_the_weight_and_age_it_was_computed_with(treated, physician):
    """(140 - 61) × 68 kg / (72 × 1.0 mg/dL) × 0.85 = 63.4 mL/min; CKD-EPI 2021 for a woman of 61 with 1.0 mg/dL: 64."""
    response = page_of(physician, treated)
    cell = response.context["page"].kidney[2]

    assert (cell.clearance, cell.filtration) == ("63", "64")
    content = " ".join(response.content.decode().split())
    assert "68&nbsp;kg<br>2019-01-04<br>61&nbsp;years" in content


def test_what_cannot_be_graded_is_said_once_with_the_reason(treated, physician):
    result(treated, "neutrophils", "2019-04-01", "2.9")
    content = page_of(physician, treated).content.decode()

    assert content.count("Neutrophils needs the lower limit of normal.") == 1
    assert "Creatinine needs the upper limit of normal." in content
    assert "Platelets needs" not in content


def test_limits_are_shown_with_their_source(treated, physician):
    used = page_of(physician, treated).context["page"].used_limits

    assert [(one.label, one.words.replace("\N{NO-BREAK SPACE}", " "), one.source) for one in used] == [
        ("Platelets", "150 to 400 ×10⁹/L", "of the centre"),
        ("Haemoglobin", "from 120 g/L", "of the laboratory, sent with the value"),
    ]


def test_the_last_8_days_are_shown_and_older_ones_behind_a_link(patient, physician):
    for week in range(10):
        result(patient, "platelets", str(date(2019, 1, 4) + timedelta(weeks=week)), "210")
    page = page_of(physician, patient).context["page"]

    assert [str(column.on) for column in page.columns][::7] == ["2019-01-18", "2019-03-08"]
    assert (page.older, page.newer) == (date(2019, 1, 18), None)
    older = page_of(physician, patient, "?before=2019-01-18").context["page"]
    assert [str(column.on) for column in older.columns] == ["2019-01-04", "2019-01-11"]
    assert (older.older, older.newer) == (None, "")
    assert page_of(physician, patient, "?before=2019-99-99").context["page"].n_days_shown == 8


def test_every_cycle_stands_on_exactly_one_of_the_pages(patient, physician):
    CourseFactory(patient=patient, given=4)
    for week in range(40):
        result(patient, "platelets", str(date(2018, 12, 1) + timedelta(weeks=week)), "210")
    seen, before = [], ""
    while before is not None:
        page = page_of(physician, patient, before).context["page"]
        seen += [column.cycle.number for column in page.columns if column.cycle]
        before = f"?before={page.older}" if page.older else None

    assert sorted(seen) == [1, 2, 3, 4]


def test_without_values_the_page_says_so(patient, physician):
    assert "No laboratory value is recorded." in page_of(physician, patient).content.decode()


def test_pages_hold_to_the_content_security_policy(treated, physician):
    for name in ("laboratory", "laboratory-enter"):
        response = signed_in(physician).get(reverse(name, args=[treated.pk]))
        assert INLINE.findall(response.content.decode()) == []
        assert "unsafe" not in response["Content-Security-Policy"]


def test_the_number_of_queries_does_not_grow_with_the_results(treated, physician):
    client = signed_in(physician)

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(reverse("laboratory", args=[treated.pk])).status_code == 200
        return len(captured)

    before = queries()
    for week in range(30):
        on = str(date(2019, 5, 1) + timedelta(weeks=week))
        for analyte in ("platelets", "creatinine", "body_weight"):
            result(treated, analyte, on, "90")
    assert queries() == before


def test_names_are_on_no_laboratory_page(treated, physician):
    PatientIdentityFactory(patient=treated, family_name="Ørsted", mrn="M-4711")
    client = signed_in(physician)
    figure = [treated.pk, "platelets"]
    for url in (
        reverse("laboratory", args=[treated.pk]),
        reverse("laboratory-spec", args=figure),
        reverse("laboratory-file", args=[*figure, "csv"]),
        reverse("laboratory-file", args=[*figure, "svg"]),
    ):
        content = client.get(url).content.decode()
        assert "Ørsted" not in content
        assert "M-4711" not in content


# Who may


def test_laboratory_values_of_another_centre_are_not_there(treated, user_with, other_centre):
    client = signed_in(user_with(Role.DATA_MANAGER, other_centre))
    figure = [treated.pk, "platelets"]
    for url in (
        reverse("laboratory", args=[treated.pk]),
        reverse("laboratory-enter", args=[treated.pk]),
        reverse("laboratory-spec", args=figure),
        reverse("laboratory-file", args=[*figure, "pdf"]),
    ):
        assert client.get(url).status_code == 404
    assert client.post(reverse("laboratory-enter", args=[treated.pk]), GRID).status_code == 404


def test_a_reader_sees_values_and_cannot_enter_any(treated, user_with):
    reader = user_with(Role.READER)
    content = page_of(reader, treated).content.decode()

    assert "Enter values" not in content
    assert "correct or void" not in content
    assert signed_in(reader).get(reverse("laboratory-enter", args=[treated.pk])).status_code == 403
    before = stored()
    assert enter(reader, treated, **GRID).status_code == 403
    assert enter(reader, treated, table=WIDE).status_code == 403
    assert stored() == before


# Entering


@pytest.mark.parametrize(
    "data",
    [
        GRID,
        {"table": WIDE},
        {"table": "", "file": SimpleUploadedFile("lab.tsv", ("\ufeff" + WIDE).encode())},
    ],
    ids=["grid", "paste", "file"],
)
def test_values_are_stored_in_one_unit_beside_what_was_written(data, patient, physician):
    if "file" in data:
        data["file"].seek(0)
    response = enter(physician, patient, **data)

    assert response.status_code == 302
    assert response["Location"] == reverse("laboratory", args=[patient.pk])
    assert stored() == WIDE_STORED


def test_the_grid_offers_the_unit_that_was_last_written(patient, physician):
    enter(physician, patient, **GRID)
    grid = signed_in(physician).get(reverse("laboratory-enter", args=[patient.pk])).context["grid"]

    assert {
        row.analyte.code: row.unit for row in grid.rows if row.analyte.code in {"haemoglobin", "creatinine"}
    } == {
        "haemoglobin": "g/dL",
        "creatinine": "µmol/L",
    }


def test_an_impossible_value_is_refused_beside_its_cell_and_nothing_is_stored_or_lost(patient, physician):
    response = enter(physician, patient, **GRID | {"value-platelets-1": "9200", "value-alt-0": "<5"})

    said = problems(response)
    assert said[0] == (
        "Platelets, sample 2: 9200 ×10⁹/L cannot be. Accepted: 0 to 3000 ×10⁹/L. Check the unit."
    )
    assert said[1].startswith("ALT, sample 1: '<5' is a limit of measurement")
    assert not LabResult.objects.exists()
    content = response.content.decode()
    for sent in ("2019-02-01 07:30", "12.4", "9200", "&lt;5"):
        assert f'value="{sent}"' in content
    assert "<option selected>g/dL</option>" in content
    assert 'aria-invalid="true" aria-describedby="id_value-platelets-1_error"' in content


def test_dates_of_the_grid_are_looked_at(patient, physician):
    said = problems(
        enter(
            physician,
            patient,
            **{
                "date-0": "04/03/2019",
                "date-1": "2019-01-04",
                "date-2": "2019-01-04 00:00",
                "date-3": "2199-01-01",
                "value-platelets-1": "210",
                "value-platelets-4": "220",
            },
        )
    )

    assert len(said) == 4
    assert "can be read in two ways: write 2019-03-04 or 2019-04-03" in said[0]
    assert said[1] == "Date of sample 3: This is the same date as that of sample 2."
    assert said[2].startswith("Date of sample 4: ")
    assert said[3] == "Date of sample 5: Type the date of this sample: YYYY-MM-DD."
    assert not LabResult.objects.exists()


def test_a_unit_that_is_none_of_the_analyte_is_not_replaced_by_another(patient, physician):
    said = problems(enter(physician, patient, **GRID | {"unit-haemoglobin": "mg/dL"}))

    assert said == ["Haemoglobin: there is no unit 'mg/dL' to choose."]
    assert not LabResult.objects.exists()


def test_an_empty_grid_says_that_nothing_was_typed(patient, physician):
    assert "Nothing was typed" in problems(enter(physician, patient, **{"date-0": "2019-01-04"}))[0]


def test_what_is_wrong_with_a_table_is_said_with_row_and_column_and_its_text_comes_back(patient, physician):
    text = WIDE + "CRP\t5\t6\nALT\t31\t99999\n"
    response = enter(physician, patient, table=text)

    assert "Row 4, column 1: 'CRP' is not a laboratory value known here." in problems(response)[0]
    assert response.context["table"].text == text
    response = enter(physician, patient, table=text.replace("CRP\t5\t6\n", ""))
    assert problems(response) == [
        "Row 4, column 3 (2019-02-01 07:30): ALT: 99999 U/L cannot be. Accepted: 0 to 20000 U/L. Check the unit."
    ]
    assert not LabResult.objects.exists()


def test_the_text_of_a_refused_file_comes_back_to_be_mended(patient, physician):
    file = SimpleUploadedFile("lab.csv", b",2019-01-04\nCRP,5\n")
    response = enter(physician, patient, table="", file=file)

    assert "'CRP' is not a laboratory value" in problems(response)[0]
    assert response.context["table"].text == ",2019-01-04\nCRP,5\n"
    mended = SimpleUploadedFile("lab.csv", b",2019-01-04\nPLT,210\n")
    sent_again = enter(physician, patient, table=response.context["table"].text, from_file="1", file=mended)
    assert sent_again.status_code == 302
    assert [row[:3] for row in stored()] == [("platelets", JAN_4, Decimal(210))]


def test_a_file_that_is_no_text_or_too_large_is_refused(patient, physician):
    latin = SimpleUploadedFile("lab.csv", ",2019-01-04\nHämoglobin,124".encode("latin-1"))
    assert "not in UTF-8 (line 2)" in problems(enter(physician, patient, table="", file=latin))[0]
    large = SimpleUploadedFile("lab.csv", b"1" * 1_000_001)
    assert "at most 1,000,000" in problems(enter(physician, patient, table="", file=large))[0]
    both = SimpleUploadedFile("lab.csv", WIDE.encode())
    assert problems(enter(physician, patient, table=WIDE, file=both)) == [
        "Paste a table or choose a file, not both."
    ]
    assert not LabResult.objects.exists()


@pytest.mark.parametrize(
    "data", [GRID | {"value-platelets-1": "9.2"}, {"table": WIDE.replace("92\n", "9.2\n")}]
)
def test_unlikely_values_are_stored_once_exactly_they_are_confirmed(data, patient, physician):
    response = enter(physician, patient, **data)

    assert response.status_code == 409
    assert len(response.context["doubts"]) == 1
    assert "Platelets: 9.2 ×10⁹/L is unlikely (usual: 20 to 1000 ×10⁹/L)" in response.context["doubts"][0]
    assert not LabResult.objects.exists()
    box = response.context["confirm_value"]
    assert f'name="confirm_unlikely" value="{box}"' in response.content.decode()

    other = {key: text.replace("210", "2") for key, text in data.items()}
    changed = enter(physician, patient, **other, confirm_unlikely=box)
    assert changed.status_code == 409
    assert len(changed.context["doubts"]) == 2
    assert not LabResult.objects.exists()

    assert enter(physician, patient, **data, confirm_unlikely=box).status_code == 302
    assert LabResult.objects.get(value=Decimal("9.2")).is_unlikely_confirmed
    assert not LabResult.objects.get(value=Decimal(210)).is_unlikely_confirmed


def test_a_form_that_is_sent_twice_does_no_harm(patient, physician):
    enter(physician, patient, **GRID)
    response = enter(physician, patient, **GRID)

    assert response.status_code == 302
    assert stored() == WIDE_STORED


def test_a_sheet_with_older_values_in_it_adds_only_the_new_ones(patient, physician):
    enter(physician, patient, **GRID)
    later = WIDE.replace("07:30\n", "07:30\t2019-03-01\n").replace("92\n", "92\t140\n")

    assert enter(physician, patient, table=later).status_code == 302
    assert len(stored()) == 5


def test_an_unlikely_value_that_is_stored_already_is_not_asked_for_again(patient, physician):
    sent = GRID | {"value-platelets-1": "9.2"}
    box = enter(physician, patient, **sent).context["confirm_value"]
    enter(physician, patient, **sent, confirm_unlikely=box)

    assert enter(physician, patient, **sent | {"value-alt-0": "31"}).status_code == 302
    doubts = enter(physician, patient, **sent | {"value-ast-0": "2"}).context["doubts"]
    assert [doubt.split(" is unlikely")[0] for doubt in doubts] == ["2019-01-04: AST: 2 U/L"]


def test_a_value_that_is_stored_otherwise_is_named_and_stays(patient, physician):
    enter(physician, patient, **GRID)
    said = problems(enter(physician, patient, **GRID | {"value-platelets-1": "93", "value-alt-0": "31"}))

    assert said == [
        "Platelets, sample 2: of this sample 92 ×10⁹/L is stored already:"
        " correct that value in the table, or leave this one out."
    ]
    assert stored() == WIDE_STORED


def test_limits_of_the_laboratory_are_kept_with_the_value(patient, physician):
    text = "analyte,value,unit,taken_at,lower_limit,upper_limit\nHb,12.4,g/dL,2019-01-04,12,16\n"
    enter(physician, patient, table=text)

    kept = LabResult.objects.get()
    assert (kept.value, kept.lower_limit, kept.upper_limit) == (Decimal(124), Decimal(120), Decimal(160))


def test_a_time_that_the_clock_of_the_centre_never_showed_is_refused(patient, physician):
    said = problems(enter(physician, patient, table="\t2019-03-31 02:30\nPLT\t210"))
    assert said[0].startswith("Row 2, column 2 (2019-03-31 02:30): ")


# Correcting


def test_a_value_is_corrected_and_an_unlikely_one_needs_its_box(treated, physician):
    one = LabResult.objects.get(value=Decimal("49.9"))
    url = reverse("record-correct", args=[treated.pk, "lab-result", one.pk])
    client = signed_in(physician)
    page = client.get(url)
    assert "Platelets (×10⁹/L)" in page.content.decode()
    assert 'value="49.9"' in page.content.decode()
    data = {
        "value": "9",
        "taken_at": "2019-04-01 10:00",
        "lower_limit": "",
        "upper_limit": "",
        "note": "",
        "reason": "Misread",
        "version": one.version,
    }

    refused = client.post(url, data)
    assert refused.status_code == 409
    assert "is unlikely" in refused.content.decode()
    one.refresh_from_db()
    assert one.value == Decimal("49.9")
    assert client.post(url, data | {"confirm_unlikely": "on"}).status_code == 302
    one.refresh_from_db()
    assert (one.value, one.original_value, one.is_unlikely_confirmed) == (Decimal(9), "9", True)


def test_a_correction_that_was_overtaken_shows_both_values(treated, physician):
    one = LabResult.objects.get(value=Decimal("49.9"))
    url = reverse("record-correct", args=[treated.pk, "lab-result", one.pk])
    data = {"value": "48", "taken_at": "2019-04-01 10:00", "reason": "Misread", "version": one.version}
    client = signed_in(physician)
    assert client.post(url, data).status_code == 302

    overtaken = client.post(url, data | {"value": "47"})
    assert overtaken.status_code == 409
    assert [row["differs"] for row in overtaken.context["conflict"]].count(True) == 1


# Figures


def test_a_figure_has_the_cycles_the_grades_the_limits_and_the_unit(treated, physician):
    spec = signed_in(physician).get(reverse("laboratory-spec", args=[treated.pk, "platelets"])).json()
    text = json.dumps(spec, ensure_ascii=False)

    assert "Platelets (×10⁹/L)" in text
    for said in ('"G1"', '"G2"', '"G3"', '"C1"', '"C2"', '"LLN 150"'):
        assert f'"text": {said}' in text
    assert "2019-03-04T00:00:00" in text
    assert "3 values: first 210 ×10⁹/L on 2019-01-04" in spec["description"]


def test_bands_meet_where_the_grades_change():
    """CTCAE v5.0, platelets with a lower limit of normal of 150: below 150, 75, 50, 25 ×10⁹/L."""
    scale = scale_of("platelets", lower_limit=Decimal(150))

    assert bands(scale, most=Decimal(200)) == [
        (Decimal(0), Decimal(25), 4),
        (Decimal(25), Decimal(50), 3),
        (Decimal(50), Decimal(75), 2),
        (Decimal(75), Decimal(150), 1),
    ]
    assert bands(scale, most=Decimal(60))[-1] == (Decimal(50), Decimal(60), 2)
    assert bands(None, most=Decimal(60)) == []


@pytest.mark.parametrize(("file_type", "begin"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_figure_is_had_as_a_file(file_type, begin, treated, physician):
    response = signed_in(physician).get(
        reverse("laboratory-file", args=[treated.pk, "creatinine-clearance", file_type])
    )

    assert response.content.startswith(begin)
    assert f"{treated.registry_number}-creatinine-clearance.{file_type}" in response["Content-Disposition"]


def test_the_numbers_behind_a_figure_keep_what_was_written(treated, physician):
    response = signed_in(physician).get(reverse("laboratory-file", args=[treated.pk, "creatinine", "csv"]))
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))

    assert rows[0] == {
        "kind": "value",
        "name": "creatinine",
        "at": "2019-02-01 09:00",
        "value": "88.4",
        "unit": "µmol/L",
        "lower_limit": "",
        "upper_limit": "",
        "ctcae_grade": "",
        "as_written": "1.0 mg/dL",
    }
    assert [(row["kind"], row["name"], row["at"]) for row in rows[1:]] == [
        ("cycle", "Cycle 1", "2019-01-07"),
        ("cycle", "Cycle 2", "2019-03-04"),
    ]


def test_a_figure_of_nothing_is_not_there(treated, physician):
    client = signed_in(physician)
    for code in ("albumin", "nonsense"):
        assert client.get(reverse("laboratory-spec", args=[treated.pk, code])).status_code == 404
    assert client.get(reverse("laboratory-file", args=[treated.pk, "platelets", "exe"])).status_code == 404


def test_others_are_drawn_when_they_are_asked_for(treated, physician):
    assert "creatinine" not in [one.code for one in page_of(physician, treated).context["drawn"]]
    asked = page_of(physician, treated, "?figure=creatinine&figure=nonsense").context["drawn"]
    assert "creatinine" in [one.code for one in asked]


# Toxicity


def test_toxicity_is_summed_up_per_cycle_and_for_the_course(treated, physician):
    """Cycles on 2019-01-07 and 2019-03-04; lower limit of platelets 150 ×10⁹/L."""
    result(treated, "platelets", "2019-04-29", "180")
    response = page_of(physician, treated)
    (course,) = response.context["page"].toxicity
    platelets = course.rows[0]

    assert (platelets.baseline, platelets.extreme, platelets.summary.worst_grade) == ("210", "49.9", 3)
    assert [(cell.value, cell.found.worst_grade, cell.found.extreme_day) for cell in platelets.cells] == [
        ("92", 1, 25),
        ("49.9", 3, 28),
    ]
    assert [cell.found.recovery_day for cell in platelets.cells] == [112, 56]
    content = " ".join(response.content.decode().split())
    assert "day 28, recovered day 56" in content


def test_what_has_not_recovered_says_so(treated, physician):
    content = " ".join(page_of(physician, treated).content.decode().split())

    assert "day 28, not recovered" in content


def test_values_after_the_first_cycle_of_a_second_course_belong_to_that_one(treated, physician):
    course = CourseFactory(patient=treated, number=2, given=1)
    given = course.cycles.get(number=1).administrations.get()
    given.administered_at = datetime(2021, 6, 1, 9, tzinfo=UTC)
    given.save(update_fields=["administered_at"])
    result(treated, "platelets", "2021-06-01", "160")
    result(treated, "platelets", "2021-06-20", "70")
    second, first = page_of(physician, treated).context["page"].toxicity

    assert (second.number, first.number) == (2, 1)
    assert (first.rows[0].extreme, second.rows[0].extreme) == ("49.9", "70")
    assert second.rows[0].baseline == "160"
    assert second.cycles[0].short == "2·C1"
