"""Sentences that are worked out in English, stored, and told again in the language of who reads them.

Results are computed by workers, stored, hashed and locked: what they say must not depend on who looked first. Here stands
what an estimate or a test may have said in place of a number, and how a stored sentence is told again, place by place.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from languages.wording import Stored, Words, day, gettext, gettext_noop, number

__all__ = ["REFUSALS", "TESTS", "Sentences"]


class Sentences(Stored):
    """Stored sentences whose places are told again as well: days, numbers, and names that stand in them."""

    def retold(self, text: str, names: Callable[[str], str] = gettext) -> str:
        """Return ``text`` in the reader's language; as it was stored where no message fits it.

        Args:
            names: tells a name that stands in a place of the sentence; one of several that commas divide.
        """
        if not text:
            return text
        for message in self._messages:
            if gettext(message) == message:
                continue  # in this language it is said as it was stored
            if found := _pattern(message).fullmatch(text):
                places = {place: _told(said, names) for place, said in found.groupdict().items()}
                return gettext(message).format_map(places)
        return gettext(text)


def _pattern(message: str) -> re.Pattern[str]:
    if message not in _PATTERNS:
        parts = re.split(r"\{(\w+)\}", message)
        said = (f"(?P<{part}>.+?)" if k % 2 else re.escape(part) for k, part in enumerate(parts))
        _PATTERNS[message] = re.compile("".join(said), re.DOTALL)
    return _PATTERNS[message]


_PATTERNS: dict[str, re.Pattern[str]] = {}


def _told(said: str, names: Callable[[str], str]) -> str:
    """Return what stands in a place of a sentence: a day, a number, or names with a number behind them or none."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", said):
        return day(date.fromisoformat(said))
    if re.fullmatch(r"-?\d+(\.\d+)?", said):
        return number(Decimal(said))
    return ", ".join(_name(one, names) for one in said.split(", "))


def _name(said: str, names: Callable[[str], str]) -> str:
    told = names(said)
    head, _, value = said.rpartition(" ")
    if told == said and head and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return f"{names(head)} {number(Decimal(value))}"
    return told


# Why there is no estimate and no test
NO_EVENTS = gettext_noop("no events")
STRATA_WITH_PATIENTS = gettext_noop("{n} strata with patients: nothing to compare")
STRATA_WITH_VALUES = gettext_noop("{n} strata with values: nothing to compare")
FEWER_THAN_TWO_STRATA = gettext_noop("fewer than two strata have patients")
ONE_STRATUM_AT_RISK = gettext_noop("only one stratum has patients at risk on a day with an event")
NEVER_TOGETHER = gettext_noop("strata were never at risk together when some had an event and some had not")
ALIKE_AT_RISK = gettext_noop(
    "{names}: cannot be told apart in the patients at risk when somebody had an event"
)
TOO_FEW_EVENTS = gettext_noop("{n} events for {n_coefficients} coefficients: fewer than {least} for each")
SAME_IN_ALL = gettext_noop("{name} is the same in all patients")
NO_EVENTS_WHERE_ONE = gettext_noop("no events where {name} is {value}: its hazard ratio is 0 or infinite")
NO_EVENTS_WHERE = gettext_noop("no events where {values}: a hazard ratio is 0 or infinite")
SEPARATED = gettext_noop(
    "{names}: no finite estimate, since the events are separated by it without overlap (its hazard ratio is 0 or infinite)"
)
ONE_VALUE = gettext_noop("one value in {name}: no standard deviation")
NO_SPREAD = gettext_noop("no spread of values within the strata")
SAME_VALUES_IN = gettext_noop("all values in {name} are the same: its weight would be infinite")
SAME_VALUES = gettext_noop("all values are the same")
SAME_CATEGORY = gettext_noop("all patients are in the same category")
NOT_TWO_IN_TWO = gettext_noop("{n} categories in {n_strata} strata: Fisher's test is of two in two")
NOBODY = gettext_noop("nobody to follow")
FOLLOW_UP_ENDS = gettext_noop("follow-up ends on day {last}, before day {tau}")

REFUSALS = Sentences(
    [
        *(NO_EVENTS, STRATA_WITH_PATIENTS, STRATA_WITH_VALUES, FEWER_THAN_TWO_STRATA, ONE_STRATUM_AT_RISK),
        *(NEVER_TOGETHER, ALIKE_AT_RISK, TOO_FEW_EVENTS, SAME_IN_ALL, NO_EVENTS_WHERE_ONE, NO_EVENTS_WHERE),
        *(SEPARATED, ONE_VALUE, NO_SPREAD, SAME_VALUES_IN, SAME_VALUES, SAME_CATEGORY, NOT_TWO_IN_TWO),
        *(NOBODY, FOLLOW_UP_ENDS),
    ]
)

# Tests between strata, and what is to be borne in mind of one
WELCH_T = gettext_noop("Welch's t test")
WELCH_ANOVA = gettext_noop("Welch's analysis of variance")
WILCOXON = gettext_noop("Wilcoxon's rank-sum test")
KRUSKAL_WALLIS = gettext_noop("Kruskal–Wallis test")
CHI_SQUARED = gettext_noop("Chi-squared test")
FISHER = gettext_noop("Fisher's exact test")
SMALL_EXPECTED = gettext_noop("an expected count is {smallest}, below {least}: the p-value is rough")

TESTS = Words({name: name for name in (WELCH_T, WELCH_ANOVA, WILCOXON, KRUSKAL_WALLIS, CHI_SQUARED, FISHER)})
NOTES = Sentences([SMALL_EXPECTED])
