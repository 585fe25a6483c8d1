"""manage.py import_cohort FILE --centre STA"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError

from accounts.errors import RegistryError
from accounts.models import User
from exchange import services


class Command(BaseCommand):
    help = "Import a cohort file (a folder or .zip of CSV files, or an .xlsx workbook), all of it or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="folder, .zip or .xlsx; the format: docs/cohort-file.md")
        parser.add_argument(
            "--centre", required=True, help="code of the centre the patients belong to, such as STA"
        )
        parser.add_argument("--dry-run", action="store_true", help="check everything, store nothing")
        parser.add_argument("--reason", default="", help="why rows that the registry holds are corrected")
        parser.add_argument("--user", help="username on whose behalf; their roles decide what may be written")

    def handle(
        self, *, file: Path, centre: str, dry_run: bool, reason: str, user: str | None, **_: Any
    ) -> None:
        try:
            summary = services.import_cohort(
                file,
                centre=services.find_centre(centre),
                by=find_user(user),
                reason=reason,
                dry_run=dry_run,
            )
        except services.ImportRefused as refused:
            for problem in refused.problems:
                self.stderr.write(str(problem))
            raise CommandError(f"{len(refused.problems)} problem(s). Nothing was stored.") from refused
        except (RegistryError, PermissionDenied) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{'':<28}{'new':>10}{'changed':>10}{'unchanged':>11}")
        for name, counts in summary.counts.items():
            self.stdout.write(f"{name:<28}{counts.new:>10,}{counts.changed:>10,}{counts.unchanged:>11,}")
        if summary.differing:
            self.stdout.write(
                f"\n{len(summary.differing):,} reading(s) differ from what their measurements derive:"
            )
            for sentence in summary.differing:
                self.stdout.write(f"- {sentence}")
        if dry_run:
            self.stdout.write("Dry run: nothing was stored.")


def find_user(username: str | None) -> User | None:
    """Return the user of this name; None where none is given.

    Raises:
        CommandError: there is no such user.
    """
    if username is None:
        return None
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username}.")
    return user
