"""What records of a course or a cycle share, and activities in the unit they were written in."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

import django_filters
from django.core.validators import MaxValueValidator, MinValueValidator
from rest_framework import serializers

from accounts.rest.filters import RecordFilter
from accounts.rest.serializers import RECORD_FIELDS, RecordKeyField, RecordSerializer, StrictSerializer
from treatments.models import MOST_ACTIVITY_MBQ, Course, Cycle
from treatments.rules.activity import MBQ_PER_UNIT, to_mbq

SMALLEST_ACTIVITY_MBQ = Decimal("0.1")
LARGEST_ACTIVITY_MBQ = Decimal(MOST_ACTIVITY_MBQ)

# Records of a course

OF_COURSE = [*RECORD_FIELDS, "course", "patient", "registry_number"]


class OfCourseSerializer(RecordSerializer):
    """A record that hangs on a course."""

    create_only: ClassVar[tuple[str, ...]] = ("course",)
    course = RecordKeyField(queryset=Course.objects.all())
    patient = serializers.UUIDField(source="course.patient_id", read_only=True)
    registry_number = serializers.CharField(source="course.patient.registry_number", read_only=True)


class OfCourseFilter(RecordFilter):
    course = django_filters.UUIDFilter(field_name="course_id", label="id of a course")
    patient = django_filters.UUIDFilter(field_name="course__patient_id", label="id of a patient")


# Records of a cycle

OF_CYCLE = [*RECORD_FIELDS, "cycle", "cycle_number", "course", "patient", "registry_number"]


class OfCycleSerializer(RecordSerializer):
    """A record that hangs on a cycle."""

    create_only: ClassVar[tuple[str, ...]] = ("cycle",)
    cycle = RecordKeyField(queryset=Cycle.objects.all())
    cycle_number = serializers.IntegerField(source="cycle.number", read_only=True)
    course = serializers.UUIDField(source="cycle.course_id", read_only=True)
    patient = serializers.UUIDField(source="cycle.course.patient_id", read_only=True)
    registry_number = serializers.CharField(source="cycle.course.patient.registry_number", read_only=True)


class OfCycleFilter(RecordFilter):
    cycle = django_filters.UUIDFilter(field_name="cycle_id", label="id of a cycle")
    course = django_filters.UUIDFilter(field_name="cycle__course_id", label="id of a course")
    patient = django_filters.UUIDFilter(field_name="cycle__course__patient_id", label="id of a patient")


# Activities


class MegabecquerelField(serializers.DecimalField):
    """An activity in MBq, as it is stored."""

    def __init__(self, *, least: Decimal = SMALLEST_ACTIVITY_MBQ, **kwargs: Any) -> None:
        limits = [MinValueValidator(least), MaxValueValidator(LARGEST_ACTIVITY_MBQ)]
        super().__init__(max_digits=7, decimal_places=1, validators=limits, **kwargs)


class ActivityField(serializers.DecimalField):
    """An activity in the unit that the whole body names: see ``ActivitySerializer``."""

    def __init__(self, *, least_mbq: Decimal = SMALLEST_ACTIVITY_MBQ, **kwargs: Any) -> None:
        self.least_mbq = least_mbq
        super().__init__(max_digits=10, decimal_places=5, **kwargs)

    def in_mbq(self, value: Decimal, unit: str) -> Decimal:
        """Return the activity in MBq to 0.1 MBq, as it is stored.

        Raises:
            ValidationError: it cannot be.
        """
        stored = to_mbq(value, unit).quantize(SMALLEST_ACTIVITY_MBQ, rounding=ROUND_HALF_UP)
        if unit == "MBq" and stored != value:
            raise serializers.ValidationError("Give at most one digit after the point.", "max_decimal_places")
        if stored < self.least_mbq:
            raise serializers.ValidationError(f"This is below {self.least_mbq} MBq.", "min_value")
        if stored > LARGEST_ACTIVITY_MBQ:
            raise serializers.ValidationError(f"This is above {LARGEST_ACTIVITY_MBQ:,} MBq.", "max_value")
        return stored


class ActivitySerializer(StrictSerializer):
    """A body whose activities are all in one unit, MBq where it names none; the values that come out are in MBq."""

    activity_unit = serializers.ChoiceField(
        choices=[(unit, unit) for unit in MBQ_PER_UNIT],
        default="MBq",
        help_text="Of all activities of this body, whatever their names end in; answers are in MBq.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unit = attrs.pop("activity_unit", "MBq")
        refused: dict[str, Any] = {}
        fields: Mapping[str, Any] = self.fields
        for name, value in attrs.items():
            field = fields[name]
            if isinstance(field, ActivityField) and value is not None:
                try:
                    attrs[name] = field.in_mbq(value, unit)
                except serializers.ValidationError as error:
                    refused[name] = error.detail
        if refused:
            raise serializers.ValidationError(refused)
        return attrs
