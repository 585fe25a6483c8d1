"""The report of a cohort: what it says, to whom, and the PDF that is made of it."""

import base64
import re
from dataclasses import replace
from datetime import datetime

import orjson
import pytest
from django.urls import reverse

from accounts.models import Membership, Role, User
from analytics import freshness, jobs
from analytics.models import Cohort, Job, JobState
from analytics.report import abbreviations, content, pdf
from analytics.report.document import Items, Note, Report, Section, Table
from tests.factories import (
    AdverseEventFactory,
    CourseFactory,
    DeathFactory,
    DiscontinuationFactory,
    PatientFactory,
    PatientIdentityFactory,
    ReadingFactory,
    StudyFactory,
)

# Words in capitals that are names and stand for nothing: centres, studies, software.
NAMES = {
    *("STA", "NRD", "NETTER", "COMPETE", "ADAM", "ESMO", "MCBS", "DOTATATE", "DOTA", "TATE", "LAR", "DOI"),
    *("NMR", "CDR", "AACR", "GEP", "CA"),
}


@pytest.fixture
def cohort(db) -> Cohort:
    return Cohort.objects.select_related("definition").get(slug="all")


@pytest.fixture
def treated(centre, other_centre):
    """Six courses at one centre, of which one was stopped and one died; one course at another; one not begun."""
    for n in range(5):
        patient = PatientFactory(centre=centre, registry_number=f"STA-000{n + 1}")
        course = CourseFactory(patient=patient, given=4)
        StudyFactory(patient=patient)
        study = StudyFactory(patient=patient, timepoint="interim", performed_on="2019-04-01")
        ReadingFactory(study=study, overall_response=("PR", "SD", "SD", "PD", "SD")[n])
        AdverseEventFactory(patient=patient)
    PatientIdentityFactory(patient=patient, family_name="Canaryname", mrn="CANARY77")
    DeathFactory(patient=course.patient)
    stopped = CourseFactory(patient=PatientFactory(centre=centre, registry_number="STA-0006"), given=2)
    DiscontinuationFactory(course=stopped)
    CourseFactory(patient=PatientFactory(centre=other_centre, registry_number="NRD-0001"), given=4)
    CourseFactory(patient=PatientFactory(centre=centre, registry_number="STA-0007"), given=0)
    freshness.refresh_inline()


def section(report: Report, key: str) -> Section:
    return next(one for one in report.sections if one.key == key)


def texts(report: Report) -> list[str]:
    return [report.title, *(value for _, value in report.facts), *content.texts_of(report.sections)]


def whole(report: Report) -> str:
    """Return everything that a report is made of, its figures as well."""
    return orjson.dumps(pdf.content(report)).decode() + orjson.dumps(report.specs).decode()


def table(part: Section) -> Table:
    return next(block for block in part.blocks if isinstance(block, Table))


def signed_in(client, user: User):
    client.force_login(user)
    return client


# Content


def test_a_report_has_every_part_and_says_where_it_comes_from(treated, cohort, physician):
    report = content.report(cohort, physician)

    assert [one.key for one in report.sections if one.key not in {"strata", "competing"}] == [
        *("methods", "flow", "table1", "pfs", "os", "times", "response", "courses"),
        *("exposure", "toxicity", "benchmarks", "abbreviations"),
    ]
    facts = dict(report.facts)
    assert facts["Patients"] == "6"
    assert facts["Centres"] == "STA"
    assert facts["Whom it counts"].startswith("Each patient's first course is counted.")
    assert facts["Result"].startswith("revision 1, computed 2")
    assert report.banner == "Synthetic patients: demonstration data"
    assert set(report.specs) == {"pfs", "os", "best-response", "waterfall", "swimmer"}
    assert (report.centres, report.record_centres) == (["STA"], ["STA"])


def test_methods_print_the_definition_and_the_statistics(treated, cohort, physician):
    items = next(one for one in section(content.report(cohort, physician), "methods").blocks)
    assert isinstance(items, Items)
    for sentence in cohort.definition.rules.in_words():
        assert sentence in items.items
    said = " ".join(items.items)
    for words in ("log(-log)", "reverse Kaplan-Meier", "Clopper-Pearson", "Fixed horizon", "CTCAE"):
        assert words in said


def test_the_flow_adds_up(treated, cohort, physician):
    flow = section(content.report(cohort, physician), "flow").blocks[0]
    assert [[(box.title, box.count) for box in level.boxes] for level in flow.levels[:2]] == [
        [("Courses registered", "7")],
        [("Treated: at least one cycle given", "6")],
    ]
    assert [(box.title, box.count) for box in flow.levels[0].aside] == [
        ("No cycle given by the cut-off", "1")
    ]
    ends = {box.title: box for box in flow.levels[2].boxes}
    assert ends["Completed"].count == "5 of 6 (83.3 %)"
    assert ends["Discontinued"].count == "1 of 6 (16.7 %)"
    assert ends["Discontinued"].lines == ["after cycle 2: 1"]
    assert ends["Ongoing"].count == "0 of 6 (0.0 %)"
    evaluable, other = flow.levels[3].boxes[0].count, flow.levels[3].aside[0].count
    assert int(evaluable) + int(other) == 6
    reasons = table(section(content.report(cohort, physician), "flow"))
    assert reasons.caption == "Main reason of discontinuation, by the last cycle given"
    assert [row.cells for row in reasons.rows] == [["Co-morbidity", "1", "1"], ["All", "1", "1"]]


def test_strata_are_told_with_their_comparison(treated, cohort, physician):
    cohort.strata_by = "sex"
    cohort.save()
    freshness.refresh_inline()
    said = " ".join(content.texts_of([section(content.report(cohort, physician), "strata")]))
    assert "log-rank test" in said


def test_what_is_not_computed_is_said_to_be(db):
    for part in (
        content._table_1(None),
        content._exposure(None),
        content._exposure([]),
        content._toxicity(None),
    ):
        assert [block.text for block in part.blocks] == [content.NOT_COMPUTED]


def test_every_abbreviation_is_explained_at_the_end(treated, cohort, physician):
    report = content.report(cohort, physician)
    listed = {row.cells[0] for row in table(section(report, "abbreviations")).rows}
    told = [
        text
        for one in report.sections
        if one.key not in {"abbreviations", "benchmarks"}
        for text in content.texts_of([one])
    ]
    found = set(re.findall(r"(?<![\w-])[A-Z]{2,}(?![\w-])", "\n".join(told))) - NAMES
    assert found - listed == set()
    assert listed <= set(abbreviations.MEANINGS)
    assert "HR" not in listed  # nothing is compared


# Who sees what


def test_who_sees_results_alone_is_shown_no_single_course_and_no_small_number(
    treated, cohort, physician, user_with
):
    researcher = user_with(Role.RESEARCHER)
    report = content.report(cohort, researcher)

    assert set(report.specs) == {"pfs", "os", "best-response"}
    assert report.record_centres == []
    assert "STA-000" not in whole(report)
    assert "show patients one by one" in section(report, "courses").blocks[0].text
    assert "Small numbers" in dict(report.facts)
    cells = [cell for row in table(section(report, "toxicity")).rows for cell in row.cells[1:]]
    assert not {"1", "2", "3", "4"} & {cell.split(" ")[0] for cell in cells}
    flow = section(report, "flow").blocks[0]
    # One course is not begun: neither it nor a sum that gives it away is told.
    assert [box.title for box in flow.levels[0].boxes] == ["Treated: at least one cycle given"]
    assert flow.levels[0].aside[0].count == "<5"
    # The same cohort has both for a reader of records.
    assert "STA-0001" in whole(content.report(cohort, physician))
    assert "Small numbers" not in dict(content.report(cohort, physician).facts)


def test_courses_of_a_centre_whose_records_are_closed_are_counted_and_not_shown(
    treated, cohort, physician, other_centre
):
    Membership.objects.create(user=physician, centre=other_centre, role=Role.RESEARCHER)
    report = content.report(cohort, User.objects.get(pk=physician.pk))

    assert dict(report.facts)["Patients"] == "7"
    assert (report.centres, report.record_centres) == (["NRD", "STA"], ["STA"])
    assert "STA-0001" in whole(report)
    assert "NRD-0001" not in whole(report)
    assert "Small numbers" in dict(report.facts)
    notes = [block.text for block in section(report, "courses").blocks if isinstance(block, Note)]
    assert notes == ["Of the centres whose records the reader may see: STA."]


def test_identity_is_in_no_report(treated, cohort, data_manager):
    said = whole(content.report(cohort, data_manager))
    assert "STA-0005" in said
    assert "Canaryname" not in said
    assert "CANARY77" not in said


# PDF


def test_the_pdf_is_dated_when_the_results_were_computed_and_comes_out_the_same_again(
    treated, cohort, physician
):
    report = content.report(cohort, physician)
    drawn: list[tuple[str, int]] = []
    first = pdf.make(report, drawing=lambda key, n: drawn.append((key, n)))

    assert first.startswith(b"%PDF-")
    assert drawn == [(key, n) for n, key in enumerate(report.specs)]
    made_at = datetime.fromisoformat(report.made_at)
    assert f"(D:{made_at:%Y%m%d%H%M%S}".encode() in first
    assert pdf.make(report) == first


def test_text_is_typeset_as_text_whatever_it_holds(treated, cohort, physician):
    """A name that is code to typst would end the typesetting (``panic``) were it evaluated."""
    report = content.report(cohort, physician)
    nasty = '#panic("x") *b* $x$ @y <z> \\ `r` </style> "quoted"'
    made = pdf.make(
        replace(
            report, title=nasty, description=nasty, specs={}, sections=[Section("a", nasty, [Items([nasty])])]
        )
    )
    assert made.startswith(b"%PDF-")


def test_letters_of_the_reports_own_words_are_all_in_the_fonts(treated, cohort, physician):
    """A letter that no font has is drawn as an empty box; typst's own fonts hold those of the languages it is written in."""
    report = content.report(cohort, physician)
    letters = set("".join(texts(report))) - set(map(chr, range(32, 127)))
    known = set("–—±≥≤×·“”’éäöüßæøåñçèáíóúřšž⁹¹²³⁷")
    assert letters <= known


# Page and job


def test_the_page_holds_the_whole_report_without_styles_or_scripts_of_its_own(
    treated, cohort, physician, client
):
    answer = signed_in(client, physician).get(reverse("cohort-report", args=["all"]))
    page = answer.content.decode()

    assert answer.status_code == 200
    report = content.report(cohort, physician)
    for one in report.sections:
        assert f'id="{one.key}"' in page
    images = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert len(images) == len(report.specs)
    assert all(base64.b64decode(image).startswith(b"<svg") for image in images)
    body = page[page.index("<main") : page.index("</main>")]
    assert 'style="' not in body
    assert "<script" not in body
    assert reverse("report-start", args=["all"]) in body


def test_a_pdf_is_asked_for_watched_and_fetched(treated, cohort, physician, client):
    signed_in(client, physician)
    started = client.post(reverse("report-start", args=["all"]))
    job = Job.objects.get()
    place = reverse("job-detail", args=[job.pk])
    assert started.status_code == 302
    assert started["Location"] == place

    waiting = client.get(place).content.decode()
    assert "Waiting for a worker" in waiting
    assert '<noscript><meta http-equiv="refresh"' in waiting
    assert f'hx-get="{place}"' in waiting
    fragment = client.get(place, headers={"HX-Request": "true"}).content.decode()
    assert fragment.count("<section") == 1
    assert "<html" not in fragment

    assert jobs.run_next()
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.problem
    assert (job.done, job.total) == (7, 7)
    assert job.file_name == "all-report-r1.pdf"
    done = client.get(place).content.decode()
    assert "http-equiv" not in done
    assert "hx-get" not in done[done.index('id="job"') :]
    answer = client.get(reverse("job-content", args=[job.pk]))
    assert answer.content.startswith(b"%PDF-")
    assert job.file_name in client.get(reverse("cohort-report", args=["all"])).content.decode()


def test_a_report_with_records_is_not_fetched_by_who_may_no_longer_see_them(
    treated, cohort, physician, client
):
    signed_in(client, physician).post(reverse("report-start", args=["all"]))
    jobs.run_next()
    place = reverse("job-content", args=[Job.objects.get().pk])
    assert client.get(place).status_code == 200

    Membership.objects.filter(user=physician).update(role=Role.RESEARCHER)
    assert client.get(place).status_code == 404


def test_a_cohort_that_was_hidden_meanwhile_is_not_reported(treated, cohort, physician, client):
    signed_in(client, physician).post(reverse("report-start", args=["all"]))
    Cohort.objects.filter(pk=cohort.pk).update(is_shared=False)
    jobs.run_next()
    job = Job.objects.get()
    assert (job.state, job.problem) == (JobState.FAILED, "You may not see this cohort any more.")


def test_a_job_is_cancelled_from_its_page(treated, physician, client):
    signed_in(client, physician).post(reverse("report-start", args=["all"]))
    job = Job.objects.get()
    client.post(reverse("job-cancel", args=[job.pk]))
    page = client.get(reverse("job-detail", args=[job.pk])).content.decode()
    assert "Cancelled" in page
    assert not jobs.run_next()
