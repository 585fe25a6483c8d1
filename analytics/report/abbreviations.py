"""What the abbreviations of a report stand for; a report lists those that it uses."""

import re
from collections.abc import Iterable

from languages.wording import Words, gettext_noop, pgettext

MEANINGS: Words[str] = Words(
    {
        "CI": gettext_noop("confidence interval"),
        "CR": gettext_noop("complete response"),
        "CTCAE": gettext_noop("Common Terminology Criteria for Adverse Events"),
        "DCR": gettext_noop(
            "disease control rate: complete or partial response, stable disease or non-CR/non-PD"
        ),
        "DOR": gettext_noop("duration of response"),
        "ECOG": gettext_noop(
            "Eastern Cooperative Oncology Group; its performance status from 0 (fully active) to 5 (dead)"
        ),
        "HR": gettext_noop("hazard ratio"),
        "IQR": gettext_noop("interquartile range: first to third quartile"),
        "Ki-67": gettext_noop("share of tumour cells in division, by immunohistochemistry"),
        "NE": gettext_noop("not evaluable"),
        "NET": gettext_noop("neuroendocrine tumour"),
        "NR": gettext_noop("not reached"),
        "ORR": gettext_noop("objective response rate: complete or partial response"),
        "OS": gettext_noop("overall survival"),
        "PD": gettext_noop("progressive disease"),
        "PET": gettext_noop("positron emission tomography"),
        "PFS": gettext_noop("progression-free survival"),
        "PR": gettext_noop("partial response"),
        "PRRT": gettext_noop("peptide receptor radionuclide therapy"),
        "RECIST": gettext_noop("Response Evaluation Criteria in Solid Tumours, version 1.1"),
        "SD": gettext_noop("standard deviation; as a response: stable disease"),
        "SSTR": gettext_noop("somatostatin receptor; as a criterion: response by uptake on SSTR PET"),
        "SUVmax": gettext_noop("highest standardised uptake value"),
        "TTD": gettext_noop("time to discontinuation of treatment"),
        "TTNT": gettext_noop("time to next therapy"),
        "TTR": gettext_noop("time to response"),
        "WHO": gettext_noop("World Health Organization; grade of a neuroendocrine tumour from 1 to 3"),
    }
)


def used(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return abbreviation and meaning of those that stand in any of ``texts`` as a word of its own, by name."""
    whole = "\n".join(texts)
    known = [(_name(short), short) for short in MEANINGS]
    return [
        (name, MEANINGS[short])
        for name, short in sorted(known, key=lambda item: item[0].lower())
        if re.search(rf"(?<!\w)(?<!\w-){re.escape(name)}(?!\w)", whole)
    ]


def _name(short: str) -> str:
    """Return the abbreviation as the reader's language has it; most stay as they are."""
    if short == "CI":
        return pgettext("abbreviation of confidence interval", "CI")
    return pgettext("abbreviation of not reached", "NR") if short == "NR" else short
