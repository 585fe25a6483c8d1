"""The toxicity of one course, laboratory values and adverse events, from what is recorded."""

from collections import defaultdict
from dataclasses import dataclass, field

from treatments.models import AdverseEvent, Course
from treatments.rules import ctcae
from treatments.rules.advice import EventFact, GivenCycle
from treatments.rules.toxicity import Direction, EventSummary, Point, Summary, summarise, worst_of_events
from treatments.selectors.advice import given_cycles
from treatments.selectors.laboratory import graded_results

WORSE_WHEN_LOW = frozenset(
    {"platelets", "haemoglobin", "neutrophils", "lymphocytes", "leucocytes", "albumin"}
)


@dataclass
class CourseToxicity:
    """What a course did to the blood, the kidneys, the liver and else.

    Attributes:
        given: the course's given cycles in order; ``number`` of a cycle in the summaries counts among these, from 1.
        analytes: analyte to its summary, those with a value after the first cycle.
        problem: why nothing could be summed up; blank where it could.
    """

    given: list[GivenCycle]
    analytes: dict[str, Summary] = field(default_factory=dict)
    events: EventSummary | None = None
    problem: str = ""


def direction_of(analyte: str) -> Direction:
    """Return which way an analyte gets worse."""
    return "low" if analyte in WORSE_WHEN_LOW else "high"


def toxicity_of(course: Course) -> CourseToxicity:
    """Return the toxicity of a course. What came from the first cycle of the next course on belongs to that one."""
    patient = course.patient
    found = CourseToxicity(sorted(given_cycles(course), key=lambda cycle: cycle.on))
    given_on = [cycle.on for cycle in found.given]
    later = patient.courses.current().filter(number__gt=course.number).order_by("number")
    ends_on = min((cycle.on for other in later for cycle in given_cycles(other)), default=None)
    points: dict[str, list[Point]] = defaultdict(list)
    for graded in graded_results(patient, version=course.protocol.ctcae_version):
        points[graded.result.analyte].append(Point(graded.on, graded.result.value, graded.grade))
    events = [
        EventFact(event.term, event.grade, event.onset_on, event.resolved_on)
        for event in AdverseEvent.objects.current().filter(patient=patient)
        # A sample of the day of a cycle was taken before it; an event of that day came after it.
        if ends_on is None or event.onset_on < ends_on
    ]
    try:
        for analyte in ctcae.TERMS_OF_ANALYTES:
            summary = summarise(
                points[analyte], given_on=given_on, direction=direction_of(analyte), ends_on=ends_on
            )
            if summary.extreme is not None:
                found.analytes[analyte] = summary
        found.events = worst_of_events(events, given_on)
    except ValueError as error:  # two cycles on one day
        found.analytes, found.events, found.problem = {}, None, str(error)
    return found
