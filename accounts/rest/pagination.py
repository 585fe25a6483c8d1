"""Keyset pagination: a page starts behind the last row of the one before, wherever that row is by then.

Rows entered or voided meanwhile move nothing, and page 1,000 costs what page 1 costs. DRF's own cursor loses its place among
nulls and among more than a thousand equal values, both of which planned dates have.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet
from rest_framework.exceptions import ErrorDetail
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

from accounts.rest.refusals import BadQuery

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 500


def _refused(parameter: str, detail: str, code: str) -> BadQuery:
    return BadQuery({parameter: ErrorDetail(detail, code)})


@dataclass(frozen=True)
class Key:
    """One column that rows are ordered by. Null counts as the greatest value, as PostgreSQL has it."""

    path: str
    descending: bool

    def reversed(self) -> "Key":
        return Key(self.path, not self.descending)

    @property
    def order_by(self) -> str:
        return f"-{self.path}" if self.descending else self.path

    def field(self, model: type[Model]) -> Field:
        *steps, name = self.path.split("__")
        for step in steps:
            related = model._meta.get_field(step).related_model
            assert isinstance(related, type)
            model = related
        field = model._meta.get_field(name)
        assert isinstance(field, Field)
        return field

    def value(self, row: Model) -> str | None:
        value: Any = row
        for step in self.path.split("__"):
            value = getattr(value, step)
        if value is None:
            return None
        return value.isoformat() if hasattr(value, "isoformat") else str(value)

    def equal(self, value: Any) -> Q:
        return Q(**{f"{self.path}__isnull": True}) if value is None else Q(**{self.path: value})

    def behind(self, value: Any) -> Q:
        if value is None:
            return Q(**{f"{self.path}__isnull": False}) if self.descending else Q(pk__in=[])
        if self.descending:
            return Q(**{f"{self.path}__lt": value})
        return Q(**{f"{self.path}__gt": value}) | Q(**{f"{self.path}__isnull": True})


class KeysetPagination(BasePagination):
    """Pages of ``page_size`` rows. A view names ``ordering_fields`` (parameter to column) and its ``ordering``."""

    def paginate_queryset(  # type: ignore[override]  # pages are of querysets alone
        self, queryset: QuerySet, request: Request, view: APIView | None = None
    ) -> list[Model]:
        self.request = request
        self.page_size = self._page_size(request)
        self.name, keys = self._ordering(request, view)
        values, backwards = self._cursor(request, keys, queryset.model)

        walked = [key.reversed() for key in keys] if backwards else keys
        if values is not None:
            behind, equal = Q(pk__in=[]), Q()
            for key, value in zip(walked, values, strict=True):
                behind |= equal & key.behind(value)
                equal &= key.equal(value)
            queryset = queryset.filter(behind)
        rows = list(queryset.order_by(*(key.order_by for key in walked))[: self.page_size + 1])
        more, rows = len(rows) > self.page_size, rows[: self.page_size]
        if backwards:
            rows.reverse()
        has_next = (backwards and bool(rows)) or (not backwards and more)
        has_previous = (backwards and more) or (not backwards and values is not None and bool(rows))
        self.next = self._link(keys, rows[-1], backwards=False) if has_next else None
        self.previous = self._link(keys, rows[0], backwards=True) if has_previous else None
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next, "previous": self.previous, "results": data})

    def _page_size(self, request: Request) -> int:
        raw = request.query_params.get("page_size")
        if raw is None:
            return DEFAULT_PAGE_SIZE
        if not (raw.isascii() and raw.isdecimal()) or len(raw) > 4 or not 1 <= int(raw) <= MAX_PAGE_SIZE:
            raise _refused("page_size", f"A page holds 1 to {MAX_PAGE_SIZE} rows.", "out_of_range")
        return int(raw)

    def _ordering(self, request: Request, view: Any) -> tuple[str, list[Key]]:
        name = request.query_params.get("ordering") or view.ordering
        path = view.ordering_fields.get(name.removeprefix("-"))
        if path is None:
            offered = ", ".join(view.ordering_fields)
            raise _refused(
                "ordering", f"Order by one of {offered}; a minus before it turns it round.", "invalid_choice"
            )
        descending = name.startswith("-")
        keys = [Key(path, descending)]
        if path != "id":  # equal values need a tie-break, or a page could repeat or skip rows
            keys.append(Key("id", descending))
        return name, keys

    def _cursor(self, request: Request, keys: list[Key], model: type[Model]) -> tuple[list[Any] | None, bool]:
        raw = request.query_params.get("cursor")
        if raw is None:
            return None, False
        refused = _refused(
            "cursor", "This cursor is not one of this list in this ordering.", "invalid_cursor"
        )
        try:
            name, backwards, texts = json.loads(base64.urlsafe_b64decode(raw.encode("ascii")))
            if name != self.name or backwards not in (0, 1) or len(texts) != len(keys):
                raise refused
            values = []
            for key, text in zip(keys, texts, strict=True):
                if text is not None and (not isinstance(text, str) or "\x00" in text):
                    raise refused
                values.append(None if text is None else key.field(model).to_python(text))
        except (ValueError, TypeError, binascii.Error, RecursionError, ValidationError) as error:
            raise refused from error
        return values, bool(backwards)

    def _link(self, keys: list[Key], row: Model, *, backwards: bool) -> str:
        content = json.dumps(
            [self.name, int(backwards), [key.value(row) for key in keys]], separators=(",", ":")
        )
        cursor = base64.urlsafe_b64encode(content.encode()).decode()
        url = remove_query_param(self.request.build_absolute_uri(), "cursor")
        return replace_query_param(url, "cursor", cursor)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = [sign + name for name in view.ordering_fields for sign in ("", "-")]
        return [
            {
                "name": "cursor",
                "in": "query",
                "description": "Where the page starts; taken from next and previous.",
                "schema": {"type": "string"},
            },
            {
                "name": "page_size",
                "in": "query",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_PAGE_SIZE,
                    "default": DEFAULT_PAGE_SIZE,
                },
            },
            {
                "name": "ordering",
                "in": "query",
                "description": "A minus turns it round. Equal values are in the order of their ids.",
                "schema": {"type": "string", "enum": names, "default": view.ordering},
            },
        ]
