"""manage.py write_published_cohort OUT"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.errors import RegistryError
from exchange import writing
from exchange.published import generator


class Command(BaseCommand):
    help = "Write the 63 synthetic patients of the published cohort as a cohort file (folder, .zip or .xlsx)."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("out", type=Path, help="folder, .zip or .xlsx")

    def handle(self, *, out: Path, **_: Any) -> None:
        try:
            counts = writing.write_cohort(out, generator.tables(generator.published_cohort()))
        except RegistryError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{counts['patients']} synthetic patients, {sum(counts.values())} rows, written to {out}."
        )
