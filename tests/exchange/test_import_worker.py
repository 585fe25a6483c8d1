"""Importing with a real worker, a real beat and a real broker, which are killed and away."""

import time
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from accounts.models import Centre, Role, User
from exchange import importing
from exchange.models import Import, ImportState
from patients.models import Patient, PatientIdentity
from prrt_registry.embedded import broker as embedded_broker
from tests.analytics.test_worker import broker as broker
from tests.analytics.test_worker import start as start
from tests.exchange.test_own_sheets import checked
from tests.factories import CentreFactory, default_protocol, make_user
from tests.processes import Process, wait_for

pytestmark = pytest.mark.processes

Starter = Callable[[str], Process]


@pytest.fixture
def centre(committed: None) -> Centre:
    default_protocol()
    return CentreFactory(code="STA")


@pytest.fixture
def manager(centre: Centre) -> User:
    return make_user(role=Role.DATA_MANAGER, centre=centre, username="manager")


def sheet(n: int) -> bytes:
    """Return a sheet of ``n`` patients with two cycles each."""
    lines = [
        "MRN;Nachname;Geburtsdatum;Geschlecht;Zyklus 1 Datum;Zyklus 1 Akt (GBq);Zyklus 2 Datum;Zyklus 2 Akt (GBq)"
    ]
    for number in range(n):
        on = date(2015, 1, 5) + timedelta(days=number % 700)
        lines.append(
            f"{number};Name {number};{date(1940, 1, 1) + timedelta(days=7 * number % 15000)};w;"
            f"{on} 09:30;7,4;{on + timedelta(days=56)} 09:30;7,35"
        )
    return "\n".join(lines).encode()


def state_of(job: Import) -> str:
    return str(Import.objects.values_list("state", flat=True).get(pk=job.pk))


def test_a_press_of_the_button_reaches_the_registry_through_the_worker(start: Starter, centre, manager):
    start("worker")
    job = checked(sheet(30), centre, manager)

    assert importing.ask_import(job, by=manager)
    assert not importing.ask_import(job, by=manager)

    # No beat runs: only the task asked for after the commit can have done it.
    wait_for(
        lambda: state_of(job) == ImportState.DONE, seconds=90, what="the worker imports after the commit"
    )
    assert Patient.objects.count() == 30
    assert Import.objects.get().attempts == 1


def test_a_worker_killed_in_the_middle_stores_nothing_and_another_takes_it_up(
    start: Starter, centre, manager
):
    n = 1500
    job = checked(sheet(n), centre, manager)
    worker = start("worker")
    start("beat")
    assert importing.ask_import(job, by=manager)

    wait_for(
        lambda: Import.objects.get(pk=job.pk).step.startswith("Writing"), seconds=90, what="the worker writes"
    )
    worker.kill()
    assert state_of(job) == ImportState.RUNNING
    assert not Patient.objects.exists()
    assert not PatientIdentity.objects.exists()

    start("worker")
    wait_for(lambda: state_of(job) == ImportState.DONE, seconds=120, what="beat asks a new worker")
    assert Patient.objects.count() == n
    assert Import.objects.get().attempts == 2


def test_a_broker_that_is_away_leaves_it_waiting_and_the_sweep_asks_again(
    start: Starter, centre, manager, broker
):
    job = checked(sheet(5), centre, manager)
    embedded_broker.stop(broker)

    began = time.monotonic()
    assert importing.ask_import(job, by=manager)
    assert time.monotonic() - began < 5
    assert state_of(job) == ImportState.WAITING

    embedded_broker.ensure_running(broker)
    start("worker")
    start("beat")
    wait_for(lambda: state_of(job) == ImportState.DONE, seconds=90, what="beat asks once the broker is back")
    assert Patient.objects.count() == 5
