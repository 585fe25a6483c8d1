"""The correction desk's pages of a course as it is run: holds, decisions, laboratory values, warnings, limits of normal."""

import html
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Centre, Membership, Role, User
from tests.accounts.test_admin import errors_of, form_values, history_rows, page
from tests.factories import (
    AdverseEventFactory,
    CourseFactory,
    DoseDecisionFactory,
    HoldFactory,
    LabResultFactory,
    PatientFactory,
    ReferenceRangeFactory,
    default_protocol,
)
from treatments.models import (
    AbsorbedDose,
    Administration,
    AdverseEvent,
    Course,
    Cycle,
    CycleStatus,
    DoseDecision,
    Hold,
    LabResult,
    PriorPrrt,
    Protocol,
    ReferenceRange,
    SomatostatinAnalogueDose,
)


@pytest.fixture
def desk(client: Client, data_manager: User) -> Client:
    """The desk of a data manager at the plain centre, whose clock is Berlin's."""
    client.force_login(data_manager)
    return client


@pytest.fixture
def course(centre: Centre) -> Course:
    """A course whose cycles 1 and 2 were given on 2019-01-07 and 2019-03-04; cycle 3 is planned for 2019-04-29."""
    return CourseFactory(patient=PatientFactory(centre=centre), given=2)


def correct(desk: Client, record: Any, **changes: Any) -> Any:
    address = page(type(record), "change", record.pk)
    return desk.post(address, form_values(desk, address) | changes)


def stored(response: Any) -> None:
    assert response.status_code == 302, errors_of(response)


def planned(course: Course) -> list[date | None]:
    return list(course.cycles.order_by("number").values_list("planned_on", flat=True))[2:]


# Holds


def test_a_hold_entered_at_the_desk_moves_the_plan(desk, course):
    cycle = course.cycles.get(number=3)

    stored(
        desk.post(
            page(Hold, "add"),
            {"cycle": cycle.pk, "held_on": "2019-04-20", "reason": "renal", "review_on": "2019-05-20"},
        )
    )

    cycle.refresh_from_db()
    assert cycle.status == CycleStatus.HELD
    assert planned(course) == [date(2019, 5, 20), date(2019, 7, 15)]


def test_a_holds_own_reason_is_corrected_with_the_reason_of_the_correction(desk, course):
    hold = HoldFactory(cycle=course.cycles.get(number=3))
    address = page(Hold, "change", hold.pk)
    values = form_values(desk, address)
    assert values["reason"] == "haematological"

    unexplained = desk.post(address, values | {"reason": "renal"})
    assert unexplained.context["adminform"].form.errors["correction_reason"] == ["This field is required."]
    untouched = desk.post(address, values | {"correction_reason": "Just looking"})
    assert "Nothing was changed" in errors_of(untouched)
    stored(
        desk.post(address, values | {"reason": "renal", "correction_reason": "Letter of the nephrologist"})
    )

    hold.refresh_from_db()
    assert hold.reason == "renal"
    assert history_rows(hold)[-1].pgh_context["reason"] == "Letter of the nephrologist"


def test_ending_a_hold_by_a_correction_plans_its_cycle_again(desk, course):
    hold = HoldFactory(cycle=course.cycles.get(number=3))

    stored(correct(desk, hold, resumed_on="2019-05-06", correction_reason="Resumed, not noted"))

    assert course.cycles.get(number=3).status == CycleStatus.PLANNED
    assert planned(course) == [date(2019, 5, 6), date(2019, 7, 1)]


def test_a_cycle_on_hold_is_not_held_again(desk, course):
    hold = HoldFactory(cycle=course.cycles.get(number=3))

    response = desk.post(
        page(Hold, "add"), {"cycle": hold.cycle_id, "held_on": "2019-04-25", "reason": "staging"}
    )

    assert "on hold already" in errors_of(response)


def test_voiding_a_hold_plans_its_cycle_again(desk, course):
    hold = HoldFactory(cycle=course.cycles.get(number=3))

    desk.post(page(Hold, "void", hold.pk), {"reason": "Another patient's", "expected_version": 1})

    hold.refresh_from_db()
    assert hold.voided_at is not None
    assert course.cycles.get(number=3).status == CycleStatus.PLANNED


# Decisions


def test_a_decision_is_kept_beside_the_advice_and_the_cycle_follows(desk, course, data_manager):
    cycle = course.cycles.get(number=3)
    entry = {"cycle": cycle.pk, "decision": "reduce"}

    refused = desk.post(page(DoseDecision, "add"), entry)
    assert "needs its reason" in errors_of(refused)
    stored(desk.post(page(DoseDecision, "add"), entry | {"reason": "Platelets after cycle 2"}))

    decision = DoseDecision.objects.get()
    assert (decision.advice, decision.decision, decision.decided_by) == (
        "insufficient",
        "reduce",
        data_manager,
    )
    assert decision.prescribed_activity_mbq == 3700
    cycle.refresh_from_db()
    assert cycle.prescribed_activity_mbq == 3700
    shown = html.unescape(desk.get(page(DoseDecision, "change", decision.pk)).content.decode())
    assert decision.advice_facts[0] in shown


def test_the_advice_of_the_moment_stands_above_the_form_of_a_decision(desk, course):
    cycle = course.cycles.get(number=3)

    shown = desk.get(page(DoseDecision, "add"), {"cycle": cycle.pk}).content.decode()

    assert "Advice for cycle 3: No advice: required laboratory values are missing." in html.unescape(shown)
    assert "Advice for" not in desk.get(page(DoseDecision, "add")).content.decode()


def test_the_advice_for_another_centres_cycle_is_not_told(desk, course, other_centre):
    theirs = CourseFactory(patient=PatientFactory(centre=other_centre, registry_number="NRD-0001"), given=1)

    shown = desk.get(page(DoseDecision, "add"), {"cycle": theirs.cycles.get(number=2).pk})

    assert "Advice for" not in shown.content.decode()


def test_of_a_decision_only_the_words_of_its_reason_are_corrected(desk, course):
    decision = DoseDecisionFactory(cycle=course.cycles.get(number=3))

    stored(
        correct(
            desk,
            decision,
            reason="As agreed at the board",
            decision="hold",
            advice="hold",
            prescribed_activity_mbq="3700",
            correction_reason="Wording",
        )
    )

    decision.refresh_from_db()
    assert decision.reason == "As agreed at the board"
    assert (decision.advice, decision.decision, decision.prescribed_activity_mbq) == (
        "continue",
        "continue",
        7400,
    )


# Laboratory values


def lab_entry(patient: Any, **values: Any) -> dict[str, Any]:
    plain = {
        "patient": patient.pk,
        "analyte": "platelets",
        "taken_at_0": "2019-04-25",
        "taken_at_1": "08:00",
        "typed_value": "210",
        "unit": "",
    }
    return plain | values


@pytest.mark.parametrize(
    ("analyte", "typed", "unit", "kept"),
    [
        ("platelets", "1200000", "/µL", "1200"),
        ("haemoglobin", "9.8", "g/dL", "98"),
        ("creatinine", "88", "", "88"),
    ],
)
def test_a_value_is_typed_in_any_unit_of_its_analyte(desk, course, analyte, typed, unit, kept):
    entry = lab_entry(course.patient, analyte=analyte, typed_value=typed, unit=unit, confirm_unlikely="on")

    stored(desk.post(page(LabResult, "add"), entry))

    result = LabResult.objects.get()
    assert result.value == Decimal(kept)
    assert result.original_value == typed
    assert result.taken_at == datetime(2019, 4, 25, 6, tzinfo=UTC)


def test_a_unit_that_the_analyte_does_not_know_is_refused(desk, course):
    response = desk.post(page(LabResult, "add"), lab_entry(course.patient, unit="g/dL"))

    assert "10⁹/L" in errors_of(response)
    assert not LabResult.objects.exists()


def test_an_unlikely_value_is_asked_for_and_stored_once_confirmed(desk, course):
    entry = lab_entry(course.patient, typed_value="12")

    asked = desk.post(page(LabResult, "add"), entry)
    assert "Check these, and confirm them if they are right" in errors_of(asked)
    assert not LabResult.objects.exists()
    stored(desk.post(page(LabResult, "add"), entry | {"confirm_unlikely": "on"}))

    result = LabResult.objects.get()
    assert (result.value, result.is_unlikely_confirmed) == (12, True)


def test_an_impossible_value_is_refused_even_if_it_is_confirmed(desk, course):
    response = desk.post(
        page(LabResult, "add"), lab_entry(course.patient, typed_value="3001", confirm_unlikely="on")
    )

    assert "3001" in errors_of(response)
    assert not LabResult.objects.exists()


def test_a_corrected_value_that_is_unlikely_is_asked_for(desk, course):
    result = LabResultFactory(patient=course.patient)

    asked = correct(desk, result, value="12", reason="Report")
    assert "confirm them if they are right" in errors_of(asked)
    only_ticked = correct(desk, result, confirm_unlikely="on", reason="Report")
    assert "Nothing was changed" in errors_of(only_ticked)
    stored(correct(desk, result, value="12", confirm_unlikely="on", reason="Report"))

    result.refresh_from_db()
    assert (result.value, result.is_unlikely_confirmed, result.original_value) == (12, True, "12")


# Other records of a patient


@pytest.mark.parametrize(
    ("model", "values", "field", "kept"),
    [
        (
            AdverseEvent,
            {"term": "Nausea", "grade": "2", "onset_on": "2019-01-08", "attribution": "probable", "action": "none"},
            "grade",
            2,
        ),
        (
            PriorPrrt,
            {"radiopharmaceutical": "90Y-DOTATOC", "last_given_on": "2015-06-01", "cycles": "2",
             "administered_activity_mbq": "7000"},
            "administered_activity_mbq",
            7000,
        ),
        (
            SomatostatinAnalogueDose,
            {"drug": "lanreotide", "given_at_0": "2019-04-01", "given_at_1": "08:00", "dose_mg": "120"},
            "given_at",
            datetime(2019, 4, 1, 6, tzinfo=UTC),
        ),
    ],
    ids=["adverse event", "earlier PRRT", "analogue"],
)  # fmt: skip
def test_what_is_of_a_patient_is_entered(desk, course, model, values, field, kept):
    stored(desk.post(page(model, "add"), values | {"patient": course.patient_id}))

    assert getattr(model.objects.get(), field) == kept


def test_times_of_a_patient_at_another_centre_are_those_of_that_centre(desk, data_manager, other_centre):
    Membership.objects.create(user=data_manager, centre=other_centre, role=Role.DATA_MANAGER)
    patient = PatientFactory(centre=other_centre, registry_number="NRD-0001")

    stored(desk.post(page(LabResult, "add"), lab_entry(patient)))

    assert LabResult.objects.get().taken_at == datetime(2019, 4, 25, 12, tzinfo=UTC)  # New York's 8 o'clock
    unchosen = desk.get(page(LabResult, "add")).content.decode()
    assert "Local time of the centre of the patient." in unchosen


def test_an_event_is_resolved_by_a_correction(desk, course):
    event = AdverseEventFactory(patient=course.patient)

    refused = correct(desk, event, resolved_on="2019-01-07", reason="Telephone")
    assert "cannot be resolved before its onset" in errors_of(refused)
    stored(correct(desk, event, resolved_on="2019-01-10", reason="Telephone"))

    event.refresh_from_db()
    assert event.resolved_on == date(2019, 1, 10)


def test_a_cycle_that_was_not_given_has_no_absorbed_dose(desk, course):
    values = {"organ": "kidneys", "absorbed_dose_gy": "4.2", "method": "spect_ct"}

    refused = desk.post(page(AbsorbedDose, "add"), values | {"cycle": course.cycles.get(number=3).pk})
    assert errors_of(refused)
    stored(desk.post(page(AbsorbedDose, "add"), values | {"cycle": course.cycles.get(number=2).pk}))

    assert AbsorbedDose.objects.get().cycle.number == 2


# Cycles and administrations


def administration_entry(cycle: Cycle, **values: Any) -> dict[str, Any]:
    plain = {
        "cycle": cycle.pk,
        "administered_at_0": "2019-04-29",
        "administered_at_1": "11:00",
        "administered_activity_mbq": "7388",
    }
    return plain | values


def test_warnings_come_back_in_the_form_and_are_kept_once_confirmed(desk, course):
    entry = administration_entry(course.cycles.get(number=3), administered_at_0="2019-05-20")

    asked = desk.post(page(Administration, "add"), entry)
    said = errors_of(asked)
    assert "weeks late" in said
    assert "Not measured before this cycle" in said
    assert "confirmation_reason" in asked.context["adminform"].form.errors
    assert course.cycles.get(number=3).status == CycleStatus.PLANNED
    stored(desk.post(page(Administration, "add"), entry | {"confirmation_reason": "Values by telephone"}))

    administration = course.cycles.get(number=3).administrations.get()
    assert {"outside_window", "labs_missing"} <= set(administration.confirmed_warnings)
    assert administration.confirmation_reason == "Values by telephone"
    shown = desk.get(page(Administration, "change", administration.pk))
    assert "outside_window" in shown.content.decode()
    assert "Values by telephone" in shown.content.decode()
    assert "confirmation_reason" not in shown.context["adminform"].form.fields


def test_the_net_activity_follows_from_the_syringe(desk, course):
    entry = administration_entry(
        course.cycles.get(number=3),
        administered_activity_mbq="",
        syringe_activity_mbq="7500",
        syringe_measured_at_0="2019-04-29",
        syringe_measured_at_1="11:00",
        residual_activity_mbq="100",
        residual_measured_at_0="2019-04-29",
        residual_measured_at_1="11:00",
        volume_ml="25",
        amino_acid_regimen="lysine_arginine",
        staff="Nurse 7",
        confirmation_reason="Values by telephone",
    )

    stored(desk.post(page(Administration, "add"), entry))
    administration = course.cycles.get(number=3).administrations.get()
    assert administration.administered_activity_mbq == Decimal("7400.0")  # all measured at the start
    assert (administration.volume_ml, administration.staff) == (25, "Nurse 7")
    stored(correct(desk, administration, residual_activity_mbq="150", reason="Calibrator sheet"))

    administration.refresh_from_db()
    assert administration.administered_activity_mbq == Decimal("7350.0")


def test_an_administration_needs_an_activity_or_a_syringe(desk, course):
    response = desk.post(
        page(Administration, "add"),
        administration_entry(course.cycles.get(number=3), administered_activity_mbq=""),
    )

    assert "Give the net activity" in errors_of(response)


def test_the_page_of_a_given_cycle_corrects_all_of_its_administration(desk, course):
    cycle = course.cycles.get(number=2)

    stored(
        correct(
            desk,
            cycle,
            prescribed_activity_mbq="7300",
            body_weight_kg="71.5",
            is_extravasated="true",
            extravasated_percent="5",
            infusion_ended_at_0="2019-03-04",
            infusion_ended_at_1="11:00",
            reason="Infusion record",
        )
    )

    administration = cycle.administrations.get()
    assert administration.prescribed_activity_mbq == 7300
    assert (administration.body_weight_kg, administration.extravasated_percent) == (Decimal("71.5"), 5)
    assert administration.infusion_ended_at == datetime(2019, 3, 4, 10, tzinfo=UTC)
    cycle.refresh_from_db()
    assert cycle.prescribed_activity_mbq is None  # the administration's was corrected, not the cycle's
    assert cycle.version == 1


def test_any_cycle_to_come_is_planned_by_hand_and_what_follows_moves(desk, course):
    cycle = course.cycles.get(number=3)

    refused = correct(desk, cycle, planned_on="2019-03-04", reason="Typing")
    assert "Cycle 2 was given on 2019-03-04" in errors_of(refused)
    stored(correct(desk, cycle, planned_on="2019-05-06", prescribed_activity_mbq="5550", reason="Holiday"))

    cycle.refresh_from_db()
    assert (cycle.set_on, cycle.prescribed_activity_mbq) == (date(2019, 5, 6), 5550)
    assert planned(course) == [date(2019, 5, 6), date(2019, 7, 1)]
    stored(correct(desk, cycle, planned_on="", reason="As the protocol says"))
    assert planned(course) == [date(2019, 4, 29), date(2019, 6, 24)]


def test_the_page_of_a_cycle_leads_to_what_can_be_entered_of_it(desk, course):
    offered = {
        2: ["absorbeddose"],
        3: ["administration", "dosedecision", "hold"],
    }
    for number, kinds in offered.items():
        cycle = course.cycles.get(number=number)
        shown = desk.get(page(Cycle, "change", cycle.pk)).content.decode()
        for kind in ("absorbeddose", "administration", "dosedecision", "hold"):
            address = f"{reverse(f'admin:treatments_{kind}_add')}?cycle={cycle.pk}"
            assert (address in shown) is (kind in kinds), (number, kind)
            if kind in kinds:
                form = desk.get(address).context["adminform"].form
                assert str(form["cycle"].value()) == str(cycle.pk)


# Courses and protocols


def test_a_course_moved_to_another_protocol_gets_its_cycles(desk, course):
    longer = default_protocol()
    longer.pk, longer.code, longer.planned_cycles, longer.interval_days = None, "6-cycles", 6, 42
    longer.save()

    stored(correct(desk, course, protocol=longer.pk, reason="Decided by the board"))

    course.refresh_from_db()
    assert course.protocol == longer
    assert planned(course) == [date(2019, 4, 15), date(2019, 5, 27), date(2019, 7, 8), date(2019, 8, 19)]
    added = course.cycles.get(number=6)
    assert history_rows(added)[0].pgh_context["reason"] == "Decided by the board"


def test_a_protocol_with_fewer_cycles_than_were_given_is_refused(desk, course):
    shorter = default_protocol()
    shorter.pk, shorter.code, shorter.planned_cycles, shorter.imaging_after_cycles = None, "one", 1, []
    shorter.save()

    response = correct(desk, course, protocol=shorter.pk, reason="Decided by the board")

    assert "Cycle 2" in errors_of(response)
    course.refresh_from_db()
    assert course.protocol == default_protocol()


def protocol_entry(desk: Client, **values: Any) -> dict[str, Any]:
    """Return the form of a new protocol with the shipped one's values."""
    address = page(Protocol, "change", default_protocol().pk)
    shown = form_values(desk, address)
    return {name: value for name, value in shown.items() if name not in {"version", "seen_change"}} | values


def test_a_protocol_is_added_as_the_next_version_of_its_code(desk, centre):
    values = protocol_entry(
        desk, max_delay_days="70", labs_before_cycle=["platelets"], kidney_limit_gy="23", sd_minimum_days="56"
    )

    stored(desk.post(page(Protocol, "add"), values))

    latest = Protocol.objects.filter(code=default_protocol().code).latest("version")
    assert latest.version == default_protocol().version + 1
    assert (latest.max_delay_days, latest.labs_before_cycle, latest.kidney_limit_gy) == (
        70,
        ["platelets"],
        23,
    )
    assert (latest.sd_minimum_days, latest.response_confirmation_days) == (56, 28)
    assert latest.dose_rules == default_protocol().dose_rules != {}


@pytest.mark.parametrize(
    ("change_of", "why"),
    [
        ({"platelets_hold_grade": 9}, "platelets_hold_grade 9: expected a whole number"),
        ({"platelet_grade": 2}, "unknown platelet_grade"),
    ],
)
def test_dose_rules_that_cannot_be_read_are_refused_beside_their_field(desk, centre, change_of, why):
    rules = json.dumps(default_protocol().dose_rules | change_of)

    for response in (
        desk.post(page(Protocol, "add"), protocol_entry(desk, dose_rules=rules)),
        correct(desk, default_protocol(), dose_rules=rules, reason="Board"),
    ):
        (error,) = response.context["adminform"].form.errors["dose_rules"]
        assert why in error
    assert Protocol.objects.filter(code=default_protocol().code).count() == 1


@pytest.mark.parametrize("written", ["[]", "5", '"none"'])
def test_dose_rules_are_an_object(desk, centre, written):
    response = desk.post(page(Protocol, "add"), protocol_entry(desk, dose_rules=written))

    (error,) = response.context["adminform"].form.errors["dose_rules"]
    assert "Write the thresholds with their names" in error


@pytest.mark.parametrize("written", ["", "{}"])
def test_a_protocol_without_dose_rules_gives_no_advice(desk, centre, written):
    stored(desk.post(page(Protocol, "add"), protocol_entry(desk, code="plain", dose_rules=written)))

    assert Protocol.objects.get(code="plain").rules_of_dose is None


# Reference ranges


def test_reference_ranges_of_another_centre_are_absent(desk, other_centre, data_manager):
    own, theirs = ReferenceRangeFactory(), ReferenceRangeFactory(centre=other_centre)
    Membership.objects.create(user=data_manager, centre=other_centre, role=Role.PHYSICIAN)

    assert list(desk.get(page(ReferenceRange, "changelist")).context["cl"].result_list) == [own]
    for what in ("change", "history"):
        assert desk.get(page(ReferenceRange, what, theirs.pk)).status_code == 302
        assert desk.get(page(ReferenceRange, what, own.pk)).status_code == 200
    assert "NRD" not in desk.get(page(ReferenceRange, "add")).content.decode()
    entry = {"centre": other_centre.pk, "analyte": "alt", "upper_limit": "35", "valid_from": "2019-01-01"}
    assert "not one of the available choices" in errors_of(desk.post(page(ReferenceRange, "add"), entry))


def test_a_reference_range_is_entered_and_changed_with_a_reason(desk, centre):
    entry = {"centre": centre.pk, "analyte": "alt", "sex": "female", "valid_from": "2019-01-01"}

    refused = desk.post(page(ReferenceRange, "add"), entry)
    assert "needs a lower or an upper limit" in errors_of(refused)
    stored(desk.post(page(ReferenceRange, "add"), entry | {"upper_limit": "35"}))
    made = ReferenceRange.objects.get()
    assert made.upper_limit == 35
    assert "required" in errors_of(correct(desk, made, upper_limit="40"))
    stored(correct(desk, made, upper_limit="40", reason="New analyser"))

    made.refresh_from_db()
    assert made.upper_limit == 40
    told = desk.get(page(ReferenceRange, "history", made.pk)).context["changes"]
    assert told[0].reason == "New analyser"


def test_an_administrator_sees_reference_ranges_and_changes_none(client, user_with, centre):
    own = ReferenceRangeFactory(centre=centre)
    client.force_login(user_with(Role.ADMINISTRATOR))

    assert client.get(page(ReferenceRange, "change", own.pk)).status_code == 200
    posted = client.post(page(ReferenceRange, "change", own.pk), {"upper_limit": "1", "reason": "x"})
    assert posted.status_code == 403
    assert client.get(page(ReferenceRange, "add")).status_code == 403
