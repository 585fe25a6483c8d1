"""What workers write down of a piece of work, in English, and how it is told again in the language of who asked for it."""

from analytics.rules.sentences import Sentences
from languages.wording import gettext_noop

# Steps of a report
READING_RESULTS = gettext_noop("Reading results")
DRAWING = {
    "pfs": gettext_noop("Drawing progression-free survival"),
    "os": gettext_noop("Drawing overall survival"),
    "best-response": gettext_noop("Drawing best responses"),
    "waterfall": gettext_noop("Drawing the waterfall"),
    "swimmer": gettext_noop("Drawing the swimmer"),
}
DRAWING_ANOTHER = gettext_noop("Drawing {figure}")
STORING_REPORT = gettext_noop("Storing the report")

STEPS = Sentences(
    [
        *(READING_RESULTS, *DRAWING.values(), DRAWING_ANOTHER, STORING_REPORT),
        gettext_noop("Deriving outcomes"),  # analytics.rebuild
        # Of an export (analytics.datasets)
        gettext_noop("Writing data sets"),
        gettext_noop("Writing the workbook"),
        gettext_noop("Writing {data_set} as SAS transport"),
    ]
)

# Why a piece of work failed
COHORT_HIDDEN = gettext_noop("You may not see this cohort any more.")
GIVEN_UP = gettext_noop("Given up: every worker that took it up was ended by it or meanwhile.")
FAULT = gettext_noop("It failed for a fault of the registry, which its log tells of under {job}.")

PROBLEMS = Sentences([COHORT_HIDDEN, GIVEN_UP, FAULT])
