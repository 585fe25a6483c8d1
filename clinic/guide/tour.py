"""The tour: what to look at first, step by step, with the places of the data that the user may see."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.models import User
from analytics.models import Cohort
from treatments.models import Course

PUBLISHED = "published-2020"


@dataclass(frozen=True)
class Step:
    """A step of the tour.

    Attributes:
        key: stable: the browser remembers it as done.
        look: what is to be seen there, a sentence each.
    """

    key: str
    title: str
    url: str
    go: str
    look: tuple[str, ...]


def steps_for(user: User) -> list[Step]:
    """Return the steps whose places exist and that the user may see. Two queries."""
    steps: list[Step] = []

    def add(act: Act, key: str, title: str, go: str, route: str, args: list[Any], *look: str) -> None:
        if user.may(act):
            steps.append(Step(key, title, reverse(route, args=args), go, look))

    add(
        Act.VIEW_RECORDS, "home", _("What is due"), _("Open the start page"), "home", [],
        _("Every row says who, what and why, and its button leads to the act."),
        _("The filters above count each kind."),
    )  # fmt: skip
    course = (
        Course.objects.visible_to(user)
        .current()
        .filter(patient__voided_at=None)
        .select_related("patient")
        .order_by("number", "patient__registry_number")
        .first()
    )
    if course is not None:
        patient = course.patient
        add(
            Act.VIEW_RECORDS, "chart", _("A patient's whole course: {number}").format(number=patient.registry_number),
            _("Open the chart"),
            "patient-chart", [patient.pk],
            _("The next step stands on top, with its reason."),
            _("Each cycle says why it is planned when it is, and what was given against what was prescribed."),
        )  # fmt: skip
        add(
            Act.VIEW_RECORDS, "laboratory", _("Laboratory values with their grades"), _("Open the values"),
            "laboratory", [patient.pk],
            _("Grades follow CTCAE and the limits of the laboratory; nadir and recovery stand beside each cycle."),
            _("The figures mark the cycles."),
        )  # fmt: skip
        add(
            Act.VIEW_RECORDS, "imaging", _("Lesions and response"), _("Open the imaging"), "imaging",
            [patient.pk, course.number],
            _("Sums, changes and the response follow from the measurements, and say by which rule."),
            _("SSTR uptake stands beside it, with discordance."),
        )  # fmt: skip
        add(
            Act.VIEW_IDENTITY, "documents", _("Letters"), _("Open the documents"), "document-list", [patient.pk],
            _("A therapy summary and a letter on each cycle, as page and PDF."),
        )  # fmt: skip
    cohorts = list(Cohort.objects.visible_to(user).values_list("slug", flat=True))
    slug = PUBLISHED if PUBLISHED in cohorts else next(iter(cohorts), None)
    if slug is not None:
        add(
            Act.VIEW_RESULTS, "dashboard", _("How the patients do"), _("Open the dashboard"), "cohort-detail", [slug],
            _("Survival, response, toxicity and Table 1, each with n of N and its definition."),
            _("Numbers open to the courses behind them, for those who may see records."),
        )  # fmt: skip
        add(
            Act.VIEW_RESULTS, "report", _("A report to hand out"), _("Open the report"), "cohort-report", [slug],
            _("The same figures with methods, ready for print or as PDF."),
        )  # fmt: skip
    add(
        Act.VIEW_RESULTS, "explore", _("Ask a question of your own"), _("Explore"), "cohort-explore", [],
        _("Choose an endpoint and strata; curves, numbers at risk and tests follow."),
    )  # fmt: skip
    return steps
