"""What pages of records have in common that hang on a cycle."""

from typing import Any, ClassVar

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from accounts.desk.records import ClinicalAdmin
from treatments.models import Cycle


class OfCycleAdmin(ClinicalAdmin):
    """A record that hangs on a cycle."""

    fixed_fields: ClassVar[tuple[str, ...]] = ("cycle",)
    autocomplete_fields = ("cycle",)

    @display(description=gettext_lazy("Cycle"), ordering="cycle__number")
    def cycle_number(self, obj: Any) -> str:
        return f"{obj.cycle.course.number}.{obj.cycle.number}"

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        cycle: Cycle = record.cycle
        patient = cycle.course.patient
        return [
            (
                _("Patient {patient}").format(patient=patient),
                reverse("admin:patients_patient_change", args=[patient.pk]),
            ),
            (
                _("Cycle {number}").format(number=cycle.number),
                reverse("admin:treatments_cycle_change", args=[cycle.pk]),
            ),
        ]
