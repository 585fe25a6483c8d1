from django.apps import AppConfig


class TreatmentsConfig(AppConfig):
    name = "treatments"

    def ready(self) -> None:
        from accounts.errors import told_by
        from treatments.rules.refusals import REFUSALS

        told_by(REFUSALS.retold)
