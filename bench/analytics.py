"""Analytics at one size of registry: stored results, a correction, a rebuild, questions never asked before.

Every ratio is of two ways measured side by side in one run that give the same output, which is compared.
"""

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from django.conf import settings
from django.db import connection
from django.db.models import Sum
from lifelines import KaplanMeierFitter

from accounts.records import correct_record
from analytics import compute, freshness, rebuild, tallies
from analytics.models import (
    Cohort,
    Definition,
    Job,
    Outcome,
    Result,
    StaleCourse,
    StaleResult,
    Strata,
)
from analytics.rules.response import OBJECTIVE_RESPONSES, clopper_pearson
from analytics.rules.survival import EventTable, kaplan_meier, quantile
from patients.models import Death

CODES = ["BEN"]
QUESTIONS = 50
CORRECTIONS = 20
BURST = 1000
# What a stored result is compared by with other ways of computing it.
COMPARED = ("pfs", "os", "pfs_entry", "os_entry", "response")


@dataclass
class Measured:
    """Times in ms, ascending, unless said otherwise."""

    patients: int
    load_seconds: float = 0
    stored_ms: float = 0
    document_ms: float = 0
    grouped_ms: float = 0
    rows_ms: float = 0
    r_ms: float | None = None
    one_fresh_ms: list[float] = field(default_factory=list)
    all_fresh_ms: list[float] = field(default_factory=list)
    burst_recomputes: int = 0
    burst_seconds: float = 0
    per_second: float = 0
    floor_per_second: float = 0
    two_per_second: float = 0
    one_worker_per_second: float = 0
    worker_mib: float = 0
    count_ms: list[float] = field(default_factory=list)
    by_hand_ms: list[float] = field(default_factory=list)
    question_ms: list[float] = field(default_factory=list)


def median_ms(work: Callable[[], object], repeats: int) -> float:
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


# (a) Stored results. PFS and OS with log(-log) limits, median with limits, and ORR with limits, of all and of 4 strata.

Answer = dict[str, Any]


def _summary(tables: dict[str, EventTable], n: int, of: int) -> Answer:
    answer: Answer = {"orr": (n, of, clopper_pearson(n, of))}
    for endpoint, table in tables.items():
        curve = kaplan_meier(table)
        median = quantile(curve)
        answer[endpoint] = {**curve.to_json(), "median": (median.days, median.lower, median.upper)}
    return answer


def stored(cohort: Cohort) -> dict[str, Answer]:
    """Return it from the stored tallies."""
    return _of_counts(tallies.stored_counts(cohort, CODES, COMPARED))


def _of_counts(counts: tallies.Counts) -> dict[str, Answer]:
    answers = {}
    for stratum in (None, *counts.strata):
        tables = {endpoint: compute.event_table(counts, endpoint, stratum) for endpoint in ("pfs", "os")}
        best = counts.by_category("response", stratum)
        evaluable = {code.partition(":")[2]: n for code, n in best.items() if code.startswith("evaluable:")}
        n = sum(evaluable.get(code, 0) for code in OBJECTIVE_RESPONSES)
        answers[stratum or "all"] = _summary(tables, n, sum(evaluable.values()))
    return answers


_WHERE = "definition_id = %s AND is_first_course AND time_zero IS NOT NULL AND problem = ''"


def grouped(cohort: Cohort) -> dict[str, Answer]:
    """Return it from one GROUP BY for each endpoint over the outcomes, and the same numpy."""
    columns: dict[tuple[str, str], list[list[int]]] = {}
    responses: dict[str, list[tuple[str, int]]] = {}
    with connection.cursor() as cursor:
        for endpoint in ("pfs", "os"):
            cursor.execute(
                f"SELECT who_grade, {endpoint}_days, {endpoint}_event, count(*)::int FROM analytics_outcome"  # noqa: S608
                f" WHERE {_WHERE} AND {endpoint}_days IS NOT NULL GROUP BY 1, 2, 3",
                [cohort.definition_id],
            )
            for grade, days, event, n in cursor.fetchall():
                for stratum in ("all", grade):
                    of = columns.setdefault((stratum, endpoint), [[], [], [], []])
                    of[0 if event else 2].append(days)
                    of[1 if event else 3].append(n)
        cursor.execute(
            "SELECT who_grade, best_overall_response, count(*)::int FROM analytics_outcome"  # noqa: S608
            f" WHERE {_WHERE} AND response_evaluable GROUP BY 1, 2",
            [cohort.definition_id],
        )
        for grade, code, n in cursor.fetchall():
            responses.setdefault(grade, []).append((code, n))
            responses.setdefault("all", []).append((code, n))
    answers = {}
    for stratum in sorted({stratum for stratum, _ in columns}):
        tables = {endpoint: _summed(columns[stratum, endpoint]) for endpoint in ("pfs", "os")}
        best = responses.get(stratum, [])
        n = sum(n for code, n in best if code in OBJECTIVE_RESPONSES)
        answers[stratum] = _summary(tables, n, sum(n for _, n in best))
    return answers


def _summed(columns: Sequence[Sequence[int]]) -> EventTable:
    """Return the event table of days that may be there several times, one for each stratum."""
    pairs: list[Any] = []
    for at, n in (columns[:2], columns[2:]):
        counts = np.bincount(at, weights=n).astype(np.int64) if at else np.zeros(0, np.int64)
        days = np.flatnonzero(counts)
        pairs += [days, counts[days]]
    return EventTable.from_arrays(*pairs)


def rows(cohort: Cohort) -> dict[str, Answer]:
    """Return it from one row a patient, in psycopg's binary format, put into arrays and fitted by lifelines."""
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            "SELECT who_grade, pfs_days, pfs_event, os_days, os_event, response_evaluable, best_overall_response"  # noqa: S608
            f" FROM analytics_outcome WHERE {_WHERE}",
            [cohort.definition_id],
            binary=True,
        )
        columns = list(zip(*cursor.fetchall(), strict=True))
    grades, pfs_days, pfs_event, os_days, os_event, evaluable, best = map(np.array, columns)
    evaluable = evaluable.astype(bool)
    objective = np.isin(best, list(OBJECTIVE_RESPONSES)) & evaluable
    answers: dict[str, Answer] = {}
    for stratum in ("all", *sorted(set(columns[0]))):
        of = np.ones(len(grades), bool) if stratum == "all" else grades == stratum
        n, evaluated = int(objective[of].sum()), int(evaluable[of].sum())
        answers[stratum] = {"orr": (n, evaluated, clopper_pearson(n, evaluated))}
        for endpoint, days, events in (("pfs", pfs_days, pfs_event), ("os", os_days, os_event)):
            fitted = KaplanMeierFitter().fit(days[of].astype(float), events[of].astype(bool))
            limits = fitted.confidence_interval_
            table = fitted.event_table
            answers[stratum][endpoint] = {
                "days": table.index.to_numpy(),
                "events": table["observed"].to_numpy(),
                "survival": fitted.survival_function_.iloc[:, 0].to_numpy(),
                "lower": limits.iloc[:, 0].to_numpy(),
                "upper": limits.iloc[:, 1].to_numpy(),
                "median": fitted.median_survival_time_,
            }
    return answers


def assert_same(found: dict[str, Answer], other: dict[str, Answer]) -> None:
    """Compare days, events, survival and limits of every curve, and every rate.

    Lifelines gives limits where R and the product give none (survival of 1 or 0): those rows are left out.
    """
    assert found.keys() == other.keys(), (found.keys(), other.keys())
    for stratum, answer in found.items():
        assert answer["orr"] == other[stratum]["orr"], stratum
        for endpoint in ("pfs", "os"):
            ours, theirs = answer[endpoint], other[stratum][endpoint]
            assert list(ours["days"]) == list(theirs["days"]), (stratum, endpoint)
            assert list(ours["events"]) == list(theirs["events"])
            assert np.allclose(ours["survival"], np.asarray(theirs["survival"], float), atol=1e-9)
            for limit in ("lower", "upper"):
                mine = np.array([np.nan if value is None else value for value in ours[limit]])
                known = ~np.isnan(mine)
                its = np.array([np.nan if value is None else value for value in theirs[limit]], float)
                assert np.allclose(mine[known], its[known], atol=1e-7), (stratum, endpoint, limit)


_R = """
library(survival); d <- read.csv(commandArgs(TRUE)[1]); n <- as.integer(commandArgs(TRUE)[2]); times <- c()
for (i in 1:n) times <- c(times, system.time(for (g in c("all", unique(d$grade))) {
  of <- if (g == "all") d else d[d$grade == g, ]
  a <- survfit(Surv(pfs_days, pfs_event) ~ 1, data = of, conf.type = "log-log"); quantile(a, 0.5)
  b <- survfit(Surv(os_days, os_event) ~ 1, data = of, conf.type = "log-log"); quantile(b, 0.5)
})[["elapsed"]]); cat(median(times) * 1000)
"""


def r_survfit_ms(cohort: Cohort, repeats: int) -> float | None:
    """Return R's time for the same curves from rows that are in its memory; None where R is not installed."""
    file = Path(settings.VAR_DIR) / "bench-rows.csv"
    with connection.cursor() as cursor, file.open("wb") as out:
        out.write(b"grade,pfs_days,pfs_event,os_days,os_event\n")
        with cursor.copy(
            "COPY (SELECT who_grade, pfs_days, pfs_event::int, os_days, os_event::int FROM analytics_outcome"  # noqa: S608
            f" WHERE {_WHERE}) TO STDOUT (FORMAT CSV)" % cohort.definition_id
        ) as copy:
            for data in copy:
                out.write(data)
    try:
        done = subprocess.run(  # noqa: S603 (constants)
            ["Rscript", "-e", _R, str(file), str(repeats)],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    finally:
        file.unlink()


# (b) A correction, with twenty saved cohorts


def save_cohorts(definition: Definition) -> Cohort:
    """Save twenty cohorts of mixed filters beside the one of all; return one that counts all, in four strata."""
    kinds: list[dict[str, Any]] = [
        {"strata_by": Strata.WHO_GRADE},
        {"sexes": ["female"]},
        {"sexes": ["male"], "strata_by": Strata.PRIMARY_SITE},
        {"tumour_types": ["net"]},
        {"primary_sites": ["pancreas"], "strata_by": Strata.SEX},
        {"primary_sites": ["small_intestine"]},
        {"who_grades": ["g1", "g2"]},
        {"who_grades": ["g3"]},
        {"ki67_from": 3, "ki67_to": 20},
        {"functional_syndromes": ["carcinoid"]},
        {"age_from": 65},
        {"age_to": 64, "strata_by": Strata.ECOG},
        {"ecogs": [0, 1]},
        {"with_prior_therapies": ["chemotherapy"]},
        {"without_prior_therapies": ["chemotherapy", "surgery"]},
        {"started_from": date(2018, 1, 1)},
        {"started_to": date(2017, 12, 31)},
        {"statuses": ["completed"], "krenning_scores": [3, 4]},
        {"statuses": ["discontinued"]},
        {"cycles_from": 4, "suv_max_from": 20},
    ]
    for n, values in enumerate(kinds):
        Cohort.objects.get_or_create(
            slug=f"bench-{n}", defaults={"name": f"Bench {n}", "definition": definition, **values}
        )
    return Cohort.objects.select_related("definition").get(slug="bench-0")


def _is_stale() -> bool:
    return StaleCourse.objects.exists() or StaleResult.objects.exists()


def _correct(death: Death) -> None:
    correct_record(death, {"died_on": death.died_on + timedelta(days=1)}, by=None, reason="measured")


def correct(index: int, cohort: Cohort) -> tuple[float, float]:
    """Correct a date of death; return the ms from its commit until the cohort's result is fresh, and until all are."""
    deaths = Death.objects.filter(died_on__lt="2026-06-01").order_by("id")[: 2 * CORRECTIONS]
    death = deaths[index % len(deaths)]
    results = Result.objects.filter(cohort=cohort, scope="BEN").values_list("revision", flat=True)
    before = results.get()
    _correct(death)
    began = time.perf_counter()
    one = None
    while one is None or _is_stale():
        if one is None and results.get() > before:
            one = (time.perf_counter() - began) * 1000
        assert time.perf_counter() - began < 120, "the worker does not answer"
        time.sleep(0.002)
    return one, (time.perf_counter() - began) * 1000


def burst() -> tuple[int, float]:
    """Correct a thousand records as fast as it goes; return the most recomputes of a cohort's result, and the seconds."""
    before = dict(Result.objects.values_list("pk", "revision"))
    deaths = list(Death.objects.filter(died_on__lt="2026-06-01").order_by("id")[:BURST])
    began = time.perf_counter()
    for n in range(BURST):
        deaths[n % len(deaths)].refresh_from_db()
        _correct(deaths[n % len(deaths)])
    corrected = time.perf_counter() - began
    while _is_stale():
        assert time.perf_counter() - began < corrected + 120, "the worker does not answer"
        time.sleep(0.01)
    after = dict(Result.objects.values_list("pk", "revision"))
    return max(after[pk] - before.get(pk, 0) for pk in after), corrected


# (c) (d) A full rebuild


def plan_anew(definition: Definition) -> None:
    """Divide a rebuild as a changed definition asks for it: no outcome that comes out otherwise is noted as a change.

    The floor writes one row everywhere. Noted, that and its being put right would be measured instead of fetch and write.
    """
    job = rebuild.start(definition)
    Job.objects.filter(pk=job.pk).update(parameters={"reason": "definition"})
    rebuild.plan()


def rebuild_per_second(definition: Definition, *, workers: int) -> tuple[float, float]:
    """Return the courses per second of so many processes together, and the peak of memory of one, MiB.

    The clock runs from when all processes have loaded what they need.
    """
    plan_anew(definition)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.rebuilding"],
            cwd=settings.BASE_DIR,
            env=os.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(workers)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    peaks = [float(process.communicate()[0]) for process in processes]
    seconds = time.perf_counter() - began
    done = Outcome.objects.filter(definition=definition).count()
    rebuild.finish()
    return done / seconds, max(peaks)


def in_process_per_second(definition: Definition) -> float:
    plan_anew(definition)
    began = time.perf_counter()
    while rebuild.do_chunk():
        pass
    seconds = time.perf_counter() - began
    rebuild.finish()
    return Outcome.objects.filter(definition=definition).count() / seconds


def floor_per_second(definition: Definition) -> float:
    """Return the same with the rule replaced by nothing: the product's own fetch and write of a row made before."""
    row, made = freshness._row, None

    def nothing(course: Any, rules: Any, cutoff: date) -> tuple[Any, ...]:
        nonlocal made
        if made is None:
            made = row(course, rules, cutoff)
        return made

    freshness._row = nothing
    try:
        return in_process_per_second(definition)
    finally:
        freshness._row = row


# (e) Questions never asked before


def questions(definition: Definition) -> list[Cohort]:
    chance = random.Random(5)  # noqa: S311 (a load)
    choices: dict[str, Callable[[], Any]] = {
        "sexes": lambda: [chance.choice(["female", "male"])],
        "primary_sites": lambda: chance.sample(["pancreas", "small_intestine", "unknown", "lung"], 2),
        "who_grades": lambda: chance.sample(["g1", "g2", "g3"], 2),
        "age_from": lambda: chance.randrange(40, 75),
        "ki67_to": lambda: chance.randrange(5, 25),
        "functional_syndromes": lambda: ["carcinoid"],
        "ecogs": lambda: [0, chance.choice([1, 2])],
        "with_prior_therapies": lambda: ["chemotherapy"],
        "started_from": lambda: date(chance.randrange(2012, 2022), 1, 1),
        "cycles_from": lambda: chance.choice([2, 4]),
        "krenning_scores": lambda: [3, 4],
        "suv_max_from": lambda: chance.randrange(10, 30),
        "statuses": lambda: [chance.choice(["completed", "discontinued"])],
    }
    return [
        Cohort(
            definition=definition,
            **{name: choices[name]() for name in chance.sample(sorted(choices), chance.randint(1, 4))},
        )
        for _ in range(QUESTIONS)
    ]


def by_hand(cohort: Cohort) -> int:
    """Count with the SQL that somebody would type who knows the table."""
    conditions, values = tallies.filter_of(cohort)
    conditions = [condition for condition in conditions if "derived_at" not in condition]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM analytics_outcome o JOIN accounts_centre z ON z.id = o.centre_id"  # noqa: S608
            " WHERE z.code = 'BEN' AND o.time_zero IS NOT NULL AND o.problem = ''"
            f" AND {' AND '.join(conditions)}",
            values,
        )
        return int(cursor.fetchone()[0])


def ask(found: Measured, definition: Definition) -> None:
    for cohort in questions(definition):
        began = time.perf_counter()
        counted = tallies.count_patients(cohort, CODES)
        middle = time.perf_counter()
        assert by_hand(cohort) == counted
        end = time.perf_counter()
        found.count_ms.append((middle - began) * 1000)
        found.by_hand_ms.append((end - middle) * 1000)
    for cohort in questions(definition)[:10]:
        began = time.perf_counter()
        document, _ = compute.results_now(cohort, CODES)
        found.question_ms.append((time.perf_counter() - began) * 1000)
        assert document["n_patients"] == by_hand(cohort)
    for times in (found.count_ms, found.by_hand_ms, found.question_ms):
        times.sort()


def stored_results(found: Measured, cohort: Cohort, *, repeats: int) -> None:
    with_rows = rows(cohort)
    from_tallies = stored(cohort)
    assert_same(from_tallies, grouped(cohort))
    assert_same(from_tallies, with_rows)
    found.stored_ms = median_ms(lambda: stored(cohort), repeats)
    found.grouped_ms = median_ms(lambda: grouped(cohort), repeats)
    found.rows_ms = median_ms(lambda: rows(cohort), repeats if found.patients <= 100_000 else 3)
    found.document_ms = median_ms(lambda: compute.results(cohort, CODES), repeats)
    found.r_ms = r_survfit_ms(cohort, repeats if found.patients <= 100_000 else 3)


def measure(patients: int, *, repeats: int, by_worker: Callable[[], Any]) -> Measured:
    """Measure on the registry that is loaded, whose outcomes are still to be derived.

    Args:
        by_worker: a context manager in whose block a real worker answers.
    """
    found = Measured(patients)
    definition = Definition.objects.get(cohorts__slug="all")
    cohort = save_cohorts(definition)
    in_process_per_second(definition)  # makes the rows
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE analytics_outcome")
    found.floor_per_second = floor_per_second(definition)
    found.per_second = in_process_per_second(definition)
    found.one_worker_per_second, found.worker_mib = rebuild_per_second(definition, workers=1)
    found.two_per_second, peak = rebuild_per_second(definition, workers=2)
    found.worker_mib = max(found.worker_mib, peak)
    freshness.refresh_inline()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    cohort.refresh_from_db()

    stored_results(found, cohort, repeats=repeats)
    ask(found, definition)
    with by_worker():
        correct(0, cohort)  # waits until the worker is up
        for n in range(CORRECTIONS):
            one, everything = correct(n, cohort)
            found.one_fresh_ms.append(one)
            found.all_fresh_ms.append(everything)
        found.burst_recomputes, found.burst_seconds = burst()
    found.one_fresh_ms.sort()
    found.all_fresh_ms.sort()
    wrong = freshness.reconcile()
    assert not wrong, f"tallies differ: {wrong}"
    assert Outcome.objects.filter(derived_at=None).aggregate(n=Sum("id"))["n"] is None
    return found
