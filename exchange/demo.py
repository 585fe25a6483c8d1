"""The demo: two centres of synthetic patients, a user for each role, and the published cohort with its definition."""

import os
import secrets
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.db import transaction

from accounts.errors import RegistryError
from accounts.history import change_context
from accounts.models import Centre, Membership, Role, User
from analytics.models import Cohort, CoursesCounted, Definition, StaleCourse, StaleResult
from analytics.rules.endpoints import EndpointDefinition
from exchange import services, writing
from exchange.published import generator
from patients.models import Patient
from treatments.models import ReferenceRange
from treatments.services import set_reference_range

COHORT_SLUG = "published-2020"
DEFINITION_NAME = "Published 2020"

_CENTRES = (
    (generator.CENTRE, "Station Clinic (synthetic)", "Europe/Berlin"),
    (generator.SECOND_CENTRE, "North Ridge Clinic (synthetic)", "America/New_York"),
)
_BOTH = (generator.CENTRE, generator.SECOND_CENTRE)
# Username, role, centres.
_USERS: tuple[tuple[str, Role, tuple[str, ...]], ...] = (
    ("coordinator", Role.COORDINATOR, (generator.CENTRE,)),
    ("physician", Role.PHYSICIAN, (generator.CENTRE,)),
    ("physicist", Role.PHYSICIST, (generator.CENTRE,)),
    ("reader", Role.READER, (generator.CENTRE,)),
    ("datamanager", Role.DATA_MANAGER, (generator.CENTRE,)),
    ("researcher", Role.RESEARCHER, _BOTH),
    ("integration", Role.INTEGRATION, (generator.CENTRE,)),
    ("administrator", Role.ADMINISTRATOR, _BOTH),
    ("physician.nrd", Role.PHYSICIAN, (generator.SECOND_CENTRE,)),
)
_STAFF = frozenset({Role.DATA_MANAGER, Role.ADMINISTRATOR})

_RANGES_FROM = date(2010, 1, 1)
# Analyte, sex ("": everybody), lower and upper limit of normal in the analyte's unit; of an invented laboratory.
_RANGES: tuple[tuple[str, str, str | None, str | None], ...] = (
    ("platelets", "", "150", "400"),
    ("haemoglobin", "female", "120", "155"),
    ("haemoglobin", "male", "135", "175"),
    ("neutrophils", "", "1.8", "7.5"),
    ("lymphocytes", "", "1.0", "4.0"),
    ("leucocytes", "", "4.0", "10.5"),
    ("creatinine", "female", "45", "84"),
    ("creatinine", "male", "59", "104"),
    ("alt", "", None, "45"),
    ("ast", "", None, "40"),
    ("alp", "", "40", "130"),
    ("ggt", "", None, "60"),
    ("bilirubin", "", None, "21"),
    ("albumin", "", "35", "52"),
    ("prothrombin_ratio", "", "70", "130"),
)

# Without i, l, o, 0 and 1, which look alike on paper.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"

_REMARKS = {
    "orr": (
        "The report gives 26 % of 63 patients. No whole number of 63 rounds to 26 % (16 are 25.4 %, 17 are 27.0 %). In the"
        " published data 12 of 46 do: 46 were those whose course was completed (36) or discontinued (10); the other 17 were"
        " still being treated. The figures beside this remark count the records as they are now."
    ),
    "pfs": (
        "The report gives 57 % at 11 months and 62 % at 14 months. A Kaplan–Meier curve cannot rise, so the two cannot be"
        " read from one curve. In the published data fixed-horizon rates agree with them: of the patients who had started"
        " early enough and whose state was known, 20 of 35 were alive without progression at 11 months and 13 of 21 at 14"
        " months. The patients differ, so such a rate may rise. The curve here is the Kaplan–Meier estimate from the"
        " records as they are now."
    ),
}
_DESCRIPTION = (
    "63 synthetic patients who reproduce every figure of a published report of one institution's first two years of"
    " 177Lu-DOTATATE (J Nucl Med 2020;61 suppl 1:1438). No real patient is among them."
)


@dataclass(frozen=True)
class Loaded:
    """What the demo holds now; ``did`` says what this run added, in sentences."""

    did: list[str]
    users_file: Path


def users_file() -> Path:
    return Path(settings.VAR_DIR) / "demo-users.txt"


def load() -> Loaded:
    """Make the demo's centres, users, patients and cohort where they are missing, and compute their results.

    Safe to run again: what is there is left as it is, also where somebody has changed it since.

    Raises:
        RegistryError: ``not_a_demo``, this registry does not say on its pages that its patients are synthetic.
        ImportRefused: a centre of that code holds other patients under the same numbers.
    """
    if not settings.SYNTHETIC_DATA_BANNER:
        raise RegistryError(
            "not_a_demo",
            "This registry is not a demo: synthetic patients are loaded only where SYNTHETIC_DATA_BANNER is on.",
        )
    did: list[str] = []
    centres = _centres(did)
    _users(centres, did)
    _reference_ranges(centres, did)
    _patients(centres, did)
    with change_context(source="command"):
        _cohort(did)
    if did or StaleCourse.objects.exists() or StaleResult.objects.exists():
        # Imported here: computing takes seconds to load, and a second run mostly has nothing to compute.
        from analytics import freshness

        freshness.refresh_inline()
    return Loaded(did=did, users_file=users_file())


def _centres(did: list[str]) -> dict[str, Centre]:
    centres = {}
    for code, name, time_zone in _CENTRES:
        centres[code], made = Centre.objects.get_or_create(
            code=code, defaults={"name": name, "time_zone": time_zone}
        )
        if made:
            did.append(f"Made the centre {code}, {name}.")
    return centres


@transaction.atomic
def _reference_ranges(centres: dict[str, Centre], did: list[str]) -> None:
    """Give limits of normal to a centre that has none."""
    for code, centre in centres.items():
        if ReferenceRange.objects.filter(centre=centre).exists():
            continue
        with change_context(source="command"):
            for analyte, sex, lower, upper in _RANGES:
                set_reference_range(
                    {
                        "centre": centre,
                        "analyte": analyte,
                        "sex": sex,
                        "lower_limit": Decimal(lower) if lower else None,
                        "upper_limit": Decimal(upper) if upper else None,
                        "valid_from": _RANGES_FROM,
                    },
                    by=None,
                )
        did.append(f"Made {len(_RANGES)} reference ranges of {code}.")


@transaction.atomic
def _users(centres: dict[str, Centre], did: list[str]) -> None:
    """Make the users, and new passwords for all of them unless each is there and the file with the old ones too."""
    names = [username for username, _, _ in _USERS]
    known = User.objects.filter(username__in=names).count()
    if known == len(names) and users_file().is_file():
        return
    lines = [f"{'role':<16}{'user':<16}{'password':<26}centre"]
    for username, role, codes in _USERS:
        user, _ = User.objects.get_or_create(username=username)
        password = "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))
        user.set_password(password)
        user.is_staff = role in _STAFF
        user.save()
        for code in codes:
            Membership.objects.get_or_create(user=user, centre=centres[code], role=role)
        lines.append(f"{role.label:<16}{username:<16}{password:<26}{', '.join(codes)}")
    # Stored only if the file with the passwords could be written.
    _write_secret(users_file(), "\n".join(lines) + "\n")
    did.append(f"Made {len(names)} users; their passwords are in {users_file()}.")


def _write_secret(path: Path, text: str) -> None:
    """Write a file that only this user may read, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _patients(centres: dict[str, Centre], did: list[str]) -> None:
    for code, make in (
        (generator.CENTRE, generator.published_cohort),
        (generator.SECOND_CENTRE, generator.second_cohort),
    ):
        cohort = make()
        numbers = [row["registry_number"] for row in cohort.sheets["patients"]]
        if Patient.objects.filter(registry_number__in=numbers).count() == len(numbers):
            continue
        folder = Path(settings.VAR_DIR) / "demo" / code.lower()
        writing.write_cohort(folder, generator.tables(cohort))
        summary = services.import_cohort(folder, centre=centres[code])
        n_rows = sum(counts.new for counts in summary.counts.values())
        did.append(
            f"Imported {summary.counts['patients'].new} synthetic patients of {code} ({n_rows} rows) from {folder}."
        )


@transaction.atomic
def _cohort(did: list[str]) -> None:
    definition, _ = Definition.objects.get_or_create(
        name=DEFINITION_NAME,
        defaults={
            "endpoints": EndpointDefinition(landmark_months=(11, 14)).to_json(),
            "data_cutoff": date(2020, 1, 31),
        },
    )
    _, made = Cohort.objects.get_or_create(
        slug=COHORT_SLUG,
        defaults={
            "name": "Published cohort 2020",
            "description": _DESCRIPTION,
            "remarks": _REMARKS,
            "definition": definition,
            "courses_counted": CoursesCounted.FIRST,
            "centre_codes": [generator.CENTRE],
        },
    )
    if made:
        did.append(f"Made the cohort {COHORT_SLUG}.")
