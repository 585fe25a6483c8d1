"""The list of patients: order, filters, columns, saved views, and the same list as a file."""

import csv
import io
from datetime import date
from typing import Any

import pytest
from django.test import Client
from openpyxl import load_workbook

from accounts import list_files
from accounts.models import Role, User
from analytics import freshness
from clinic.models import CareTeamMember, SavedView
from clinic.selectors import roster
from clinic.selectors.roster import ListQuery
from patients.models import TumourType
from tests.clinic.test_pages import NOW, signed_in
from tests.factories import (
    CentreFactory,
    CourseFactory,
    DiagnosisFactory,
    PatientFactory,
    PatientIdentityFactory,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def somebody(centre) -> User:
    return make_user(role=Role.COORDINATOR, centre=centre, username="nurse")


def numbers(user: User, query: ListQuery, *, limit: int = 2, backwards: bool = False) -> list[str]:
    """Return the registry numbers of all pages, from the first page on or from the last one back."""
    page = roster.roster(user, query, now=NOW, limit=limit)
    seen = [row.patient.registry_number for row in page.rows]
    while page.after:
        page = roster.roster(user, query, now=NOW, after=page.after, limit=limit)
        seen += [row.patient.registry_number for row in page.rows]
    if backwards:
        seen = [row.patient.registry_number for row in page.rows]
        while page.before:
            page = roster.roster(user, query, now=NOW, before=page.before, limit=limit)
            seen = [row.patient.registry_number for row in page.rows] + seen
    return seen


def test_each_order_pages_without_gap_or_overlap_in_both_directions(centre, somebody):
    # Two of one age, two who have not begun.
    for number, born, given in ((1, 1950, 1), (2, 1940, 0), (3, 1950, 2), (4, 1960, 0), (5, 1930, 1)):
        patient = PatientFactory(
            centre=centre, registry_number=f"STA-{number:04d}", birth_date=date(born, 5, 1)
        )
        CourseFactory(patient=patient, given=given)
    freshness.refresh_inline()
    by_number = [f"STA-{number:04d}" for number in (1, 2, 3, 4, 5)]
    expected = {
        "number": by_number,
        "-number": by_number[::-1],
        "-age": [f"STA-{number:04d}" for number in (5, 2, 1, 3, 4)],
        "age": [f"STA-{number:04d}" for number in (4, 1, 3, 2, 5)],
        "started": [f"STA-{number:04d}" for number in (1, 3, 5, 2, 4)],
        "-started": [f"STA-{number:04d}" for number in (2, 4, 1, 3, 5)],
    }
    assert expected.keys() == roster.SORTS.keys()
    for sort, order in expected.items():
        assert numbers(somebody, ListQuery(sort=sort)) == order, sort
        assert numbers(somebody, ListQuery(sort=sort), backwards=True) == order, sort


def test_filters_narrow_rows_counts_and_files_alike(centre, somebody):
    other_centre = CentreFactory(code="NRD")
    somebody.memberships.create(centre=other_centre, role=Role.COORDINATOR)
    mine = PatientFactory(centre=centre)
    DiagnosisFactory(patient=mine, tumour_type=TumourType.PARAGANGLIOMA)
    elsewhere = PatientFactory(centre=other_centre, registry_number="NRD-0001")
    DiagnosisFactory(patient=elsewhere, tumour_type=TumourType.NET)
    CareTeamMember.objects.create(patient=mine, user=somebody)
    client = signed_in(somebody)
    for asked, left in {
        "": {mine, elsewhere},
        "centre=NRD": {elsewhere},
        "tumour=paraganglioma": {mine},
        "who=me": {mine},
        "who=nobody": {elsewhere},
        "who=me&centre=NRD": set(),
    }.items():
        page = client.get(f"/patients/?{asked}")
        assert {row.patient for row, _ in page.context["rows"]} == left, asked
        assert page.context["n_found"] == len(left), asked
        assert {row[0] for row in rows_of(client, asked)} == {one.registry_number for one in left}, asked


def rows_of(client: Client, asked: str) -> list[list[str]]:
    answer = client.get(f"/patients/list.csv?{asked}")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))[1:]


@pytest.mark.parametrize(
    "wrong", ["centre=XXX", "tumour=x", "sort=name", "column=mrn", "status=x", "who=x", "centre=STA%00"]
)
def test_what_does_not_exist_is_not_found(somebody, wrong):
    assert signed_in(somebody).get(f"/patients/?{wrong}").status_code == 404


def test_a_place_that_is_none_shows_no_row(centre, somebody):
    PatientFactory(centre=centre)
    for after in ("rubbish", "2019-02-30~STA-0001"):
        page = signed_in(somebody).get(f"/patients/?sort=age&after={after}")
        assert page.status_code == 200
        assert page.context["rows"] == []


def test_columns_stay_as_they_were_chosen_and_the_file_has_the_same(centre, somebody):
    patient = PatientFactory(centre=centre)
    CourseFactory(patient=patient, given=2)
    freshness.refresh_inline()
    client = signed_in(somebody)
    chosen = "column=last_given&column=next_planned&column=activity&column=looked_after_by"
    CareTeamMember.objects.create(patient=patient, user=somebody)
    for page in (client.get(f"/patients/?{chosen}"), client.get("/patients/")):
        assert [column.key for column, _ in page.context["columns"]] == [
            "number", "last_given", "next_planned", "activity", "looked_after_by",
        ]  # fmt: skip
    assert rows_of(client, "") == [[patient.registry_number, "2019-03-04", "2019-04-29", "14.8", "nurse"]]
    book = load_workbook(io.BytesIO(client.get("/patients/list.xlsx").content))
    rows = list(book.active.iter_rows(values_only=True))
    assert rows[0] == (
        "Registry number",
        "Last cycle",
        "Next planned",
        "Given in all (GBq)",
        "Looked after by",
    )
    assert rows[1][0] == patient.registry_number
    assert rows[1][1].date() == date(2019, 3, 4)
    assert rows[1][3] == 14.8
    assert client.get("/patients/list.pdf").status_code == 404


def test_a_file_holds_the_list_beyond_its_first_page_and_what_was_searched(centre, somebody, monkeypatch):
    monkeypatch.setattr(roster, "EXPORTED_AT_ONCE", 3)
    for n in range(1, 8):
        patient = PatientFactory(centre=centre, registry_number=f"STA-{n:04d}")
        PatientIdentityFactory(patient=patient, family_name="Ørsted" if n > 2 else "Else")
    client = signed_in(somebody)
    assert len(rows_of(client, "")) == 7
    assert rows_of(client, "sort=-number")[0][0] == "STA-0007"
    client.post("/patients/", {"search": "orsted"})
    assert len(rows_of(client, "found=1")) == 5


def test_names_are_in_no_file_of_who_may_not_see_them(centre):
    PatientIdentityFactory(patient=PatientFactory(centre=centre), family_name="Ørsted")
    reader = signed_in(make_user(role=Role.ADMINISTRATOR, centre=centre, username="administrator"))
    for asked in ("", "?column=name&column=sex"):
        assert "Ørsted" not in reader.get(f"/patients/list.csv{asked}").content.decode()
        assert "Ørsted" not in reader.get(f"/patients/{asked}").content.decode()


def test_no_text_is_taken_for_a_formula():
    rows: list[list[Any]] = [["=1+1", -3, None], ["@x", date(2020, 1, 1), "a\x07b"]]
    assert list_files.as_csv(["a", "b", "c"], rows).decode("utf-8-sig") == (
        "a,b,c\r\n'=1+1,-3,\r\n'@x,2020-01-01,a\x07b\r\n"
    )
    sheet = load_workbook(io.BytesIO(list_files.as_xlsx("A", ["a", "b", "c"], rows))).active
    assert [sheet["A2"].value, sheet["A2"].data_type, sheet["C3"].value] == ["=1+1", "s", "ab"]


def test_views_are_saved_replaced_and_removed_each_user_their_own(centre, somebody):
    client = signed_in(somebody)
    client.post("/patients/views/", {"name": "Mine", "query": "who=me&sort=-age&after=x&found=1"})
    assert SavedView.objects.get().query == "who=me&sort=-age"
    client.post("/patients/views/", {"name": "Mine", "query": "status=died"})
    assert SavedView.objects.get().query == "status=died"
    assert 'href="/patients/?status=died"' in client.get("/patients/").content.decode()
    other = signed_in(make_user(role=Role.COORDINATOR, centre=centre, username="other"))
    assert not list(other.get("/patients/").context["saved_views"])
    other.post("/patients/views/", {"remove": "Mine"})
    assert SavedView.objects.exists()
    for wrong in ({"name": " ", "query": ""}, {"name": "x" * 61, "query": ""}):
        assert client.post("/patients/views/", wrong, follow=True).context["messages"]
    assert client.post("/patients/views/", {"name": "x", "query": "sort=x"}).status_code == 404
    assert SavedView.objects.count() == 1
    client.post("/patients/views/", {"remove": "Mine"})
    assert not SavedView.objects.exists()


def test_a_search_while_one_types_answers_with_the_list_alone(centre, somebody):
    patient = PatientFactory(centre=centre, registry_number="STA-0815")
    client = signed_in(somebody)
    answer = client.post("/patients/", {"search": "081", "sort": "-age"}, headers={"HX-Request": "true"})
    words = answer.content.decode()
    assert "<html" not in words
    assert "1 patient found by “081”" in words
    assert patient.registry_number in words
    assert answer["HX-Push-Url"] == "/patients/?sort=-age&found=1"
    cleared = client.post("/patients/", {"search": ""}, headers={"HX-Request": "true"})
    assert cleared["HX-Push-Url"] == "/patients/"
