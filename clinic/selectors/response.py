"""What the responses of a course come to, and what is unusual about how its studies were made, in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analytics.facts import fetch
from clinic.selectors.due import FOLLOW_UP_DAYS
from imaging.models import OverallResponse, Study, Timepoint
from imaging.rules.best_response import (
    BestResponse,
    Duration,
    ResponseRules,
    best_confirmed,
    best_unconfirmed,
    duration_of_response,
)
from imaging.rules.quality import uptake_time_flag
from languages.wording import begun_small, day, gettext_noop, number
from treatments.models import Course
from treatments.rules.schedule import PlannedImaging
from treatments.rules.words import DAYS_PER_MONTH
from treatments.selectors.schedule import CoursePlan

_ENDED = {
    "overall_response_pd": gettext_noop("{span}, ended by progression on {day}"),
    "clinical_progression": gettext_noop("{span}, ended by clinical progression on {day}"),
    "death": gettext_noop("{span}, ended by death on {day}"),
    "last_adequate_assessment": gettext_noop("{span}, still going on at the last evaluable study on {day}"),
}


@dataclass(frozen=True)
class CourseSummary:
    """The best responses of a course by its protocol, from the readings that count.

    Attributes:
        unconfirmed, confirmed: best overall response without and with a second study.
        duration: of the confirmed response, else of the unconfirmed one; None without CR or PR.
        problem: why nothing can be said.
    """

    rules: ResponseRules
    time_zero: date | None
    unconfirmed: BestResponse
    confirmed: BestResponse
    duration: Duration | None
    problem: str = ""

    @property
    def unconfirmed_word(self) -> str:
        return _word(self.unconfirmed)

    @property
    def confirmed_word(self) -> str:
        return _word(self.confirmed)

    @property
    def time_to_response(self) -> str:
        """When it was first seen, such as ``2019-05-02, 3.9 months (119 days) after the first administration``."""
        if self.duration is None:
            return ""
        one = self.duration
        return _("{day}, {span} after the first administration").format(
            day=day(one.first_on), span=_span(one.time_to_response_days)
        )

    @property
    def duration_words(self) -> str:
        if self.duration is None:
            return ""
        one = self.duration
        return _(_ENDED[one.basis]).format(span=_span(one.duration_days), day=day(one.until_on))


def _word(best: BestResponse) -> str:
    return str(OverallResponse(best.response).label) if best.response else ""


def _span(days: int) -> str:
    said = ngettext("{months} months ({n} day)", "{months} months ({n} days)", days)
    return said.format(months=number(days / DAYS_PER_MONTH, 1), n=days)


def course_summary(course: Course, *, today: date, is_measurable: bool = True) -> CourseSummary:
    """Return what the readings in force of a course come to. One query; its protocol is best read along.

    Only what was found from the first administration on counts, and nothing after the first progression, on a scan or not.
    """
    protocol = course.protocol
    rules = ResponseRules(protocol.response_confirmation_days, protocol.sd_minimum_days)
    nothing = BestResponse(None, None, _("no cycle has been given: time zero is the first administration"))
    found = next(iter(fetch([course.pk])), None)
    facts = found.facts if found is not None else None
    if facts is None or not facts.administered_on:
        return CourseSummary(rules, None, nothing, nothing, None, found.problem if found is not None else "")
    time_zero = facts.administered_on[0]
    read = [one for one in facts.assessments if one.on >= time_zero]
    clinical = min((on for on in facts.clinical_progressions if time_zero <= on <= today), default=None)
    until = clinical or today
    unconfirmed = best_unconfirmed(read, time_zero=time_zero, until=until, rules=rules)
    confirmed = best_confirmed(
        read, time_zero=time_zero, until=until, rules=rules, is_measurable=is_measurable
    )
    duration = None
    for best in (confirmed, unconfirmed):
        duration = duration or duration_of_response(
            read,
            time_zero=time_zero,
            until=today,
            best=best,
            clinical_progression_on=clinical,
            died_on=facts.died_on,
        )
    return CourseSummary(rules, time_zero, unconfirmed, confirmed, duration)


def study_flags(studies: Iterable[Study], plan: CoursePlan | None) -> dict[UUID, list[str]]:
    """Return what is unusual about how studies of a course were made, by study. No query.

    Args:
        plan: None: the course is not recorded, so there is no window to be outside of.
    """
    imaging = plan.imaging if plan is not None else []
    given: Mapping[int, date] = plan.given_on if plan is not None else {}
    flags = {}
    for study in studies:
        said = [uptake_time_flag(study.uptake_minutes), _window_flag(study, imaging, given)]
        flags[study.pk] = [one for one in said if one]
    return flags


def _window_flag(study: Study, imaging: Iterable[PlannedImaging], given: Mapping[int, date]) -> str:
    """Return that a study lies outside every window that the protocol has for its timepoint; blank inside one."""
    windows = []
    for planned in imaging:
        is_counted = planned.timepoint == Timepoint.BASELINE or planned.after_cycle in given
        if planned.timepoint != study.timepoint or not is_counted or planned.by_on is None:
            continue
        from_on, by_on = planned.from_on, planned.by_on
        if planned.timepoint == Timepoint.FOLLOW_UP and from_on is not None:
            from_on, by_on = from_on - timedelta(days=FOLLOW_UP_DAYS), by_on + timedelta(days=FOLLOW_UP_DAYS)
        if (from_on is None or from_on <= study.performed_on) and study.performed_on <= by_on:
            return ""
        windows.append((abs((study.performed_on - by_on).days), planned.why))
    if not windows:
        return ""
    why = min(windows)[1]
    return _("outside the protocol's window: {why}").format(why=begun_small(why))
