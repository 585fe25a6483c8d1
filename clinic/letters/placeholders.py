"""What can stand in braces in the text of a letter, with what it means and an example of an invented patient.

Plain Python: no database, no clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from analytics.report.document import Row, Table

MISSING = "not recorded"
Fact = str | Table


class Kind(StrEnum):
    """The kinds of letters."""

    THERAPY_SUMMARY = "therapy_summary"
    CYCLE_LETTER = "cycle_letter"


KIND_WORDS = {Kind.THERAPY_SUMMARY: "Therapy summary", Kind.CYCLE_LETTER: "Cycle letter"}
BOTH = frozenset(Kind)
OF_CYCLE = frozenset({Kind.CYCLE_LETTER})
OF_COURSE = frozenset({Kind.THERAPY_SUMMARY})


@dataclass(frozen=True)
class Placeholder:
    """A name with its meaning; an example that is a table stands on a line of its own.

    Numbers bring their unit along, whatever the text says around them.
    """

    name: str
    meaning: str
    example: Fact
    kinds: frozenset[Kind] = BOTH

    @property
    def is_table(self) -> bool:
        return isinstance(self.example, Table)

    @property
    def written(self) -> str:
        return "{" + self.name + "}"


def table(
    caption: str, head: Iterable[str], rows: Iterable[Iterable[str]], *, n_words: int = 1, note: str = ""
) -> Table:
    """Return a table; every column but the first ``n_words`` holds numbers."""
    return Table(caption, tuple(head), tuple(Row(tuple(cells)) for cells in rows), note, n_words)


CYCLES_HEAD = ("Cycle", "Given on", "Prescribed (MBq)", "Given, net (MBq)", "Deviation (%)")
LABS_HEAD = ("Analyte", "Sample of", "Value", "CTCAE grade")
STUDIES_HEAD = ("Study", "Performed on", "RECIST 1.1", "SSTR uptake")
EVENTS_HEAD = ("Adverse event", "Onset", "Resolved", "CTCAE grade")
DOSES_HEAD = ("Organ", "Method", "Cycles", "Absorbed dose (Gy)", "Limit (Gy)")

_ALL = (
    Placeholder("patient_name", "given names and family name", "Erika Example"),
    Placeholder("mrn", "medical record number of the hospital", "M-000000"),
    Placeholder("birth_date", "date of birth", "1957-03-02"),
    Placeholder("age", "age today, or at death", "62 years"),
    Placeholder("sex", "sex", "female"),
    Placeholder("registry_number", "number in the registry", "STA-0000"),
    Placeholder("centre", "name of the centre", "Example clinic"),
    Placeholder("letter_date", "the day on which the letter is made", "2019-07-01"),
    Placeholder("diagnosis", "tumour type and primary site", "NET, pancreas"),
    Placeholder("diagnosed_on", "date of diagnosis", "2016-05-11"),
    Placeholder("who_grade", "WHO grade", "G2"),
    Placeholder("ki67", "Ki-67 index", "5 %"),
    Placeholder("metastases", "sites of metastases", "Liver, Bone"),
    Placeholder("performance_status", "newest ECOG performance status with its day", "ECOG 0 on 2018-12-20"),
    Placeholder("prior_therapies", "therapies before PRRT", "lanreotide from 2017-03-01"),
    Placeholder("course_number", "number of the course", "1"),
    Placeholder("course_intent", "initial or salvage", "initial"),
    Placeholder("course_state", "how the course stands, with the reason", "Ongoing: 2 of 4 cycles given."),
    Placeholder("protocol", "protocol with its version", "177Lu-DOTATATE 4 × 7,400 MBq every 8 weeks (v1)"),
    Placeholder("radiopharmaceutical", "what is given", "177Lu-DOTATATE"),
    Placeholder("planned_cycles", "cycles of the protocol", "4"),
    Placeholder("cycles_given", "cycles given; in a cycle letter up to this cycle", "2"),
    Placeholder("first_given_on", "day of the first administration of the course", "2019-01-07"),
    Placeholder("last_given_on", "day of the last administration of the course", "2019-03-04"),
    Placeholder(
        "cumulative_activity_gbq",
        "net activity of the course in GBq; in a cycle letter up to and with this cycle",
        "14.8 GBq",
    ),
    Placeholder(
        "lifelong_activity_gbq",
        "net activity of all courses and of earlier PRRT in GBq; in a cycle letter up to and with this cycle",
        "14.8 GBq",
    ),
    Placeholder("next_planned_on", "when the next cycle is planned, or why there is none", "2019-04-29 (cycle 3)"),
    Placeholder(
        "response",
        "best overall response of the course, and the newest reading; in a cycle letter the newest reading up to its day",
        "Partial response (PR), PET/CT of 2019-04-15",
    ),
    Placeholder("absorbed_doses", "absorbed doses of organs in a sentence", "kidneys 8.4 Gy (2 cycles)"),
    Placeholder("cycle_number", "number of the cycle", "2", OF_CYCLE),
    Placeholder("given_on", "day of the administration", "2019-03-04", OF_CYCLE),
    Placeholder("given_at", "start of the infusion, local time of the centre", "2019-03-04 10:30", OF_CYCLE),
    Placeholder("prescribed_activity_mbq", "prescribed activity in MBq", "7,400.0 MBq", OF_CYCLE),
    Placeholder("administered_activity_mbq", "net activity given in MBq", "7,391.5 MBq", OF_CYCLE),
    Placeholder("deviation", "given less prescribed, in percent of the prescribed", "−0.1 %", OF_CYCLE),
    Placeholder("lot", "lot number of the radiopharmaceutical", "L-0042", OF_CYCLE),
    Placeholder("amino_acids", "amino acid infusion", "Lysine and arginine, 240 min", OF_CYCLE),
    Placeholder("antiemetic", "antiemetic", "ondansetron 8 mg", OF_CYCLE),
    Placeholder("body_weight", "body weight on the day", "68.5 kg", OF_CYCLE),
    Placeholder("dose_decision", "what was decided before the cycle, with the reason", "Continue", OF_CYCLE),
    Placeholder(
        "cycles_table",
        "table of the cycles given; in a cycle letter up to this cycle",
        table(
            "Cycles given",
            CYCLES_HEAD,
            [("1", "2019-01-07", "7,400.0", "7,410.2", "+0.1"), ("2", "2019-03-04", "7,400.0", "7,391.5", "−0.1")],
        ),
    ),
    Placeholder(
        "labs_table",
        "table of the newest laboratory values with their grade; in a cycle letter up to the day of the cycle",
        table(
            "Laboratory values",
            LABS_HEAD,
            [("Platelets", "2019-03-01", "184 ×10⁹/L", "0"), ("Haemoglobin", "2019-03-01", "121 g/L", "1")],
            n_words=2,
        ),
    ),
    Placeholder(
        "studies_table",
        "table of the studies with their responses",
        table(
            "Imaging and response",
            STUDIES_HEAD,
            [("Baseline", "2018-12-17", "baseline", "baseline"), ("Interim", "2019-04-15", "Partial response", "Decreased")],
            n_words=4,
        ),
        OF_COURSE,
    ),
    Placeholder(
        "adverse_events_table",
        "table of the adverse events, newest first; in a cycle letter those with their onset before the next cycle given",
        table("Adverse events", EVENTS_HEAD, [("Nausea", "2019-01-08", "2019-01-09", "1")], n_words=3),
    ),
    Placeholder(
        "doses_table",
        "table of the absorbed doses of organs over all cycles known",
        table("Absorbed doses", DOSES_HEAD, [("Kidneys", "SPECT/CT", "2", "8.4", "23")], n_words=2),
    ),
)  # fmt: skip
PLACEHOLDERS: Mapping[str, Placeholder] = {one.name: one for one in _ALL}


def of_kind(kind: Kind) -> list[Placeholder]:
    """Return what can stand in a letter of this kind, in order."""
    return [one for one in _ALL if kind in one.kinds]


def sample(kind: Kind) -> dict[str, Fact]:
    """Return the facts of an invented patient."""
    return {one.name: one.example for one in of_kind(kind)}
