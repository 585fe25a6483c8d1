"""Centres in the REST API."""

from django.db.models import QuerySet
from rest_framework import serializers

from accounts.access import Act
from accounts.models import Centre
from accounts.rest.views import ReadViewSet


class CentreSerializer(serializers.ModelSerializer):
    class Meta:
        model = Centre
        fields = ["id", "code", "name", "time_zone"]


class CentreViewSet(ReadViewSet):
    """The centres whose results you may see."""

    act = Act.VIEW_RESULTS
    queryset = Centre.objects.all()
    serializer_class = CentreSerializer
    lookup_value_converter = "uuid"
    ordering_fields = {"code": "code", "name": "name"}
    ordering = "code"

    def visible(self) -> QuerySet:
        return self.queryset.all().visible_to(self.user, Act.VIEW_RESULTS)
