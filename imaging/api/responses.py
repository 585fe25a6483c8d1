"""What the rules derive from the measurements of a course, in the REST API. Nothing of it is stored."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest.refusals import BadQuery
from accounts.rest.serializers import StrictSerializer
from imaging.models import OverallResponse, ReaderRole, SstrResponse, Study, Timepoint
from imaging.selectors.response import CourseResponse, course_responses
from patients.api import OfOnePatientViewSet


def _mm(**kwargs: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=None, decimal_places=1, allow_null=True, **kwargs)


def _ratio(**kwargs: Any) -> serializers.DecimalField:
    """A number that was computed: four digits after the point are shown, and none was rounded before comparing."""
    return serializers.DecimalField(max_digits=None, decimal_places=4, allow_null=True, **kwargs)


def _response(choices: Any, **kwargs: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=choices, allow_null=True, **kwargs)


class SelectionProblemSerializer(serializers.Serializer):
    """What RECIST 1.1 has against the lesions chosen at baseline; while there are any nothing is derived."""

    code = serializers.CharField(help_text="Stable.")
    lesions = serializers.ListField(child=serializers.CharField(), source="labels", help_text="Their labels.")
    detail = serializers.CharField(source="sentence", help_text="For people.")
    may_be_overridden = serializers.BooleanField(
        help_text="Whether a selection_reason of the lesion keeps it."
    )


class LesionUptakeSerializer(serializers.Serializer):
    lesion = serializers.CharField(source="label", help_text="Its label.")
    suv_max = _ratio()
    change_percent = _ratio(help_text="From baseline.")
    to_liver = _ratio(help_text="SUVmax by the SUVmean of the liver.")
    to_spleen = _ratio(help_text="SUVmax by the SUVmean of the spleen.")
    response = _response(SstrResponse.choices)


class UptakeSerializer(serializers.Serializer):
    """The response of uptake, by the thresholds of the course's protocol."""

    response = _response(SstrResponse.choices, help_text="null: at baseline, or no uptake can be seen.")
    reason = serializers.CharField()
    hottest = serializers.CharField(allow_null=True, help_text="Label of the lesion with the highest SUVmax.")
    hottest_suv_max = _ratio()
    change_percent = _ratio(help_text="Of the hottest lesion now, from the hottest at baseline.")
    to_liver = _ratio()
    to_spleen = _ratio()
    new_uptake = serializers.ListField(child=serializers.CharField(), help_text="Labels of new lesions.")
    lesions = LesionUptakeSerializer(many=True)


class StudyOfCourseSerializer(serializers.Serializer):
    """What follows for one study from the measurements of its course by one reader; drafts do not count."""

    study = serializers.UUIDField()
    timepoint = serializers.ChoiceField(choices=Timepoint.choices)
    performed_on = serializers.DateField()
    response = _response(OverallResponse.choices, help_text="Overall; null: none can be told.")
    reason = serializers.CharField(help_text="Why, in words.")
    target_response = _response(OverallResponse.choices)
    non_target_response = _response(OverallResponse.choices)
    new_lesions = serializers.ListField(
        child=serializers.CharField(), help_text="Labels of those seen for certain."
    )
    sum_of_diameters_mm = _mm(help_text="Of the target lesions that could be measured.")
    is_complete = serializers.BooleanField(help_text="Whether every target lesion is in the sum.")
    baseline_sum_mm = _mm()
    nadir_mm = _mm(help_text="The smallest complete sum before this study, the baseline included.")
    nadir_on = serializers.DateField(allow_null=True)
    change_percent = _ratio(help_text="Of a complete sum, from baseline.")
    nadir_change_percent = _ratio(help_text="Of a complete sum, from the nadir.")
    n_drafts = serializers.IntegerField(help_text="Measurements that no reader has accepted yet.")
    uptake = UptakeSerializer(allow_null=True, help_text="null: no SUVmax of the course was entered.")


class CourseResponseSerializer(serializers.Serializer):
    course_number = serializers.IntegerField()
    reader_role = serializers.ChoiceField(choices=ReaderRole.choices)
    selection_problems = SelectionProblemSerializer(many=True)
    studies = StudyOfCourseSerializer(many=True)


class ResponsesSerializer(serializers.Serializer):
    """The derived responses of all studies, for each course and reader with lesions. Derived at every read."""

    patient = serializers.UUIDField()
    registry_number = serializers.CharField()
    courses = CourseResponseSerializer(many=True)


class StudyResponseSerializer(StudyOfCourseSerializer):
    """The derived response of one study."""

    patient = serializers.UUIDField()
    registry_number = serializers.CharField()
    course_number = serializers.IntegerField()
    reader_role = serializers.ChoiceField(choices=ReaderRole.choices)
    selection_problems = SelectionProblemSerializer(many=True)


class ReaderRoleSerializer(StrictSerializer):
    reader_role = serializers.ChoiceField(choices=ReaderRole.choices, default=ReaderRole.FIRST)


class ResponsesQuerySerializer(serializers.Serializer):
    course_number = serializers.IntegerField(
        min_value=1, max_value=1000, required=False, help_text="All where it is left out."
    )
    reader_role = serializers.ChoiceField(
        choices=ReaderRole.choices, required=False, help_text="Both where it is left out."
    )


def study_values(response: CourseResponse, study: Study) -> dict[str, Any]:
    """Return the members of ``StudyOfCourseSerializer``."""
    derived = response.derived(study)
    timepoint = derived.timepoint
    tells = timepoint is not None and bool(derived.response)
    uptake = response.uptake(study)
    return {
        "study": study.pk,
        "timepoint": study.timepoint,
        "performed_on": study.performed_on,
        "response": derived.response or None,
        "reason": derived.reason,
        "target_response": timepoint.target if timepoint and tells else None,
        "non_target_response": timepoint.non_target if timepoint and tells else None,
        "new_lesions": timepoint.new_lesions if timepoint else (),
        "sum_of_diameters_mm": timepoint and timepoint.sum_mm,
        "is_complete": bool(timepoint and timepoint.is_complete),
        "baseline_sum_mm": timepoint and timepoint.baseline_mm,
        "nadir_mm": timepoint and timepoint.nadir_mm,
        "nadir_on": timepoint and timepoint.nadir_on,
        "change_percent": timepoint and timepoint.change_percent,
        "nadir_change_percent": timepoint and timepoint.nadir_change_percent,
        "n_drafts": len(response.drafts(study)),
        "uptake": uptake,
    }


def study_response_values(response: CourseResponse, study: Study) -> dict[str, Any]:
    """Return the members of ``StudyResponseSerializer``; ``study`` comes with its patient."""
    return {
        **study_values(response, study),
        "patient": study.patient_id,
        "registry_number": study.patient.registry_number,
        "course_number": study.course_number,
        "reader_role": response.reader_role,
        "selection_problems": response.problems,
    }


def asked(parser: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    """Return the parameters of the query.

    Raises:
        BadQuery: one of them cannot be used.
    """
    query = parser(data=request.query_params.dict())
    if not query.is_valid():
        raise BadQuery(query.errors)
    return query.validated_data


class ResponsesViewSet(OfOnePatientViewSet):
    """The derived responses of one patient."""

    serializer_class = ResponsesSerializer

    def query_parameters(self) -> set[str]:
        return set(ResponsesQuerySerializer().fields)

    @extend_schema(parameters=[ResponsesQuerySerializer])
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The derived response of every study, with sums, changes, nadir and the reason in words."""
        patient = self.patient()
        query = asked(ResponsesQuerySerializer, request)
        found = course_responses([patient.pk])
        shown = [
            {
                "course_number": number,
                "reader_role": reader_role,
                "selection_problems": response.problems,
                "studies": [study_values(response, study) for study in response.studies],
            }
            for (_, number, reader_role), response in sorted(found.items(), key=lambda item: item[0][1:])
            if number == query.get("course_number", number)
            and reader_role == query.get("reader_role", reader_role)
        ]
        values = {"patient": patient.pk, "registry_number": patient.registry_number, "courses": shown}
        return Response(ResponsesSerializer(values).data)
