"""A clinic's own sheet, as messy as they come."""

import io
from datetime import date, datetime
from typing import Any

from openpyxl import Workbook

PROTOCOL = "177lu-dotatate-4x7400-q8w 1"


def at(*parts: int) -> datetime:
    """Return a date and time cell: local, as spreadsheets have them."""
    return datetime(*parts)  # type: ignore[arg-type, misc]  # noqa: DTZ001


def workbook(rows: list[list[Any]], *, merged: tuple[str, ...] = (), title: str = "PRRT 2019") -> bytes:
    made = Workbook()
    sheet = made.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    for cells in merged:
        sheet.merge_cells(cells)
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


# Title rows, a header of two rows with merged cells, mixed dates, decimal commas, units in cells, empty rows.
HEAD: list[list[Any]] = [
    ["PRRT-Liste der Nuklearmedizin (vertraulich)"],
    [],
    ["Pat-ID", "Nachname", "Geburtsdatum", "Geschlecht", "Zyklus 1", None, "Zyklus 2", None, "Gewicht (kg)"],
    [None, None, None, None, "Datum", "Aktivität (GBq)", "Datum", "Aktivität", None],
]
MERGED = ("A1:I1", "A3:A4", "B3:B4", "C3:C4", "D3:D4", "E3:F3", "G3:H3", "I3:I4")
CLEAR: list[list[Any]] = [
    [
        4711,
        "Ørsted",
        "25.12.1957",
        "w",
        at(2019, 1, 14, 9, 30),
        "7,4",
        "13.03.2019 10:15",
        "7400 MBq",
        "71,5",
    ],
    [],
    ["4712", "Müller", date(1949, 11, 30), "M", "2019-02-18 08:45", 7.391, None, None, 80],
    [None, None, None],
    ["4713", "Doe", "30. Mai 1961", "weiblich", "18.02.2019 11:00", "7,4 GBq", None, None, "64 kg"],
]
# A birth date that is two days.
NEXT: list[list[Any]] = [["4714", "Roe", "03/04/1959", "w", at(2019, 5, 6, 9), "7,4", None, None, None]]


def messy(*more: list[Any], clear: bool = True) -> bytes:
    return workbook([*HEAD, *(CLEAR if clear else []), *more], merged=MERGED)
