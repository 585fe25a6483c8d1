"""manage.py load_demo"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.errors import RegistryError
from exchange import demo, services


class Command(BaseCommand):
    help = "Load two centres of synthetic patients, a user for each role, and the published cohort. Safe to run again."

    def handle(self, **_: Any) -> None:
        try:
            loaded = demo.load()
        except services.ImportRefused as refused:
            for problem in refused.problems[:20]:
                self.stderr.write(str(problem))
            raise CommandError(
                "The demo was not loaded: the registry holds something else under its numbers."
            ) from refused
        except RegistryError as error:
            raise CommandError(error.message) from error
        for sentence in loaded.did or ["The demo was already loaded."]:
            self.stdout.write(sentence)
        self.stdout.write(f"Users and passwords: {loaded.users_file}")
