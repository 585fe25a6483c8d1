"""How courses are meant to run, and the centres' limits of normal: shown to all, added by who manages them."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Act
from accounts.http import SignedInRequest
from accounts.models import Centre
from clinic.forms import add_refusal
from clinic.protocol_forms import DOSE_RULE_FIELDS, ProtocolForm, ReferenceRangeForm
from clinic.views.records import record_page
from treatments import services as treatments
from treatments.models import Course, LabAnalyte, Protocol, ReferenceRange
from treatments.rules.labs import ANALYTES


def _require_reader(request: HttpRequest) -> None:
    """Plans say nothing of patients: whoever may see anything may see them."""
    user: Any = request.user
    if not (user.may(Act.VIEW_RECORDS) or user.may(Act.VIEW_RESULTS)):
        user.require(Act.VIEW_RECORDS)


@require_safe
def protocol_list(request: SignedInRequest) -> HttpResponse:
    _require_reader(request)
    return render(
        request,
        "clinic/protocol_list.html",
        {
            "protocols": Protocol.objects.order_by("code", "-version"),
            "may_add": request.user.may(Act.MANAGE_COHORTS),
        },
    )


@require_safe
def protocol_detail(request: SignedInRequest, pk: int) -> HttpResponse:
    """Show a version with its thresholds and sources, and what the site has to confirm before use."""
    _require_reader(request)
    protocol = get_object_or_404(Protocol, pk=pk)
    rules = protocol.rules_of_dose
    return render(
        request,
        "clinic/protocol_detail.html",
        {
            "protocol": protocol,
            "rules": rules,
            "thresholds": [
                (field.label, getattr(rules, name), field.unit) for name, field in DOSE_RULE_FIELDS.items()
            ]
            if rules is not None
            else [],
            "labs": [LabAnalyte(code).label for code in protocol.labs_before_cycle],
            "versions": Protocol.objects.filter(code=protocol.code).order_by("-version"),
            "n_courses": Course.objects.visible_to(request.user).current().filter(protocol=protocol).count(),
            "may_add": request.user.may(Act.MANAGE_COHORTS),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def protocol_new(request: SignedInRequest) -> HttpResponse:
    """Add a protocol, or with ``?from=<id>`` the next version of one."""
    request.user.require(Act.MANAGE_COHORTS)
    source = None
    if request.GET.get("from", "").isdecimal():
        source = get_object_or_404(Protocol, pk=int(request.GET["from"]))
    context: dict[str, Any] = {
        "title": _("New version of {name}").format(name=source.name)
        if source is not None
        else _("New protocol"),
        "about": _("Running courses stay with the version they follow, unless they are moved with a reason."),
        "button": _("Add the protocol"),
        "cancel_url": reverse("protocol-list"),
    }
    if request.method != "POST":
        return record_page(request, None, [ProtocolForm.of(source)], 200, **context)
    form = ProtocolForm(request.POST)
    if form.is_valid():
        try:
            made = treatments.add_protocol(form.values(), by=request.user)
        except ValidationError as refused:
            add_refusal(form, refused)
        else:
            messages.success(request, _("{name} was added.").format(name=made))
            return redirect("protocol-detail", made.pk)
    return record_page(request, None, [form], 422, **context)


@require_safe
def reference_ranges(request: SignedInRequest) -> HttpResponse:
    """Show the limits of normal of the user's centres, those in force first."""
    request.user.require(Act.VIEW_RECORDS)
    centres = Centre.objects.visible_to(request.user, Act.VIEW_RECORDS)
    ranges = ReferenceRange.objects.filter(centre__in=centres).select_related("centre")
    rows = [
        {"range": one, "unit": ANALYTES[one.analyte].unit}
        for one in ranges.order_by("centre__code", "analyte", "sex", "-valid_from")
    ]
    return render(
        request,
        "clinic/reference_ranges.html",
        {"rows": rows, "may_add": request.user.may(Act.MANAGE_COHORTS)},
    )


@require_http_methods(["GET", "HEAD", "POST"])
def reference_range_new(request: SignedInRequest) -> HttpResponse:
    """Add limits of normal from a day on; what was valid before ends there."""
    request.user.require(Act.MANAGE_COHORTS)
    context: dict[str, Any] = {
        "title": _("New reference range"),
        "about": _(
            "It holds from its first day until another one of the same analyte, or its last day. Results that bring"
            " their own limits are not touched."
        ),
        "button": _("Add the range"),
        "cancel_url": reverse("reference-ranges"),
    }
    if request.method != "POST":
        initial = {"valid_from": timezone.localdate()}
        return record_page(
            request, None, [ReferenceRangeForm(user=request.user, initial=initial)], 200, **context
        )
    form = ReferenceRangeForm(request.POST, user=request.user)
    if form.is_valid():
        try:
            treatments.set_reference_range(form.cleaned_data, by=request.user)
        except ValidationError as refused:
            add_refusal(form, refused)
        else:
            messages.success(request, _("The reference range was added; grades follow it from now on."))
            return redirect("reference-ranges")
    return record_page(request, None, [form], 422, **context)
