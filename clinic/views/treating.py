"""The acts of a cycle and of a running course: give, hold, resume, leave out, decide, move. They are first entries."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import Act
from accounts.changes import Change
from accounts.errors import StaleRecord
from accounts.http import SignedInRequest
from accounts.records import create_record
from clinic import forms as clinic_forms
from clinic.selectors import history
from clinic.typed import moment
from clinic.views.patients import visible_patient
from clinic.views.records import Answer, record_page, submitted
from languages.wording import day, within
from patients.models import Patient
from treatments import services as treatments
from treatments.models import (
    OPEN,
    AbsorbedDose,
    Administration,
    Course,
    Cycle,
    CycleStatus,
    DoseAdvice,
    DoseDecision,
    Hold,
)
from treatments.rules.activity import deviation_percent, is_past_permitted
from treatments.rules.advice import ADVICE_WORDS
from treatments.rules.words import NBSP
from treatments.selectors.advice import advice_for
from treatments.selectors.checks import warnings_of
from treatments.services.administrations import net_of, prescription_of

ENTRY = require_http_methods(["GET", "HEAD", "POST"])
# What a cycle has in common with the one before it, and is offered again.
TAKEN_OVER = ("amino_acid_regimen", "amino_acid_minutes", "antiemetic", "venous_access")


def _patient_and_cycle(
    request: SignedInRequest, patient_id: uuid.UUID, cycle_id: uuid.UUID
) -> tuple[Patient, Cycle]:
    """Return a patient whose treatments the user may edit, and one of the cycles, or answer 403 or 404."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_TREATMENTS, patient.centre_id)
    cycles = (
        Cycle.objects.visible_to(request.user)
        .current()
        .select_related("course__protocol", "course__patient__centre")
    )
    return patient, get_object_or_404(cycles, pk=cycle_id, course__patient=patient, course__voided_at=None)


def _about(cycle: Cycle) -> str:
    protocol = cycle.course.protocol
    facts = {
        "drug": protocol.radiopharmaceutical,
        "course": cycle.course.number,
        "number": cycle.number,
        "all": protocol.planned_cycles,
    }
    if cycle.planned_on:
        said = _("{drug}, course {course}, cycle {number} of {all}, planned {day}")
        return said.format(**facts, day=day(cycle.planned_on))
    return _("{drug}, course {course}, cycle {number} of {all}").format(**facts)


def _act(
    request: SignedInRequest,
    patient: Patient,
    record: Cycle | Course,
    form_of: Callable[..., forms.BaseForm],
    save: Callable[[Any, int | None], Any],
    said: str | Callable[[Any], str],
    **context: Any,
) -> HttpResponse:
    """Show the form of an act, or perform it and go to the chart.

    Args:
        record: what the act is about. Who acts on an older state of it is told (409), and what was typed stays.
        form_of: makes the form, given what was sent or nothing.
        save: performs the act, given the valid form and the version of ``record`` that its page showed.
    """
    context["seen_version"] = record.version
    with timezone.override(patient.centre.zone):
        if request.method != "POST":
            return record_page(request, patient, [form_of()], 200, **context)
        form = form_of(request.POST)
        seen = request.POST.get("seen_version", "")
        version = int(seen) if seen.isdecimal() else None
        try:
            return submitted(request, patient, [form], lambda: save(form, version), said, **context)
        except StaleRecord:
            change = history.last_change(record)
            form.add_error(None, _overtaken(change, patient))
            return record_page(request, patient, [form], 409, **context)


def _overtaken(change: Change | None, patient: Patient) -> str:
    """Return who changed the record meanwhile, when and why."""
    said = _("This was changed while you had the page open: nothing of yours was stored.")
    if change is None:
        return said
    facts = {"who": change.who, "at": moment(change.at.astimezone(patient.centre.zone))}
    if change.reason:
        then = _("{who} did so at {at}, because: {reason}. Look at it as it is now, and send it again.")
        return f"{said} {then.format(**facts, reason=change.reason.rstrip('.'))}"
    then = _("{who} did so at {at}. Look at it as it is now, and send it again.")
    return f"{said} {then.format(**facts)}"


@never_cache
@ENTRY
def cycle_administer(request: SignedInRequest, patient_id: uuid.UUID, cycle_id: uuid.UUID) -> HttpResponse:
    """Enter that a cycle was given. What stands against it is said at once, and confirmed with a reason."""
    patient, cycle = _patient_and_cycle(request, patient_id, cycle_id)
    record = Administration(cycle=cycle, prescribed_activity_mbq=prescription_of(cycle))
    before = Administration.objects.current().filter(cycle__course=cycle.course, cycle__voided_at=None)
    last = before.order_by("-cycle__number").select_related("cycle").first()
    notes = []
    if last is not None and any(getattr(last, name) not in ("", None) for name in TAKEN_OVER):
        notes.append(
            _("Amino acids, antiemetic and access are taken over from cycle {number}: check them.").format(
                number=last.cycle.number
            )
        )

    def form_of(data: Any = None) -> clinic_forms.AdministrationForm:
        now = Administration(
            cycle=cycle, administered_at=timezone.now(), prescribed_activity_mbq=prescription_of(cycle)
        )
        known = warnings_of(now) if cycle.status in OPEN else []
        if data is not None:
            # What is warned of already stands on the page again where something else is wrong with what was sent.
            return clinic_forms.AdministrationForm(data, instance=record, warnings=known)
        for name in TAKEN_OVER if last is not None else ():
            setattr(record, name, getattr(last, name))
        return clinic_forms.AdministrationForm(instance=record, warnings=known)

    return _act(
        request,
        patient,
        cycle,
        form_of,
        lambda form, version: treatments.administer_cycle(
            cycle=cycle, by=request.user, expected_version=version, **form.values()
        ),
        lambda made: _given_words(cycle),
        title=_("Record cycle {number}").format(number=cycle.number),
        about=_about(cycle),
        button=_("Record the cycle"),
        check_button=_("Check the entry"),
        notes=notes,
        live_url=reverse("cycle-net", args=[patient.pk, cycle.pk]),
        answers=lambda given: _answers(given, cycle),
    )


def _answers(given: Administration, cycle: Cycle) -> list[Answer]:
    """Return what is stored of an administration, and what follows from it, in the order of its form."""
    form = clinic_forms.AdministrationForm(instance=given)
    found = []
    for _legend, names in form.sections:
        for name in names:
            value = getattr(given, name, None)
            if value in (None, ""):
                continue
            column: Any = Administration._meta.get_field(name)
            label = str(form.fields[name].label or column.verbose_name)
            if name == "administered_activity_mbq":
                label = _("Net activity")
            found.append(Answer(label, _answer(column, value), name))
    if given.confirmed_warnings:
        said = ", ".join(code.replace("_", " ") for code in given.confirmed_warnings)
        found.append(
            Answer(_("Recorded in spite of"), f"{said}. {given.confirmation_reason}", "confirmation_reason")
        )
    following = cycle.course.cycles.current().filter(number__gt=cycle.number, status__in=OPEN)
    planned = [
        _("cycle {number} on {day}").format(number=one.number, day=date_format(one.planned_on))
        for one in following.order_by("number")
        if one.planned_on
    ]
    found.append(Answer(_("Planned from it"), ", ".join(planned) or _("no further cycle")))
    return found


# Ends of names to units, as they stand beside numbers.
_UNITS = {"_mbq": "MBq", "_ml": "mL", "_kg": "kg", "_minutes": "min", "_percent": "%"}


def _answer(column: Any, value: Any) -> str:
    """Return a value as people read it, with its unit, times by the clock that is in force."""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "DATETIME_FORMAT")
    unit = next((unit for end, unit in _UNITS.items() if column.name.endswith(end)), "")
    if unit:
        decimals = 1 if unit == "MBq" else None
        return f"{number_format(value, decimals, force_grouping=unit == 'MBq')}{NBSP}{unit}"
    return str(dict(column.flatchoices).get(value, value))


def _given_words(cycle: Cycle) -> str:
    """Return what is said once a cycle was given: whether any follow it."""
    following = cycle.course.cycles.current().filter(number__gt=cycle.number, status__in=OPEN)
    said = (
        _("Cycle {number} was recorded as given; the following cycles were planned from it.")
        if following.exists()
        else _("Cycle {number} was recorded as given; no further cycle is planned in this course.")
    )
    return said.format(number=cycle.number)


@never_cache
@require_POST
def cycle_net(request: SignedInRequest, patient_id: uuid.UUID, cycle_id: uuid.UUID) -> HttpResponse:
    """Return the net activity and its deviation from what has been typed so far. Nothing is stored."""
    patient, cycle = _patient_and_cycle(request, patient_id, cycle_id)
    with timezone.override(patient.centre.zone):
        form = clinic_forms.AdministrationForm(request.POST, instance=Administration(cycle=cycle))
        form.is_valid()
        values = form.cleaned_data
        context: dict[str, Any] = {"cycle": cycle}
        try:
            net = None
            if values.get("administered_at") is not None:
                net = net_of(values, half_life_days=cycle.course.protocol.physical_half_life_days)
            context["net"] = net
            context["net_mbq"] = net.net_mbq if net is not None else values.get("administered_activity_mbq")
        except forms.ValidationError as refused:
            context["problem"] = " ".join(refused.messages)
        # A field that cannot be read is told before what is missing because of it.
        unread = [
            f"{form.fields[name].label}: {errors[0]}"
            for name, errors in form.errors.items()
            if form.data.get(name)
        ]
        if unread:
            context["problem"] = " ".join(unread)
        prescribed = values.get("prescribed_activity_mbq")
        if context.get("net_mbq") and prescribed:
            activities = {"given_mbq": context["net_mbq"], "prescribed_mbq": prescribed}
            context["deviation"] = deviation_percent(**activities)
            context["is_past"] = is_past_permitted(**activities)
        context["prescribed_mbq"] = prescribed
        return render(request, "clinic/_net.html", context)


@never_cache
@ENTRY
def cycle_hold(request: SignedInRequest, patient_id: uuid.UUID, cycle_id: uuid.UUID) -> HttpResponse:
    """Enter that a cycle has to wait, why, and when it is looked at again."""
    patient, cycle = _patient_and_cycle(request, patient_id, cycle_id)
    today = timezone.now().astimezone(patient.centre.zone).date()
    return _act(
        request,
        patient,
        cycle,
        lambda data=None: clinic_forms.HoldForm(data, instance=Hold(cycle=cycle, held_on=today)),
        lambda form, version: treatments.hold_cycle(
            cycle=cycle, by=request.user, expected_version=version, **form.values()
        ),
        _("Cycle {number} is on hold; what follows was planned anew.").format(number=cycle.number),
        title=_("Hold cycle {number}").format(number=cycle.number),
        about=_about(cycle),
        button=_("Hold the cycle"),
    )


@never_cache
@ENTRY
def cycle_resume(request: SignedInRequest, patient_id: uuid.UUID, cycle_id: uuid.UUID) -> HttpResponse:
    """Enter that a hold has ended."""
    patient, cycle = _patient_and_cycle(request, patient_id, cycle_id)
    today = timezone.now().astimezone(patient.centre.zone).date()
    hold = cycle.holds.current().filter(resumed_on__isnull=True).first()
    why = ""
    if hold is not None:
        why = _("On hold since {day}: {reason}.").format(
            day=day(hold.held_on), reason=within(hold.get_reason_display())
        )
        why += " "
    return _act(
        request,
        patient,
        cycle,
        lambda data=None: clinic_forms.ResumeForm(data, initial={"resumed_on": today}),
        lambda form, version: treatments.resume_cycle(
            cycle=cycle, by=request.user, expected_version=version, **form.cleaned_data
        ),
        _("Cycle {number} is planned again.").format(number=cycle.number),
        title=_("Resume cycle {number}").format(number=cycle.number),
        about=why + _about(cycle),
        button=_("Resume"),
    )


@never_cache
@ENTRY
def cycle_cancel(request: SignedInRequest, patient_id: uuid.UUID, cycle_id: uuid.UUID) -> HttpResponse:
    """Leave one cycle out of a course that goes on."""
    patient, cycle = _patient_and_cycle(request, patient_id, cycle_id)
    return _act(
        request,
        patient,
        cycle,
        lambda data=None: clinic_forms.ReasonForm(data),
        lambda form, version: treatments.cancel_cycle(
            cycle=cycle, by=request.user, expected_version=version, **form.cleaned_data
        ),
        _("Cycle {number} was left out; what follows was planned without it.").format(number=cycle.number),
        title=_("Leave out cycle {number}").format(number=cycle.number),
        about=_about(cycle),
        button=_("Leave it out"),
        danger=True,
        notes=[_("The course goes on with the cycle after it. To stop the course, discontinue it instead.")],
    )


@never_cache
@ENTRY
def cycle_restore(request: SignedInRequest, patient_id: uuid.UUID, cycle_id: uuid.UUID) -> HttpResponse:
    """Take back that one cycle was left out."""
    patient, cycle = _patient_and_cycle(request, patient_id, cycle_id)
    return _act(
        request,
        patient,
        cycle,
        lambda data=None: clinic_forms.ReasonForm(data),
        lambda form, version: treatments.restore_cycle(
            cycle=cycle, by=request.user, expected_version=version, **form.cleaned_data
        ),
        _("Cycle {number} is planned again.").format(number=cycle.number),
        title=_("Plan cycle {number} again").format(number=cycle.number),
        about=_about(cycle),
        button=_("Plan it again"),
    )


@never_cache
@ENTRY
def cycle_decide(request: SignedInRequest, patient_id: uuid.UUID, cycle_id: uuid.UUID) -> HttpResponse:
    """Accept the dose advice for a cycle, or decide otherwise with a reason; both are kept."""
    patient, cycle = _patient_and_cycle(request, patient_id, cycle_id)
    today = timezone.now().astimezone(patient.centre.zone).date()
    advice = advice_for(cycle.course, cycle, today=today)
    offered = advice.code if advice is not None and advice.code != DoseAdvice.INSUFFICIENT else None
    return _act(
        request,
        patient,
        cycle,
        lambda data=None: clinic_forms.DecisionForm(data, initial={"decision": offered}),
        lambda form, version: treatments.decide_dose(
            cycle=cycle, by=request.user, expected_version=version, **form.cleaned_data
        ),
        lambda made: _decided_words(made, cycle),
        title=_("Decide on cycle {number}").format(number=cycle.number),
        about=_about(cycle),
        button=_("Keep the decision"),
        advice=advice,
        advice_words=ADVICE_WORDS[advice.code] if advice is not None else "",
        protocol=cycle.course.protocol,
    )


def _decided_words(made: DoseDecision, cycle: Cycle) -> str:
    """Return what is said once a decision was kept: what it leaves to be done."""
    said = _("Decided for cycle {number}: {decision}.").format(
        number=cycle.number, decision=within(made.get_decision_display())
    )
    if made.decision == DoseAdvice.DISCONTINUE:
        then = _("The course goes on until it is discontinued: the button is under its cycles.")
        return f"{said} {then}"
    cycle.refresh_from_db(fields=["status"])
    if cycle.status == CycleStatus.HELD and made.decision != DoseAdvice.HOLD:
        return f"{said} {_('The cycle is still on hold: resume it.')}"
    return said


@never_cache
@ENTRY
def course_move(request: SignedInRequest, patient_id: uuid.UUID, course_id: uuid.UUID) -> HttpResponse:
    """Let a running course follow another protocol, with a reason."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_TREATMENTS, patient.centre_id)
    courses = Course.objects.visible_to(request.user).current().select_related("protocol", "patient__centre")
    course = get_object_or_404(courses, pk=course_id, patient=patient)
    return _act(
        request,
        patient,
        course,
        lambda data=None: clinic_forms.MoveForm(data, initial={"protocol": course.protocol_id}),
        lambda form, version: treatments.move_course(
            course, by=request.user, expected_version=version, **form.cleaned_data
        ),
        lambda moved: _("The course follows {protocol} now; what follows was planned anew.").format(
            protocol=moved.protocol
        ),
        title=_("Move course {number} to another protocol").format(number=course.number),
        about=_("It follows {protocol}.").format(protocol=course.protocol),
        button=_("Move the course"),
        notes=[
            _(
                "Cycles that were given stay as they are. Cycles are added or taken out at the end of the plan."
            )
        ],
    )


@never_cache
@ENTRY
def absorbed_dose_new(request: SignedInRequest, patient_id: uuid.UUID, cycle_id: uuid.UUID) -> HttpResponse:
    """Enter the absorbed dose of an organ or a lesion in a cycle that was given."""
    patient, cycle = _patient_and_cycle(request, patient_id, cycle_id)
    get_object_or_404(Cycle, pk=cycle.pk, status=CycleStatus.GIVEN)
    return _act(
        request,
        patient,
        cycle,
        lambda data=None: clinic_forms.AbsorbedDoseForm(data, instance=AbsorbedDose(cycle=cycle)),
        lambda form, version: create_record(form.instance, by=request.user),
        _("The absorbed dose was recorded."),
        title=_("Record an absorbed dose of cycle {number}").format(number=cycle.number),
        about=_about(cycle),
        button=_("Record"),
    )
