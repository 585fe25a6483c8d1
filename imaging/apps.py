from django.apps import AppConfig

from languages.wording import Stored, gettext_noop

# The sentences with which the database refuses what contradicts other records (migrations 0002 and 0004).
REFUSALS = Stored(
    [
        gettext_noop("Lesion {label} can only merge into another lesion of the same course and reader."),
        gettext_noop(
            "Lesion {label} is measured in a study of another course or patient, or one that was voided."
        ),
        gettext_noop("The baseline is the first study of a course: the study of {day} is not after it."),
        gettext_noop("The patient died on {died_on}: a study on {day} cannot be later."),
        gettext_noop("The patient was born on {born_on}: a study on {day} cannot be earlier."),
        gettext_noop("The study of {day} is a baseline or voided: it has no response."),
        gettext_noop(
            "What was found of {label} cannot be said of a lesion of its kind: correct the measurement first."
        ),
        gettext_noop(
            "A study of course {wrong}: the patient has {courses}; studies belong to one of these or to the next."
        ),
    ]
)


class ImagingConfig(AppConfig):
    name = "imaging"

    def ready(self) -> None:
        from accounts.errors import told_by

        told_by(REFUSALS.retold)
