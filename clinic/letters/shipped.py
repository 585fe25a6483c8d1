"""The letters of a centre that has written none of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clinic.letters.placeholders import Kind
from languages.wording import gettext as _
from languages.wording import gettext_noop


@dataclass(frozen=True)
class Wording:
    """What a letter says before the facts are put in.

    Attributes:
        title: one line.
        body: paragraphs with an empty line between them.
        version: 0: shipped with the registry; None: being written.
    """

    title: str
    body: str
    version: int | None = 0


# Each is one message of the catalogues; placeholders have the same names in every language.
_HEAD = gettext_noop(
    """\
{centre}
{letter_date}

Patient: {patient_name}, born {birth_date}, {sex}
MRN: {mrn}
Registry number: {registry_number}

Dear colleague,"""
)
_FOOT = gettext_noop(
    """\
Yours sincerely

Name and signature: ______________________________"""
)
_THERAPY_SUMMARY = gettext_noop(
    """\
we report on the peptide receptor radionuclide therapy (PRRT) of this patient with {radiopharmaceutical}.

# Diagnosis

{diagnosis}, diagnosed on: {diagnosed_on}. WHO grade: {who_grade}. Ki-67: {ki67}. Metastases: {metastases}. \
Performance status: {performance_status}. Earlier therapies: {prior_therapies}.

# Therapy

Course {course_number} ({course_intent}) by the protocol {protocol}. {course_state}

- Cycles given: {cycles_given} of {planned_cycles}, from {first_given_on} to {last_given_on}
- Activity of this course: {cumulative_activity_gbq}
- Activity life-long: {lifelong_activity_gbq}
- Next cycle: {next_planned_on}

{cycles_table}

# Response

{response}

{studies_table}

# Tolerability

{labs_table}

{adverse_events_table}

{doses_table}"""
)
_CYCLE_LETTER = gettext_noop(
    """\
this patient with {diagnosis} was given cycle {cycle_number} of {planned_cycles} of PRRT with \
{radiopharmaceutical} on {given_on}.

# Administration

- Start of the infusion: {given_at}
- Activity prescribed: {prescribed_activity_mbq}
- Activity given, net: {administered_activity_mbq}, deviation {deviation}
- Lot: {lot}
- Amino acids: {amino_acids}
- Activity of this course so far: {cumulative_activity_gbq}
- Activity life-long: {lifelong_activity_gbq}

{cycles_table}

# Response

Newest response: {response}

# Tolerability

{labs_table}

{adverse_events_table}

# Next

Next cycle: {next_planned_on}. We ask for a blood count, creatinine and liver values before it."""
)
_SHIPPED = {
    Kind.THERAPY_SUMMARY: (gettext_noop("Therapy summary: course {course_number}"), _THERAPY_SUMMARY),
    Kind.CYCLE_LETTER: (gettext_noop("Letter on cycle {cycle_number}"), _CYCLE_LETTER),
}


class _Shipped(Mapping[Kind, Wording]):
    """The letter of each kind, in the language of who asks for it."""

    def __getitem__(self, kind: Kind) -> Wording:
        title, body = _SHIPPED[kind]
        return Wording(_(title), "\n\n".join([_(_HEAD), _(body), _(_FOOT)]))

    def __iter__(self) -> Iterator[Kind]:
        return iter(_SHIPPED)

    def __len__(self) -> int:
        return len(_SHIPPED)


SHIPPED = _Shipped()
