"""The clinical words of the registry, explained once: the glossary page and the notes beside words read them here."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.utils.text import slugify
from django.utils.translation import gettext_noop as _

from languages.wording import gettext


@dataclass(frozen=True)
class Term:
    """A word with what it stands for, what it means here, and the document that says more (below ``docs/``).

    Attributes:
        name, full, explained: in English; ``word``, ``stands_for`` and ``meaning`` are those of who reads them.
    """

    name: str
    full: str
    explained: str
    document: str = ""

    @property
    def word(self) -> str:
        return gettext(self.name)

    @property
    def stands_for(self) -> str:
        return gettext(self.full)

    @property
    def meaning(self) -> str:
        return gettext(self.explained)

    @property
    def slug(self) -> str:
        return slugify(self.name)


_ALL = (
    Term(
        _("Administration"),
        "",
        _("One injection of the radiopharmaceutical: when it began, and how much was given net."),
    ),
    Term(
        _("Amino acids"),
        "",
        _(
            "Lysine and arginine, infused before, during and after the administration; they lower the dose "
            "to the kidneys."
        ),
    ),
    Term(
        _("Baseline"),
        "",
        _("The last examination before the first cycle. Later values and measurements are compared with it."),
    ),
    Term(
        _("Censored"),
        "",
        _(
            "Followed without an event until a day, and not known beyond it. Such a patient counts as at "
            "risk until that day."
        ),
        "rules/endpoints.md",
    ),
    Term(
        _("CR"),
        _("complete response"),
        _("All target and non-target lesions are gone, and nodes are below 10 mm in their short axis."),
        "rules/recist.md",
    ),
    Term(
        _("CTCAE"),
        _("Common Terminology Criteria for Adverse Events"),
        _("Grades of toxicity from 1 (mild) to 5 (death). Laboratory values are graded by version 5.0."),
        "rules/ctcae.md",
    ),
    Term(
        _("Cycle"),
        "",
        _("One of the planned treatments of a course, usually four, eight weeks apart."),
        "rules/schedule.md",
    ),
    Term(
        _("DOTATATE"),
        _("DOTA-Tyr3-octreotate"),
        _(
            "A peptide that binds to somatostatin receptors. With lutetium-177 it treats, with gallium-68 "
            "it is seen by PET."
        ),
    ),
    Term(
        _("ECOG"),
        _("Eastern Cooperative Oncology Group performance status"),
        _("How far illness limits daily life, from 0 (fully active) to 4 (bedridden); 5 is death."),
    ),
    Term(
        _("GBq, MBq"),
        _("gigabecquerel, megabecquerel"),
        _("Units of activity: 1 GBq is 1,000 MBq; 7,400 MBq are 200 mCi."),
    ),
    Term(
        _("Gy"),
        _("gray"),
        _("Unit of absorbed dose: the energy that radiation leaves in a kilogram of tissue."),
    ),
    Term(
        _("Hold"),
        "",
        _("A cycle that is not given for now, with its reason. What follows moves along when it is resumed."),
        "rules/schedule.md",
    ),
    Term(
        _("Ki-67"),
        "",
        _("Share of tumour cells that are dividing, in percent. With the mitoses it gives the WHO grade."),
    ),
    Term(
        _("Krenning score"),
        "",
        _(
            "Uptake on somatostatin receptor imaging by eye: 0 none, 1 below liver, 2 as liver, 3 above "
            "liver, 4 above spleen."
        ),
        "rules/sstr.md",
    ),
    Term(
        _("LLN, ULN"),
        _("lower and upper limit of normal"),
        _("The reporting laboratory's reference range. Grades by CTCAE are multiples of these limits."),
        "rules/laboratory.md",
    ),
    Term(
        _("Nadir"),
        "",
        _("The lowest value: of a blood count after a cycle, or of the sum of lesions since baseline."),
    ),
    Term(
        _("Net activity"),
        "",
        _(
            "What the patient received: the syringe less the residual, both decayed to the start of the "
            "infusion, in MBq."
        ),
        "rules/activity.md",
    ),
    Term(
        _("NET"),
        _("neuroendocrine tumour"),
        _("A tumour of hormone-making cells, most often of pancreas or small intestine."),
    ),
    Term(
        _("ORR"),
        _("objective response rate"),
        _(
            "Share of patients whose best overall response is complete or partial, with the denominator "
            "named beside it."
        ),
        "rules/response.md",
    ),
    Term(
        _("OS"),
        _("overall survival"),
        _(
            "Time from the first administration to death of any cause; the living are censored when last "
            "known alive."
        ),
        "rules/endpoints.md",
    ),
    Term(
        _("PD"),
        _("progressive disease"),
        _(
            "Sum at least 20 % and 5 mm above the nadir, a new lesion, or unequivocal growth of non-target "
            "lesions."
        ),
        "rules/recist.md",
    ),
    Term(
        _("PFS"),
        _("progression-free survival"),
        _(
            "Time from the first administration to progression or death; otherwise censored at the last "
            "adequate assessment."
        ),
        "rules/endpoints.md",
    ),
    Term(
        _("PR"),
        _("partial response"),
        _("Sum of the target lesions at least 30 % below baseline."),
        "rules/recist.md",
    ),
    Term(
        _("PRRT"),
        _("peptide receptor radionuclide therapy"),
        _("A radionuclide bound to a peptide irradiates tumours that carry somatostatin receptors."),
    ),
    Term(
        _("RECIST"),
        _("Response Evaluation Criteria in Solid Tumours"),
        _(
            "Rules, version 1.1, that turn diameters of chosen lesions into a response. The registry "
            "derives and explains it."
        ),
        "rules/recist.md",
    ),
    Term(_("SD"), _("stable disease"), _("Neither partial response nor progression."), "rules/recist.md"),
    Term(
        _("SSTR"),
        _("somatostatin receptor"),
        _("The receptor that DOTATATE binds to. SSTR response compares the uptake on PET with baseline."),
        "rules/sstr.md",
    ),
    Term(
        _("SUVmax"),
        _("maximal standardised uptake value"),
        _("Highest uptake within a lesion, related to injected activity and body weight (g/mL)."),
        "rules/sstr.md",
    ),
    Term(
        _("Target lesion"),
        "",
        _(
            "A lesion measured throughout: up to five, two in an organ, chosen at baseline; all others are "
            "non-target."
        ),
        "rules/recist.md",
    ),
    Term(
        _("Window"),
        "",
        _("The days either side of the planned date within which a cycle counts as on time."),
        "rules/schedule.md",
    ),
    Term(
        _("WHO grade"),
        "",
        _("G1, G2 or G3: how fast a neuroendocrine tumour grows, by Ki-67 and mitoses."),
    ),
)  # fmt: skip
TERMS: Mapping[str, Term] = MappingProxyType({term.name: term for term in _ALL})
