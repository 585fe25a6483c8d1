"""Restricted mean survival time: the area under the Kaplan-Meier curve up to a day.

Source: Irwin, J Hyg 1949;47:188-189; its variance as Klein & Moeschberger, Survival Analysis, 2nd ed. (2003), section
4.5. In words: docs/rules/survival.md.
"""

import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from analytics.rules import sentences
from analytics.rules.survival import Z95, EventTable, Refused
from languages.wording import gettext, number


@dataclass(frozen=True)
class RestrictedMean:
    """The mean time lived without the event within the first ``tau`` days.

    Args:
        tau: days since time zero.
        days: the mean.
        se: its standard error, days; 0 when nobody had the event by tau.
        lower, upper: 95 % limits, the mean ± 1.96 standard errors. Not cut off at 0 and tau.
    """

    tau: int | Decimal
    days: float
    se: float
    lower: float
    upper: float


def restricted_mean(table: EventTable, tau: int | Decimal) -> RestrictedMean | Refused:
    """Return the restricted mean to ``tau``, as R's ``print(survfit(Surv(days, event) ~ 1), rmean = tau)``.

    Refused beyond the last follow-up, where the curve is unknown, unless it has come down to 0: it stays there. R
    draws it on unchanged.

    Raises:
        ValueError: tau is not above 0.
    """
    if tau <= 0:
        raise ValueError(f"restricted mean to {tau} days: expected more than 0")
    days, at_risk, events, _ = table.rows
    if not days.size:
        return Refused(gettext(sentences.NOBODY))
    survivors = at_risk - events
    last = int(days[-1])
    if tau > last and survivors.all():
        return Refused(
            gettext(sentences.FOLLOW_UP_ENDS).format(last=last, tau=number(Decimal(f"{float(tau):g}")))
        )

    upto = int(np.searchsorted(days, float(tau), side="right"))
    survival = np.cumprod(survivors[:upto] / at_risk[:upto])
    widths = np.diff(np.concatenate([days[:upto], [float(tau)]]))
    areas = widths * survival
    area_after = areas[::-1].cumsum()[::-1]  # from each day's drop to tau
    with np.errstate(divide="ignore"):
        greenwood = np.where(
            survivors[:upto] > 0, events[:upto] / (at_risk[:upto] * survivors[:upto].astype(np.float64)), 0.0
        )
    mean = min(float(days[0]), float(tau)) + float(areas.sum())
    se = math.sqrt(float(np.sum(area_after**2 * greenwood)))
    return RestrictedMean(tau=tau, days=mean, se=se, lower=mean - Z95 * se, upper=mean + Z95 * se)
