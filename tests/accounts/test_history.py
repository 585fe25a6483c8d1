"""The history is append-only: no statement of the application's own role changes or removes it."""

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from accounts.models import Role
from accounts.records import correct_record
from tests.factories import ContactFactory, make_user

pytestmark = pytest.mark.django_db


def history_tables() -> list[str]:
    return [
        table
        for table in connection.introspection.table_names()
        if table.endswith("event")
        and table not in {"patients_diseaseevent", "treatments_adverseevent"}
        and not table.startswith("pghistory")
    ]


def test_every_tracked_table_has_its_history():
    names = {table.removesuffix("event") for table in history_tables()}

    assert {"patients_patient", "treatments_administration", "imaging_reading", "analytics_cohort"} <= names
    assert {"accounts_membership", "treatments_protocol"} <= names


@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET pgh_label = 'x'", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_history_rows_cannot_be_changed_removed_or_truncated(statement):
    contact = ContactFactory()
    correct_record(
        contact, {"note": "Called back"}, by=make_user(role=Role.PHYSICIAN), reason="More is known"
    )
    table = type(contact.events.first())._meta.db_table

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # so that nothing else stands in the way
        with pytest.raises((ProgrammingError, IntegrityError), match=r"kept|Cannot"), transaction.atomic():
            cursor.execute(statement.format(table))

    assert contact.events.count() == 2


def test_no_history_table_can_be_truncated():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgname = 'no_truncate'"
        )
        protected = {name for (name,) in cursor.fetchall()}

    assert set(history_tables()) <= protected


def test_blanking_a_value_is_history_too():
    contact = ContactFactory(note="By telephone")

    correct_record(contact, {"note": ""}, by=make_user(role=Role.PHYSICIAN), reason="Not true")

    assert list(contact.events.order_by("pgh_id").values_list("note", flat=True)) == ["By telephone", ""]
