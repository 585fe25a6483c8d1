"""A course as it is run, through the API: giving, holding, deciding, laboratory values, toxicity, protocols."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.access import ROLE_ACTS, Act, Role
from accounts.models import Centre, User
from tests import factories
from tests.api import REASON, ROOT, client_for, if_match
from treatments.models import (
    Administration,
    Course,
    Cycle,
    DoseDecision,
    Hold,
    LabResult,
    Protocol,
    ReferenceRange,
)

SYRINGE = {
    "administered_at": "2019-01-07T10:00:00+01:00",
    "syringe_activity_mbq": "7500",
    "syringe_measured_at": "2019-01-07T09:00:00+01:00",
    "residual_activity_mbq": "50",
    "residual_measured_at": "2019-01-07T11:00:00+01:00",
}
CONFIRMED = {"confirmation_reason": "Values seen on paper"}
NEW_PROTOCOL = {
    "code": "177lu-local",
    "name": "Local plan",
    "radiopharmaceutical": "177Lu-DOTATATE",
    "physical_half_life_days": "6.647",
    "planned_cycles": 4,
    "interval_days": 56,
    "window_days": 7,
    "prescribed_activity_mbq": "7400",
}


@pytest.fixture
def api(physician: User) -> APIClient:
    return client_for(physician)


@pytest.fixture
def course(centre: Centre) -> Course:
    return factories.CourseFactory(patient__centre=centre)


@pytest.fixture
def running(centre: Centre) -> Course:
    """Two cycles given, on 2019-01-07 and 2019-03-04."""
    return factories.CourseFactory(patient__centre=centre, given=2)


def cycle_url(course: Course, number: int, act: str = "") -> str:
    return f"{ROOT}cycles/{course.cycles.get(number=number).pk}/{act}"


def laboratory_url(course: Course) -> str:
    return f"{ROOT}patients/{course.patient_id}/laboratory/"


def errors_of(response: Any) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


# Giving a cycle


def test_warnings_refuse_a_cycle_until_they_are_confirmed_with_a_reason(
    api: APIClient, course: Course
) -> None:
    url = cycle_url(course, 1, "administer/")
    body = {"administered_at": "2019-01-20T10:00:00+01:00", "administered_activity_mbq": "7391.5"}

    warned = api.post(url, body)

    assert (warned.status_code, warned.json()["code"]) == (409, "unconfirmed_warnings")
    assert errors_of(warned) == [
        ("#/confirmation_reason", "outside_window"),
        ("#/confirmation_reason", "labs_missing"),
    ]
    assert "planned 2019-01-07" in warned.json()["errors"][0]["detail"]
    assert not Administration.objects.exists()

    given = api.post(url, {**body, **CONFIRMED})

    assert given.status_code == 201, given.content
    assert given.json()["confirmed_warnings"] == ["outside_window", "labs_missing"]
    assert given.json()["confirmation_reason"] == "Values seen on paper"
    assert given["Location"].endswith(f"{ROOT}administrations/{given.json()['id']}/")


def test_a_refusal_that_nothing_confirms_names_no_member(api: APIClient, running: Course) -> None:
    body = {"administered_at": "2019-01-20T10:00:00+01:00", "administered_activity_mbq": "7391.5"}

    refused = api.post(cycle_url(running, 1, "administer/"), body)

    assert (refused.status_code, refused.json()["code"], refused.json()["errors"]) == (
        409,
        "already_given",
        [],
    )


@pytest.mark.parametrize("path", ["administer", "administrations"])
def test_the_net_activity_follows_syringe_and_residual(api: APIClient, course: Course, path: str) -> None:
    """7,500 MBq · 2^(-1 h / 6.647 d) = 7,467.5; 50 MBq an hour later were 50.2: 7,417.3 MBq, by hand."""
    details = {
        "infusion_ended_at": "2019-01-07T10:30:00+01:00",
        "volume_ml": "25.0",
        "amino_acid_regimen": "lysine_arginine",
        "amino_acid_minutes": 240,
        "antiemetic": "Granisetron 3 mg",
        "body_weight_kg": "71.5",
        "venous_access": "port",
        "is_extravasated": True,
        "extravasated_percent": "2.0",
        "staff": "AB, CD",
        "lot": "L-1",
    }
    cycle = course.cycles.get(number=1)
    url, sent = (
        (f"{ROOT}cycles/{cycle.pk}/administer/", {})
        if path == "administer"
        else (f"{ROOT}administrations/", {"cycle": str(cycle.pk)})
    )

    given = api.post(url, {**SYRINGE, **details, **CONFIRMED, **sent})

    assert given.status_code == 201, given.content
    assert given.json()["administered_activity_mbq"] == "7417.3"
    assert given.json()["deviation_percent"] == "0.2"
    assert {name: given.json()[name] for name in details if not name.endswith("_at")} == {
        name: value for name, value in details.items() if not name.endswith("_at")
    }
    assert given.json()["infusion_ended_at"] == "2019-01-07T09:30:00Z"


def test_a_net_activity_beside_a_syringe_must_agree_with_it(api: APIClient, course: Course) -> None:
    body = {**SYRINGE, **CONFIRMED, "administered_activity_mbq": "7000"}

    refused = api.post(cycle_url(course, 1, "administer/"), body)
    given = api.post(cycle_url(course, 1, "administer/"), body | {"administered_activity_mbq": "7417.3"})

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "#/administered_activity_mbq"
    assert given.json()["administered_activity_mbq"] == "7417.3"


@pytest.mark.parametrize(
    ("unit", "sent", "stored"),
    [
        ("MBq", "7391.5", "7391.5"),
        ("GBq", "7.3915", "7391.5"),
        ("GBq", "7.39154", "7391.5"),
        ("GBq", "7.39155", "7391.6"),
        ("mCi", "200", "7400.0"),
        ("mCi", "199.8", "7392.6"),
    ],
)
def test_activities_are_taken_in_the_unit_of_the_body_and_stored_in_mbq(
    api: APIClient, course: Course, unit: str, sent: str, stored: str
) -> None:
    prescribed = {"MBq": "7400", "GBq": "7.4", "mCi": "200"}[unit]
    body = {
        "administered_at": "2019-01-07T10:00:00+01:00",
        "activity_unit": unit,
        "administered_activity_mbq": sent,
        "prescribed_activity_mbq": prescribed,
        **CONFIRMED,
    }

    given = api.post(cycle_url(course, 1, "administer/"), body)

    assert given.status_code == 201, given.content
    assert given.json()["administered_activity_mbq"] == stored
    assert given.json()["prescribed_activity_mbq"] == "7400.0"


@pytest.mark.parametrize(
    ("unit", "sent", "code"),
    [
        ("Bq", "7391.5", "invalid_choice"),
        ("mBq", "7391.5", "invalid_choice"),
        ("GBq", "20.0001", "max_value"),
        ("GBq", "0.00004", "min_value"),
        ("mCi", "541", "max_value"),  # 20,017 MBq
        ("MBq", "7391.55", "max_decimal_places"),
    ],
)
def test_an_activity_that_cannot_be_is_refused_in_every_unit(
    api: APIClient, course: Course, unit: str, sent: str, code: str
) -> None:
    body = {
        "administered_at": "2019-01-07T10:00:00+01:00",
        "activity_unit": unit,
        "administered_activity_mbq": sent,
        **CONFIRMED,
    }

    refused = api.post(cycle_url(course, 1, "administer/"), body)

    member = "activity_unit" if code == "invalid_choice" else "administered_activity_mbq"
    assert (refused.status_code, errors_of(refused)) == (400, [(f"#/{member}", code)])


@pytest.mark.parametrize(
    ("mbq", "asks"), [("5920.0", False), ("5919.9", True), ("8880.0", False), ("8880.1", True)]
)
def test_past_20_percent_an_explanation_is_asked_for(
    api: APIClient, course: Course, mbq: str, asks: bool
) -> None:
    """7,400 MBq ± 20 % is 5,920 to 8,880 MBq."""
    body = {"administered_at": "2019-01-07T10:00:00+01:00", "administered_activity_mbq": mbq, **CONFIRMED}
    url = cycle_url(course, 1, "administer/")

    answer = api.post(url, body)

    if asks:
        assert (answer.status_code, errors_of(answer)) == (
            400,
            [("#/deviation_explanation", "unexplained_deviation")],
        )
        answer = api.post(url, {**body, "deviation_explanation": "Spilled"})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        (
            {"syringe_measured_at": "2019-01-07T10:00:01+01:00"},
            "syringe_activity_mbq",
            "contradictory_activity",
        ),
        (
            {"residual_measured_at": "2019-01-07T09:59:59+01:00"},
            "syringe_activity_mbq",
            "contradictory_activity",
        ),
        ({"residual_activity_mbq": "7500"}, "syringe_activity_mbq", "contradictory_activity"),
        ({"residual_activity_mbq": None}, "residual_activity_mbq", "required"),
        ({"residual_measured_at": None}, "residual_measured_at", "required"),
        ({"syringe_measured_at": None}, "syringe_measured_at", "required"),
        ({"syringe_activity_mbq": None}, "syringe_activity_mbq", "required"),
        ({"syringe_measured_at": "2019-01-07T09:00:00"}, "syringe_measured_at", "naive"),
    ],
)
def test_a_syringe_that_contradicts_itself_is_refused(
    api: APIClient, course: Course, change: dict[str, Any], pointer: str, code: str
) -> None:
    body = {**SYRINGE, **change}

    for act in ("administer/", "net-activity/"):
        refused = api.post(cycle_url(course, 1, act), {**body, **(CONFIRMED if act == "administer/" else {})})
        assert (refused.status_code, errors_of(refused)) == (400, [(f"#/{pointer}", code)]), act
    assert not Administration.objects.exists()


def test_without_syringe_and_net_activity_the_activity_is_asked_for(api: APIClient, course: Course) -> None:
    body = {"administered_at": "2019-01-07T10:00:00+01:00"}

    refused = api.post(cycle_url(course, 1, "administer/"), body)

    assert errors_of(refused) == [("#/administered_activity_mbq", "required")]


def test_giving_a_cycle_twice_with_one_key_gives_it_once(api: APIClient, course: Course) -> None:
    url, body = cycle_url(course, 1, "administer/"), {**SYRINGE, **CONFIRMED}

    warned = api.post(url, SYRINGE, HTTP_IDEMPOTENCY_KEY="one")
    first = api.post(url, body, HTTP_IDEMPOTENCY_KEY="one")  # what was refused leaves no key behind
    again = api.post(url, body, HTTP_IDEMPOTENCY_KEY="one")

    assert (warned.status_code, first.status_code, again.status_code) == (409, 201, 201)
    assert again["Idempotency-Replayed"] == "true"
    assert first.json() == again.json()
    assert Administration.objects.count() == 1


def test_a_corrected_syringe_changes_the_net_activity(api: APIClient, course: Course) -> None:
    given = api.post(cycle_url(course, 1, "administer/"), {**SYRINGE, **CONFIRMED}).json()
    url = f"{ROOT}administrations/{given['id']}/"

    corrected = api.patch(url, {"residual_activity_mbq": "0"}, **if_match(given["version"]))
    assert corrected.status_code == 200, corrected.content
    assert corrected.json()["administered_activity_mbq"] == "7467.5"
    unexplained = api.patch(url, {"syringe_activity_mbq": "3000"}, **if_match(corrected.json()["version"]))
    assert errors_of(unexplained) == [("#/deviation_explanation", "unexplained_deviation")]
    unit = api.patch(url, {"activity_unit": "GBq"}, **if_match(corrected.json()["version"]))
    assert errors_of(unit) == [("#/activity_unit", "unknown_field")]


def test_the_net_activity_is_computed_without_storing(api: APIClient, course: Course) -> None:
    url = cycle_url(course, 1, "net-activity/")

    found = api.post(url, SYRINGE)
    alone = api.post(url, {name: SYRINGE[name] for name in list(SYRINGE)[:3]})
    little = api.post(
        url,
        {**SYRINGE, "activity_unit": "GBq", "syringe_activity_mbq": "5.9", "residual_activity_mbq": "0.05"},
    )

    assert found.status_code == 200
    assert found.json() == {
        "net_activity_mbq": "7417.3",
        "syringe_at_injection_mbq": "7467.5",
        "residual_at_injection_mbq": "50.2",
        "prescribed_activity_mbq": "7400.0",
        "deviation_percent": "0.2",
        "needs_explanation": False,
        "remark": "",
    }
    assert alone.json()["net_activity_mbq"] == "7467.5"
    assert alone.json()["residual_at_injection_mbq"] is None
    assert "No residual was measured" in alone.json()["remark"]
    assert little.json()["needs_explanation"] is True  # 5,824.2 of 7,400 MBq
    assert not Administration.objects.exists()


def test_the_checks_are_read_before_a_cycle_is_given(api: APIClient, course: Course) -> None:
    url = cycle_url(course, 1, "checks/")

    asked = api.get(url, {"administered_at": "2019-01-20T10:00:00+01:00"})
    within = api.get(url, {"administered_at": "2019-01-14T10:00:00+01:00"})
    much = api.get(
        url, {"administered_at": "2019-01-14T10:00:00+01:00", "administered_activity_mbq": "20000"}
    )

    assert [warning["code"] for warning in asked.json()["warnings"]] == ["outside_window", "labs_missing"]
    assert [warning["code"] for warning in within.json()["warnings"]] == ["labs_missing"]
    assert all(warning["detail"] for warning in asked.json()["warnings"])
    assert much.status_code == 200
    refused = api.get(url, {"administered_at": "2019-01-20T10:00:00"})
    assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (400, "administered_at")
    assert api.get(url, {"when": "now"}).json()["errors"][0]["code"] == "unknown_parameter"


def test_nothing_is_warned_of_a_given_cycle(api: APIClient, running: Course) -> None:
    assert api.get(cycle_url(running, 2, "checks/")).json()["warnings"] == []


# Holding, leaving out, planning


def test_a_cycle_is_held_and_resumed(api: APIClient, running: Course) -> None:
    held = api.post(
        cycle_url(running, 3, "hold/"),
        {"held_on": "2019-04-20", "reason": "haematological", "review_on": "2019-05-13"},
    )
    assert held.status_code == 201, held.content
    assert held["Location"].endswith(f"{ROOT}holds/{held.json()['id']}/")
    cycle = api.get(cycle_url(running, 3)).json()
    assert (cycle["status"], cycle["planned_on"]) == ("held", "2019-05-13")
    again = api.post(cycle_url(running, 3, "hold/"), {"held_on": "2019-04-21", "reason": "renal"})
    assert (again.status_code, again.json()["code"]) == (409, "already_held")
    assert [row["id"] for row in api.get(f"{ROOT}holds/?is_open=true").json()["results"]] == [
        held.json()["id"]
    ]

    early = api.post(cycle_url(running, 3, "resume/"), {"resumed_on": "2019-04-19"})
    assert errors_of(early) == [("#/resumed_on", "before_hold")]
    resumed = api.post(cycle_url(running, 3, "resume/"), {"resumed_on": "2019-05-20"})
    assert resumed.status_code == 200, resumed.content
    assert (resumed.json()["status"], resumed.json()["planned_on"]) == ("planned", "2019-05-20")
    assert api.get(f"{ROOT}holds/?is_open=true").json()["results"] == []
    twice = api.post(cycle_url(running, 3, "resume/"), {"resumed_on": "2019-05-20"})
    assert (twice.status_code, twice.json()["code"]) == (409, "not_held")


def test_a_hold_is_corrected_and_voided_and_the_plan_follows(api: APIClient, running: Course) -> None:
    held = api.post(f"{ROOT}holds/", {
        "cycle": str(running.cycles.get(number=3).pk), "held_on": "2019-04-20", "reason": "renal",
        "review_on": "2019-05-13",
    }).json()  # fmt: skip
    url = f"{ROOT}holds/{held['id']}/"

    assert api.patch(url, {"review_on": "2019-05-27"}, **if_match(held["version"])).status_code == 200
    assert api.get(cycle_url(running, 3)).json()["planned_on"] == "2019-05-27"
    assert api.post(f"{url}void/", **REASON).status_code == 200
    cycle = api.get(cycle_url(running, 3)).json()
    assert (cycle["status"], cycle["planned_on"]) == ("planned", "2019-04-29")


def test_a_given_cycle_is_not_held(api: APIClient, running: Course) -> None:
    refused = api.post(cycle_url(running, 2, "hold/"), {"held_on": "2019-04-20", "reason": "renal"})

    assert (refused.status_code, refused.json()["code"]) == (409, "not_planned")


def test_a_cycle_is_left_out_and_restored_with_a_reason(api: APIClient, running: Course) -> None:
    url = cycle_url(running, 3)
    assert api.post(f"{url}cancel/").json()["code"] == "change_reason_required"
    assert api.post(f"{url}cancel/", HTTP_IF_MATCH='"99"', **REASON).status_code == 412

    left_out = api.post(f"{url}cancel/", HTTP_IDEMPOTENCY_KEY="c", **REASON)
    replayed = api.post(f"{url}cancel/", HTTP_IDEMPOTENCY_KEY="c", **REASON)

    assert left_out.status_code == replayed.status_code == 200
    assert replayed["Idempotency-Replayed"] == "true"
    assert (left_out.json()["status"], left_out.json()["cancel_reason"]) == ("cancelled", "Typing error")
    assert api.get(cycle_url(running, 4)).json()["planned_on"] == "2019-04-29"
    last = api.post(cycle_url(running, 4, "cancel/"), **REASON)
    assert (last.status_code, last.json()["code"]) == (409, "last_cycle")

    assert api.post(f"{url}restore/").json()["code"] == "change_reason_required"
    restored = api.post(f"{url}restore/", **REASON)
    assert (restored.status_code, restored.json()["status"]) == (200, "planned")
    assert restored.json()["cancel_reason"] == ""
    assert api.get(cycle_url(running, 4)).json()["planned_on"] == "2019-06-24"
    assert api.post(f"{url}restore/", **REASON).json()["code"] == "not_cancelled"


def test_a_day_set_by_hand_moves_what_follows(api: APIClient, running: Course) -> None:
    third = running.cycles.get(number=3)

    moved = api.patch(cycle_url(running, 3), {"planned_on": "2019-05-06"}, **if_match(third.version))

    assert (moved.json()["planned_on"], moved.json()["set_on"]) == ("2019-05-06", "2019-05-06")
    assert api.get(cycle_url(running, 4)).json()["planned_on"] == "2019-07-01"
    back = api.patch(cycle_url(running, 3), {"planned_on": None}, **if_match(moved.json()["version"]))
    assert (back.json()["planned_on"], back.json()["set_on"]) == ("2019-04-29", None)
    before = api.patch(
        cycle_url(running, 3), {"planned_on": "2019-03-04"}, **if_match(back.json()["version"])
    )
    assert errors_of(before) == [("#/planned_on", "before_given")]


@pytest.mark.parametrize(("mbq", "code"), [("0.0", "min_value"), ("20000.1", "max_value"), ("3700.0", None)])
def test_another_activity_is_prescribed_for_a_cycle(
    api: APIClient, running: Course, mbq: str, code: str | None
) -> None:
    answer = api.patch(cycle_url(running, 3), {"prescribed_activity_mbq": mbq}, **if_match(1))

    if code is None:
        assert answer.json()["prescribed_activity_mbq"] == mbq
        schedule = api.get(f"{ROOT}courses/{running.pk}/schedule/").json()
        assert schedule["cycles"][2]["prescribed_activity_mbq"] == mbq
    else:
        assert errors_of(answer) == [("#/prescribed_activity_mbq", code)]


# Advice and decisions


def test_the_advice_says_what_is_missing(api: APIClient, running: Course) -> None:
    found = api.get(cycle_url(running, 3, "advice/"))

    assert found.status_code == 200
    advice = found.json()["advice"]
    assert advice["code"] == "insufficient"
    assert advice["words"] == "No advice: required laboratory values are missing"
    assert "platelets" in advice["missing"]
    assert "prescribing information" in advice["source"]


def test_no_advice_is_given_on_a_given_cycle_or_without_rules(
    api: APIClient, running: Course, centre: Centre
) -> None:
    without_rules = factories.CourseFactory(
        patient__centre=centre, protocol=Protocol.objects.create(**NEW_PROTOCOL), given=2
    )

    assert api.get(cycle_url(running, 2, "advice/")).json()["advice"] is None
    assert api.get(cycle_url(without_rules, 3, "advice/")).json()["advice"] is None
    refused = api.post(
        cycle_url(without_rules, 3, "decide/"), {"decision": "continue", "reason": "As planned"}
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "no_dose_rules")


def test_the_advice_stands_on_facts(api: APIClient, running: Course) -> None:
    """Platelets of 60 are grade 2, which holds the next cycle; of one that is years late no more is to be expected."""
    for analyte in running.protocol.labs_before_cycle:
        value = {"platelets": 60, "haemoglobin": 130, "creatinine": 80, "albumin": 40}.get(analyte, 10)
        factories.LabResultFactory(
            patient=running.patient, analyte=analyte, value=value, lower_limit=None if analyte == "alt" else 1,
            upper_limit=500, taken_at=timezone.now() - timedelta(hours=1),
        )  # fmt: skip

    advice = api.get(cycle_url(running, 3, "advice/")).json()["advice"]

    assert advice["missing"] == []
    assert (advice["code"], advice["criteria"]) == ("discontinue", ["platelets"])
    assert advice["activity_mbq"] is None
    assert any("60" in fact for fact in advice["facts"])


@pytest.mark.parametrize("path", ["decide", "dose-decisions"])
def test_a_decision_is_kept_beside_the_advice_and_followed(
    api: APIClient, running: Course, physician: User, path: str
) -> None:
    url, more = (
        (cycle_url(running, 3, "decide/"), {})
        if path == "decide"
        else (f"{ROOT}dose-decisions/", {"cycle": str(running.cycles.get(number=3).pk)})
    )
    unexplained = api.post(url, {"decision": "reduce", **more})
    assert unexplained.status_code == 400
    assert not DoseDecision.objects.exists()

    decided = api.post(url, {"decision": "reduce", "reason": "Platelets fell twice", **more})

    assert decided.status_code == 201, decided.content
    body = decided.json()
    assert (body["decision"], body["prescribed_activity_mbq"]) == ("reduce", "3700.0")
    assert (body["advice"], body["decided_by"]) == ("insufficient", physician.username)
    assert "prescribing information" in body["advice_source"]
    assert decided["Location"].endswith(f"{ROOT}dose-decisions/{body['id']}/")
    assert api.get(cycle_url(running, 3)).json()["prescribed_activity_mbq"] == "3700.0"


def test_a_decision_to_hold_holds(api: APIClient, running: Course) -> None:
    decided = api.post(cycle_url(running, 3, "decide/"), {"decision": "hold", "reason": "Wait for the count"})

    assert decided.status_code == 201
    assert api.get(cycle_url(running, 3)).json()["status"] == "held"
    assert Hold.objects.get().note == "Wait for the count"


def test_of_a_decision_the_reason_alone_is_corrected(api: APIClient, centre: Centre) -> None:
    decision = factories.DoseDecisionFactory(
        cycle=factories.CourseFactory(patient__centre=centre, given=2).cycles.get(number=3), reason="First"
    )
    url = f"{ROOT}dose-decisions/{decision.pk}/"

    answer = api.patch(
        url, {"reason": "Second", "decision": "hold", "prescribed_activity_mbq": "1"}, **if_match(1)
    )

    assert answer.json()["reason"] == "Second"
    assert (answer.json()["decision"], answer.json()["prescribed_activity_mbq"]) == ("continue", "7400.0")


# Laboratory values


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "stored", "in_unit"),
    [
        ("haemoglobin", "12.4", "g/dL", "124.0000", "g/L"),
        ("haemoglobin", "124", "", "124.0000", "g/L"),
        ("creatinine", "1.0", "mg/dL", "88.4000", "µmol/L"),
        ("platelets", "210", "10^3/uL", "210.0000", "10⁹/L"),
        ("platelets", "210000", "/µL", "210.0000", "10⁹/L"),
    ],
)
def test_a_value_is_stored_in_the_unit_of_its_analyte_beside_what_was_written(
    api: APIClient, course: Course, analyte: str, value: str, unit: str, stored: str, in_unit: str
) -> None:
    made = api.post(
        f"{ROOT}lab-results/",
        {
            "patient": str(course.patient_id),
            "analyte": analyte,
            "taken_at": "2019-01-04T08:00:00+01:00",
            "value": value,
            "unit": unit,
        },
    )

    assert made.status_code == 201, made.content
    assert (made.json()["value"], made.json()["unit"]) == (stored, in_unit)
    assert made.json()["original_value"] == value
    assert made.json()["original_unit"] == (unit or in_unit)
    assert made.json()["is_unlikely_confirmed"] is False


def value_of(course: Course, **values: Any) -> dict[str, Any]:
    return {
        "patient": str(course.patient_id),
        "analyte": "haemoglobin",
        "taken_at": "2019-01-04T08:00:00+01:00",
        "value": "124",
        **values,
    }


def test_limits_are_converted_with_the_value_and_grade_it(api: APIClient, course: Course) -> None:
    """Anaemia: below the lower limit to 100 g/L is grade 1."""
    sent = value_of(course, value="11.5", unit="g/dL", lower_limit="12", upper_limit="16")

    made = api.post(f"{ROOT}lab-results/", sent).json()

    assert (made["lower_limit"], made["upper_limit"]) == ("120.0000", "160.0000")
    assert (made["lower_limit_in_force"], made["limits_source"]) == ("120.0000", "result")
    assert (made["grade"], made["grade_reason"]) == (1, "")


@pytest.mark.parametrize(
    ("value", "unit", "status"),
    [("9.9", "", 400), ("10", "", 409), ("49.9", "", 409), ("50", "", 201), ("200", "", 201),
     ("200.1", "", 409), ("260", "", 409), ("260.1", "", 400), ("26.01", "g/dL", 400), ("-1", "", 400)],
)  # fmt: skip
def test_impossible_values_are_refused_and_unlikely_ones_confirmed(
    api: APIClient, course: Course, value: str, unit: str, status: int
) -> None:
    """Haemoglobin: accepted from 10 to 260 g/L, usual from 50 to 200."""
    url, body = f"{ROOT}lab-results/", value_of(course, value=value, unit=unit)

    answer = api.post(url, body)

    assert answer.status_code == status
    if status == 400:
        assert errors_of(answer) == [("#/value", "implausible_value")]
        assert "10 to 260 g/L" in answer.json()["errors"][0]["detail"]
        assert api.post(url, {**body, "confirm_unlikely": True}).status_code == 400
    if status == 409:
        assert answer.json()["code"] == "unlikely_values"
        assert errors_of(answer) == [("#/confirm_unlikely", "unlikely_value")]
        assert not LabResult.objects.exists()
        confirmed = api.post(url, {**body, "confirm_unlikely": True})
        assert (confirmed.status_code, confirmed.json()["is_unlikely_confirmed"]) == (201, True)


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"unit": "mg/dL"}, "unit", "unknown_unit"),
        ({"analyte": "sodium"}, "analyte", "invalid_choice"),
        ({"taken_at": "2019-01-04T08:00:00"}, "taken_at", "naive"),
        ({"taken_at": "2999-01-04T08:00:00Z"}, "taken_at", "in_future"),
        ({"value": "NaN"}, "value", "invalid"),
        ({"lower_limit": "-1"}, "lower_limit", "min_value"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_where_it_stands(
    api: APIClient, course: Course, change: dict[str, Any], pointer: str, code: str
) -> None:
    body = value_of(course, **change)
    alone = api.post(f"{ROOT}lab-results/", body)
    entry = {name: value for name, value in body.items() if name != "patient"}
    good = {**entry, "analyte": "alt", "value": "30", "taken_at": "2019-01-03T08:00:00Z", "unit": ""}
    good.pop("lower_limit", None)
    many = api.post(laboratory_url(course), {"entries": [good, entry]})

    assert (alone.status_code, errors_of(alone)) == (400, [(f"#/{pointer}", code)])
    assert (many.status_code, errors_of(many)) == (400, [(f"#/entries/1/{pointer}", code)])
    assert not LabResult.objects.exists()


def test_the_kidney_function_stands_beside_a_creatinine(api: APIClient, course: Course) -> None:
    """A woman of 61 years, 70 kg, 80 µmol/L: (140 - 61) · 70 · 88.4 / (72 · 80) · 0.85 = 72.1 mL/min."""
    weight = value_of(course, analyte="body_weight", value="70")
    api.post(f"{ROOT}lab-results/", weight)

    made = api.post(f"{ROOT}lab-results/", value_of(course, analyte="creatinine", value="80")).json()

    assert (made["age_years"], made["body_weight_kg"]) == (61, "70.0")
    assert made["creatinine_clearance_ml_min"] == "72.1"
    # 142 · (80 / (88.4 · 0.7))^-1.2 · 0.9938^61 · 1.012 = 142 · 0.73477 · 0.68429 · 1.012
    assert made["egfr_ml_min_1_73m2"] == "72.3"
    assert made["kidney_reason"] == ""
    assert (made["grade"], made["grade_reason"] != "") == (None, True)  # no upper limit is known


def test_a_list_derives_what_a_single_value_shows(
    api: APIClient, course: Course, centre: Centre, running: Course
) -> None:
    factories.ReferenceRangeFactory(centre=centre, analyte="creatinine", lower_limit=None, upper_limit=90)
    for day, value in ((4, 80), (14, 200)):
        for one in (course, running):
            factories.LabResultFactory(
                patient=one.patient, analyte="creatinine", value=value,
                taken_at=datetime(2019, 1, day, 8, tzinfo=UTC),
            )  # fmt: skip

    listed = api.get(f"{ROOT}lab-results/").json()["results"]

    assert len(listed) == 4
    for row in listed:
        assert api.get(f"{ROOT}lab-results/{row['id']}/").json() == row
    later = {row["patient"]: row for row in listed if row["value"] == "200.0000"}
    # 200 is 2.2 × the limit of 90, and of the baseline 80 in the running course 2.5 ×: grade 2 by both.
    assert later[str(running.patient_id)]["baseline"] == "80.0000"
    assert later[str(course.patient_id)]["baseline"] is None
    assert {row["grade"] for row in later.values()} == {2}
    of_patient = api.get(laboratory_url(running)).json()
    assert [row["id"] for row in of_patient["results"]] == [
        row["id"] for row in sorted(listed, key=lambda row: row["taken_at"])
        if row["patient"] == str(running.patient_id)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bounds", "n"),
    [
        ({"taken_from": "2019-03-04T08:00:00Z"}, 1),
        ({"taken_from": "2019-03-04T09:00:00+01:00", "taken_to": "2019-03-04T09:00:00+01:00"}, 1),
        ({"taken_from": "2019-03-04T08:00:01Z"}, 0),
        ({"taken_to": "2019-03-03T12:04:00-19:56"}, 1),  # PostgreSQL takes no such offset
        ({"taken_to": "2019-03-03T12:03:59-19:56"}, 0),
    ],
)
def test_values_are_listed_between_moments_of_any_offset(
    api: APIClient, course: Course, bounds: dict[str, str], n: int
) -> None:
    factories.LabResultFactory(patient=course.patient, taken_at=datetime(2019, 3, 4, 8, tzinfo=UTC))

    assert len(api.get(f"{ROOT}lab-results/", bounds).json()["results"]) == n


def test_a_moment_beyond_the_calendar_is_refused(api: APIClient) -> None:
    refused = api.get(f"{ROOT}lab-results/", {"taken_to": "0001-01-01T00:00:00+12:00"})

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["code"] == "out_of_range"


def test_nothing_follows_from_a_voided_value(api: APIClient, running: Course) -> None:
    result = factories.LabResultFactory(patient=running.patient, analyte="alt", value=900, upper_limit=40)
    url = f"{ROOT}lab-results/{result.pk}/"
    assert api.get(url).json()["grade"] == 4  # 900 > 20 × 40

    voided = api.post(f"{url}void/", **REASON).json()

    assert (voided["grade"], voided["grade_reason"]) == (None, "This value was voided.")
    assert api.get(laboratory_url(running)).json()["results"] == []


def test_a_corrected_value_is_given_in_its_own_unit_and_checked_anew(api: APIClient, course: Course) -> None:
    made = api.post(f"{ROOT}lab-results/", value_of(course, value="12.4", unit="g/dL")).json()
    url = f"{ROOT}lab-results/{made['id']}/"

    other = api.patch(url, {"value": "11.4", "unit": "g/dL"}, **if_match(1))
    assert errors_of(other) == [("#/unit", "other_unit")]
    impossible = api.patch(url, {"value": "1140"}, **if_match(1))
    assert errors_of(impossible) == [("#/value", "implausible_value")]
    unlikely = api.patch(url, {"value": "40"}, **if_match(1))
    assert (unlikely.status_code, errors_of(unlikely)) == (409, [("#/confirm_unlikely", "unlikely_value")])
    confirmed = api.patch(url, {"value": "40", "confirm_unlikely": True}, **if_match(1))
    assert confirmed.json()["is_unlikely_confirmed"] is True
    done = api.patch(url, {"value": "114", "unit": "g/L"}, **if_match(2)).json()
    assert (done["value"], done["original_value"], done["original_unit"]) == ("114.0000", "114", "g/L")
    assert done["is_unlikely_confirmed"] is False


def test_the_documented_examples_are_answered_as_documented(api: APIClient, running: Course) -> None:
    """docs/api.md: a cycle with old values, and a haemoglobin that is unlikely."""
    for analyte in running.protocol.labs_before_cycle:
        if analyte != "platelets":
            factories.LabResultFactory(
                patient=running.patient, analyte=analyte, value=100, upper_limit=500, lower_limit=1,
                taken_at=datetime(2019, 4, 26, 7, tzinfo=UTC),
            )  # fmt: skip
    factories.LabResultFactory(patient=running.patient, taken_at=datetime(2019, 4, 8, 7, tzinfo=UTC))
    syringe = {
        "administered_at": "2019-04-29T10:00:00+02:00",
        "activity_unit": "GBq",
        "lot": "L-204",
        "syringe_activity_mbq": "7.5",
        "syringe_measured_at": "2019-04-29T09:00:00+02:00",
        "residual_activity_mbq": "0.05",
        "residual_measured_at": "2019-04-29T11:00:00+02:00",
    }

    [warned] = api.post(cycle_url(running, 3, "administer/"), syringe).json()["errors"]
    assert warned["code"] == "labs_old"
    assert warned["detail"].replace("\N{NO-BREAK SPACE}", " ") == (
        "Older than 2 weeks on the day of the cycle: platelets (2019-04-08)."
    )
    given = api.post(cycle_url(running, 3, "administer/"), {**syringe, **CONFIRMED}).json()
    assert (given["administered_activity_mbq"], given["deviation_percent"]) == ("7417.3", "0.2")
    assert given["confirmed_warnings"] == ["labs_old"]

    at = "2019-05-20T08:00:00+02:00"
    entries = [
        {"analyte": "platelets", "taken_at": at, "value": "62", "unit": "10^3/uL", "lower_limit": "150"},
        {"analyte": "haemoglobin", "taken_at": at, "value": "4.8", "unit": "g/dL"},
    ]
    [doubt] = api.post(laboratory_url(running), {"entries": entries}).json()["errors"]
    assert doubt["detail"] == (
        "Entry 2: Haemoglobin: 48.0 g/L is unlikely (usual: 50 to 200 g/L). Check the value and its unit."
    )
    stored = api.post(laboratory_url(running), {"entries": entries, "confirm_unlikely": True})
    haemoglobin, platelets = stored.json()["results"][-2:]
    assert (haemoglobin["original_value"], haemoglobin["value"]) == ("4.8", "48.0000")
    assert (platelets["grade"], platelets["lower_limit_in_force"]) == (2, "150.0000")


def test_many_values_are_stored_all_or_none(api: APIClient, course: Course) -> None:
    url = laboratory_url(course)
    good = {"analyte": "platelets", "taken_at": "2019-01-04T08:00:00+01:00", "value": "210"}
    unlikely = {**good, "analyte": "haemoglobin", "value": "45"}

    doubtful = api.post(url, {"entries": [good, unlikely]})
    assert (doubtful.status_code, doubtful.json()["code"]) == (409, "unlikely_values")
    assert doubtful.json()["errors"][0]["detail"].startswith("Entry 2: ")
    assert not LabResult.objects.exists()

    body = {"entries": [good, unlikely], "confirm_unlikely": True}
    stored = api.post(url, body, HTTP_IDEMPOTENCY_KEY="many")
    replayed = api.post(url, body, HTTP_IDEMPOTENCY_KEY="many")
    assert stored.status_code == replayed.status_code == 201
    assert replayed["Idempotency-Replayed"] == "true"
    assert [row["analyte"] for row in stored.json()["results"]] == ["haemoglobin", "platelets"]
    assert LabResult.objects.count() == 2
    twice = api.post(url, body)
    assert (twice.status_code, LabResult.objects.count()) == (400, 2)


@pytest.mark.parametrize(("n", "status"), [(0, 400), (500, 201), (501, 400)])
def test_at_most_500_values_are_sent_at_once(api: APIClient, course: Course, n: int, status: int) -> None:
    entries = [
        {"analyte": "platelets", "taken_at": f"2018-{1 + i // 25 % 12:02}-{1 + i % 25:02}T{i // 300:02}:00:00Z",
         "value": "210"}
        for i in range(n)
    ]  # fmt: skip

    assert api.post(laboratory_url(course), {"entries": entries}).status_code == status
    assert LabResult.objects.count() == (n if status == 201 else 0)


# Reference ranges


RANGE = {
    "centre": "STA",
    "analyte": "platelets",
    "lower_limit": "140",
    "upper_limit": "400",
    "valid_from": "2019-01-01",
}


@pytest.mark.parametrize("role", Role.values)
def test_reference_ranges_are_set_by_who_manages_cohorts(
    role: str, centre: Centre, user_with: Callable[..., User]
) -> None:
    client = client_for(user_with(role))
    reads = Act.VIEW_RECORDS in ROLE_ACTS[role]
    manages = reads and Act.MANAGE_COHORTS in ROLE_ACTS[role]

    assert client.get(f"{ROOT}reference-ranges/").status_code == (200 if reads else 403)
    assert client.post(f"{ROOT}reference-ranges/", RANGE).status_code == (201 if manages else 403)


def test_reference_ranges_hold_from_their_day_on(centre: Centre, data_manager: User, course: Course) -> None:
    api = client_for(data_manager)
    url = f"{ROOT}reference-ranges/"

    first = api.post(url, RANGE, HTTP_IDEMPOTENCY_KEY="r")
    replayed = api.post(url, RANGE, HTTP_IDEMPOTENCY_KEY="r")
    api.post(url, {**RANGE, "lower_limit": "150", "valid_from": "2019-02-01"})

    assert (first.status_code, first.json()["unit"]) == (201, "10⁹/L")
    assert first["Location"].endswith(f"{url}{first.json()['id']}/")
    assert (replayed.json(), replayed["Idempotency-Replayed"]) == (first.json(), "true")
    assert ReferenceRange.objects.count() == 2
    assert api.get(f"{url}{first.json()['id']}/").json() == first.json()
    assert api.delete(f"{url}{first.json()['id']}/").status_code == 405
    limits = [
        api.post(
            f"{ROOT}lab-results/",
            value_of(course, analyte="platelets", value="145", taken_at=f"{day}T12:00:00Z"),
        ).json()
        for day in ("2019-01-31", "2019-02-01")
    ]
    assert [row["lower_limit_in_force"] for row in limits] == ["140.0000", "150.0000"]
    assert [row["grade"] for row in limits] == [0, 1]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"centre": "NRD"}, "#/centre", "does_not_exist"),
        ({"lower_limit": "400"}, "#", "treatments_referencerange_limits_in_order"),
        ({"lower_limit": None, "upper_limit": None}, "#", "treatments_referencerange_has_limit"),
        ({"valid_to": "2018-12-31"}, "#", "treatments_referencerange_days_in_order"),
        ({"unit": "/µL"}, "#/unit", "unknown_field"),
    ],
)
def test_a_range_that_cannot_hold_is_refused(
    centre: Centre, other_centre: Centre, data_manager: User, change: dict[str, Any], pointer: str, code: str
) -> None:
    refused = client_for(data_manager).post(f"{ROOT}reference-ranges/", {**RANGE, **change})

    assert (refused.status_code, errors_of(refused)) == (400, [(pointer, code)])


def test_ranges_of_another_centre_are_absent(other_centre: Centre, data_manager: User) -> None:
    theirs = factories.ReferenceRangeFactory(centre=other_centre)
    api = client_for(data_manager)

    assert api.get(f"{ROOT}reference-ranges/").json()["results"] == []
    assert api.get(f"{ROOT}reference-ranges/{theirs.pk}/").status_code == 404


# Protocols and moving a course


def test_a_protocol_is_added_and_its_code_gets_the_next_version(
    centre: Centre, data_manager: User, course: Course
) -> None:
    api = client_for(data_manager)
    shipped = api.get(f"{ROOT}protocols/{course.protocol_id}/").json()
    assert shipped["dose_rules"]["platelets_hold_grade"] == 2
    assert "platelets" in shipped["labs_before_cycle"]
    assert (shipped["kidney_limit_gy"], shipped["marrow_limit_gy"]) == ("23.0", "2.0")

    first = api.post(f"{ROOT}protocols/", NEW_PROTOCOL, HTTP_IDEMPOTENCY_KEY="p")
    replayed = api.post(f"{ROOT}protocols/", NEW_PROTOCOL, HTTP_IDEMPOTENCY_KEY="p")
    given_back = {
        name: value for name, value in shipped.items() if name not in {"id", "version", "course_limit_mbq"}
    }
    changes = {"planned_cycles": 5, "cumulative_limit_mbq": None, "sd_minimum_days": 56}
    second = api.post(f"{ROOT}protocols/", given_back | changes)

    assert (first.status_code, first.json()["version"]) == (201, 1), first.content
    assert first.json()["course_limit_mbq"] == "29600.0"  # 4 × 7,400
    assert replayed.json() == first.json()
    assert (second.status_code, second.json()["version"]) == (201, shipped["version"] + 1), second.content
    assert second.json()["dose_rules"] == shipped["dose_rules"]
    names = (
        "response_confirmation_days",
        "sd_minimum_days",
        "sstr_decrease_percent",
        "sstr_increase_percent",
    )
    assert [shipped[name] for name in names] == [28, 42, "30.0", "30.0"]
    assert [second.json()[name] for name in names] == [28, 56, "30.0", "30.0"]
    course.refresh_from_db()
    assert course.protocol_id == shipped["id"]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"window_days": 29}, "#", "treatments_protocol_window_within_interval"),
        ({"planned_cycles": 0}, "#", "treatments_protocol_plan_positive"),
        ({"imaging_after_cycles": [2, 5]}, "#/imaging_after_cycles", "invalid"),
        ({"imaging_after_cycles": [0]}, "#/imaging_after_cycles", "invalid"),
        ({"reduced_activity_mbq": "7400"}, "#", "treatments_protocol_reduced_below_prescribed"),
        ({"sstr_increase_percent": "0"}, "#", "treatments_protocol_response_rules_plausible"),
        ({"response_confirmation_days": 0}, "#/response_confirmation_days", "min_value"),
        ({"dose_rules": {"platelets_hold_grade": 2}}, "#/dose_rules", "invalid_dose_rules"),
        ({"dose_rules": []}, "#/dose_rules", "invalid"),
        ({"labs_before_cycle": ["sodium"]}, "#/labs_before_cycle/0", "invalid_choice"),
        ({"version": 7}, "#/version", "unknown_field"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused_with_the_reason(
    data_manager: User, change: dict[str, Any], pointer: str, code: str
) -> None:
    before = Protocol.objects.count()

    refused = client_for(data_manager).post(f"{ROOT}protocols/", {**NEW_PROTOCOL, **change})

    assert (refused.status_code, errors_of(refused)) == (400, [(pointer, code)])
    assert Protocol.objects.count() == before


def test_a_window_of_half_the_interval_is_accepted(data_manager: User) -> None:
    assert client_for(data_manager).post(
        f"{ROOT}protocols/", {**NEW_PROTOCOL, "window_days": 28}
    ).status_code == 201  # fmt: skip


@pytest.mark.parametrize("how", ["move", "patch"])
def test_a_course_is_moved_to_another_protocol_with_a_reason(
    api: APIClient, running: Course, how: str
) -> None:
    two = Protocol.objects.create(**{**NEW_PROTOCOL, "planned_cycles": 2, "interval_days": 70})
    one = Protocol.objects.create(**{**NEW_PROTOCOL, "code": "one", "planned_cycles": 1})
    url = f"{ROOT}courses/{running.pk}/"
    version = api.get(url)["ETag"]

    def send(protocol: Protocol, **headers: str) -> Any:
        if how == "patch":
            return api.patch(url, {"protocol": protocol.pk}, HTTP_IF_MATCH=version, **headers)
        return api.post(f"{url}move/", {"protocol": protocol.pk}, **headers)

    assert send(two).json()["code"] == "change_reason_required"
    few = send(one, **REASON)
    assert (few.status_code, few.json()["code"]) == (409, "too_many_given")
    assert api.get(url).json()["state"] == "ongoing"
    moved = send(two, **REASON)
    assert moved.status_code == 200, moved.content
    assert (moved.json()["protocol"], moved.json()["state"]) == (two.pk, "completed")
    assert running.cycles.current().count() == 2
    assert api.get(f"{url}history/").json()["results"][-1]["reason"] == "Typing error"


def test_the_state_of_a_course_follows_from_its_facts(
    api: APIClient, running: Course, centre: Centre
) -> None:
    done = factories.CourseFactory(patient__centre=centre, given=4)
    stopped = factories.DiscontinuationFactory(
        course=factories.CourseFactory(patient__centre=centre, given=1), after_cycle=1
    ).course

    listed = {row["id"]: row["state"] for row in api.get(f"{ROOT}courses/").json()["results"]}

    assert listed == {
        str(running.pk): "ongoing", str(done.pk): "completed", str(stopped.pk): "discontinued"
    }  # fmt: skip
    for pk, state in listed.items():
        assert api.get(f"{ROOT}courses/{pk}/schedule/").json()["state"] == state


def test_nothing_is_due_of_a_patient_who_died(api: APIClient, running: Course) -> None:
    before = api.get(f"{ROOT}courses/{running.pk}/schedule/").json()
    factories.DeathFactory(patient=running.patient, died_on=date(2019, 4, 1))

    schedule = api.get(f"{ROOT}courses/{running.pk}/schedule/").json()

    assert (before["died_on"], before["is_past_max_delay"], before["cycles"][2]["due"]) == (
        None,
        True,
        "overdue",
    )
    assert schedule["died_on"] == "2019-04-01"
    assert (schedule["delay_days"], schedule["is_past_max_delay"], schedule["imaging"]) == (0, False, [])
    assert [cycle["due"] for cycle in schedule["cycles"]] == [None] * 4
    assert [cycle["window_to"] for cycle in schedule["cycles"]] == [None] * 4


def test_the_schedule_says_why_each_date_is_that_date(api: APIClient, running: Course) -> None:
    api.post(
        cycle_url(running, 3, "hold/"),
        {"held_on": "2019-04-20", "reason": "haematological", "review_on": "2019-05-20"},
    )

    schedule = api.get(f"{ROOT}courses/{running.pk}/schedule/").json()

    assert [cycle["status"] for cycle in schedule["cycles"]] == ["given", "given", "held", "planned"]
    second, third, fourth = schedule["cycles"][1:]
    assert (second["given_on"], second["administered_activity_mbq"]) == ("2019-03-04", "7391.5")
    assert (second["window_from"], second["due"]) == (None, None)
    assert (third["planned_on"], third["protocol_on"]) == ("2019-05-20", "2019-04-29")
    assert (third["window_from"], third["window_to"], third["due"]) == ("2019-05-13", "2019-05-27", "overdue")
    why = third["why"].replace("\N{NO-BREAK SPACE}", " ")
    assert why.startswith("8 weeks after cycle 2, given 2019-03-04; moved 3 weeks by the hold of 2019-04-20")
    assert fourth["planned_on"] == "2019-07-15"
    assert [(one["timepoint"], one["after_cycle"]) for one in schedule["imaging"]][:3] == [
        ("baseline", None),
        ("interim", 2),
        ("post", 4),
    ]
    assert schedule["imaging"][1]["by_on"] == "2019-04-29"  # 8 weeks after cycle 2
    assert schedule["is_past_max_delay"] is True
    assert schedule["administered_activity_mbq"] == "14783.0"  # 2 × 7,391.5
    assert schedule["delay_days"] > 112


# What a patient was given, and what it did


def test_the_exposure_sums_activity_and_dose_against_the_limits(api: APIClient, running: Course) -> None:
    for number, gy in ((1, "5.5"), (2, "6.5")):
        factories.AbsorbedDoseFactory(cycle=running.cycles.get(number=number), absorbed_dose_gy=Decimal(gy))
    factories.PriorPrrtFactory(
        patient=running.patient, administered_activity_mbq=Decimal("7000"), kidney_dose_gy=Decimal("11"),
        dose_method="planar",
    )  # fmt: skip

    found = api.get(f"{ROOT}patients/{running.patient_id}/exposure/").json()

    assert [(row["number"], row["administered_activity_mbq"]) for row in found["courses"]] == [(1, "14783.0")]
    assert (found["prior_activity_mbq"], found["lifelong_activity_mbq"]) == ("7000.0", "21783.0")
    [kidneys] = found["doses"]
    assert (kidneys["organ"], kidneys["absorbed_dose_gy"], kidneys["limit_gy"]) == (
        "kidneys",
        "23.000",
        "23.0",
    )
    assert (kidneys["is_past_limit"], kidneys["cycles"]) == (True, 4)
    assert "23 Gy" in found["dose_limits_source"]


def test_the_toxicity_of_a_course_is_summed_up_per_cycle(
    api: APIClient, running: Course, centre: Centre
) -> None:
    """Platelets, lower limit 150: below 75 is grade 2, below 50 grade 3."""
    factories.ReferenceRangeFactory(centre=centre)
    for on, value in (
        (date(2019, 1, 4), 200), (date(2019, 2, 4), 60), (date(2019, 3, 4), 160), (date(2019, 4, 1), 45)
    ):  # fmt: skip
        factories.LabResultFactory(
            patient=running.patient, value=value, taken_at=datetime(on.year, on.month, on.day, 8, tzinfo=UTC)
        )
    factories.AdverseEventFactory(patient=running.patient, term="Nausea", grade=2, onset_on=date(2019, 3, 5))

    found = api.get(f"{ROOT}courses/{running.pk}/toxicity/").json()

    [platelets] = found["laboratory"]
    assert (platelets["analyte"], platelets["direction"], platelets["worst_grade"]) == ("platelets", "low", 3)
    assert (platelets["baseline"], platelets["baseline_grade"]) == ("200.0000", 0)
    assert platelets["cycles"] == [
        {
            "cycle": 1,
            "worst_grade": 2,
            "extreme": "60.0000",
            "extreme_on": "2019-02-04",
            "extreme_day": 28,
            "recovery_on": "2019-03-04",
            "recovery_day": 56,
        },
        {
            "cycle": 2,
            "worst_grade": 3,
            "extreme": "45.0000",
            "extreme_on": "2019-04-01",
            "extreme_day": 28,
            "recovery_on": None,
            "recovery_day": None,
        },
    ]
    assert (found["adverse_events"]["worst_grade"], found["adverse_events"]["terms"]) == (2, ["Nausea"])
    assert [row["worst_grade"] for row in found["adverse_events"]["cycles"]] == [None, 2]
    assert found["problem"] == ""


def test_toxicity_after_the_next_course_began_belongs_to_that_one(api: APIClient, centre: Centre) -> None:
    first = factories.CourseFactory(patient__centre=centre, given=2)
    second = factories.CourseFactory(patient=first.patient, number=2)
    cycle = second.cycles.get(number=1)
    Cycle.objects.filter(pk=cycle.pk).update(status="given")
    Administration.objects.create(
        cycle=cycle, administered_at=datetime(2020, 1, 6, 9, tzinfo=UTC),
        prescribed_activity_mbq=7400, administered_activity_mbq=7400,
    )  # fmt: skip
    factories.LabResultFactory(patient=first.patient, value=60, taken_at=datetime(2020, 2, 3, 8, tzinfo=UTC))
    for on in (date(2020, 1, 5), date(2020, 1, 6)):
        factories.AdverseEventFactory(patient=first.patient, term=f"Event of {on}", onset_on=on)

    old, new = (api.get(f"{ROOT}courses/{one.pk}/toxicity/").json() for one in (first, second))

    assert (old["laboratory"], len(new["laboratory"])) == ([], 1)
    assert old["adverse_events"]["terms"] == ["Event of 2020-01-05"]
    assert new["adverse_events"]["terms"] == ["Event of 2020-01-06"]


# Who may


ACTS = [
    ("cycle", "administer/", {**SYRINGE, **CONFIRMED}),
    ("cycle", "hold/", {"held_on": "2019-01-02", "reason": "renal"}),
    ("cycle", "resume/", {"resumed_on": "2019-01-02"}),
    ("cycle", "cancel/", {}),
    ("cycle", "restore/", {}),
    ("cycle", "decide/", {"decision": "hold", "reason": "Wait"}),
    ("course", "move/", {"protocol": 1}),
    ("patient", "laboratory/", {"entries": []}),
]
READS = [
    ("cycle", "checks/"),
    ("cycle", "advice/"),
    ("course", "schedule/"),
    ("course", "toxicity/"),
    ("patient", "exposure/"),
    ("patient", "laboratory/"),
]


def record_url(course: Course, kind: str, act: str) -> str:
    pk = {"cycle": course.cycles.get(number=1).pk, "course": course.pk, "patient": course.patient_id}[kind]
    return f"{ROOT}{kind}s/{pk}/{act}"


@pytest.mark.parametrize(("kind", "act", "body"), ACTS, ids=[act for _, act, _ in ACTS])
def test_an_act_at_another_centre_is_as_if_missing_and_for_roles_that_treat(
    kind: str, act: str, body: dict[str, Any], course: Course, other_centre: Centre, physician: User,
    user_with: Callable[..., User],
) -> None:  # fmt: skip
    theirs = factories.CourseFactory(patient__centre=other_centre, patient__registry_number="NRD-0001")
    api = client_for(physician)

    hidden = api.post(record_url(theirs, kind, act), body, **REASON)
    missing = api.post(f"{ROOT}{kind}s/{uuid.uuid4()}/{act}", body, **REASON)
    assert hidden.status_code == missing.status_code == 404
    reader = client_for(user_with(Role.READER))
    assert reader.post(record_url(course, kind, act), body, **REASON).status_code == 403
    assert not Administration.objects.exists()
    assert not Hold.objects.exists()


@pytest.mark.parametrize("act", ["hold/", "resume/", "decide/", "restore/", "move/"])
def test_an_act_sent_twice_with_one_key_is_done_once(api: APIClient, running: Course, act: str) -> None:
    third = running.cycles.get(number=3)
    if act == "resume/":
        factories.HoldFactory(cycle=third)
    if act == "restore/":
        assert api.post(cycle_url(running, 3, "cancel/"), **REASON).status_code == 200
    url, body = {
        "hold/": (cycle_url(running, 3, act), {"held_on": "2019-04-20", "reason": "renal"}),
        "resume/": (cycle_url(running, 3, act), {"resumed_on": "2019-04-25"}),
        "decide/": (cycle_url(running, 3, act), {"decision": "reduce", "reason": "Platelets fell twice"}),
        "restore/": (cycle_url(running, 3, act), {}),
        "move/": (
            f"{ROOT}courses/{running.pk}/move/",
            {"protocol": Protocol.objects.create(**NEW_PROTOCOL).pk},
        ),
    }[act]

    first, again = (api.post(url, body, HTTP_IDEMPOTENCY_KEY="once", **REASON) for _ in range(2))

    assert first.status_code == again.status_code == (201 if act in {"hold/", "decide/"} else 200), (
        first.content
    )
    assert (first.content, again["Idempotency-Replayed"]) == (again.content, "true")
    assert api.post(url, {**body, "note": "x"}, HTTP_IDEMPOTENCY_KEY="once", **REASON).status_code == 422
    stale = api.post(url, body, HTTP_IF_MATCH='"999"', **REASON)
    assert stale.status_code == 412


@pytest.mark.parametrize(("kind", "act"), READS, ids=[act for _, act in READS])
def test_what_is_derived_is_read_by_who_sees_records_at_the_own_centre(
    kind: str, act: str, course: Course, other_centre: Centre, user_with: Callable[..., User]
) -> None:
    theirs = factories.CourseFactory(patient__centre=other_centre, patient__registry_number="NRD-0001")
    reader = client_for(user_with(Role.READER))

    assert reader.get(record_url(course, kind, act)).status_code == 200
    assert reader.get(record_url(theirs, kind, act)).status_code == 404
    assert client_for(user_with(Role.RESEARCHER)).get(record_url(course, kind, act)).status_code == 403


def test_a_net_activity_is_computed_for_who_sees_records(
    course: Course, other_centre: Centre, user_with: Callable[..., User]
) -> None:
    theirs = factories.CourseFactory(patient__centre=other_centre, patient__registry_number="NRD-0001")
    reader = client_for(user_with(Role.READER))

    assert reader.post(cycle_url(course, 1, "net-activity/"), SYRINGE).status_code == 200
    assert reader.post(cycle_url(theirs, 1, "net-activity/"), SYRINGE).status_code == 404
