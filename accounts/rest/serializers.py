"""The base of all serializers of clinical records, and the fields they share."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from rest_framework import serializers
from rest_framework.serializers import ModelSerializer

from accounts.records import ClinicalQuerySet, ClinicalRecord

# What every record shows besides its own fields. All given by the registry.
RECORD_FIELDS = ["id", "version", "created_at", "voided_at", "void_reason"]


def not_after_now(value: datetime) -> None:
    """Raise ValidationError where a moment lies more than five minutes ahead: clocks differ, facts do not."""
    if value > timezone.now() + timedelta(minutes=5):
        raise ValidationError("This moment lies in the future.", code="in_future")


class AwareDateTimeField(serializers.DateTimeField):
    """A moment with its offset from UTC. Without one it could mean any of 24 hours, so it is refused."""

    default_error_messages = {"naive": "Give the offset from UTC, such as 2019-03-04T09:30:00+01:00."}

    def enforce_timezone(self, value: datetime) -> datetime:
        if timezone.is_naive(value):
            self.fail("naive")
        return super().enforce_timezone(value)


class RecordKeyField(serializers.PrimaryKeyRelatedField):
    """The id of another record. One that the user may not see does not exist, and neither does a voided one."""

    def __init__(self, *, queryset: ClinicalQuerySet, **kwargs: Any) -> None:
        self.records = queryset
        super().__init__(queryset=queryset, pk_field=serializers.UUIDField(), **kwargs)

    def get_queryset(self) -> models.QuerySet:
        return self.records.visible_to(self.context["request"].user).current()


class StrictSerializer(serializers.Serializer):
    """Refuses members it does not know: a misspelt optional field would otherwise be lost in silence."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError(
                    {
                        name[:100]: serializers.ErrorDetail("There is no such field.", "unknown_field")
                        for name in unknown[:20]
                    }
                )
        return super().to_internal_value(data)


class RecordSerializer(StrictSerializer, ModelSerializer):
    """Parses and presents a clinical record. Services check it: no rule of a record stands here.

    ``create_only`` names fields that place a record (its patient, its study): given at first entry, the same ever after.
    """

    create_only: ClassVar[tuple[str, ...]] = ()
    serializer_field_mapping = {
        **ModelSerializer.serializer_field_mapping,
        models.DateTimeField: AwareDateTimeField,
    }

    class Meta:
        model: type[models.Model] = ClinicalRecord

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.instance is None:
            return attrs
        for name in self.create_only:
            if name in attrs and attrs.pop(name) != getattr(self.instance, name):
                raise serializers.ValidationError(
                    {name: "This cannot be changed. Void the record and enter it anew."}, "create_only"
                )
        if not self.partial:
            self._fill(attrs)
        return attrs

    def _fill(self, attrs: dict[str, Any]) -> None:
        """A PUT replaces: what it leaves out goes back to the value of a new record."""
        assert isinstance(self.instance, ClinicalRecord)
        for name, field in self.fields.items():
            if (
                not field.read_only
                and not field.write_only  # it confirms something, and is no field of the record
                and field.source == name
                and name not in attrs
                and name not in self.create_only
            ):
                model_field = self.instance._meta.get_field(name)
                assert isinstance(model_field, models.Field)
                if model_field.has_default() or model_field.null or model_field.blank:
                    attrs[name] = model_field.get_default()
