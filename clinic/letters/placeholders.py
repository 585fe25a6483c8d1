"""What can stand in braces in the text of a letter, with what it means and an example of an invented patient.

Plain Python: no database, no clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from analytics.report.document import Row, Table
from clinic.charts.numbers import moment
from languages.wording import Words, day, gettext_noop
from languages.wording import gettext as _

MISSING = gettext_noop("not recorded")
Fact = str | Table


def missing() -> str:
    """Return what stands in the place of a fact that nobody recorded."""
    return _(MISSING)


class Kind(StrEnum):
    """The kinds of letters."""

    THERAPY_SUMMARY = "therapy_summary"
    CYCLE_LETTER = "cycle_letter"


KIND_WORDS = Words(
    {
        Kind.THERAPY_SUMMARY: gettext_noop("Therapy summary"),
        Kind.CYCLE_LETTER: gettext_noop("Cycle letter"),
    }
)
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
    """Return a table; every column but the first ``n_words`` holds numbers.

    Args:
        head: messages of the catalogue.
    """
    return Table(caption, tuple(map(_, head)), tuple(Row(tuple(cells)) for cells in rows), note, n_words)


CYCLES_HEAD = (
    gettext_noop("Cycle"),
    gettext_noop("Given on"),
    gettext_noop("Prescribed (MBq)"),
    gettext_noop("Given, net (MBq)"),
    gettext_noop("Deviation (%)"),
)
LABS_HEAD = (
    gettext_noop("Analyte"),
    gettext_noop("Sample of"),
    gettext_noop("Value"),
    gettext_noop("CTCAE grade"),
)
STUDIES_HEAD = (
    gettext_noop("Study"),
    gettext_noop("Performed on"),
    gettext_noop("RECIST 1.1"),
    gettext_noop("SSTR uptake"),
)
EVENTS_HEAD = (
    gettext_noop("Adverse event"),
    gettext_noop("Onset"),
    gettext_noop("Resolved"),
    gettext_noop("CTCAE grade"),
)
DOSES_HEAD = (
    gettext_noop("Organ"),
    gettext_noop("Method"),
    gettext_noop("Cycles"),
    gettext_noop("Absorbed dose (Gy)"),
    gettext_noop("Limit (Gy)"),
)


def _all() -> tuple[Placeholder, ...]:
    return (
        Placeholder("patient_name", _("given names and family name"), "Erika Example"),
        Placeholder("mrn", _("medical record number of the hospital"), "M-000000"),
        Placeholder("birth_date", _("date of birth"), day(date(1957, 3, 2))),
        Placeholder("age", _("age today, or at death"), _("62 years")),
        Placeholder("sex", _("sex"), _("female")),
        Placeholder("registry_number", _("number in the registry"), "STA-0000"),
        Placeholder("centre", _("name of the centre"), _("Example clinic")),
        Placeholder("letter_date", _("the day on which the letter is made"), day(date(2019, 7, 1))),
        Placeholder("diagnosis", _("tumour type and primary site"), _("NET, pancreas")),
        Placeholder("diagnosed_on", _("date of diagnosis"), day(date(2016, 5, 11))),
        Placeholder("who_grade", _("WHO grade"), "G2"),
        Placeholder("ki67", _("Ki-67 index"), "5 %"),
        Placeholder("metastases", _("sites of metastases"), _("Liver, Bone")),
        Placeholder(
            "performance_status",
            _("newest ECOG performance status with its day"),
            _("ECOG {ecog} on {day}").format(ecog=0, day=day(date(2018, 12, 20))),
        ),
        Placeholder(
            "prior_therapies",
            _("therapies before PRRT"),
            _("{therapy} from {day}").format(therapy=_("lanreotide"), day=day(date(2017, 3, 1))),
        ),
        Placeholder("course_number", _("number of the course"), "1"),
        Placeholder("course_intent", _("initial or salvage"), _("initial")),
        Placeholder(
            "course_state", _("how the course stands, with the reason"), _("Ongoing: 2 of 4 cycles given.")
        ),
        Placeholder(
            "protocol", _("protocol with its version"), _("177Lu-DOTATATE 4 × 7,400 MBq every 8 weeks (v1)")
        ),
        Placeholder("radiopharmaceutical", _("what is given"), "177Lu-DOTATATE"),
        Placeholder("planned_cycles", _("cycles of the protocol"), "4"),
        Placeholder("cycles_given", _("cycles given; in a cycle letter up to this cycle"), "2"),
        Placeholder(
            "first_given_on", _("day of the first administration of the course"), day(date(2019, 1, 7))
        ),
        Placeholder(
            "last_given_on", _("day of the last administration of the course"), day(date(2019, 3, 4))
        ),
        Placeholder(
            "cumulative_activity_gbq",
            _("net activity of the course in GBq; in a cycle letter up to and with this cycle"),
            _("14.8 GBq"),
        ),
        Placeholder(
            "lifelong_activity_gbq",
            _(
                "net activity of all courses and of earlier PRRT in GBq; "
                "in a cycle letter up to and with this cycle"
            ),
            _("14.8 GBq"),
        ),
        Placeholder(
            "next_planned_on",
            _("when the next cycle is planned, or why there is none"),
            _("{day} (cycle {number})").format(day=day(date(2019, 4, 29)), number=3),
        ),
        Placeholder(
            "response",
            _(
                "best overall response of the course, and the newest reading; "
                "in a cycle letter the newest reading up to its day"
            ),
            _("Partial response (PR), PET/CT of {day}").format(day=day(date(2019, 4, 15))),
        ),
        Placeholder(
            "absorbed_doses", _("absorbed doses of organs in a sentence"), _("kidneys 8.4 Gy (2 cycles)")
        ),
        Placeholder("cycle_number", _("number of the cycle"), "2", OF_CYCLE),
        Placeholder("given_on", _("day of the administration"), day(date(2019, 3, 4)), OF_CYCLE),
        Placeholder(
            "given_at",
            _("start of the infusion, local time of the centre"),
            moment(datetime(2019, 3, 4, 10, 30, tzinfo=UTC)),
            OF_CYCLE,
        ),
        Placeholder("prescribed_activity_mbq", _("prescribed activity in MBq"), _("7,400.0 MBq"), OF_CYCLE),
        Placeholder("administered_activity_mbq", _("net activity given in MBq"), _("7,391.5 MBq"), OF_CYCLE),
        Placeholder(
            "deviation", _("given less prescribed, in percent of the prescribed"), _("−0.1 %"), OF_CYCLE
        ),
        Placeholder("lot", _("lot number of the radiopharmaceutical"), "L-0042", OF_CYCLE),
        Placeholder("amino_acids", _("amino acid infusion"), _("Lysine and arginine, 240 min"), OF_CYCLE),
        Placeholder("antiemetic", _("antiemetic"), _("ondansetron 8 mg"), OF_CYCLE),
        Placeholder("body_weight", _("body weight on the day"), _("68.5 kg"), OF_CYCLE),
        Placeholder(
            "dose_decision", _("what was decided before the cycle, with the reason"), _("Continue"), OF_CYCLE
        ),
        Placeholder(
            "cycles_table",
            _("table of the cycles given; in a cycle letter up to this cycle"),
            table(
                _("Cycles given"),
                CYCLES_HEAD,
                [
                    ("1", day(date(2019, 1, 7)), _("7,400.0"), _("7,410.2"), _("+0.1")),
                    ("2", day(date(2019, 3, 4)), _("7,400.0"), _("7,391.5"), _("−0.1")),
                ],
            ),
        ),
        Placeholder(
            "labs_table",
            _(
                "table of the newest laboratory values with their grade; in a cycle letter up to the day of the cycle"
            ),
            table(
                _("Laboratory values"),
                LABS_HEAD,
                [
                    (_("Platelets"), day(date(2019, 3, 1)), "184 ×10⁹/L", "0"),
                    (_("Haemoglobin"), day(date(2019, 3, 1)), "121 g/L", "1"),
                ],
                n_words=2,
            ),
        ),
        Placeholder(
            "studies_table",
            _("table of the studies with their responses"),
            table(
                _("Imaging and response"),
                STUDIES_HEAD,
                [
                    (_("Baseline"), day(date(2018, 12, 17)), _("baseline"), _("baseline")),
                    (_("Interim"), day(date(2019, 4, 15)), _("Partial response"), _("Decreased")),
                ],
                n_words=4,
            ),
            OF_COURSE,
        ),
        Placeholder(
            "adverse_events_table",
            _(
                "table of the adverse events, newest first; "
                "in a cycle letter those with their onset before the next cycle given"
            ),
            table(
                _("Adverse events"),
                EVENTS_HEAD,
                [(_("Nausea"), day(date(2019, 1, 8)), day(date(2019, 1, 9)), "1")],
                n_words=3,
            ),
        ),
        Placeholder(
            "doses_table",
            _("table of the absorbed doses of organs over all cycles known"),
            table(
                _("Absorbed doses"), DOSES_HEAD, [(_("Kidneys"), "SPECT/CT", "2", _("8.4"), "23")], n_words=2
            ),
        ),
    )


# What a name means and its example are English here; ``of_kind`` says them in the reader's language.
PLACEHOLDERS: Mapping[str, Placeholder] = {one.name: one for one in _all()}


def of_kind(kind: Kind) -> list[Placeholder]:
    """Return what can stand in a letter of this kind, in order."""
    return [one for one in _all() if kind in one.kinds]


def sample(kind: Kind) -> dict[str, Fact]:
    """Return the facts of an invented patient."""
    return {one.name: one.example for one in of_kind(kind)}
