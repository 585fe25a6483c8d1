"""What the synthetic patients bring along, and toxicity beyond the mild: ECOG, prior therapies, events of grade 2 and 3.

From a ``random.Random`` of each patient's own, apart from those of story and details: neither they nor a figure that follows
from them is moved by what is added here. Low blood counts become events where the laboratory values say so, and a
discontinuation for a co-morbidity has the event that led to it.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from exchange.published.timelines import Cohort, Row, completed_years, weekday
from treatments.rules.labs import ANALYTES

# Of a cycle's day: nothing else is begun within four weeks before PRRT.
_WASHED_OUT = timedelta(days=28)
_ANALOGUES = {"octreotide_lar": "octreotide LAR", "lanreotide": "lanreotide"}

# Kind, agents (blank where the kind names it), and the share of patients who had it, by what the tumour is.
_NET_OF_PANCREAS = (
    ("everolimus", ("",), 0.22),
    ("sunitinib", ("",), 0.1),
    ("chemotherapy", ("CAPTEM", "CAPTEM", "streptozocin and 5-FU"), 0.28),
    ("liver_directed", ("TACE", "90Y SIRT", "radiofrequency ablation"), 0.14),
)
_OTHER_NET = (
    ("everolimus", ("",), 0.16),
    ("chemotherapy", ("CAPTEM", "FOLFOX"), 0.08),
    ("interferon", ("interferon alfa",), 0.05),
    ("liver_directed", ("TAE", "TACE", "90Y SIRT"), 0.22),
)
_PARAGANGLIOMA = (
    ("mibg", ("",), 0.3),
    ("chemotherapy", ("CVD",), 0.2),
    ("external_radiotherapy", ("spine, 30 Gy",), 0.25),
    ("sunitinib", ("",), 0.12),
)
_RESECTIONS = {
    "pancreas": ("distal pancreatectomy", "Whipple procedure", "enucleation"),
    "small_intestine": ("small bowel resection",),
    "caecum": ("right hemicolectomy",),
    "appendix": ("right hemicolectomy",),
    "colon_rectum": ("anterior resection",),
    "stomach": ("partial gastrectomy",),
    "lung": ("lobectomy",),
    "adrenal": ("adrenalectomy",),
    "paraganglia": ("resection of the paraganglioma",),
}
_RESECTED = {"small_intestine": 0.6, "pancreas": 0.35, "adrenal": 0.9, "paraganglia": 0.75}
# Weights of ECOG 0, 1 and 2 from this age on; frail are those in whom a co-morbidity will end the course.
_ECOG = ((75, (25, 50, 25)), (60, (45, 43, 12)), (0, (60, 36, 4)))
_ECOG_OF_FRAIL = (10, 50, 40)
_OF_COMORBIDITY = {
    "Heart failure.": "Heart failure",
    "COPD worsening.": "Dyspnea",
    "Stroke.": "Stroke",
    "Renal artery stenosis.": "Hypertension",
}


@dataclass(frozen=True)
class _LowCount:
    """A count below ``starts`` opens an event of ``grade``; from ``ends`` on it is resolved (CTCAE 5.0)."""

    analyte: str
    term: str
    grade: int
    starts: Decimal
    ends: Decimal


# Platelets have their own story; lymphocytes fall after every cycle, and clinics write down what reaches grade 3.
_LOW_COUNTS = (
    _LowCount("lymphocytes", "Lymphocyte count decreased", 3, Decimal("0.5"), Decimal("0.8")),
    _LowCount("haemoglobin", "Anemia", 2, Decimal(100), Decimal(110)),
)


def add_findings(
    cohort: Cohort,
    *,
    seed: str,
    number: str,
    story: dict[str, list[Row]],
    details: dict[str, list[Row]],
    until: date,
) -> None:
    """Add what one patient brings along and suffers.

    Args:
        story: sheet to the rows of the patient's story.
        details: sheet to the rows that were added around it.
        until: when the patient was last heard of.
    """
    _Findings(cohort, seed, number, story, details, until).add()


class _Findings:
    """One patient's findings."""

    def __init__(
        self,
        cohort: Cohort,
        seed: str,
        number: str,
        story: dict[str, list[Row]],
        details: dict[str, list[Row]],
        until: date,
    ) -> None:
        self.cohort, self.number, self.story, self.details, self.until = cohort, number, story, details, until
        self.rng = random.Random(f"{seed} findings {number}")  # noqa: S311 - the same patients every time is the point
        self.diagnosis = story["diagnoses"][0]
        self.given = [row for row in story["cycles"] if row["status"] == "given"]
        self.stops = story.get("discontinuations", [])

    def add(self) -> None:
        starts = self._starts()
        for on in starts:
            self._performance(on)
        self._prior_therapies(starts[0])
        for low in _LOW_COUNTS:
            self._low_counts(low)
        self._comorbidity()
        self._diarrhoea()

    def _starts(self) -> list[date]:
        """Return the day on which each course began, or was planned to."""
        return [
            row["administered_at"].date() if row["status"] == "given" else row["planned_on"]
            for row in self.story["cycles"]
            if row["cycle_number"] == 1
        ]

    def _performance(self, starts_on: date) -> None:
        patient = self.story["patients"][0]
        is_frail = any(row["main_reason"] == "comorbidity" for row in self.stops)
        age = completed_years(patient["birth_date"], starts_on)
        weights = _ECOG_OF_FRAIL if is_frail else next(w for from_age, w in _ECOG if age >= from_age)
        (ecog,) = self.rng.choices((0, 1, 2), weights)
        assessed_on = starts_on - timedelta(days=self.rng.randint(1, 14))
        # A course that is planned begins after the last day of which anything is told.
        self._add(
            "performance_statuses", assessed_on=weekday(min(assessed_on, self.until), -1), ecog=ecog, note=""
        )

    def _prior_therapies(self, starts_on: date) -> None:
        rng, site = self.rng, self.diagnosis["primary_site"]
        is_net = self.diagnosis["tumour_type"] == "net"
        diagnosed_on: date = self.diagnosis["diagnosed_on"]
        last_on = starts_on - _WASHED_OUT
        if site in _RESECTIONS and rng.random() < _RESECTED.get(site, 0.5):
            on = weekday(min(diagnosed_on + timedelta(days=rng.randint(14, 90)), last_on), -1)
            self._therapy("surgery", rng.choice(_RESECTIONS[site]), on, on)
        doses = self.details.get("somatostatin_analogue_doses", [])
        if doses or rng.random() < (0.75 if is_net else 0.15):
            agent = _ANALOGUES[doses[0]["drug"]] if doses else rng.choice(sorted(_ANALOGUES.values()))
            first_on = doses[0]["given_at"].date() if doses else last_on
            begins_on = weekday(min(diagnosed_on + timedelta(days=rng.randint(20, 120)), first_on), -1)
            # Who is given it between the cycles has it still.
            self._therapy("somatostatin_analogue", agent, begins_on, None if doses else last_on)
        kinds = _PARAGANGLIOMA if not is_net else _NET_OF_PANCREAS if site == "pancreas" else _OTHER_NET
        had = [(kind, rng.choice(agents)) for kind, agents, share in kinds if rng.random() < share]
        # One line after the other, in the second half of the time since the diagnosis.
        half_on = diagnosed_on + (last_on - diagnosed_on) / 2
        step = (last_on - half_on) / max(1, len(had))
        for index, (kind, agent) in enumerate(had):
            began_on = weekday(half_on + step * index, -1)
            ends_on = began_on + step * rng.uniform(0.3, 0.9)
            if kind in {"liver_directed", "mibg"}:
                ends_on = began_on
            elif kind == "external_radiotherapy":
                ends_on = began_on + timedelta(days=11)  # ten fractions
            self._therapy(kind, agent, began_on, weekday(ends_on, -1))

    def _therapy(self, kind: str, agent: str, started_on: date, ended_on: date | None) -> None:
        self._add(
            "prior_therapies",
            kind=kind,
            agent=agent,
            started_on=started_on,
            ended_on=None if ended_on is None else max(started_on, ended_on),
            note="",
        )

    def _low_counts(self, low: _LowCount) -> None:
        began_on: date | None = None
        for on, value in self._values(low.analyte):
            if began_on is None and value < low.starts:
                began_on = on
            elif began_on is not None and value >= low.ends:
                self._event(low.term, began_on, low.grade, resolved_on=on, action="observed")
                began_on = None
        if began_on is not None:
            self._event(low.term, began_on, low.grade, resolved_on=None, action="observed")

    def _values(self, analyte: str) -> Iterator[tuple[date, Decimal]]:
        """Yield day and value in the registry's unit, from the first cycle on."""
        if not self.given:
            return
        first_on = self.given[0]["administered_at"].date()
        for row in self.details.get("lab_results", []):
            on = row["taken_at"].date()
            if row["analyte"] == analyte and on > first_on:
                yield on, row["value"] * ANALYTES[analyte].units[row["unit"]]

    def _comorbidity(self) -> None:
        """Add the event for which the course was discontinued."""
        for stop in self.stops:
            term = _OF_COMORBIDITY.get(stop["note"])
            if term is not None:
                on = stop["discontinued_on"] - timedelta(days=self.rng.randint(3, 12))
                self._event(
                    term,
                    on,
                    3,
                    resolved_on=None,
                    action="discontinued",
                    attribution="unrelated",
                    is_serious=True,
                    note=stop["note"],
                )

    def _diarrhoea(self) -> None:
        """Add diarrhoea of those with a carcinoid syndrome; what is severe comes after the last cycle of all."""
        if self.diagnosis["functional_syndrome"] != "carcinoid":
            return
        rng = self.rng
        for row in self.given:
            if rng.random() < 0.2:
                on = row["administered_at"].date() + timedelta(days=rng.randint(1, 10))
                self._diarrhoea_of(on, rng.choice([1, 1, 2]))
        is_over = all(row["status"] == "given" for row in self.story["cycles"])
        if is_over and rng.random() < 0.2:
            self._diarrhoea_of(
                self.given[-1]["administered_at"].date() + timedelta(days=rng.randint(12, 25)), 3
            )

    def _diarrhoea_of(self, on: date, grade: int) -> None:
        resolved_on = on + timedelta(days=self.rng.randint(2, 8))
        action = "none" if grade == 1 else "treated"
        self._event("Diarrhea", on, grade, resolved_on=resolved_on, action=action, is_serious=grade == 3)

    def _event(
        self,
        term: str,
        on: date,
        grade: int,
        *,
        resolved_on: date | None,
        action: str,
        attribution: str = "possible",
        is_serious: bool = False,
        note: str = "",
    ) -> None:
        if on > self.until:
            return
        self._add(
            "adverse_events",
            term=term,
            onset_on=on,
            grade=grade,
            resolved_on=resolved_on if resolved_on is not None and resolved_on <= self.until else None,
            attribution=attribution,
            is_serious=is_serious,
            action=action,
            note=note,
        )

    def _add(self, sheet: str, **values: Any) -> None:
        self.cohort.add(sheet, registry_number=self.number, **values)
