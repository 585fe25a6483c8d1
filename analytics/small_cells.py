"""Small numbers of patients, kept from who may see results and not records.

A cell of 1 to ``limit - 1`` patients is withheld, and with it as many others as it takes that it cannot be worked out from
the sums that are shown. Zero stays: nobody is nobody. What is withheld and what is not: docs/results.md.
"""

import copy
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_noop

Document = dict[str, Any]
Cell = Hashable

WITHHELD = gettext_noop("withheld")  # not small itself, but would give a small one away


def fewer_than(limit: int) -> str:
    """Return what stands in place of a small number."""
    return f"<{limit}"


@dataclass
class Table:
    """Numbers of patients and the sums that tie them together.

    Attributes:
        sums: total and its parts; a total that is no cell is shown wherever the table is, and cannot be withheld.
    """

    cells: dict[Cell, int] = field(default_factory=dict)
    sums: list[tuple[Cell | None, list[Cell]]] = field(default_factory=list)

    def add(self, total: Cell | None, parts: Iterable[Cell]) -> None:
        """Add the sum; a total of None is a number that is known and is no cell."""
        self.sums.append((total, list(parts)))

    def withheld(self, limit: int) -> dict[Cell, str]:
        """Return cell to what stands in its place, of the cells that must not be told."""
        small = {cell for cell, n in self.cells.items() if 0 < n < limit}
        hidden = set(small)
        changed = True
        while changed:
            changed = False
            for total, parts in self.sums:
                more = self._also(total, parts, hidden, limit)
                if more is not None:
                    hidden.add(more)
                    changed = True
        return {cell: fewer_than(limit) if cell in small else WITHHELD for cell in hidden}

    def _also(self, total: Cell | None, parts: Sequence[Cell], hidden: set[Cell], limit: int) -> Cell | None:
        """Return one more cell to withhold so that this sum gives none away; None where it does not."""
        unknown = [part for part in parts if part in hidden]
        total_hidden = total is not None and total in hidden
        if not unknown and not total_hidden:
            return None
        # Two parts of together fewer than the limit are a small number too, and a total that is shown says so.
        together = sum(self.cells[part] for part in unknown)
        if (unknown and total_hidden) or (len(unknown) > 1 and together >= limit):
            return None
        others = [part for part in parts if part not in hidden and self.cells[part] > 0]
        if others:
            return min(others, key=lambda part: (self.cells[part], str(part)))
        return total if total is not None and not total_hidden and total in self.cells else None


def suppressed(document: Document, limit: int) -> Document:
    """Return a result without its small cells: Table 1, toxicity, reasons of discontinuation, responses by timepoint.

    In place of a number stands ``<5``, or ``withheld`` where it would give such a number away. Head figures, curves and
    best overall responses are as they are: without them there is no result.
    """
    found = copy.deepcopy(document)
    if limit <= 1:
        return found
    for name, hide in (
        ("courses", _reasons),
        ("table1", _table_1),
        ("toxicity", _toxicity),
        ("responses", _responses),
    ):
        if name in found:
            hide(found[name], limit)
    found["small_cells"] = limit
    return found


def _put(where: Any, key: Any, cell: Cell, hidden: dict[Cell, str]) -> None:
    if cell in hidden:
        where[key] = hidden[cell]


def _reasons(courses: Document, limit: int) -> None:
    stopped = courses["discontinued"]
    reasons, after_cycle = stopped.get("reasons", {}), stopped.get("after_cycle", {})
    crossed = courses.get("reasons_after_cycle", {})
    table = Table()
    table.cells |= {("reason", reason): n for reason, n in reasons.items()}
    table.cells |= {("after", cycle): n for cycle, n in after_cycle.items()}
    table.cells |= {
        (reason, cycle): n for reason, by_cycle in crossed.items() for cycle, n in by_cycle.items()
    }
    table.add(None, [("reason", reason) for reason in reasons])
    table.add(None, [("after", cycle) for cycle in after_cycle])
    for reason, by_cycle in crossed.items():
        table.add(("reason", reason), [(reason, cycle) for cycle in by_cycle])
    for cycle in after_cycle:
        table.add(
            ("after", cycle), [(reason, cycle) for reason, by_cycle in crossed.items() if cycle in by_cycle]
        )
    hidden = table.withheld(limit)
    for reason in reasons:
        _put(reasons, reason, ("reason", reason), hidden)
    for cycle in after_cycle:
        _put(after_cycle, cycle, ("after", cycle), hidden)
    for reason, by_cycle in crossed.items():
        for cycle in by_cycle:
            _put(by_cycle, cycle, (reason, cycle), hidden)


def _table_1(table1: Document, limit: int) -> None:
    """Withhold small cells of every row; columns of strata are tied to each other, and to the column of all."""
    columns = table1["columns"]
    places = range(len(columns))
    table = Table({("column", place): columns[place]["n"] for place in places})
    table.add(("column", 0), [("column", place) for place in places[1:]])
    for row in table1["rows"]:
        key = row["key"]
        lines = [(option["code"], option["cells"]) for option in row.get("options", [])]
        if row["kind"] == "number":
            lines = [
                ("n", [cell["n"] for cell in row["cells"]]),
                ("missing", [cell["missing"] for cell in row["cells"]]),
            ]
        elif row["kind"] == "choice":
            lines.append(("missing", row["missing"]))
        for code, cells in lines:
            table.cells |= {(key, code, place): cells[place] for place in places}
            if len(columns) > 1:
                table.add((key, code, 0), [(key, code, place) for place in places[1:]])
        if row["kind"] != "several":  # a patient counts under each kind: nothing adds up
            for place in places:
                table.add(("column", place), [(key, code, place) for code, _ in lines])
    hidden = table.withheld(limit)
    for place in places:
        _put(columns[place], "n", ("column", place), hidden)
    for row in table1["rows"]:
        key = row["key"]
        for option in row.get("options", []):
            for place in places:
                _put(option["cells"], place, (key, option["code"], place), hidden)
        if row["kind"] == "choice":
            for place in places:
                _put(row["missing"], place, (key, "missing", place), hidden)
        if row["kind"] == "number":
            for place, cell in enumerate(row["cells"]):
                if (key, "n", place) in hidden:
                    # The mean of one is that one's value.
                    cell |= {name: None for name in cell if name not in {"n", "missing"}}
                _put(cell, "n", (key, "n", place), hidden)
                _put(cell, "missing", (key, "missing", place), hidden)


def _toxicity(toxicity: Document, limit: int) -> None:
    _grades(toxicity["any_term"], limit)
    for row in toxicity["terms"]:
        _grades(row, limit)
        for grades in row.get("after_cycle", {}).values():
            _grades(grades, limit)


def _grades(row: Document, limit: int) -> None:
    grades = row["grades"]
    table = Table({("grade", grade): n for grade, n in grades.items()})
    table.cells |= {"any": row["any"], "severe": row["grade_3_and_above"]}
    table.add("any", [("grade", grade) for grade in grades])
    table.add("severe", [("grade", grade) for grade in grades if int(grade) >= 3])
    table.add("any", ["severe", *(("grade", grade) for grade in grades if int(grade) < 3)])
    hidden = table.withheld(limit)
    for grade in grades:
        _put(grades, grade, ("grade", grade), hidden)
    _put(row, "any", "any", hidden)
    _put(row, "grade_3_and_above", "severe", hidden)


def _responses(responses: Document, limit: int) -> None:
    for at in responses.get("by_timepoint", {}).values():
        table = Table({(name, code): n for name, of in at.items() for code, n in of.items()})
        # Both criteria are of the same assessments: what one adds up to, the other does.
        for name, of in at.items():
            table.add(None, [(name, code) for code in of])
        hidden = table.withheld(limit)
        for name, of in at.items():
            for code in of:
                _put(of, code, (name, code), hidden)
    pairs = responses.get("concordance", [])
    table = Table({place: pair["n"] for place, pair in enumerate(pairs)})
    table.add(None, list(range(len(pairs))))
    hidden = table.withheld(limit)
    for place, pair in enumerate(pairs):
        _put(pair, "n", place, hidden)
