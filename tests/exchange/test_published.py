"""The published cohort: every figure by the ordinary import and computing, and what fails when a fact changes."""

import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import mean

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.access import Act
from accounts.models import Centre, User
from accounts.records import correct_record, void_record
from analytics.models import Cohort
from exchange import demo
from exchange.published import details, figures, generator, timelines
from imaging.models import Reading
from patients.models import Death, Diagnosis, Patient
from tests.factories import default_protocol
from treatments.models import (
    Administration,
    Cycle,
    CycleStatus,
    Discontinuation,
    DoseDecision,
    LabAnalyte,
    ReferenceRange,
)
from treatments.selectors.advice import advice_for, given_cycles
from treatments.selectors.laboratory import graded_results
from treatments.services.administrations import net_of


@pytest.fixture
def var_dir(settings, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    settings.SYNTHETIC_DATA_BANNER = True
    return tmp_path


@pytest.fixture
def loaded(db: None, var_dir: Path) -> demo.Loaded:
    default_protocol()
    return demo.load()


def test_every_published_figure_is_reproduced(
    loaded: demo.Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("check_published")

    printed = capsys.readouterr().out
    assert "All 29 figures agree." in printed
    assert " NO" not in printed
    for figure in (
        "37–81",
        "62.1 ± 10.4",
        "36 of 63 (57.1 %)",
        "20 of 35 (57 %)",
        "13 of 21 (62 %)",
        "12 of 46 (26 %)",
    ):
        assert figure in printed


def void_a_death() -> None:
    void_record(Death.objects.order_by("died_on").first(), by=None, reason="Entered for the wrong patient")


def make_a_response_stable() -> None:
    # Of a patient whose only response at its best this was.
    best = Reading.objects.filter(overall_response="PR", study__patient__registry_number="STA-0024")
    for reading in best:
        correct_record(reading, {"overall_response": "SD"}, by=None, reason="Read again")


def move_a_primary() -> None:
    correct_record(
        Diagnosis.objects.get(primary_site="caecum"),
        {"primary_site": "appendix"},
        by=None,
        reason="Pathology",
    )


def change_a_reason() -> None:
    stopped = Discontinuation.objects.filter(course__patient__centre__code="STA").first()
    correct_record(stopped, {"main_reason": "renal"}, by=None, reason="Chart review")


def change_a_birth_date() -> None:
    oldest = Patient.objects.filter(centre__code="STA").order_by("-birth_date").first()
    correct_record(
        oldest, {"birth_date": oldest.birth_date.replace(year=2000)}, by=None, reason="Passport seen"
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (void_a_death, "deaths, deaths by cause"),
        (make_a_response_stable, "objective response"),
        (move_a_primary, "NET: caecum, NET: appendix"),
        (change_a_reason, "discontinued for comorbidity"),
        (change_a_birth_date, "age, range, age, mean ± SD"),
    ],
)
def test_one_changed_fact_fails_the_check_and_is_named(
    loaded: demo.Loaded, change: Callable[[], None], named: str
) -> None:
    change()

    with pytest.raises(CommandError) as failed:
        call_command("check_published")
    assert named in str(failed.value)


def test_an_unknown_cohort_is_told(db: None) -> None:
    with pytest.raises(CommandError, match="There is no cohort nowhere"):
        call_command("check_published", "--cohort", "nowhere")


def test_the_generator_gives_the_same_bytes_every_time(tmp_path: Path) -> None:
    call_command("write_published_cohort", str(tmp_path / "a.zip"))
    call_command("write_published_cohort", str(tmp_path / "b.zip"))

    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_the_synthetic_patients_are_plausible(loaded: demo.Loaded) -> None:
    sta = Cycle.objects.filter(course__patient__centre__code="STA")
    for cycle in sta.filter(status=CycleStatus.GIVEN).prefetch_related("administrations"):
        administration = cycle.administrations.get()
        assert administration.administered_on.weekday() < 5
        assert administration.administered_on <= generator.CUTOFF
        assert 7030 <= administration.administered_activity_mbq <= 7770  # ± 5 %
    to_come = sta.filter(status__in=[CycleStatus.PLANNED, CycleStatus.HELD])
    assert to_come.values("course").distinct().count() == 17
    # Nobody is overdue at the cut-off: at most within the window of the protocol.
    assert min(to_come.values_list("planned_on", flat=True)) >= generator.CUTOFF - timedelta(days=7)
    assert set(Patient.objects.values_list("identity__family_name", flat=True)) == {"Synthetic"}
    assert not Death.objects.filter(patient__courses__cycles__status__in=["planned", "held"]).exists()


# What surrounds the cycles

LABS_BEFORE_CYCLE = {
    "haemoglobin", "leucocytes", "platelets", "creatinine", "alt", "ast", "albumin", "bilirubin",
}  # fmt: skip
COHORTS = (generator.published_cohort, generator.second_cohort)


def rows_of(cohort: timelines.Cohort, sheet: str, number: str) -> list[timelines.Row]:
    return [row for row in cohort.sheets.get(sheet, []) if row["registry_number"] == number]


def numbers_of(cohort: timelines.Cohort) -> list[str]:
    return [row["registry_number"] for row in cohort.sheets["patients"]]


@pytest.mark.parametrize("make", COHORTS)
def test_details_leave_every_row_of_the_story_as_it_is(
    make: Callable[[], timelines.Cohort], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_details = make()
    monkeypatch.setattr(generator, "add_details", lambda *_: None)
    story = make()

    for sheet, rows in story.sheets.items():
        assert len(with_details.sheets[sheet]) == len(rows)
        for row, detailed in zip(rows, with_details.sheets[sheet], strict=True):
            assert row == {name: detailed[name] for name in row}
    assert with_details.sheets.keys() > story.sheets.keys()


@pytest.mark.parametrize("make", COHORTS)
def test_findings_leave_every_other_row_as_it_is(
    make: Callable[[], timelines.Cohort], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_findings = make().sheets
    monkeypatch.setattr(details, "add_findings", lambda *_, **__: None)
    without = make().sheets

    assert with_findings.keys() - without.keys() == {"performance_statuses", "prior_therapies"}
    for sheet, rows in without.items():
        if sheet == "adverse_events":
            kept = iter(with_findings[sheet])
            assert all(row in kept for row in rows)  # in their order
        else:
            assert with_findings[sheet] == rows


@pytest.mark.parametrize("make", COHORTS)
def test_every_course_has_an_ecog_of_0_to_2_from_the_weeks_before_it(
    make: Callable[[], timelines.Cohort],
) -> None:
    cohort = make()
    for number in numbers_of(cohort):
        found = sorted(row["assessed_on"] for row in rows_of(cohort, "performance_statuses", number))
        starts = [
            row["administered_at"].date() if row["status"] == "given" else row["planned_on"]
            for row in rows_of(cohort, "cycles", number)
            if row["cycle_number"] == 1
        ]
        assert len(found) == len(starts)
        # A clinic is closed for up to five days.
        assert all(0 < (start - on).days <= 14 + 5 for on, start in zip(found, sorted(starts), strict=True))
    assert {row["ecog"] for row in cohort.sheets["performance_statuses"]} <= {0, 1, 2}


@pytest.mark.parametrize("make", COHORTS)
def test_prior_therapies_lie_between_diagnosis_and_treatment(make: Callable[[], timelines.Cohort]) -> None:
    cohort = make()
    for number in numbers_of(cohort):
        (diagnosis,) = rows_of(cohort, "diagnoses", number)
        first = min(
            row["administered_at"].date() if row["status"] == "given" else row["planned_on"]
            for row in rows_of(cohort, "cycles", number)
        )
        going_on = set()
        for row in rows_of(cohort, "prior_therapies", number):
            assert diagnosis["diagnosed_on"] < row["started_on"] < first
            if row["ended_on"] is None:
                going_on.add(row["agent"])
            else:
                assert row["started_on"] <= row["ended_on"] <= first - timedelta(days=28)
        names = {"octreotide_lar": "octreotide LAR", "lanreotide": "lanreotide"}
        assert going_on == {
            names[row["drug"]] for row in rows_of(cohort, "somatostatin_analogue_doses", number)
        }


def test_most_had_analogues_before_and_some_had_each_other_kind() -> None:
    had = generator.published_cohort().sheets["prior_therapies"]
    n = {
        kind: len({row["registry_number"] for row in had if row["kind"] == kind})
        for kind in ("somatostatin_analogue", "surgery", "everolimus", "chemotherapy", "liver_directed")
    }

    assert n.pop("somatostatin_analogue") > 63 / 2
    assert all(5 <= few < 63 / 2 for few in n.values())


@pytest.mark.parametrize("make", COHORTS)
def test_grade_and_ki67_of_a_tumour_agree(make: Callable[[], timelines.Cohort]) -> None:
    """WHO classification of 2019: G1 below 3 %, G2 from 3 to 20 %, G3 above."""
    for row in make().sheets["diagnoses"]:
        if row["tumour_type"] == "net":
            ki67 = row["ki67_percent"]
            assert row["who_grade"] == ("g1" if ki67 < 3 else "g2" if ki67 <= 20 else "g3")
        else:
            assert (row["who_grade"], row["ki67_percent"]) == ("unknown", None)


@pytest.mark.parametrize("make", COHORTS)
def test_lymphocytes_of_grade_3_are_an_adverse_event_and_no_others_are(
    make: Callable[[], timelines.Cohort],
) -> None:
    """CTCAE v5.0, "Lymphocyte count decreased": grade 3 below 0.5 and from 0.2 ×10⁹/L."""
    cohort = make()
    for number in numbers_of(cohort):
        values = [
            float(row["value"])
            for row in rows_of(cohort, "lab_results", number)
            if row["analyte"] == "lymphocytes"
        ]
        grades = {
            row["grade"]
            for row in rows_of(cohort, "adverse_events", number)
            if row["term"] == "Lymphocyte count decreased"
        }
        assert grades == ({3} if min(values, default=9.0) < 0.5 else set())
        assert min(values, default=9.0) >= 0.2


def test_every_discontinuation_for_a_comorbidity_has_the_event_that_led_to_it() -> None:
    cohort = generator.published_cohort()
    for stop in cohort.sheets["discontinuations"]:
        (event,) = [
            row
            for row in rows_of(cohort, "adverse_events", stop["registry_number"])
            if row["action"] == "discontinued"
        ]
        assert (event["grade"], event["attribution"], event["is_serious"]) == (3, "unrelated", True)
        assert event["note"] == stop["note"]
        assert 3 <= (stop["discontinued_on"] - event["onset_on"]).days <= 12


@pytest.mark.parametrize("make", COHORTS)
def test_the_same_patients_are_made_every_time(make: Callable[[], timelines.Cohort]) -> None:
    assert make().sheets == make().sheets


@pytest.mark.parametrize("make", COHORTS)
def test_nothing_is_told_after_the_patient_was_last_heard_of(make: Callable[[], timelines.Cohort]) -> None:
    cohort = make()
    ends_on = (generator.STATION if make is generator.published_cohort else generator.NORTH_RIDGE).ends_on
    for number in numbers_of(cohort):
        cycles = rows_of(cohort, "cycles", number)
        known = [row["known_alive_on"] for row in rows_of(cohort, "contacts", number)]
        known += [row["administered_at"].date() for row in cycles if row["status"] == "given"]
        if any(row["status"] == "held" for row in cycles) or not known:
            known.append(ends_on)
        told = [row["taken_at"].date() for row in rows_of(cohort, "lab_results", number)]
        told += [row["given_at"].date() for row in rows_of(cohort, "somatostatin_analogue_doses", number)]
        for row in rows_of(cohort, "adverse_events", number):
            told += [row["onset_on"], row["resolved_on"] or row["onset_on"]]
        assert max(told, default=max(known)) <= max(known) <= ends_on
        for death in rows_of(cohort, "deaths", number):
            assert max(known) < death["died_on"]


@pytest.mark.parametrize("make", COHORTS)
def test_what_a_cycle_needs_was_measured_within_two_weeks_before_it(
    make: Callable[[], timelines.Cohort],
) -> None:
    cohort = make()
    for number in numbers_of(cohort):
        labs = rows_of(cohort, "lab_results", number)
        for cycle in rows_of(cohort, "cycles", number):
            if cycle["status"] == "given":
                on = cycle["administered_at"].date()
                measured = {row["analyte"] for row in labs if 0 < (on - row["taken_at"].date()).days <= 14}
                assert measured >= LABS_BEFORE_CYCLE


def test_counts_are_lowest_four_to_six_weeks_after_a_cycle_and_recover() -> None:
    cohort = generator.published_cohort()
    relative: dict[str, dict[str, list[float]]] = {}
    for number in numbers_of(cohort):
        given = [
            row["administered_at"].date()
            for row in rows_of(cohort, "cycles", number)
            if row["status"] == "given"
        ]
        for analyte in ("platelets", "lymphocytes"):
            values = [
                (row["taken_at"].date(), float(row["value"]))
                for row in rows_of(cohort, "lab_results", number)
                if row["analyte"] == analyte
            ]
            before = values[0][1]
            for on, value in values:
                days = (on - given[-1]).days
                when = "nadir" if 28 <= days <= 42 else "late" if days >= 140 else ""
                relative.setdefault(analyte, {}).setdefault(when, []).append(value / before)
    assert mean(relative["platelets"]["nadir"]) < 0.8
    assert mean(relative["platelets"]["late"]) > 0.93
    assert mean(relative["lymphocytes"]["nadir"]) < 0.6
    assert mean(relative["lymphocytes"]["late"]) > 0.85


def test_the_demo_stays_quick_to_load() -> None:
    assert len(generator.published_cohort().sheets["lab_results"]) < 6_000


def test_every_net_activity_of_the_demo_follows_from_its_syringe_and_residual(loaded: demo.Loaded) -> None:
    given = Administration.objects.select_related("cycle__course__protocol")

    assert given.count() == 234
    for administration in given:
        net = net_of(
            vars(administration), half_life_days=administration.cycle.course.protocol.physical_half_life_days
        )
        assert net is not None
        assert net.net_mbq == administration.administered_activity_mbq
        assert net.remark == ""


def test_every_decision_of_the_demo_answers_what_the_rule_advises_on_its_day(loaded: demo.Loaded) -> None:
    decisions = DoseDecision.objects.select_related("cycle__course__patient__centre")

    found = {}
    for decision in decisions:
        course = decision.cycle.course
        on = decision.decided_at.astimezone(course.patient.centre.zone).date()
        earlier = [cycle for cycle in given_cycles(course) if cycle.number < decision.cycle.number]
        advice = advice_for(course, decision.cycle, today=on, given=earlier)
        assert advice is not None
        assert decision.advice == advice.code
        found[course.patient.registry_number] = (decision.advice, decision.decision)
    assert found == {
        "STA-0001": ("reduce", "continue"),
        "STA-0056": ("hold", "hold"),
        "NRD-0004": ("hold", "discontinue"),
        "NRD-0010": ("reduce", "reduce"),
        "NRD-0011": ("hold", "hold"),
    }
    reduced = Cycle.objects.get(prescribed_activity_mbq__isnull=False)
    assert (str(reduced), reduced.prescribed_activity_mbq) == ("NRD-0010 course 1 cycle 4", 3700)
    held = Cycle.objects.filter(status=CycleStatus.HELD)
    assert held.count() == 2
    assert all(cycle.holds.get().is_open for cycle in held)


def test_low_platelets_are_those_of_whom_something_was_decided(loaded: demo.Loaded) -> None:
    low = {
        patient.registry_number
        for patient in Patient.objects.all()
        for graded in graded_results(patient)
        if graded.result.analyte == "platelets" and graded.grade is not None and graded.grade >= 2
    }

    assert low == {"STA-0001", "STA-0056", "NRD-0004", "NRD-0010", "NRD-0011"}


def test_both_centres_of_the_demo_have_limits_of_normal_of_every_analyte(loaded: demo.Loaded) -> None:
    for centre in Centre.objects.all():
        ranges = ReferenceRange.objects.filter(centre=centre, valid_from="2010-01-01")
        assert set(ranges.values_list("analyte", flat=True)) == {*LabAnalyte.values} - {"body_weight"}
        for analyte in ("haemoglobin", "creatinine"):
            sexes = ranges.filter(analyte=analyte).values_list("sex", flat=True)
            assert sorted(sexes) == ["female", "male"]


# The demo


def test_the_demo_has_a_user_for_each_role_who_can_sign_in(loaded: demo.Loaded, var_dir: Path, rf) -> None:
    lines = loaded.users_file.read_text().splitlines()
    assert lines[0].split() == ["role", "user", "password", "centre"]
    assert stat.S_IMODE(loaded.users_file.stat().st_mode) == 0o600
    assert len(lines) == 10
    for line in lines[1:]:
        user, password = line[16:].split()[:2]
        assert len(password) >= 16
        assert authenticate(rf.post("/"), username=user, password=password) == User.objects.get(username=user)
    centres = {centre.code: centre.pk for centre in Centre.objects.all()}
    at_nrd = User.objects.get(username="physician.nrd")
    assert at_nrd.may(Act.EDIT_PATIENTS, centres["NRD"])
    assert not at_nrd.may(Act.VIEW_RESULTS, centres["STA"])
    assert set(User.objects.filter(is_staff=True).values_list("username", flat=True)) == {
        "datamanager",
        "administrator",
    }
    assert not User.objects.filter(is_superuser=True).exists()


def test_loading_again_changes_nothing(loaded: demo.Loaded) -> None:
    passwords = loaded.users_file.read_text()
    before = (
        Patient.objects.count(),
        Cohort.objects.count(),
        User.objects.count(),
        ReferenceRange.objects.count(),
    )
    death = Death.objects.first()
    void_record(death, by=None, reason="Somebody tries the demo")

    again = demo.load()

    assert again.did == []
    assert again.users_file.read_text() == passwords
    assert (
        Patient.objects.count(),
        Cohort.objects.count(),
        User.objects.count(),
        ReferenceRange.objects.count(),
    ) == before
    death.refresh_from_db()
    assert death.voided_at is not None


def test_lost_passwords_are_made_anew(loaded: demo.Loaded) -> None:
    old = User.objects.get(username="reader").password
    loaded.users_file.unlink()

    demo.load()

    assert loaded.users_file.is_file()
    assert User.objects.get(username="reader").password != old


def test_the_second_centre_holds_other_patients(loaded: demo.Loaded) -> None:
    assert Patient.objects.filter(centre__code="NRD").count() == 12
    assert Cohort.objects.get(slug="published-2020").centre_codes == ["STA"]
    assert len(figures.compare(Cohort.objects.get(slug="published-2020"))) == 29


def test_the_demo_is_refused_where_pages_do_not_say_that_patients_are_synthetic(
    db: None, settings, var_dir: Path
) -> None:
    settings.SYNTHETIC_DATA_BANNER = False
    with pytest.raises(CommandError, match="not a demo"):
        call_command("load_demo")
    assert not User.objects.exists()
