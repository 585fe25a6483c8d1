"""``manage.py query_data``: look at the records of every patient now, in this process and without a broker."""

from typing import Any

from django.core.management.base import BaseCommand

from analytics import data_queries
from analytics.models import DataQuery


class Command(BaseCommand):
    help = "Open and close the queries that the rules have of the records (docs/data-queries.md)."

    def handle(self, *args: Any, **options: Any) -> None:
        data_queries.mark_of_new_day()
        data_queries.refresh_inline()
        self.stdout.write(f"{DataQuery.objects.pending().count()} queries are open or answered.")
