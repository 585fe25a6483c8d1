"""Terms of CTCAE v5.0 that matter in peptide receptor radionuclide therapy, and how they are found.

Source: NCI Common Terminology Criteria for Adverse Events v5.0 (27 November 2017), whose spelling is kept. A selection:
CTCAE has more than 800 terms. In words: docs/rules/ctcae.md.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """One term of CTCAE.

    Args:
        name: as CTCAE spells it.
        organ_class: the MedDRA system organ class CTCAE lists it under.
        also: other words people look for it by, British spellings among them; no part of CTCAE.
    """

    name: str
    organ_class: str
    also: str = ""


# By organ class, in the order of CTCAE.
TERMS: tuple[Term, ...] = (
    Term("Anemia", "Blood and lymphatic system disorders", "anaemia haemoglobin decreased"),
    Term("Bone marrow hypocellular", "Blood and lymphatic system disorders"),
    Term("Disseminated intravascular coagulation", "Blood and lymphatic system disorders", "DIC"),
    Term("Febrile neutropenia", "Blood and lymphatic system disorders", "neutropenic fever"),
    Term("Hemolysis", "Blood and lymphatic system disorders", "haemolysis"),
    Term("Leukocytosis", "Blood and lymphatic system disorders"),
    Term("Atrial fibrillation", "Cardiac disorders"),
    Term("Chest pain - cardiac", "Cardiac disorders", "angina"),
    Term("Heart failure", "Cardiac disorders", "cardiac failure"),
    Term("Myocardial infarction", "Cardiac disorders"),
    Term("Palpitations", "Cardiac disorders"),
    Term("Pericardial effusion", "Cardiac disorders"),
    Term("Pulmonary valve disease", "Cardiac disorders", "carcinoid heart"),
    Term("Right ventricular dysfunction", "Cardiac disorders", "carcinoid heart"),
    Term("Sinus bradycardia", "Cardiac disorders"),
    Term("Sinus tachycardia", "Cardiac disorders"),
    Term("Tricuspid valve disease", "Cardiac disorders", "carcinoid heart"),
    Term("Adrenal insufficiency", "Endocrine disorders"),
    Term("Hyperthyroidism", "Endocrine disorders"),
    Term("Hypothyroidism", "Endocrine disorders"),
    Term(
        "Endocrine disorders - Other, specify",
        "Endocrine disorders",
        "carcinoid crisis catecholamine crisis hormonal crisis",
    ),
    Term("Blurred vision", "Eye disorders"),
    Term("Watering eyes", "Eye disorders"),
    Term("Abdominal distension", "Gastrointestinal disorders"),
    Term("Abdominal pain", "Gastrointestinal disorders"),
    Term("Ascites", "Gastrointestinal disorders"),
    Term("Bloating", "Gastrointestinal disorders"),
    Term("Colonic obstruction", "Gastrointestinal disorders", "bowel intestinal obstruction"),
    Term("Constipation", "Gastrointestinal disorders"),
    Term("Diarrhea", "Gastrointestinal disorders", "diarrhoea"),
    Term("Dry mouth", "Gastrointestinal disorders", "xerostomia"),
    Term("Duodenal obstruction", "Gastrointestinal disorders", "bowel intestinal obstruction"),
    Term("Dyspepsia", "Gastrointestinal disorders"),
    Term("Dysphagia", "Gastrointestinal disorders"),
    Term("Enterocolitis", "Gastrointestinal disorders"),
    Term("Flatulence", "Gastrointestinal disorders"),
    Term("Gastritis", "Gastrointestinal disorders"),
    Term("Gastroesophageal reflux disease", "Gastrointestinal disorders", "GERD"),
    Term("Ileus", "Gastrointestinal disorders"),
    Term("Lower gastrointestinal hemorrhage", "Gastrointestinal disorders", "haemorrhage bleeding"),
    Term("Malabsorption", "Gastrointestinal disorders"),
    Term("Mucositis oral", "Gastrointestinal disorders", "stomatitis"),
    Term("Nausea", "Gastrointestinal disorders"),
    Term("Obstruction gastric", "Gastrointestinal disorders", "stomach outlet"),
    Term("Pancreatitis", "Gastrointestinal disorders"),
    Term("Small intestinal obstruction", "Gastrointestinal disorders", "bowel obstruction"),
    Term("Stomach pain", "Gastrointestinal disorders"),
    Term("Upper gastrointestinal hemorrhage", "Gastrointestinal disorders", "haemorrhage bleeding"),
    Term("Visceral arterial ischemia", "Gastrointestinal disorders", "ischaemia mesenteric"),
    Term("Vomiting", "Gastrointestinal disorders", "emesis"),
    Term("Gastrointestinal disorders - Other, specify", "Gastrointestinal disorders"),
    Term("Chills", "General disorders and administration site conditions"),
    Term("Death NOS", "General disorders and administration site conditions"),
    Term("Disease progression", "General disorders and administration site conditions"),
    Term("Edema limbs", "General disorders and administration site conditions", "oedema peripheral"),
    Term("Fatigue", "General disorders and administration site conditions", "tiredness"),
    Term("Fever", "General disorders and administration site conditions", "pyrexia"),
    Term("Flu like symptoms", "General disorders and administration site conditions"),
    Term("Generalized edema", "General disorders and administration site conditions", "oedema"),
    Term(
        "Infusion site extravasation", "General disorders and administration site conditions", "paravasation"
    ),
    Term("Injection site reaction", "General disorders and administration site conditions"),
    Term("Malaise", "General disorders and administration site conditions"),
    Term("Multi-organ failure", "General disorders and administration site conditions"),
    Term("Non-cardiac chest pain", "General disorders and administration site conditions"),
    Term("Pain", "General disorders and administration site conditions"),
    Term(
        "General disorders and administration site conditions - Other, specify",
        "General disorders and administration site conditions",
    ),
    Term("Bile duct stenosis", "Hepatobiliary disorders"),
    Term("Cholecystitis", "Hepatobiliary disorders"),
    Term("Hepatic failure", "Hepatobiliary disorders", "liver failure"),
    Term("Hepatic hemorrhage", "Hepatobiliary disorders", "haemorrhage liver bleeding"),
    Term("Hepatic pain", "Hepatobiliary disorders", "liver"),
    Term("Portal hypertension", "Hepatobiliary disorders"),
    Term("Portal vein thrombosis", "Hepatobiliary disorders"),
    Term("Sinusoidal obstruction syndrome", "Hepatobiliary disorders", "veno-occlusive disease"),
    Term("Hepatobiliary disorders - Other, specify", "Hepatobiliary disorders", "hepatotoxicity"),
    Term("Allergic reaction", "Immune system disorders", "hypersensitivity"),
    Term("Anaphylaxis", "Immune system disorders", "anaphylactic shock"),
    Term("Biliary tract infection", "Infections and infestations", "cholangitis"),
    Term("Catheter related infection", "Infections and infestations", "port"),
    Term("Hepatic infection", "Infections and infestations", "liver abscess"),
    Term("Lung infection", "Infections and infestations", "pneumonia"),
    Term("Sepsis", "Infections and infestations"),
    Term("Shingles", "Infections and infestations", "zoster"),
    Term("Skin infection", "Infections and infestations"),
    Term("Upper respiratory infection", "Infections and infestations"),
    Term("Urinary tract infection", "Infections and infestations", "UTI cystitis"),
    Term("Infections and infestations - Other, specify", "Infections and infestations"),
    Term("Bruising", "Injury, poisoning and procedural complications", "haematoma"),
    Term("Fall", "Injury, poisoning and procedural complications"),
    Term("Fracture", "Injury, poisoning and procedural complications"),
    Term("Infusion related reaction", "Injury, poisoning and procedural complications"),
    Term("Alanine aminotransferase increased", "Investigations", "ALT GPT"),
    Term("Alkaline phosphatase increased", "Investigations", "ALP"),
    Term("Aspartate aminotransferase increased", "Investigations", "AST GOT"),
    Term("Blood bilirubin increased", "Investigations", "hyperbilirubinaemia jaundice"),
    Term("Blood lactate dehydrogenase increased", "Investigations", "LDH"),
    Term("Creatinine increased", "Investigations"),
    Term("Electrocardiogram QT corrected interval prolonged", "Investigations", "QTc ECG"),
    Term("GGT increased", "Investigations"),
    Term("INR increased", "Investigations"),
    Term("Lipase increased", "Investigations"),
    Term("Lymphocyte count decreased", "Investigations", "lymphopenia lymphocytopenia"),
    Term("Neutrophil count decreased", "Investigations", "neutropenia"),
    Term("Platelet count decreased", "Investigations", "thrombocytopenia"),
    Term("Serum amylase increased", "Investigations"),
    Term("Weight gain", "Investigations"),
    Term("Weight loss", "Investigations"),
    Term("White blood cell decreased", "Investigations", "leukopenia leucopenia"),
    Term("Investigations - Other, specify", "Investigations"),
    Term("Acidosis", "Metabolism and nutrition disorders"),
    Term("Anorexia", "Metabolism and nutrition disorders", "loss of appetite"),
    Term("Dehydration", "Metabolism and nutrition disorders"),
    Term("Hypercalcemia", "Metabolism and nutrition disorders", "hypercalcaemia"),
    Term("Hyperglycemia", "Metabolism and nutrition disorders", "hyperglycaemia"),
    Term("Hyperkalemia", "Metabolism and nutrition disorders", "hyperkalaemia"),
    Term("Hypernatremia", "Metabolism and nutrition disorders", "hypernatraemia"),
    Term("Hyperuricemia", "Metabolism and nutrition disorders", "hyperuricaemia"),
    Term("Hypoalbuminemia", "Metabolism and nutrition disorders", "hypoalbuminaemia"),
    Term("Hypocalcemia", "Metabolism and nutrition disorders", "hypocalcaemia"),
    Term("Hypoglycemia", "Metabolism and nutrition disorders", "hypoglycaemia"),
    Term("Hypokalemia", "Metabolism and nutrition disorders", "hypokalaemia"),
    Term("Hypomagnesemia", "Metabolism and nutrition disorders", "hypomagnesaemia"),
    Term("Hyponatremia", "Metabolism and nutrition disorders", "hyponatraemia"),
    Term("Hypophosphatemia", "Metabolism and nutrition disorders", "hypophosphataemia"),
    Term("Tumor lysis syndrome", "Metabolism and nutrition disorders", "tumour"),
    Term("Arthralgia", "Musculoskeletal and connective tissue disorders"),
    Term("Back pain", "Musculoskeletal and connective tissue disorders"),
    Term("Bone pain", "Musculoskeletal and connective tissue disorders"),
    Term("Flank pain", "Musculoskeletal and connective tissue disorders"),
    Term("Generalized muscle weakness", "Musculoskeletal and connective tissue disorders"),
    Term("Muscle cramp", "Musculoskeletal and connective tissue disorders"),
    Term("Myalgia", "Musculoskeletal and connective tissue disorders"),
    Term("Pain in extremity", "Musculoskeletal and connective tissue disorders"),
    Term(
        "Leukemia secondary to oncology chemotherapy",
        "Neoplasms benign, malignant and unspecified (incl cysts and polyps)",
        "leukaemia AML acute",
    ),
    Term(
        "Myelodysplastic syndrome",
        "Neoplasms benign, malignant and unspecified (incl cysts and polyps)",
        "MDS",
    ),
    Term(
        "Treatment related secondary malignancy",
        "Neoplasms benign, malignant and unspecified (incl cysts and polyps)",
        "second cancer",
    ),
    Term(
        "Tumor hemorrhage",
        "Neoplasms benign, malignant and unspecified (incl cysts and polyps)",
        "tumour haemorrhage bleeding",
    ),
    Term("Tumor pain", "Neoplasms benign, malignant and unspecified (incl cysts and polyps)", "tumour"),
    Term(
        "Neoplasms benign, malignant and unspecified (incl cysts and polyps) - Other, specify",
        "Neoplasms benign, malignant and unspecified (incl cysts and polyps)",
    ),
    Term("Dizziness", "Nervous system disorders"),
    Term("Dysgeusia", "Nervous system disorders", "taste"),
    Term("Encephalopathy", "Nervous system disorders", "hepatic hyperammonaemic"),
    Term("Headache", "Nervous system disorders"),
    Term("Paresthesia", "Nervous system disorders", "paraesthesia"),
    Term("Peripheral sensory neuropathy", "Nervous system disorders"),
    Term("Presyncope", "Nervous system disorders"),
    Term("Seizure", "Nervous system disorders"),
    Term("Somnolence", "Nervous system disorders"),
    Term("Spinal cord compression", "Nervous system disorders"),
    Term("Syncope", "Nervous system disorders"),
    Term("Vasovagal reaction", "Nervous system disorders"),
    Term("Anxiety", "Psychiatric disorders"),
    Term("Confusion", "Psychiatric disorders"),
    Term("Depression", "Psychiatric disorders"),
    Term("Insomnia", "Psychiatric disorders"),
    Term("Acute kidney injury", "Renal and urinary disorders", "renal failure"),
    Term("Chronic kidney disease", "Renal and urinary disorders", "renal insufficiency nephropathy"),
    Term("Hematuria", "Renal and urinary disorders", "haematuria"),
    Term("Proteinuria", "Renal and urinary disorders"),
    Term("Urinary frequency", "Renal and urinary disorders"),
    Term("Urinary tract obstruction", "Renal and urinary disorders", "hydronephrosis"),
    Term("Renal and urinary disorders - Other, specify", "Renal and urinary disorders", "nephrotoxicity"),
    Term("Bronchospasm", "Respiratory, thoracic and mediastinal disorders"),
    Term("Cough", "Respiratory, thoracic and mediastinal disorders"),
    Term("Dyspnea", "Respiratory, thoracic and mediastinal disorders", "dyspnoea breathlessness"),
    Term("Epistaxis", "Respiratory, thoracic and mediastinal disorders", "nosebleed"),
    Term("Hypoxia", "Respiratory, thoracic and mediastinal disorders"),
    Term("Pleural effusion", "Respiratory, thoracic and mediastinal disorders"),
    Term("Pneumonitis", "Respiratory, thoracic and mediastinal disorders"),
    Term("Wheezing", "Respiratory, thoracic and mediastinal disorders"),
    Term("Alopecia", "Skin and subcutaneous tissue disorders", "hair loss"),
    Term("Dry skin", "Skin and subcutaneous tissue disorders"),
    Term("Hyperhidrosis", "Skin and subcutaneous tissue disorders", "sweating"),
    Term("Pruritus", "Skin and subcutaneous tissue disorders", "itching"),
    Term("Rash maculo-papular", "Skin and subcutaneous tissue disorders"),
    Term("Urticaria", "Skin and subcutaneous tissue disorders", "hives"),
    Term("Flushing", "Vascular disorders", "carcinoid syndrome"),
    Term("Hematoma", "Vascular disorders", "haematoma"),
    Term("Hot flashes", "Vascular disorders", "flushes"),
    Term("Hypertension", "Vascular disorders"),
    Term("Hypotension", "Vascular disorders"),
    Term("Phlebitis", "Vascular disorders"),
    Term("Superior vena cava syndrome", "Vascular disorders"),
    Term("Thromboembolic event", "Vascular disorders", "thrombosis pulmonary embolism"),
)

_NAMES = frozenset(term.name for term in TERMS)


def is_known(name: str) -> bool:
    """Return whether ``name`` is a term of the list, spelled exactly so."""
    return name in _NAMES


def find_terms(words: str, limit: int = 20) -> list[Term]:
    """Return the terms that hold every one of the words, anywhere and in any case, the best first.

    First names that begin as what was typed, then names of which a word does, then the others, and last those found by
    another word for the term; within each by name. Nothing typed finds every term.

    Args:
        limit: the most terms to return.
    """
    typed = words.casefold().split()
    found = [term for term in TERMS if all(word in f"{term.name} {term.also}".casefold() for word in typed)]
    return sorted(found, key=lambda term: (_rank(term, typed), term.name.casefold()))[:limit]


def _rank(term: Term, typed: list[str]) -> int:
    name = term.name.casefold()
    if name.startswith(" ".join(typed)):
        return 0
    if not all(word in name for word in typed):
        return 3
    return 1 if any(part.startswith(typed[0]) for part in name.split()) else 2
