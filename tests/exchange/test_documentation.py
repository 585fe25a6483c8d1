"""The page about the cohort file says what the reader reads."""

from pathlib import Path

from exchange.columns import SHEETS
from exchange.documentation import columns_in_words

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cohort-file.md"


def test_the_page_holds_every_column_as_the_reader_knows_it() -> None:
    assert columns_in_words() in PAGE.read_text(encoding="utf-8"), (
        "put in what manage.py describe_cohort_file prints"
    )


# A standardized uptake value has its unit, g/mL, in its name.
UNITS = (
    "_mbq",
    "_percent",
    "_gy",
    "_mg",
    "_ml",
    "_kg",
    "_minutes",
    "_mm",
    "_g_per_bq",
    "_suv_mean",
    "suv_max",
)


def test_every_column_of_a_quantity_says_its_unit_and_every_key_is_needed() -> None:
    for sheet in SHEETS:
        for name in sheet.key:
            # An organ has no lesion, and of a prior therapy no more than its kind may be known: blank is a part of the key
            # too. A file of one reader need not say so.
            is_optional = name in {"lesion", "reader_role"} or (sheet.name, name) in {
                ("prior_therapies", "agent"),
                ("prior_therapies", "started_on"),
            }
            assert sheet.column(name).required or is_optional
        for column in sheet.columns:
            if column.kind.__class__.__name__ == "Number":
                assert column.name.endswith(UNITS)
            elif column.kind.__class__.__name__ == "Measured":
                assert sheet.column("unit").computed is not None
