"""The sentences with which the database refuses records that contradict each other, told again for people.

They stand in the migrations (0002, 0006), in English.
"""

from languages.wording import gettext as _
from languages.wording import gettext_noop
from treatments.rules.words import A_NUMBER, Place, Sentences

_WHAT = (
    gettext_noop("laboratory value"),
    gettext_noop("adverse event"),
    gettext_noop("somatostatin analogue"),
    gettext_noop("earlier therapy"),
)

REFUSALS = Sentences(
    [
        gettext_noop(
            "Courses follow this version of the protocol: make a new version instead of changing its plan."
        ),
        gettext_noop("All {given} cycles were given: the course is completed and cannot be discontinued."),
        gettext_noop("Courses are numbered 1 to n without a gap: {n} courses cannot reach number {number}."),
        gettext_noop("Cycles are numbered 1 to n without a gap: {n} cycles cannot reach number {number}."),
        gettext_noop("Cycle {number} cannot have been given on or before the day of an earlier cycle."),
        gettext_noop("Cycle {number} has an open hold: it cannot be planned or given before the hold ends."),
        gettext_noop("Cycle {number} has been given: void its administration first."),
        gettext_noop("Cycle {number} has not been given: a later cycle cannot have been."),
        gettext_noop("Cycle {number} is beyond the {planned} cycles of the protocol."),
        gettext_noop("Cycle {number} was not given: it has no absorbed dose."),
        gettext_noop("Cycle {number}: a given cycle needs its administration, and only a given one has it."),
        gettext_noop("Cycles of two courses overlap in time: course {number} was given then too."),
        gettext_noop("Discontinued after cycle {number}, but {n} cycles were given."),
        gettext_noop("The course was discontinued on {on}: a cycle given on {given_on} contradicts it."),
        gettext_noop("The course was discontinued on {on}: cycle {number} cannot still be to come."),
        gettext_noop("The patient died on {on}: cycle given on {given_on} cannot be later."),
        gettext_noop("The patient died on {on}: the course cannot be discontinued later."),
        gettext_noop("The patient was born on {on}: a treatment cannot be earlier."),
        gettext_noop("The patient died on {on}: the {what} of {what_on} cannot be later."),
        gettext_noop("The patient was born on {on}: the {what} of {what_on} cannot be earlier."),
        gettext_noop("There is the {what} of {what_on}: the patient cannot be born on {on}."),
        gettext_noop("There is the {what} of {what_on}: the patient cannot have died on {on}."),
    ],
    {
        "number": A_NUMBER,
        "n": A_NUMBER,
        "given": A_NUMBER,
        "planned": A_NUMBER,
        "what": Place("|".join(_WHAT), _),
    },
)
