"""Best overall response of one course, with and without confirmation, and how long the response lasted.

Source: RECIST 1.1 (Eisenhauer et al., Eur J Cancer 2009;45:228-247), section 4.3 to 4.6 and table 3. In words, with the
choices where it is silent: docs/rules/recist.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from imaging.rules.telling import Message, Told
from languages.wording import gettext, gettext_noop

# Best first. SD and NON_CR_NON_PD are one rank: the same finding with and without target lesions.
RESPONSE_RANK = {"CR": 0, "PR": 1, "SD": 2, "NON_CR_NON_PD": 2, "PD": 3, "NE": 4}
RESPONSES = tuple(RESPONSE_RANK)
OBJECTIVE_RESPONSES = frozenset({"CR", "PR"})
_STABLE = frozenset({"SD", "NON_CR_NON_PD"})
RESPONSE_WORDS = {"NON_CR_NON_PD": "non-CR/non-PD"}

CONFIRMATION_DAYS = 28  # "no less than 4 weeks"
SD_MINIMUM_DAYS = 42  # "in general not less than 6 to 8 weeks"

FOUND = Message(gettext_noop("{response} on {day}"))
FOUND_AFTER = Message(gettext_noop("{response} on {day}, {days} days after time zero"))
CONFIRMED = Message(gettext_noop("{response} on {day}, confirmed on {later_day} ({text})"))
NOT_CONFIRMED = Message(
    gettext_noop("{words}; {response} on {day} was not confirmed {days} days or more later")
)
AFTER_CR = Message(gettext_noop("{response} on {later_day} after CR on {day}: PD"))
TOO_EARLY = Message(
    gettext_noop(
        "{response} on {day} came {days} days after time zero, before the {least} days that stable disease needs"
    )
)
NO_STUDY = gettext_noop("no study after the baseline has been read")
NO_EVALUABLE_STUDY = Message(gettext_noop("no study could be evaluated"))


@dataclass(frozen=True)
class Assessment:
    """One overall response after baseline; the baseline scan itself is not an assessment.

    Args:
        on: day of the scan (not of the report), local centre date.
        response: one of ``RESPONSES``.

    Raises:
        ValueError: an unknown response.
    """

    on: date
    response: str

    def __post_init__(self) -> None:
        if self.response not in RESPONSE_RANK:
            expected = ", ".join(RESPONSES)
            raise ValueError(f"overall response {self.response!r} on {self.on}: expected one of {expected}")

    @property
    def is_adequate(self) -> bool:
        """Whether the response could be told, so that the patient is known to be progression-free or not."""
        return self.response != "NE"


@dataclass(frozen=True)
class ResponseRules:
    """What the protocol asks of a response.

    Args:
        confirmation_days: from a CR or PR to the study that confirms it, at least.
        sd_minimum_days: from time zero to a study that may count as stable disease, at least; 0: any study counts.
    """

    confirmation_days: int = CONFIRMATION_DAYS
    sd_minimum_days: int = SD_MINIMUM_DAYS


@dataclass(frozen=True)
class BestResponse:
    """The best overall response.

    Attributes:
        response: a code of ``RESPONSES``; None without any assessment.
        on: day of the study that first showed it.
        why: why; a plain text is a message of the catalogues.
        responded_on: of CR or PR, day of the first CR or PR of either kind that counts; None for the others.
    """

    response: str | None
    on: date | None
    why: Told | str
    responded_on: date | None = None

    @property
    def reason(self) -> str:
        """Why, in words."""
        return gettext(self.why) if isinstance(self.why, str) else str(self.why)


def counted_assessments(assessments: Iterable[Assessment], *, until: date) -> list[Assessment]:
    """Return what may count up to and including ``until``, oldest first: nothing after the first PD, on its day it alone."""
    counted = [assessment for assessment in assessments if assessment.on <= until]
    first_pd_on = min((a.on for a in counted if a.response == "PD"), default=date.max)
    counted = [a for a in counted if a.on < first_pd_on or (a.on == first_pd_on and a.response == "PD")]
    # The code comes last so that the answer never depends on the order of the input.
    return sorted(counted, key=lambda a: (a.on, RESPONSE_RANK[a.response], a.response))


def best_overall_response(assessments: Sequence[Assessment], *, until: date) -> str | None:
    """Return the best overall response up to and including the day ``until``, cut at the first PD.

    No confirmation by a second scan and no minimal duration is asked for.

    Args:
        assessments: in any order.
        until: the data cut-off, or the day of first progression on another basis.

    Returns:
        A code of ``RESPONSES``; between SD and NON_CR_NON_PD the earlier; None when there is no assessment.
    """
    counted = counted_assessments(assessments, until=until)
    if not counted:
        return None
    return min(counted, key=lambda a: (RESPONSE_RANK[a.response], a.on, a.response)).response


def best_unconfirmed(
    assessments: Iterable[Assessment], *, time_zero: date, until: date, rules: ResponseRules
) -> BestResponse:
    """Return the best response without confirmation; SD counts from its minimal duration on, before it as NE.

    Args:
        time_zero: first administration.
        until: see ``best_overall_response``.
    """
    counted = counted_assessments(assessments, until=until)
    for wanted in (frozenset({"CR"}), frozenset({"PR"}), _STABLE, frozenset({"PD"})):
        early = None
        for a in counted:
            if a.response not in wanted:
                continue
            if wanted is _STABLE and _days(time_zero, a.on) < rules.sd_minimum_days:
                early = early or a
                continue
            responded_on = next((b.on for b in counted if b.response in OBJECTIVE_RESPONSES), None)
            return BestResponse(a.response, a.on, _found(a.response, a, time_zero), responded_on)
        if early is not None and not any(a.response == "PD" for a in counted):
            return BestResponse("NE", early.on, _too_early(early, time_zero, rules))
    return _nothing(counted)


def best_confirmed(
    assessments: Iterable[Assessment],
    *,
    time_zero: date,
    until: date,
    rules: ResponseRules,
    is_measurable: bool = True,
) -> BestResponse:
    """Return the best response where CR and PR need a second study (table 3); NE may lie between the two.

    Args:
        is_measurable: whether there were target lesions: an unconfirmed CR without any is non-CR/non-PD.
    """
    counted = counted_assessments(assessments, until=until)
    # A CR that was followed by PR was a PR (table 3, footnote a).
    objective = _confirmed(counted, OBJECTIVE_RESPONSES, rules)
    if objective is not None:
        complete = _confirmed(counted, frozenset({"CR"}), rules)
        wanted = "CR" if complete is not None else "PR"
        first, second = complete or objective
        why = CONFIRMED(response=wanted, day=first.on, later_day=second.on, text=second.response)
        return BestResponse(wanted, first.on, why, objective[0].on)
    stable = [a for a in counted if a.response in _STABLE or a.response in OBJECTIVE_RESPONSES]
    long = [a for a in stable if _days(time_zero, a.on) >= rules.sd_minimum_days]
    if long:
        a = long[0]
        response = a.response if a.response in _STABLE else "SD" if is_measurable else "NON_CR_NON_PD"
        unconfirmed = next((b for b in counted if b.response in OBJECTIVE_RESPONSES), None)
        why = _found(response, a, time_zero)
        if unconfirmed is not None:
            why = NOT_CONFIRMED(
                words=why,
                response=unconfirmed.response,
                day=unconfirmed.on,
                days=rules.confirmation_days,
            )
        return BestResponse(response, a.on, why)
    progression = next((a for a in counted if a.response == "PD"), None)
    if progression is not None:
        return BestResponse("PD", progression.on, FOUND(response="PD", day=progression.on))
    adequate = [a for a in counted if a.is_adequate]
    for a, b in pairwise(adequate):
        if a.response == "CR" and b.response in _STABLE:
            # Table 3: disease that is seen after a CR came back, unless it lasted long enough to be stable.
            return BestResponse("PD", b.on, AFTER_CR(response=_words(b.response), later_day=b.on, day=a.on))
    if stable:
        return BestResponse("NE", stable[0].on, _too_early(stable[0], time_zero, rules))
    return _nothing(counted)


def _confirmed(
    counted: Sequence[Assessment], responses: frozenset[str], rules: ResponseRules
) -> tuple[Assessment, Assessment] | None:
    """Return the first of such responses that another of them confirms, and the one that does."""
    for at, first in enumerate(counted):
        if first.response not in responses:
            continue
        for later in counted[at + 1 :]:
            if later.response in responses and _days(first.on, later.on) >= rules.confirmation_days:
                return first, later
            if later.is_adequate and later.response not in responses:
                break
    return None


def _nothing(counted: Sequence[Assessment]) -> BestResponse:
    if not counted:
        return BestResponse(None, None, NO_STUDY)
    return BestResponse("NE", counted[0].on, NO_EVALUABLE_STUDY())


def _too_early(a: Assessment, time_zero: date, rules: ResponseRules) -> Told:
    return TOO_EARLY(
        response=_words(a.response), day=a.on, days=_days(time_zero, a.on), least=rules.sd_minimum_days
    )


def _found(response: str, a: Assessment, time_zero: date) -> Told:
    if a.response not in _STABLE:
        return FOUND(response=_words(response), day=a.on)
    return FOUND_AFTER(response=_words(response), day=a.on, days=_days(time_zero, a.on))


def _words(response: str) -> str:
    return RESPONSE_WORDS.get(response, response)


def _days(first: date, last: date) -> int:
    return (last - first).days


@dataclass(frozen=True)
class Duration:
    """When a response began, and how long it lasted.

    Attributes:
        first_on: day of the first CR or PR.
        time_to_response_days: from time zero to it.
        duration_days: from it to progression or death, else to the last adequate assessment.
        ended: whether it has ended; False: it went on at ``until_on``.
        until_on: the day of its end, or of the last adequate assessment.
        basis: "overall_response_pd", "clinical_progression", "death" or "last_adequate_assessment".
    """

    first_on: date
    time_to_response_days: int
    duration_days: int
    ended: bool
    until_on: date
    basis: str


def duration_of_response(
    assessments: Iterable[Assessment],
    *,
    time_zero: date,
    until: date,
    best: BestResponse,
    clinical_progression_on: date | None = None,
    died_on: date | None = None,
) -> Duration | None:
    """Return the duration of a best response of CR or PR; None where the best is neither.

    Args:
        assessments: after baseline, in any order.
        until: the data cut-off.
        best: confirmed or not, as it is asked for. Of a CR that was a PR first, the duration begins with the PR.
    """
    first_on = best.responded_on
    if first_on is None:
        return None
    after = [a for a in assessments if first_on <= a.on <= until]
    events = [(a.on, 0, "overall_response_pd") for a in after if a.response == "PD"]
    if clinical_progression_on is not None and first_on <= clinical_progression_on <= until:
        events.append((clinical_progression_on, 1, "clinical_progression"))
    if died_on is not None and first_on <= died_on <= until:
        events.append((died_on, 2, "death"))
    if events:
        ended_on, _, basis = min(events)
    else:
        ended_on = max(a.on for a in after if a.is_adequate)
        basis = "last_adequate_assessment"
    return Duration(
        first_on=first_on,
        time_to_response_days=_days(time_zero, first_on),
        duration_days=(ended_on - first_on) // timedelta(days=1),
        ended=bool(events),
        until_on=ended_on,
        basis=basis,
    )
