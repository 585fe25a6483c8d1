"""Letters: the text a centre writes, the facts put into it, the page and the PDF, and who gets them."""

import re
import shutil
import subprocess
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.errors import StaleRecord
from accounts.models import Membership, Role, User
from analytics import freshness
from analytics.report.document import Items, Table, Text
from clinic.letters import pdf, text
from clinic.letters.placeholders import MISSING, PLACEHOLDERS, Kind, of_kind, sample
from clinic.letters.shipped import SHIPPED, Wording
from clinic.letters.text import Heading, blocks_of, fill, problems
from clinic.models import LetterTemplate
from clinic.services.letters import save_letter_template
from patients.models import Patient
from tests.clinic.test_pages import INLINE, signed_in
from tests.conftest import needs
from tests.factories import (
    AbsorbedDoseFactory,
    AdverseEventFactory,
    CourseFactory,
    DiagnosisFactory,
    LabResultFactory,
    PatientFactory,
    PatientIdentityFactory,
    PriorPrrtFactory,
    ReadingFactory,
    StudyFactory,
)

PDFTOTEXT = shutil.which("pdftotext")


@pytest.fixture
def patient(centre) -> Patient:
    """Two of four cycles given, values before each, a response after the second, 7 GBq before."""
    patient = PatientFactory(centre=centre, registry_number="STA-0001")
    PatientIdentityFactory(patient=patient, mrn="M-4711", family_name="Ørsted", given_names="Åse")
    DiagnosisFactory(patient=patient, ki67_percent=Decimal("5"), who_grade="g2")
    course = CourseFactory(patient=patient, given=2)
    LabResultFactory(patient=patient)  # 2019-01-04: 210
    LabResultFactory(patient=patient, taken_at=datetime(2019, 3, 1, 7, tzinfo=UTC), value=Decimal("74"))
    AdverseEventFactory(patient=patient)
    AdverseEventFactory(patient=patient, term="Fatigue", onset_on=date(2019, 3, 5))
    StudyFactory(patient=patient)
    study = StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))
    ReadingFactory(study=study, overall_response="PR")
    AbsorbedDoseFactory(cycle=course.cycles.get(number=2))
    PriorPrrtFactory(patient=patient)
    freshness.refresh_inline()
    return patient


def cycle_url(patient: Patient, number: int, name: str = "cycle-letter") -> str:
    cycle = patient.courses.get().cycles.get(number=number)
    return reverse(name, args=[patient.pk, cycle.pk])


def summary_url(patient: Patient, name: str = "therapy-summary") -> str:
    return reverse(name, args=[patient.pk, patient.courses.get().pk])


def edit_url(centre, kind: Kind) -> str:
    return reverse("letter-edit", kwargs={"centre_id": centre.pk, "kind": kind})


def printed(made: bytes) -> str:
    """Return the text of a PDF as a reader finds it, spaces and line ends as one space."""
    needs(PDFTOTEXT, "pdftotext")
    found = subprocess.run([PDFTOTEXT, "-layout", "-", "-"], input=made, capture_output=True, check=True)
    return re.sub(r"\s+", " ", found.stdout.decode())


def page(answer) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def store(
    centre, by: User, body: str, *, title: str = "Letter", kind: Kind = Kind.CYCLE_LETTER, seen: int = 0
):
    return save_letter_template(centre=centre, kind=kind, title=title, body=body, seen_version=seen, by=by)


# Text and placeholders


@pytest.mark.parametrize("kind", list(Kind))
def test_the_shipped_texts_can_be_stored_and_use_what_there_is(kind):
    shipped = SHIPPED[kind]

    assert problems(kind, title=shipped.title, body=shipped.body) == {}
    assert "{" not in fill(shipped.body, dict.fromkeys(PLACEHOLDERS, "x"))
    assert MISSING not in str(blocks_of(shipped.body, sample(kind)))


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (Kind.CYCLE_LETTER, "Dear {doctor}, {patient_nmae}", "Unknown: {doctor}, {patient_nmae}."),
        (Kind.THERAPY_SUMMARY, "Cycle {cycle_number}", "{cycle_number}: not in a therapy summary."),
        (Kind.CYCLE_LETTER, "{studies_table}", "{studies_table}: not in a cycle letter."),
        (Kind.CYCLE_LETTER, "Values: {labs_table}", "{labs_table}: a table stands on a line of its own"),
        (Kind.CYCLE_LETTER, "Values\n{labs_table}", "{labs_table}: a table stands on a line of its own"),
        (Kind.CYCLE_LETTER, "Dear {patient_name", "A brace stands without its other half"),
        (Kind.CYCLE_LETTER, "Dear patient_name}", "A brace stands without its other half"),
        (Kind.CYCLE_LETTER, "Dear {}", "Unknown: {}."),
    ],
)
def test_what_cannot_be_filled_in_is_refused_by_name(kind, body, said):
    (found,) = problems(kind, title="Letter", body=body)["body"]
    assert found.startswith(said)


def test_a_table_cannot_stand_in_a_title():
    assert (
        "a table cannot stand in the title"
        in problems(Kind.CYCLE_LETTER, title="{labs_table}", body="x")["title"][0]
    )


def test_a_table_with_empty_lines_around_it_is_accepted():
    assert problems(Kind.CYCLE_LETTER, title="x", body="Values\r\n\r\n {labs_table} \r\n\r\nEnd") == {}


def test_paragraphs_headings_items_and_lines_become_blocks():
    blocks = blocks_of("One\nTwo\n \n# Head {lot}\nText\n- a {lot}\n- b\nAfter", {"lot": "L1"})

    assert blocks == (
        Text("One\nTwo"),
        Heading("Head L1"),
        Text("Text"),
        Items(("a L1", "b")),
        Text("After"),
    )


def test_braces_within_a_fact_are_not_filled_in_again():
    assert fill("{lot}", {"lot": "{mrn}", "mrn": "M-1"}) == "{mrn}"


def test_a_missing_fact_and_an_empty_table_are_said_to_be_missing():
    empty = Table("Adverse events", ("A",), ())

    assert fill("Lot {lot}, {mrn}", {"lot": ""}) == f"Lot {MISSING}, {MISSING}"
    assert blocks_of("{adverse_events_table}", {"adverse_events_table": empty}) == (
        Text(f"Adverse events: {MISSING}."),
    )


# Facts


def test_a_cycle_letter_says_what_was_known_at_its_cycle(patient, physician):
    first = page(signed_in(physician).get(cycle_url(patient, 1)))
    second = page(signed_in(physician).get(cycle_url(patient, 2)))

    for said in (
        "Patient: Åse Ørsted, born 1957-03-02, female",
        "MRN: M-4711",
        "Registry number: STA-0001",
        "cycle 1 of 4 of PRRT with 177Lu-DOTATATE on 2019-01-07",
        "Start of the infusion: 2019-01-07 10:30",  # Europe/Berlin
        "Activity given, net: 7,391.5 MBq, deviation −0.1 %",
        "Lot: not recorded",
        "Activity of this course so far: 7.4 GBq",
        "Activity life-long: 14.4 GBq",
        "Next cycle: 2019-03-04 (cycle 2, given)",
        "210 ×10⁹/L",
    ):
        assert said in first, said
    assert "74 ×10⁹/L" not in first
    assert "Nausea" in first
    assert "Fatigue" not in first
    assert "Fatigue" in second
    for said in (
        "Activity of this course so far: 14.8 GBq",
        "Activity life-long: 21.8 GBq",
        "Next cycle: 2019-04-29 (cycle 3)",
        "74 ×10⁹/L",
    ):
        assert said in second, said
    # What the protocol asks for and nobody measured, and a response that came later.
    assert re.search(r"Creatinine</th> ?<td>not recorded", second)
    assert "Partial response" not in second


def test_a_therapy_summary_says_the_whole_course(patient, physician):
    said = page(signed_in(physician).get(summary_url(patient)))

    for words in (
        "Therapy summary: course 1",
        str(patient.diagnoses.get()),
        "WHO grade: G2",
        "Ki-67: 5.0 %",
        "Metastases: not recorded",
        "Ongoing: 2 of 4 cycles given.",
        "Activity of this course: 14.8 GBq",
        "Best overall response: Partial response; newest: Partial response (RECIST 1.1) in the study of 2019-04-01",
        "Nausea",
        "Kidneys",
    ):
        assert words in said, words


def test_a_patient_without_most_records_has_a_letter_that_says_so(centre, physician):
    bare = PatientFactory(centre=centre, registry_number="STA-0009")
    CourseFactory(patient=bare, given=1)
    freshness.refresh_inline()
    said = page(signed_in(physician).get(summary_url(bare)))

    assert "Patient: not recorded, born" in said
    assert "MRN: not recorded" in said
    assert "Adverse events: not recorded." in said
    assert "Absorbed doses, life-long: not recorded." in said


def test_every_placeholder_has_a_fact(patient, physician):
    for kind, url in (
        (Kind.CYCLE_LETTER, cycle_url(patient, 2)),
        (Kind.THERAPY_SUMMARY, summary_url(patient)),
    ):
        body = "\n\n".join(f"{one.name} is\n\n{one.written}" for one in of_kind(kind))
        Membership.objects.get_or_create(user=physician, centre=patient.centre, role=Role.DATA_MANAGER)
        store(patient.centre, User.objects.get(pk=physician.pk), body, kind=kind)
        said = page(signed_in(physician).get(url))
        missing = set(re.findall(rf"<p>(\w+) is</p>\s*<p>{MISSING}</p>", said))
        assert missing <= {
            # The response came after this cycle.
            *("response", "diagnosed_on", "metastases", "performance_status", "prior_therapies"),
            *("lot", "amino_acids", "antiemetic", "body_weight", "dose_decision"),
        }


# PDF


def test_the_pdf_holds_the_words_of_the_page_and_is_kept_by_no_cache(patient, physician):
    answer = signed_in(physician).get(cycle_url(patient, 2, "cycle-letter-pdf"))

    assert answer["Content-Type"] == "application/pdf"
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Content-Disposition"] == 'inline; filename="STA-0001-cycle-letter-2.pdf"'
    said = printed(answer.content)
    for words in (
        "Åse Ørsted",
        "Letter on cycle 2",
        "7,391.5 MBq",
        "74 ×10⁹/L",
        "14.8 GBq",
        "Lot: not recorded",
        "text shipped with the",
        "1 of 1",
    ):
        assert words in said, words


def test_a_therapy_summary_is_a_pdf_too(patient, physician):
    answer = signed_in(physician).get(summary_url(patient, "therapy-summary-pdf"))

    assert answer["Content-Disposition"] == 'inline; filename="STA-0001-therapy-summary-1.pdf"'
    assert "Best overall response: Partial response" in printed(answer.content)


def test_a_text_is_typeset_as_text_whatever_it_holds():
    """What is code to typst would end the typesetting (``panic``) were it evaluated."""
    nasty = '#panic("x") *b* $x$ @y <z> \\ `r` </style> "quoted"'
    made = text.letter(
        Kind.CYCLE_LETTER,
        Wording(nasty, f"{nasty}\n\n# {nasty}\n\n- {nasty}\n\n{{labs_table}}"),
        {"labs_table": Table(nasty, (nasty,), ())},
        registry_number="STA-0001",
        number=1,
        made_at=datetime(2019, 1, 1, tzinfo=UTC),
        whose="STA",
    )
    assert '#panic("x") *b* $x$ @y <z>' in printed(pdf.make(made))


# Texts of centres


def test_each_centre_has_its_own_text(patient, centre, other_centre, data_manager, physician, user_with):
    theirs = PatientFactory(centre=other_centre, registry_number="NRD-0001")
    CourseFactory(patient=theirs, given=1)
    freshness.refresh_inline()
    store(centre, data_manager, "From Stuttgart: {administered_activity_mbq}", title="Brief {cycle_number}")
    other = user_with(Role.DATA_MANAGER, other_centre)
    store(other_centre, other, "From the north: {administered_activity_mbq}")

    own = page(signed_in(physician).get(cycle_url(patient, 1)))
    foreign = page(signed_in(other).get(cycle_url(theirs, 1)))

    assert "From Stuttgart: 7,391.5 MBq" in own
    assert "Brief 1" in own
    assert "text 1 of STA" in own
    assert "From the north" in foreign
    assert "From Stuttgart" not in foreign
    # The other kind of letter keeps the shipped text.
    assert "Dear colleague" in page(signed_in(physician).get(summary_url(patient)))


def test_a_change_is_a_new_version_that_says_who_and_when(centre, data_manager):
    first = store(centre, data_manager, "One")
    second = store(centre, data_manager, "Two", seen=1)

    assert (first.version, second.version) == (1, 2)
    assert second.saved_by == data_manager
    second.refresh_from_db()
    assert second.saved_at is not None
    with pytest.raises(StaleRecord) as refused:
        store(centre, data_manager, "Three", seen=1)
    assert refused.value.current_version == 2


def test_a_version_is_never_changed_or_removed(centre, data_manager):
    template = store(centre, data_manager, "One")

    for act in (
        lambda: LetterTemplate.objects.filter(pk=template.pk).update(body="Other"),
        lambda: LetterTemplate.objects.filter(pk=template.pk).delete(),
    ):
        with pytest.raises(Exception, match="Cannot update or delete rows"), transaction.atomic():
            act()


def test_the_database_refuses_an_empty_text_and_the_same_version_twice(centre, data_manager):
    store(centre, data_manager, "One")
    of = {"centre": centre, "kind": "cycle_letter"}

    for name, values in {
        "clinic_lettertemplate_says_something": {"version": 2, "title": "", "body": "x"},
        "clinic_lettertemplate_version_once": {"version": 1, "title": "x", "body": "x"},
        "clinic_lettertemplate_kind_known": {"version": 2, "title": "x", "body": "x", "kind": "poem"},
    }.items():
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            LetterTemplate.objects.create(**of | values)


def test_who_does_not_manage_a_centres_texts_stores_none(centre, other_centre, physician, user_with):
    for user in (physician, user_with(Role.DATA_MANAGER, other_centre)):
        with pytest.raises(PermissionDenied):
            store(centre, user, "One")
    assert not LetterTemplate.objects.exists()


def test_the_service_names_what_it_refuses(centre, data_manager):
    with pytest.raises(ValidationError) as refused:
        store(centre, data_manager, "Dear {doctor}")
    assert "Unknown: {doctor}" in refused.value.message_dict["body"][0]


# The editor


def test_a_text_is_previewed_on_an_invented_patient_and_stored(centre, data_manager):
    client = signed_in(data_manager)
    url = edit_url(centre, Kind.CYCLE_LETTER)
    opened = page(client.get(url))
    assert "Erika Example" in opened
    assert "The text shipped with the registry is in use" in opened

    values = {
        "title": "Letter",
        "body": "New: {administered_activity_mbq}",
        "seen_version": 0,
        "preview_for": "",
    }
    previewed = client.post(url, values | {"preview": "1"})
    assert previewed.status_code == 200
    assert "New: 7,391.5 MBq" in page(previewed)
    assert not LetterTemplate.objects.exists()

    assert client.post(url, values).status_code == 302
    assert LetterTemplate.objects.get().body == "New: {administered_activity_mbq}"
    assert "version 1" in page(client.get(reverse("letter-list")))


def test_a_text_is_previewed_on_a_patient_of_the_centre(patient, data_manager, other_centre):
    theirs = PatientFactory(centre=other_centre, registry_number="NRD-0001")
    CourseFactory(patient=theirs, given=1)
    values = {"title": "Letter", "body": "For {patient_name}", "seen_version": 0, "preview": "1"}
    client = signed_in(data_manager)
    url = edit_url(patient.centre, Kind.CYCLE_LETTER)

    assert "For Åse Ørsted" in page(client.post(url, values | {"preview_for": "STA-0001"}))
    refused = client.post(url, values | {"preview_for": "NRD-0001"})
    assert refused.status_code == 422
    assert "No patient of this centre" in page(refused)


def test_an_unknown_placeholder_is_named_beside_the_text_and_nothing_is_stored(centre, data_manager):
    values = {"title": "Letter", "body": "Dear {doctor}", "seen_version": 0, "preview_for": ""}
    answer = signed_in(data_manager).post(edit_url(centre, Kind.CYCLE_LETTER), values)

    assert answer.status_code == 422
    assert "Unknown: {doctor}" in page(answer)
    assert "Dear {doctor}" in page(answer)
    assert not LetterTemplate.objects.exists()


def test_the_second_of_two_who_edit_is_told_and_keeps_the_text(centre, data_manager):
    store(centre, data_manager, "First")
    values = {"title": "Letter", "body": "Mine", "seen_version": 0, "preview_for": ""}
    answer = signed_in(data_manager).post(edit_url(centre, Kind.CYCLE_LETTER), values)

    assert answer.status_code == 409
    assert "Version 1 of this text was stored while you had it open" in page(answer)
    assert "Mine</textarea>" in page(answer)
    assert LetterTemplate.objects.get().body == "First"


def test_an_older_version_and_the_shipped_text_can_be_begun_with(centre, data_manager):
    store(centre, data_manager, "First")
    store(centre, data_manager, "Second", seen=1)
    client = signed_in(data_manager)
    url = edit_url(centre, Kind.CYCLE_LETTER)

    assert "Second</textarea>" in page(client.get(url))
    assert "First</textarea>" in page(client.get(f"{url}?version=1"))
    assert "Dear colleague" in page(client.get(f"{url}?version=0"))
    assert client.get(f"{url}?version=9").status_code == 404


def test_a_preview_is_sent_alone_to_an_open_page(centre, data_manager):
    values = {"title": "Letter", "body": "New: {lot}", "seen_version": 0, "preview_for": ""}
    answer = signed_in(data_manager).post(
        edit_url(centre, Kind.CYCLE_LETTER), values, headers={"HX-Request": "true"}
    )
    assert "New: L-0042" in page(answer)
    assert "text not stored yet" in page(answer)
    assert "<html" not in page(answer)
    assert not LetterTemplate.objects.exists()


# Who gets them


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.INTEGRATION])
def test_who_may_see_records_but_no_names_gets_no_letter(role, patient, user_with):
    client = signed_in(user_with(role))

    assert "Documents" not in page(client.get(reverse("patient-chart", args=[patient.pk])))
    for url in (
        reverse("document-list", args=[patient.pk]),
        summary_url(patient),
        cycle_url(patient, 2),
        cycle_url(patient, 2, "cycle-letter-pdf"),
    ):
        answer = client.get(url)
        assert answer.status_code == 403
        assert "Ørsted" not in answer.content.decode()


def test_identity_at_another_centre_does_not_open_a_letter(patient, user_with, other_centre):
    """Who may see names elsewhere and records here still gets none of the names here."""
    user = user_with(Role.PHYSICIAN, other_centre)
    user.memberships.create(centre=patient.centre, role=Role.INTEGRATION)

    assert signed_in(User.objects.get(pk=user.pk)).get(cycle_url(patient, 2)).status_code == 403


def test_a_cycle_that_was_not_given_and_another_patients_course_have_no_letter(patient, physician, centre):
    other = PatientFactory(centre=centre, registry_number="STA-0002")
    course = CourseFactory(patient=other, given=1)
    client = signed_in(physician)

    assert client.get(cycle_url(patient, 3)).status_code == 404
    assert client.get(reverse("therapy-summary", args=[patient.pk, course.pk])).status_code == 404
    assert client.get(cycle_url(patient, 3, "cycle-letter-pdf")).status_code == 404


def test_the_chart_leads_to_the_letters_and_no_address_holds_a_name(patient, physician):
    client = signed_in(physician)
    chart = client.get(reverse("patient-chart", args=[patient.pk])).content.decode()
    listed = client.get(reverse("document-list", args=[patient.pk])).content.decode()

    assert reverse("document-list", args=[patient.pk]) in chart
    for url in (summary_url(patient), cycle_url(patient, 1), cycle_url(patient, 2, "cycle-letter-pdf")):
        assert url in listed
    assert cycle_url(patient, 3) not in listed
    for address in re.findall(r'href="([^"]+)"', listed):
        assert "Ørsted" not in address
        assert "4711" not in address


def test_the_pages_hold_to_the_content_security_policy(patient, data_manager):
    client = signed_in(data_manager)
    for url in (
        reverse("document-list", args=[patient.pk]),
        cycle_url(patient, 2),
        reverse("letter-list"),
        edit_url(patient.centre, Kind.CYCLE_LETTER),
    ):
        answer = client.get(url)
        assert answer.status_code == 200, url
        assert INLINE.findall(answer.content.decode()) == [], url
        if "patients" in url:
            assert "no-store" in answer["Cache-Control"]
