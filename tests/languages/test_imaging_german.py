"""Imaging and patients in German: reasons, refusals, names; what is stored stays English and is told again."""

from datetime import date
from decimal import Decimal

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.utils import translation
from hypothesis import given, settings

from accounts.errors import RegistryError
from accounts.models import Role as UserRole
from imaging import services
from imaging.dicom.suv import BASIS, FEW_SLICES, FROM_DOSE, NOT_STATED, SERIES_TIME, no_factor
from imaging.models import LesionOrgan, Role, Study
from imaging.rules import best_response, cells, quality, recist, selection, sstr, telling
from imaging.rules.recist import LesionRole, State
from imaging.selectors.response import DERIVED_REASON, course_response
from tests.factories import MeasurementFactory, PatientFactory, StudyFactory
from tests.imaging.lesions import NODE, STUDIES, followed, last, new, non_target, target
from tests.imaging.test_recist_properties import courses

BASELINE, INTERIM = date(2018, 12, 17), date(2019, 4, 1)


def german(said) -> str:
    with translation.override("de"):
        return str(said.why) if hasattr(said, "why") else str(said)


@pytest.mark.parametrize(
    ("timepoint", "reason"),
    [
        (
            last(target("L1", "50", "41.5"), non_target("L2", "present", "present")),
            "SD: Summe 41,5 mm liegt 17 % unter der Baseline von 50 mm am 07.01.2019: weder PR noch PD",
        ),
        (
            last(target("L1", "41", "51.5"), target("L2", "20", "NE", organ="lung")),
            "NE: die Summe ist unvollständig, L2 wurde nicht gemessen",
        ),
        (
            last(target("L1", "41", "NE"), target("L2", "20", "21"), target("L3", "20", "NE", organ="lung")),
            "NE: die Summe ist unvollständig, L1 und L3 wurden nicht gemessen",
        ),
        (
            last(
                non_target("L1", "present", "PD"),
                non_target("L2", "present", "PD"),
                non_target("L3", "present", "PD"),
            ),
            "PD: eindeutige Progression der Non-Target-Läsionen L1, L2 und L3",
        ),
        (
            followed(
                target("L1", "41", "51.5", "51.5"),
                non_target("L2", "present", "PD", "present"),
                new("L3", "eq", "present"),
                new("L4", "present", "present"),
            )[0],
            "PD: Summe 51,5 mm liegt 25,6 % und 10,5 mm über dem Nadir von 41 mm am 07.01.2019; eindeutige Progression der"
            " Non-Target-Läsion L2; neue Läsionen L3 (hier fraglich, bestätigt am 02.09.2019) und L4",
        ),
    ],
)
def test_a_reason_of_recist_is_told_in_german_also_where_it_was_stored(timepoint, reason):
    assert german(timepoint) == reason
    with translation.override("de"):
        assert timepoint.reason == reason
        assert DERIVED_REASON.retold(timepoint.why.english) == reason
    assert timepoint.reason == timepoint.why.english


@given(courses())
@settings(max_examples=60, deadline=None)
def test_every_reason_of_recist_is_told_again_as_it_would_be_told_now(lesions):
    for timepoint in recist.assess(lesions, STUDIES):
        with translation.override("de"):
            assert DERIVED_REASON.retold(timepoint.why.english) == timepoint.reason
        assert DERIVED_REASON.retold(timepoint.why.english) == timepoint.why.english


def test_what_was_stored_otherwise_is_shown_as_it_is():
    with translation.override("de"):
        for text in ("", "PR by an older rule", "PD: sum 51 mm is 24", "Read elsewhere; see letter, but"):
            assert DERIVED_REASON.retold(text) == text


def test_what_recist_has_against_a_lesion_in_german():
    lesions = [target(f"L{n}", "12,5", organ=NODE) for n in (1, 2, 3)]
    found = selection.selection_problems(
        lesions,
        baseline_key=STUDIES[0].key,
        slice_thickness_mm=None,
        organ_names=dict(LesionOrgan.choices),
    )
    assert [one.why.english for one in found] == [one.sentence for one in found]
    with translation.override("de"):
        assert found[0].sentence.startswith(
            "Es gibt 3 Target-Läsionen in einem Organ (Lymphknoten: L1, L2, L3): RECIST 1.1 erlaubt höchstens 2;"
        )
        assert found[1].sentence.startswith("L1 ist ein Lymphknoten mit 12,5 mm kurzer Achse: Ein Target-")
        for one in found:
            stored = f"Not derived: {one.why.english}"
            assert DERIVED_REASON.retold(stored) == f"Nicht abgeleitet: {one.sentence}"


def test_uptake_and_best_response_in_german():
    lesions = [
        sstr.UptakeLesion(
            "L1", LesionRole.TARGET, {"a": sstr.Uptake(Decimal("20.5")), "b": sstr.Uptake(Decimal("12.3"))}
        )
    ]
    days = [sstr.PetStudy("a", BASELINE), sstr.PetStudy("b", INTERIM)]
    found = sstr.assess_uptake(lesions, days, sstr.SstrRules())[1]
    best = best_response.best_unconfirmed(
        [best_response.Assessment(INTERIM, "SD")],
        time_zero=BASELINE,
        until=date(2020, 1, 1),
        rules=best_response.ResponseRules(),
    )
    with translation.override("de"):
        assert (
            found.reason
            == "Der höchste SUVmax 12,3 (L1) liegt 40 % unter den 20,5 der Baseline am 17.12.2018."
        )
        assert best.reason == "SD am 01.04.2019, 105 Tage nach dem Zeitnullpunkt"
        assert quality.uptake_time_flag(100).startswith("Anreicherungszeit 100 min")
        assert sstr.discordance("PD", "decreased").startswith("Diskordant:")


@pytest.mark.parametrize("role", LesionRole)
def test_what_the_grid_shows_in_german_can_be_typed_again_and_english_still_can(role):
    for state in recist.STATES_OF_ROLE[role] & set(cells.WORDS):
        with translation.override("de"):
            assert cells.parse_cell(cells.written_cell(state, None), role) == cells.CellEntry(state)
            assert cells.parse_cell(cells.WORDS[state][0], role) == cells.CellEntry(state)
    with translation.override("de"):
        assert cells.written_cell(State.MEASURED, Decimal("12.5")) == "12,5"
        assert cells.parse_cell("12,5+9,5", LesionRole.TARGET).size_mm == 22
        with pytest.raises(ValueError, match="'x' ist nicht lesbar: Bitte"):
            cells.parse_cell("x", role)


def test_how_an_suv_factor_was_found_is_told_again_in_german():
    basis = FROM_DOSE(
        weight="70.5",
        decayed="81.15",
        dose="150.00",
        seconds="3600",
        half_life="4062",
        time="11:00:00",
        words=SERIES_TIME,
        more="Bq/mL",
    ).english
    with translation.override("de"):
        assert BASIS.retold(basis.replace(" MBq", "\u00a0MBq")).replace("\u00a0", " ") == (
            "70,5 kg / 81,15 MBq: 150,00 MBq injiziert, Zerfall über 3600 s (Halbwertszeit 4062 s) bis 11:00:00, nach der"
            " Serienzeit. Für Bq/mL."
        )
        said = BASIS.retold(no_factor(NOT_STATED(parts="weight, half-life").english).basis)
        assert said == "Kein SUVbw-Faktor: in den Dateien fehlt: Gewicht, Halbwertszeit."
        few = no_factor(FEW_SLICES(n=3, expected=47).english)
    assert few.basis == "No SUVbw factor: only 3 of the 47 slices of the PET series were read."


@pytest.mark.parametrize("stored", [DERIVED_REASON, BASIS])
def test_every_message_that_is_stored_has_its_german(stored):
    neutral = {recist.OVERALL.one, recist.BOTH.one}
    with translation.override("de"):
        for message in stored.messages:
            places = dict.fromkeys(telling.re.findall(r"\{(\w+)\}", message.one), "1")
            for count in (1, 2) if message.more else (1,):
                english = (message.one if count == 1 else message.more).format_map(places)
                assert message.one in neutral or message.told(places, count) != english


def test_names_of_models_and_fields_are_german():
    same = {"Patient", "Status", "Version", "Tracer", "Organ", "ID", "ECOG", "SUVmax"}
    same |= {"Ki-67 (%)", "Tracking UID", "Study Instance UID"}
    with translation.override("en-gb"):
        english = _names()
    with translation.override("de"):
        told = _names()
    assert english["patients.Diagnosis.tumour_type"] == "tumour type"
    assert told["patients.Diagnosis.tumour_type"] == "Tumorart"
    left = {key for key, name in told.items() if name.casefold() == english[key].casefold()}
    assert {told[key].casefold() for key in left} <= {name.casefold() for name in same}


def _names() -> dict[str, str]:
    found = {}
    for label in ("imaging", "patients"):
        for model in apps.get_app_config(label).get_models():
            if not hasattr(model, "EDIT_ACT"):
                continue
            found[model._meta.label] = str(model._meta.verbose_name)
            found |= {
                f"{model._meta.label}.{field.name}": str(field.verbose_name)
                for field in model._meta.local_fields
            }
    return found


@pytest.fixture
def patient(centre):
    return PatientFactory(centre=centre)


@pytest.fixture
def studies(patient) -> list[Study]:
    return [
        StudyFactory(patient=patient, performed_on=BASELINE),
        StudyFactory(patient=patient, timepoint="interim", performed_on=INTERIM),
    ]


@pytest.mark.django_db
def test_what_is_derived_from_a_german_page_is_stored_in_english(patient, studies, user_with):
    reader = user_with(UserRole.READER, username="reader")
    with translation.override("de"):
        lesion = services.add_lesion(
            patient=patient, course_number=1, by=reader, role=Role.TARGET, organ=LesionOrgan.LIVER
        )
        for study, size in zip(studies, ("50", "30,5"), strict=True):
            services.record_finding(lesion=lesion, study=study, size=size, by=reader)
        reading = services.sign_reading(study=studies[1], reader_role="first", by=reader)
        assert course_response(patient.pk, 1).derived(studies[1]).reason == (
            "PR: Summe 30,5 mm liegt 39 % unter der Baseline von 50 mm am 17.12.2018"
        )
        assert DERIVED_REASON.retold(reading.derived_reason).startswith("PR: Summe 30,5 mm liegt 39 %")
    reading.refresh_from_db()
    assert reading.derived_reason == ("PR: sum 30.5 mm is 39 % below the baseline of 50 mm on 2018-12-17")


@pytest.mark.django_db
def test_refusals_are_german(patient, studies, user_with):
    reader = user_with(UserRole.READER, username="reader")
    with translation.override("de"):
        with pytest.raises(RegistryError, match="Mit der Baseline wird das Ansprechen verglichen"):
            services.sign_reading(study=studies[0], reader_role="first", by=reader)
        study = studies[1]
        study.liver_suv_mean = Decimal("1000.5")
        with pytest.raises(ValidationError) as refused:
            study.full_clean()
        assert any("ein SUV über 0 und unter 1.000." in said for said in refused.value.messages)
        with pytest.raises(ValidationError) as again:
            Study(patient=patient, timepoint="baseline", performed_on=BASELINE).full_clean()
        assert "Diese Therapie hat bereits eine Baseline-Untersuchung." in again.value.messages
    with pytest.raises(ValidationError) as in_english:
        study.full_clean()
    assert any("an SUV above 0 and below 1,000." in said for said in in_english.value.messages)


@pytest.mark.django_db
def test_records_are_named_in_german(studies):
    one = MeasurementFactory(study=studies[1], lesion__patient=studies[1].patient)
    with translation.override("de"):
        assert str(one) == f"{one.lesion.label} am 01.04.2019"
        assert str(studies[1]) == (f"Interim, PET/CT von {studies[1].patient} am 01.04.2019")
    assert str(studies[1]) == f"Interim PET/CT of {studies[1].patient} on 2019-04-01"
