"""``manage.py rebuild_outcomes``: derive everything anew, or check that what is stored equals that."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics import freshness
from analytics.models import Cohort


class Command(BaseCommand):
    help = "Derive the outcomes of all courses and the results of all cohorts anew."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only compare what is stored with a rebuild")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["check"]:
            marked = freshness.mark_everything()
            freshness.refresh_inline()
            self.stdout.write(f"{marked} courses derived anew.")
            return
        freshness.refresh_inline()
        wrong = 0
        for cohort in Cohort.objects.select_related("definition"):
            stored, anew = freshness.from_scratch(cohort)
            differs = sum(stored[key] != anew[key] for key in stored | anew)
            wrong_scopes = freshness.wrong_results(cohort)
            wrong += differs + len(wrong_scopes)
            self.stdout.write(
                f"{cohort.slug}: {len(anew)} tallies, {differs} differ from a rebuild;"
                f" {len(wrong_scopes)} results differ from their tallies"
            )
        if wrong:
            raise CommandError("What is stored differs from a rebuild: run rebuild_outcomes.")
