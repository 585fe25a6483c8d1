"""Holding, resuming, leaving out, deciding, moving: each act, what it moves, and what it refuses."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError

from accounts.errors import RegistryError, StaleRecord
from accounts.models import Role
from accounts.records import check_deferred
from analytics import freshness
from analytics.models import Outcome
from tests.factories import (
    AbsorbedDoseFactory,
    AdverseEventFactory,
    CourseFactory,
    DeathFactory,
    HoldFactory,
    LabResultFactory,
    PatientFactory,
    PriorPrrtFactory,
    ReferenceRangeFactory,
    SomatostatinAnalogueDoseFactory,
    default_protocol,
    make_user,
)
from treatments import services
from treatments.models import (
    Administration,
    Cycle,
    CycleStatus,
    DoseDecision,
    Hold,
    HoldReason,
    LabAnalyte,
    LabResult,
    Protocol,
)
from treatments.selectors.exposure import exposure_of
from treatments.selectors.schedule import plan_of

pytestmark = pytest.mark.django_db
NINE = datetime(2019, 4, 29, 7, tzinfo=UTC)
REQUIRED = {
    "haemoglobin": "135", "leucocytes": "5.1", "platelets": "210", "creatinine": "80",
    "alt": "25", "ast": "22", "albumin": "41", "bilirubin": "9",
}  # fmt: skip


@pytest.fixture
def course():
    """Cycles 1 and 2 given on 2019-01-07 and 2019-03-04; cycle 3 planned on 2019-04-29."""
    return CourseFactory(given=2)


def cycle_of(course, number: int) -> Cycle:
    return course.cycles.get(number=number)


def planned(course) -> dict[int, date | None]:
    return dict(course.cycles.current().values_list("number", "planned_on"))


def measure(patient, at=datetime(2019, 4, 25, 7, tzinfo=UTC), **changes: str) -> None:
    for analyte, value in (REQUIRED | changes).items():
        LabResultFactory(patient=patient, analyte=analyte, taken_at=at, value=Decimal(value))


# Holds


def test_a_hold_moves_its_cycle_and_what_follows_to_the_day_of_its_review(course, physician):
    services.hold_cycle(
        cycle=cycle_of(course, 3),
        held_on=date(2019, 4, 20),
        reason=HoldReason.HAEMATOLOGICAL,
        review_on=date(2019, 5, 20),
        by=physician,
    )

    assert cycle_of(course, 3).status == CycleStatus.HELD
    assert planned(course)[3] == date(2019, 5, 20)
    assert planned(course)[4] == date(2019, 7, 15)
    assert "moved 3\N{NO-BREAK SPACE}weeks by the hold of 2019-04-20" in plan_of(course).why(3)


def test_a_resumed_cycle_stands_where_the_protocol_has_it_or_on_the_day_it_was_resumed(course, physician):
    held = cycle_of(course, 3)
    services.hold_cycle(
        cycle=held, held_on=date(2019, 4, 20), reason="renal", review_on=date(2019, 6, 1), by=physician
    )

    services.resume_cycle(cycle=held, resumed_on=date(2019, 4, 25), by=physician)
    assert (cycle_of(course, 3).status, planned(course)[3]) == (CycleStatus.PLANNED, date(2019, 4, 29))

    services.hold_cycle(cycle=held, held_on=date(2019, 4, 26), reason="renal", by=physician)
    services.resume_cycle(cycle=held, resumed_on=date(2019, 5, 6), by=physician)
    assert planned(course)[3] == date(2019, 5, 6)
    assert Hold.objects.filter(cycle=held, resumed_on__isnull=True).count() == 0


def test_the_start_of_a_course_comes_back_when_a_hold_of_its_first_cycle_is_taken_back(physician):
    course = services.start_course(
        patient=PatientFactory(),
        protocol=default_protocol(),
        first_planned_on=date(2019, 1, 7),
        by=physician,
    )
    hold = services.hold_cycle(
        cycle=cycle_of(course, 1),
        held_on=date(2019, 1, 2),
        reason="logistics",
        review_on=date(2019, 2, 4),
        by=physician,
    )
    assert planned(course)[1] == date(2019, 2, 4)

    services.void_hold(hold, by=physician, reason="Another patient")

    assert planned(course)[1] == date(2019, 1, 7)
    assert cycle_of(course, 1).status == CycleStatus.PLANNED


def test_a_cycle_is_held_once_and_only_while_it_is_to_come(course, physician):
    facts = {"held_on": date(2019, 4, 20), "reason": "renal", "by": physician}
    services.hold_cycle(cycle=cycle_of(course, 3), **facts)

    for number, code in ((3, "already_held"), (2, "not_planned")):
        with pytest.raises(RegistryError) as refused:
            services.hold_cycle(cycle=cycle_of(course, number), **facts)
        assert refused.value.code == code


def test_a_review_before_the_hold_and_a_resumption_before_it_are_refused(course, physician):
    third = cycle_of(course, 3)
    with pytest.raises(ValidationError, match="cannot be reviewed or end before"):
        services.hold_cycle(
            cycle=third,
            held_on=date(2019, 4, 20),
            reason="renal",
            review_on=date(2019, 4, 19),
            by=physician,
        )
    assert cycle_of(course, 3).status == CycleStatus.PLANNED

    services.hold_cycle(cycle=third, held_on=date(2019, 4, 20), reason="renal", by=physician)
    with pytest.raises(ValidationError, match="The hold began on 2019-04-20"):
        services.resume_cycle(cycle=third, resumed_on=date(2019, 4, 19), by=physician)
    services.resume_cycle(cycle=third, resumed_on=date(2019, 4, 20), by=physician)


def test_only_a_held_cycle_is_resumed(course, physician):
    with pytest.raises(RegistryError) as refused:
        services.resume_cycle(cycle=cycle_of(course, 3), resumed_on=date(2019, 4, 20), by=physician)
    assert refused.value.code == "not_held"


def test_correcting_a_hold_moves_the_plan_and_its_end_frees_the_cycle(course, physician):
    hold = HoldFactory(cycle=cycle_of(course, 3), review_on=date(2019, 5, 6))

    services.correct_hold(hold, {"review_on": date(2019, 6, 3)}, by=physician, reason="Typed wrong")
    assert planned(course)[3] == date(2019, 6, 3)

    services.correct_hold(hold, {"resumed_on": date(2019, 5, 13)}, by=physician, reason="Resumed")
    assert (planned(course)[3], cycle_of(course, 3).status) == (date(2019, 5, 13), CycleStatus.PLANNED)


def test_the_hold_of_a_given_cycle_is_not_opened_again(course, physician):
    hold = HoldFactory(cycle=cycle_of(course, 3))
    services.administer_cycle(
        cycle=cycle_of(course, 3),
        administered_at=NINE,
        administered_activity_mbq=Decimal("7400"),
        confirmation_reason="Asked for",
        by=physician,
    )
    hold.refresh_from_db()
    assert hold.resumed_on == date(2019, 4, 29)

    with pytest.raises(RegistryError) as refused:
        services.correct_hold(hold, {"resumed_on": None}, by=physician, reason="Open again")
    assert refused.value.code == "not_planned"


def test_the_database_refuses_an_open_hold_of_a_cycle_that_is_planned(course):
    HoldFactory(cycle=cycle_of(course, 3))
    Cycle.objects.filter(course=course, number=3).update(status=CycleStatus.PLANNED)

    with pytest.raises(IntegrityError, match="Cycle 3 has an open hold"):
        check_deferred()


def test_a_hold_is_not_set_by_who_may_only_read_or_with_an_old_version(course, physician):
    third = cycle_of(course, 3)
    facts = {"held_on": date(2019, 4, 20), "reason": "renal"}

    with pytest.raises(PermissionDenied):
        services.hold_cycle(cycle=third, **facts, by=make_user(role=Role.READER))
    with pytest.raises(StaleRecord):
        services.hold_cycle(cycle=third, **facts, by=physician, expected_version=third.version + 1)


def test_the_status_of_a_cycle_can_still_be_corrected_and_keeps_a_hold_of_it(course, physician):
    third = cycle_of(course, 3)

    services.correct_cycle(third, {"status": "held"}, by=physician, reason="Platelets low")
    hold = Hold.objects.get(cycle=third)
    assert (hold.is_open, hold.note) == (True, "Platelets low")

    services.correct_cycle(third, {"status": "planned"}, by=physician, reason="Recovered")
    hold.refresh_from_db()
    assert not hold.is_open


# A day set by hand


def test_a_day_set_by_hand_moves_what_follows_and_can_be_given_back(course, physician):
    third = cycle_of(course, 3)

    services.correct_cycle(third, {"planned_on": date(2019, 5, 6)}, by=physician, reason="Holiday")
    assert (planned(course)[3], planned(course)[4]) == (date(2019, 5, 6), date(2019, 7, 1))

    services.correct_cycle(third, {"planned_on": None}, by=physician, reason="Not after all")
    assert (planned(course)[3], planned(course)[4]) == (date(2019, 4, 29), date(2019, 6, 24))


def test_a_cycle_is_not_planned_on_or_before_the_day_of_the_last_one_given(course, physician):
    third = cycle_of(course, 3)

    with pytest.raises(ValidationError, match="Cycle 2 was given on 2019-03-04"):
        services.correct_cycle(third, {"planned_on": date(2019, 3, 4)}, by=physician, reason="Sooner")
    services.correct_cycle(third, {"planned_on": date(2019, 3, 5)}, by=physician, reason="Sooner")


def test_a_day_set_by_hand_that_the_plan_cannot_keep_is_refused(course, physician):
    fourth = cycle_of(course, 4)

    with pytest.raises(ValidationError, match="cycles come in order"):
        services.correct_cycle(fourth, {"planned_on": date(2019, 4, 29)}, by=physician, reason="Sooner")
    services.correct_cycle(fourth, {"planned_on": date(2019, 4, 30)}, by=physician, reason="Sooner")
    assert planned(course)[4] == date(2019, 4, 30)


# Leaving out


def test_a_cycle_left_out_is_passed_over_and_the_course_can_still_be_completed(course, physician):
    services.cancel_cycle(cycle=cycle_of(course, 3), reason="Away for long", by=physician)
    assert planned(course)[4] == date(2019, 4, 29)

    services.administer_cycle(
        cycle=cycle_of(course, 4),
        administered_at=NINE,
        administered_activity_mbq=Decimal("7400"),
        confirmation_reason="Values are on paper",
        by=physician,
    )
    freshness.refresh_inline()

    assert plan_of(course).state == "completed"
    assert set(Outcome.objects.filter(course=course).values_list("status", flat=True)) == {"completed"}
    with pytest.raises(RegistryError) as refused:
        services.discontinue_course(
            course=course, discontinued_on=date(2019, 6, 1), main_reason="renal", by=physician
        )
    assert refused.value.code == "course_completed"


def test_a_cycle_left_out_is_planned_again_until_a_later_one_was_given(course, physician):
    third = cycle_of(course, 3)
    services.cancel_cycle(cycle=third, reason="Away for long", by=physician)

    services.restore_cycle(cycle=third, reason="Back again", by=physician)
    assert (planned(course)[3], planned(course)[4]) == (date(2019, 4, 29), date(2019, 6, 24))

    services.cancel_cycle(cycle=third, reason="Away for long", by=physician)
    Cycle.objects.filter(course=course, number=4).update(status=CycleStatus.GIVEN)
    Administration.objects.create(
        cycle=cycle_of(course, 4),
        administered_at=NINE,
        prescribed_activity_mbq=Decimal(7400),
        administered_activity_mbq=Decimal(7400),
    )
    with pytest.raises(RegistryError) as refused:
        services.restore_cycle(cycle=third, reason="Back again", by=physician)
    assert refused.value.code == "later_cycle_given"


def test_the_last_cycle_is_not_left_out_and_a_reason_is_needed(course, physician):
    with pytest.raises(RegistryError, match="discontinue the course instead") as refused:
        services.cancel_cycle(cycle=cycle_of(course, 4), reason="Enough", by=physician)
    assert refused.value.code == "last_cycle"
    with pytest.raises(ValidationError):
        services.cancel_cycle(cycle=cycle_of(course, 3), reason=" ", by=physician)


def test_undoing_a_discontinuation_brings_back_holds_and_leaves_out_what_was_left_out(physician):
    course = CourseFactory(given=1)
    services.cancel_cycle(cycle=cycle_of(course, 2), reason="Away for long", by=physician)
    services.hold_cycle(cycle=cycle_of(course, 3), held_on=date(2019, 3, 1), reason="renal", by=physician)
    stopped = services.discontinue_course(
        course=course, discontinued_on=date(2019, 5, 1), main_reason="renal", by=physician
    )
    assert set(course.cycles.filter(number__gt=1).values_list("status", flat=True)) == {"cancelled"}

    services.void_discontinuation(stopped, by=physician, reason="Goes on")

    assert list(course.cycles.values_list("status", flat=True)) == ["given", "cancelled", "held", "planned"]


def test_the_database_refuses_a_discontinued_course_with_cycles_to_come(course, physician):
    services.discontinue_course(
        course=course, discontinued_on=date(2019, 5, 1), main_reason="renal", by=physician
    )
    Cycle.objects.filter(course=course, number=3).update(status=CycleStatus.PLANNED)

    with pytest.raises(IntegrityError, match="cycle 3 cannot still be to come"):
        check_deferred()


# Protocols


def protocol_values(**changes) -> dict:
    shipped = default_protocol()
    names = [
        field.name for field in Protocol._meta.concrete_fields if field.name not in {"id", "version", "code"}
    ]
    return {name: getattr(shipped, name) for name in names} | {"code": "a-site"} | changes


def test_protocols_are_shipped_with_rules_that_can_be_read(db):
    shipped = {protocol.code: protocol for protocol in Protocol.objects.all()}

    assert set(shipped) == {
        "177lu-dotatate-4x7400-q8w",
        "177lu-dotatate-salvage-2x7400-q8w",
        "177lu-edotreotide-4x7500-q12w",
    }
    plans = {
        code.split("-")[-1] + code.split("-")[2]: (
            p.planned_cycles,
            p.interval_days,
            p.prescribed_activity_mbq,
        )
        for code, p in shipped.items()
    }
    assert set(plans.values()) == {(4, 56, 7400), (2, 56, 7400), (4, 84, 7500)}
    for protocol in shipped.values():
        protocol.full_clean()
        assert protocol.rules_of_dose.platelets_hold_grade == 2
        assert protocol.kidney_limit_gy == 23


def test_a_protocol_of_the_same_code_is_its_next_version(data_manager):
    first = services.add_protocol(protocol_values(), by=data_manager)
    second = services.add_protocol(protocol_values(interval_days=70), by=data_manager)

    assert (first.version, second.version) == (1, 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"window_days": 29}, "must not be wider than half the interval"),
        ({"planned_cycles": 0}, "needs cycles"),
        ({"imaging_after_cycles": [2, 5]}, "There is no cycle 5 in a protocol of 4 cycles"),
        ({"imaging_after_cycles": [0]}, "There is no cycle 0"),
        ({"reduced_activity_mbq": Decimal(7400)}, "below the prescribed"),
        ({"max_delay_days": 0}, "greater than or equal to 1"),
        ({"dose_rules": {"platelets_hold_grade": 2}}, "missing"),
    ],
)
def test_a_protocol_that_cannot_be_followed_is_refused_with_the_reason(changes, said, data_manager):
    with pytest.raises(ValidationError) as refused:
        services.add_protocol(protocol_values(**changes), by=data_manager)
    assert said in " ".join(refused.value.messages)
    assert not Protocol.objects.filter(code="a-site").exists()


@pytest.mark.parametrize(("window_days", "refused"), [(28, False), (29, True)])
def test_a_window_may_be_as_wide_as_half_the_interval(window_days, refused, data_manager):
    try:
        services.add_protocol(protocol_values(window_days=window_days), by=data_manager)
    except ValidationError:
        assert refused
    else:
        assert not refused


def test_a_new_version_changes_nothing_for_running_courses_until_they_are_moved(
    course, physician, data_manager
):
    shipped = default_protocol()
    longer = services.add_protocol(
        protocol_values(code=shipped.code, interval_days=70, planned_cycles=5), by=data_manager
    )
    course.refresh_from_db()
    assert course.protocol == shipped
    assert planned(course)[3] == date(2019, 4, 29)

    services.move_course(course, longer, by=physician, reason="Slower recovery")

    assert planned(course)[3] == date(2019, 5, 13)
    assert planned(course)[5] == date(2019, 9, 30)
    with pytest.raises(ValidationError):
        services.move_course(course, shipped, by=physician, reason="")


def test_moving_to_a_shorter_protocol_takes_cycles_out_of_the_plan_but_none_that_was_given(
    course, physician, data_manager
):
    three = services.add_protocol(
        protocol_values(code="three", planned_cycles=3, imaging_after_cycles=[3]), by=data_manager
    )
    one = services.add_protocol(
        protocol_values(code="one", planned_cycles=1, imaging_after_cycles=[1]), by=data_manager
    )

    services.move_course(course, three, by=physician, reason="Kidney dose")
    assert set(planned(course)) == {1, 2, 3}
    with pytest.raises(RegistryError) as refused:
        services.move_course(course, one, by=physician, reason="Kidney dose")
    assert refused.value.code == "too_many_given"


# The administration


def give(course, physician, **values):
    return services.administer_cycle(
        **{"cycle": cycle_of(course, 3), "administered_at": NINE, "by": physician} | values
    )


def test_the_net_activity_is_computed_from_syringe_and_residual(course, physician):
    measure(course.patient)
    # Both half a half-life (3.3235 d) from the infusion: the syringe decays to 1/√2 of it, the residual grows by √2.
    half = timedelta(days=3.3235)
    given = give(
        course,
        physician,
        syringe_activity_mbq=Decimal("11000"),
        syringe_measured_at=NINE - half,
        residual_activity_mbq=Decimal("100"),
        residual_measured_at=NINE + half,
    )

    # 11000 / 1.414214 = 7778.2; 100 × 1.414214 = 141.4
    assert given.administered_activity_mbq == Decimal("7636.8")


def test_a_net_activity_that_was_typed_beside_a_syringe_must_agree_with_it(course, physician):
    measure(course.patient)
    syringe = {"syringe_activity_mbq": Decimal("7400"), "syringe_measured_at": NINE}

    with pytest.raises(ValidationError, match="Syringe and residual give"):
        give(course, physician, administered_activity_mbq=Decimal("7399.8"), **syringe)
    given = give(course, physician, administered_activity_mbq=Decimal("7399.9"), **syringe)

    assert given.administered_activity_mbq == Decimal("7400.0")


def test_correcting_anything_else_leaves_the_net_activity_as_it_was_computed(course, physician, data_manager):
    measure(course.patient)
    given = give(
        course, physician, syringe_activity_mbq=Decimal(7500), syringe_measured_at=NINE - timedelta(days=1)
    )
    before = given.administered_activity_mbq
    other = services.add_protocol(protocol_values(physical_half_life_days=Decimal("2.67")), by=data_manager)

    with pytest.raises(RegistryError) as refused:
        services.move_course(course, other, by=physician, reason="Another nuclide")
    assert refused.value.code == "other_half_life"
    services.correct_administration(given, {"lot": "L9"}, by=physician, reason="Typed wrong")
    given.refresh_from_db()
    assert given.administered_activity_mbq == before


def test_a_correction_keeps_what_it_brings_to_be_warned_of_with_its_reason(course, physician):
    measure(course.patient)
    given = give(course, physician, administered_activity_mbq=Decimal(7400))
    late = datetime(2019, 5, 7, 7, tzinfo=UTC)

    services.correct_administration(given, {"administered_at": late}, by=physician, reason="Another day")

    given.refresh_from_db()
    assert (given.confirmed_warnings, given.confirmation_reason) == (["outside_window"], "Another day")


def test_a_reason_confirms_only_the_warnings_that_were_seen(course, physician):
    values = {"administered_activity_mbq": Decimal(7400), "confirmation_reason": "On paper"}

    with pytest.raises(services.Unconfirmed):
        give(course, physician, confirmed_warnings=["outside_window"], **values)
    assert give(course, physician, confirmed_warnings=["labs_missing"], **values).confirmed_warnings == [
        "labs_missing"
    ]


def test_another_activity_than_was_decided_is_warned_of(now, physician):
    course = recent_course(now, weeks_ago=8)
    measure(course.patient, at=now - timedelta(days=1))
    services.decide_dose(cycle=cycle_of(course, 2), decision="reduce", reason="Frail", by=physician)
    values = {"cycle": cycle_of(course, 2), "administered_at": now, "by": physician}

    with pytest.raises(services.Unconfirmed) as refused:
        services.administer_cycle(
            **values, administered_activity_mbq=Decimal(7400), prescribed_activity_mbq=Decimal(7400)
        )
    assert [warned.code for warned in refused.value.warnings] == ["prescription"]
    given = services.administer_cycle(**values, administered_activity_mbq=Decimal(3700))
    assert given.prescribed_activity_mbq == 3700


def test_taking_back_an_administration_opens_the_hold_again_that_it_ended(course, physician):
    measure(course.patient)
    hold = HoldFactory(cycle=cycle_of(course, 3))
    given = give(
        course, physician, administered_activity_mbq=Decimal(7400), confirmation_reason="Tumour board"
    )

    services.void_administration(given, by=physician, reason="Another patient")

    hold.refresh_from_db()
    assert (hold.is_open, cycle_of(course, 3).status) == (True, CycleStatus.HELD)


# Courses of one patient


def test_a_course_does_not_go_on_beside_a_later_one(course, physician):
    stopped = services.discontinue_course(
        course=course, discontinued_on=date(2019, 5, 1), main_reason="renal", by=physician
    )
    salvage = Protocol.objects.get(code="177lu-dotatate-salvage-2x7400-q8w")
    services.start_course(
        patient=course.patient,
        protocol=salvage,
        first_planned_on=date(2020, 1, 6),
        intent="salvage",
        by=physician,
    )

    with pytest.raises(RegistryError) as refused:
        services.void_discontinuation(stopped, by=physician, reason="Goes on")
    assert refused.value.code == "course_ongoing"


def test_a_salvage_course_has_its_own_protocol_and_comes_after_the_first(course, physician):
    services.discontinue_course(
        course=course, discontinued_on=date(2019, 5, 1), main_reason="progression", by=physician
    )
    salvage = Protocol.objects.get(code="177lu-dotatate-salvage-2x7400-q8w")
    second = services.start_course(
        patient=course.patient,
        protocol=salvage,
        first_planned_on=date(2019, 1, 14),
        intent="salvage",
        by=physician,
    )
    values = {"administered_activity_mbq": Decimal(7400), "confirmation_reason": "On paper", "by": physician}

    with pytest.raises(ValidationError, match="Cycles of two courses overlap"):
        services.administer_cycle(
            cycle=second.cycles.get(number=1), administered_at=datetime(2019, 3, 4, 9, tzinfo=UTC), **values
        )
    services.administer_cycle(
        cycle=second.cycles.get(number=1), administered_at=datetime(2019, 6, 3, 9, tzinfo=UTC), **values
    )
    freshness.refresh_inline()

    assert (second.number, second.cycles.count()) == (2, 2)
    outcomes = Outcome.objects.filter(course__patient=course.patient).order_by("course__number")
    assert list(outcomes.values_list("time_zero", "status")) == [
        (date(2019, 1, 7), "discontinued"),
        (date(2019, 6, 3), "ongoing"),
    ]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"syringe_activity_mbq": Decimal(7400)},
        {"syringe_measured_at": NINE},
        {"syringe_activity_mbq": Decimal(7400), "syringe_measured_at": NINE + timedelta(minutes=1)},
        {
            "syringe_activity_mbq": Decimal(7400),
            "syringe_measured_at": NINE,
            "residual_activity_mbq": Decimal(5),
        },
        {
            "syringe_activity_mbq": Decimal(7400),
            "syringe_measured_at": NINE,
            "residual_activity_mbq": Decimal(5),
            "residual_measured_at": NINE - timedelta(minutes=1),
        },
        {"administered_activity_mbq": Decimal(7400), "infusion_ended_at": NINE - timedelta(minutes=1)},
        {"administered_activity_mbq": Decimal(7400), "extravasated_percent": Decimal(5)},
    ],
    ids=["none", "no time", "no syringe", "late", "untimed", "residual early", "ends early", "no extravasation"],
)  # fmt: skip
def test_what_contradicts_itself_is_refused_and_nothing_is_stored(values, course, physician):
    measure(course.patient)
    with pytest.raises(ValidationError):
        give(course, physician, **values)
    assert not Administration.objects.filter(cycle__number=3).exists()
    assert cycle_of(course, 3).status == CycleStatus.PLANNED


@pytest.mark.parametrize(
    ("mbq", "refused"), [("5920", False), ("5919.9", True), ("8880", False), ("8880.1", True)]
)
def test_an_activity_past_20_percent_asks_for_an_explanation_at_every_door(mbq, refused, course, physician):
    measure(course.patient)
    values = {"administered_activity_mbq": Decimal(mbq)}
    if refused:
        with pytest.raises(ValidationError, match="say why"):
            give(course, physician, **values)
        values["deviation_explanation"] = "Vial leaked"

    assert give(course, physician, **values).administered_activity_mbq == Decimal(mbq)


def test_correcting_the_residual_corrects_the_net_activity(course, physician):
    measure(course.patient)
    given = give(course, physician, syringe_activity_mbq=Decimal(7400), syringe_measured_at=NINE)

    services.correct_administration(
        given,
        {"residual_activity_mbq": Decimal("50"), "residual_measured_at": NINE},
        by=physician,
        reason="Measured late",
    )

    given.refresh_from_db()
    assert given.administered_activity_mbq == Decimal("7350.0")


def test_a_cycle_without_anything_against_it_needs_no_confirmation(course, physician):
    measure(course.patient)

    given = give(course, physician, administered_activity_mbq=Decimal(7400))

    assert (given.confirmed_warnings, given.confirmation_reason) == ([], "")


def test_warnings_are_told_once_each_and_kept_with_the_reason_they_were_confirmed_with(course, physician):
    HoldFactory(cycle=cycle_of(course, 3))
    SomatostatinAnalogueDoseFactory(patient=course.patient, given_at=datetime(2019, 4, 10, 8, tzinfo=UTC))
    Administration.objects.filter(cycle=cycle_of(course, 1)).update(lot="L1")
    late = datetime(2019, 5, 7, 7, tzinfo=UTC)
    values = {"administered_at": late, "administered_activity_mbq": Decimal(7400), "lot": "L1"}

    with pytest.raises(services.Unconfirmed) as refused:
        give(course, physician, **values)
    codes = {"outside_window", "open_hold", "labs_missing", "analogue_long_acting", "same_lot"}
    assert {warned.code for warned in refused.value.warnings} == codes
    assert cycle_of(course, 3).status == CycleStatus.HELD

    given = give(course, physician, **values, confirmation_reason="Decided in the tumour board")
    assert set(given.confirmed_warnings) == codes
    assert given.confirmation_reason == "Decided in the tumour board"


def test_the_dose_rules_stand_against_a_cycle_that_they_hold(course, physician):
    measure(course.patient, platelets="70")

    with pytest.raises(services.Unconfirmed) as refused:
        give(course, physician, administered_activity_mbq=Decimal(7400))

    assert [warned.code for warned in refused.value.warnings] == ["dose_advice"]


def test_the_activity_of_the_course_and_the_dose_of_the_kidneys_are_watched(course, physician):
    measure(course.patient)
    # 4 × 7,400 MBq and 2 % are 30,192 MBq.
    Administration.objects.filter(cycle__course=course).update(administered_activity_mbq=Decimal(11396))
    AbsorbedDoseFactory(cycle=cycle_of(course, 2), absorbed_dose_gy=Decimal(16))
    PriorPrrtFactory(patient=course.patient, kidney_dose_gy=Decimal(7))

    with pytest.raises(services.Unconfirmed) as refused:
        give(course, physician, administered_activity_mbq=Decimal("7400.1"))

    codes = [warned.code for warned in refused.value.warnings]
    assert codes == ["cumulative_activity", "absorbed_dose"]


def test_an_administration_with_absorbed_doses_is_not_taken_back_before_them(course, physician):
    AbsorbedDoseFactory(cycle=cycle_of(course, 2))

    with pytest.raises(RegistryError, match="absorbed doses") as refused:
        services.void_administration(
            cycle_of(course, 2).administrations.get(), by=physician, reason="Wrong patient"
        )
    assert refused.value.code == "has_records"


def test_what_was_given_in_all_counts_courses_and_earlier_therapy(course):
    PriorPrrtFactory(patient=course.patient, kidney_dose_gy=Decimal("5.5"))
    AbsorbedDoseFactory(cycle=cycle_of(course, 1), absorbed_dose_gy=Decimal("4.1"))
    AbsorbedDoseFactory(cycle=cycle_of(course, 2), absorbed_dose_gy=Decimal("3.9"))

    found = exposure_of(course.patient, kidney_limit_gy=Decimal(23), marrow_limit_gy=Decimal(2))

    assert found.course_mbq == {1: Decimal("14783.0")}
    assert found.lifelong_mbq == Decimal("21783.0")
    (kidneys,) = found.doses
    assert (kidneys.sum_gy, kidneys.cycles, kidneys.is_past_limit) == (Decimal("13.5"), 4, False)


# Decisions


def test_an_accepted_advice_needs_no_reason_and_both_are_kept(course, physician):
    measure(course.patient, at=datetime(2019, 3, 25, 7, tzinfo=UTC), platelets="60")
    measure(course.patient, at=datetime(2019, 4, 25, 7, tzinfo=UTC), platelets="120")

    made = services.decide_dose(
        cycle=cycle_of(course, 3), decision="reduce", by=physician, reason="Late, but on"
    )

    # Seven years late by now: the rule considers discontinuation, so that this decision differs and says why.
    assert (made.advice, made.decision) == ("discontinue", "reduce")
    assert made.prescribed_activity_mbq == 3700
    assert cycle_of(course, 3).prescribed_activity_mbq == 3700
    assert any("latelets 60" in fact for fact in made.advice_facts)
    assert made.decided_by == physician


def recent_course(now: datetime, *, weeks_ago: int):
    """A course whose first cycle was given some weeks ago, everything else still to come."""
    course = CourseFactory(given=1)
    Administration.objects.filter(cycle__course=course).update(
        administered_at=now - timedelta(weeks=weeks_ago)
    )
    services.replan(course)
    return course


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def test_advice_follows_the_values_from_continue_to_hold_to_reduce_to_return(now, physician):
    course = recent_course(now, weeks_ago=7)
    ReferenceRangeFactory(centre=course.patient.centre)
    measure(course.patient, at=now - timedelta(days=40), platelets="180")
    second = cycle_of(course, 2)
    measure(course.patient, at=now - timedelta(days=2), platelets="180")
    assert services.decide_dose(cycle=second, decision="continue", by=physician).advice == "continue"

    measure(course.patient, at=now - timedelta(days=1, hours=1), platelets="74.9")
    held = services.decide_dose(cycle=second, decision="hold", by=physician)
    assert (held.advice, held.prescribed_activity_mbq) == ("hold", None)
    assert cycle_of(course, 2).status == CycleStatus.HELD
    assert Hold.objects.get(cycle=second).reason == HoldReason.HAEMATOLOGICAL

    measure(course.patient, at=now - timedelta(hours=1), platelets="75")
    today = now.astimezone(course.patient.centre.zone).date()
    services.resume_cycle(cycle=cycle_of(course, 2), resumed_on=today, by=physician)
    reduced = services.decide_dose(cycle=cycle_of(course, 2), decision="reduce", by=physician)
    assert (reduced.advice, reduced.prescribed_activity_mbq) == ("reduce", 3700)
    assert services.administrations.prescription_of(cycle_of(course, 2)) == 3700


def test_a_decision_against_the_advice_needs_its_reason(now, physician):
    course = recent_course(now, weeks_ago=7)
    measure(course.patient, at=now - timedelta(days=1), platelets="60")

    with pytest.raises(ValidationError, match="needs its reason"):
        services.decide_dose(cycle=cycle_of(course, 2), decision="continue", by=physician)
    made = services.decide_dose(
        cycle=cycle_of(course, 2), decision="continue", reason="Marrow involvement, agreed", by=physician
    )

    assert (made.advice, made.decision, made.prescribed_activity_mbq) == ("hold", "continue", 7400)


def test_nothing_is_decided_of_a_given_cycle_or_without_rules(course, physician, data_manager):
    with pytest.raises(RegistryError) as refused:
        services.decide_dose(cycle=cycle_of(course, 2), decision="continue", by=physician)
    assert refused.value.code == "not_planned"

    silent = services.add_protocol(protocol_values(code="silent", dose_rules={}), by=data_manager)
    services.move_course(course, silent, by=physician, reason="Study")
    with pytest.raises(RegistryError) as refused:
        services.decide_dose(cycle=cycle_of(course, 3), decision="continue", by=physician)
    assert refused.value.code == "no_dose_rules"


def test_a_voided_decision_takes_its_prescription_with_it_back_to_the_one_before(now, physician):
    course = recent_course(now, weeks_ago=7)
    measure(course.patient, at=now - timedelta(days=1), platelets="180")
    cycle = cycle_of(course, 2)
    first = services.decide_dose(cycle=cycle, decision="reduce", reason="Frail", by=physician)
    second = services.decide_dose(
        cycle=cycle, decision="reduce", reason="Kidneys", prescribed_activity_mbq=Decimal(5000), by=physician
    )
    assert cycle_of(course, 2).prescribed_activity_mbq == 5000

    services.void_decision(second, by=physician, reason="Another patient")
    assert cycle_of(course, 2).prescribed_activity_mbq == 3700
    services.void_decision(first, by=physician, reason="Another patient")
    assert cycle_of(course, 2).prescribed_activity_mbq is None
    assert not DoseDecision.objects.current().exists()


# Laboratory values


def entry(analyte: str, value: str, unit: str = "", **more) -> services.LabEntry:
    return services.LabEntry(
        analyte=analyte,
        value=Decimal(value),
        unit=unit,
        taken_at=datetime(2019, 4, 25, 7, tzinfo=UTC),
        **more,
    )


def test_values_are_converted_and_what_was_written_is_kept(physician):
    patient = PatientFactory()

    services.record_lab_results(
        patient=patient, entries=[entry("haemoglobin", "12.5", "g/dL"), entry("creatinine", "1.0", "mg/dL")], by=physician
    )  # fmt: skip

    found = {r.analyte: (r.value, r.original_value, r.original_unit) for r in LabResult.objects.all()}
    assert found == {
        "haemoglobin": (Decimal(125), "12.5", "g/dL"),
        "creatinine": (Decimal("88.4"), "1.0", "mg/dL"),
    }


def test_an_impossible_value_is_refused_with_the_accepted_range_and_nothing_of_the_batch_is_stored(physician):
    with pytest.raises(ValidationError) as refused:
        services.record_lab_results(
            patient=PatientFactory(),
            entries=[entry("platelets", "210"), entry("platelets", "3001", place="Row 2")],
            by=physician,
        )

    assert "Row 2" in refused.value.messages[0]
    assert "3000" in refused.value.messages[0].replace(",", "")
    assert not LabResult.objects.exists()


def test_an_unlikely_value_is_stored_once_it_is_confirmed(physician):
    facts = {"patient": PatientFactory(), "entries": [entry("platelets", "1500")], "by": physician}

    with pytest.raises(services.UnlikelyValues) as refused:
        services.record_lab_results(**facts)
    assert not LabResult.objects.exists()
    assert refused.value.code == "unlikely_values"
    services.record_lab_results(**facts, confirm_unlikely=True)
    assert LabResult.objects.get().is_unlikely_confirmed


def test_the_same_sample_is_not_stored_twice(physician):
    patient = PatientFactory()
    services.record_lab_results(patient=patient, entries=[entry("platelets", "210")], by=physician)

    with pytest.raises(ValidationError, match="already there"):
        services.record_lab_results(patient=patient, entries=[entry("platelets", "211")], by=physician)


def test_nothing_is_measured_before_birth_or_after_death(physician):
    patient = PatientFactory(birth_date=date(1957, 3, 2))
    early = LabResultFactory.build(patient=patient, taken_at=datetime(1957, 3, 1, 12, tzinfo=UTC))
    early.save(force_insert=True)
    with pytest.raises(IntegrityError, match="born on 1957-03-02"):
        check_deferred()


def test_an_adverse_event_after_death_is_refused_by_the_database_whichever_comes_first():
    patient = PatientFactory()
    AdverseEventFactory(patient=patient, onset_on=date(2019, 12, 2))
    check_deferred()
    DeathFactory(patient=patient, died_on=date(2019, 12, 1))
    with pytest.raises(IntegrityError, match="cannot have died on 2019-12-01"):
        check_deferred()


def test_an_adverse_event_after_a_known_death_is_refused_by_the_database():
    patient = PatientFactory()
    DeathFactory(patient=patient, died_on=date(2019, 12, 1))
    check_deferred()
    AdverseEventFactory(patient=patient, onset_on=date(2019, 12, 2))
    with pytest.raises(IntegrityError, match="adverse event of 2019-12-02 cannot be later"):
        check_deferred()


def test_every_analyte_of_the_rules_can_be_stored():
    from treatments.rules.labs import ANALYTES

    assert set(LabAnalyte.values) == set(ANALYTES)
