"""The clinical words of the registry, explained once: the glossary page and the notes beside words read them here."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.utils.text import slugify


@dataclass(frozen=True)
class Term:
    """A word with what it stands for, what it means here, and the document that says more (below ``docs/``)."""

    word: str
    stands_for: str
    meaning: str
    document: str = ""

    @property
    def slug(self) -> str:
        return slugify(self.word)


_ALL = (
    Term("Administration", "", "One injection of the radiopharmaceutical: when it began, and how much was given net."),
    Term(
        "Amino acids",
        "",
        "Lysine and arginine, infused before, during and after the administration; they lower the dose to the kidneys.",
    ),
    Term(
        "Baseline",
        "",
        "The last examination before the first cycle. Later values and measurements are compared with it.",
    ),
    Term(
        "Censored",
        "",
        "Followed without an event until a day, and not known beyond it. Such a patient counts as at risk until that day.",
        "rules/endpoints.md",
    ),
    Term(
        "CR",
        "complete response",
        "All target and non-target lesions are gone, and nodes are below 10 mm in their short axis.",
        "rules/recist.md",
    ),
    Term(
        "CTCAE",
        "Common Terminology Criteria for Adverse Events",
        "Grades of toxicity from 1 (mild) to 5 (death). Laboratory values are graded by version 5.0.",
        "rules/ctcae.md",
    ),
    Term("Cycle", "", "One of the planned treatments of a course, usually four, eight weeks apart.", "rules/schedule.md"),
    Term(
        "DOTATATE",
        "DOTA-Tyr3-octreotate",
        "A peptide that binds to somatostatin receptors. With lutetium-177 it treats, with gallium-68 it is seen by PET.",
    ),
    Term(
        "ECOG",
        "Eastern Cooperative Oncology Group performance status",
        "How far illness limits daily life, from 0 (fully active) to 4 (bedridden); 5 is death.",
    ),
    Term("GBq, MBq", "gigabecquerel, megabecquerel", "Units of activity: 1 GBq is 1,000 MBq; 7,400 MBq are 200 mCi."),
    Term("Gy", "gray", "Unit of absorbed dose: the energy that radiation leaves in a kilogram of tissue."),
    Term(
        "Hold",
        "",
        "A cycle that is not given for now, with its reason. What follows moves along when it is resumed.",
        "rules/schedule.md",
    ),
    Term(
        "Ki-67",
        "",
        "Share of tumour cells that are dividing, in percent. With the mitoses it gives the WHO grade.",
    ),
    Term(
        "Krenning score",
        "",
        "Uptake on somatostatin receptor imaging by eye: 0 none, 1 below liver, 2 as liver, 3 above liver, 4 above spleen.",
        "rules/sstr.md",
    ),
    Term(
        "LLN, ULN",
        "lower and upper limit of normal",
        "The reporting laboratory's reference range. Grades by CTCAE are multiples of these limits.",
        "rules/laboratory.md",
    ),
    Term("Nadir", "", "The lowest value: of a blood count after a cycle, or of the sum of lesions since baseline."),
    Term(
        "Net activity",
        "",
        "What the patient received: the syringe less the residual, both decayed to the start of the infusion, in MBq.",
        "rules/activity.md",
    ),
    Term("NET", "neuroendocrine tumour", "A tumour of hormone-making cells, most often of pancreas or small intestine."),
    Term(
        "ORR",
        "objective response rate",
        "Share of patients whose best overall response is complete or partial, with the denominator named beside it.",
        "rules/response.md",
    ),
    Term(
        "OS",
        "overall survival",
        "Time from the first administration to death of any cause; the living are censored when last known alive.",
        "rules/endpoints.md",
    ),
    Term(
        "PD",
        "progressive disease",
        "Sum at least 20 % and 5 mm above the nadir, a new lesion, or unequivocal growth of non-target lesions.",
        "rules/recist.md",
    ),
    Term(
        "PFS",
        "progression-free survival",
        "Time from the first administration to progression or death; otherwise censored at the last adequate assessment.",
        "rules/endpoints.md",
    ),
    Term("PR", "partial response", "Sum of the target lesions at least 30 % below baseline.", "rules/recist.md"),
    Term(
        "PRRT",
        "peptide receptor radionuclide therapy",
        "A radionuclide bound to a peptide irradiates tumours that carry somatostatin receptors.",
    ),
    Term(
        "RECIST",
        "Response Evaluation Criteria in Solid Tumours",
        "Rules, version 1.1, that turn diameters of chosen lesions into a response. The registry derives and explains it.",
        "rules/recist.md",
    ),
    Term("SD", "stable disease", "Neither partial response nor progression.", "rules/recist.md"),
    Term(
        "SSTR",
        "somatostatin receptor",
        "The receptor that DOTATATE binds to. SSTR response compares the uptake on PET with baseline.",
        "rules/sstr.md",
    ),
    Term(
        "SUVmax",
        "maximal standardised uptake value",
        "Highest uptake within a lesion, related to injected activity and body weight (g/mL).",
        "rules/sstr.md",
    ),
    Term(
        "Target lesion",
        "",
        "A lesion measured throughout: up to five, two in an organ, chosen at baseline; all others are non-target.",
        "rules/recist.md",
    ),
    Term(
        "Window",
        "",
        "The days either side of the planned date within which a cycle counts as on time.",
        "rules/schedule.md",
    ),
    Term("WHO grade", "", "G1, G2 or G3: how fast a neuroendocrine tumour grows, by Ki-67 and mitoses."),
)  # fmt: skip
TERMS: Mapping[str, Term] = MappingProxyType({term.word: term for term in _ALL})
