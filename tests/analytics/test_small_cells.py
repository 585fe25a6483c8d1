"""Small cells: hidden, and not to be worked out from what is shown beside them."""

import copy
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.small_cells import WITHHELD, Table, suppressed


def grades(*n: int) -> dict:
    return {
        "grades": {str(grade): count for grade, count in enumerate(n, 1)},
        "any": sum(n),
        "grade_3_and_above": sum(n[2:]),
    }


def toxicity(*n: int) -> dict:
    return {"toxicity": {"of": 60, "any_term": grades(*n), "terms": []}}


@pytest.mark.parametrize(("n", "shown"), [(0, 0), (1, "<5"), (4, "<5"), (5, 5), (6, 6)])
def test_a_cell_is_hidden_on_each_side_of_the_boundary(n, shown):
    """Two other cells are hidden anyway, so that no sum asks for this one."""
    found = suppressed(toxicity(n, 4, 4, 0, 0), 5)

    assert found["toxicity"]["any_term"]["grades"]["1"] == shown


def test_a_lone_small_cell_takes_another_with_it():
    found = suppressed(toxicity(20, 12, 3, 9, 0), 5)["toxicity"]["any_term"]

    assert found["grades"] == {"1": 20, "2": 12, "3": "<5", "4": WITHHELD, "5": 0}
    assert found["any"] == 44
    assert found["grade_3_and_above"] == 12


def test_a_total_of_small_cells_that_is_small_itself_is_hidden_with_another_cell():
    """Grade >= 3 is 2 patients: any minus grades 1 and 2 would say it."""
    found = suppressed(toxicity(20, 12, 1, 1, 0), 5)["toxicity"]["any_term"]

    assert found["grade_3_and_above"] == "<5"
    assert found["grades"]["3"] == found["grades"]["4"] == "<5"
    assert WITHHELD in found["grades"].values()
    assert found["grades"]["1"] == 20
    assert found["any"] == 34


def test_nothing_is_hidden_where_nothing_is_small():
    document = toxicity(20, 12, 9, 0, 0)

    assert suppressed(document, 5)["toxicity"] == document["toxicity"]


def test_the_document_itself_is_left_alone():
    document = toxicity(1, 2, 3, 0, 0)
    before = copy.deepcopy(document)

    suppressed(document, 5)

    assert document == before


def test_reasons_of_the_published_cohort():
    """10 discontinued, all for co-morbidities: 4 after cycle 1, 3 after 2, 3 after 3."""
    courses = {
        "completed": {"n": 36, "of": 63},
        "discontinued": {
            "n": 10,
            "of": 63,
            "after_cycle": {"1": 4, "2": 3, "3": 3},
            "reasons": {"comorbidity": 10},
        },
        "reasons_after_cycle": {"comorbidity": {"1": 4, "2": 3, "3": 3}},
    }

    hidden = suppressed({"courses": courses}, 5)["courses"]
    found = hidden["discontinued"]

    assert found["n"] == 10
    assert found["reasons"] == {"comorbidity": 10}
    assert found["after_cycle"] == {"1": "<5", "2": "<5", "3": "<5"}
    assert hidden["reasons_after_cycle"] == {"comorbidity": {"1": "<5", "2": "<5", "3": "<5"}}


def table1(columns: list[int], options: dict[str, list[int]], missing: list[int]) -> dict:
    return {
        "table1": {
            "columns": [{"code": None, "name": "", "n": n} for n in columns],
            "rows": [
                {
                    "key": "sex",
                    "kind": "choice",
                    "name": "Sex",
                    "options": [
                        {"code": code, "name": code, "cells": cells} for code, cells in options.items()
                    ],
                    "missing": missing,
                    "tests": [],
                },
                {
                    "key": "age_years",
                    "kind": "number",
                    "cells": [
                        {"n": n, "missing": 0, "mean": 60.0, "median": 61.0, "minimum": 37.0} for n in columns
                    ],
                    "tests": [],
                },
            ],
        }
    }


def test_table_1_hides_what_a_column_or_the_other_strata_would_give_away():
    found = suppressed(table1([63, 40, 23], {"f": [30, 28, 2], "m": [33, 12, 21]}, [0, 0, 0]), 5)["table1"]
    female, male = (option["cells"] for option in found["rows"][0]["options"])

    assert female == [30, WITHHELD, "<5"]
    assert male == [33, WITHHELD, WITHHELD]
    assert [column["n"] for column in found["columns"]] == [63, 40, 23]


def test_a_number_of_a_small_stratum_is_told_by_nothing():
    found = suppressed(table1([13, 10, 3], {"f": [13, 10, 3]}, [0, 0, 0]), 5)["table1"]
    small = found["rows"][1]["cells"][2]

    assert found["columns"][2]["n"] == "<5"
    assert small["n"] == "<5"
    assert small["mean"] is small["median"] is small["minimum"] is None


def test_responses_by_timepoint_and_pairs():
    responses = {
        "by_timepoint": {"interim": {"recist": {"PR": 12, "SD": 30, "PD": 3}, "sstr": {"none": 45}}},
        "concordance": [{"recist": "PR", "sstr": "decreased", "n": 2}, {"recist": "SD", "sstr": "x", "n": 9}],
    }

    found = suppressed({"responses": responses}, 5)["responses"]

    assert found["by_timepoint"]["interim"] == {
        "recist": {"PR": WITHHELD, "SD": 30, "PD": "<5"},
        "sstr": {"none": 45},
    }
    assert [pair["n"] for pair in found["concordance"]] == ["<5", WITHHELD]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=3))
def test_no_hidden_small_cell_of_a_table_with_all_its_sums_can_be_worked_out(rows):
    """Tried out: of every small cell some other table with the same shown numbers has another value.

    Cells of up to 9 are tried from 0 to 12; rows, columns and the whole are cells like any other.
    """
    width = len(rows[0])
    table = Table({(i, j): n for i, row in enumerate(rows) for j, n in enumerate(row)})
    for i, row in enumerate(rows):
        table.cells["row", i] = sum(row)
        table.add(("row", i), [(i, j) for j in range(width)])
    table.cells["all"] = sum(map(sum, rows))
    table.add("all", [("row", i) for i in range(len(rows))])
    hidden = table.withheld(5)
    known = {cell: n for cell, n in table.cells.items() if cell not in hidden}

    for i, row in enumerate(rows):
        # One row at a time: its own sum and the whole are all that tie its cells.
        free = [j for j in range(width) if (i, j) in hidden]
        if not free or ("row", i) in hidden:
            continue
        values = {j: set() for j in free}
        for tried in product(range(13), repeat=len(free)):
            whole = dict(zip(free, tried, strict=True))
            if sum(whole.get(j, row[j]) for j in range(width)) == known["row", i]:
                for j in free:
                    values[j].add(whole[j])
        assert all(len(possible) > 1 for possible in values.values()), (rows, hidden)
    shown_rows = [i for i in range(len(rows)) if ("row", i) in hidden]
    if "all" in known:
        assert len(shown_rows) != 1
