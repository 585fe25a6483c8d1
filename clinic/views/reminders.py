"""What reaches a user outside the registry, and who looks after a patient."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.http import SignedInRequest
from accounts.models import User
from clinic import services
from clinic.models import Reminders
from clinic.selectors import people
from clinic.selectors.names import person_name
from clinic.views.patients import visible_patient


class RemindersForm(forms.ModelForm):
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        required=False,
        max_length=254,
        help_text=gettext_lazy("Of yours, for the weekly e-mail alone."),
    )

    class Meta:
        model = Reminders
        fields = ["own_patients_only", "weekly_digest"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["email"] = self.instance.user.email

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("weekly_digest") and not values.get("email") and "email" not in self.errors:
            self.add_error("email", _("Type the address to which the weekly e-mail is sent."))
        return values


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reminders(request: SignedInRequest) -> HttpResponse:
    """Show and store what the user is reminded of; a new secret address is shown once."""
    request.user.require(Act.VIEW_RECORDS)
    stored = Reminders.objects.filter(user=request.user).first() or Reminders(user=request.user)
    address = ""
    form = RemindersForm(instance=stored)
    if request.method == "POST":
        if "make_feed" in request.POST:
            secret = services.make_feed(user=request.user)
            address = request.build_absolute_uri(reverse("calendar-feed", args=[secret]))
            stored.refresh_from_db() if stored.pk else None
            stored.feed_key, stored.feed_made_at = "made", timezone.now()
        elif "end_feed" in request.POST:
            services.end_feed(user=request.user)
            messages.success(request, _("The calendar's address no longer works."))
            return redirect("reminders")
        else:
            form = RemindersForm(request.POST, instance=stored)
            if form.is_valid():
                services.choose_reminders(user=request.user, **form.cleaned_data)
                messages.success(request, _("Your reminders were stored."))
                return redirect("reminders")
    context = {"form": form, "reminders": stored, "address": address}
    return render(request, "clinic/reminders.html", context, status=422 if form.errors else 200)


@require_POST
def care_team(request: SignedInRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Record who looks after a patient: ``add`` or ``end`` with ``me`` or the id of a colleague."""
    patient = visible_patient(request, patient_id)
    key = request.POST.get("add") or request.POST.get("end") or ""
    if not key:
        return HttpResponse(_("Nobody is named."), status=422, content_type="text/plain")
    user = request.user if key == people.ME else get_object_or_404(User, pk=_uuid(key))
    facts = {"name": person_name(user), "patient": patient.registry_number}
    is_self = user == request.user
    try:
        if request.POST.get("add"):
            services.look_after(patient=patient, user=user, by=request.user)
            said = _("You now look after {patient}.") if is_self else _("{name} now looks after {patient}.")
            messages.success(request, said.format(**facts))
        else:
            services.end_looking_after(patient=patient, user=user, by=request.user)
            said = (
                _("You no longer look after {patient}.")
                if is_self
                else _("{name} no longer looks after {patient}.")
            )
            messages.success(request, said.format(**facts))
    except RegistryError as refused:
        messages.error(request, refused.message)
    return redirect("patient-chart", patient.pk)


def _uuid(key: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(key)
    except ValueError:
        return None
