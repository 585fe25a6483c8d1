from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    name = "analytics"

    def ready(self) -> None:
        from accounts.records import after_clinical_write
        from analytics.datasets import work as exports  # noqa: F401 (they register what a worker can do)
        from analytics.report import work as reports  # noqa: F401
        from analytics.tasks import ask_for_refresh

        after_clinical_write.append(ask_for_refresh)
