"""Queries derived by several workers at once, on committed rows."""

import threading

import pytest
from django.db import connection, transaction

from analytics import data_queries
from analytics.models import DataQuery, StaleCheck
from tests.factories import CourseFactory, PatientFactory


@pytest.mark.usefixtures("committed")
def test_many_workers_at_once_open_each_query_once():
    for _ in range(12):
        with transaction.atomic():
            CourseFactory(patient=PatientFactory(), given=2)
    expected = None
    for _ in range(2):  # the second time nothing is to be opened
        with connection.cursor() as cursor:
            for _ in range(3):
                cursor.execute(
                    "INSERT INTO analytics_stalecheck (patient_id) SELECT id FROM patients_patient"
                )

        failed = []

        def work() -> None:
            try:
                while data_queries.refresh(limit=3):
                    pass
            except Exception as error:
                failed.append(error)  # noqa: B023
            finally:
                connection.close()

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        data_queries.refresh_inline()

        assert failed == []
        assert not StaleCheck.objects.exists()
        counted = DataQuery.objects.count()
        assert expected in {None, counted}
        expected = counted
    assert DataQuery.objects.filter(rule="labs_missing").count() == 24
