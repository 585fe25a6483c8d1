"""The worklist: what is due as rows with their reason and act, part by part, for all patients or for one."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from accounts.access import Act
from accounts.models import User
from clinic.charts.numbers import plain
from clinic.selectors import due, queries
from clinic.selectors.due import Item
from clinic.selectors.names import names_of
from clinic.selectors.whose import ALL, Whose
from clinic.selectors.words import state_within
from imaging.models import ReadingRole, ReadingStatus
from languages.wording import day, within
from patients.models import Patient
from treatments.models import Cycle, CycleStatus
from treatments.rules.advice import until_retold
from treatments.rules.labs import ANALYTES, with_unit
from treatments.rules.words import NBSP, interval, sentences, span, when
from treatments.selectors.advice import LAB_WORDS
from treatments.selectors.schedule import CoursePlan, plans_of

# Where even the newest overdue date is older than this, the records probably end there, and the page says so.
RECORDS_END_DAYS = 180


@dataclass(frozen=True)
class DueKind:
    """A part of the worklist.

    Attributes:
        state: what is said of one such cycle after its number.
        newest_first: what fell due last can still be acted on, so it comes first, unless the other order is asked for.
    """

    key: str
    title: str | Promise
    word: str | Promise
    newest_first: bool = False
    state: str | Promise = ""


KINDS = {
    kind.key: kind
    for kind in (
        DueKind(
            "in_window",
            gettext_lazy("Cycles in their window"),
            gettext_lazy("In window"),
            state=pgettext_lazy("cycle", "in its window"),
        ),
        DueKind(  # the longest overdue first: nobody is to be lost
            "overdue",
            gettext_lazy("Overdue cycles"),
            gettext_lazy("Overdue"),
            state=pgettext_lazy("cycle", "overdue"),
        ),
        DueKind(
            "held",
            gettext_lazy("Cycles on hold"),
            gettext_lazy("On hold"),
            state=pgettext_lazy("cycle", "on hold"),
        ),
        DueKind(
            "upcoming",
            gettext_lazy("Cycles of the next 4 weeks"),
            gettext_lazy("Upcoming"),
            state=pgettext_lazy("cycle", "upcoming"),
        ),
        DueKind("labs", gettext_lazy("Laboratory values missing"), gettext_lazy("Labs missing")),
        DueKind(
            "counts",
            gettext_lazy("Blood counts below the limit of the next cycle"),
            gettext_lazy("Low counts"),
            newest_first=True,
        ),
        DueKind(
            "toxicity",
            gettext_lazy("Toxicity of grade 3 or worse, not resolved"),
            gettext_lazy("Toxicity"),
            newest_first=True,
        ),
        DueKind(
            "undated",
            gettext_lazy("Cycles without a date"),
            gettext_lazy("No date"),
            state=pgettext_lazy("cycle", "without a date"),
        ),
        DueKind("imaging", gettext_lazy("PET/CT due"), gettext_lazy("PET/CT due"), newest_first=True),
        DueKind(
            "baseline", gettext_lazy("Baseline study missing"), gettext_lazy("No baseline"), newest_first=True
        ),
        DueKind("reading", gettext_lazy("Studies to be read"), gettext_lazy("To be read"), newest_first=True),
        DueKind("queries", gettext_lazy("Data queries open"), gettext_lazy("Queries"), newest_first=True),
    )
}


@dataclass(frozen=True)
class Due:
    """One thing that is due, why, and the act that settles it (no address where the user may not perform it)."""

    kind: DueKind
    patient: Patient
    what: str
    why: str
    key: str
    name: str = ""
    act_label: str = ""
    act_url: str = ""


@dataclass
class DuePart:
    """One kind with its count, its first rows, and where the next ones begin."""

    kind: DueKind
    count: int
    rows: list[Due] = field(default_factory=list)
    next_key: str = ""


@dataclass
class Worklist:
    parts: list[DuePart]
    records_end_on: date | None = None

    @property
    def total(self) -> int:
        return sum(part.count for part in self.parts)


def worklist(
    user: User,
    now: datetime,
    *,
    kind: str | None = None,
    other_order: bool = False,
    after: str = "",
    limit: int = 6,
    whose: Whose = ALL,
) -> Worklist:
    """Return what is due at the centres whose records ``user`` may see.

    Args:
        kind: a key of ``KINDS``, for that kind alone; every kind that is not empty where None.
        other_order: show the rows of ``kind`` in the order that is not its own.
        after: the key at which the rows of ``kind`` go on.
        limit: rows of each kind.
        whose: of which patients.
    """
    newest_first = frozenset(
        key for key, one in KINDS.items() if one.newest_first != (other_order and kind is not None)
    )
    begins_after = due.parse_key(after) if kind and after else None
    if kind and after and begins_after is None:
        limit = 0
    found = due.find_due(
        user,
        now,
        newest_first=newest_first,
        kind=kind,
        after=begins_after,
        limit=limit + 1,
        cared_for_by=whose.cared_for_by,
        by_nobody=whose.by_nobody,
    )
    parts = [
        DuePart(KINDS[key], found.counts.get(key, 0)) for key in KINDS if key in found.counts or key == kind
    ]
    raw: list[tuple[DuePart, list[Item]]] = []
    for part in parts:
        items = found.items.get(part.kind.key, [])
        if limit and len(items) > limit:
            part.next_key = items[limit - 1].key
        raw.append((part, items[:limit]))
    _describe(user, raw)
    if kind is None and (n_queries := queries.open_queries_count(user, whose)):
        parts.append(_queries_part(user, n_queries, limit, whose))
    newest_overdue = found.newest_on.get("overdue")
    ended = newest_overdue is not None and (now.date() - newest_overdue).days > RECORDS_END_DAYS
    return Worklist(parts, newest_overdue if ended else None)


def _queries_part(user: User, count: int, limit: int, whose: Whose) -> DuePart:
    """Return the open data queries as a part; all of them stand on a page of their own."""
    kind = KINDS["queries"]
    part = DuePart(kind, count, next_key="more" if count > limit else "")
    for row in queries.open_queries(user, limit, whose) if limit else ():
        label, url = (row.act_label, row.act_url) if row.act_url else (pgettext("act", "Open"), row.url)
        part.rows.append(Due(kind, row.patient, row.what, row.why, str(row.query.pk), row.name, label, url))
    return part


def for_patient(
    user: User, patient: Patient, now: datetime, plans: Mapping[uuid.UUID, CoursePlan] | None = None
) -> list[Due]:
    """Return what is due of one patient, whenever it is planned, without the name.

    Args:
        plans: of the patient's courses, where they were read already.
    """
    found = due.find_due(user, now, patient=patient, limit=20)
    raw = [
        (DuePart(KINDS[key], 1), list(found.items.get(sought, ())))
        for sought, key in (
            (key, key) if key in KINDS else ("later", "upcoming") for key in (*KINDS, "later")
        )
    ]
    _describe(user, raw, plans=plans, with_names=False)
    return [row for part, _items in raw for row in part.rows]


def _describe(
    user: User,
    raw: list[tuple[DuePart, list[Item]]],
    *,
    plans: Mapping[uuid.UUID, CoursePlan] | None = None,
    with_names: bool = True,
) -> None:
    """Fill the parts' rows with words and acts. Five queries: the plans, and names where they may be seen."""
    items = [item for _, found in raw for item in found]
    cycles = [item.record for item in items if isinstance(item.record, Cycle)]
    if plans is None:
        plans = plans_of({cycle.course_id: cycle.course for cycle in cycles}.values())
    names = names_of(user, (item.patient.pk for item in items)) if with_names else {}
    for part, found in raw:
        for item in found:
            what, why, act, label, url = _words(part.kind.key, item, plans)
            permitted = user.may(act, item.patient.centre_id)
            part.rows.append(
                Due(
                    kind=part.kind,
                    patient=item.patient,
                    what=what,
                    why=why,
                    key=item.key,
                    name=names.get(item.patient.pk, ""),
                    act_label=label if permitted else "",
                    act_url=url if permitted else "",
                )
            )


def _words(kind: str, item: Item, plans: Mapping[uuid.UUID, CoursePlan]) -> tuple[str, str, Act, str, str]:
    """Return what is due, why, and the act, label and address that settle it."""
    record = item.record
    if kind == "labs":
        return _labs_words(item)
    if kind == "counts":
        return _counts_words(item)
    if kind == "toxicity":
        return _toxicity_words(item)
    if isinstance(record, Cycle):
        return _cycle_words(kind, record, item.today, plans[record.course_id])
    if kind == "reading":
        return _reading_words(item)
    new_study = reverse("record-new", args=[record.patient_id, "study"])
    if kind == "imaging" and item.after_cycle is None:
        return (
            _("Follow-up PET/CT due"),
            _("Due {day} by the protocol, {when}, counted from the last cycle; no study since").format(
                day=day(item.sort_on), when=when(item.sort_on, item.today)
            ),
            Act.EDIT_IMAGING,
            _("Record the study"),
            f"{new_study}?course={record.number}&timepoint=follow_up",
        )
    if kind == "imaging":
        due_on = item.sort_on + timedelta(days=record.protocol.imaging_due_days)
        return (
            _("PET/CT due after cycle {number}").format(number=item.after_cycle),
            _("Cycle {number} given {given}; due within {interval}, by {due}, {when}; no study since").format(
                number=item.after_cycle,
                given=day(item.sort_on),
                interval=interval(record.protocol.imaging_due_days),
                due=day(due_on),
                when=when(due_on, item.today),
            ),
            Act.EDIT_IMAGING,
            _("Record the study"),
            f"{new_study}?course={record.number}",
        )
    if item.first_status == CycleStatus.GIVEN:
        why = _("Cycle 1 was given and no baseline is recorded: without it the response cannot be evaluated")
    elif item.sort_on == due.NEVER:
        why = _("Before cycle 1, which has no date yet")
    else:
        why = _("Before cycle 1, planned {day}, {when}").format(
            day=day(item.sort_on), when=when(item.sort_on, item.today)
        )
    return (
        _("Baseline study missing"),
        why,
        Act.EDIT_IMAGING,
        _("Record the baseline"),
        f"{new_study}?course={record.number}&timepoint=baseline",
    )


def _reading_words(item: Item) -> tuple[str, str, Act, str, str]:
    study = item.record
    what = f"{study.get_timepoint_display()} {study.get_modality_display()}"
    why = _("Made {day}, {when}").format(
        day=day(study.performed_on), when=when(study.performed_on, item.today)
    )
    address = reverse("reading-sign", args=[study.patient_id, study.course_number, study.pk])
    counted = [reading for reading in study.waiting if reading.status != ReadingStatus.DRAFT]
    if counted:  # and none in force: two readers differ
        said = _(" and ").join(state_within(reading.get_overall_response_display()) for reading in counted)
        return (
            _("{study}, to be adjudicated").format(study=what),
            sentences(why, _("two readers differ: {responses}").format(responses=said)),
            Act.SIGN_READINGS,
            _("Adjudicate"),
            f"{address}?reader={ReadingRole.ADJUDICATOR}",
        )
    if study.waiting:
        return (
            _("{study}, to be signed").format(study=what),
            _("{made}; drafted, not signed").format(made=why),
            Act.SIGN_READINGS,
            _("Read and sign"),
            address,
        )
    page = reverse("imaging", args=[study.patient_id, study.course_number])
    to_be_read = _("{study}, to be read").format(study=what)
    why = _("{made}; no response recorded").format(made=why)
    return to_be_read, why, Act.EDIT_IMAGING, pgettext("act", "Read"), page


def _cycle_words(kind: str, cycle: Cycle, today: date, plan: CoursePlan) -> tuple[str, str, Act, str, str]:
    protocol = cycle.course.protocol
    patient_id = cycle.course.patient_id
    what = _("Cycle {number} of {planned}, {state}").format(
        number=cycle.number, planned=protocol.planned_cycles, state=KINDS[kind].state
    )
    window = f"±{NBSP}{_days(protocol.window_days)}"
    reason = _("{why}; window {window}").format(why=plan.why(cycle.number), window=window)
    if cycle.planned_on is not None:
        past_window = (today - cycle.planned_on).days - protocol.window_days
        if kind == "overdue":
            closed_on = cycle.planned_on + timedelta(days=protocol.window_days)
            planned = _("Planned {day}, window closed {when} ({days})").format(
                day=day(cycle.planned_on), when=when(closed_on, today), days=_days(past_window)
            )
        else:
            planned = _("Planned {day}, {when}").format(
                day=day(cycle.planned_on), when=when(cycle.planned_on, today)
            )
        reason = sentences(planned, reason)
    if plan.is_past_max_delay(today):
        late = span(plan.delay(today))
        reason = sentences(
            _("Delayed by {span}: the protocol allows less than {interval}").format(
                span=late, interval=interval(protocol.max_delay_days)
            ),
            reason,
        )
    if kind == "held":
        hold = next((hold for hold in plan.holds_of(cycle) if hold.is_open), None)
        if hold is not None:
            reason = sentences(
                _("On hold since {day}: {reason}").format(
                    day=day(hold.held_on), reason=within(hold.get_reason_display())
                ),
                until_retold(hold.note),
                reason,
            )
        else:
            held = _("On hold: {note}").format(note=cycle.note) if cycle.note else _("On hold")
            reason = sentences(held, reason)
        address = reverse("cycle-resume", args=[patient_id, cycle.pk])
        return what, reason, Act.EDIT_TREATMENTS, pgettext("cycle", "Resume"), address
    if kind == "undated":
        address = reverse("record-correct", args=[patient_id, "cycle", cycle.pk])
        return what, _("No date is planned"), Act.EDIT_TREATMENTS, _("Plan it"), address
    address = reverse("cycle-administer", args=[patient_id, cycle.pk])
    return what, reason, Act.EDIT_TREATMENTS, _("Record cycle"), address


def _days(n: int) -> str:
    """Return a number of days with its short unit: ``1,234 d``."""
    return _("{n} d").format(n=number_format(n, force_grouping=True)).replace(" ", NBSP)


def _planned(cycle: Cycle, today: date) -> str:
    assert cycle.planned_on is not None
    return _("Cycle {number} is planned {day}, {when}").format(
        number=cycle.number, day=day(cycle.planned_on), when=when(cycle.planned_on, today)
    )


def _labs_words(item: Item) -> tuple[str, str, Act, str, str]:
    cycle, protocol = item.record, item.record.course.protocol
    lacking = [LAB_WORDS[code] for code in protocol.labs_before_cycle if code not in item.measured]
    return (
        _("Laboratory values before cycle {number}").format(number=cycle.number),
        sentences(
            _planned(cycle, item.today),
            _("Not measured within {interval} before it: {analytes}").format(
                interval=interval(protocol.labs_within_days), analytes=", ".join(lacking)
            ),
        ),
        Act.EDIT_TREATMENTS,
        _("Enter values"),
        reverse("laboratory-enter", args=[cycle.course.patient_id]),
    )


def _counts_words(item: Item) -> tuple[str, str, Act, str, str]:
    cycle = item.record
    found = [
        _("{analyte} {value} on {day} (below {limit}: the protocol holds from grade {grade})").format(
            analyte=LAB_WORDS[low.analyte],
            value=with_unit(plain(low.value), ANALYTES[low.analyte].unit),
            day=day(low.taken_on),
            limit=plain(low.below),
            grade=low.hold_grade,
        )
        for low in item.low
    ]
    return (
        _("Low counts before cycle {number}").format(number=cycle.number),
        sentences(capfirst("; ".join(found)), _planned(cycle, item.today)),
        Act.EDIT_TREATMENTS,
        pgettext("dose", "Decide"),
        reverse("cycle-decide", args=[cycle.course.patient_id, cycle.pk]),
    )


def _toxicity_words(item: Item) -> tuple[str, str, Act, str, str]:
    event = item.record
    return (
        _("{term}, grade {grade}").format(term=event.term, grade=event.grade),
        sentences(
            _("Since {day}, {when}; not resolved").format(
                day=day(event.onset_on), when=when(event.onset_on, item.today)
            ),
            _("Attribution: {attribution}").format(attribution=state_within(event.get_attribution_display())),
        ),
        Act.EDIT_TREATMENTS,
        pgettext("act", "Update"),
        reverse("record-correct", args=[event.patient_id, "adverse-event", event.pk]),
    )
