"""What is wrong with a cohort file, each with its place."""

from dataclasses import dataclass

from languages.wording import gettext as _


@dataclass(frozen=True)
class Problem:
    """One thing that keeps a file out.

    Attributes:
        expected: what was expected, or what is wrong; a sentence part without a full stop, in English: it is stored.
        file: ``cycles.csv``, or ``cohort.xlsx, sheet cycles``; "" where there is no place.
        row: as a spreadsheet counts, 1 is the header; None where it is the file or sheet as a whole.
        column, value: "" where they do not apply.
    """

    expected: str
    file: str = ""
    row: int | None = None
    column: str = ""
    value: str = ""

    def __str__(self) -> str:
        place = [self.file] if self.file else []
        if self.row is not None:
            place.append(_("row {n}").format(n=self.row))
        if self.column:
            place.append(self.column)
        said = f"“{_shortened(self.value)}”: " if self.value else ""
        return f"{', '.join(place)}: {said}{self.expected}" if place else f"{said}{self.expected}"


class ImportRefused(Exception):
    """The file was not imported; nothing of it was stored.

    Attributes:
        problems: all that were found, in the order of the file.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problem(s); nothing was stored")
        self.problems = problems


def _shortened(value: str) -> str:
    return value if len(value) <= 80 else f"{value[:77]}…"
