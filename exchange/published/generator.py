"""A synthetic cohort that reproduces the figures of a published report, and a small one of a second centre.

Source of the figures: J Nucl Med 2020;61(suppl 1):1438, the first two years of one institution. No patient of it is here:
every one is invented, and built so that ordinary import and computing arrive at the report's figures. What the report
leaves open (who progressed when) is assigned below, in the open. In words: docs/published-cohort.md.
"""

import random
from datetime import date
from zoneinfo import ZoneInfo

from exchange.columns import SHEETS
from exchange.published.details import US_UNITS, Clinic, Thrombocytopenia, add_details
from exchange.published.lesions import add_lesions
from exchange.published.timelines import Cohort, Fate, Story, add_patient, spread
from exchange.writing import OutTable

CENTRE = "STA"
CUTOFF = date(2020, 1, 31)
SECOND_CENTRE = "NRD"

# Completed years at the first administration: 37 to 81, mean 62.1, sample standard deviation 10.4.
AGES = (
    37, 41, 42, 45, 47, 48, 49, 50, 50, 50, 52, 52, 53, 54, 54, 55, 55, 55, 55, 57, 57,
    58, 58, 58, 60, 61, 61, 61, 61, 61, 63, 63, 64, 64, 64, 64, 65, 65, 66, 66, 66, 66,
    67, 67, 68, 69, 69, 69, 70, 71, 71, 72, 72, 73, 74, 75, 75, 76, 79, 79, 81, 81, 81,
)  # fmt: skip
SEXES = ("male",) * 33 + ("female",) * 30
TUMOURS = (
    *(("net", "pancreas"),) * 32,
    *(("net", "small_intestine"),) * 18,
    ("net", "caecum"),
    ("net", "appendix"),
    ("net", "stomach"),
    *(("net", "unknown"),) * 5,
    *(("paraganglioma", "paraganglia"),) * 3,
    *(("phaeochromocytoma", "adrenal"),) * 2,
)

# Days at which 11 and 14 months of 30.4375 days are reached: 335 (334.8) and 427 (426.1).


def _free(best: str, first: int, last: int) -> Fate:
    return Fate(4, "completed", best=best, last_scan=(first, last))  # type: ignore[arg-type]


def _stopped(given: int, event: tuple[str, tuple[int, int]], *, scanned: bool = True) -> Fate:
    return Fate(given, "discontinued", event=event, scanned=scanned)  # type: ignore[arg-type]


_POST_PD = Fate(4, "completed", progressed_at_post=True)

# Started at least 14 months before the cut-off, in the order of their first administration. State at 14 months: event-free
# 13, event 8, unknown 5. State at 11 months: event-free 17, event 8, unknown 1.
STARTED_14_MONTHS_BEFORE = (
    _free("PR", 560, 640),
    _stopped(1, ("death", (80, 110)), scanned=False),
    Fate(4, "completed", event=("scan", (560, 620))),
    _free("PR", 470, 560),
    Fate(4, "completed", progressed_at_post=True, died=(430, 500)),
    _free("SD", 500, 600),
    Fate(4, "completed", best="PR", event=("scan", (500, 570))),
    _stopped(2, ("death", (240, 280))),
    Fate(4, "completed", event=("clinical", (280, 325))),
    _free("PR", 480, 580),
    _free("SD", 350, 415),  # not seen after 11 months
    _free("SD", 470, 570),
    _stopped(1, ("death", (170, 220))),
    _free("PR", 460, 550),
    Fate(4, "completed", event=("scan", (470, 530))),
    _stopped(3, ("scan", (270, 320))),
    _free("PR", 440, 520),
    _free("PR", 345, 410),  # not seen after 11 months
    _free("SD", 440, 500),
    Fate(4, "completed", event=("scan", (305, 333))),
    _free("PR", 435, 480),
    Fate(4, "completed"),  # not seen after the scan at completion
    _free("SD", 430, 455),
    Fate(3, "discontinued", best="PR", last_scan=(345, 400)),
    _POST_PD,
    _free("SD", 345, 400),
)

# Started between 11 and 14 months before it. State at 11 months: event-free 3, event 7, unknown 1.
STARTED_11_MONTHS_BEFORE = (
    _free("PR", 350, 405),
    _free("SD", 345, 400),
    _stopped(1, ("death", (95, 130)), scanned=False),
    _free("SD", 340, 385),
    _stopped(2, ("scan", (200, 240))),
    Fate(4, "completed", event=("scan", (290, 330))),
    _stopped(3, ("death", (270, 310))),
    Fate(4, "completed"),
    Fate(4, "completed", event=("death", (275, 320))),
    _POST_PD,
    Fate(4, "completed", event=("clinical", (270, 315))),
)

# Started later, and their course is over.
STARTED_LATER = (
    _free("SD", 270, 310),
    Fate(1, "discontinued", last_scan=(150, 190)),
    _free("PR", 260, 300),
    Fate(4, "completed", event=("scan", (255, 290))),
    _stopped(2, ("death", (150, 200))),
    Fate(4, "completed"),
    Fate(4, "completed", best="PR"),
    Fate(4, "completed"),
    Fate(4, "completed"),
)

N_ONGOING = 17

# Days after the cycle to platelets, 10⁹/L.
_HELD = Thrombocytopenia(2, ((0, 150), (9, 104), (14, 64), (40, 64)), advice="hold", decision="hold")
_OVERRIDDEN = Thrombocytopenia(
    2,
    ((0, 190), (14, 142), (28, 71), (42, 118), (60, 150)),
    advice="reduce",
    decision="continue",
    reason="A single value; recovered within two weeks.",
)
STATION = Clinic(
    zone=ZoneInfo("Europe/Berlin"),
    ends_on=CUTOFF,
    seed="61 1438",
    amino_acids="lysine_arginine",
    antiemetics=("Granisetron 1 mg", "Granisetron 1 mg", "Granisetron 3 mg and dexamethasone 8 mg"),
    thrombocytopenia={"STA-0001": _OVERRIDDEN, "STA-0056": _HELD},
    early_analogue={"STA-0004": 2},
)
NORTH_RIDGE = Clinic(
    zone=ZoneInfo("America/New_York"),
    ends_on=date(2021, 6, 30),
    seed="12",
    amino_acids="commercial",
    antiemetics=("Ondansetron 8 mg", "Ondansetron 8 mg", "Ondansetron 16 mg and aprepitant 125 mg"),
    units=US_UNITS,
    thrombocytopenia={
        "NRD-0004": Thrombocytopenia(
            2,
            ((0, 138), (14, 92), (26, 44), (33, 51), (90, 82), (180, 101), (400, 124), (900, 140)),
            advice="hold",
            decision="discontinue",
            reason="Slow to recover after the second cycle; the disease is stable.",
        ),
        "NRD-0010": Thrombocytopenia(
            3, ((0, 160), (14, 117), (28, 66), (42, 98), (50, 121)), advice="reduce", decision="reduce"
        ),
        "NRD-0011": _HELD,
    },
    prior_prrt=("NRD-0007",),
)


def published_cohort() -> Cohort:
    """Return the 63 patients at the cut-off, numbered in the order of their first administration."""
    rng = random.Random(61_1438)  # noqa: S311 - the same patients every time is the point
    starts = [
        *spread(rng, date(2018, 1, 22), date(2018, 11, 26), len(STARTED_14_MONTHS_BEFORE)),
        *spread(rng, date(2018, 12, 3), date(2019, 2, 26), len(STARTED_11_MONTHS_BEFORE)),
        *spread(rng, date(2019, 3, 6), date(2019, 7, 24), len(STARTED_LATER)),
        *spread(rng, date(2019, 8, 21), date(2020, 1, 27), N_ONGOING),
    ]
    fates: list[Fate | None] = [
        *STARTED_14_MONTHS_BEFORE,
        *STARTED_11_MONTHS_BEFORE,
        *STARTED_LATER,
        *[None] * N_ONGOING,
    ]
    ages, sexes, tumours = list(AGES), list(SEXES), list(TUMOURS)
    for column in (ages, sexes, tumours):
        rng.shuffle(column)

    cohort = Cohort()
    zone = STATION.zone
    for index, (on, fate) in enumerate(zip(starts, fates, strict=True)):
        number = f"{CENTRE}-{index + 1:04d}"
        tumour_type, site = tumours[index]
        add_patient(
            cohort,
            rng,
            number=number,
            sex=sexes[index],
            age=ages[index],
            on=on,
            tumour_type=tumour_type,
            primary_site=site,
        )
        ongoing = fate or _ongoing(on, held=index == 55)
        Story(rng, cohort, number, zone, CUTOFF, lot_prefix="SYN").tell(on, ongoing)
    add_lesions(cohort, seed=STATION.seed, zone=zone)
    add_details(cohort, STATION)
    return cohort


def _ongoing(on: date, *, held: bool) -> Fate:
    """Return the fate of somebody who has been given every cycle that was due clearly before the cut-off."""
    # The widest delay is 7 days, and may then fall on a weekend: nothing is given after the cut-off.
    given = min(3, 1 + max(0, (CUTOFF - on).days - 1) // 59)
    return Fate(given, "ongoing", held=held)


def second_cohort() -> Cohort:
    """Return 12 patients of another clinic: more paraganglioma, deaths of disease, a salvage course, one not begun."""
    rng = random.Random(12)  # noqa: S311 - as above
    zone, ends_on = NORTH_RIDGE.zone, NORTH_RIDGE.ends_on
    fates = (
        Fate(4, "completed", best="CR", last_scan=(500, 560)),
        Fate(4, "completed", best="PR", last_scan=(450, 520)),
        Fate(4, "completed", event=("scan", (300, 360)), died=(520, 560), cause="disease"),
        Fate(2, "discontinued", reason="haematological", last_scan=(200, 260)),
        Fate(4, "completed", best="PR", last_scan=(330, 400)),
        Fate(3, "discontinued", reason="progression", event=("death", (330, 380)), cause="disease"),
        Fate(4, "completed", best="PR", event=("scan", (340, 390))),
        Fate(2, "discontinued", reason="patient_choice", last_scan=(180, 220)),
        Fate(4, "completed"),
        Fate(3, "ongoing"),
        Fate(2, "ongoing", held=True),
    )
    tumours = [("paraganglioma", "paraganglia")] * 4 + [("phaeochromocytoma", "adrenal")] * 2
    tumours += [("net", "small_intestine")] * 3 + [("net", "lung")] * 2 + [("net", "colon_rectum")]
    rng.shuffle(tumours)
    starts = [
        *spread(rng, date(2019, 4, 8), date(2020, 9, 14), 9),
        date(2021, 1, 13),
        date(2021, 4, 14),
        date(2021, 7, 7),
    ]
    cohort = Cohort()
    for index, on in enumerate(starts):
        number = f"{SECOND_CENTRE}-{index + 1:04d}"
        tumour_type, site = tumours[index]
        add_patient(
            cohort,
            rng,
            number=number,
            sex=rng.choice(["female", "male"]),
            age=rng.randint(34, 74),
            on=on,
            tumour_type=tumour_type,
            primary_site=site,
        )
        story = Story(rng, cohort, number, zone, ends_on, lot_prefix="NSY")
        if index == len(fates):
            story.plan_only(on)
        else:
            story.tell(on, fates[index])
        if index == 1:  # stable for long, then treated again
            story.tell(date(2021, 2, 10), Fate(2, "ongoing"), course_number=2, intent="salvage")
    add_lesions(cohort, seed=NORTH_RIDGE.seed, zone=zone, is_read_twice=True)
    add_details(cohort, NORTH_RIDGE)
    return cohort


def tables(cohort: Cohort) -> list[OutTable]:
    """Return the cohort as sheets to write, rows sorted by their keys."""
    out = []
    for sheet in SHEETS:
        rows = sorted(
            cohort.sheets.get(sheet.name, []),
            key=lambda row: [(row[name] is not None, row[name]) for name in sheet.key],
        )
        out.append(
            OutTable(
                sheet, sheet.columns, [[row.get(column.name) for column in sheet.columns] for row in rows]
            )
        )
    return out
