"""Keeping queries current: what the rules ask of marked patients is opened, what they no longer ask is closed.

Marks are put by triggers in the writing transaction. Everything here may run twice, in many workers at once, and be killed
at any moment: a step is one transaction that removes the marks it claimed. In words: docs/data-queries.md.
"""

import hashlib
from collections.abc import Sequence
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.utils import timezone

from analytics import query_facts
from analytics.models import (
    DataQuery,
    DataQueryAnswer,
    QueryAction,
    QueryRule,
    QueryStatus,
    StaleCheck,
)
from analytics.rules.data_queries import PATIENT_VOIDED, RECORD_CHANGED, RULE_CLOSED, Discrepancy, Facts, find

CHUNK = 500  # patients of one transaction

_Key = tuple[str, str]  # rule, record
_Found = tuple[UUID, UUID, Discrepancy]  # patient, centre


def fingerprint(facts: Facts) -> str:
    """Return what tells whether facts are the same as before: SHA-256 of them with their keys in order."""
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def refresh_inline() -> None:
    """Look at every marked patient that no other worker is busy with, in this process."""
    while refresh():
        pass


def is_behind() -> bool:
    return StaleCheck.objects.exists()


def mark_of_new_day() -> int:
    """Mark the patients at whose centre a day has begun since they were looked at; return how many.

    Safe to run at any time: who was looked at today is left out, and so is who is marked already.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO analytics_stalecheck (patient_id)
            SELECT p.id FROM patients_patient p JOIN accounts_centre z ON z.id = p.centre_id
            LEFT JOIN analytics_datacheck k ON k.patient_id = p.id
            WHERE p.voided_at IS NULL
                AND (k.checked_on IS NULL OR k.checked_on < (now() AT TIME ZONE z.time_zone)::date)
                AND NOT EXISTS (SELECT FROM analytics_stalecheck s WHERE s.patient_id = p.id)
            """
        )
        return cursor.rowcount


@transaction.atomic
def refresh(limit: int = CHUNK) -> int:
    """Derive the queries of up to ``limit`` marked patients that no other worker has claimed. A constant number of queries.

    Returns:
        The number of marks that were claimed and are now removed; 0: there was nothing to do.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT patient_id FROM analytics_stalecheck ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED", [limit]
        )
        patient_ids = sorted({pk for (pk,) in cursor.fetchall()})
        if not patient_ids:
            return 0
        cursor.execute(
            "SELECT id FROM analytics_stalecheck WHERE patient_id = ANY(%s) FOR UPDATE SKIP LOCKED",
            [patient_ids],
        )
        marks = [pk for (pk,) in cursor.fetchall()]
        # One worker at a time has a patient: a later mark of it may be claimed by another, who waits here.
        cursor.execute(
            "INSERT INTO analytics_datacheck (patient_id) SELECT id FROM patients_patient WHERE id = ANY(%s) ORDER BY id"
            " ON CONFLICT DO NOTHING",
            [patient_ids],
        )
        cursor.execute(
            "SELECT patient_id FROM analytics_datacheck WHERE patient_id = ANY(%s) ORDER BY patient_id FOR UPDATE",
            [patient_ids],
        )
    # Read only now that the patients are ours: whoever stores queries of them later has read their facts later.
    found: dict[_Key, _Found] = {}
    looked_at = {}
    for fetched in query_facts.fetch(patient_ids):
        patient_id = UUID(fetched.patient.id)
        looked_at[patient_id] = fetched.today
        for one in find(fetched.patient, fetched.today):
            found[one.rule, one.record_id] = patient_id, fetched.centre_id, one
    _store(patient_ids, found, set(patient_ids) - set(looked_at))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE analytics_datacheck k SET checked_on = t.today FROM unnest(%s::uuid[], %s::date[]) AS t (id, today)"
            " WHERE k.patient_id = t.id AND k.checked_on IS DISTINCT FROM t.today",
            [list(looked_at), list(looked_at.values())],
        )
    StaleCheck.objects.filter(pk__in=marks).delete()
    return len(marks)


def _store(patient_ids: Sequence[UUID], found: dict[_Key, _Found], voided: set[UUID]) -> None:
    """Bring the stored queries of the patients to what was found.

    A query that a person closed stays closed as long as the facts are those it was closed on.
    """
    now = timezone.now()
    pending: dict[_Key, DataQuery] = {}
    accepted: set[tuple[str, str, str]] = set()
    over: list[tuple[DataQuery, str]] = []
    stored = DataQuery.objects.filter(patient__in=patient_ids).exclude(
        status=QueryStatus.CLOSED, closed_by=None
    )
    for query in stored.order_by("pk").select_for_update(of=("self",)):
        key = query.rule, str(query.record_id)
        if query.is_closed:
            accepted.add((*key, query.fingerprint))
        elif query.patient_id in voided:
            over.append((query, PATIENT_VOIDED))
        elif query.rule == QueryRule.MANUAL:
            continue  # a person opened it, and a person closes it
        elif key in found:
            pending[key] = query
        else:
            over.append((query, RULE_CLOSED))

    new, changed, answers = [], [], []
    for key, (patient_id, centre_id, one) in found.items():
        print_of_facts = fingerprint(one.facts)
        if key in pending:
            query = pending[key]
            if query.fingerprint != print_of_facts:
                query.facts, query.fingerprint = one.facts, print_of_facts
                if query.status == QueryStatus.ANSWERED:
                    query.status = QueryStatus.OPEN
                    answers.append(
                        DataQueryAnswer(query=query, action=QueryAction.REOPENED, text=RECORD_CHANGED)
                    )
                changed.append(query)
        elif (*key, print_of_facts) not in accepted:
            new.append(
                DataQuery(
                    patient_id=patient_id,
                    centre_id=centre_id,
                    course_id=one.course_id or None,
                    rule=one.rule,
                    record_kind=one.record_kind,
                    record_id=one.record_id,
                    facts=one.facts,
                    fingerprint=print_of_facts,
                    opened_at=now,
                )
            )
    for query, why in over:
        answers.append(DataQueryAnswer(query=query, action=QueryAction.CLOSED, text=why))
    DataQuery.objects.bulk_create(new)
    if changed:
        DataQuery.objects.bulk_update(changed, ["facts", "fingerprint", "status"])
    if over:
        DataQuery.objects.filter(pk__in=[query.pk for query, _ in over]).update(
            status=QueryStatus.CLOSED, closed_at=now
        )
    DataQueryAnswer.objects.bulk_create(answers)
