"""The base of all API views: doors, preconditions, paging and history of clinical records.

A viewset says which records it shows and which services enter, correct and void them; it decides nothing itself.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from django.utils.cache import patch_vary_headers
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts.access import Act
from accounts.models import User
from accounts.records import ClinicalRecord, correct_record, create_record, void_record
from accounts.rest.documents import HistorySerializer
from accounts.rest.filters import PAGE_PARAMETERS
from accounts.rest.headers import change_reason, expected_version, user_of
from accounts.rest.history import history_of
from accounts.rest.idempotency import once
from accounts.rest.refusals import BadQuery, etag


class MayAct(BasePermission):
    """Roles that include the view's acts anywhere. Where, is asked of each record."""

    message = "Your roles do not include this."

    def has_permission(self, request: Request, view: Any) -> bool:
        return all(user_of(request).may(act) for act in view.acts_needed(request))


class RestView(APIView):
    """What holds for every answer of the API."""

    permission_classes = [IsAuthenticated, MayAct]
    cache_control = "private, no-store"

    @property
    def user(self) -> User:
        return user_of(self.request)

    def acts_needed(self, request: Request) -> list[Act]:
        """Return the acts that a role must include before anything is looked at."""
        return []

    def query_parameters(self) -> set[str]:
        """Return the parameters that the query may hold."""
        return set()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not hasattr(self, (request.method or "").lower()):
            return  # the answer will be 405
        # Before any work: a filter that is misspelt, or offered elsewhere only, would be ignored in silence.
        unknown = sorted(set(request.query_params) - self.query_parameters())
        if unknown:
            offered = ", ".join(sorted(self.query_parameters())) or "none"
            raise BadQuery(
                {
                    name[:100].replace(".", ""): [
                        ErrorDetail(
                            f"There is no such parameter here. Offered: {offered}.", "unknown_parameter"
                        )
                    ]
                    for name in unknown[:20]
                }
            )

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.setdefault("Cache-Control", self.cache_control)
        patch_vary_headers(response, ["Authorization", "Cookie"])
        return response


class ReadViewSet(RestView, GenericViewSet):
    """Rows to be listed and read. Every one comes through ``visible_to``."""

    http_method_names = ["get", "head"]
    ordering_fields: ClassVar[dict[str, str]] = {"id": "id"}
    ordering: ClassVar[str] = "id"
    act: ClassVar[Act] = Act.VIEW_RECORDS
    queryset: Any  # each model's own, with visible_to

    def acts_needed(self, request: Request) -> list[Act]:
        return [self.act]

    def query_parameters(self) -> set[str]:
        if self.action != "list":
            return set()
        filterset = getattr(self, "filterset_class", None)
        return set(filterset.base_filters if filterset else ()) | PAGE_PARAMETERS

    def visible(self) -> QuerySet:
        """Return the rows that the user may see."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return self.visible()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    def get_object(self) -> Any:
        # DRF filters single rows as lists: a voided one could not be read.
        lookup = self.lookup_url_kwarg or self.lookup_field
        try:
            return self.get_queryset().get(**{self.lookup_field: self.kwargs[lookup]})
        except self.queryset.model.DoesNotExist as error:
            raise Http404 from error


class RecordViewSet(ReadViewSet):
    """Clinical records: listed, read, corrected and voided, with their history. Nothing is deleted."""

    http_method_names = ["get", "head", "post", "put", "patch"]
    lookup_value_converter = "uuid"
    related: ClassVar[tuple[str, ...]] = ()  # select_related, so that a page costs one query
    once_actions: ClassVar[tuple[str, ...]] = ("create", "void")  # those that honour Idempotency-Key
    reason_actions: ClassVar[tuple[str, ...]] = ("update", "partial_update", "void")
    in_place_actions: ClassVar[tuple[str, ...]] = ("void",)  # POSTs that make nothing new
    untagged_actions: ClassVar[tuple[str, ...]] = ("list", "history")  # those that show no single record

    @property
    def model(self) -> type[ClinicalRecord]:
        return self.queryset.model

    def acts_needed(self, request: Request) -> list[Act]:
        return [self.act] if request.method in SAFE_METHODS else [self.act, self.model.EDIT_ACT]

    def visible(self) -> Any:
        return self.queryset.all().visible_to(self.user).select_related(*self.related)

    def for_writing(self) -> Any:
        """Return the record of the address, which the user may change.

        Raises:
            Http404: it is hidden or missing.
            PermissionDenied: the user may see it and not change it.
        """
        record = self.get_object()
        self.user.require(record.EDIT_ACT, record.centre_id_of_record)
        return record

    # The services that change such records; a viewset whose records have services of their own names them here.

    def correct(
        self, record: Any, changes: dict[str, Any], *, reason: str, expected: int | None
    ) -> ClinicalRecord:
        return correct_record(record, changes, by=self.user, reason=reason, expected_version=expected)

    def take_out(self, record: Any, *, reason: str, expected: int | None) -> ClinicalRecord:
        return void_record(record, by=self.user, reason=reason, expected_version=expected)

    # Answers

    def shown(self, record: Any, *, code: int = status.HTTP_200_OK) -> Response:
        """Return the record as it is now, with its entity tag, and its address where it is new."""
        response = Response(self.show(record), status=code, headers={"ETag": etag(record.version)})
        if code == status.HTTP_201_CREATED:
            response["Location"] = self.address_of(record)
        return response

    def show(self, record: Any) -> Any:
        assert self.serializer_class is not None
        return self.serializer_class(record, context=self.get_serializer_context()).data

    def address_of(self, record: Any) -> str:
        return reverse(f"api:{self.basename}-detail", [record.pk], request=self.request)

    def find(self, pk: Any) -> Any:
        """Return a record of this viewset as the user may see it now, or raise Http404."""
        try:
            return self.get_queryset().get(pk=pk)
        except self.model.DoesNotExist as error:
            raise Http404 from error

    def answer_once(
        self, act: Callable[[], ClinicalRecord], *, code: int, door: "RecordViewSet | None" = None
    ) -> Response:
        """Do ``act`` once per Idempotency-Key and show its record through ``door``, which is this viewset by default."""
        door = door or self
        record, replayed = once(self.request, act=act, find=door.find)
        response = door.shown(record if replayed else door.find(record.pk), code=code)
        if replayed:
            response["Idempotency-Replayed"] = "true"
        return response

    def door_to(self, viewset: type["RecordViewSet"], basename: str) -> "RecordViewSet":
        """Return another viewset on this request, to show what an act made there."""
        return viewset(
            request=self.request, format_kwarg=None, action="retrieve", kwargs={}, args=(), basename=basename
        )

    # Methods

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.shown(self.get_object())

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        partial = kwargs.pop("partial", False)
        record = self.for_writing()
        expected = expected_version(request, record, required=True)
        reason = change_reason(request)
        serializer: BaseSerializer = self.get_serializer(record, data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        corrected = self.correct(record, serializer.validated_data, reason=reason, expected=expected)
        return self.shown(self.find(corrected.pk))

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.update(request, *args, partial=True, **kwargs)

    @extend_schema(request=None, filters=False)
    @action(detail=True, methods=["post"])
    def void(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Take the record out of all counts, keeping it in the history. If-Match is honoured where it is sent."""

        def act() -> ClinicalRecord:
            record = self.for_writing()
            expected = expected_version(request, record, required=False)
            return self.take_out(record, reason=change_reason(request), expected=expected)

        return self.answer_once(act, code=status.HTTP_200_OK)

    @extend_schema(responses=HistorySerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def history(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Every change of the record, oldest first: when, who, why, through which door, and what became of what."""
        rows = history_of(self.get_object())
        return Response(HistorySerializer({"results": rows}).data)


class EnteredRecordViewSet(RecordViewSet):
    """Clinical records that are entered at their own address."""

    def enter(self, values: dict[str, Any]) -> ClinicalRecord:
        return create_record(self.model(**values), by=self.user)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        def act() -> ClinicalRecord:
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            return self.enter(serializer.validated_data)

        return self.answer_once(act, code=status.HTTP_201_CREATED)


class NowhereView(RestView):
    """Addresses that do not exist, told in the API's own way. Who is not signed in learns only that."""

    schema = None

    def query_parameters(self) -> set[str]:
        return set(self.request.query_params)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise Http404
