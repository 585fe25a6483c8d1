"""manage.py run_imports"""

from typing import Any

from django.core.management.base import BaseCommand

from exchange import importing
from exchange.models import Import


class Command(BaseCommand):
    help = "Do what files sent in the browser wait for, here and now, without a worker."

    def handle(self, **_: Any) -> None:
        n = 0
        for pk in importing.waiting():
            if importing.run(pk):
                n += 1
                self.stdout.write(f"{pk}: {Import.objects.get(pk=pk).get_state_display().lower()}")
        self.stdout.write(f"{n} import(s) done." if n else "Nothing waits.")
