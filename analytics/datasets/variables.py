"""The variables of every data set: name, label, type, unit and where each comes from. The data dictionary is made of them.

Shapes: CDISC ADaM Implementation Guide (ADSL, BDS) and its time-to-event structure, names as admiral and admiralonco give
them. What ADaM has no name for has one of ours, and says so in its derivation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

Value = str | int | float | Decimal | date | None
Row = dict[str, Value]
Kind = Literal["text", "whole", "number", "date"]


@dataclass(frozen=True)
class Variable:
    """A column of a data set.

    Args:
        name: at most 8 capital letters and digits, the first a letter (SAS transport).
        label: at most 40 ASCII characters.
    """

    name: str
    label: str
    kind: Kind
    derivation: str
    unit: str = ""


@dataclass(frozen=True)
class DataSet:
    """A data set: one file of each kind.

    Args:
        keys: the variables that name a row.
    """

    name: str
    label: str
    keys: tuple[str, ...]
    variables: tuple[Variable, ...]


_STUDY = Variable("STUDYID", "Study Identifier", "text", "Slug of the cohort, or name of the data lock.")
_SUBJECT = Variable(
    "USUBJID",
    "Unique Subject Identifier",
    "text",
    "Registry number of the patient; in a de-identified export a pseudonym of this export.",
)
_COURSE = Variable(
    "COURSENO",
    "Course Number",
    "whole",
    "Own variable: the patient's course. A cohort that counts every course has a row for each.",
)
_SEQUENCE = Variable(
    "ASEQ", "Analysis Sequence Number", "whole", "Counts the rows of a course in this data set."
)
_PARAMETER = (
    Variable("PARAM", "Parameter", "text", "PARAMCD in words."),
    Variable("PARAMCD", "Parameter Code", "text", "Parameter of the row."),
)
_DAYS_FROM_ZERO = Variable(
    "DAYS0",
    "Days from Time Zero",
    "whole",
    "Own variable: ADT - time zero of the definition (TZERODT of ADSL), without the 1 that AVAL adds.",
    "d",
)

ADSL = DataSet(
    "ADSL",
    "Subject-Level Analysis Dataset",
    ("USUBJID", "COURSENO"),
    (
        _STUDY,
        _SUBJECT,
        Variable("SUBJID", "Subject Identifier for the Study", "text", "As USUBJID."),
        _COURSE,
        Variable(
            "SITEID",
            "Study Site Identifier",
            "text",
            "Centre code; in a de-identified export OTHER for centres with few patients of the cohort.",
        ),
        Variable(
            "AGE",
            "Age",
            "whole",
            "In completed years at the first administration; in a de-identified export 90 for 90 and over.",
            "a",
        ),
        Variable("AGEU", "Age Units", "text", "YEARS where AGE is known."),
        Variable("AGEGR1", "Pooled Age Group 1", "text", "<65 or >=65."),
        Variable("SEX", "Sex", "text", "F, M, U (unknown) or OTHER."),
        Variable("TUMTYPE", "Tumor Type", "text", "Own variable: code of the diagnosis."),
        Variable("PRIMSITE", "Primary Site", "text", "Own variable: code of the diagnosis."),
        Variable("GRADE", "WHO Grade", "text", "Own variable: code of the diagnosis."),
        Variable("KI67", "Ki-67 Index (%)", "number", "Own variable.", "%"),
        Variable("FUNCSYND", "Functional Syndrome", "text", "Own variable: code of the diagnosis."),
        Variable(
            "ECOGBL", "Baseline ECOG Performance Status", "whole", "Last before the first administration."
        ),
        Variable(
            "PRIORTH",
            "Prior Therapies",
            "text",
            "Own variable: kinds of therapy begun before the first administration, separated by semicolons.",
        ),
        Variable("PROTOCOL", "Protocol and Version", "text", "Own variable: code and version."),
        Variable("INTENT", "Intent of the Course", "text", "Own variable."),
        Variable(
            "SUVMAXBL", "Baseline SUVmax, Hottest Lesion (g/mL)", "number", "Own variable.", "g/mL"
        ),
        Variable("KRENNBL", "Baseline Krenning Score", "whole", "Own variable: 0 to 4."),
        Variable(
            "STRATUM",
            "Stratum of the Cohort",
            "text",
            "Own variable: by what the cohort is divided, where it is (manifest: strata_by).",
        ),
        Variable("SAFFL", "Safety Population Flag", "text", "Y: a cycle was given by the cut-off, and PROBLFL is N."),
        Variable(
            "ANLSETFL",
            "Analysis Set Flag",
            "text",
            "Own variable. Y: in the analysis set of the definition; only these have rows in ADTTE and ADRS.",
        ),
        Variable("FIRSTFL", "First Course Flag", "text", "Own variable. Y: the first course that was begun."),
        Variable("EVALFL", "Response Evaluable Flag", "text", "Own variable. Y: counts for response."),
        Variable("EVALREAS", "Reason for Response Evaluable Flag", "text", "Own variable, in words."),
        Variable(
            "PROBLFL",
            "Contradictory Records Flag",
            "text",
            "Own variable. Y: the records contradict each other, and nothing was derived.",
        ),
        Variable("TRTSDT", "Date of First Exposure to Treatment", "date", "First administration, local date."),
        Variable("TZERODT", "Date of Time Zero", "date", "Own variable: from which days are counted."),
        Variable(
            "ENTRYDY",
            "Days from Time Zero to Entry",
            "whole",
            "Own variable: the patient is at risk only from then on (left truncation); 0 unless time zero is earlier "
            "than the first administration.",
            "d",
        ),
        Variable(
            "EOTSTT", "End of Treatment Status", "text", "COMPLETED, DISCONTINUED or ONGOING at the cut-off."
        ),
        Variable("NPLANCYC", "Planned Cycles", "whole", "Own variable."),
        Variable("NCYCLES", "Cycles Given", "whole", "Own variable: by the cut-off."),
        Variable("CUMACT", "Cumulative Activity (MBq)", "number", "Own variable: administered.", "MBq"),
        Variable("DOSINT", "Dose Intensity (%)", "number", "Own variable: of the protocol's.", "%"),
        Variable("NDELAY", "Delayed Cycles", "whole", "Own variable: given after the protocol's window."),
        Variable("NREDUC", "Reduced Cycles", "whole", "Own variable: prescribed below the protocol's activity."),
        Variable("DCTREAS", "Reason for Discontinuation of Treatment", "text", "Main reason."),
        Variable("DCTCYC", "Cycles Given at Discontinuation", "whole", "Own variable."),
        Variable("DTHFL", "Subject Death Flag", "text", "Y: died by the cut-off."),
        Variable("DTHDT", "Date of Death", "date", "By the cut-off."),
        Variable("DTHCAUS", "Cause of Death", "text", "Category."),
        Variable("LSTALVDT", "Date Last Known Alive", "date", "By the cut-off; the date of death where there is one."),
        Variable("BOR", "Best Overall Response", "text", "Own variable: as the row BOR of ADRS."),
        Variable("CBOR", "Confirmed Best Overall Response", "text", "Own variable: as the row CBOR of ADRS."),
        Variable("BSSTR", "Best SSTR PET Response", "text", "Own variable: as the row BSSTR of ADRS."),
    ),
)  # fmt: skip

ADTTE = DataSet(
    "ADTTE",
    "Time-to-Event Analysis Dataset",
    ("USUBJID", "COURSENO", "PARAMCD"),
    (
        _STUDY,
        _SUBJECT,
        _COURSE,
        _SEQUENCE,
        *_PARAMETER,
        Variable("AVAL", "Analysis Value", "whole", "ADT - STARTDT + 1.", "d"),
        Variable("AVALU", "Analysis Value Unit", "text", "DAYS."),
        Variable(
            "TTEDAYS",
            "Days from Origin to Event or Censoring",
            "whole",
            "Own variable: ADT - STARTDT, from which the registry's curves are made.",
            "d",
        ),
        Variable(
            "ENTRYDY",
            "Days from Origin to Entry",
            "whole",
            "Own variable: at risk only from then on (left truncation).",
            "d",
        ),
        Variable(
            "STARTDT",
            "Time-to-Event Origin Date for Subject",
            "date",
            "Time zero of the definition; of DOR the first response that counts.",
        ),
        Variable("ADT", "Analysis Date", "date", "Day of the event or of the censoring."),
        Variable(
            "CNSR",
            "Censor",
            "whole",
            "0 event; 1 end of what is known; 2 another anticancer therapy; 3 missed assessments; 4 treatment "
            "completed (of TTD the competing end); 5 an end that is no event of this time: progression or death.",
        ),
        Variable("EVNTDESC", "Event or Censoring Description", "text", "What ended the time; CENSORED."),
        Variable("CNSDTDSC", "Censor Date Description", "text", "What ADT is, of a censored time."),
        Variable("BASIS", "Basis in the Registry", "text", "Own variable: the registry's code of what decided."),
        Variable(
            "SRCDOM",
            "Source Data",
            "text",
            "SDTM domain in which such a fact stands: RS, CE, DM, CM, DS, EX or SS.",
        ),
        Variable("SRCVAR", "Source Variable", "text", "SDTM variable likewise."),
        Variable(
            "ANL01FL",
            "Analysis Flag 01",
            "text",
            "Y: at risk for a time. Empty: ended before ENTRYDY was over; the registry's curves leave it out.",
        ),
    ),
)  # fmt: skip

ADRS = DataSet(
    "ADRS",
    "Tumor Response Analysis Dataset",
    ("USUBJID", "COURSENO", "ASEQ"),
    (
        _STUDY,
        _SUBJECT,
        _COURSE,
        _SEQUENCE,
        *_PARAMETER,
        Variable("PARCAT1", "Parameter Category 1", "text", "Tumor Response."),
        Variable("PARCAT3", "Parameter Category 3", "text", "RECIST 1.1 or SSTR PET."),
        Variable("AVISIT", "Analysis Visit", "text", "Timepoint of the study; empty of best responses."),
        Variable(
            "ADT",
            "Analysis Date",
            "date",
            "Day of the study; of BOR the first with that response; empty of CBOR and BSSTR, which are of no one day.",
        ),
        Variable(
            "ADY",
            "Analysis Relative Day",
            "whole",
            "ADT - TRTSDT + 1 from the first administration on, ADT - TRTSDT before it.",
            "d",
        ),
        _DAYS_FROM_ZERO,
        Variable(
            "AVAL",
            "Analysis Value",
            "whole",
            "CR 1, PR 2, SD 3, NON-CR/NON-PD 4, PD 5, NE 6, MISSING 7; of SSTR PET DISAPPEARED 1, DECREASED 2, "
            "UNCHANGED 3, INCREASED 4, NOT_EVALUABLE 5, MISSING 6.",
        ),
        Variable("AVALC", "Analysis Value (C)", "text", "The response."),
        Variable(
            "ANL01FL",
            "Analysis Flag 01",
            "text",
            "Y: OVR from time zero on, the worst of a day; of best responses always.",
        ),
        Variable("ANL02FL", "Analysis Flag 02", "text", "Y: ANL01FL, up to and with the first PD of OVR."),
    ),
)  # fmt: skip

ADTR = DataSet(
    "ADTR",
    "Tumor Measurement Analysis Dataset",
    ("USUBJID", "COURSENO", "ASEQ"),
    (
        _STUDY,
        _SUBJECT,
        _COURSE,
        _SEQUENCE,
        *_PARAMETER,
        Variable("AVISIT", "Analysis Visit", "text", "Timepoint of the study."),
        Variable("ADT", "Analysis Date", "date", "Day of the study."),
        Variable("ADY", "Analysis Relative Day", "whole", "As in ADRS.", "d"),
        _DAYS_FROM_ZERO,
        Variable("AVAL", "Analysis Value", "number", "Diameter, sum or SUVmax.", "mm or g/mL"),
        Variable("AVALU", "Analysis Value Unit", "text", "mm or g/mL."),
        Variable("AVALC", "Analysis Value (C)", "text", "How the lesion was found, of LDIAMn."),
        Variable("ABLFL", "Baseline Record Flag", "text", "Y: of the baseline study."),
        Variable("BASE", "Baseline Value", "number", "AVAL at baseline.", "mm or g/mL"),
        Variable("CHG", "Change from Baseline", "number", "AVAL - BASE; of SDIAM where the sum is complete.", "mm or g/mL"),
        Variable("PCHG", "Percent Change from Baseline", "number", "100 x CHG / BASE.", "%"),
        Variable("NADIR", "Nadir", "number", "Of SDIAM: smallest complete sum of an earlier study.", "mm"),
        Variable("CHGNAD", "Change from Nadir", "number", "AVAL - NADIR, likewise.", "mm"),
        Variable("PCHGNAD", "Percent Change from Nadir", "number", "100 x CHGNAD / NADIR.", "%"),
        Variable("ANL01FL", "Analysis Flag 01", "text", "Of SDIAM. Y: every target lesion is in the sum."),
        Variable("TRLNKID", "Link ID", "text", "Label of the lesion; in a de-identified export its number."),
        Variable("TRTESTCD", "Tumor Assessment Short Name", "text", "LDIAM; of nodes LPERP; SUMDIAM; SUVMAX."),
        Variable("TULOC", "Location of the Tumor", "text", "Organ."),
        Variable("TULOCGR1", "Location of the Tumor Group 1", "text", "NODAL or NON-NODAL."),
        Variable("LSEXP", "Lesions Expected", "whole", "Of SDIAM: target lesions."),
        Variable("LSASS", "Lesions Assessed", "whole", "Of SDIAM: target lesions that are in the sum."),
    ),
)  # fmt: skip

ALL = (ADSL, ADTTE, ADRS, ADTR)

DICTIONARY = ("DATASET", "VARIABLE", "LABEL", "TYPE", "UNIT", "KEY", "DERIVATION")
_TYPES: dict[Kind, str] = {"text": "text", "whole": "integer", "number": "float", "date": "date (ISO 8601)"}


def dictionary(data_sets: tuple[DataSet, ...]) -> Iterator[tuple[str, ...]]:
    """Yield a row of the data dictionary for each variable, in the order of ``DICTIONARY``."""
    for data_set in data_sets:
        for variable in data_set.variables:
            key = data_set.keys.index(variable.name) + 1 if variable.name in data_set.keys else ""
            yield (
                data_set.name,
                variable.name,
                variable.label,
                _TYPES[variable.kind],
                variable.unit,
                str(key),
                variable.derivation,
            )
