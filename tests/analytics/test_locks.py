"""Data locks: kept when records change, refused while something waits, and found out when somebody tampers with them."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from accounts.errors import RegistryError
from accounts.models import Role, User
from accounts.records import correct_record, create_record
from analytics import freshness, locks, results
from analytics.datasets import canonical, export
from analytics.models import (
    Cohort,
    CoursesCounted,
    DataLock,
    Definition,
    Job,
    JobKind,
    JobState,
    LockedOutcome,
    Outcome,
    Strata,
)
from imaging.models import OverallResponse, Reading
from patients.models import Death, DeathCause, Patient
from tests.analytics.test_datasets import from_csv
from tests.factories import (
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    DiscontinuationFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
    make_user,
)
from treatments.models import Administration

pytestmark = pytest.mark.django_db


@pytest.fixture
def everyone() -> Cohort:
    return Cohort.objects.select_related("definition").get(slug="all")


@pytest.fixture
def clinic() -> list[Patient]:
    """Five treated patients: responding, progressing, dead, discontinued, just begun."""
    courses = [CourseFactory(given=n) for n in (4, 4, 3, 2, 1)]
    for course in courses:
        StudyFactory(patient=course.patient)
        DiagnosisFactory(patient=course.patient)
    for course, response in zip(courses, ["PR", "PD", "SD", "SD"], strict=False):
        study = StudyFactory(patient=course.patient, timepoint="interim", performed_on=date(2019, 4, 1))
        ReadingFactory(study=study, overall_response=response)
    DeathFactory(patient=courses[2].patient, died_on=date(2019, 9, 1))
    DiscontinuationFactory(course=courses[3])
    freshness.refresh_inline()
    return [course.patient for course in courses]


@pytest.fixture
def frozen(everyone: Cohort, clinic: list[Patient], data_manager: User) -> DataLock:
    return locks.lock(everyone, "asco-2020", ["STA"], data_manager, "For the abstract")


def in_spite_of_triggers(sql: str, parameters: list[Any] | None = None) -> None:
    """Do what only a superuser of the database can: write where the triggers refuse it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, parameters or [])
        assert cursor.rowcount > 0
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_a_lock_holds_rows_results_and_what_they_were_made_by(
    frozen: DataLock, everyone: Cohort, data_manager: User
) -> None:
    frozen = DataLock.objects.get(pk=frozen.pk)

    assert (frozen.name, frozen.note, frozen.scope, frozen.n_rows) == (
        "asco-2020",
        "For the abstract",
        "STA",
        5,
    )
    assert frozen.locked_by == data_manager
    assert frozen.endpoints == everyone.definition.rules.to_json()
    assert frozen.cohort_as_locked["filter"] == {"courses_counted": "first"}
    assert set(frozen.versions) >= {"registry", "python", "numpy", "postgresql"}
    assert frozen.rows.count() == 5
    live = results.now(everyone, ["STA"], with_curves=False)
    assert {key: frozen.results[key] for key in ("n_patients", "courses", "orr", "pfs", "os")} == {
        key: live[key] for key in ("n_patients", "courses", "orr", "pfs", "os")
    }
    assert len(frozen.content_hash) == len(frozen.results_hash) == 64
    assert locks.verify(frozen) == []


def test_corrections_move_the_live_results_and_not_the_lock(
    frozen: DataLock, everyone: Cohort, clinic: list[Patient], physician: User
) -> None:
    before, curves = locks.results(frozen)
    create_record(
        Death(patient=clinic[0], died_on=date(2019, 12, 24), cause=DeathCause.COMORBIDITY), by=physician
    )
    reading = Reading.objects.get(study__patient=clinic[0])
    correct_record(reading, {"overall_response": OverallResponse.SD}, by=physician, reason="Second look")
    freshness.refresh_inline()

    live = results.now(everyone, ["STA"])
    assert (live["os"]["events"], live["orr"]["n"]) == (2, 0)
    assert locks.results(frozen) == (before, curves)
    assert (before["os"]["events"], before["orr"]["n"]) == (1, 1)
    assert locks.verify(frozen) == []
    call_command("verify_lock", "asco-2020")


def test_a_lock_keeps_the_definition_it_was_made_by(frozen: DataLock, everyone: Cohort) -> None:
    Definition.objects.filter(pk=everyone.definition_id).update(
        endpoints={"landmark_months": [3], "orr_denominator": "all_treated"}, data_cutoff=date(2019, 2, 1)
    )
    Cohort.objects.filter(pk=everyone.pk).update(sexes=["male"])
    freshness.refresh_inline()

    assert locks.verify(frozen) == []
    assert [each["months"] for each in frozen.results["pfs"]["landmarks"]] == [6, 12, 18, 24]


def test_its_export_is_the_same_before_and_after_a_correction(
    frozen: DataLock, everyone: Cohort, clinic: list[Patient]
) -> None:
    def written() -> tuple[zipfile.ZipFile, dict[str, Any]]:
        out = io.BytesIO()
        manifest = export.write(
            out, export.locked(frozen), level=export.Level.REGISTRY, by=None, formats=["csv", "xlsx"]
        )
        return zipfile.ZipFile(out), manifest

    first, said = written()
    live = io.BytesIO()
    export.write(live, export.live(everyone, ["STA"]), level=export.Level.REGISTRY, by=None, formats=["csv"])
    DeathFactory(patient=clinic[0])
    freshness.refresh_inline()
    _, said_again = written()

    assert said["sha256"] == said_again["sha256"]
    assert (said["lock"]["name"], said["lock"]["content_hash"]) == ("asco-2020", frozen.content_hash)
    assert said["left_out"] == ["ADTR: a data lock holds responses, and no measurements of lesions."]
    assert "adtr.csv" not in first.namelist()
    # What it held then is what the cohort held, but for its name.
    of_lock, of_cohort = from_csv(first), from_csv(zipfile.ZipFile(live))
    for name in ("ADSL", "ADTTE", "ADRS"):
        assert of_lock[name] == [row | {"STUDYID": "asco-2020"} for row in of_cohort[name]]


def test_a_lock_of_every_course_counts_patients(everyone: Cohort, clinic: list[Patient]) -> None:
    again = CourseFactory(patient=clinic[0], number=2, given=0)
    cycle = again.cycles.get(number=1)
    cycle.status = "given"
    cycle.save()
    Administration.objects.create(
        cycle=cycle,
        administered_at=datetime(2020, 6, 2, 9, tzinfo=UTC),
        prescribed_activity_mbq=Decimal(7400),
        administered_activity_mbq=Decimal(7400),
    )
    Cohort.objects.filter(pk=everyone.pk).update(courses_counted=CoursesCounted.ALL, strata_by=Strata.STATUS)
    freshness.refresh_inline()

    frozen = locks.lock(everyone, "every", ["STA"], None)

    assert (frozen.n_rows, frozen.results["courses"]["n"], frozen.results["n_patients"]) == (6, 6, 5)
    assert frozen.results["strata"]["by"] == "status"
    assert locks.verify(frozen) == []


# Refused


def assert_refused(code: str, make: Callable[[], object]) -> str:
    locked, rows = DataLock.objects.count(), LockedOutcome.objects.count()
    with pytest.raises(RegistryError) as refused, transaction.atomic():
        make()
    assert refused.value.code == code
    assert (DataLock.objects.count(), LockedOutcome.objects.count()) == (locked, rows)
    return str(refused.value)


def test_a_name_is_given_once(frozen: DataLock, everyone: Cohort) -> None:
    message = assert_refused("name_taken", lambda: locks.lock(everyone, "asco-2020", ["STA"], None))
    assert "asco-2020" in message


@pytest.mark.parametrize("name", ["", "two words", "a/b"])
def test_a_name_fits_an_address(everyone: Cohort, clinic: list[Patient], name: str) -> None:
    with pytest.raises(ValidationError):
        locks.lock(everyone, name, ["STA"], None)


def test_nothing_is_locked_while_a_course_is_to_be_derived(everyone: Cohort, clinic: list[Patient]) -> None:
    DeathFactory(patient=clinic[0])

    message = assert_refused("pending", lambda: locks.lock(everyone, "early", ["STA"], None))
    assert message.startswith("1 course is still to be derived")

    freshness.refresh_inline()
    assert locks.lock(everyone, "early", ["STA"], None).n_rows == 5


def test_what_waits_at_another_centre_does_not_hold_up_a_lock(
    everyone: Cohort, clinic: list[Patient], other_centre: Any
) -> None:
    CourseFactory(given=1, patient=PatientFactory(centre=other_centre, registry_number="NRD-0001"))

    assert locks.lock(everyone, "own", ["STA"], None).n_rows == 5
    assert_refused("pending", lambda: locks.lock(everyone, "both", ["NRD", "STA"], None))


def test_nothing_is_locked_while_an_outcome_is_missing_or_the_cohort_has_changed(
    everyone: Cohort, clinic: list[Patient]
) -> None:
    definition = Definition.objects.create(name="Other", endpoints={})
    rebuild = Job.objects.create(kind=JobKind.REBUILD, definition=everyone.definition, state=JobState.RUNNING)
    assert_refused("pending", lambda: locks.lock(everyone, "early", ["STA"], None))
    rebuild.state = JobState.DONE
    rebuild.save()

    Outcome.objects.filter(course__patient=clinic[0]).update(derived_at=None)
    assert_refused("pending", lambda: locks.lock(everyone, "early", ["STA"], None))
    freshness.mark_everything()
    freshness.refresh_inline()

    Cohort.objects.filter(pk=everyone.pk).update(sexes=["female"], definition=definition)
    assert_refused("pending", lambda: locks.lock(everyone, "early", ["STA"], None))


def test_a_lock_is_of_a_saved_cohort_with_courses_at_named_centres(
    everyone: Cohort, clinic: list[Patient], other_centre: Any
) -> None:
    assert_refused(
        "not_saved", lambda: locks.lock(Cohort(definition=everyone.definition), "x", ["STA"], None)
    )
    assert_refused("no_centres", lambda: locks.lock(everyone, "x", [], None))
    assert_refused("no_centres", lambda: locks.lock(everyone, "x", ["STA", "XXX"], None))
    assert_refused("empty", lambda: locks.lock(everyone, "x", ["NRD"], None))


def test_who_may_not_see_the_results_of_a_centre_cannot_lock_it(
    everyone: Cohort, clinic: list[Patient], other_centre: Any
) -> None:
    researcher = make_user(role=Role.RESEARCHER, centre=other_centre)
    with pytest.raises(PermissionDenied), transaction.atomic():
        locks.lock(everyone, "x", ["STA"], researcher)
    with pytest.raises(PermissionDenied), transaction.atomic():
        locks.lock(everyone, "x", ["NRD", "STA"], researcher)


def test_a_lock_is_seen_by_who_may_see_the_results_of_all_its_centres(
    everyone: Cohort, clinic: list[Patient], centre: Any, other_centre: Any
) -> None:
    CourseFactory(given=1, patient=PatientFactory(centre=other_centre, registry_number="NRD-0001"))
    freshness.refresh_inline()
    for name, codes in (("sta", ["STA"]), ("nrd", ["NRD"]), ("both", ["STA", "NRD"])):
        locks.lock(everyone, name, codes, None)

    def seen(user: Any) -> set[str]:
        return set(DataLock.objects.visible_to(user).values_list("name", flat=True))

    here, there = (
        make_user(role=Role.RESEARCHER, centre=centre),
        make_user(role=Role.PHYSICIAN, centre=other_centre),
    )
    assert seen(here) == {"sta"}
    assert seen(there) == {"nrd"}
    everywhere = make_user(role=Role.RESEARCHER, centre=centre)
    everywhere.memberships.create(centre=other_centre, role=Role.READER)
    assert seen(everywhere) == {"sta", "nrd", "both"}
    assert seen(make_user(role=None)) == set()
    assert seen(AnonymousUser()) == set()
    assert seen(make_user(role=Role.RESEARCHER, centre=centre, is_active=False)) == set()
    assert seen(make_user(role=None, is_superuser=True)) == {"sta", "nrd", "both"}


# Tampering


@pytest.mark.parametrize(
    "change",
    [
        lambda: DataLock.objects.update(note="Better"),
        lambda: DataLock.objects.all()._raw_delete("default"),
        lambda: LockedOutcome.objects.update(os_days=999),
        lambda: LockedOutcome.objects.all()._raw_delete("default"),
    ],
)
def test_the_database_refuses_every_change(frozen: DataLock, change: Callable[[], object]) -> None:
    with pytest.raises(DatabaseError, match="A data lock is kept as it was made"), transaction.atomic():
        change()
    assert locks.verify(frozen) == []


def test_a_changed_row_is_found_and_the_figures_that_it_moved_are_named(frozen: DataLock) -> None:
    in_spite_of_triggers("UPDATE analytics_lockedoutcome SET os_days = os_days + 1 WHERE os_event")

    found = locks.verify(frozen)

    assert found[0].startswith("Its rows, filter, definition, cut-off or centres were changed")
    assert frozen.content_hash in found[0]
    with pytest.raises(CommandError, match="Not as locked: asco-2020"):
        call_command("verify_lock", "asco-2020")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "UPDATE analytics_lockedoutcome SET best_overall_response = 'CR' WHERE best_overall_response = 'PR'",
            "orr.",
        ),
        ("UPDATE analytics_lockedoutcome SET response_evaluable_reason = 'x'", "Its rows"),
        ("DELETE FROM analytics_lockedoutcome WHERE os_event", "It has 4 rows, and says that 5 were locked."),
        ("UPDATE analytics_datalock SET n_rows = 4", "It has 5 rows, and says that 4"),
        (
            "UPDATE analytics_datalock SET results = jsonb_set(results, '{orr,n}', '3')",
            "Its stored results were changed",
        ),
        (
            "UPDATE analytics_datalock SET results = jsonb_set(results, '{orr,n}', '3')",
            "orr.n is 1, and was 3.",
        ),
        ("UPDATE analytics_datalock SET data_cutoff = data_cutoff - 1", "Its rows, filter"),
        (
            'UPDATE analytics_datalock SET endpoints = endpoints || \'{"new_therapy": "censor"}\'',
            "Its rows, filter",
        ),
        (
            "UPDATE analytics_datalock SET cohort_as_locked = cohort_as_locked || '{\"version\": 9}'",
            "Its rows, filter",
        ),
        (
            "UPDATE analytics_datalock SET cohort_as_locked = jsonb_set(cohort_as_locked, '{columns,0}', '\"1; DROP\"')",
            "Its rows cannot be hashed: unknown columns 1; DROP.",
        ),
    ],
)
def test_tampering_by_a_superuser_is_found(frozen: DataLock, sql: str, told: str) -> None:
    in_spite_of_triggers(sql)

    assert any(told in sentence for sentence in locks.verify(frozen)), locks.verify(frozen)


def test_the_hash_does_not_hang_on_the_sessions_settings(frozen: DataLock) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL timezone = 'Asia/Tokyo'; SET LOCAL datestyle = 'German'; SET LOCAL extra_float_digits = 0"
        )
    assert locks.content_hash(frozen) == frozen.content_hash


def test_the_hash_is_the_one_the_docs_describe(frozen: DataLock) -> None:
    """Said once more from docs/locks.md: an object, then an array for each row, a line each."""
    columns = frozen.cohort_as_locked["columns"]
    text = canonical.dumps(
        {
            "cohort": frozen.cohort_as_locked,
            "endpoints": frozen.endpoints,
            "data_cutoff": frozen.data_cutoff.isoformat(),
            "scope": "STA",
        }
    )
    lines = [text]
    for row in sorted(frozen.rows.all(), key=lambda row: (row.registry_number, row.course_number)):
        values = ["STA", row.registry_number, row.course_number, *(getattr(row, name) for name in columns)]
        lines.append(canonical.dumps(values))

    assert hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest() == frozen.content_hash
    assert {"pfs_days", "os_on", "responses", "toxicities", "ki67_percent"} <= set(columns)


def test_the_commands_lock_and_verify(everyone: Cohort, clinic: list[Patient], capsys: Any) -> None:
    DeathFactory(patient=clinic[0])
    with pytest.raises(CommandError, match=r"still to be derived.*--refresh"):
        call_command("lock_cohort", "all", "first")
    call_command("lock_cohort", "all", "first", "--refresh", "--note", "x")

    frozen = DataLock.objects.get(name="first")
    assert frozen.content_hash in capsys.readouterr().out
    call_command("verify_lock")
    assert "first: as it was locked, 5 courses." in capsys.readouterr().out
    for name, command in (("nowhere", "lock_cohort"), ("nothing", "verify_lock")):
        with pytest.raises(CommandError, match=f"There is no .* '{name}'"):
            call_command(command, name, *(["x"] if command == "lock_cohort" else []))
    with pytest.raises(CommandError, match="There is a data lock first already"):
        call_command("lock_cohort", "all", "first")
