from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    name = "analytics"

    def ready(self) -> None:
        from accounts.records import after_clinical_write
        from analytics.report import work  # noqa: F401 (registers what a worker can do)
        from analytics.tasks import ask_for_refresh

        after_clinical_write.append(ask_for_refresh)
