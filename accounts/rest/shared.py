"""Rows that belong to no patient, such as protocols and reference ranges: listed, read and added to, never changed."""

from typing import Any, ClassVar

from django.db.models import Model
from django.http import Http404
from rest_framework import status
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import BaseSerializer

from accounts.access import Act
from accounts.rest.idempotency import once
from accounts.rest.views import ReadViewSet


class SharedViewSet(ReadViewSet):
    """Rows that are added to by who may perform ``edit_act``. They hang on nobody and are not taken out."""

    http_method_names = ["get", "head", "post"]
    edit_act: ClassVar[Act]
    new_serializer_class: ClassVar[type[BaseSerializer]]
    once_actions: ClassVar[tuple[str, ...]] = ("create",)

    def acts_needed(self, request: Request) -> list[Act]:
        return [self.act] if request.method in SAFE_METHODS else [self.act, self.edit_act]

    def get_serializer_class(self) -> type[BaseSerializer]:
        assert self.serializer_class is not None
        return self.new_serializer_class if self.action == "create" else self.serializer_class

    def enter(self, values: dict[str, Any]) -> Model:
        """Store a new row through its service."""
        raise NotImplementedError

    def address_key(self, made: Any) -> Any:
        """Return what a row's address names it by."""
        return made.pk

    def find(self, pk: Any) -> Any:
        """Return a row as the user may see it now, or raise Http404."""
        try:
            return self.get_queryset().get(pk=pk)
        except self.queryset.model.DoesNotExist as error:
            raise Http404 from error

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        def act() -> Model:
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            return self.enter(serializer.validated_data)

        made, replayed = once(request, act=act, find=self.find, model=self.queryset.model)
        assert self.serializer_class is not None
        shown = self.serializer_class(self.find(made.pk), context=self.get_serializer_context())
        response = Response(shown.data, status=status.HTTP_201_CREATED)
        response["Location"] = reverse(
            f"api:{self.basename}-detail", [self.address_key(made)], request=request
        )
        if replayed:
            response["Idempotency-Replayed"] = "true"
        return response
