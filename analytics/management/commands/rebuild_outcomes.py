"""``manage.py rebuild_outcomes``: derive everything anew, or check that what is stored equals that."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics import freshness, rebuild, tasks
from analytics.models import Cohort, Definition, Job, JobKind, JobState


class Command(BaseCommand):
    help = "Derive the outcomes of all courses and the results of all cohorts anew."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--definition", help="only under the definition of this name")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--check", action="store_true", help="only compare what is stored with a rebuild")
        how.add_argument(
            "--background", action="store_true", help="leave the work to the workers, any number of them"
        )
        how.add_argument("--progress", action="store_true", help="only say how far rebuilds are")
        how.add_argument(
            "--cancel",
            action="store_true",
            help="cancel unfinished rebuilds; their cohorts stay stale until another one is done",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        definitions = Definition.objects.order_by("pk")
        if options["definition"]:
            definitions = definitions.filter(name=options["definition"])
            if not definitions:
                raise CommandError(f"There is no definition {options['definition']!r}.")
        if options["check"]:
            self._check(definitions)
            return
        if options["progress"] or options["cancel"]:
            unfinished = Job.objects.filter(
                kind=JobKind.REBUILD,
                definition__in=definitions,
                state__in=[JobState.QUEUED, JobState.RUNNING],
            )
            for job in unfinished.select_related("definition"):
                ended = ", cancelled" if options["cancel"] and rebuild.cancel(job) else ""
                self.stdout.write(f"{job.definition}: {job.done} of {job.total} courses{ended}")
            return
        for definition in definitions:
            rebuild.start(definition)
        if options["background"]:
            tasks.ask_for_refresh()
            self.stdout.write(f"{len(definitions)} definitions: asked the workers.")
            return
        freshness.refresh_inline()
        self.stdout.write(f"{len(definitions)} definitions: every course derived anew.")

    def _check(self, definitions: Any) -> None:
        freshness.refresh_inline()
        wrong = 0
        for cohort in Cohort.objects.filter(definition__in=definitions).select_related("definition"):
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
