"""Published results to read a cohort's beside: with citation, population and regimen, and never part of own numbers.

The data are ``analytics/data/benchmarks.json``: only what was read in a text that can be named (``read_in``); a figure that
a source does not give is None. In words, with what was left out and why: docs/benchmarks.md.
"""

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

FILE = Path(__file__).parent / "data" / "benchmarks.json"

CAUTION = gettext_lazy(
    "For orientation only. Primary site, grade, line of therapy, regimen and criteria differ from study to study and from "
    "this cohort, and time is counted from randomisation in trials, from the first administration here. A difference "
    "between a row and this cohort says nothing about a treatment."
)

Limits = tuple[Decimal | None, Decimal | None]


@dataclass(frozen=True)
class Median:
    """A median in months.

    Attributes:
        months: None: not reached.
        ci95: None: not given; an upper limit of None: not reached.
        n: patients, where they are not all of the study.
    """

    months: Decimal | None
    ci95: Limits | None
    n: int | None = None


@dataclass(frozen=True)
class Rate:
    """A share in percent, as it was printed; ``months``: of survival, at that time."""

    percent: Decimal
    ci95: Limits | None
    n: int | None = None
    months: int | None = None
    criteria: str = ""


WORDED = ("name", "population", "regimen", "time_zero", "note", "read_in")


@dataclass(frozen=True)
class Benchmark:
    """One study's figures for the arm that was given PRRT."""

    key: str
    name: str
    citation: str
    url: str
    population: str
    regimen: str
    n: int | None
    time_zero: str
    pfs: Median | None
    orr: Rate | None
    os: Median | None
    survival_rate: Rate | None
    note: str
    read_in: str

    def told(self) -> "Benchmark":
        """Return it in the reader's language; the citation stays as it was printed."""
        words: dict[str, Any] = {name: _(own) if (own := getattr(self, name)) else "" for name in WORDED}
        return replace(self, **words)

    def median_of(self, endpoint: Literal["pfs", "os"]) -> Decimal | None:
        """Return the median in months; None where it is not given or not reached."""
        found = self.pfs if endpoint == "pfs" else self.os
        return None if found is None else found.months


@cache
def published() -> tuple[Benchmark, ...]:
    """Return the benchmarks in the order of the file.

    Raises:
        ValueError: one contradicts itself: limits that do not hold the figure, a share outside 0 to 100 %.
    """
    return tuple(_benchmark(item) for item in json.loads(FILE.read_text(encoding="utf-8")))


def reference_lines(endpoint: Literal["pfs", "os"]) -> list[tuple[str, float]]:
    """Return name and median (months) of the studies that reached one, the shortest first: lines on a figure."""
    found = [(one.name, one.median_of(endpoint)) for one in published()]
    return sorted(
        ((name, float(months)) for name, months in found if months is not None), key=lambda line: line[1]
    )


def _benchmark(item: dict[str, Any]) -> Benchmark:
    pfs, os, orr, rate = (item.pop(name) for name in ("pfs", "os", "orr", "survival_rate"))
    found = Benchmark(**item, pfs=_median(pfs), os=_median(os), orr=_rate(orr), survival_rate=_rate(rate))
    for name in ("citation", "population", "regimen", "time_zero", "read_in"):
        if not getattr(found, name):
            raise ValueError(f"benchmark {found.key}: {name} is blank")
    return found


def _median(item: dict[str, Any] | None) -> Median | None:
    if item is None:
        return None
    months = item["median_months"]
    if months is None and item["said"] != "not reached":
        raise ValueError(f"a median without months must say that it was not reached, not {item['said']!r}")
    value = None if months is None else Decimal(months)
    limits = _limits(item["ci95"])
    _check(value, limits)
    return Median(value, limits, item.get("n"))


def _rate(item: dict[str, Any] | None) -> Rate | None:
    if item is None:
        return None
    percent, limits = Decimal(item["percent"]), _limits(item["ci95"])
    if not 0 <= percent <= 100:
        raise ValueError(f"{percent} %: expected 0 to 100 %")
    _check(percent, limits)
    return Rate(percent, limits, item.get("n"), item.get("months"), item.get("criteria", ""))


def _limits(item: list[str | None] | None) -> Limits | None:
    if item is None:
        return None
    lower, upper = (None if limit is None else Decimal(limit) for limit in item)
    return lower, upper


def _check(value: Decimal | None, limits: Limits | None) -> None:
    lower, upper = limits or (None, None)
    if value is not None and ((lower is not None and lower > value) or (upper is not None and upper < value)):
        raise ValueError(f"limits {lower} to {upper} do not hold {value}")
