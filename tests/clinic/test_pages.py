"""The clinic's pages: who gets them, what they say, and that they hold to the content security policy."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.records import correct_record
from analytics import freshness
from clinic.selectors import roster, worklist
from patients.models import Patient
from tests.factories import (
    CentreFactory,
    ContactFactory,
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    DiscontinuationFactory,
    PatientFactory,
    PatientIdentityFactory,
    PerformanceStatusFactory,
    PriorTherapyFactory,
    ReadingFactory,
    StudyFactory,
)
from treatments.models import Cycle, CycleStatus

INLINE = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle\s*=|\son[a-z]+\s*=", re.IGNORECASE)
NOW = datetime(2019, 5, 1, 12, tzinfo=UTC)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def full_patient(centre) -> Patient:
    """A patient with everything a chart can show, two of four cycles given."""
    patient = PatientFactory(centre=centre)
    PatientIdentityFactory(patient=patient, mrn="M-4711", family_name="Ørsted", given_names="Åse")
    DiagnosisFactory(patient=patient, metastatic_sites=["liver"])
    CourseFactory(patient=patient, given=2)
    StudyFactory(patient=patient)
    ReadingFactory(study=StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1)))
    ContactFactory(patient=patient)
    freshness.refresh_inline()
    return patient


def pages_of(patient: Patient) -> list[str]:
    course = patient.courses.get()
    given, planned = course.cycles.filter(number__in=[2, 3]).order_by("number")
    of = [patient.pk]
    return [
        reverse("home"),
        reverse("patient-list"),
        reverse("patient-register"),
        reverse("patient-chart", args=of),
        reverse("patient-history", args=of),
        reverse("record-new", args=[*of, "contact"]),
        reverse("record-new", args=[*of, "study"]),
        reverse("cycle-administer", args=[*of, planned.pk]),
        reverse("course-discontinue", args=[*of, course.pk]),
        reverse("record-correct", args=[*of, "administration", given.administrations.get().pk]),
        reverse("record-correct", args=[*of, "cycle", planned.pk]),
        reverse("record-void", args=[*of, "contact", patient.contacts.get().pk]),
        reverse("cohort-list"),
        reverse("cohort-detail", args=["all"]),
    ]


def test_every_page_holds_to_the_content_security_policy(full_patient, data_manager):
    client = signed_in(data_manager)

    for url in pages_of(full_patient):
        response = client.get(url)
        assert response.status_code == 200, url
        assert INLINE.findall(response.content.decode()) == [], url
        assert "unsafe" not in response["Content-Security-Policy"]


def test_pages_around_signing_in_hold_to_it_too(client, db, physician):
    for name in ("account_login", "account_logout", "account_change_password", "mfa_index"):
        who = client if name == "account_login" else signed_in(physician)
        response = who.get(reverse(name))
        assert response.status_code == 200, name
        assert INLINE.findall(response.content.decode()) == [], name


def test_every_page_says_that_the_patients_are_synthetic(full_patient, data_manager, settings):
    for shown in (True, False):
        settings.SYNTHETIC_DATA_BANNER = shown
        content = signed_in(data_manager).get(reverse("home")).content.decode()
        assert ("Synthetic patients: demonstration data" in content) is shown


def test_every_page_asks_to_sign_in(full_patient):
    for url in pages_of(full_patient):
        response = Client().get(url)
        assert response.status_code == 302, url
        assert response["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("role", [None, Role.RESEARCHER])
def test_who_sees_no_records_finds_no_patient(role, full_patient, user_with):
    client = signed_in(user_with(role))

    assert client.get(reverse("patient-list")).status_code == 403
    assert client.get(reverse("patient-chart", args=[full_patient.pk])).status_code == 404
    assert client.get(reverse("patient-history", args=[full_patient.pk])).status_code == 404
    assert full_patient.registry_number not in client.get(reverse("home")).content.decode()


def test_a_patient_of_another_centre_is_not_there(full_patient, user_with, other_centre):
    client = signed_in(user_with(Role.DATA_MANAGER, other_centre))

    for url in pages_of(full_patient):
        if str(full_patient.pk) in url:
            assert client.get(url).status_code == 404, url
    assert full_patient.registry_number not in client.get(reverse("patient-list")).content.decode()


def test_only_roles_that_may_see_identity_see_it_anywhere(full_patient, user_with):
    urls = [
        reverse("home"),
        reverse("patient-list"),
        reverse("patient-chart", args=[full_patient.pk]),
        reverse("patient-history", args=[full_patient.pk]),
    ]
    identity = full_patient.identity

    for url in urls[1:]:
        assert "Ørsted" in signed_in(user_with(Role.COORDINATOR)).get(url).content.decode(), url
    for url in urls:
        content = signed_in(user_with(Role.INTEGRATION)).get(url).content.decode()
        assert "Ørsted" not in content, url
        assert identity.mrn not in content, url
    correct = reverse("record-correct", args=[full_patient.pk, "identity", identity.pk])
    assert signed_in(user_with(Role.INTEGRATION)).get(correct).status_code == 404


def test_acts_that_a_role_may_not_do_are_not_offered(full_patient, user_with):
    url = reverse("patient-chart", args=[full_patient.pk])
    give, contact = "/give/", "/contact/new/"

    reader = signed_in(user_with(Role.READER)).get(url).content.decode()
    coordinator = signed_in(user_with(Role.COORDINATOR)).get(url).content.decode()

    assert give not in reader
    assert contact not in reader
    assert "/study/new/" in reader
    assert give in coordinator
    assert contact in coordinator
    assert "/study/new/" not in coordinator


def test_a_chart_says_why_each_outcome_is_what_it_is(full_patient, physician):
    content = signed_in(physician).get(reverse("patient-chart", args=[full_patient.pk])).content.decode()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content))

    assert "censored at 2019-04-01: last adequate assessment" in text
    assert "censored at 2020-01-15: last known alive" in text
    assert "not evaluable: the course is still going on." in text
    assert "8 weeks after cycle 2, given 2019-03-04; window ± 7 d" in text


def test_a_chart_shows_performance_status_and_prior_therapies(full_patient, physician):
    for on, ecog in ((date(2018, 12, 20), 0), (date(2019, 2, 25), 2)):
        PerformanceStatusFactory(patient=full_patient, assessed_on=on, ecog=ecog)
    PerformanceStatusFactory(
        patient=full_patient,
        assessed_on=date(2019, 3, 1),
        ecog=4,
        voided_at="2020-01-01T00:00Z",
        void_reason="x",
    )
    PriorTherapyFactory(patient=full_patient, note="120 mg")
    surgery_on = date(2015, 6, 2)
    PriorTherapyFactory(
        patient=full_patient, kind="surgery", agent="", started_on=surgery_on, ended_on=surgery_on
    )

    content = signed_in(physician).get(reverse("patient-chart", args=[full_patient.pk])).content.decode()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content))

    newest, oldest = (
        text.index("2019-02-25 ECOG 2: looks after self"),
        text.index("2018-12-20 ECOG 0: fully active"),
    )
    assert newest < oldest
    assert "ECOG 4" not in text
    assert "Surgery: 2015-06-02" in text
    assert "Somatostatin analogue, lanreotide: from 2017-03-01 . 120 mg" in text


def test_the_form_of_prior_therapies_says_where_earlier_prrt_belongs(full_patient, physician):
    content = signed_in(physician).get(reverse("record-new", args=[full_patient.pk, "prior-therapy"]))

    assert "Earlier PRRT is not entered here" in content.content.decode()


def test_a_chart_waits_for_its_outcome_and_then_shows_it(full_patient, physician):
    client = signed_in(physician)
    outcome = reverse("patient-outcome", args=[full_patient.pk])
    assert client.get(outcome, headers={"HX-Request": "true"}).status_code == 200

    ContactFactory(patient=full_patient, known_alive_on=date(2020, 1, 20))

    chart = client.get(reverse("patient-chart", args=[full_patient.pk])).content.decode()
    assert 'data-pending="yes"' in chart
    assert f'hx-get="{outcome}"' in chart
    assert client.get(outcome, headers={"HX-Request": "true"}).status_code == 204
    freshness.refresh_inline()
    fresh = client.get(outcome, headers={"HX-Request": "true"}).content.decode()
    assert 'data-pending="no"' in fresh
    assert "2020-01-20" in fresh


def test_history_tells_who_changed_what_from_what_to_what_and_why(full_patient, data_manager):
    client = signed_in(data_manager)
    contact = full_patient.contacts.get()
    client.post(
        reverse("record-correct", args=[full_patient.pk, "contact", contact.pk]),
        {
            "known_alive_on": "2020-01-16",
            "source": "visit",
            "note": "",
            "reason": "Typed wrong",
            "version": 1,
        },
    )

    content = client.get(reverse("patient-history", args=[full_patient.pk])).content.decode()

    assert "<del>2020-01-15</del>" in content
    assert "<ins>2020-01-16</ins>" in content
    assert "Reason: Typed wrong" in content
    assert "data_manager" in content
    assert "Page of the registry" in content
    assert "Administration of cycle 2" in content


def test_history_says_times_on_the_centres_clock_and_names_it(full_patient, physician):
    content = signed_in(physician).get(reverse("patient-history", args=[full_patient.pk])).content.decode()

    assert "clock (Europe/Berlin)" in content
    assert "Administered at: 2019-01-07 10:30:00 (Europe/Berlin)" in content
    assert "(UTC)" not in content


def test_a_longer_history_takes_no_more_queries(full_patient, data_manager):
    client = signed_in(data_manager)
    url = reverse("patient-history", args=[full_patient.pk])

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        return len(queries)

    cost()
    short = cost()
    for day in range(1, 6):
        contact = ContactFactory(patient=full_patient, known_alive_on=date(2020, 2, day))
        correct_record(contact, {"note": "By telephone"}, by=data_manager, reason="More is known")

    assert cost() == short


# The list


def test_a_search_is_sent_by_post_and_finds_by_number_name_and_mrn(full_patient, physician):
    PatientFactory(centre=full_patient.centre, registry_number="STA-7777")
    client = signed_in(physician)
    url = reverse("patient-list")

    for words in (full_patient.registry_number, "orsted", "M-4711", "åse ØRSTED"):
        response = client.post(url, {"search": words}, follow=True)
        assert [row.patient for row in response.context["page"].rows] == [full_patient], words
    # An address with a name in it is not understood, so none is ever made or logged.
    assert len(client.get(url, {"search": "orsted", "q": "orsted"}).context["page"].rows) == 2
    page = client.get(url).content.decode()
    assert re.search(r'<form method="post"[^>]*role="search"', page)


def test_a_search_waits_in_the_session_and_its_address_can_be_gone_back_to(centre, physician):
    for n in range(1, 4):
        patient = PatientFactory(centre=centre, registry_number=f"STA-{n:04d}")
        PatientIdentityFactory(patient=patient, family_name="Ørsted" if n < 3 else "Else")
    DeathFactory(patient=Patient.objects.get(registry_number="STA-0002"))
    client = signed_in(physician)
    url = reverse("patient-list")

    sent = client.post(url, {"search": "orsted"})

    assert sent["Location"] == f"{url}?found=1"
    for _ in range(2):  # once led there, and once back from a chart
        found = client.get(sent["Location"])
        assert [row.patient.registry_number for row in found.context["page"].rows] == ["STA-0001", "STA-0002"]
    content = found.content.decode()
    assert "2 patients found by “orsted”" in content
    assert 'value="orsted"' in content
    died = client.get(f"{url}?found=1&status=died")
    assert "1 patient found by “orsted” in the state “died”" in died.content.decode()
    assert f'href="{url}?found=1&amp;status=died"' in content
    past = client.get(f"{url}?found=1&after=STA-0001").context["page"].rows
    assert [row.patient.registry_number for row in past] == ["STA-0002"]
    # A new list forgets the words, and their address then leads to it.
    assert len(client.get(url).context["page"].rows) == 3
    assert client.get(f"{url}?found=1")["Location"] == url


def test_what_the_list_cannot_understand_is_told_and_never_a_failure(full_patient, physician):
    client = signed_in(physician)
    url = reverse("patient-list")

    assert client.get(url, {"status": "nonsense"}).status_code == 404
    assert client.get(reverse("home"), {"due": "nonsense"}).status_code == 404
    for name in ("after", "before"):
        assert client.get(url, {name: "STA-0000\0"}).status_code == 200
    found = client.post(url, {"search": f"{full_patient.registry_number}\0"}, follow=True)
    assert len(found.context["page"].rows) == 1
    past = client.get(url, {"after": "ZZZ"}).content.decode()
    assert "There are no patients yet" not in past
    assert "No patient stands past this point of the list" in past


def test_the_list_shows_the_age_at_which_the_dead_died(centre, physician):
    dead = PatientFactory(centre=centre, birth_date=date(1957, 3, 2))
    DeathFactory(patient=dead, died_on=date(2019, 3, 1))
    alive = PatientFactory(centre=centre, birth_date=date(1957, 3, 2))

    rows = {row.patient: row for row in roster.roster(physician, now=datetime(2026, 5, 1, tzinfo=UTC)).rows}

    assert (rows[dead].age, rows[dead].is_dead) == (61, True)
    assert (rows[alive].age, rows[alive].is_dead) == (69, False)
    assert (
        '61 <span class="quiet">at death</span>'
        in signed_in(physician).get(reverse("patient-list")).content.decode()
    )


def test_only_the_first_open_cycle_is_offered_and_none_after_a_death(centre, data_manager):
    course = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    url = reverse("patient-chart", args=[course.patient.pk])
    client = signed_in(data_manager)
    third, fourth = course.cycles.filter(number__gt=2).order_by("number")

    def offered(cycle: Cycle) -> bool:
        give = reverse("cycle-administer", args=[course.patient.pk, cycle.pk])
        return give in client.get(url).content.decode()

    assert offered(third)
    assert not offered(fourth)

    DeathFactory(patient=course.patient, died_on=date(2019, 12, 1))
    content = client.get(url).content.decode()

    assert content.count("Not given: died on 2019-12-01") == 2
    assert not offered(third)
    for word in ("Overdue", "overdue", "Change plan", "Discontinue this course"):
        assert word not in content, word


def test_cycles_that_a_discontinuation_ended_say_so(centre, physician):
    course = CourseFactory(patient=PatientFactory(centre=centre), given=3)
    course.cycles.filter(number=4).update(status=CycleStatus.CANCELLED)
    stopped = DiscontinuationFactory(course=course, after_cycle=3)

    content = signed_in(physician).get(reverse("patient-chart", args=[course.patient.pk])).content.decode()

    assert f"Not given: discontinued on {stopped.discontinued_on}" in content


def test_a_deviation_below_the_prescription_has_a_minus_sign(centre, physician):
    course = CourseFactory(patient=PatientFactory(centre=centre), given=1)
    given = course.cycles.get(number=1).administrations.get()
    changes = {"administered_activity_mbq": 7000, "prescribed_activity_mbq": 7400}
    correct_record(given, changes, by=None, reason="Test")

    content = signed_in(physician).get(reverse("patient-chart", args=[course.patient.pk])).content.decode()

    assert "\N{MINUS SIGN}5.4" in content


def test_each_act_on_a_study_and_on_its_reading_says_what_it_is_about(full_patient, data_manager):
    content = signed_in(data_manager).get(reverse("patient-chart", args=[full_patient.pk])).content.decode()

    for words in ("Correct reading", "Void reading", "Correct study", "Void study"):
        assert f">{words}</a>" in content, words


def test_who_is_refused_reads_what_the_act_is_in_words(full_patient, user_with):
    refused = signed_in(user_with(Role.RESEARCHER)).get(reverse("patient-list")).content.decode()

    assert "you may not see patients&#x27; records" in refused
    assert "view records" not in refused


def test_signing_up_asks_to_sign_in(db):
    response = Client().get("/account/signup/")

    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_login"))


def test_a_wrong_password_is_said_to_be_no_sign_in_and_in_the_title(db):
    response = Client().post(reverse("account_login"), {"login": "nobody", "password": "wrong"})
    content = response.content.decode()

    assert "<title>Error: Sign in" in content
    assert "<h2>You are not signed in</h2>" in content
    assert "Not stored" not in content
    assert "Remember me" in content
    assert content.lower().count("forgot your password") == 1


def test_who_may_not_see_identity_finds_nobody_by_name(full_patient, user_with):
    client = signed_in(user_with(Role.INTEGRATION))

    assert client.post(reverse("patient-list"), {"search": "orsted"}, follow=True).context["page"].rows == []
    found = client.post(reverse("patient-list"), {"search": full_patient.registry_number}, follow=True)
    assert len(found.context["page"].rows) == 1


def test_pages_of_the_list_meet_without_gap_or_overlap(centre, physician):
    for n in range(1, 8):
        PatientFactory(centre=centre, registry_number=f"STA-{n:04d}")
    seen: list[str] = []
    after = ""
    while True:
        page = roster.roster(physician, now=NOW, after=after, limit=3)
        seen += [row.patient.registry_number for row in page.rows]
        after = page.after
        if not after:
            break

    assert seen == [f"STA-{n:04d}" for n in range(1, 8)]
    back = roster.roster(physician, now=NOW, before="STA-0004", limit=2)
    assert [row.patient.registry_number for row in back.rows] == ["STA-0002", "STA-0003"]
    assert back.before == "STA-0002"
    assert back.after == "STA-0003"


def test_each_state_is_counted_and_filtered_alike(centre, physician):
    CourseFactory(patient=PatientFactory(centre=centre), given=4)
    CourseFactory(patient=PatientFactory(centre=centre), given=2)
    DiscontinuationFactory(course=CourseFactory(patient=PatientFactory(centre=centre), given=2))
    CourseFactory(patient=PatientFactory(centre=centre))
    PatientFactory(centre=centre)
    DeathFactory(patient=CourseFactory(patient=PatientFactory(centre=centre), given=4).patient)
    DeathFactory(patient=PatientFactory(centre=centre))
    CourseFactory(
        patient=PatientFactory(centre=CentreFactory(code="NRD"), registry_number="NRD-0001"), given=4
    )
    freshness.refresh_inline()
    CourseFactory(patient=PatientFactory(centre=centre), given=1)

    counts = roster.counts(physician)

    assert counts == {
        "all": 8,
        "ongoing": 1,
        "completed": 1,
        "discontinued": 1,
        "died": 2,
        "not_started": 2,
        "pending": 1,
    }
    for state in roster.STATES:
        page = roster.roster(physician, roster.ListQuery(state=state), now=NOW)
        assert len(page.rows) == counts[state], state
        assert {row.state for row in page.rows} == {state}


@pytest.mark.parametrize("name", ["home", "patient-list"])
def test_lists_need_the_same_number_of_queries_for_more_patients(
    name, centre, physician, django_assert_max_num_queries
):
    def add(n: int) -> None:
        for number in range(n, n + 6):
            patient = PatientFactory(centre=centre, registry_number=f"STA-{number:04d}")
            PatientIdentityFactory(patient=patient)
            CourseFactory(patient=patient, given=2)
            StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))
        freshness.refresh_inline()

    client = signed_in(physician)
    add(1)
    with django_assert_max_num_queries(60) as first:
        client.get(reverse(name))
    add(10)
    with django_assert_max_num_queries(len(first)):
        client.get(reverse(name))


# What is due


def plain(words: str) -> str:
    return words.replace("\N{NO-BREAK SPACE}", " ")


def due(user, now: datetime = NOW) -> dict[str, list[str]]:
    found = worklist.worklist(user, now)
    return {part.kind.key: [row.what for row in part.rows] for part in found.parts}


# Two cycles were given on 2019-01-07 and 2019-03-04, so the third is planned for 2019-04-29, a week each way.
@pytest.mark.parametrize(
    ("today", "kind"),
    [
        (date(2019, 3, 31), None),
        (date(2019, 4, 1), "upcoming"),
        (date(2019, 4, 21), "upcoming"),
        (date(2019, 4, 22), "in_window"),
        (date(2019, 5, 6), "in_window"),
        (date(2019, 5, 7), "overdue"),
    ],
)
def test_the_next_cycle_is_due_by_its_window_on_both_sides_of_each_boundary(centre, physician, today, kind):
    patient = PatientFactory(centre=centre)
    StudyFactory(patient=patient)
    StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 3, 5))
    CourseFactory(patient=patient, given=2)
    ReadingFactory(study=patient.studies.get(timepoint="interim"))

    found = due(physician, datetime(today.year, today.month, today.day, 12, tzinfo=UTC))

    found.pop("labs", None)  # nothing was measured; proved by itself below
    assert found == ({kind: [f"Cycle 3 of 4, {worklist.KINDS[kind].state}"]} if kind else {})


def test_today_is_the_date_of_the_centre(user_with, centre, other_centre):
    """At 2019-05-07 01:00 UTC it is still the 6th, the window's last day, in New York."""
    CourseFactory(patient=PatientFactory(centre=centre), given=2)
    CourseFactory(patient=PatientFactory(centre=other_centre, registry_number="NRD-0001"), given=2)
    moment = datetime(2019, 5, 7, 1, tzinfo=UTC)

    assert "overdue" in due(user_with(Role.PHYSICIAN), moment)
    assert "in_window" in due(user_with(Role.PHYSICIAN, other_centre), moment)


def test_the_dead_and_the_discontinued_are_not_due(centre, physician):
    DeathFactory(patient=CourseFactory(patient=PatientFactory(centre=centre), given=2).patient)
    stopped = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    stopped.cycles.exclude(status=CycleStatus.GIVEN).update(status=CycleStatus.CANCELLED)
    DiscontinuationFactory(course=stopped)

    assert due(physician) == {}


def test_pet_ct_is_due_after_the_cycles_the_protocol_names_until_one_is_made(centre, physician):
    one = CourseFactory(patient=PatientFactory(centre=centre), given=1)
    two = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    for course in (one, two):
        StudyFactory(patient=course.patient)

    found = worklist.worklist(physician, NOW)
    rows = next(part.rows for part in found.parts if part.kind.key == "imaging")

    assert [(row.patient, row.what) for row in rows] == [(two.patient, "PET/CT due after cycle 2")]
    assert "Cycle 2 given 2019-03-04; due within 8 weeks, by 2019-04-29, 2 days ago" in plain(rows[0].why)
    study = StudyFactory(patient=two.patient, timepoint="interim", performed_on=date(2019, 3, 4))
    found_now = due(physician)
    assert "imaging" not in found_now
    assert found_now["reading"] == ["Interim PET/CT, to be read"]
    ReadingFactory(study=study)
    assert "reading" not in due(physician)


def test_a_missing_baseline_and_a_hold_are_due_with_their_reasons(centre, physician):
    course = CourseFactory(patient=PatientFactory(centre=centre), given=1)
    Cycle.objects.filter(course=course, number=2).update(status=CycleStatus.HELD, note="Platelets 60 ×10⁹/L")

    found = worklist.worklist(physician, NOW)
    why = {part.kind.key: part.rows[0].why for part in found.parts}

    assert set(why) == {"held", "baseline"}
    assert why["held"].startswith("On hold: Platelets 60 ×10⁹/L.")
    assert "without it the response cannot be evaluated" in why["baseline"]


def test_old_records_are_said_to_be_old_and_not_every_patient_to_be_late(centre, physician):
    CourseFactory(patient=PatientFactory(centre=centre), given=2)

    assert worklist.worklist(physician, NOW + timedelta(days=30)).records_end_on is None
    assert worklist.worklist(physician, NOW + timedelta(days=400)).records_end_on == date(2019, 4, 29)
    assert "the records that are behind" in signed_in(physician).get(reverse("home")).content.decode()


def test_the_longest_overdue_come_first_and_the_newest_where_asked(centre, physician):
    old = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    new = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    Cycle.objects.filter(course=new, number=3).update(planned_on=date(2019, 6, 3))
    client = signed_in(physician)

    def shown(**asked: str) -> list[Patient]:
        parts = client.get(reverse("home"), {"due": "overdue", **asked}).context["due"].parts
        return [row.patient for row in next(part for part in parts if part.kind.key == "overdue").rows]

    assert shown() == [old.patient, new.patient]
    assert shown(order="other") == [new.patient, old.patient]
    assert "Longest overdue first" in client.get(reverse("home")).content.decode()


def test_a_note_that_brings_its_full_stop_gets_no_second_one(centre, physician):
    course = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    Cycle.objects.filter(course=course, number=3).update(status=CycleStatus.HELD, note="PET/CT awaited.")

    content = signed_in(physician).get(reverse("patient-chart", args=[course.patient.pk])).content.decode()

    assert "PET/CT awaited. 8" in content
    assert ".." not in re.sub(r"<[^>]+>", "", content)
    assert "Cycle 3 of 4, on hold" in content


def test_one_kind_is_shown_in_pages_that_meet(centre, physician):
    for n in range(1, 6):
        CourseFactory(patient=PatientFactory(centre=centre, registry_number=f"STA-{n:04d}"), given=2)
    seen, after = [], ""
    while True:
        found = worklist.worklist(physician, timezone.now(), kind="overdue", after=after, limit=2)
        part = next(part for part in found.parts if part.kind.key == "overdue")
        seen += [row.patient.registry_number for row in part.rows]
        after = part.next_key
        if not after:
            break

    assert sorted(seen) == [f"STA-{n:04d}" for n in range(1, 6)]
    assert (
        signed_in(physician).get(reverse("home"), {"due": "overdue", "after": "nonsense"}).status_code == 200
    )


def test_no_page_shows_the_words_of_its_template(full_patient, data_manager):
    client = signed_in(data_manager)

    for url in pages_of(full_patient):
        content = client.get(url).content.decode()
        for leaked in ("{#", "#}", "{%", "{{"):
            assert leaked not in content, (url, leaked)
