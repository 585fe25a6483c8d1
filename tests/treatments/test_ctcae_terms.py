"""Terms of CTCAE v5.0: the list, and the search in it."""

import pytest

from treatments.rules.ctcae import TERMS_OF_ANALYTES
from treatments.rules.ctcae_terms import TERMS, Term, find_terms, is_known


def names(words, **options):
    return [term.name for term in find_terms(words, **options)]


def test_no_term_is_listed_twice():
    assert len({term.name.casefold() for term in TERMS}) == len(TERMS)


def test_the_terms_of_laboratory_values_are_in_the_list():
    assert [name for name in TERMS_OF_ANALYTES.values() if not is_known(name)] == []


def test_terms_stand_by_organ_class_in_the_order_of_ctcae():
    classes = list(dict.fromkeys(term.organ_class for term in TERMS))

    assert classes == sorted(classes)
    assert [term.organ_class for term in TERMS] == sorted(term.organ_class for term in TERMS)


@pytest.mark.parametrize(
    ("name", "organ_class"),
    [
        ("Nausea", "Gastrointestinal disorders"),
        ("Anemia", "Blood and lymphatic system disorders"),
        ("Platelet count decreased", "Investigations"),
        ("Hypoalbuminemia", "Metabolism and nutrition disorders"),
        ("Tumor lysis syndrome", "Metabolism and nutrition disorders"),
        ("Infusion related reaction", "Injury, poisoning and procedural complications"),
        ("Infusion site extravasation", "General disorders and administration site conditions"),
        ("Anaphylaxis", "Immune system disorders"),
        ("Flushing", "Vascular disorders"),
        (
            "Myelodysplastic syndrome",
            "Neoplasms benign, malignant and unspecified (incl cysts and polyps)",
        ),
        (
            "Leukemia secondary to oncology chemotherapy",
            "Neoplasms benign, malignant and unspecified (incl cysts and polyps)",
        ),
    ],
)
def test_a_term_stands_under_its_organ_class(name, organ_class):
    assert [term.organ_class for term in TERMS if term.name == name] == [organ_class]


def test_a_term_is_known_as_spelled_alone():
    assert is_known("Diarrhea")
    assert not is_known("Diarrhoea")
    assert not is_known("diarrhea")
    assert not is_known("")


def test_every_word_must_be_contained_in_any_case_and_order():
    assert names("DECREASED count neutro") == ["Neutrophil count decreased"]
    assert names("nausea vomiting") == []


def test_names_that_begin_so_come_first_then_words_that_do_then_the_others():
    found = names("pain", limit=100)

    assert found[:2] == ["Pain", "Pain in extremity"]
    assert found[2] == "Abdominal pain"

    assert names("obstr")[:3] == ["Obstruction gastric", "Colonic obstruction", "Duodenal obstruction"]
    assert names("hypotension") == ["Hypotension"]
    assert names("tension") == [
        "Abdominal distension",
        "Hypertension",
        "Hypotension",
        "Portal hypertension",
    ]
    assert names("infusion r") == ["Infusion related reaction", "Infusion site extravasation"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("thrombocytopenia", "Platelet count decreased"),
        ("neutropenia", "Neutrophil count decreased"),
        ("anaemia", "Anemia"),
        ("diarrhoea", "Diarrhea"),
        ("carcinoid crisis", "Endocrine disorders - Other, specify"),
        ("bowel obstruction small", "Small intestinal obstruction"),
        ("MDS", "Myelodysplastic syndrome"),
    ],
)
def test_a_term_is_found_by_another_word_for_it(words, name):
    assert name in names(words)


def test_what_is_found_by_its_name_comes_before_what_is_found_by_another_word():
    assert names("neutropenia") == ["Febrile neutropenia", "Neutrophil count decreased"]


def test_no_more_than_the_limit_are_returned():
    assert len(find_terms("")) == 20
    assert len(find_terms("", limit=3)) == 3
    assert len(find_terms(" ", limit=1000)) == len(TERMS)
    assert all(isinstance(term, Term) for term in find_terms("e"))


def test_an_unknown_word_finds_nothing():
    assert find_terms("zzz") == []
