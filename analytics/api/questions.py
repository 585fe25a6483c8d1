"""What a cohort is asked for in the REST API: its filter, its endpoint definition, a number to be explained."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from accounts.access import Act
from accounts.models import Centre
from accounts.rest.serializers import StrictSerializer
from analytics import cohorts, tallies
from analytics.models import Cohort, CoursesCounted, Definition, Strata
from analytics.rules.endpoints import EndpointDefinition


class EndpointsField(serializers.DictField):
    """How endpoints are derived: the fields of an endpoint definition; one that is left out takes its default."""

    def to_internal_value(self, data: Any) -> EndpointDefinition:  # type: ignore[override]
        try:
            return EndpointDefinition.from_json(super().to_internal_value(data))
        except (TypeError, ValueError) as error:
            raise serializers.ValidationError(str(error)) from error

    def to_representation(self, value: Any) -> dict[str, Any]:
        return value.to_json() if isinstance(value, EndpointDefinition) else dict(value)


class DefinitionSerializer(StrictSerializer, serializers.ModelSerializer):
    endpoints = EndpointsField(required=False, help_text="How the endpoints are derived.")

    class Meta:
        model = Definition
        fields = ["name", "version", "endpoints", "data_cutoff"]
        read_only_fields = ["name", "version"]


def _choices(name: str, *, whole: bool = False) -> serializers.ListField:
    child = serializers.ChoiceField(choices=[(code, str(words)) for code, words in cohorts.CHOICES[name]])
    return serializers.ListField(child=child, required=False, max_length=100)


class FilterSerializer(StrictSerializer, serializers.ModelSerializer):
    """Whom a cohort counts. A list that is empty, and a bound that is null, do not restrict."""

    courses_counted = serializers.ChoiceField(choices=CoursesCounted.choices, required=False)
    strata_by = serializers.ChoiceField(choices=Strata.choices, required=False, allow_blank=True)
    protocols = serializers.ListField(
        child=serializers.CharField(max_length=70), required=False, max_length=100, help_text="code/version"
    )
    tumour_types = _choices("tumour_types")
    primary_sites = _choices("primary_sites")
    sexes = _choices("sexes")
    who_grades = _choices("who_grades")
    functional_syndromes = _choices("functional_syndromes")
    ecogs = _choices("ecogs")
    with_prior_therapies = _choices("with_prior_therapies")
    without_prior_therapies = _choices("without_prior_therapies")
    intents = _choices("intents")
    krenning_scores = _choices("krenning_scores")
    statuses = _choices("statuses")
    discontinuation_reasons = _choices("discontinuation_reasons")
    centre_codes = serializers.ListField(
        child=serializers.CharField(max_length=8), required=False, max_length=500
    )

    class Meta:
        model = Cohort
        fields = ["courses_counted", "strata_by", *tallies.FILTER_FIELDS]

    def validate_centre_codes(self, codes: list[str]) -> list[str]:
        user = self.context["request"].user
        known = Centre.objects.visible_to(user, Act.VIEW_RESULTS).values_list("code", flat=True)
        # Codes that are stored and of no concern to this user stay as they are.
        stored = self.instance.centre_codes if isinstance(self.instance, Cohort) else []
        unknown = sorted(set(codes) - set(known) - set(stored))
        if unknown:
            raise serializers.ValidationError(f"There is no centre {', '.join(unknown)}.", "unknown_centre")
        return codes

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        described = {
            name: attrs.get(name, getattr(self.instance, name, None))
            for name in tallies.FILTER_FIELDS
            if name.endswith(("_from", "_to"))
        }
        try:
            cohorts.check_ranges(Cohort(**described))
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.message_dict, "range_empty") from error
        return attrs


class QuestionSerializer(FilterSerializer):
    """A cohort that is not stored: its filter, under an endpoint definition that some cohort uses already."""

    endpoints = EndpointsField(required=False)
    data_cutoff = serializers.DateField(required=False, allow_null=True)

    class Meta(FilterSerializer.Meta):
        fields = [*FilterSerializer.Meta.fields, "endpoints", "data_cutoff"]

    def cohort(self) -> Cohort:
        """Return the cohort that is asked about, not stored.

        Raises:
            ValidationError: nothing is derived under such a definition.
        """
        values = dict(self.validated_data)
        rules = values.pop("endpoints", None) or EndpointDefinition()
        cutoff = values.pop("data_cutoff", None)
        definition = cohorts.known_definition(rules, cutoff)
        if definition is None:
            raise serializers.ValidationError(
                {
                    "endpoints": "No cohort has this definition and cut-off: outcomes are derived under it once a cohort is"
                    " stored with it."
                },
                "definition_unknown",
            )
        return Cohort(definition=definition, **values)


class CohortSerializer(FilterSerializer):
    """A stored cohort."""

    slug = serializers.SlugField(read_only=True)
    definition = DefinitionSerializer(required=False)
    remarks = serializers.DictField(read_only=True, help_text="Figure (orr, pfs, os) to explanation.")
    version = serializers.IntegerField(read_only=True, help_text="Raised by every change of what it counts.")
    filter_in_words = serializers.SerializerMethodField()
    is_mine = serializers.SerializerMethodField()
    is_shared = serializers.BooleanField(required=False, default=False)

    class Meta(FilterSerializer.Meta):
        fields = [
            "slug",
            "name",
            "description",
            "version",
            "remarks",
            "definition",
            "is_shared",
            "is_mine",
            "filter_in_words",
            *FilterSerializer.Meta.fields,
        ]

    def to_representation(self, instance: Any) -> dict[str, Any]:
        found = super().to_representation(instance)
        # Of the centres that the cohort is restricted to, those whose results the user may see; empty: not restricted.
        visible = self.context["visible_codes"]
        found["centre_codes"] = [code for code in instance.centre_codes if code in visible]
        return found

    def get_filter_in_words(self, cohort: Cohort) -> list[str]:
        shown = Cohort(
            definition=cohort.definition,
            courses_counted=cohort.courses_counted,
            **{name: getattr(cohort, name) for name in tallies.FILTER_FIELDS},
        )
        shown.centre_codes = [code for code in cohort.centre_codes if code in self.context["visible_codes"]]
        return cohorts.filter_in_words(shown)

    def get_is_mine(self, cohort: Cohort) -> bool:
        return cohort.owner_id == self.context["request"].user.pk


class CountSerializer(serializers.Serializer):
    """How many patients a filter counts; null: fewer than the registry tells you."""

    n_patients = serializers.IntegerField(allow_null=True)
    filter_in_words = serializers.ListField(child=serializers.CharField())


class RevisionSerializer(serializers.Serializer):
    revision = serializers.IntegerField()
    computed_at = serializers.DateTimeField()
    cohort_version = serializers.IntegerField()
    n_patients = serializers.IntegerField()


class RevisionsSerializer(serializers.Serializer):
    results = RevisionSerializer(many=True)


class BehindRowSerializer(serializers.Serializer):
    course = serializers.UUIDField()
    patient = serializers.UUIDField()
    registry_number = serializers.CharField()
    course_number = serializers.IntegerField()
    at = serializers.IntegerField(allow_null=True, help_text="The value it is counted at, such as days.")
    facts = serializers.ListField(child=serializers.CharField(), help_text="The deciding one first.")


class BehindSerializer(serializers.Serializer):
    """The courses behind a number. ``n`` is null where it is small and not all of them are yours to see."""

    n = serializers.IntegerField(allow_null=True)
    n_elsewhere = serializers.IntegerField(allow_null=True)
    results = BehindRowSerializer(many=True)


class NumberSerializer(serializers.Serializer):
    name = serializers.CharField()
    before = serializers.FloatField(allow_null=True)
    after = serializers.FloatField(allow_null=True)


class CorrectionSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    record = serializers.CharField()
    what = serializers.CharField()
    by = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)


class MovedSerializer(serializers.Serializer):
    course = serializers.UUIDField()
    registry_number = serializers.CharField()
    entered = serializers.BooleanField()
    left = serializers.BooleanField()
    fields = serializers.DictField(help_text="Field to [before, after].")  # type: ignore[assignment]
    corrections = CorrectionSerializer(many=True)


class DifferenceSerializer(serializers.Serializer):
    """What changed between two revisions of a result. ``n_moved`` is null where it is small and not yours to see."""

    definition_changed = serializers.BooleanField()
    numbers = NumberSerializer(many=True)
    n_moved = serializers.IntegerField(allow_null=True)
    moved = MovedSerializer(many=True)


class ExportSerializer(StrictSerializer):
    """In which forms data sets are written; nothing said: in all."""

    formats = serializers.ListField(
        child=serializers.ChoiceField(choices=["csv", "xlsx", "xpt"]),
        required=False,
        min_length=1,
        max_length=3,
    )
