"""A day at the clinic by keyboard alone, counted by the keystroke-level model, each act ending in the database.

The aims are those of the project: a cycle in 40 s, a correction with its reason in 20 s, a core record in 4 minutes. The
model leaves out what the machine needs, and thinking beyond finding the next field. ``pytest -s`` shows the counts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from accounts.changes import changes_of
from accounts.models import Centre, Role, User
from analytics import freshness
from analytics.models import Cohort
from clinic.models import Draft
from imaging.models import Measurement, Reading
from patients.models import Diagnosis, Patient, PatientIdentity
from tests.analytics.test_explore_browser import library  # noqa: F401 (a fixture)
from tests.clinic.browser import Typist, signed_in_tab, stored
from tests.factories import (
    CentreFactory,
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    LabResultFactory,
    LesionFactory,
    MeasurementFactory,
    PatientFactory,
    PatientIdentityFactory,
    StudyFactory,
    make_user,
)
from treatments.models import Administration, Course, CycleStatus, Hold, LabResult
from treatments.rules.labs import ANALYTES

pytestmark = pytest.mark.browser

PASSWORD = "a-long-walk-by-the-river"
CORE_RECORD_SECONDS = 240
CYCLE_SECONDS = 40
CORRECTION_SECONDS = 20
# In the units of the registry, as a healthy person has them.
USUAL = {
    "platelets": "231", "haemoglobin": "128", "neutrophils": "3.8", "lymphocytes": "1.6", "leucocytes": "6.1",
    "creatinine": "71", "alt": "24", "ast": "22", "alp": "88", "ggt": "31", "bilirubin": "9", "albumin": "41",
    "prothrombin_ratio": "97", "body_weight": "68",
}  # fmt: skip


@pytest.fixture
def site(live_server_of_committed: LiveServer) -> str:
    return str(live_server_of_committed.url)


@pytest.fixture
def clinic(committed: None) -> Centre:
    return CentreFactory(code="STA")


@pytest.fixture
def today(clinic: Centre) -> date:
    """By the clock of the centre."""
    return timezone.localdate(timezone=clinic.zone)


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


@contextmanager
def quiet_tab(site: str, drawing: str, user: User, *, with_scripts: bool = True) -> Iterator[Any]:
    """A tab that may not complain: no error in the console, where Chromium also tells what the security policy refused,
    and no request that leaves the machine."""
    complaints: list[str] = []
    with signed_in_tab(site, user, with_scripts=with_scripts) as tab:
        tab.route(
            "**/vega/vega.js", lambda route: route.fulfill(content_type="text/javascript", body=drawing)
        )
        tab.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on(
            "request",
            lambda asked: (
                None if asked.url.startswith((site, "data:", "blob:")) else complaints.append(asked.url)
            ),
        )
        yield tab
    assert complaints == []


@pytest.fixture
def tab_of(site: str, library: str) -> Callable[..., Any]:  # noqa: F811
    return partial(quiet_tab, site, library)


def course_due(centre: Centre, number: str, due_on: date) -> Course:
    """Return a course whose third of four cycles is planned on this day, of a patient with all that was due before."""
    with transaction.atomic():
        patient = PatientFactory(centre=centre, registry_number=number)
        course = CourseFactory(patient=patient, given=2, given__from_on=due_on - timedelta(days=112))
        DiagnosisFactory(patient=patient)
        StudyFactory(patient=patient, performed_on=due_on - timedelta(days=120))
        StudyFactory(patient=patient, timepoint="interim", performed_on=due_on - timedelta(days=10))
    return course


def measure(course: Course, at: datetime) -> None:
    for analyte, value in USUAL.items():
        LabResultFactory(
            patient=course.patient,
            analyte=analyte,
            taken_at=at,
            value=Decimal(value),
            original_value=value,
            original_unit=ANALYTES[analyte].unit,
        )


def test_a_nurses_morning(tab_of: Callable[..., Any], site: str, clinic: Centre, today: date) -> None:
    now = timezone.now()
    of_cycle, of_labs, of_hold = (
        course_due(clinic, f"STA-000{n}", today + timedelta(days=days))
        for n, days in ((1, 0), (2, 5), (3, 6))
    )
    for course in (of_cycle, of_hold):
        measure(course, now - timedelta(days=2))
    nurse = make_user(role=Role.COORDINATOR, centre=clinic, username="nurse")
    given_at = now.astimezone(clinic.zone).replace(second=0, microsecond=0) - timedelta(minutes=30)
    measured_at = given_at - timedelta(minutes=20)
    emptied_at = given_at + timedelta(minutes=25)

    with tab_of(nurse) as tab:
        tab.goto(site)
        cycle = Typist(tab)
        cycle.go_to_row("STA-0001")
        cycle.follow("Record cycle for STA-0001")
        cycle.fill("Syringe activity", "7450")
        cycle.fill("Syringe measured at", f"{measured_at:%Y-%m-%d %H:%M}")
        cycle.fill("Start of the infusion", f"{given_at:%Y-%m-%d %H:%M}")
        cycle.fill("Residual activity", "60")
        cycle.fill("Residual measured at", f"{emptied_at:%Y-%m-%d %H:%M}")
        cycle.fill("Lot", "L26-114")
        cycle.enter()
        tab.get_by_text("Nothing is stored yet").wait_for()
        cycle.enter()
        tab.get_by_text("Cycle 3 was recorded as given").wait_for()
        print(f"\na cycle: {cycle.account}")

        tab.goto(site)
        labs = Typist(tab)
        labs.go_to_row("Laboratory values before cycle 3")
        labs.follow("Enter values for STA-0002")
        labs.fill("Date of sample 1", f"{today - timedelta(days=1)}")
        labs.press("Enter")
        labs.down(list(USUAL.values()))
        labs.arrive("Control+Enter")
        tab.get_by_text("14 values recorded").wait_for()
        print(f"14 laboratory values: {labs.account}")

        tab.goto(site)
        hold = Typist(tab)
        hold.go_to_row("STA-0003")
        hold.enter()
        hold.pick("hold 3")
        hold.fill("Held on", f"{today}")
        hold.choose("Reason", "Patient's choice")
        hold.fill("Note", "Travels until the end of the month")
        hold.arrive("Control+Enter")
        tab.locator(".messages").wait_for()
        print(f"a hold with its reason: {hold.account}")

    given = Administration.objects.get(cycle__course=of_cycle, cycle__number=3)
    assert given.administered_at == given_at
    assert given.syringe_activity_mbq == 7450
    # 7,450 MBq decayed for 20 minutes, less 60 MBq from 25 minutes after.
    assert given.administered_activity_mbq == Decimal("7379.1")
    assert given.lot == "L26-114"
    assert given.cycle.status == CycleStatus.GIVEN
    entered = LabResult.objects.filter(patient=of_labs.patient)
    assert {one.analyte: one.value for one in entered} == {code: Decimal(v) for code, v in USUAL.items()}
    held = Hold.objects.get()
    assert (held.cycle.course, held.cycle.number, held.reason) == (of_hold, 3, "patient_choice")
    assert (held.held_on, held.note) == (today, "Travels until the end of the month")
    assert held.cycle.status == CycleStatus.HELD
    assert cycle.seconds <= CYCLE_SECONDS


def test_a_core_record(tab_of: Callable[..., Any], site: str, clinic: Centre, today: date) -> None:
    """A core record of 87 items: 80 typed or chosen, and 7 that stand there and are right, such as the protocol.

    The person 5, the diagnosis 10, the first course 1 with its date; performance status 2; two prior therapies 8; the
    baseline study 9; three samples of 14 laboratory values, each with its date, 45. What stands there: the centre, the
    protocol and intent of the course; the course, timepoint, modality and tracer of the study. Units are not counted.
    """
    physician = make_user(role=Role.PHYSICIAN, centre=clinic, username="physician")
    samples = [today - timedelta(days=days) for days in (30, 16, 2)]
    with tab_of(physician) as tab:
        tab.goto(site)
        record = Typist(tab)
        record.arrive("n")
        record.fill("MRN", "471108")
        record.fill("Family name", "Beispiel")
        record.fill("Given names", "Erika")
        record.choose("Sex", "Female")
        record.fill("Date of birth", "19570302")
        record.choose("Tumour type", "Neuroendocrine")
        record.choose("Primary site", "Small intestine")
        record.fill("Diagnosed on", "20160511")
        record.choose("WHO grade", "G2")
        record.fill("Ki-67", "8")
        record.choose("Functional syndrome", "Carcinoid")
        record.fill("Stage", "IV")
        record.tick("Liver")
        record.tick("Lymph node")
        record.tick("Bone")
        record.fill("Cycle 1 planned on", f"{today + timedelta(days=7):%Y%m%d}")
        record.enter()
        tab.get_by_text("was registered").wait_for()
        print(f"\nregistered: {record.items} items, {record.account}")

        record.pick("perf")
        record.choose("ECOG", "1")
        record.fill("Assessed on", f"{today - timedelta(days=2):%Y%m%d}")
        record.enter()
        record.pick("prior")
        record.choose("Kind", "Somatostatin analogue")
        record.fill("Agent", "lanreotide")
        record.fill("Started on", "20160701")
        record.fill("Ended on", "20260115")
        record.enter()
        record.pick("prior")
        record.choose("Kind", "Surgery")
        record.fill("Agent", "ileum")
        record.fill("Started on", "20160603")
        record.fill("Ended on", "20160603")
        record.enter()
        print(f"history before: {record.items} items, {record.account}")

        record.pick("rec base")
        record.fill("Performed on", f"{today - timedelta(days=9):%Y%m%d}")
        record.fill("Tracer activity", "152")
        record.fill("Tracer injected at", f"{today - timedelta(days=9):%Y%m%d} 09:40")
        record.fill("Uptake time", "62")
        record.fill("Body weight", "68")
        record.fill("Slice thickness", "3")
        record.fill("SUVmean of the liver", "5.1")
        record.fill("SUVmean of the spleen", "14.2")
        record.choose("Krenning score", "4")
        record.arrive("Control+Enter")
        print(f"baseline: {record.items} items, {record.account}")

        record.pick("lab val")
        record.fill("Date of sample 1", f"{samples[0]:%Y%m%d}")
        record.press("Enter")
        record.down(list(USUAL.values()))
        for day in samples[1:]:
            record.press("Enter")  # in the last row it goes on with the next sample
            record.down([f"{day:%Y%m%d}", *USUAL.values()])
        record.arrive("Control+Enter")
        tab.get_by_text("42 values recorded").wait_for()
        print(f"a core record: {record.items} items, {record.account}")

    patient = Patient.objects.get()
    identity = PatientIdentity.objects.get(patient=patient)
    assert (identity.mrn, identity.family_name, identity.given_names) == ("471108", "Beispiel", "Erika")
    diagnosis = patient.diagnoses.get()
    assert (diagnosis.primary_site, diagnosis.who_grade, diagnosis.ki67_percent) == (
        "small_intestine",
        "g2",
        8,
    )
    assert (diagnosis.functional_syndrome, diagnosis.stage) == ("carcinoid", "IV")
    assert diagnosis.metastatic_sites == ["liver", "lymph_node", "bone"]
    assert patient.courses.get().cycles.get(number=1).planned_on == today + timedelta(days=7)
    assert patient.performance_statuses.get().ecog == 1
    therapies = patient.prior_therapies.order_by("started_on").values_list("kind", "agent")
    assert list(therapies) == [("surgery", "ileum"), ("somatostatin_analogue", "lanreotide")]
    baseline = patient.studies.get()
    assert (baseline.timepoint, baseline.modality, baseline.tracer) == ("baseline", "pet_ct", "68Ga-DOTATATE")
    assert (baseline.tracer_activity_mbq, baseline.uptake_minutes, baseline.body_weight_kg) == (152, 62, 68)
    assert (baseline.liver_suv_mean, baseline.spleen_suv_mean) == (Decimal("5.1"), Decimal("14.2"))
    assert (baseline.slice_thickness_mm, baseline.krenning_score) == (3, 4)
    for day in samples:
        at = datetime.combine(day, time(), clinic.zone)
        values = LabResult.objects.filter(taken_at=at).values_list("analyte", "value")
        assert dict(values) == {code: Decimal(value) for code, value in USUAL.items()}
    assert record.items == 80
    assert record.seconds <= CORE_RECORD_SECONDS


def test_a_data_manager_corrects_a_value_with_its_reason_and_restores_it(
    tab_of: Callable[..., Any], site: str, clinic: Centre
) -> None:
    patient = PatientFactory(centre=clinic, registry_number="STA-0001")
    diagnosis = DiagnosisFactory(patient=patient, ki67_percent=4)
    user = make_user(role=Role.DATA_MANAGER, centre=clinic, username="data_manager")
    with tab_of(user) as tab:
        tab.goto(site + reverse("patient-chart", args=[patient.pk]))
        correction = Typist(tab)
        correction.pick("corr diag")
        correction.fill("Ki-67", "8")
        correction.fill("Reason for the correction", "Pathology of 2018")
        correction.arrive("Control+Enter")
        tab.get_by_text("The correction was stored.").wait_for()
        print(f"\na correction: {correction.account}")
        assert stored(lambda: Diagnosis.objects.get().ki67_percent) == 8

        restoring = Typist(tab)
        restoring.follow("History", tag="A")
        restoring.follow("Restore what stood there before in Diagnosis")
        restoring.go_to("Reason for the correction")
        restoring.arrive("Control+Enter")
        tab.get_by_text("The correction was stored.").wait_for()
        print(f"a former value restored: {restoring.account}")

    diagnosis.refresh_from_db()
    assert (diagnosis.ki67_percent, diagnosis.version) == (4, 3)
    _, corrected, restored = changes_of([diagnosis])
    assert (corrected.who, corrected.reason) == ("data_manager", "Pathology of 2018")
    assert (restored.who, restored.door) == ("data_manager", "Page of the registry")
    assert restored.reason.startswith("Restored what stood there before")
    assert correction.seconds <= CORRECTION_SECONDS


def test_a_form_outlives_the_session_it_was_begun_in(
    tab_of: Callable[..., Any], site: str, clinic: Centre, today: date
) -> None:
    user = with_password(make_user(role=Role.DATA_MANAGER, centre=clinic, username="data_manager"))
    planned_on = today + timedelta(days=7)
    with tab_of(user) as tab:
        tab.goto(site)
        typist = Typist(tab)
        typist.arrive("n")
        typist.fill("MRN", "M-4711")
        typist.fill("Family name", "Beispiel")
        typist.fill("Given names", "Änne")
        typist.choose("Sex", "Female")
        typist.fill("Date of birth", "1957-03-02")
        typist.choose("Tumour type", "Neuroendocrine")
        typist.choose("Primary site", "Small intestine")
        typist.tick("Liver")
        typist.fill("Cycle 1 planned on", f"{planned_on}")
        tab.get_by_text("Draft kept.").wait_for()

        stored(Session.objects.all().delete)
        typist.enter()
        tab.get_by_role("heading", name="Sign in").wait_for()
        assert not stored(Patient.objects.exists)
        kept = stored(lambda: Draft.objects.get().fields)
        assert "csrfmiddlewaretoken" not in kept
        assert kept["person-family_name"] == ["Beispiel"]

        typist.fill("Username", "data_manager")
        typist.fill("Password", PASSWORD)
        typist.enter()
        tab.get_by_role("heading", name="You began this form").wait_for()
        typist.go_to("Go on with it", tag="BUTTON")
        typist.press("Enter")
        values = {
            "person-mrn": "M-4711",
            "person-family_name": "Beispiel",
            "person-given_names": "Änne",
            "person-sex": "female",
            "person-birth_date": "1957-03-02",
            "diagnosis-tumour_type": "net",
            "diagnosis-primary_site": "small_intestine",
            "course-first_planned_on": f"{planned_on}",
        }
        found = {name: tab.locator(f"[name={name}]").input_value() for name in values}
        assert found == values
        assert tab.get_by_label("Liver").is_checked()

        # A form that was changed is not left without a question.
        typist.go_to("Cancel", tag="A")
        tab.once("dialog", lambda dialog: dialog.dismiss())
        with tab.expect_event("dialog") as asked:
            typist.press("Enter")
        assert asked.value.type == "beforeunload"
        assert tab.url.startswith(f"{site}{reverse('patient-register')}")

        tab.keyboard.press("Shift+Tab")
        typist.enter()
        tab.get_by_text("was registered").wait_for()

    patient = Patient.objects.get()
    assert (patient.sex, patient.birth_date) == ("female", date(1957, 3, 2))
    identity = PatientIdentity.objects.get()
    assert (identity.patient, identity.mrn, identity.given_names) == (patient, "M-4711", "Änne")
    assert patient.diagnoses.get().metastatic_sites == ["liver"]
    assert patient.courses.get().cycles.get(number=1).planned_on == planned_on
    assert not Draft.objects.exists()


def test_without_scripts_a_cycle_is_given_and_a_patient_found(
    tab_of: Callable[..., Any], site: str, clinic: Centre, today: date
) -> None:
    course = course_due(clinic, "STA-0001", today)
    measure(course, timezone.now() - timedelta(days=2))
    PatientIdentityFactory(patient=course.patient, family_name="Beispiel")
    PatientIdentityFactory(
        patient=PatientFactory(centre=clinic, registry_number="STA-0002"), family_name="Muster"
    )
    nurse = make_user(role=Role.COORDINATOR, centre=clinic, username="nurse")
    given_at = timezone.now().astimezone(clinic.zone).replace(second=0, microsecond=0) - timedelta(minutes=30)
    with tab_of(nurse, with_scripts=False) as tab:
        tab.goto(site)
        tab.get_by_role("link", name="Record cycle for STA-0001").click()
        tab.get_by_label("Start of the infusion").fill(f"{given_at:%Y-%m-%d %H:%M}")
        tab.get_by_label("Net activity").fill("7390")
        tab.get_by_role("button", name="Check the entry").click()
        assert "7,390.0" in tab.locator(".answers").inner_text()
        tab.get_by_role("button", name="Record the cycle").click()
        assert "Cycle 3 was recorded as given" in tab.locator(".messages").inner_text()

        tab.get_by_role("link", name="Patients", exact=True).click()
        tab.locator("[data-search]").fill("Bei")
        tab.locator("[data-search]").press("Enter")
        rows = tab.locator("main table.data tbody tr")
        rows.first.wait_for()
        assert rows.count() == 1
        assert "STA-0001" in rows.first.inner_text()

    given = Administration.objects.get(cycle__course=course, cycle__number=3)
    assert (given.administered_at, given.administered_activity_mbq) == (given_at, 7390)


def test_a_readers_session(tab_of: Callable[..., Any], site: str, clinic: Centre, today: date) -> None:
    from playwright.sync_api import expect

    course = course_due(clinic, "STA-0001", today)
    baseline, interim = course.patient.studies.order_by("performed_on")
    with transaction.atomic():
        lesions = [LesionFactory(patient=course.patient, label=f"L{n}") for n in (1, 2)]
        for lesion, size_mm in zip(lesions, (38, 24), strict=True):
            MeasurementFactory(lesion=lesion, study=baseline, size_mm=size_mm)
    reader = with_password(make_user(role=Role.READER, centre=clinic, username="reader"))
    with tab_of(reader) as tab:
        tab.goto(site)
        typist = Typist(tab)
        typist.go_to_row("Interim PET/CT, to be read")
        typist.follow("Read for STA-0001")
        typist.go_to(f"L1, {interim.performed_on}, size in mm")
        typist.down(["25", "16"])
        typist.press("Enter")
        expect(tab.locator("#imaging-summary")).to_contain_text(
            "Sum 41 mm is 33.9 % below the baseline of 62 mm"
        )
        typist.pick("read and sign")
        typist.fill("Password", PASSWORD)
        typist.enter()
        expect(tab.locator(".messages")).to_contain_text("Signed: partial response")
        print(f"\na reading: {typist.account}")

    reading = Reading.objects.get()
    assert (reading.study, reading.overall_response, reading.reader) == (interim, "PR", reader)
    assert reading.signed_at is not None
    sizes = Measurement.objects.filter(study=interim).order_by("lesion__label")
    assert list(sizes.values_list("size_mm", flat=True)) == [25, 16]


def test_a_researchers_question(tab_of: Callable[..., Any], site: str, clinic: Centre) -> None:
    from playwright.sync_api import expect

    with transaction.atomic():
        for number in range(24):
            patient = PatientFactory(centre=clinic, sex="female" if number % 2 else "male")
            CourseFactory(patient=patient, given=2)
            if number % 3 == 0:
                DeathFactory(patient=patient, died_on=date(2019, 6, 1) + timedelta(days=number))
    freshness.refresh_inline()
    researcher = make_user(role=Role.RESEARCHER, centre=clinic, username="researcher")
    with tab_of(researcher) as tab:
        tab.set_default_timeout(30_000)  # the first answer of a process loads scipy
        tab.goto(site)
        typist = Typist(tab)
        typist.pick("explore")
        typist.choose("Endpoint", "Overall survival")
        typist.choose("Divided by", "Sex")
        typist.follow("Show", tag="BUTTON")
        print(f"\na question: {typist.account}")
        figure = tab.locator("[data-vega-spec]").first
        expect(figure).to_have_attribute("data-vega-state", "ready", timeout=30_000)
        said = figure.locator(".figure-chart-drawing").get_attribute("aria-label")
        numbers = tab.locator(".figures").inner_text()
        address = tab.url
        assert "Female: 12 patients" in said
        assert numbers.startswith("24\npatients\n8\nevents")

        tab.goto("about:blank")
        tab.goto(address)
        expect(figure).to_have_attribute("data-vega-state", "ready", timeout=30_000)
        assert figure.locator(".figure-chart-drawing").get_attribute("aria-label") == said
        assert tab.locator(".figures").inner_text() == numbers
        assert tab.request.get(f"{site}{reverse('patient-list')}").status == 403

    assert Cohort.objects.filter(owner=researcher).count() == 0
