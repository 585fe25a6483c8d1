"""Strata compared, as a document: log-rank test, Cox model and the test of its assumption, or why there is none."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from analytics.rules import cox
from analytics.rules.comparison import ChiSquared, LogRank, log_rank
from analytics.rules.survival import EventTable, Refused

Document = dict[str, Any]


def compare(tables: Mapping[str, EventTable], names: Mapping[str, str]) -> Document:
    """Return how the survival of strata differs; each hazard ratio is against the largest stratum.

    Args:
        tables: code of the stratum to its event table.
        names: code to name. Who is in no known stratum is best left out by the caller.
    """
    tested = log_rank({names[code]: table for code, table in tables.items()})
    found: Document = {"log_rank": _log_rank(tested)}
    with_patients = [code for code, table in tables.items() if table.n]
    if len(with_patients) < 2:
        return found | {"cox": {"problem": _("fewer than two strata have patients")}}
    reference = max(with_patients, key=lambda code: tables[code].n)
    others = [code for code in with_patients if code != reference]
    groups = [([float(code == other) for other in others], tables[code]) for code in with_patients]
    fitted = cox.fit(groups, [names[code] for code in others], terms=["stratum"] * len(others))
    return found | {"cox": cox_document(fitted) | {"reference": names[reference]}}


def cox_document(fitted: cox.CoxFit | Refused) -> Document:
    """Return a fitted model with its hazard ratios, or why none is given."""
    if isinstance(fitted, Refused):
        return {"problem": fitted.reason}
    return {
        "n": fitted.n,
        "events": fitted.n_events,
        "hazard_ratios": [
            {
                "name": one.name,
                "hazard_ratio": one.hazard_ratio,
                "ci95": [one.lower, one.upper],
                "p": one.p,
            }
            for one in fitted.coefficients
        ],
        "likelihood_ratio": chi_squared(fitted.likelihood_ratio),
        "proportional_hazards": [
            {"name": name, **chi_squared(test)} for name, test in fitted.proportional_hazards
        ],
        "proportional_hazards_global": chi_squared(fitted.proportional_hazards_global),
    }


def _log_rank(tested: LogRank | Refused) -> Document:
    if isinstance(tested, Refused):
        return {"problem": tested.reason}
    return {
        **chi_squared(tested.test),
        "strata": [
            {"name": one.name, "n": one.n, "observed": one.observed, "expected": one.expected}
            for one in tested.strata
        ],
    }


def chi_squared(test: ChiSquared) -> Document:
    return {"chi2": test.chi2, "df": test.df, "p": test.p}


def model(groups: Sequence[tuple[Sequence[float], EventTable]], names: Sequence[str]) -> Document:
    """Return a Cox model of several covariates: groups of patients with the same values of all of them."""
    return cox_document(cox.fit(groups, names))
