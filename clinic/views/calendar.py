"""The month's calendar, and the same for calendars outside behind a secret address."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from icalendar import Calendar, Event

from accounts.access import Act
from accounts.http import SignedInRequest
from accounts.models import User
from clinic import services
from clinic.selectors import calendar, people
from clinic.selectors.names import names_of
from clinic.selectors.whose import Whose

_YEARS = range(1990, 2200)


@never_cache
@require_safe
def month(request: SignedInRequest) -> HttpResponse:
    """Show a month, ``?month=2026-11``, or one of its days in full, ``?day=2026-11-27``; ``&who=me`` as the worklist."""
    request.user.require(Act.VIEW_RECORDS)
    who = people.asked(request.user, request.GET.get("who", ""))
    now = timezone.now()
    today = now.astimezone(people.zone_of(request.user)).date()
    day = _day(request.GET["day"]) if "day" in request.GET else None
    shown = day or (_day(f"{request.GET['month']}-01") if "month" in request.GET else today)
    first = shown.replace(day=1)
    weeks = [[day]] if day else calendar.weeks_of(first.year, first.month)
    limit = calendar.WHOLE_DAY if day else calendar.EACH_DAY
    days = calendar.month(
        request.user, now, first=weeks[0][0], last=weeks[-1][-1], whose=who.whose, limit=limit
    )
    names = (
        names_of(request.user, {e.patient.pk for one in days.values() for e in one.entries}) if day else {}
    )
    for entry in days[day].entries if day else ():
        entry.patient.name = names.get(entry.patient.pk, "")
    context: dict[str, Any] = {
        "first": first,
        "today": today,
        "day": days[day] if day else None,
        "weeks": [[days[on] for on in week] for week in weeks],
        "before": first - timedelta(days=1),
        "after": first + timedelta(days=32),
        "who": who,
        "people": people.choices(request.user),
    }
    return render(request, "clinic/calendar.html", context)


def _day(words: str) -> date:
    try:
        found = date.fromisoformat(words)
    except ValueError:
        raise Http404 from None
    if found.year not in _YEARS:
        raise Http404
    return found


@login_not_required
@never_cache
@require_safe
def feed(request: HttpRequest, secret: str) -> HttpResponse:
    """Answer the calendar of the user whose secret this is: registry numbers and what is planned, no name."""
    reminders = services.user_of_feed(secret)
    if reminders is None or not reminders.user.may(Act.VIEW_RECORDS):
        raise Http404
    user, now = reminders.user, timezone.now()
    whose = Whose(cared_for_by=user.pk if reminders.own_patients_only else None)
    with translation.override(user.language or settings.LANGUAGE_CODE):
        body = _feed_of(request, user, now, whose)
    return HttpResponse(body, content_type="text/calendar; charset=utf-8")


def _feed_of(request: HttpRequest, user: User, now: datetime, whose: Whose) -> bytes:
    found = Calendar()
    found.add("prodid", "-//PRRT registry//What is planned//EN")
    found.add("version", "2.0")
    found.add("x-wr-calname", _("PRRT registry"))
    found.add("refresh-interval;value=duration", "PT4H")
    for entry in calendar.feed(user, now, whose):
        event = Event()
        event.add("uid", f"{entry.kind}-{entry.record.pk}@prrt-registry")
        event.add("dtstamp", now.astimezone(UTC))
        event.add("dtstart", entry.on)
        event.add("dtend", entry.on + timedelta(days=1))
        event.add("summary", f"{entry.patient.registry_number}: {entry.what}")
        event.add("transp", "TRANSPARENT")
        address = reverse("patient-chart", args=[entry.patient.pk])
        event.add("url", request.build_absolute_uri(address))
        found.add_component(event)
    return found.to_ical()
