"""A centre's current records as the sheets of a cohort file."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from accounts.models import Centre
from accounts.records import ClinicalRecord
from exchange.columns import SHEETS, Column, Sheet
from exchange.planning import IDENTITY_COLUMNS
from exchange.writing import OutTable


def current_records(sheet: Sheet, centre: Centre) -> QuerySet[Any]:
    """Return the sheet's records of a centre; what was voided, or hangs on what was, is left out."""
    records = sheet.model._default_manager.filter(**{sheet.model.CENTRE_PATH: centre.pk}).current()
    path = ""
    model: type[ClinicalRecord] = sheet.model
    parent = sheet.parent
    while parent is not None:
        field, parent_sheet = parent
        path = f"{path}{field}__"
        records = records.filter(**{f"{path}voided_at__isnull": True})
        model = next(other for other in SHEETS if other.name == parent_sheet).model
        parent = next(other for other in SHEETS if other.model is model).parent
    return records


def tables(centre: Centre, *, with_identity: bool) -> Iterator[OutTable]:
    """Yield every sheet, rows sorted by their keys."""
    for sheet in SHEETS:
        columns = [column for column in sheet.columns if with_identity or column.name not in IDENTITY_COLUMNS]
        yield OutTable(sheet, columns, sorted(_rows(sheet, columns, centre), key=_sort_key(sheet, columns)))


def _sort_key(sheet: Sheet, columns: list[Column]) -> Any:
    # The database's order depends on its locale; a file must not.
    positions = [index for index, column in enumerate(columns) if column.name in sheet.key]
    # What a key leaves out comes first.
    return lambda row: tuple((row[position] is not None, row[position]) for position in positions)


def _rows(sheet: Sheet, columns: list[Column], centre: Centre) -> Iterator[list[Any]]:
    records = current_records(sheet, centre)
    own = [column.path for column in columns if not column.extra and column.computed is None]
    extra = [column.path for column in columns if column.extra]
    computed = [
        (index, column.computed) for index, column in enumerate(columns) if column.computed is not None
    ]
    extras: dict[Any, tuple[Any, ...]] = {}
    if extra and sheet.extra_model is not None:
        link = f"{sheet.extra_link}_id"
        held = sheet.extra_model._default_manager.filter(voided_at__isnull=True).filter(
            **{f"{sheet.extra_link}__in": records.values("pk")}
        )
        extras = {row[0]: row[1:] for row in held.values_list(link, *extra)}
    for pk, *values in records.values_list("pk", *own):
        own_values = iter(values)
        extra_values = iter(extras.get(pk, (None,) * len(extra)))
        row: list[Any] = [
            None if column.computed else next(extra_values) if column.extra else next(own_values)
            for column in columns
        ]
        if computed:
            named = {column.name: value for column, value in zip(columns, row, strict=True)}
            for index, compute in computed:
                row[index] = compute(named)
        yield [value.astimezone(centre.zone) if hasattr(value, "astimezone") else value for value in row]
