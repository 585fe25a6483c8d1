"""manage.py check_published"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics import freshness
from analytics.models import Cohort
from exchange.published import figures


class Command(BaseCommand):
    help = "Compare every figure of the published cohort with what the registry computes; fails where one differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--cohort", default="published-2020", help="slug of the cohort (default: %(default)s)"
        )

    def handle(self, *, cohort: str, **_: Any) -> None:
        found = Cohort.objects.select_related("definition").filter(slug=cohort).first()
        if found is None:
            raise CommandError(f"There is no cohort {cohort}. manage.py load_demo makes it.")
        freshness.refresh_inline()
        compared = figures.compare(found)
        rows = [("figure", "published", "computed", "agrees")]
        rows += [
            (figure.name, figure.published, figure.computed, "yes" if figure.agrees else "NO")
            for figure in compared
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            self.stdout.write(
                "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            )
        differing = [figure.name for figure in compared if not figure.agrees]
        if differing:
            raise CommandError(f"{len(differing)} of {len(compared)} figures differ: {', '.join(differing)}.")
        self.stdout.write(f"All {len(compared)} figures agree.")
