"""manage.py describe_cohort_file"""

from typing import Any

from django.core.management.base import BaseCommand

from exchange.documentation import columns_in_words


class Command(BaseCommand):
    help = "Print the sheets and columns of a cohort file as Markdown, as docs/cohort-file.md holds them."
    requires_system_checks = []

    def handle(self, **_: Any) -> None:
        self.stdout.write(columns_in_words())
