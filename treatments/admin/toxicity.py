"""The desk's page of adverse events."""

from typing import Any, ClassVar

from django.contrib import admin
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from patients.admin import OfPatientAdmin
from treatments.models import AdverseEvent


@admin.register(AdverseEvent)
class AdverseEventAdmin(OfPatientAdmin):
    own_fields = ("term", "grade", "onset_on", "resolved_on", "attribution", "is_serious", "action", "note")
    list_display = ("registry_number", "term", "severity", "onset_on", "resolved_on", "is_serious", "action")
    list_filter: ClassVar[Any] = ("grade", "attribution", "is_serious", "action")

    @display(description=gettext_lazy("Grade"), ordering="grade")
    def severity(self, obj: AdverseEvent) -> int:
        return obj.grade
