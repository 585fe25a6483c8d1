"""Pages of records whose times are those of a centre's clock."""

from datetime import tzinfo
from typing import Any, ClassVar

from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.desk.records import ClinicalAdmin
from languages.calling import called


class LocalTimesAdmin(ClinicalAdmin):
    """Times of a first entry are meant in the zone of the centre that the chosen record belongs to."""

    chosen_field: ClassVar[str]  # whose centre's clock was read

    def chosen(self, request: HttpRequest) -> Any:
        """Return the record that a first entry is made for, as far as the user may see it."""
        key = request.POST.get(self.chosen_field) or request.GET.get(self.chosen_field)
        field: Any = self.model._meta.get_field(self.chosen_field)
        page = self.admin_site.get_model_admin(field.related_model)
        return page.get_object(request, key) if key else None

    def zone_of_entry(self, request: HttpRequest) -> tzinfo:
        chosen = self.chosen(request)
        if chosen is None:
            return super().zone_of_entry(request)
        return self.admin_site.get_model_admin(type(chosen)).zone_of(chosen)  # type: ignore[attr-defined]

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if not isinstance(db_field, models.DateTimeField) or field is None or request.method != "GET":
            return field
        adding = f"{self.opts.app_label}_{self.opts.model_name}_add"
        is_entry = request.resolver_match is not None and request.resolver_match.url_name == adding
        if is_entry and not request.GET.get(self.chosen_field):
            # Which zone that is will be known once the record is chosen.
            words = _("Local time of the centre of the {record}.").format(record=called(self.chosen_field))
            field.help_text = f"{db_field.help_text} {words}".strip()
        return field
