"""``manage.py build_assets``: what a browser is served, made and collected where something changed."""

from typing import Any

from django.core.management.base import BaseCommand

from prrt_registry.assets import build_assets


class Command(BaseCommand):
    help = "Make the drawing library and collect the static files, unless they are up to date. Needs no database."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        if not build_assets(self.stdout.write):
            self.stdout.write("The assets are up to date.")
