"""``manage.py export_datasets SLUG FILE.zip``: the analysis data sets of a cohort or of a data lock, with a manifest."""

import os
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.errors import RegistryError
from analytics import freshness, results
from analytics.datasets import export
from analytics.models import Cohort, DataLock


class Command(BaseCommand):
    help = (
        "Write ADSL, ADTTE, ADRS and ADTR of a cohort, or of a data lock, into one archive (docs/exports.md)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="slug of the cohort, or name of the lock")
        parser.add_argument("file", help="the archive to write, a .zip")
        parser.add_argument("--lock", action="store_true", help="NAME is a data lock")
        parser.add_argument("--deidentified", action="store_true", help="pseudonyms and relative dates")
        parser.add_argument("--formats", nargs="+", choices=export.FORMATS, default=list(export.FORMATS))
        parser.add_argument(
            "--centres", nargs="*", metavar="CODE", help="of these alone; else all of the cohort"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        source = self._source(options)
        level = export.Level.DEIDENTIFIED if options["deidentified"] else export.Level.REGISTRY
        path = Path(options["file"])
        try:
            # Made by its owner alone to read (0600), beside its place; it takes that place when it is complete.
            handle, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            try:
                with os.fdopen(handle, "w+b") as out:
                    manifest = export.write(out, source, level=level, by=None, formats=options["formats"])
                os.replace(made, path)
            finally:
                Path(made).unlink(missing_ok=True)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        except RegistryError as error:
            raise CommandError(str(error)) from error
        for name, rows in manifest["rows"].items():
            self.stdout.write(f"{name}: {rows} rows")
        for sentence in manifest["left_out"]:
            self.stdout.write(f"Left out: {sentence}")
        self.stdout.write(f"SHA-256 over all files {manifest['sha256']}")

    def _source(self, options: dict[str, Any]) -> export.Source:
        if options["lock"]:
            lock = DataLock.objects.filter(name=options["name"]).first()
            if lock is None:
                raise CommandError(f"There is no data lock {options['name']!r}.")
            if options["centres"]:
                raise CommandError("A data lock is of the centres that it was made of: leave out --centres.")
            return export.locked(lock)
        freshness.refresh_inline()
        cohort = Cohort.objects.select_related("definition").filter(slug=options["name"]).first()
        if cohort is None:
            known = ", ".join(Cohort.objects.values_list("slug", flat=True))
            raise CommandError(f"There is no cohort {options['name']!r}. Cohorts: {known}.")
        codes = options["centres"] or results.centre_codes(cohort, None)
        return export.live(cohort, codes)
