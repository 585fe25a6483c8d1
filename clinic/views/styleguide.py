"""The living page of the design: every component as the product's pages include it."""

from datetime import timedelta
from decimal import Decimal

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from clinic.selectors import roster, worklist
from treatments.rules.words import when

# What a cycle, a decision and a study can be, beside the states of patients and of the worklist.
STATES_OF_CYCLES = {"planned": "Planned", "given": "Given", "cancelled": "Left out"}
ADVICE = {"continue": "Continue", "hold": "Hold", "reduce": "Reduce", "discontinue": "Discontinue"}
RESPONSES = {"CR": "CR", "PR": "PR", "SD": "SD", "PD": "PD"}
COLOURS = {
    "ground": "ground of the page",
    "surface": "panels",
    "surface-raised": "heads and hovers",
    "accent-soft": "what is chosen",
    "good-soft": "done",
    "warn-soft": "to be looked at",
    "bad-soft": "refused",
}


class Example(forms.Form):
    """Fields of each kind, one of them wrong."""

    activity = forms.DecimalField(
        label="Administered activity (MBq)", help_text="Net, at the time of injection."
    )
    note = forms.CharField(label="Note", required=False, widget=forms.Textarea(attrs={"rows": 2}))
    sex = forms.ChoiceField(label="Sex", choices=[("female", "Female"), ("male", "Male")])
    confirmed = forms.BooleanField(label="The value is right", required=False)


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    today = timezone.now().date()
    planned_on = today + timedelta(days=21)
    form = Example({"activity": "7,4x", "sex": "female"})
    form.is_valid()
    context = {
        "example": form,
        "colours": COLOURS,
        "states": [
            ("Patients", roster.STATES),
            ("Worklist", {key: kind.word for key, kind in worklist.KINDS.items()}),
            ("Cycles", STATES_OF_CYCLES),
            ("Dose advice", ADVICE),
            ("Response", RESPONSES),
        ],
        "activity_mbq": Decimal("7391.5"),
        "planned_on": planned_on,
        "relative": when(planned_on, today),
    }
    return render(request, "clinic/styleguide.html", context)
