"""The living page of the design: every component as the product's pages include it."""

from datetime import timedelta
from decimal import Decimal

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_safe

from clinic.selectors import roster, worklist
from clinic.typed import NumberField
from treatments.rules.words import when

# What a cycle, a decision and a study can be, beside the states of patients and of the worklist.
STATES_OF_CYCLES = {
    "planned": pgettext_lazy("cycle", "Planned"),
    "given": pgettext_lazy("cycle", "Given"),
    "cancelled": pgettext_lazy("cycle", "Left out"),
}
ADVICE = {
    "continue": pgettext_lazy("dose advice", "Continue"),
    "hold": pgettext_lazy("dose advice", "Hold"),
    "reduce": pgettext_lazy("dose advice", "Reduce"),
    "discontinue": pgettext_lazy("dose advice", "Discontinue"),
}
RESPONSES = {"CR": "CR", "PR": "PR", "SD": "SD", "PD": "PD"}
COLOURS = {
    "ground": _("ground of the page"),
    "surface": pgettext_lazy("colour", "panels"),
    "surface-raised": _("heads and hovers"),
    "accent-soft": _("what is chosen"),
    "good-soft": pgettext_lazy("colour", "done"),
    "warn-soft": _("to be looked at"),
    "bad-soft": pgettext_lazy("colour", "refused"),
}


class Example(forms.Form):
    """Fields of each kind, one of them wrong."""

    activity = NumberField(
        label=_("Administered activity (MBq)"), help_text=_("Net, at the time of injection.")
    )
    note = forms.CharField(label=_("Note"), required=False, widget=forms.Textarea(attrs={"rows": 2}))
    sex = forms.ChoiceField(label=_("Sex"), choices=[("female", _("Female")), ("male", _("Male"))])
    confirmed = forms.BooleanField(label=_("The value is right"), required=False)


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
            (_("Patients"), roster.STATES),
            (_("Worklist"), {key: kind.word for key, kind in worklist.KINDS.items()}),
            (_("Cycles"), STATES_OF_CYCLES),
            (_("Dose advice"), ADVICE),
            (_("Response"), RESPONSES),
        ],
        "activity_mbq": Decimal("7391.5"),
        "planned_on": planned_on,
        "relative": when(planned_on, today),
    }
    return render(request, "clinic/styleguide.html", context)
