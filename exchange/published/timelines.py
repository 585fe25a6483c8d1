"""Timelines of synthetic patients: from an outcome that is wanted to dated facts that lead to it.

Plain Python. Everything random comes from the ``random.Random`` that is passed in, so that a seed gives one cohort.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Window = tuple[int, int]  # days from the first administration, ends included

PROTOCOL = {"protocol_code": "177lu-dotatate-4x7400-q8w", "protocol_version": 1}
PLANNED_CYCLES = 4
INTERVAL = timedelta(days=56)
# Mostly on time, now and then a few days off: within the window of the protocol.
_DELAYS = (0, 0, 0, 0, 0, 0, 1, -1, 2, 5, 7)
_CLOSED = {(1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)}


@dataclass(frozen=True)
class Fate:
    """What is to become of a patient.

    Args:
        given: cycles given by the end of the story.
        ending: "completed", "discontinued" or "ongoing".
        best: best response while free from progression: "SD", "PR" or "CR".
        last_scan: when the last scan falls; None: no scan after the one that the protocol plans.
        event: how freedom from progression ends and when, or None.
        died: death after a progression; a death that is itself the event stands in ``event``.
        cause: of death.
        reason: of a discontinuation.
        scanned: whether a discontinued patient has any scan after the baseline.
        progressed_at_post: the scan after completion shows the progression.
        held: the next cycle of an ongoing course is on hold.
    """

    given: int
    ending: Literal["completed", "discontinued", "ongoing"]
    best: Literal["SD", "PR", "CR"] = "SD"
    last_scan: Window | None = None
    event: tuple[Literal["scan", "clinical", "death"], Window] | None = None
    died: Window | None = None
    cause: str = "comorbidity"
    reason: str = "comorbidity"
    scanned: bool = True
    progressed_at_post: bool = False
    held: bool = False


@dataclass
class Cohort:
    """A cohort file in the making: sheet name to rows, column name to typed value."""

    sheets: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, sheet: str, **values: Any) -> None:
        self.sheets.setdefault(sheet, []).append(values)


def weekday(day: date, step: int = 1) -> date:
    """Return the day, or the next (step 1) or last one before it (step -1) on which a clinic is open."""
    while day.weekday() > 4 or (day.month, day.day) in _CLOSED:
        day += timedelta(days=step)
    return day


def spread(rng: random.Random, first: date, last: date, n: int) -> list[date]:
    """Return n working days from first to last, evenly apart but for a few days, ascending."""
    step = (last - first).days / (n - 1)
    days = []
    for index in range(n):
        jitter = 0 if index in (0, n - 1) else rng.randint(-2, 2)
        days.append(
            weekday(first + timedelta(days=round(step * index) + jitter), -1 if index == n - 1 else 1)
        )
    return days


@dataclass
class Story:
    """One patient's course, told from the first administration to what is known at the end.

    Args:
        ends_on: the last day of which anything is told.
    """

    rng: random.Random
    cohort: Cohort
    number: str
    zone: ZoneInfo
    ends_on: date
    lot_prefix: str = "SYN"

    def tell(self, starts_on: date, fate: Fate, *, course_number: int = 1, intent: str = "initial") -> None:
        """Add the rows of a course and what follows it."""
        self.course_number = course_number
        self.fate = fate
        self.cohort.add(
            "courses", registry_number=self.number, course_number=course_number, intent=intent, **PROTOCOL
        )
        given = self._cycles(starts_on)
        event_on, died_on = self._event_days(starts_on, given)
        stopped_on = self._discontinuation(given, died_on)
        self._scans(starts_on, given, stopped_on, event_on, died_on)
        if event_on is not None and fate.event is not None and fate.event[0] == "clinical":
            self._event("clinical_progression", event_on, "Symptoms and markers rising.")
        if died_on is not None:
            self.cohort.add("deaths", registry_number=self.number, died_on=died_on, cause=fate.cause, note="")
        if event_on is not None and died_on is None and self.rng.random() < 0.6:
            other_on = weekday(event_on + timedelta(days=self.rng.randint(20, 45)))
            if other_on <= self.ends_on:
                self._event(
                    "new_therapy", other_on, self.rng.choice(["Everolimus.", "CAPTEM.", "Sunitinib."])
                )
        self._contacts(given, died_on, stopped_on)

    def plan_only(self, starts_on: date) -> None:
        """Add a course of which nothing has been given yet, with its baseline scan."""
        self.course_number = 1
        self.cohort.add("courses", registry_number=self.number, course_number=1, intent="initial", **PROTOCOL)
        for number in range(1, PLANNED_CYCLES + 1):
            self.cohort.add(
                "cycles",
                registry_number=self.number,
                course_number=1,
                cycle_number=number,
                planned_on=starts_on + INTERVAL * (number - 1),
                status="planned",
                note="",
            )
        self._study("baseline", weekday(starts_on - timedelta(days=14), -1))

    # The course

    def _cycles(self, starts_on: date) -> list[date]:
        """Add the cycles; return the days on which they were given."""
        given: list[date] = []
        planned_on = on = starts_on
        for number in range(1, PLANNED_CYCLES + 1):
            is_given = number <= self.fate.given
            row: Row = {
                "registry_number": self.number,
                "course_number": self.course_number,
                "cycle_number": number,
                "planned_on": planned_on,
                "status": "given"
                if is_given
                else "cancelled"
                if self.fate.ending == "discontinued"
                else "planned",
                "note": "",
            }
            if is_given:
                row |= self._administration(on)
                given.append(on)
                planned_on = on + INTERVAL
                on = weekday(planned_on + timedelta(days=self.rng.choice(_DELAYS)))
            else:
                planned_on += INTERVAL
                if self.fate.held and number == self.fate.given + 1:
                    row |= {"status": "held", "note": "Platelets awaited."}
            self.cohort.add("cycles", **row)
        return given

    def _administration(self, on: date) -> Row:
        clock = timedelta(hours=9, minutes=5 * self.rng.randint(0, 42))
        activity = min(7650.0, max(7150.0, self.rng.gauss(7400, 95)))
        year, week, _ = on.isocalendar()
        return {
            "administered_at": datetime(on.year, on.month, on.day, tzinfo=self.zone) + clock,
            "prescribed_activity_mbq": Decimal(7400),
            "administered_activity_mbq": Decimal(f"{activity:.1f}"),
            "lot": f"{self.lot_prefix}-{year}W{week:02d}",
            "deviation_explanation": "",
        }

    def _day(self, starts_on: date, window: Window) -> date:
        """Return a working day within the window: ends are never crossed, since outcomes hang on them."""
        first, last = window
        day = starts_on + timedelta(days=self.rng.randint(first, last))
        for step in (1, -1):
            moved = weekday(day, step)
            if first <= (moved - starts_on).days <= last and moved <= self.ends_on:
                return moved
        raise ValueError(f"{self.number}: no working day from {first} to {last} days after {starts_on}")

    def _event_days(self, starts_on: date, given: list[date]) -> tuple[date | None, date | None]:
        event, died = self.fate.event, self.fate.died
        event_on = self._day(starts_on, event[1]) if event else None
        died_on = event_on if event and event[0] == "death" else self._day(starts_on, died) if died else None
        if event_on is not None and event_on <= given[-1]:
            raise ValueError(f"{self.number}: event on {event_on}, before the last cycle on {given[-1]}")
        return event_on, died_on

    def _discontinuation(self, given: list[date], died_on: date | None) -> date | None:
        if self.fate.ending != "discontinued":
            return None
        # Decided when the next cycle is prepared: after the labs, before its date.
        on = weekday(given[-1] + timedelta(days=self.rng.randint(30, 46)))
        if died_on is not None and on >= died_on:
            raise ValueError(f"{self.number}: discontinued on {on}, dead since {died_on}")
        self.cohort.add(
            "discontinuations",
            registry_number=self.number,
            course_number=self.course_number,
            discontinued_on=on,
            after_cycle=len(given),
            main_reason=self.fate.reason,
            further_reasons=[],
            note=self.rng.choice(["Heart failure.", "COPD worsening.", "Stroke.", "Renal artery stenosis."])
            if self.fate.reason == "comorbidity"
            else "",
        )
        return on

    # Imaging

    def _scans(
        self,
        starts_on: date,
        given: list[date],
        stopped_on: date | None,
        event_on: date | None,
        died_on: date | None,
    ) -> None:
        fate = self.fate
        self._study("baseline", weekday(starts_on - timedelta(days=self.rng.randint(9, 30)), -1))
        scans: list[tuple[str, date]] = []
        if len(given) >= 2:
            scans.append(("interim", weekday(given[1] + timedelta(days=self.rng.randint(36, 46)))))
        if fate.ending == "completed":
            scans.append(("post", weekday(given[-1] + timedelta(days=self.rng.randint(54, 66)))))
        elif stopped_on is not None and not scans and fate.scanned:
            scans.append(("follow_up", weekday(stopped_on + timedelta(days=self.rng.randint(10, 20)))))

        progressed_on: date | None = None
        if fate.progressed_at_post:
            progressed_on = event_on = scans[-1][1]
        elif fate.event is not None and fate.event[0] == "scan":
            assert event_on is not None
            progressed_on = event_on
        last_on = progressed_on or (self._day(starts_on, fate.last_scan) if fate.last_scan else None)
        if last_on is None and event_on is not None:
            # Seen regularly until the event.
            last_on = weekday(event_on - timedelta(days=self.rng.randint(30, 60)), -1)
            last_on = last_on if not scans or last_on > scans[-1][1] + timedelta(days=40) else None
        if last_on is not None and scans and last_on > scans[-1][1]:
            scans += [("follow_up", on) for on in self._follow_ups(scans[-1][1], last_on)]

        until = min(on for on in (self.ends_on, event_on, died_on) if on is not None)
        for index, (timepoint, on) in enumerate(scans):
            if on > until or not fate.scanned:
                continue
            self._study(timepoint, on)
            self._reading(timepoint, on, "PD" if on == progressed_on else self._response(index))

    def _follow_ups(self, after: date, last: date) -> Iterable[date]:
        """Yield the days of scans about every three months after ``after``, ending on ``last``."""
        n = max(1, round((last - after).days / 92))
        for index in range(1, n):
            yield weekday(after + (last - after) * index / n)
        yield last

    def _response(self, index: int) -> str:
        """Return the response of the index-th scan without progression: it deepens with time."""
        if self.fate.best == "SD":
            return "SD"
        if index == 0 and self.fate.given > 3 and (self.fate.best == "CR" or self.rng.random() < 0.5):
            return "SD" if self.fate.best == "PR" else "PR"
        return self.fate.best

    def _study(self, timepoint: str, on: date) -> None:
        self.cohort.add(
            "studies",
            registry_number=self.number,
            course_number=self.course_number,
            timepoint=timepoint,
            performed_on=on,
            modality="pet_ct",
            tracer="68Ga-DOTATATE",
            tracer_activity_mbq=Decimal(f"{min(195.0, max(110.0, self.rng.gauss(150, 15))):.1f}"),
            uptake_minutes=self.rng.randint(50, 75),
        )

    def _reading(self, timepoint: str, on: date, response: str) -> None:
        new_lesions = response == "PD" and self.rng.random() < 0.7
        self.cohort.add(
            "readings",
            registry_number=self.number,
            course_number=self.course_number,
            timepoint=timepoint,
            performed_on=on,
            modality="pet_ct",
            reader_role="first",
            status="reported",
            overall_response=response,
            new_lesions=new_lesions,
            override_reason="",
            note="New liver lesion." if new_lesions else "",
        )

    # What else is known

    def _event(self, kind: str, on: date, note: str) -> None:
        self.cohort.add("disease_events", registry_number=self.number, kind=kind, occurred_on=on, note=note)

    def _contacts(self, given: list[date], died_on: date | None, stopped_on: date | None) -> None:
        visit_on = weekday(given[-1] + timedelta(days=28))
        last_on = weekday(self.ends_on - timedelta(days=self.rng.randint(1, 40)), -1)
        if died_on is not None:
            last_on = max(stopped_on or given[-1], died_on - timedelta(days=self.rng.randint(3, 15)))
        if visit_on < last_on:
            self._contact(visit_on, "visit")
        if last_on >= given[-1]:
            self._contact(last_on, self.rng.choice(["visit", "telephone", "letter"]))

    def _contact(self, on: date, source: str) -> None:
        self.cohort.add("contacts", registry_number=self.number, known_alive_on=on, source=source, note="")


# Who the patients are

_SYNDROMES = {
    "small_intestine": ("carcinoid", "carcinoid", "none"),
    "caecum": ("carcinoid",),
    "pancreas": ("none", "none", "none", "none", "insulinoma", "gastrinoma", "glucagonoma", "vipoma"),
    "adrenal": ("catecholamine",),
    "paraganglia": ("catecholamine", "none"),
}


def add_patient(
    cohort: Cohort,
    rng: random.Random,
    *,
    number: str,
    sex: str,
    age: int,
    on: date,
    tumour_type: str,
    primary_site: str,
) -> None:
    """Add a patient who has completed ``age`` years on the day ``on``, with an obviously invented identity."""
    born_on = years_before(on, age) - timedelta(days=rng.randint(0, 363))
    ordinal = int(number.rpartition("-")[2])
    cohort.add(
        "patients",
        registry_number=number,
        sex=sex,
        birth_date=born_on,
        mrn=f"SYN{ordinal:05d}",
        family_name="Synthetic",
        given_names=f"Patient {ordinal:03d}",
    )
    grade, ki67 = "unknown", None
    if tumour_type == "net":
        grade = rng.choice(["g1", "g1", "g2", "g2", "g2", "g3"])
        low, high = {"g1": (5, 29), "g2": (30, 200), "g3": (205, 400)}[grade]
        ki67 = Decimal(rng.randint(low, high)) / 10
    others = [site for site in ("lymph_node", "bone", "peritoneum") if rng.random() < 0.4]
    cohort.add(
        "diagnoses",
        registry_number=number,
        tumour_type=tumour_type,
        primary_site=primary_site,
        diagnosed_on=on - timedelta(days=rng.randint(200, 3200)),
        who_grade=grade,
        ki67_percent=ki67,
        functional_syndrome=rng.choice(_SYNDROMES.get(primary_site, ("none",))),
        stage="IV",
        metastatic_sites=["liver", *others] if tumour_type == "net" else others or ["bone"],
    )


def years_before(on: date, years: int) -> date:
    """Return the day so many years earlier; 1 March stands in for a 29 February that is not there."""
    try:
        return on.replace(year=on.year - years)
    except ValueError:
        return date(on.year - years, 3, 1)


def completed_years(born_on: date, on: date) -> int:
    """Return the age on a day, in completed years."""
    return on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))
