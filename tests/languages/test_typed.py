"""Numbers and days as they are typed: each language reads its own, both read the plain one, and nothing is guessed."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.models import Role
from clinic.forms import ActivityField, AdministrationForm, StudyForm
from clinic.typed import DayField, MomentField, NumberField, WholeNumberField, plain_numbers
from imaging.models import Measurement, Study
from patients.models import Contact
from tests.clinic.test_pages import signed_in
from tests.factories import (
    CourseFactory,
    LabResultFactory,
    LesionFactory,
    MeasurementFactory,
    PatientFactory,
    StudyFactory,
)
from treatments.models import Administration, LabResult

GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de"}


def read(field: Any, text: str, language: str) -> Any:
    """Return what the field reads, or the code of its refusal."""
    with translation.override(language):
        try:
            return field.clean(text)
        except ValidationError as refused:
            return refused.error_list[0].code


NUMBERS = [
    # typed, German, English
    ("7400", "7400", "7400"),
    ("7,4", "7.4", "7.4"),
    ("7.4", "7.4", "7.4"),
    ("7,45", "7.45", "7.45"),
    ("7.45", "7.45", "7.45"),
    ("7,400", "7.400", "thousands"),
    ("7.400", "thousands", "7.400"),
    ("-7.400", "thousands", "-7.400"),
    (" 7.400 ", "thousands", "7.400"),
    ("1234.567", "thousands", "1234.567"),
    ("1234,567", "1234.567", "thousands"),
    ("7.4000", "7.4000", "7.4000"),
    ("7,4000", "7.4000", "7.4000"),
    ("0.400", "0.400", "0.400"),
    ("0,400", "0.400", "thousands"),
    ("10.400", "thousands", "10.400"),
    ("00.400", "thousands", "0.400"),
    ("7.400,5", "thousands", "invalid"),
    ("7,400.5", "invalid", "thousands"),
    ("1.234.567", "thousands", "invalid"),
    ("1,234,567", "invalid", "thousands"),
    ("7.400e1", "thousands", "74.00"),
    ("7,", "invalid", "invalid"),
    (",5", "invalid", "invalid"),
    ("7,4 MBq", "invalid", "invalid"),
    ("7 400", "invalid", "invalid"),
    ("7'400", "invalid", "invalid"),
    ("seven", "invalid", "invalid"),
]


@pytest.mark.parametrize("kind", [NumberField, ActivityField])
@pytest.mark.parametrize(("typed", "german", "english"), NUMBERS)
def test_a_number_is_read_with_either_sign_and_refused_where_it_may_be_thousands(
    typed, german, english, kind
):
    for language, expected in (("de", german), ("en-gb", english)):
        found = read(kind(), typed, language)
        assert str(found) == expected or found == expected, language


def test_a_refusal_says_what_to_write():
    said = {}
    for language, typed in (("en-gb", "7,400"), ("de", "7.400")):
        with translation.override(language), pytest.raises(ValidationError) as refused:
            NumberField().clean(typed)
        said[language] = refused.value.messages[0]
    assert said["en-gb"] == "“7,400” can be read in two ways: write 7400 or 7.400."
    assert "7400" in said["de"]
    assert "7,400" in said["de"]


@pytest.mark.parametrize(
    ("typed", "german", "english"),
    [
        ("7", 7, 7),
        ("7.0", 7, 7),
        ("7.000", "thousands", 7),
        ("7,000", "invalid", "thousands"),
        ("0.000", 0, 0),
        ("7,5", "invalid", "invalid"),
    ],
)
def test_a_whole_number_is_not_shortened_by_its_thousands(typed, german, english):
    assert read(WholeNumberField(), typed, "de") == german
    assert read(WholeNumberField(), typed, "en-gb") == english


@pytest.mark.parametrize(
    ("typed", "german", "english"),
    [
        ("12,5+9", "12.5+9", "12.5+9"),
        ("12.5+9", "12.5+9", "12.5+9"),
        ("12.500+9", None, "12.500+9"),
        ("12+9,500", "12+9.500", None),
        ("23.500 mm", None, "23.500 mm"),
        ("0.500", "0.500", "0.500"),
        ("too small", "too small", "too small"),
        ("n.e.", "n.e.", "n.e."),
        ("> L2", "> L2", "> L2"),
    ],
)
def test_the_parts_of_a_lesion_are_read_like_numbers(typed, german, english):
    for language, expected in (("de", german), ("en-gb", english)):
        with translation.override(language):
            if expected is None:
                with pytest.raises(ValidationError):
                    plain_numbers(typed)
            else:
                assert plain_numbers(typed) == expected


DAY = date(2019, 3, 4)


@pytest.mark.parametrize(
    ("typed", "german", "english"),
    [
        ("04.03.2019", DAY, "invalid"),
        ("4.3.2019", DAY, "invalid"),
        ("4. 3. 2019", DAY, "invalid"),
        ("2019-03-04", DAY, DAY),
        ("20190304", DAY, DAY),
        ("4. März 2019", DAY, "invalid"),
        ("4 März 2019", DAY, "invalid"),
        ("4. Mär. 2019", DAY, "invalid"),
        ("4 Mar 2019", DAY, DAY),
        ("4 March 2019", DAY, DAY),
        ("4. Mai 2019", date(2019, 5, 4), "invalid"),
        ("4 Dez 2019", date(2019, 12, 4), "invalid"),
        ("04/03/2019", "invalid", "invalid"),
        ("04-03-2019", "invalid", "invalid"),
        ("04.03.19", "invalid", "invalid"),
        ("31.02.2019", "invalid", "invalid"),
        ("03.13.2019", "invalid", "invalid"),
        ("104.03.2019", "invalid", "invalid"),
        ("04.03.20190", "invalid", "invalid"),
        ("4. Brumaire 2019", "invalid", "invalid"),
    ],
)
def test_a_day_is_read_as_the_language_writes_it_and_never_guessed(typed, german, english):
    assert read(DayField(), typed, "de") == german
    assert read(DayField(), typed, "en-gb") == english


@pytest.mark.parametrize(
    ("typed", "german", "english"),
    [
        ("04.03.2019 09:30", True, False),
        ("4.3.2019 09:30", True, False),
        ("2019-03-04 09:30", True, True),
        ("2019-03-04T09:30", True, True),
        ("20190304 09:30", True, True),
        ("4. März 2019 09:30", True, False),
        ("04/03/2019 09:30", False, False),
        ("04.03.2019 24:30", False, False),
        ("32.03.2019 09:30", False, False),
    ],
)
def test_a_moment_is_read_as_the_language_writes_it(typed, german, english):
    for language, is_read in (("de", german), ("en-gb", english)):
        found = read(MomentField(), typed, language)
        assert found == (datetime(2019, 3, 4, 9, 30, tzinfo=UTC) if is_read else "invalid"), language


# What is shown is read again as it was


class _Fields(HTMLParser):
    """Reads what the fields of a page hold."""

    def __init__(self, page: Any) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._open = ""
        self.feed(page.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = found.get("name") or ""
        if tag == "input" and name and (found.get("type") not in {"checkbox", "radio"} or "checked" in found):
            self.values[name] = found.get("value") or ""
        elif tag in {"select", "textarea"}:
            self._open = name
            self.values[name] = ""
        elif tag == "option" and "selected" in found:
            self.values[self._open] = found.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in {"select", "textarea"}:
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open and self.lasttag == "textarea":
            self.values[self._open] += data


def fields_of(page: Any) -> dict[str, str]:
    """Return name to value of the fields of a page as a browser would send them."""
    return {name: value for name, value in _Fields(page).values.items() if name}


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("value", ["7.4", "7.400", "0.005", "1234.5", "7400", "90"])
def test_every_number_that_is_shown_is_read_as_it_was(value, language):
    with translation.override(language):
        field = NumberField()
        shown = field.widget.format_value(Decimal(value))
        assert field.clean(shown) == Decimal(value)
        assert not field.has_changed(Decimal(value), shown)


def test_fields_are_shown_as_the_language_writes_them():
    study = Study(
        tracer_activity_mbq=Decimal("150.5"),
        performed_on=DAY,
        injected_at=datetime(2019, 3, 4, 9, 30, tzinfo=UTC),
    )
    with translation.override("de"):
        form = StudyForm(instance=study)
        shown = str(form["tracer_activity_mbq"])
        assert 'type="text"' in shown
        assert 'value="150,5"' in shown
        assert "step" not in shown
        assert 'value="04.03.2019"' in str(form["performed_on"])
        moment = str(form["injected_at"])
        assert 'value="04.03.2019 09:30"' in moment
        pattern = re.search(r'pattern="([^"]+)"', moment)
        assert pattern
        assert re.fullmatch(pattern[1], "04.03.2019 09:30")
        assert re.fullmatch(pattern[1], "2019-03-04 09:30")
        assert "TT.MM.JJJJ" in str(form.fields["performed_on"].help_text)
        assert "TT.MM.JJJJ HH:MM" in str(form.fields["injected_at"].help_text)
    with translation.override("en-gb"):
        form = StudyForm(instance=study)
        assert 'type="number"' in str(form["tracer_activity_mbq"])
        assert 'value="150.5"' in str(form["tracer_activity_mbq"])
        assert 'value="2019-03-04"' in str(form["performed_on"])
        assert 'value="2019-03-04 09:30"' in str(form["injected_at"])
        assert str(form.fields["performed_on"].help_text).endswith("YYYY-MM-DD")


pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(data_manager) -> Client:
    return signed_in(data_manager)


@pytest.fixture
def patient(centre):
    return CourseFactory(patient=PatientFactory(centre=centre), given=2).patient


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_record_opened_and_sent_unchanged_stays_as_it_was(language, patient, desk):
    study = StudyFactory(
        patient=patient,
        performed_on=date(2019, 4, 1),
        timepoint="interim",
        injected_at=datetime(2019, 4, 1, 7, 5, tzinfo=UTC),
        tracer="ga68_dotatate",
        tracer_activity_mbq=Decimal("150.5"),
        body_weight_kg=Decimal("70.4"),
        slice_thickness_mm=Decimal("1.25"),
    )
    result = LabResultFactory(patient=patient, value=Decimal("1234.5"), lower_limit=Decimal("150"))
    given = Administration.objects.filter(cycle__course__patient=patient).first()
    for kind, record in (("study", study), ("lab-result", result), ("administration", given)):
        record.refresh_from_db()
        before = {name: one for name, one in vars(record).items() if not name.startswith("_")}
        address = reverse("record-correct", args=[patient.pk, kind, record.pk])
        sent = fields_of(desk.get(address, HTTP_ACCEPT_LANGUAGE=language)) | {"confirm_unlikely": "on"}
        reason = next(name for name in sent if name.endswith("reason") and not name.startswith("deviation"))
        sent[reason] = "Looked at again"
        answer = desk.post(address, sent, HTTP_ACCEPT_LANGUAGE=language)
        assert answer.status_code == 302, answer.content.decode()
        record.refresh_from_db()
        after = {name: one for name, one in vars(record).items() if not name.startswith("_")}
        after.pop("version")
        assert after == {name: one for name, one in before.items() if name != "version"}, kind


def test_an_untouched_prescription_is_not_taken_for_another_unit(patient, desk):
    given = Administration.objects.filter(cycle__course__patient=patient).first()
    with translation.override("de"):
        shown = AdministrationForm(instance=given)["prescribed_activity_mbq"].value()
        text = AdministrationForm(instance=given).fields["prescribed_activity_mbq"].widget.format_value(shown)
        form = AdministrationForm(
            {"prescribed_activity_mbq": text, "activity_unit": "GBq", "administered_at": "04.03.2019 09:30"},
            instance=given,
        )
        form.is_valid()
        assert form.cleaned_data["prescribed_activity_mbq"] == given.prescribed_activity_mbq


def grid(patient, user, language: str, **data: str) -> Any:
    return signed_in(user).post(
        reverse("laboratory-enter", args=[patient.pk]), data, HTTP_ACCEPT_LANGUAGE=language
    )


@pytest.mark.parametrize(
    ("language", "on", "typed", "stored"),
    [
        ("de", "04.03.2019", "7,4", "7.4"),
        ("de", "04.03.2019 09:30", "7,4", "7.4"),
        ("de", "2019-03-04", "7.4", "7.4"),
        ("de", "04.03.2019", "7,400", "7.4"),
        ("de", "04.03.2019", "7.400", None),
        ("de", "04/03/2019", "7,4", None),
        ("en", "2019-03-04", "7,4", "7.4"),
        ("en", "2019-03-04", "7.400", "7.4"),
        ("en", "2019-03-04", "7,400", None),
        ("en", "04.03.2019", "7.4", None),
    ],
)
def test_the_laboratory_grid_reads_as_the_language_writes(language, on, typed, stored, patient, physician):
    data = {"date-0": on, "unit-haemoglobin": "g/dL", "value-haemoglobin-0": typed}
    answer = grid(patient, physician, language, **data)
    if stored is None:
        assert answer.status_code == 422
        assert not LabResult.objects.exists()
        # What was typed comes back as it was typed.
        page = fields_of(answer)
        assert page["value-haemoglobin-0"] == typed
        assert page["date-0"] == on
        return
    assert answer.status_code == 302, answer.content.decode()
    result = LabResult.objects.get()
    assert result.value == Decimal(stored) * 10  # g/L
    assert result.taken_at.astimezone(patient.centre.zone).date() == DAY
    assert grid(patient, physician, language, **data).status_code == 302
    assert LabResult.objects.count() == 1


@pytest.mark.parametrize(("cell", "is_read"), [("7,4", True), ("7.4", True), ("7.400", False)])
def test_a_table_that_is_pasted_in_german_may_have_german_days_and_no_thousands(
    cell, is_read, patient, physician
):
    text = f"Analyte\t04.03.2019\nHb (g/dL)\t{cell}"
    answer = grid(patient, physician, "de", table=text)
    assert answer.status_code == (302 if is_read else 422)
    assert LabResult.objects.count() == int(is_read)


@pytest.mark.parametrize(
    ("language", "typed", "stored"),
    [
        ("de", "23,5", "23.5"),
        ("de", "23.5", "23.5"),
        ("de", "12,5+9", "21.5"),
        ("de", "23.500", None),
        ("en", "23,5", "23.5"),
        ("en", "23.5", "23.5"),
        ("en", "23,500", None),
    ],
)
def test_the_lesion_grid_reads_and_shows_as_the_language_writes(language, typed, stored, patient, user_with):
    study = StudyFactory(patient=patient, performed_on=date(2018, 12, 17))
    lesion = LesionFactory(patient=patient, label="L1")
    client = signed_in(user_with(Role.READER, username="reader"))
    url = reverse("imaging-cell", args=[patient.pk, 1])
    sent = {"lesion": lesion.pk, "study": study.pk, "field": "size", "value": typed, "version": "0"}
    answer = client.post(url, sent, HTTP_ACCEPT_LANGUAGE=language)
    if stored is None:
        assert answer.status_code == 422
        assert answer.json()["field"] == "size"
        assert not Measurement.objects.exists()
        return
    assert answer.status_code == 200
    assert Measurement.objects.get().size_mm == Decimal(stored)
    shown = answer.json()["size"]
    assert shown == (typed.replace(".", ",") if language == "de" else typed.replace(",", "."))


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_lesion_grid_sent_unchanged_changes_nothing(language, patient, user_with):
    study = StudyFactory(patient=patient, performed_on=date(2018, 12, 17))
    lesion = LesionFactory(patient=patient, label="L1")
    one = MeasurementFactory(
        lesion=lesion, study=study, size_mm=Decimal("40.5"), suv_max=Decimal("20.25"), is_draft=True
    )
    client = signed_in(user_with(Role.READER, username="reader"))
    url = reverse("imaging", args=[patient.pk, 1])
    key = f"{lesion.pk}_{study.pk}"
    for other in ("de", "en"):  # also one that was opened in the other language
        sent = fields_of(client.get(url, HTTP_ACCEPT_LANGUAGE=other))
        sent = {name: sent[name] for name in (f"size_{key}", f"suv_{key}", f"version_{key}")}
        assert sent[f"size_{key}"] == ("40,5" if other == "de" else "40.5")
        assert client.post(url, sent, HTTP_ACCEPT_LANGUAGE=language).status_code == 302
        one.refresh_from_db()
        assert (one.size_mm, one.suv_max, one.is_draft, one.version) == (
            Decimal("40.5"),
            Decimal("20.25"),
            True,
            1,
        )


def test_a_form_sent_twice_in_german_is_stored_once(patient, desk):
    address = reverse("record-new", args=[patient.pk, "contact"])
    page = desk.get(address, **GERMAN)
    sent = fields_of(page) | {"known_alive_on": "01.06.2019", "source": "visit"}
    for _ in range(2):
        assert desk.post(address, sent, **GERMAN).status_code == 302
    assert Contact.objects.get().known_alive_on == date(2019, 6, 1)


@pytest.mark.parametrize("name", ["4. September 2019 09:30", "04.03.2019 09:30", "2019-03-04T09:30:00"])
def test_the_pattern_and_length_of_a_german_moment_allow_every_form(name):
    with translation.override("de"):
        shown = str(StudyForm(instance=Study())["injected_at"])
    pattern = re.search(r'pattern="([^"]+)"', shown)
    length = re.search(r'maxlength="(\d+)"', shown)
    assert pattern
    assert length
    assert re.fullmatch(pattern[1], name)
    assert len(name) <= int(length[1])
