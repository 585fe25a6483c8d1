"""What surrounds the cycles of the synthetic patients: laboratory values, toxicity, and how each cycle was given.

Added to a story that is told already, from a ``random.Random`` of each patient's own, so that the story stays as it is: its
dates, its fates, and every figure that follows from them. Nothing is told after the patient was last heard of.
"""

import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from exchange.published.findings import add_findings
from exchange.published.timelines import Cohort, Row, completed_years, weekday
from treatments.rules.activity import decayed_mbq, net_activity
from treatments.rules.labs import ANALYTES

HALF_LIFE_DAYS = Decimal("6.647")  # of the protocol
REDUCED_MBQ = Decimal(3700)
LABEL = "US prescribing information of lutetium Lu 177 dotatate, dose modifications for adverse reactions"

_COUNTS = ("haemoglobin", "leucocytes", "lymphocytes", "neutrophils", "platelets")
_INTERIM = (*_COUNTS, "creatinine")
_BEFORE_CYCLE = (*_INTERIM, "alt", "ast", "albumin", "bilirubin")
_BASELINE = (*_BEFORE_CYCLE, "alp", "ggt", "prothrombin_ratio", "body_weight")
# Days after a cycle at which counts are lowest; 4 to 6 weeks.
_NADIR_DAYS = 35
_STEP_MBQ = Decimal("0.1")

# Units of a laboratory that writes others than the registry stores: unit, digits after the point.
US_UNITS: dict[str, tuple[str, int]] = {
    "haemoglobin": ("g/dL", 1),
    "creatinine": ("mg/dL", 2),
    "bilirubin": ("mg/dL", 1),
    "albumin": ("g/dL", 1),
    "platelets": ("K/µL", 0),
}
_DIGITS = {"neutrophils": 2, "lymphocytes": 2, "leucocytes": 2, "body_weight": 1}


@dataclass(frozen=True)
class Thrombocytopenia:
    """Platelets that fell to grade 2 (below 75) or lower after a cycle, and what came of it.

    Attributes:
        after_cycle: of the course.
        counts: days after that cycle to platelets, 10⁹/L; in between it is a straight line.
        decision: before the next cycle, with the advice it answers.
        reason: why it differs from the advice.
    """

    after_cycle: int
    counts: tuple[tuple[int, int], ...]
    advice: str
    decision: str
    reason: str = ""

    def at(self, days: float) -> float | None:
        """Return the count so many days after the cycle; None after the last that is known."""
        for (first, low), (last, high) in zip(self.counts, self.counts[1:], strict=False):
            if first <= days <= last:
                return low + (high - low) * (days - first) / (last - first)
        return None


@dataclass(frozen=True)
class Clinic:
    """How one centre does it.

    Attributes:
        zone: of the centre.
        ends_on: the last day of the story.
        seed: begins the seed of every patient's own random numbers.
        thrombocytopenia: registry number to what happened to these patients.
        early_analogue: registry number to the cycle before which a long-acting analogue was given too late.
        prior_prrt: registry numbers of those who had been treated elsewhere.
    """

    zone: ZoneInfo
    ends_on: date
    seed: str
    amino_acids: str
    antiemetics: tuple[str, ...]
    units: dict[str, tuple[str, int]] = field(default_factory=dict)
    thrombocytopenia: dict[str, Thrombocytopenia] = field(default_factory=dict)
    early_analogue: dict[str, int] = field(default_factory=dict)
    prior_prrt: tuple[str, ...] = ()


def add_details(cohort: Cohort, clinic: Clinic) -> None:
    """Add what surrounds the cycles of every patient of a cohort."""
    of_patient: dict[str, dict[str, list[Row]]] = {}
    for sheet in ("patients", "diagnoses", "contacts", "cycles", "deaths", "discontinuations", "studies"):
        for row in cohort.sheets.get(sheet, []):
            of_patient.setdefault(row["registry_number"], {}).setdefault(sheet, []).append(row)
    for number, rows in of_patient.items():
        details = _Details(cohort, clinic, number, rows)
        details.add()
        add_findings(
            cohort,
            seed=clinic.seed,
            number=number,
            story=rows,
            details=details.added,
            until=details.ends_on,
        )


class _Details:
    """One patient's details."""

    def __init__(self, cohort: Cohort, clinic: Clinic, number: str, rows: dict[str, list[Row]]) -> None:
        self.cohort, self.clinic, self.number, self.rows = cohort, clinic, number, rows
        self.rng = random.Random(f"{clinic.seed} {number}")  # noqa: S311 - the same patients every time is the point
        self.patient = rows["patients"][0]
        self.is_female = self.patient["sex"] == "female"
        self.given = [row for row in rows["cycles"] if row["status"] == "given"]
        self.days = [row["administered_at"].date() for row in self.given]
        self.held = [row for row in rows["cycles"] if row["status"] == "held"]
        self.ends_on = self._last_heard_of()
        self.special = clinic.thrombocytopenia.get(number)
        self.added: dict[str, list[Row]] = {}

    def _last_heard_of(self) -> date:
        known = [row["known_alive_on"] for row in self.rows.get("contacts", [])] + self.days
        if self.held:  # seen by whoever held the cycle
            known.append(self.clinic.ends_on - timedelta(days=1))
        return max(known, default=self.clinic.ends_on)

    def add(self) -> None:
        self._draw_constitution()
        for row in self.rows["cycles"]:
            if row["cycle_number"] == 1 and row["status"] == "planned":
                row["set_on"] = row["planned_on"]  # the start of a course is set by hand
        for row in self.rows["studies"]:
            row["body_weight_kg"] = _decimal(self._weight(row["performed_on"]), 1)
        for row in self.given:
            row.update(self._administration(row))
        self._laboratory()
        self._adverse_events()
        self._analogues()
        self._absorbed_doses()
        self._thrombocytopenia()
        if self.number in self.clinic.prior_prrt:
            self._prior_prrt()

    # Who the patient is

    def _draw_constitution(self) -> None:
        """Draw what the values of this patient vary about."""
        rng = self.rng
        self.weight_kg = _within(rng.gauss(66 if self.is_female else 79, 10), 48, 110)
        self.weight_change = rng.uniform(-0.04, 0.02)  # over a year
        age = completed_years(self.patient["birth_date"], self.days[0] if self.days else self.clinic.ends_on)
        # A clearance of at least 60 mL/min by Cockcroft and Gault: nobody here is held for the kidneys.
        most = (140 - age) * self.weight_kg * (1.04 if self.is_female else 1.23) / 60
        self.level = {
            "platelets": _within(rng.gauss(245, 45), 180, 380),
            "haemoglobin": _within(rng.gauss(126 if self.is_female else 137, 9), 112, 160),
            "neutrophils": _within(rng.gauss(4.3, 0.9), 2.6, 7.0),
            "lymphocytes": _within(rng.gauss(1.7, 0.4), 1.0, 3.0),
            "creatinine": min(_within(rng.gauss(68 if self.is_female else 82, 10), 48, 108), most),
            "alt": _within(rng.gauss(29, 9), 12, 60),
            "ast": _within(rng.gauss(30, 8), 14, 58),
            "alp": _within(rng.gauss(95, 30), 50, 240),
            "ggt": _within(rng.gauss(60, 35), 15, 220),
            "bilirubin": _within(rng.gauss(9, 3), 4, 18),
            "albumin": _within(rng.gauss(41, 2.5), 36, 47),
            "prothrombin_ratio": _within(rng.gauss(96, 9), 78, 118),
        }
        self.depth = {
            "platelets": rng.uniform(0.12, 0.26),
            "haemoglobin": rng.uniform(0.02, 0.06),
            "neutrophils": rng.uniform(0.10, 0.22),
            "lymphocytes": rng.uniform(0.22, 0.38),
        }
        self.creatinine_drift = rng.uniform(-0.02, 0.09)  # over a year

    def _weight(self, on: date) -> float:
        return self.weight_kg * (1 + self.weight_change * self._years(on))

    def _years(self, on: date) -> float:
        return (on - self.days[0]).days / 365.25 if self.days else 0.0

    def _next_given(self, index: int) -> date | None:
        """Return the day of the next given cycle of the same course."""
        following = self.given[index + 1 : index + 2]
        if not following or following[0]["course_number"] != self.given[index]["course_number"]:
            return None
        return self.days[index + 1]

    # The administration

    def _administration(self, row: Row) -> Row:
        """Return what is recorded of a given cycle beside its net activity, which follows from syringe and residual."""
        rng, at = self.rng, row["administered_at"]
        measured_at = at - timedelta(minutes=5 * rng.randint(4, 18))
        residual_at = at + timedelta(minutes=5 * rng.randint(9, 15))
        residual_mbq = Decimal(rng.randint(250, 1200)) / 10
        is_port = rng.random() < 0.15
        is_extravasated = rng.random() < 0.015
        found: Row = {
            "syringe_activity_mbq": _syringe(
                net_mbq=row["administered_activity_mbq"],
                syringe_at=measured_at,
                residual_mbq=residual_mbq,
                residual_at=residual_at,
                at=at,
            ),
            "syringe_measured_at": measured_at,
            "residual_activity_mbq": residual_mbq,
            "residual_measured_at": residual_at,
            "infusion_ended_at": at + timedelta(minutes=rng.randint(28, 36)),
            "volume_ml": Decimal(rng.choice([20, 25, 25, 30])),
            "amino_acid_regimen": self.clinic.amino_acids,
            "amino_acid_minutes": rng.choice([240, 240, 240, 270, 300]),
            "antiemetic": rng.choice(self.clinic.antiemetics),
            "body_weight_kg": _decimal(self._weight(at.date()), 1),
            "venous_access": "port" if is_port else "peripheral",
            "is_extravasated": is_extravasated,
            "extravasated_percent": Decimal(rng.randint(1, 5)) if is_extravasated else None,
            "staff": rng.choice(["Synthetic team A", "Synthetic team B"]),
        }
        if self.clinic.early_analogue.get(self.number) == row["cycle_number"]:
            found |= {
                "confirmed_warnings": ["analogue_long_acting"],
                "confirmation_reason": "Flushing without it; the patient had travelled far.",
            }
        return found

    # Laboratory values

    def _laboratory(self) -> None:
        for on, analytes in sorted(self._visits().items()):
            taken_at = self._at(on, time(8, 5 * self.rng.randint(0, 11)))
            values = self._values(on)
            for analyte in analytes:
                self._result(analyte, taken_at, values[analyte])

    def _visits(self) -> dict[date, tuple[str, ...]]:
        """Return the days on which blood was taken, and what was measured."""
        rng = self.rng
        visits: dict[date, tuple[str, ...]] = {}
        if not self.days:
            return visits
        for index, (row, on) in enumerate(zip(self.given, self.days, strict=True)):
            first = row["cycle_number"] == 1
            before = weekday(on - timedelta(days=rng.randint(7, 13) if first else rng.randint(2, 5)), -1)
            visits[before] = _BASELINE if first else _BEFORE_CYCLE
            following = self._next_given(index)
            after = [14 + rng.randint(-2, 2)] if rng.random() < 0.5 else []
            after.append(30 + rng.randint(-2, 4))
            if self.special is not None and row["cycle_number"] == self.special.after_cycle:
                after = [days for days, _ in self.special.counts[1:]]
            for days in after:
                visits.setdefault(weekday(on + timedelta(days=days)), _INTERIM)
            if following is None:
                visits.setdefault(weekday(on + timedelta(days=56 + rng.randint(0, 6))), _BEFORE_CYCLE)
                for quarter in range(1, 7):
                    day = on + timedelta(days=56 + 91 * quarter + rng.randint(-7, 7))
                    visits.setdefault(weekday(day), _INTERIM)
        return {on: analytes for on, analytes in visits.items() if on <= self.ends_on}

    def _values(self, on: date) -> dict[str, float]:
        """Return all values of a day, in the units that the registry stores."""
        rng = self.rng
        found = {
            name: level * rng.gauss(1, 0.08 if name in {"alt", "ast", "ggt"} else 0.03)
            for name, level in self.level.items()
        }
        for name, depth in self.depth.items():
            found[name] *= max(0.3, 1 - sum(self._effects(on, name, depth)))
        found["creatinine"] *= 1 + self.creatinine_drift * max(0.0, self._years(on))
        found["platelets"] = max(
            found["platelets"], 86.0
        )  # grade 1 at most, but for those of whom more is told
        found["haemoglobin"] = max(found["haemoglobin"], 96.0)
        found["neutrophils"] = max(found["neutrophils"], 1.6)
        found["lymphocytes"] = max(found["lymphocytes"], 0.25)
        if (count := self._special_count(on)) is not None:
            found["platelets"] = count
        found["leucocytes"] = found["neutrophils"] + found["lymphocytes"] + rng.uniform(0.4, 0.8)
        found["body_weight"] = self._weight(on)
        return found

    def _effects(self, on: date, name: str, depth: float) -> Iterator[float]:
        """Yield by which share each cycle lowers a count: deepest after five weeks, and slow to wear off."""
        for given_on in self.days:
            weeks = (on - given_on).days / _NADIR_DAYS
            if weeks > 0:
                yield depth * weeks * math.exp(1 - weeks) * (1.3 if name == "lymphocytes" else 1.0)

    def _special_count(self, on: date) -> float | None:
        if self.special is None:
            return None
        for row, given_on in zip(self.given, self.days, strict=True):
            if row["cycle_number"] == self.special.after_cycle and on > given_on:
                return self.special.at((on - given_on).days)
        return None

    def _result(self, analyte: str, taken_at: datetime, value: float) -> None:
        unit, digits = self.clinic.units.get(analyte, ("", _DIGITS.get(analyte, 0)))
        if unit:
            value /= float(ANALYTES[analyte].units[unit])
        self._add(
            "lab_results",
            analyte=analyte,
            taken_at=taken_at,
            value=_decimal(value, digits),
            unit=unit or ANALYTES[analyte].unit,
        )

    # Toxicity

    def _adverse_events(self) -> None:
        rng = self.rng
        is_tired = False
        for row, on in zip(self.given, self.days, strict=True):
            if rng.random() < 0.3:
                grade = 2 if rng.random() < 0.15 else 1
                self._event("Nausea", on, grade, rng.randint(1, 3), "treated" if grade == 2 else "none")
            if rng.random() < 0.1:
                self._event("Vomiting", on, 1, 1, "treated")
            if not is_tired and rng.random() < 0.25:
                is_tired = True
                self._event("Fatigue", on + timedelta(days=rng.randint(2, 12)), 1, rng.randint(14, 45))
            if row["cycle_number"] == 2 and rng.random() < 0.25:
                self._event("Alopecia", on + timedelta(days=rng.randint(18, 40)), 1, rng.randint(90, 180))
            if rng.random() < 0.06:
                self._event("Abdominal pain", on + timedelta(days=rng.randint(1, 20)), 1, rng.randint(2, 9))

    def _event(self, term: str, on: date, grade: int, lasted_days: int, action: str = "none") -> None:
        if on > self.ends_on:
            return
        resolved_on = on + timedelta(days=lasted_days)
        self._add(
            "adverse_events",
            term=term,
            onset_on=on,
            grade=grade,
            resolved_on=resolved_on if resolved_on <= self.ends_on else None,
            attribution=self.rng.choice(["possible", "probable", "probable"]),
            is_serious=False,
            action=action,
            note="",
        )

    def _thrombocytopenia(self) -> None:
        """Add the event, what was decided, the hold, and the activity of the next cycle."""
        special = self.special
        if special is None:
            return
        row, given_on = next(
            (row, on)
            for row, on in zip(self.given, self.days, strict=True)
            if row["cycle_number"] == special.after_cycle
        )
        lowest_day, lowest = min(special.counts, key=lambda point: point[1])
        below = next(days for days, count in special.counts if count < 75)
        recovered = next((days for days, count in special.counts if days > lowest_day and count >= 75), None)
        onset_on = weekday(given_on + timedelta(days=below))
        action = {"hold": "cycle_held", "reduce": "activity_reduced", "discontinue": "discontinued"}
        resolved_on = weekday(given_on + timedelta(days=recovered)) if recovered is not None else None
        grade = 3 if lowest < 50 else 2
        self._add(
            "adverse_events",
            term="Platelet count decreased",
            onset_on=onset_on,
            grade=grade,
            resolved_on=resolved_on if resolved_on is not None and resolved_on <= self.ends_on else None,
            attribution="probable",
            is_serious=False,
            action=action.get(special.decision, "observed"),
            note="",
        )
        following = next(
            each
            for each in self.rows["cycles"]
            if each["course_number"] == row["course_number"]
            and each["cycle_number"] == special.after_cycle + 1
        )
        decided_on = self._decided_on(following)
        activity = {"reduce": REDUCED_MBQ, "continue": row["prescribed_activity_mbq"]}.get(special.decision)
        lowest_on = weekday(given_on + timedelta(days=lowest_day))
        self._add(
            "dose_decisions",
            **_key(following),
            decided_at=self._at(decided_on, time(15, 30)),
            advice=special.advice,
            advice_facts=[f"Platelets {lowest} ×10⁹/L on {lowest_on}: grade {grade}"],
            advice_source=LABEL,
            decision=special.decision,
            prescribed_activity_mbq=activity,
            reason=special.reason,
        )
        if special.decision == "reduce":
            following["planned_activity_mbq"] = REDUCED_MBQ
        if following["status"] == "held":
            self._add(
                "holds",
                **_key(following),
                held_on=decided_on,
                reason="haematological",
                review_on=decided_on + timedelta(days=14),
                resumed_on=None,
                note=following["note"],
            )

    def _decided_on(self, following: Row) -> date:
        """Return the day of the decision: before the next cycle, or with the hold or discontinuation."""
        if following["status"] == "given":
            given_on: date = following["administered_at"].date()
            return weekday(given_on - timedelta(days=1), -1)
        stopped: Iterable[Row] = self.rows.get("discontinuations", [])
        if following["status"] == "cancelled":
            return min(row["discontinued_on"] for row in stopped)
        return weekday(self.ends_on, -1)

    # What else was given

    def _analogues(self) -> None:
        """Add doses every four weeks, timed so that four weeks pass before the next cycle, mostly."""
        rng = self.rng
        is_net = self.rows["diagnoses"][0]["tumour_type"] == "net"
        early = self.clinic.early_analogue.get(self.number)
        if not self.days or (not early and rng.random() > (0.6 if is_net else 0.1)):
            return
        drug, dose_mg = rng.choice([("octreotide_lar", 30), ("octreotide_lar", 30), ("lanreotide", 120)])
        doses: dict[date, time] = {}
        for index, (row, on) in enumerate(zip(self.given, self.days, strict=True)):
            if row["cycle_number"] == 1:
                last = on - timedelta(days=rng.randint(29, 33))
                doses[last - timedelta(days=28)] = doses[last] = time(0)
            doses[on] = time(16, 30)  # after the infusion
            following = self._next_given(index)
            if following is None:
                doses |= {on + timedelta(days=28 * n): time(0) for n in (1, 2, 3)}
            elif early is not None and self.given[index + 1]["cycle_number"] == early:
                doses[following - timedelta(days=21)] = time(0)
            elif (following - on).days >= 50:
                doses[following - timedelta(days=28)] = time(0)
        for on, clock in sorted(doses.items()):
            if on <= self.ends_on:
                self._add(
                    "somatostatin_analogue_doses",
                    drug=drug,
                    given_at=self._at(on, clock),
                    dose_mg=Decimal(dose_mg),
                    note="",
                )

    def _absorbed_doses(self) -> None:
        rng = self.rng
        if rng.random() > 0.35:
            return
        kidneys_gy, marrow_gy = rng.uniform(2.8, 5.0), rng.uniform(0.08, 0.2)
        has_marrow = rng.random() < 0.3
        for row in self.given:
            for organ, level, method in (
                ("kidneys", kidneys_gy, "spect_ct"),
                ("red_marrow", marrow_gy, "blood"),
            ):
                if organ == "kidneys" or has_marrow:
                    self._add(
                        "absorbed_doses",
                        **_key(row),
                        organ=organ,
                        lesion="",
                        absorbed_dose_gy=_decimal(level * rng.uniform(0.88, 1.1), 2),
                        method=method,
                        note="",
                    )

    def _prior_prrt(self) -> None:
        diagnosed_on = self.rows["diagnoses"][0]["diagnosed_on"]
        self._add(
            "prior_prrt",
            radiopharmaceutical="90Y-DOTATOC",
            last_given_on=weekday(diagnosed_on + (self.days[0] - diagnosed_on) / 3),
            cycles=2,
            administered_activity_mbq=Decimal(6300),
            kidney_dose_gy=Decimal("8.4"),
            marrow_dose_gy=None,
            dose_method="planar",
            note="At another hospital.",
        )

    def _at(self, on: date, clock: time) -> datetime:
        return datetime.combine(on, clock, tzinfo=self.clinic.zone)

    def _add(self, sheet: str, **values: Any) -> None:
        row = {"registry_number": self.number} | values
        self.cohort.add(sheet, **row)
        self.added.setdefault(sheet, []).append(row)


def _key(cycle: Row) -> Row:
    return {name: cycle[name] for name in ("registry_number", "course_number", "cycle_number")}


def _within(value: float, least: float, most: float) -> float:
    return min(most, max(least, value))


def _decimal(value: float, digits: int) -> Decimal:
    return Decimal(f"{value:.{digits}f}")


def _syringe(
    *, net_mbq: Decimal, syringe_at: datetime, residual_mbq: Decimal, residual_at: datetime, at: datetime
) -> Decimal:
    """Return the activity of the syringe from which exactly this net activity follows, MBq."""
    at_injection = net_mbq + decayed_mbq(
        residual_mbq, measured_at=residual_at, at=at, half_life_days=HALF_LIFE_DAYS
    )
    measured = decayed_mbq(at_injection, measured_at=at, at=syringe_at, half_life_days=HALF_LIFE_DAYS)
    nearest = measured.quantize(_STEP_MBQ)
    for syringe_mbq in (nearest, nearest - _STEP_MBQ, nearest + _STEP_MBQ):
        net = net_activity(
            syringe_activity_mbq=syringe_mbq,
            syringe_measured_at=syringe_at,
            residual_activity_mbq=residual_mbq,
            residual_measured_at=residual_at,
            injected_at=at,
            half_life_days=HALF_LIFE_DAYS,
        )
        if net.net_mbq == net_mbq:
            return syringe_mbq
    raise ValueError(f"No syringe gives a net activity of {net_mbq} MBq.")
