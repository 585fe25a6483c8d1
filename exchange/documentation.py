"""The columns of the cohort file as Markdown, so that docs/cohort-file.md says what the reader reads.

``manage.py describe_cohort_file`` prints it; a test compares it with the page.
"""

from exchange.columns import SHEETS, Sheet


def columns_in_words() -> str:
    """Return one heading and table for each sheet."""
    return "\n".join(_sheet(sheet) for sheet in SHEETS)


def _sheet(sheet: Sheet) -> str:
    lines = [
        f"### {sheet.name}",
        "",
        f"{sheet.words} A row is known by {', '.join(sheet.key)}.",
        "",
        "| column | needed | holds | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for column in sheet.columns:
        holds = column.kind.expected.replace("|", "\\|")
        blank = f" Blank: {column.blank}." if column.blank and isinstance(column.blank, str) else ""
        needed = "yes" if column.required else "no"
        lines.append(f"| {column.name} | {needed} | {holds} | {column.words}{blank} |")
    return "\n".join([*lines, ""])
