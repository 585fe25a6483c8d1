"""What all pages of the desk share, those of records and of others."""

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.http import HttpRequest
from unfold.admin import ModelAdmin


class DeskAdmin(ModelAdmin):
    """What all pages of the desk share: nothing is deleted."""

    actions: Sequence[Any] | None = None
    list_per_page = 50
    show_full_result_count = False
    compressed_fields = True
    warn_unsaved_form = True

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        # Records are entered on their own pages, not in pop-ups on the way.
        for link in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
            if field is not None and hasattr(field.widget, link):
                setattr(field.widget, link, False)
        return field
