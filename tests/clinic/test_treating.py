"""The acts of a cycle and of a running course as their pages perform them."""

import html
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User
from clinic.selectors import worklist
from patients.models import Patient
from tests.factories import (
    AbsorbedDoseFactory,
    CourseFactory,
    HoldFactory,
    LabResultFactory,
    PatientFactory,
    PriorPrrtFactory,
    ReferenceRangeFactory,
    StudyFactory,
    default_protocol,
    make_user,
)
from treatments import services
from treatments.models import (
    AbsorbedDose,
    Administration,
    AdverseEvent,
    Cycle,
    CycleStatus,
    DoseDecision,
    Hold,
    PriorPrrt,
    Protocol,
    ReferenceRange,
    SomatostatinAnalogueDose,
)

pytestmark = pytest.mark.django_db
NBSP = "\N{NO-BREAK SPACE}"
REASON = "Values are on paper"


@pytest.fixture
def patient(centre) -> Patient:
    """Cycles 1 and 2 given on 2019-01-07 and 2019-03-04; cycle 3 planned on 2019-04-29."""
    patient = PatientFactory(centre=centre)
    CourseFactory(patient=patient, given=2)
    return patient


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def desk(physician) -> Client:
    return signed_in(physician)


def cycle_of(patient: Patient, number: int) -> Cycle:
    return Cycle.objects.get(course__patient=patient, number=number)


def address(name: str, patient: Patient, number: int) -> str:
    return reverse(name, args=[patient.pk, cycle_of(patient, number).pk])


def said(response) -> str:
    text = html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).replace(NBSP, " ")
    return re.sub(r"\s+", " ", text)


# Giving


ENTRY = {
    "activity_unit": "MBq",
    "prescribed_activity_mbq": "7400",
    "administered_at": "2019-04-29 09:30",
    "syringe_activity_mbq": "7450",
    "syringe_measured_at": "2019-04-29 09:30",
    "residual_activity_mbq": "50",
    "residual_measured_at": "2019-04-29 09:30",
}


def test_the_warnings_are_shown_before_and_their_reason_is_kept(desk, patient):
    url = address("cycle-administer", patient, 3)
    assert "Not measured before this cycle: haemoglobin, leucocytes" in said(desk.get(url))

    refused = desk.post(url, ENTRY)
    assert refused.status_code == 422
    assert "Say why the cycle is recorded in spite of the warnings" in said(refused)
    assert 'value="7450"' in refused.content.decode()  # nothing typed is lost
    assert not Administration.objects.filter(cycle__number=3).exists()

    assert desk.post(url, ENTRY | {"confirmation_reason": REASON}).status_code == 302
    given = Administration.objects.get(cycle__number=3)
    assert given.administered_activity_mbq == Decimal("7400.0")
    assert (given.confirmed_warnings, given.confirmation_reason) == (["labs_missing"], REASON)


def test_an_entry_is_looked_over_before_it_is_stored_and_changed_from_there(desk, patient):
    url = address("cycle-administer", patient, 3)
    typed = ENTRY | {
        "confirmation_reason": REASON,
        "confirmed_warnings": "labs_missing",
        "activity_unit": "MBq",
    }
    events = Administration.pgh_event_model.objects.count()

    looked = desk.post(url, typed | {"check": "1"})

    page = said(looked)
    assert looked.status_code == 200
    for words in ("Nothing is stored yet", "Net activity 7,400.0 MBq", "2019-04-29 09:30", REASON):
        assert words in page
    assert "cycle 4 on 2019-06-24" in page
    assert not Administration.objects.filter(cycle__number=3).exists()
    assert Administration.pgh_event_model.objects.count() == events
    assert cycle_of(patient, 3).status == CycleStatus.PLANNED

    again = desk.post(url, typed | {"change": "residual_activity_mbq"})
    assert again.status_code == 200
    (field,) = re.findall(r'<input[^>]*name="residual_activity_mbq"[^>]*>', again.content.decode())
    assert 'value="50"' in field
    assert "autofocus" in field

    assert desk.post(url, typed).status_code == 302
    assert Administration.objects.get(cycle__number=3).administered_activity_mbq == Decimal("7400.0")


def test_what_is_wrong_or_unconfirmed_is_told_instead_of_a_look(desk, patient):
    url = address("cycle-administer", patient, 3)
    wrong = desk.post(url, ENTRY | {"administered_at": "soon", "confirmation_reason": REASON, "check": "1"})
    assert wrong.status_code == 422
    assert "Check the entry" in said(wrong)
    unconfirmed = desk.post(
        url,
        ENTRY
        | {
            "syringe_activity_mbq": "4000",
            "confirmation_reason": REASON,
            "confirmed_warnings": "",
            "check": "1",
        },
    )
    assert unconfirmed.status_code in {409, 422}
    assert "Nothing is stored yet" not in said(unconfirmed)
    assert desk.post(url, ENTRY | {"change": "no_such_field", "check": "1"}).status_code == 200


@pytest.mark.parametrize(
    ("unit", "prescribed", "syringe", "mbq"),
    [("MBq", "7400", "7450", "7450.0"), ("GBq", "7.4", "7.45", "7450.0"), ("mCi", "200", "201.35", "7450.0")],
)
def test_activities_are_typed_in_any_unit_and_stored_in_mbq(unit, prescribed, syringe, mbq, desk, patient):
    values = ENTRY | {
        "activity_unit": unit,
        "prescribed_activity_mbq": prescribed,
        "syringe_activity_mbq": syringe,
        "residual_activity_mbq": "",
        "residual_measured_at": "",
        "confirmation_reason": REASON,
    }

    assert desk.post(address("cycle-administer", patient, 3), values).status_code == 302

    given = Administration.objects.get(cycle__number=3)
    assert (given.prescribed_activity_mbq, given.syringe_activity_mbq) == (Decimal(7400), Decimal(mbq))


def test_the_net_activity_and_its_deviation_are_computed_while_one_types(desk, patient):
    url = address("cycle-net", patient, 3)

    assert "Net 7,400.0 MBq" in said(desk.post(url, ENTRY))
    far = said(desk.post(url, ENTRY | {"syringe_activity_mbq": "5000"}))
    assert "past ±20 %" in far
    assert "-33.1 %" in far
    late = said(desk.post(url, ENTRY | {"syringe_measured_at": "2019-04-29 09:31"}))
    assert "cannot be computed" in late
    assert "is shown here once" in said(desk.post(url, {}))
    assert not Administration.objects.filter(cycle__number=3).exists()


def test_a_warning_that_comes_up_with_what_was_typed_is_shown_before_it_is_confirmed(desk, patient):
    Administration.objects.filter(cycle__number=1).update(lot="L1")
    url = address("cycle-administer", patient, 3)
    shown = re.search(r'name="confirmed_warnings" value="([^"]*)"', desk.get(url).content.decode())[1]
    assert "same_lot" not in shown
    values = ENTRY | {"lot": "L1", "confirmation_reason": REASON, "confirmed_warnings": shown}

    refused = desk.post(url, values)
    assert refused.status_code == 409
    assert "Lot L1 was given to this patient before, in cycle 1" in said(refused)
    now_shown = re.search(r'name="confirmed_warnings" value="([^"]*)"', refused.content.decode())[1]
    assert desk.post(url, values | {"confirmed_warnings": now_shown}).status_code == 302


def test_who_acts_on_an_older_state_of_a_cycle_is_told(desk, patient, physician):
    url = address("cycle-administer", patient, 3)
    seen = re.search(r'name="seen_version" value="(\d+)"', desk.get(url).content.decode())[1]
    services.correct_cycle(
        cycle_of(patient, 3), {"prescribed_activity_mbq": Decimal(3700)}, by=physician, reason="Kidneys"
    )

    refused = desk.post(url, ENTRY | {"confirmation_reason": REASON, "seen_version": seen})

    assert refused.status_code == 409
    assert "because: Kidneys. Look at it as it is now" in said(refused)
    assert not Administration.objects.filter(cycle__number=3).exists()


def test_a_prescription_that_was_not_touched_is_read_in_mbq_whatever_the_unit(desk, patient):
    values = ENTRY | {
        "activity_unit": "GBq",
        "prescribed_activity_mbq": "7400.0",
        "syringe_activity_mbq": "7,45",
        "residual_activity_mbq": "0.05",
        "confirmation_reason": REASON,
    }

    assert desk.post(address("cycle-administer", patient, 3), values).status_code == 302
    given = Administration.objects.get(cycle__number=3)
    assert (given.prescribed_activity_mbq, given.administered_activity_mbq) == (7400, 7400)


def test_what_was_given_with_the_last_cycle_is_offered_again(desk, patient):
    Administration.objects.filter(cycle__number=2).update(antiemetic="Ondansetron 8 mg")

    page = desk.get(address("cycle-administer", patient, 3))

    assert 'value="Ondansetron 8 mg"' in page.content.decode()
    assert "taken over from cycle 2" in said(page)


# Holding, leaving out, moving


def test_a_cycle_is_held_and_resumed_and_the_chart_says_why_it_moved(desk, patient):
    chart = reverse("patient-chart", args=[patient.pk])
    values = {
        "held_on": "2019-04-20",
        "reason": "haematological",
        "review_on": "2019-05-20",
        "note": "PLT 60",
    }
    assert desk.post(address("cycle-hold", patient, 3), values).status_code == 302
    assert "moved 3 weeks by the hold of 2019-04-20, to be reviewed 2019-05-20" in said(desk.get(chart))

    assert desk.post(address("cycle-resume", patient, 3), {"resumed_on": "2019-05-06"}).status_code == 302
    assert "moved 1 week by the hold of 2019-04-20" in said(desk.get(chart))
    assert "2019-04-20 to 2019-05-06, haematological toxicity. PLT 60" in said(desk.get(chart))


def test_a_hold_is_corrected_and_voided_with_a_reason(desk, patient):
    hold = HoldFactory(cycle=cycle_of(patient, 3))
    correct = reverse("record-correct", args=[patient.pk, "hold", hold.pk])
    values = {
        "held_on": "2019-04-21", "reason": "renal", "review_on": "", "resumed_on": "", "note": "", "version": 1,
    }  # fmt: skip

    assert desk.post(correct, values).status_code == 422
    assert desk.post(correct, values | {"correction_reason": "Typed wrong"}).status_code == 302
    hold.refresh_from_db()
    assert (hold.reason, hold.held_on) == ("renal", date(2019, 4, 21))
    void = reverse("record-void", args=[patient.pk, "hold", hold.pk])
    assert desk.post(void, {"reason": "Another patient", "version": 2}).status_code == 302
    assert cycle_of(patient, 3).status == CycleStatus.PLANNED


def test_a_cycle_is_left_out_with_a_reason_and_planned_again(desk, patient):
    url = address("cycle-cancel", patient, 3)
    assert desk.post(url, {"reason": ""}).status_code == 422
    assert desk.post(url, {"reason": "Away for months"}).status_code == 302
    assert cycle_of(patient, 4).planned_on == date(2019, 4, 29)
    assert "Away for months" in said(desk.get(reverse("patient-chart", args=[patient.pk])))

    assert desk.post(address("cycle-restore", patient, 3), {"reason": "Back"}).status_code == 302
    assert cycle_of(patient, 4).planned_on == date(2019, 6, 24)


def test_a_course_is_moved_to_another_protocol_with_a_reason(desk, patient):
    course = patient.courses.get()
    other = Protocol.objects.get(code="177lu-edotreotide-4x7500-q12w")
    url = reverse("course-move", args=[patient.pk, course.pk])

    assert desk.post(url, {"protocol": other.pk, "reason": ""}).status_code == 422
    assert desk.post(url, {"protocol": other.pk, "reason": "Shortage"}).status_code == 302
    course.refresh_from_db()
    assert course.protocol == other
    assert cycle_of(patient, 3).planned_on == date(2019, 5, 27)


def test_a_course_past_the_maximal_delay_is_flagged_on_its_chart_and_on_the_worklist(physician, patient):
    StudyFactory(patient=patient)
    last_day, first_day = (datetime(2019, 8, day, 12, tzinfo=UTC) for day in (18, 19))

    def why(now: datetime) -> str:
        parts = worklist.worklist(physician, now).parts
        return next(part.rows[0].why for part in parts if part.kind.key == "overdue")

    assert "Delayed by" not in why(last_day)
    assert "Delayed by 3 months: the protocol allows less than 16 weeks" in why(first_day).replace(NBSP, " ")
    assert "decide whether the course goes on" in said(
        signed_in(physician).get(reverse("patient-chart", args=[patient.pk]))
    )


# Advice and decisions


@pytest.fixture
def recent(centre) -> Patient:
    """Cycle 1 given seven weeks ago, with platelets of 60 since."""
    patient = PatientFactory(centre=centre)
    course = CourseFactory(patient=patient, given=1)
    now = datetime.now(UTC)
    Administration.objects.filter(cycle__course=course).update(administered_at=now - timedelta(weeks=7))
    Cycle.objects.filter(course=course, number=2).update(planned_on=(now + timedelta(weeks=1)).date())
    LabResultFactory(patient=patient, taken_at=now - timedelta(days=2), value=Decimal(60))
    return patient


def test_the_advice_is_shown_with_its_facts_and_source_and_accepted_in_one_press(desk, recent, physician):
    url = address("cycle-decide", recent, 2)
    page = said(desk.get(url))
    assert "Hold the next cycle" in page
    assert "Platelets 60 ×10⁹/L" in page
    assert "US prescribing information" in page

    assert desk.post(url, {"decision": "hold", "reason": ""}).status_code == 302
    assert Hold.objects.get(cycle__course__patient=recent).is_open
    decided = DoseDecision.objects.get()
    assert (decided.advice, decided.decision, decided.decided_by) == ("hold", "hold", physician)


def test_deciding_against_the_advice_asks_for_a_reason_and_both_are_on_the_chart(desk, recent):
    url = address("cycle-decide", recent, 2)
    refused = desk.post(url, {"decision": "continue", "reason": ""})
    assert refused.status_code == 422
    assert "needs its reason" in said(refused)

    assert desk.post(url, {"decision": "continue", "reason": "Tumour in the marrow"}).status_code == 302
    chart = said(desk.get(reverse("patient-chart", args=[recent.pk])))
    assert "against the advice “hold”. Tumour in the marrow" in chart


# Further records


def test_events_analogues_earlier_therapy_and_doses_are_entered_and_shown(desk, patient):
    entries = {
        "adverse-event": {"term": "Nausea", "grade": "2", "onset_on": "2019-03-05", "attribution": "probable",
                          "action": "treated"},
        "analogue-dose": {"drug": "octreotide_lar", "given_at": "2019-03-05 10:00", "dose_mg": "30"},
        "prior-prrt": {"radiopharmaceutical": "90Y-DOTATOC", "last_given_on": "2015-06-01", "cycles": "2",
                       "administered_activity_mbq": "7000", "kidney_dose_gy": "5.5"},
    }  # fmt: skip
    for kind, values in entries.items():
        assert desk.post(reverse("record-new", args=[patient.pk, kind]), values).status_code == 302, kind
    dose = {"organ": "kidneys", "absorbed_dose_gy": "4.2", "method": "spect_ct"}
    assert desk.post(address("absorbed-dose-new", patient, 2), dose).status_code == 302
    assert desk.get(address("absorbed-dose-new", patient, 3)).status_code == 404  # not given

    counts = [m.objects.count() for m in (AdverseEvent, SomatostatinAnalogueDose, PriorPrrt, AbsorbedDose)]
    assert counts == [1, 1, 1, 1]
    chart = said(desk.get(reverse("patient-chart", args=[patient.pk])))
    assert "Nausea, grade 2" in chart
    assert "Octreotide LAR (long-acting), 30 mg" in chart
    assert "90Y-DOTATOC, 2 cycles until 2015-06-01, 7,000 MBq" in chart
    assert "21.8 GBq , earlier PRRT included" in chart
    assert "9.70 Gy of 23 Gy over 3 cycles" in chart


def test_the_terms_of_ctcae_are_offered_and_free_text_is_kept(desk, patient):
    url = reverse("record-new", args=[patient.pk, "adverse-event"])
    assert '<option value="Platelet count decreased">' in desk.get(url).content.decode()

    values = {
        "term": "Blue toes",
        "grade": "1",
        "onset_on": "2019-03-05",
        "attribution": "unlikely",
        "action": "none",
    }
    assert desk.post(url, values).status_code == 302
    assert AdverseEvent.objects.get().term == "Blue toes"


def test_the_chart_needs_the_same_queries_for_more_of_everything(
    desk, patient, django_assert_max_num_queries, django_assert_num_queries
):
    url = reverse("patient-chart", args=[patient.pk])
    desk.get(url)
    with django_assert_max_num_queries(17) as few:
        desk.get(url)
    for number in range(1, 15):
        at = datetime(2019, 1, number, 7, tzinfo=UTC)
        LabResultFactory(patient=patient, taken_at=at)
        LabResultFactory(patient=patient, analyte="creatinine", taken_at=at, value=Decimal(80))
    AbsorbedDoseFactory(cycle=cycle_of(patient, 1))
    PriorPrrtFactory(patient=patient)
    HoldFactory(cycle=cycle_of(patient, 3))
    desk_queries = len(few) + 1  # once there are values: the reference ranges
    with django_assert_num_queries(desk_queries):
        desk.get(url)
    LabResultFactory(patient=patient, taken_at=datetime(2019, 2, 1, 7, tzinfo=UTC))
    with django_assert_num_queries(desk_queries):
        desk.get(url)


def test_the_history_of_a_patient_holds_every_kind_of_record_with_who_and_why(desk, patient, physician):
    hold = HoldFactory(cycle=cycle_of(patient, 3))
    LabResultFactory(patient=patient)
    AbsorbedDoseFactory(cycle=cycle_of(patient, 2))
    PriorPrrtFactory(patient=patient)
    desk.post(
        reverse("record-void", args=[patient.pk, "hold", hold.pk]), {"reason": "Wrong one", "version": 1}
    )

    page = said(desk.get(reverse("patient-history", args=[patient.pk])))

    for words in (
        "Hold of cycle 3",
        "Laboratory value: Platelets",
        "Absorbed dose of cycle 2",
        "Earlier PRRT",
        "Wrong one",
        physician.username,
    ):
        assert words in page


# Laboratory values on the worklist


def test_values_missing_before_a_near_cycle_are_due_with_their_names(physician, patient):
    StudyFactory(patient=patient)
    for analyte in ("haemoglobin", "leucocytes", "creatinine", "alt", "ast", "albumin"):
        LabResultFactory(patient=patient, analyte=analyte, taken_at=datetime(2019, 4, 16, 7, tzinfo=UTC))
    # Planned on 2019-04-29: values may be from 2019-04-15 on.
    LabResultFactory(patient=patient, analyte="platelets", taken_at=datetime(2019, 4, 14, 12, tzinfo=UTC))

    def rows(day: date) -> list[str]:
        found = worklist.worklist(physician, datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
        return [
            row.why.replace(NBSP, " ") for part in found.parts if part.kind.key == "labs" for row in part.rows
        ]

    assert rows(date(2019, 4, 14)) == []  # too far off
    (why,) = rows(date(2019, 4, 15))
    assert why.endswith("Not measured within 2 weeks before it: platelets, bilirubin")
    LabResultFactory(patient=patient, analyte="platelets", taken_at=datetime(2019, 4, 15, 7, tzinfo=UTC))
    LabResultFactory(patient=patient, analyte="bilirubin", taken_at=datetime(2019, 4, 15, 7, tzinfo=UTC))
    assert rows(date(2019, 4, 16)) == []


# Protocols and reference ranges


def protocol_form(**changes: str) -> dict[str, object]:
    page = signed_in(make_user(role=Role.DATA_MANAGER, username="reads the form")).get(
        reverse("protocol-new"), {"from": default_protocol().pk}
    )
    form = page.context["form"]
    values = {}
    for bound in form:
        value = (
            bound.field.prepare_value(bound.initial)
            if hasattr(bound.field, "prepare_value")
            else bound.initial
        )
        if value is not None and value is not False:
            values[bound.html_name] = value
    return values | changes


def test_a_new_version_is_made_from_an_old_one_and_its_page_shows_thresholds_and_source(data_manager):
    desk = signed_in(data_manager)

    changes = {"interval_days": "70", "response_confirmation_days": "35", "sstr_decrease_percent": "25"}
    made = desk.post(reverse("protocol-new"), protocol_form(**changes), follow=True)

    protocol = Protocol.objects.get(code="177lu-dotatate-4x7400-q8w", version=2)
    assert protocol.interval_days == 70
    assert protocol.dose_rules == default_protocol().dose_rules
    assert protocol.labs_before_cycle == default_protocol().labs_before_cycle
    page = said(made)
    assert "Confirm before use" in page
    assert "Thrombocytopenia: hold from grade 2" in page
    assert "US prescribing information" in page
    assert "confirmed after 35 d or more; SD from 42 d after cycle 1" in page.replace(NBSP, " ")
    assert "decreased from −25 %, increased from +30 %" in page.replace(NBSP, " ")


@pytest.mark.parametrize(
    ("changes", "said_of"),
    [
        ({"window_days": "29"}, "must not be wider than half the interval"),
        ({"planned_cycles": "0", "imaging_after_cycles": ""}, "needs cycles"),
        ({"imaging_after_cycles": "2,5"}, "There is no cycle 5"),
        ({"sstr_decrease_percent": "0"}, "SUVmax changes by more than 0 %"),
        ({"dose_platelets_resume_grade": "2"}, "below platelets_hold_grade"),
    ],
)
def test_a_bad_protocol_is_refused_on_its_page_and_nothing_typed_is_lost(changes, said_of, data_manager):
    refused = signed_in(data_manager).post(reverse("protocol-new"), protocol_form(name="Mine", **changes))

    assert refused.status_code == 422
    assert said_of in said(refused)
    assert 'value="Mine"' in refused.content.decode()


def test_only_who_manages_protocols_adds_one(physician):
    assert signed_in(physician).get(reverse("protocol-new")).status_code == 403
    assert signed_in(physician).get(reverse("protocol-list")).status_code == 200


def test_a_reference_range_is_added_for_the_own_centre_alone(data_manager, centre, other_centre):
    desk = signed_in(data_manager)
    values = {"centre": centre.pk, "analyte": "platelets", "sex": "", "lower_limit": "150", "upper_limit": "400",
              "valid_from": "2020-01-01"}  # fmt: skip
    assert desk.post(reverse("reference-range-new"), values | {"centre": other_centre.pk}).status_code == 422
    assert desk.post(reverse("reference-range-new"), values | {"lower_limit": "500"}).status_code == 422

    assert desk.post(reverse("reference-range-new"), values).status_code == 302

    ReferenceRangeFactory(centre=other_centre, analyte="albumin")
    assert ReferenceRange.objects.filter(centre=centre).count() == 1
    page = said(desk.get(reverse("reference-ranges")))
    assert "Platelets" in page
    assert "Albumin" not in page
