from django.apps import AppConfig

from languages.wording import Stored, gettext_noop

# The sentences with which the database refuses days that contradict each other (migrations 0002 and 0005).
REFUSALS = Stored(
    [
        gettext_noop("The patient died on {day}: a contact, event or diagnosis cannot be later."),
        gettext_noop("The patient died on {day}: a performance status or prior therapy cannot be later."),
        gettext_noop("The patient was born on {day}: nothing can be recorded before that date."),
    ]
)


class PatientsConfig(AppConfig):
    name = "patients"

    def ready(self) -> None:
        from accounts.errors import told_by

        told_by(REFUSALS.retold)
