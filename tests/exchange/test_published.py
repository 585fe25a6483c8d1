"""The published cohort: every figure by the ordinary import and computing, and what fails when a fact changes."""

import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.access import Act
from accounts.models import Centre, User
from accounts.records import correct_record, void_record
from analytics.models import Cohort
from exchange import demo
from exchange.published import figures, generator
from imaging.models import Reading
from patients.models import Death, Diagnosis, Patient
from tests.factories import default_protocol
from treatments.models import Cycle, CycleStatus, Discontinuation


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
    before = (Patient.objects.count(), Cohort.objects.count(), User.objects.count())
    death = Death.objects.first()
    void_record(death, by=None, reason="Somebody tries the demo")

    again = demo.load()

    assert again.did == []
    assert again.users_file.read_text() == passwords
    assert (Patient.objects.count(), Cohort.objects.count(), User.objects.count()) == before
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
