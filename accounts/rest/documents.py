"""Shapes of answers that are no records: problems and history."""

from rest_framework import serializers


class ProblemErrorSerializer(serializers.Serializer):
    """One thing that was wrong. One of pointer, parameter and header says where."""

    pointer = serializers.CharField(
        required=False, help_text="JSON pointer into the body, such as #/sex; # for all of it."
    )
    parameter = serializers.CharField(required=False, help_text="Parameter of the query.")
    header = serializers.CharField(required=False)
    code = serializers.CharField(help_text="Stable.")
    detail = serializers.CharField(help_text="For people.")


class ProblemSerializer(serializers.Serializer):
    """RFC 9457."""

    type = serializers.CharField(help_text="urn:prrt-registry:problem: and the code.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="Stable.")
    errors = ProblemErrorSerializer(many=True)  # type: ignore[assignment]
    instance = serializers.CharField(required=False, help_text="Path of the request, without its query.")


class ChangeSerializer(serializers.Serializer):
    field = serializers.CharField()  # type: ignore[assignment]
    old = serializers.JSONField()
    new = serializers.JSONField()


class HistoryRowSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    event = serializers.ChoiceField(choices=["insert", "update", "delete"])
    version = serializers.IntegerField()
    by = serializers.CharField(allow_blank=True, help_text="Username; blank for a command run on the server.")
    reason = serializers.CharField(allow_blank=True)
    source = serializers.CharField(  # type: ignore[assignment]
        allow_blank=True, help_text="form, admin, api, import or command."
    )
    changes = ChangeSerializer(many=True)


class HistorySerializer(serializers.Serializer):
    results = HistoryRowSerializer(many=True)
