"""Several sets of records in one statement, for pages that show all there is of a patient.

Twenty querysets are twenty statements to build, send and wait for. Here they are built once for the process, sent as one,
and read into the same objects.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar, cast

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models

Key = uuid.UUID
Made = TypeVar("Made", bound=models.Model)
# Stands for the key while a statement is built.
_PLACE = uuid.UUID("00000000-0000-4000-8000-000000000000")


class Together:
    """Querysets about one key, by name. Each is of one table: nothing is read along with it, and it has no order.

    Args:
        sets: by name, what makes the queryset of a key. Called once, with a place in the key's stead.
    """

    def __init__(self, sets: Mapping[str, Callable[[Key], models.QuerySet[Any]]]) -> None:
        self._sets = sets
        self._sql = ""
        self._parameters: list[Any] = []
        self._readers: dict[str, _Reader] = {}

    def read(self, key: Key) -> "Sets":
        """Return the rows of every set. One statement."""
        if not self._sql:
            self._build()
        with connection.cursor() as cursor:
            cursor.execute(self._sql, [key if one == _PLACE else one for one in self._parameters])
            rows = cursor.fetchall()
        found: dict[str, list[models.Model]] = {name: [] for name in self._sets}
        for name, row in rows:
            found[name].append(self._readers[name].read(row))
        return Sets(found)

    def _build(self) -> None:
        parts: list[str] = []
        parameters: list[Any] = []
        readers: dict[str, _Reader] = {}
        for name, made in self._sets.items():
            queryset = made(_PLACE).order_by()
            sql, own = queryset.query.sql_with_params()
            # The name is one of ours, and psycopg takes a percent sign for a place.
            parts.append(f"SELECT '{name}', row_to_json(r)::text FROM ({sql}) r")  # noqa: S608
            parameters += own
            readers[name] = _Reader(queryset.model)
        self._parameters, self._readers = parameters, readers
        self._sql = " UNION ALL ".join(parts)


class Sets:
    """What was read, by name."""

    def __init__(self, found: Mapping[str, list[models.Model]]) -> None:
        self._found = found

    def of(self, name: str, model: type[Made]) -> list[Made]:
        """Return the rows of a set, which are of this model, in no order."""
        return cast(list[Made], self._found[name])


class _Reader:
    """Makes objects of a model from rows as JSON."""

    def __init__(self, model: type[models.Model]) -> None:
        self._model = model
        columns = model._meta.concrete_fields
        self._names = [column.attname for column in columns]
        self._columns = [(column.column, _converter(column)) for column in columns]

    def read(self, row: str) -> models.Model:
        # A number keeps its digits: 7400.10 is not 7400.1, and no float.
        values = json.loads(row, parse_float=Decimal)
        return self._model.from_db(
            connection.alias,
            self._names,
            [
                values[column] if convert is None or values[column] is None else convert(values[column])
                for column, convert in self._columns
            ],
        )


def _converter(column: models.Field) -> Callable[[Any], Any] | None:
    """Return what makes a column's value of its JSON; None where it is the value.

    Raises:
        TypeError: a kind of column that no rule here is known for.
    """
    if isinstance(column, models.ForeignKey):
        return _converter(column.target_field)
    if isinstance(column, ArrayField):
        of_each = _converter(column.base_field)
        return None if of_each is None else lambda values: [of_each(value) for value in values]
    for kind, convert in _CONVERTERS:
        if isinstance(column, kind):
            return convert
    raise TypeError(f"{column} cannot be read from JSON.")


# A moment is a date too, for isinstance: it comes first.
_CONVERTERS: tuple[tuple[type[Any] | tuple[type[Any], ...], Callable[[Any], Any] | None], ...] = (
    (models.DateTimeField, datetime.fromisoformat),
    (models.DateField, date.fromisoformat),
    (models.UUIDField, uuid.UUID),
    (models.DecimalField, Decimal),
    (models.FloatField, float),
    # Of a document too: a number in it with a point would be a Decimal. What says who changed a record has none.
    ((models.CharField, models.TextField, models.IntegerField, models.BooleanField, models.JSONField), None),
)
