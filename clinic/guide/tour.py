"""The tour: what to look at first, step by step, with the places of the data that the user may see."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

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
        Act.VIEW_RECORDS, "home", "What is due", "Open the start page", "home", [],
        "Every row says who, what and why, and its button leads to the act.",
        "The filters above count each kind.",
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
            Act.VIEW_RECORDS, "chart", f"A patient's whole course: {patient.registry_number}", "Open the chart",
            "patient-chart", [patient.pk],
            "The next step stands on top, with its reason.",
            "Each cycle says why it is planned when it is, and what was given against what was prescribed.",
        )  # fmt: skip
        add(
            Act.VIEW_RECORDS, "laboratory", "Laboratory values with their grades", "Open the values",
            "laboratory", [patient.pk],
            "Grades follow CTCAE and the limits of the laboratory; nadir and recovery stand beside each cycle.",
            "The figures mark the cycles.",
        )  # fmt: skip
        add(
            Act.VIEW_RECORDS, "imaging", "Lesions and response", "Open the imaging", "imaging",
            [patient.pk, course.number],
            "Sums, changes and the response follow from the measurements, and say by which rule.",
            "SSTR uptake stands beside it, with discordance.",
        )  # fmt: skip
        add(
            Act.VIEW_IDENTITY, "documents", "Letters", "Open the documents", "document-list", [patient.pk],
            "A therapy summary and a letter on each cycle, as page and PDF.",
        )  # fmt: skip
    cohorts = list(Cohort.objects.visible_to(user).values_list("slug", flat=True))
    slug = PUBLISHED if PUBLISHED in cohorts else next(iter(cohorts), None)
    if slug is not None:
        add(
            Act.VIEW_RESULTS, "dashboard", "How the patients do", "Open the dashboard", "cohort-detail", [slug],
            "Survival, response, toxicity and Table 1, each with n of N and its definition.",
            "Numbers open to the courses behind them, for those who may see records.",
        )  # fmt: skip
        add(
            Act.VIEW_RESULTS, "report", "A report to hand out", "Open the report", "cohort-report", [slug],
            "The same figures with methods, ready for print or as PDF.",
        )  # fmt: skip
    add(
        Act.VIEW_RESULTS, "explore", "Ask a question of your own", "Explore", "cohort-explore", [],
        "Choose an endpoint and strata; curves, numbers at risk and tests follow.",
    )  # fmt: skip
    return steps
