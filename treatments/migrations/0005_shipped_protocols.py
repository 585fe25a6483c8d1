"""What the shipped protocol says of delays, laboratory values, doses and their limits; and two further protocols."""

from decimal import Decimal
from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import F

CODE = "177lu-dotatate-4x7400-q8w"
LABEL = "US prescribing information of lutetium Lu 177 dotatate, dose modifications for adverse reactions"
# Written out: a migration must not change with the code.
DOSE_RULES = {
    "platelets_hold_grade": 2,
    "platelets_resume_grade": 1,
    "haemoglobin_hold_grade": 3,
    "haemoglobin_resume_grade": 2,
    "neutrophils_hold_grade": 3,
    "neutrophils_resume_grade": 2,
    "creatinine_clearance_least_ml_min": "40",
    "creatinine_rise_percent": "40",
    "creatinine_clearance_fall_percent": "40",
    "bilirubin_times_upper_limit": "3",
    "albumin_least_g_l": "30",
    "prothrombin_ratio_least_percent": "70",
    "other_hold_grade": 3,
    "other_resume_grade": 2,
    "source": LABEL,
    "unconfirmed": [
        "renal: creatinine clearance below 40 mL/min, creatinine risen by 40 %, clearance fallen by 40 %",
        "hepatic: bilirubin above 3 × the upper limit, albumin below 30 g/L with a prothrombin ratio below 70 %",
        "the reduced activity of 3,700 MBq",
    ],
}
LABS = ["haemoglobin", "leucocytes", "platelets", "creatinine", "alt", "ast", "albumin", "bilirubin"]
LIMITS_SOURCE = "23 Gy to the kidneys and 2 Gy to the red marrow: limits taken over from external beam and radioiodine therapy."
# All cycles at the prescribed activity and 2 %: readings of activity scatter, and every other course would be warned of.
COURSE_LIMIT = Decimal("1.02")
SHARED: dict[str, Any] = {
    "max_delay_days": 112,
    "reduced_activity_mbq": Decimal("3700"),
    "labs_before_cycle": LABS,
    "labs_within_days": 14,
    "baseline_imaging_within_days": 90,
    "ctcae_version": "5.0",
    "dose_rules": DOSE_RULES,
    "kidney_limit_gy": Decimal("23"),
    "marrow_limit_gy": Decimal("2"),
    "dose_limits_source": LIMITS_SOURCE,
}
FURTHER: dict[str, dict[str, Any]] = {
    "177lu-edotreotide-4x7500-q12w": {
        "name": "177Lu-edotreotide 4 × 7,500 MBq every 12 weeks",
        "radiopharmaceutical": "177Lu-edotreotide",
        "planned_cycles": 4,
        "interval_days": 84,
        "window_days": 14,
        "prescribed_activity_mbq": Decimal("7500"),
        "reduced_activity_mbq": Decimal("3750"),
        "imaging_after_cycles": [2, 4],
        "imaging_due_days": 84,
        "source": (
            "Schedule of the COMPETE trial: 4 × 7,500 MBq, every 12 weeks. Window, laboratory values and dose rules are"
            " those of 177Lu-DOTATATE, for the site to confirm."
        ),
    },
    "177lu-dotatate-salvage-2x7400-q8w": {
        "name": "177Lu-DOTATATE salvage, 2 × 7,400 MBq every 8 weeks",
        "radiopharmaceutical": "177Lu-DOTATATE",
        "planned_cycles": 2,
        "interval_days": 56,
        "window_days": 7,
        "prescribed_activity_mbq": Decimal("7400"),
        "imaging_after_cycles": [2],
        "imaging_due_days": 56,
        "source": (
            "Retreatment with two cycles after progression, as reported by van der Zwan et al. 2019; the rest is that of"
            " the initial course."
        ),
    },
}


def complete(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    protocol = apps.get_model("treatments", "Protocol")
    # Its plan stays as it is, so that courses under it keep their dates; what is new here had no value before.
    for shipped in protocol.objects.filter(code=CODE, version=1):
        # A site may have changed it before its first course.
        values = SHARED | {
            "cumulative_limit_mbq": shipped.planned_cycles * shipped.prescribed_activity_mbq * COURSE_LIMIT
        }
        if shipped.prescribed_activity_mbq <= SHARED["reduced_activity_mbq"]:
            values["reduced_activity_mbq"] = None
        protocol.objects.filter(pk=shipped.pk).update(**values)
    for code, plan in FURTHER.items():
        protocol.objects.get_or_create(
            code=code,
            version=1,
            defaults=SHARED
            | {"physical_half_life_days": Decimal("6.647")}
            | plan
            | {
                "cumulative_limit_mbq": plan["planned_cycles"]
                * plan["prescribed_activity_mbq"]
                * COURSE_LIMIT
            },
        )
    cycle = apps.get_model("treatments", "Cycle")
    # A discontinued course has no cycle to come, which was not asked of the database before.
    cycle.objects.filter(
        status__in=["planned", "held"],
        voided_at=None,
        course__discontinuations__isnull=False,
        course__discontinuations__voided_at=None,
    ).update(status="cancelled")
    # The day planned for a course that has not begun was set by hand.
    cycle.objects.filter(
        number=1, status__in=["planned", "held"], voided_at=None, planned_on__isnull=False
    ).update(set_on=F("planned_on"))


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    protocol = apps.get_model("treatments", "Protocol")
    # One that courses follow stays: going back must not lose patients.
    protocol.objects.filter(code__in=FURTHER, version=1, courses__isnull=True).delete()


class Migration(migrations.Migration):
    dependencies = [("treatments", "0004_course_as_run")]
    operations = [migrations.RunPython(complete, remove)]
