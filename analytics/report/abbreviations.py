"""What the abbreviations of a report stand for; a report lists those that it uses."""

import re
from collections.abc import Iterable

MEANINGS = {
    "CI": "confidence interval",
    "CR": "complete response",
    "CTCAE": "Common Terminology Criteria for Adverse Events",
    "DCR": "disease control rate: complete or partial response, stable disease or non-CR/non-PD",
    "DOR": "duration of response",
    "ECOG": "Eastern Cooperative Oncology Group; its performance status from 0 (fully active) to 5 (dead)",
    "HR": "hazard ratio",
    "IQR": "interquartile range: first to third quartile",
    "Ki-67": "share of tumour cells in division, by immunohistochemistry",
    "NE": "not evaluable",
    "NET": "neuroendocrine tumour",
    "NR": "not reached",
    "ORR": "objective response rate: complete or partial response",
    "OS": "overall survival",
    "PD": "progressive disease",
    "PET": "positron emission tomography",
    "PFS": "progression-free survival",
    "PR": "partial response",
    "PRRT": "peptide receptor radionuclide therapy",
    "RECIST": "Response Evaluation Criteria in Solid Tumours, version 1.1",
    "SD": "standard deviation; as a response: stable disease",
    "SSTR": "somatostatin receptor; as a criterion: response by uptake on SSTR PET",
    "SUVmax": "highest standardised uptake value",
    "TTD": "time to discontinuation of treatment",
    "TTNT": "time to next therapy",
    "TTR": "time to response",
    "WHO": "World Health Organization; grade of a neuroendocrine tumour from 1 to 3",
}


def used(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return abbreviation and meaning of those that stand in any of ``texts`` as a word of its own, by name."""
    whole = "\n".join(texts)
    return [
        (name, meaning)
        for name, meaning in sorted(MEANINGS.items(), key=lambda item: item[0].lower())
        if re.search(rf"(?<![\w-]){re.escape(name)}(?!\w)", whole)
    ]
