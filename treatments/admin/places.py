"""What pages of records have in common that hang on a cycle."""

from typing import Any, ClassVar

from django.http import HttpRequest
from django.urls import reverse
from unfold.decorators import display

from accounts.desk.records import ClinicalAdmin
from treatments.models import Cycle


class OfCycleAdmin(ClinicalAdmin):
    """A record that hangs on a cycle."""

    fixed_fields: ClassVar[tuple[str, ...]] = ("cycle",)
    autocomplete_fields = ("cycle",)

    @display(description="Cycle", ordering="cycle__number")
    def cycle_number(self, obj: Any) -> str:
        return f"{obj.cycle.course.number}.{obj.cycle.number}"

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        cycle: Cycle = record.cycle
        patient = cycle.course.patient
        return [
            (f"Patient {patient}", reverse("admin:patients_patient_change", args=[patient.pk])),
            (f"Cycle {cycle.number}", reverse("admin:treatments_cycle_change", args=[cycle.pk])),
        ]
