"""What every data set must satisfy before a file of it is given away. No open validator of ADaM exists to ask."""

from collections.abc import Sequence
from datetime import date
from typing import NoReturn

from accounts.errors import RegistryError
from analytics.datasets.variables import DataSet, Row

LONGEST_TEXT = 200  # bytes, SAS transport version 5
LONGEST_NAME = 8
LONGEST_LABEL = 40

MADE = (
    "Every row has its keys, and no two have the same",
    "Every row of ADTTE, ADRS and ADTR is of a course in ADSL",
    "Every course with ANLSETFL Y has one row PFS and one row OS in ADTTE, no other course has any",
    "AVAL = ADT - STARTDT + 1 and TTEDAYS = AVAL - 1 in every row of ADTTE",
    "ADT is on or after STARTDT; CNSR is a whole number from 0",
    "PARAM and PARAMCD name each other",
    f"Text has at most {LONGEST_TEXT} bytes",
)


class Structure:
    """Looks at the rows of one export as they pass, course by course."""

    def __init__(self, data_sets: Sequence[DataSet]) -> None:
        self._of = {
            each.name: (each.keys, frozenset(variable.name for variable in each.variables))
            for each in data_sets
        }
        self._courses: set[tuple[object, object]] = set()
        self._words: dict[tuple[str, object], object] = {}
        self._codes: dict[tuple[str, object], object] = {}

    def course(self, adsl: Row, adtte: Sequence[Row], adrs: Sequence[Row]) -> None:
        """Look at a course's row of ADSL and its rows of ADTTE and ADRS.

        Raises:
            RegistryError: ``structure``.
        """
        key = adsl["USUBJID"], adsl["COURSENO"]
        if key in self._courses:
            _refuse("ADSL", adsl, "is there twice")
        self._courses.add(key)
        self._rows("ADSL", [adsl], key)
        self._rows("ADTTE", adtte, key)
        self._rows("ADRS", adrs, key)
        codes = [row["PARAMCD"] for row in adtte]
        expected = 1 if adsl["ANLSETFL"] == "Y" else 0
        if codes.count("PFS") != expected or codes.count("OS") != expected or len(codes) > 6 * expected:
            _refuse("ADTTE", adsl, f"expected {expected} row of PFS and of OS, found {codes}")
        for row in adtte:
            _time(row)

    def measurements(self, adtr: Sequence[Row]) -> None:
        """Look at a course's rows of ADTR, after the course itself.

        Raises:
            RegistryError: ``structure``.
        """
        for row in adtr[:1]:
            if (row["USUBJID"], row["COURSENO"]) not in self._courses:
                _refuse("ADTR", row, "has no row in ADSL")
        if adtr:
            self._rows("ADTR", adtr, (adtr[0]["USUBJID"], adtr[0]["COURSENO"]))

    def _rows(self, name: str, rows: Sequence[Row], course: tuple[object, object]) -> None:
        keys, names = self._of[name]
        seen = set()
        for row in rows:
            key = tuple(row[variable] for variable in keys)
            if any(value in (None, "") for value in key) or key in seen:
                _refuse(name, row, f"its keys {key} are not its own")
            seen.add(key)
            if (row["USUBJID"], row["COURSENO"]) != course:
                _refuse(name, row, "is of another course")
            if not row.keys() <= names:
                _refuse(name, row, f"unknown {', '.join(sorted(row.keys() - names))}")
            if "PARAMCD" in row:
                self._parameter(name, row)
            for variable, value in row.items():
                # A character has at most four bytes: short text, which nearly all is, need not be encoded.
                if (
                    type(value) is str
                    and 4 * len(value) > LONGEST_TEXT
                    and len(value.encode()) > LONGEST_TEXT
                ):
                    _refuse(name, row, f"{variable} has more than {LONGEST_TEXT} bytes")

    def _parameter(self, name: str, row: Row) -> None:
        code, words = row["PARAMCD"], row["PARAM"]
        if (
            self._words.setdefault((name, code), words) != words
            or self._codes.setdefault((name, words), code) != code
            or not 1 <= len(str(code)) <= LONGEST_NAME
            or len(str(words)) > LONGEST_LABEL
        ):
            _refuse(name, row, f"PARAM {words!r} and PARAMCD {code!r} do not name each other")


def _time(row: Row) -> None:
    on, start, censor = row["ADT"], row["STARTDT"], row["CNSR"]
    if not isinstance(on, date) or not isinstance(start, date) or on < start:
        _refuse("ADTTE", row, f"ADT {on}: expected a day on or after STARTDT {start}")
    days = (on - start).days
    if (row["AVAL"], row["TTEDAYS"]) != (days + 1, days):
        _refuse("ADTTE", row, f"AVAL {row['AVAL']}, TTEDAYS {row['TTEDAYS']}: expected {days + 1} and {days}")
    if type(censor) is not int or censor < 0:
        _refuse("ADTTE", row, f"CNSR {censor}: expected a whole number from 0")


def _refuse(name: str, row: Row, what: str) -> NoReturn:
    about = " ".join(
        str(row.get(key)) for key in ("USUBJID", "COURSENO", "PARAMCD") if row.get(key) is not None
    )
    raise RegistryError("structure", f"The export was not made: {name}, {about}: {what}.")
