"""``manage.py results SLUG``: the results of a cohort, as JSON or in a few lines."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics import freshness, results
from analytics.models import Cohort


class Command(BaseCommand):
    help = "Print the results of a cohort over all its centres, brought up to date first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--json", action="store_true", help="the same document as the REST API gives")

    def handle(self, *args: Any, **options: Any) -> None:
        freshness.refresh_inline()
        cohort = Cohort.objects.select_related("definition").filter(slug=options["slug"]).first()
        if cohort is None:
            known = ", ".join(Cohort.objects.values_list("slug", flat=True))
            raise CommandError(f"There is no cohort {options['slug']!r}. Cohorts: {known}.")
        payload = results.payload(cohort, None)
        if options["json"]:
            self.stdout.write(json.dumps(payload, indent=2, ensure_ascii=False))
            return
        self.stdout.write(
            f"{payload['name']}: {payload['n_patients']} patients, cut-off {payload['data_cutoff']}"
        )
        orr = payload["orr"]
        self.stdout.write(f"ORR {orr['n']}/{orr['of']}")
        for endpoint in ("pfs", "os"):
            found = payload[endpoint]
            median = found["median_days"]
            shown = "not reached" if median is None else f"{median:g} d"
            self.stdout.write(f"{endpoint.upper()}: {found['events']} events of {found['n']}, median {shown}")
