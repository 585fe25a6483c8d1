"""``manage.py verify_lock NAME``: whether a data lock is still what was locked, and its results still come of it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics import locks
from analytics.models import DataLock


class Command(BaseCommand):
    help = "Hash the rows of a data lock again, compute its results again, and compare. Ends with 1 where anything differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="none: every lock")

    def handle(self, *args: Any, **options: Any) -> None:
        names = options["names"] or list(DataLock.objects.order_by("name").values_list("name", flat=True))
        different = []
        for name in names:
            frozen = DataLock.objects.filter(name=name).first()
            if frozen is None:
                known = ", ".join(DataLock.objects.values_list("name", flat=True)) or "none"
                raise CommandError(f"There is no data lock {name!r}. Locks: {known}.")
            found = locks.verify(frozen)
            if not found:
                self.stdout.write(f"{name}: as it was locked, {frozen.n_rows} courses.")
                continue
            different.append(name)
            self.stdout.write(f"{name}:")
            for sentence in found:
                self.stdout.write(f"  {sentence}")
            for version in locks.other_versions(frozen):
                self.stdout.write(f"  Computed with {version}.")
        if different:
            raise CommandError(f"Not as locked: {', '.join(different)}.")
