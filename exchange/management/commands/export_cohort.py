"""manage.py export_cohort OUT --centre STA"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError

from accounts.errors import RegistryError
from exchange import services
from exchange.management.commands.import_cohort import find_user


class Command(BaseCommand):
    help = "Write a centre's current records as a cohort file; the ending of OUT says which: .zip, .xlsx or a folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("out", type=Path, help="folder, .zip or .xlsx; the format: docs/cohort-file.md")
        parser.add_argument("--centre", required=True, help="code of the centre, such as STA")
        parser.add_argument("--with-identity", action="store_true", help="with MRNs and names")
        parser.add_argument("--user", help="username on whose behalf; their roles decide what may be seen")

    def handle(self, *, out: Path, centre: str, with_identity: bool, user: str | None, **_: Any) -> None:
        try:
            counts = services.export_cohort(
                out, centre=services.find_centre(centre), by=find_user(user), with_identity=with_identity
            )
        except (RegistryError, PermissionDenied) as error:
            raise CommandError(str(error)) from error
        for name, n in counts.items():
            self.stdout.write(f"{name:<18}{n:>10,}")
        self.stdout.write(f"Written to {out}.")
