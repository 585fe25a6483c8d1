"""manage.py undo_import UUID --reason "Wrong clinic" --user NAME"""

import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.errors import RegistryError
from exchange import imported
from exchange.management.commands.import_cohort import find_user
from exchange.models import Import


class Command(BaseCommand):
    help = "Undo a whole import, as its page does: for imports that are too large to be undone while a page waits."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("import_id", type=uuid.UUID, help="the UUID in the address of its page")
        parser.add_argument("--reason", required=True, help="why; it stands in the history of each record")
        parser.add_argument("--user", required=True, help="username of who undoes it; their roles decide")

    def handle(self, *, import_id: uuid.UUID, reason: str, user: str, **_: Any) -> None:
        by = find_user(user)
        job = Import.objects.defer("content").filter(pk=import_id).first()
        if job is None or by is None:
            raise CommandError(f"There is no import {import_id}.")
        try:
            imported.undo(job, by=by, reason=reason)
        except (RegistryError, PermissionDenied) as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write("The import was undone.")
