"""``manage.py lock_cohort SLUG NAME``: freeze a cohort's analysis data set under a name."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.errors import RegistryError
from analytics import freshness, locks, results
from analytics.models import Cohort


class Command(BaseCommand):
    help = "Freeze a cohort's analysis data set under a name, with its results and a hash over both (docs/locks.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("name")
        parser.add_argument("--note", default="", help="what it is for")
        parser.add_argument(
            "--centres", nargs="*", metavar="CODE", help="of these alone; else all of the cohort"
        )
        parser.add_argument("--refresh", action="store_true", help="bring the outcomes up to date first")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["refresh"]:
            freshness.refresh_inline()
        cohort = Cohort.objects.filter(slug=options["slug"]).first()
        if cohort is None:
            known = ", ".join(Cohort.objects.values_list("slug", flat=True))
            raise CommandError(f"There is no cohort {options['slug']!r}. Cohorts: {known}.")
        codes = options["centres"] or results.centre_codes(cohort, None)
        try:
            frozen = locks.lock(cohort, options["name"], codes, None, options["note"])
        except RegistryError as error:
            hint = " Or call this with --refresh." if error.code == "pending" else ""
            raise CommandError(f"{error}{hint}") from error
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(f"Locked {frozen.n_rows} courses as {frozen.name}, cut-off {frozen.data_cutoff}.")
        self.stdout.write(f"Content {frozen.content_hash}")
        self.stdout.write(f"Results {frozen.results_hash}")
