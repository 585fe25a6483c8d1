"""``python -m bench [--patients 63,10000,1000000] [--repeats 7]``: measures on servers of its own under ``var/bench``."""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench import dicom, imaging, importing, measure, pages, treatments

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("REGISTRY_VAR", str(ROOT / "var" / "bench"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "prrt_registry.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")


def milliseconds(work: Callable[[], object], *, repeats: int) -> list[float]:
    """Return how long each of ``repeats`` runs took, ascending, after one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1000)
    return sorted(times)


def p50_p95(times: Sequence[float]) -> str:
    """Return median and 95th percentile of ascending ``times`` for the table."""
    return (
        f"{statistics.median(times):8.1f} {times[min(len(times) - 1, round(0.95 * (len(times) - 1)))]:8.1f}"
    )


def table(title: str, head: str, rows: Sequence[str]) -> None:
    print(f"\n{title}\n{head}\n{'-' * len(head)}")
    print("\n".join(rows), flush=True)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--patients", default="63,1000,10000,100000", help="sizes, separated by commas")
    parser.add_argument(
        "--courses", type=int, default=10_000, help="running courses of the centre's worklist; 0: none"
    )
    parser.add_argument(
        "--imported", type=int, default=2_000, help="patients of the file that is imported; 0: none"
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--analytics", action="store_true", help="analytics and pages alone")
    parser.add_argument("--pages", action="store_true", help="pages alone")
    options = parser.parse_args(arguments)
    sizes = [int(size) for size in options.patients.split(",") if size]

    import django

    django.setup()
    from bench import dicom, imaging, importing, measure, pages, treatments

    if options.pages:
        measure.prepare()
        try:
            for size in sizes:
                pages.load(size)
                print_pages(size, pages.measure(repeats=3 * options.repeats))
        finally:
            measure.end()
        return
    if not options.analytics:
        print_imaging(imaging.measure(repeats=options.repeats))
        print_dicom(dicom.measure())
    found: list[measure.Measured] = []
    measure.prepare()
    try:
        if options.courses and not options.analytics:
            print_treatments(treatments.measure(courses=options.courses, repeats=options.repeats))
        if options.imported and not options.analytics:
            print_importing(importing.measure(patients=options.imported))
        for size in sizes:  # the large ones take an hour: what is measured is printed whatever comes after
            found.append(measure.at_size(size, repeats=options.repeats))
    finally:
        measure.end()
        if found:
            print_sizes(found)


def print_imaging(found: "imaging.Measured") -> None:
    table(
        "Responses of one course, pure functions: 10 lesions in 6 studies (courses per second, one core)",
        "RECIST and best response   uptake",
        [f"{found.recist_per_second:>24,.0f} {found.uptake_per_second:>8,.0f}"],
    )


def print_dicom(found: "dicom.Measured") -> None:
    table(
        "Headers of a PET series of single files: files per second, and the rise of peak memory (MiB)",
        "files   files/s   peak MiB",
        [
            f"{dicom_files:>5} {per_second:>9,.0f} {mib:>10.1f}"
            for dicom_files, per_second, mib in (
                (found.few, found.few_per_second, found.few_mib),
                (found.many, found.many_per_second, found.many_mib),
            )
        ],
    )


def print_treatments(found: "treatments.Measured") -> None:
    table(
        "One course, pure functions: planning cycles and imaging, advice from 200 laboratory values (ms)",
        "plan p50 p95       advice p50 p95",
        [f"{p50_p95(found.plan_ms)} {p50_p95(found.advice_ms)}"],
    )
    table(
        "Worklist of a centre: server time (ms) and number of queries",
        "running courses   worklist p50 p95  queries   start page p50 p95  queries",
        [
            f"{found.courses:>15} {p50_p95(found.worklist_ms):>18} {found.worklist_queries:>8}"
            f" {p50_p95(found.page_ms):>20} {found.page_queries:>8}"
        ],
    )
    case, graded = statistics.median(found.case_ms), statistics.median(found.graded_ms)
    table(
        "Grading 1,000,000 platelet counts (ms, median)",
        "rule in Python   one SQL CASE   CASE / rule",
        [f"{graded:>14.0f} {case:>14.0f} {case / graded:>13.2f}"],
    )


def print_importing(found: "importing.Measured") -> None:
    table(
        "Import of a cohort file, checked, with history, all or nothing; a bare COPY of its rows (s); peak memory (MiB)",
        "patients       rows      CSV     XLSX   XLSX / CSV     COPY   COPY / CSV   peak MiB   idle process MiB",
        [
            f"{found.patients:>8} {found.rows:>10,} {found.csv_seconds:>8.1f} {found.xlsx_seconds:>8.1f}"
            f" {found.xlsx_seconds / found.csv_seconds:>12.2f} {found.copy_seconds:>8.2f} {found.of_copy:>12.3f}"
            f" {found.peak_mib:>10.0f} {found.start_mib:>18.0f}"
        ],
    )


def print_sizes(found: "Sequence[measure.Measured]") -> None:
    sizes = [size.analytics for size in found]
    table(
        "(a) Stored result, PFS + OS + ORR of all and of 4 strata with limits (ms, median); R has its rows in memory",
        "patients   tallies  whole document   GROUP BY    rows: fetch + lifelines   R survfit   GROUP BY/this  rows/this",
        [
            f"{one.patients:>8} {one.stored_ms:>9.1f} {one.document_ms:>15.1f} {one.grouped_ms:>10.1f} {one.rows_ms:>26.1f}"
            f" {'-' if one.r_ms is None else format(one.r_ms, '.0f'):>11} {one.grouped_ms / one.stored_ms:>15.1f}"
            f" {one.rows_ms / one.stored_ms:>10.1f}"
            for one in sizes
        ],
    )
    table(
        "(b) Commit of a correction to fresh results, 20 saved cohorts, real worker (ms); 1,000 corrections in a burst",
        "patients   one cohort p50 p95   every cohort p50 p95   burst (s)  most recomputes of a cohort",
        [
            f"{one.patients:>8} {p50_p95(one.one_fresh_ms):>20} {p50_p95(one.all_fresh_ms):>22}"
            f" {one.burst_seconds:>11.1f} {one.burst_recomputes:>28}"
            for one in sizes
        ],
    )
    table(
        "(c) (d) Full rebuild of one definition (courses per second) and peak memory of a worker",
        "patients     floor   in process   of floor   1 worker   2 workers   2 / 1   MiB   load (s)",
        [
            f"{one.patients:>8} {one.floor_per_second:>9,.0f} {one.per_second:>12,.0f}"
            f" {one.per_second / one.floor_per_second:>10.2f} {one.one_worker_per_second:>10,.0f}"
            f" {one.two_per_second:>11,.0f} {one.two_per_second / one.one_worker_per_second:>7.2f}"
            f" {one.worker_mib:>5.0f} {one.load_seconds:>10.1f}"
            for one in sizes
        ],
    )
    table(
        "(e) Questions never asked before: 50 random filters counted, 10 answered in full (ms)",
        "patients   count p50 p95       SQL by hand p50 p95   full result p50 p95",
        [
            f"{one.patients:>8} {p50_p95(one.count_ms):>17} {p50_p95(one.by_hand_ms):>23} {p50_p95(one.question_ms):>21}"
            for one in sizes
        ],
    )
    for one in found:
        print_pages(one.analytics.patients, one.pages)


def print_pages(patients: int, found: "Sequence[pages.Page]") -> None:
    table(
        f"Pages of {patients:,} patients: server time (ms), queries, answer compressed (KiB); in Chromium with an empty"
        " cache: largest paint (ms), layout shift, transferred (KiB), requests",
        f"{'page':<24}     p50      p95  queries   KiB    paint   shift   all KiB  requests",
        [
            f"{page.name:<24}{p50_p95(page.ms)} {page.queries:>7} {page.html_kib:>6.1f}"
            + (
                f" {page.lcp_ms:>8.0f} {page.shift:>7.3f} {page.kib:>9.0f} {page.requests:>9}"
                if page.lcp_ms is not None
                else "        -       -         -         -"
            )
            for page in found
        ],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
