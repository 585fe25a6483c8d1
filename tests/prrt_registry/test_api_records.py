"""Every record endpoint of the API: who may what, preconditions, history, and the cost of a list."""

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.access import ROLE_ACTS, Act, Role
from accounts.models import Centre, User
from prrt_registry.api_urls import router
from tests import factories
from tests.api import KINDS, REASON, ROOT, client_for, if_match, kind_of, make_kinds

EDIT_ACTS = {
    **dict.fromkeys(["patients", "diagnoses", "contacts", "disease-events", "deaths"], Act.EDIT_PATIENTS),
    **dict.fromkeys(["performance-statuses", "prior-therapies"], Act.EDIT_PATIENTS),
    **dict.fromkeys(["courses", "cycles", "administrations", "discontinuations"], Act.EDIT_TREATMENTS),
    **dict.fromkeys(["holds", "dose-decisions", "absorbed-doses", "prior-prrt"], Act.EDIT_TREATMENTS),
    **dict.fromkeys(["somatostatin-analogue-doses", "lab-results", "adverse-events"], Act.EDIT_TREATMENTS),
    **dict.fromkeys(["studies", "readings", "lesions", "measurements"], Act.EDIT_IMAGING),
}


def codes_of(response: Any) -> list[str]:
    return [error["code"] for error in response.json()["errors"]]


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("path", KINDS)
def test_a_role_may_exactly_what_its_acts_say(
    path: str, role: str, centre: Centre, user_with: Callable[..., User]
) -> None:
    kind = kind_of(centre, path)
    client = client_for(user_with(role))
    reads = Act.VIEW_RECORDS in ROLE_ACTS[role]
    writes = reads and EDIT_ACTS[path] in ROLE_ACTS[role]

    assert client.get(kind.list_url).status_code == (200 if reads else 403)
    assert client.get(kind.url).status_code == (200 if reads else 403)
    assert client.get(f"{kind.url}history/").status_code == (200 if reads else 403)
    corrected = client.patch(kind.url, kind.correction, **if_match(kind.record.version))
    assert corrected.status_code == (200 if writes else 403)
    created = client.post(kind.list_url, kind.new) if kind.new is not None else None
    if created is not None:
        assert created.status_code == (201 if writes else 403), created.content
    if path not in {"patients", "courses", "cycles", "studies"}:  # others hang on these
        if created is not None and path == "administrations" and writes:
            # Cycles are taken back from the last one on.
            assert client.post(f"{kind.list_url}{created.json()['id']}/void/", **REASON).status_code == 200
        voided = client.post(f"{kind.url}void/", **REASON)
        assert voided.status_code == (200 if writes else 403), voided.content


@pytest.mark.parametrize("role", [role for role in Role.values if Act.VIEW_RECORDS in ROLE_ACTS[role]])
@pytest.mark.parametrize("path", KINDS)
def test_what_another_centre_holds_is_as_if_missing(
    path: str, role: str, centre: Centre, other_centre: Centre, user_with: Callable[..., User]
) -> None:
    kind = kind_of(other_centre, path)
    client = client_for(user_with(role))
    nowhere = uuid.uuid4()
    writes = EDIT_ACTS[path] in ROLE_ACTS[role]

    assert client.get(kind.list_url).json()["results"] == []
    for method, suffix, body in [
        ("get", "", None),
        ("get", "history/", None),
        ("patch", "", kind.correction),
        ("put", "", kind.correction),
        ("post", "void/", None),
    ]:
        hidden = getattr(client, method)(f"{kind.url}{suffix}", body, **if_match(1))
        missing = getattr(client, method)(f"{kind.list_url}{nowhere}/{suffix}", body, **if_match(1))
        assert hidden.status_code == (404 if method == "get" or writes else 403)
        assert hidden.content.replace(str(kind.record.pk).encode(), b"") == missing.content.replace(
            str(nowhere).encode(), b""
        )
        assert {name: value for name, value in hidden.items() if name != "Content-Length"} == {
            name: value for name, value in missing.items() if name != "Content-Length"
        }


@pytest.mark.parametrize("path", [path for path in KINDS if path not in {"patients", "cycles"}])
def test_a_new_record_cannot_hang_on_what_is_hidden(
    path: str, centre: Centre, other_centre: Centre, physician: User
) -> None:
    theirs = kind_of(other_centre, path)
    client = client_for(physician)
    parents = [name for name in ("patient", "course", "cycle", "lesion", "study") if name in theirs.new]

    nowhere = str(uuid.uuid4())
    hidden = client.post(theirs.list_url, theirs.new)
    missing = client.post(theirs.list_url, theirs.new | dict.fromkeys(parents, nowhere))

    assert hidden.status_code == missing.status_code == 400
    assert codes_of(hidden) == codes_of(missing) == ["does_not_exist"] * len(parents)
    assert [error["pointer"] for error in hidden.json()["errors"]] == [f"#/{name}" for name in parents]
    told = hidden.content
    for name in parents:
        told = told.replace(theirs.new[name].encode(), b"")
    assert told == missing.content.replace(nowhere.encode(), b"")


def test_a_patient_is_not_registered_at_a_centre_of_others(other_centre: Centre, physician: User) -> None:
    body = {"centre": other_centre.code, "sex": "female", "birth_date": "1960-01-01"}

    assert codes_of(client_for(physician).post(f"{ROOT}patients/", body)) == ["does_not_exist"]


def test_who_may_read_here_and_edit_elsewhere_edits_elsewhere_only(
    centre: Centre, other_centre: Centre, user_with: Callable[..., User]
) -> None:
    user = user_with(Role.READER)
    user.memberships.create(centre=other_centre, role=Role.PHYSICIAN)
    client = client_for(user)
    here, there = kind_of(centre, "contacts"), kind_of(other_centre, "contacts")

    assert client.patch(here.url, here.correction, **if_match(1)).status_code == 403
    assert client.post(here.list_url, here.new).status_code == 403
    assert client.post(f"{here.url}void/", **REASON).status_code == 403
    assert client.patch(there.url, there.correction, **if_match(1)).status_code == 200


@pytest.mark.parametrize("path", KINDS)
def test_nobody_signed_in_is_told_to_sign_in(path: str, centre: Centre, client: Any) -> None:
    kind = kind_of(centre, path)
    for answer in (client.get(kind.list_url), client.get(kind.url), client.post(kind.list_url)):
        assert answer.status_code == 401
        assert answer["Content-Type"] == "application/problem+json"
        assert answer["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("path", KINDS)
def test_records_are_not_deleted(path: str, centre: Centre, data_manager: User) -> None:
    kind = kind_of(centre, path)

    refused = client_for(data_manager).delete(kind.url)

    assert refused.status_code == 405
    assert "DELETE" not in refused["Allow"]
    assert refused.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", KINDS)
def test_a_correction_needs_a_version_and_a_reason(path: str, centre: Centre, data_manager: User) -> None:
    kind = kind_of(centre, path)
    client = client_for(data_manager)
    read = client.get(kind.url)
    assert read["ETag"] == f'"{kind.record.version}"'

    without_version = client.patch(kind.url, kind.correction, **REASON)
    assert (without_version.status_code, without_version.json()["code"]) == (428, "if_match_required")
    without_reason = client.patch(kind.url, kind.correction, HTTP_IF_MATCH=read["ETag"])
    assert (without_reason.status_code, without_reason.json()["code"]) == (400, "change_reason_required")
    for stale in ('"999"', "*", f"W/{read['ETag']}", "1"):
        refused = client.patch(kind.url, kind.correction, HTTP_IF_MATCH=stale, **REASON)
        assert (refused.status_code, refused["ETag"]) == (412, read["ETag"])
    assert client.get(kind.url).json() == read.json()

    done = client.patch(kind.url, kind.correction, HTTP_IF_MATCH=read["ETag"], **REASON)
    assert done.status_code == 200
    assert done["ETag"] == f'"{done.json()["version"]}"'
    assert done.json()["version"] > kind.record.version
    for name, value in kind.correction.items():
        assert done.json()[name] == value


@pytest.mark.parametrize("path", KINDS)
def test_of_two_who_read_the_same_version_the_second_is_told(
    path: str, centre: Centre, data_manager: User, physician: User
) -> None:
    kind = kind_of(centre, path)
    first, second = client_for(data_manager), client_for(physician)
    read = second.get(kind.url)["ETag"]

    done = first.patch(kind.url, kind.correction, HTTP_IF_MATCH=read, **REASON)
    refused = second.patch(kind.url, kind.correction, HTTP_IF_MATCH=read, **REASON)

    assert (done.status_code, refused.status_code) == (200, 412)
    assert refused["ETag"] == done["ETag"]
    assert refused.json()["code"] == "stale_record"


@pytest.mark.parametrize("path", [path for path in KINDS if path != "patients"])
def test_what_a_put_leaves_out_goes_back_to_a_new_record_s_value(
    path: str, centre: Centre, data_manager: User
) -> None:
    kind = kind_of(centre, path)
    client = client_for(data_manager)
    whole = client.get(kind.url)

    answer = client.put(kind.url, {**whole.json(), **kind.correction}, HTTP_IF_MATCH=whole["ETag"], **REASON)

    assert answer.status_code == 200, answer.content
    for name, value in kind.correction.items():
        assert answer.json()[name] == value
    expected = {**kind.follows, **kind.computed}
    assert {name: answer.json()[name] for name in expected} == expected
    untouched = set(whole.json()) - set(kind.correction) - set(expected) - {"version"}
    assert {name: answer.json()[name] for name in untouched} == {
        name: whole.json()[name] for name in untouched
    }


def test_a_put_without_a_note_blanks_the_note(centre: Centre, physician: User) -> None:
    event = factories.DiseaseEventFactory(note="Ascites", patient__centre=centre)
    body = {"patient": str(event.patient_id), "kind": event.kind, "occurred_on": str(event.occurred_on)}

    answer = client_for(physician).put(f"{ROOT}disease-events/{event.pk}/", body, **if_match(1))

    assert answer.json()["note"] == ""


@pytest.mark.parametrize("path", [path for path in KINDS if path not in {"patients"}])
def test_a_record_stays_where_it_was_entered(path: str, centre: Centre, data_manager: User) -> None:
    kind = kind_of(centre, path)
    client = client_for(data_manager)
    # Another parent of the same kind that the user may see.
    others = {
        "patient": factories.PatientFactory(centre=centre),
        "course": factories.CourseFactory(patient__centre=centre),
        "cycle": factories.CourseFactory(patient__centre=centre).cycles.first(),
        "study": factories.StudyFactory(patient__centre=centre),
        "lesion": factories.LesionFactory(patient__centre=centre),
    }
    parent = {
        "cycles": "course",
        "administrations": "cycle",
        "holds": "cycle",
        "dose-decisions": "cycle",
        "absorbed-doses": "cycle",
        "discontinuations": "course",
        "readings": "study",
        "measurements": "lesion",
    }.get(path, "patient")

    refused = client.patch(kind.url, {parent: str(others[parent].pk)}, **if_match(kind.record.version))

    assert refused.status_code == 400
    assert codes_of(refused) == ["create_only"]


@pytest.mark.parametrize("path", KINDS)
def test_a_misspelt_field_is_refused(path: str, centre: Centre, data_manager: User) -> None:
    kind = kind_of(centre, path)

    refused = client_for(data_manager).patch(kind.url, {"nota": "x"}, **if_match(kind.record.version))

    assert (refused.status_code, codes_of(refused)) == (400, ["unknown_field"])
    assert refused.json()["errors"][0]["pointer"] == "#/nota"


@pytest.mark.parametrize("path", KINDS)
def test_the_history_says_when_who_why_and_what(path: str, centre: Centre, data_manager: User) -> None:
    kind = kind_of(centre, path)
    client = client_for(data_manager)
    old = client.get(kind.url).json()
    client.patch(
        kind.url, kind.correction, HTTP_IF_MATCH=f'"{kind.record.version}"', HTTP_CHANGE_REASON="Gemäß Brief"
    )

    rows = client.get(f"{kind.url}history/").json()["results"]

    assert rows[0]["event"] == "insert"
    last = rows[-1]
    assert (last["by"], last["reason"], last["source"]) == ("data_manager", "Gemäß Brief", "api")
    assert last["changes"] == [
        {"field": name, "old": old[name], "new": value}
        for name, value in {**kind.correction, **kind.follows}.items()
    ]


@pytest.mark.parametrize(
    "path",
    [
        path for path in KINDS if path not in {"patients", "courses", "cycles", "studies"}
    ],  # others hang on these
)
def test_a_voided_record_leaves_the_list_and_stays_readable(
    path: str, centre: Centre, data_manager: User
) -> None:
    kind = kind_of(centre, path)
    client = client_for(data_manager)
    before = {row["id"] for row in client.get(kind.list_url).json()["results"]}

    assert client.post(f"{kind.url}void/").json()["code"] == "change_reason_required"
    stale = client.post(f"{kind.url}void/", HTTP_IF_MATCH='"77"', **REASON)
    assert stale.status_code == 412
    voided = client.post(f"{kind.url}void/", HTTP_IF_MATCH=f'"{kind.record.version}"', **REASON)

    assert voided.status_code == 200, voided.content
    assert voided.json()["void_reason"] == "Typing error"
    assert voided.json()["voided_at"]
    assert before - {row["id"] for row in client.get(kind.list_url).json()["results"]} == {
        str(kind.record.pk)
    }
    assert {
        row["id"] for row in client.get(f"{kind.list_url}?include_voided=true").json()["results"]
    } == before
    assert client.get(kind.url)["ETag"] == voided["ETag"]
    again = client.post(f"{kind.url}void/", **REASON)
    assert (again.status_code, again.json()["code"]) == (409, "voided")


@pytest.mark.parametrize("path", KINDS)
def test_a_list_costs_the_same_queries_for_1_row_and_for_20(
    path: str, centre: Centre, physician: User
) -> None:
    client = client_for(physician)
    kind = kind_of(centre, path)

    def counted(page_size: int) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(f"{kind.list_url}?page_size={page_size}&include_voided=true")
        return len(queries), len(answer.json()["results"])

    for number in range(20):
        self_made = factories.PatientFactory(centre=centre, registry_number=f"STA-{number + 5000}")
        course = factories.CourseFactory(patient=self_made, given=2)
        factories.DiagnosisFactory(patient=self_made)
        factories.PerformanceStatusFactory(patient=self_made)
        factories.PriorTherapyFactory(patient=self_made)
        factories.ContactFactory(patient=self_made, known_alive_on=date(2019, 6, 1))
        factories.DiseaseEventFactory(patient=self_made)
        factories.DeathFactory(patient=self_made)
        factories.DiscontinuationFactory(course=course)
        reading = factories.ReadingFactory(study__patient=self_made, reader=physician)
        factories.MeasurementFactory(lesion__patient=self_made, study=reading.study)
        factories.HoldFactory(cycle=course.cycles.get(number=2), resumed_on=date(2019, 4, 25))
        factories.DoseDecisionFactory(cycle=course.cycles.get(number=2), decided_by=physician)
        factories.AbsorbedDoseFactory(cycle=course.cycles.get(number=2))
        factories.PriorPrrtFactory(patient=self_made)
        factories.SomatostatinAnalogueDoseFactory(patient=self_made)
        factories.LabResultFactory(patient=self_made, analyte="creatinine", value=80)
        factories.AdverseEventFactory(patient=self_made)

    one, twenty = counted(1), counted(20)
    assert (one[1], twenty[1]) == (1, 20)
    # A grade needs the administrations, the earlier values and the reference ranges.
    assert one[0] == twenty[0] <= (9 if path == "lab-results" else 6)


def test_pages_show_every_row_once_in_every_ordering(centre: Centre, physician: User) -> None:
    """Also among nulls and equal values, walked forwards and back."""
    client = client_for(physician)
    make_kinds(centre)
    course = factories.CourseFactory(patient__centre=centre)
    course.cycles.filter(number__gte=2).update(planned_on=None)
    for prefix, viewset, _ in router.registry:
        if prefix in {"cohorts", "centres", "protocols", "reference-ranges"}:
            continue
        everything = {row["id"] for row in client.get(f"{ROOT}{prefix}/").json()["results"]}
        for name in viewset.ordering_fields:
            for ordering in (name, f"-{name}"):
                url = f"{ROOT}{prefix}/?page_size=2&ordering={ordering}"
                forwards, pages = [], []
                while url:
                    page = client.get(url).json()
                    pages.append([row["id"] for row in page["results"]])
                    forwards += pages[-1]
                    last, url = url, page["next"]
                assert len(forwards) == len(everything), (prefix, ordering)
                assert set(forwards) == everything
                backwards, url = [], last
                while url:
                    page = client.get(url).json()
                    backwards.insert(0, [row["id"] for row in page["results"]])
                    url = page["previous"]
                assert backwards == pages, (prefix, ordering)
