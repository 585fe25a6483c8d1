"""The figures of the published report, each beside what the registry computes from its records.

Source: J Nucl Med 2020;61(suppl 1):1438. Age is in completed years at the first administration.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from statistics import mean, stdev
from typing import Any

from django.db.models import Min

from accounts.models import Centre
from analytics import results
from analytics.models import Cohort, CoursesCounted
from exchange.published.timelines import completed_years
from patients.models import Diagnosis, Patient
from treatments.models import Administration, Protocol


@dataclass(frozen=True)
class Figure:
    """One figure as text, published and computed."""

    name: str
    published: str
    computed: str

    @property
    def agrees(self) -> bool:
        return self.published == self.computed


def compare(cohort: Cohort) -> list[Figure]:
    """Return every published figure with its counterpart, from the cohort's results and its patients' records."""
    return [*_patients(cohort), *_tumours(cohort), *_plan(cohort), *_outcomes(results.payload(cohort, None))]


def _first_given(cohort: Cohort) -> dict[Any, date]:
    """Return patient to local date of the first administration, of the patients that the cohort counts."""
    given = Administration.objects.current().filter(
        cycle__voided_at=None, cycle__course__voided_at=None, cycle__course__patient__voided_at=None
    )
    if cohort.centre_codes:
        given = given.filter(cycle__course__patient__centre__code__in=cohort.centre_codes)
    if cohort.courses_counted == CoursesCounted.FIRST:
        given = given.filter(cycle__course__number=1)
    zones = {centre.pk: centre.zone for centre in Centre.objects.all()}
    first = given.values_list("cycle__course__patient", "cycle__course__patient__centre").annotate(
        first=Min("administered_at")
    )
    started = {patient: at.astimezone(zones[centre]).date() for patient, centre, at in first}
    cutoff = cohort.definition.data_cutoff
    return {patient: on for patient, on in started.items() if cutoff is None or on <= cutoff}


def _patients(cohort: Cohort) -> list[Figure]:
    started = _first_given(cohort)
    patients = list(Patient.objects.filter(pk__in=started).values_list("pk", "sex", "birth_date"))
    sexes = Counter(sex for _, sex, _ in patients)
    ages = [completed_years(born_on, started[pk]) for pk, _, born_on in patients]
    spread = f"{mean(ages):.1f} ± {stdev(ages):.1f}" if len(ages) > 1 else "none"
    return [
        Figure("patients", "63", str(len(patients))),
        Figure("male", "33", str(sexes["male"])),
        Figure("female", "30", str(sexes["female"])),
        Figure("age, range", "37–81", f"{min(ages)}–{max(ages)}" if ages else "none"),
        Figure("age, mean ± SD", "62.1 ± 10.4", spread),
    ]


_TUMOURS = (
    ("NET: pancreas", "net", "pancreas", 32),
    ("NET: small intestine", "net", "small_intestine", 18),
    ("NET: caecum", "net", "caecum", 1),
    ("NET: appendix", "net", "appendix", 1),
    ("NET: stomach", "net", "stomach", 1),
    ("NET: unknown primary", "net", "unknown", 5),
)


def _tumours(cohort: Cohort) -> list[Figure]:
    found = Counter(
        Diagnosis.objects.current()
        .filter(patient__in=list(_first_given(cohort)))
        .values_list("tumour_type", "primary_site")
    )
    of_type: Counter[str] = Counter()
    for (tumour_type, _), n in found.items():
        of_type[tumour_type] += n
    return [
        Figure("NET", "58", str(of_type["net"])),
        *(Figure(name, str(n), str(found[tumour_type, site])) for name, tumour_type, site, n in _TUMOURS),
        Figure("paraganglioma", "3", str(of_type["paraganglioma"])),
        Figure("phaeochromocytoma", "2", str(of_type["phaeochromocytoma"])),
    ]


def _plan(cohort: Cohort) -> list[Figure]:
    """Return the plan of the cohort's courses, as their protocols hold it."""
    protocols = Protocol.objects.filter(
        courses__patient__in=list(_first_given(cohort)), courses__number=1, courses__voided_at=None
    ).distinct()
    plans = [
        f"{protocol.planned_cycles} × {protocol.prescribed_activity_mbq:,.0f} MBq every {protocol.interval_days} days"
        for protocol in protocols
    ]
    scans = [" and ".join(map(str, protocol.imaging_after_cycles)) for protocol in protocols]
    return [
        Figure("plan", "4 × 7,400 MBq every 56 days", "; ".join(plans) or "none"),
        Figure("PET/CT after cycles", "2 and 4", "; ".join(scans) or "none"),
    ]


def _outcomes(data: dict[str, Any]) -> list[Figure]:
    courses, orr, overall = data["courses"], data["orr"], data["os"]
    stopped = courses["discontinued"]
    horizon = {rate["months"]: rate for rate in data["pfs"]["fixed_horizon"]}
    causes = [f"{cause} {n}" for cause, n in sorted(overall["deaths_by_cause"].items()) if n]
    return [
        Figure("data cut-off", "2020-01-31", str(data["data_cutoff"])),
        Figure("completed", "36 of 63 (57.1 %)", _share(courses["completed"])),
        Figure("discontinued", "10 of 63 (15.9 %)", _share(stopped)),
        Figure("discontinued for comorbidity", "10", str(stopped["reasons"].get("comorbidity", 0))),
        *(
            Figure(
                f"discontinued after cycle {cycle}", str(n), str(stopped["after_cycle"].get(str(cycle), 0))
            )
            for cycle, n in ((1, 4), (2, 3), (3, 3))
        ),
        Figure("still to receive cycles", "17 of 63 (27.0 %)", _share(courses["ongoing"])),
        # 57 % and 62 %: read as shares of those whose state at that time is known.
        Figure("PFS at 11 months, fixed horizon", "20 of 35 (57 %)", _share(horizon.get(11), digits=0)),
        Figure("PFS at 14 months, fixed horizon", "13 of 21 (62 %)", _share(horizon.get(14), digits=0)),
        # 26 %: no share of 63 rounds to it.
        Figure("objective response", "12 of 46 (26 %)", _share(orr, digits=0)),
        Figure("deaths", "8", str(overall["events"])),
        Figure(
            "deaths by cause",
            "comorbidity 8",
            ", ".join(causes) or "none",
        ),
    ]


def _share(share: dict[str, Any] | None, digits: int = 1) -> str:
    if share is None:
        return "not in the definition"
    if not share["of"]:
        return f"{share['n']} of 0"
    return f"{share['n']} of {share['of']} ({100 * share['n'] / share['of']:.{digits}f} %)"
