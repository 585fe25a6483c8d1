"""Plain Python speaks English by itself and the active language within Django; what was stored in English is told again."""

import subprocess
import sys
from datetime import date
from decimal import Decimal

import pytest
from django.utils import translation

from languages import wording


def test_without_django_it_speaks_english():
    code = """
from datetime import date
from languages import wording as w
print(w.gettext("Cycle"), w.ngettext("day", "days", 2))
print(w.number(7400.5), w.number(1e-7), w.number(2, 1), w.day(date(2019, 3, 4)))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["Cycle", "days", "7400.5", "0.0000001", "2.0", "2019-03-04"]


@pytest.mark.parametrize(
    ("language", "numbers", "day"),
    [
        ("en-gb", ["7400.5", "7400.50", "0.0000001", "12345"], "2019-03-04"),
        ("de", ["7400,5", "7400,50", "0,0000001", "12345"], "04.03.2019"),
    ],
)
def test_numbers_and_days_follow_the_language(language, numbers, day):
    with translation.override(language):
        said = [
            wording.number(Decimal("7400.5")),
            wording.number(7400.5, 2),
            wording.number(1e-7),
            wording.number(12345),
        ]
        assert said == numbers
        assert wording.day(date(2019, 3, 4)) == day


@pytest.mark.parametrize("value", [2.76, Decimal("2.76")])
def test_a_number_is_rounded_and_not_cut_off(value):
    assert wording.number(value, 1) == "2.8"
    with translation.override("de"):
        assert wording.number(value, 1) == "2,8"


def test_what_was_stored_in_english_is_told_again(monkeypatch):
    german = {
        "Died on {day}": "Verstorben am {day}",
        "No assessment": "Keine Beurteilung",
        "{n} of {n_all} lesions": "{n} von {n_all} Läsionen",
    }
    monkeypatch.setitem(wording._speaker, "gettext", lambda message: german.get(message, message))
    stored = wording.Stored(german)
    assert stored.retold("Died on 2019-03-04") == "Verstorben am 2019-03-04"
    assert stored.retold("2 of 12 lesions") == "2 von 12 Läsionen"
    assert stored.retold("No assessment") == "Keine Beurteilung"
    assert stored.retold("Something (else) {n}") == "Something (else) {n}"
    assert stored.retold("") == ""
