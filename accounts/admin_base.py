"""The correction desk: the admin site and what the admin pages of all clinical records share.

Pages parse and present; every write goes through the services, with a reason where something stored is changed. What may be
seen and done follows from the acts of accounts.access, never from Django's permission tables. In words: docs/admin.md.
"""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any, ClassVar, cast

import pghistory.core
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import capfirst
from django.views.decorators.cache import never_cache
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.sites import UnfoldAdminSite
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from accounts.access import Act, roles_with
from accounts.errors import RegistryError, StaleRecord
from accounts.models import Centre, User
from accounts.records import ClinicalQuerySet, ClinicalRecord, correct_record, create_record, void_record

BLANK = "(blank)"


class CorrectionDesk(UnfoldAdminSite):
    """The admin site. Its door is the site's own sign-in page."""

    site_header = "PRRT registry"
    site_title = "PRRT registry"
    index_title = "Correction desk"

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may correct records at any centre; ``is_staff`` decides nothing."""
        user = request.user
        return bool(user.is_authenticated and user.is_active and cast(User, user).may(Act.CORRECT_IN_ADMIN))

    @method_decorator(never_cache)
    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Send on: to the site's sign-in page, or to where the user wanted to go."""
        index = reverse("admin:index", current_app=self.name)
        wanted = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(
            wanted, {request.get_host()}, require_https=request.is_secure()
        ):
            wanted = index
        if self.has_permission(request):
            return redirect(wanted)
        if request.user.is_authenticated:  # signing in again would not help
            raise PermissionDenied("Your roles do not include the correction desk.")
        return redirect_to_login(wanted, resolve_url(settings.LOGIN_URL))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST":
            logout(request)
        return redirect(settings.LOGIN_URL)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("account_change_password")


def desk_centres(user: User, *acts: Act) -> set[uuid.UUID] | None:
    """Return the centres at which ``user`` works the desk and may perform all ``acts``; None: every centre there is."""
    if user.is_superuser and user.is_active:
        return None
    centres = set(user.centre_ids(Act.CORRECT_IN_ADMIN))
    for act in acts:
        centres &= set(user.centre_ids(act))
    return centres


def user_of(request: HttpRequest) -> User:
    """Return the signed-in user; the site lets nobody else through."""
    return cast(User, request.user)


# Filters


class CentreFilter(admin.SimpleListFilter):
    """By centre, among those the user works the desk for: Django's own would name all of them."""

    title = "centre"
    parameter_name = "centre"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        centres = Centre.objects.visible_to(user_of(request), Act.CORRECT_IN_ADMIN)
        return [(centre.code, str(centre)) for centre in centres]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 1

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        if not self.value():
            return queryset
        path = queryset.model.CENTRE_PATH.removesuffix("_id")
        return queryset.filter(**{f"{path}__code": self.value()})


class VoidedFilter(admin.SimpleListFilter):
    """Voided records are out of sight until asked for."""

    title = "voided"
    parameter_name = "voided"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Voided only"), ("all", "All, voided too")]

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        for choice in super().choices(changelist):
            yield choice | ({"display": "In force"} if choice["display"] == "All" else {})

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        if self.value() == "all":
            return queryset
        return queryset.filter(voided_at__isnull=self.value() != "yes")


# History

_SILENT_FIELDS = {"id", "version", "created_at"}
_DOORS = {
    "admin": "Correction desk",
    "form": "Page of the registry",
    "api": "REST API",
    "import": "Import",
    "command": "Command on the server",
}


@dataclass(frozen=True)
class ChangedField:
    label: str
    old: str
    new: str


@dataclass(frozen=True)
class Change:
    """One row of a record's history, in words."""

    at: datetime  # aware
    local: str  # in the centre's zone
    utc: str
    record: str
    what: str
    who: str
    door: str
    reason: str
    fields: list[ChangedField]
    version: int


def in_words(field: models.Field, value: Any, related: dict[Any, str], zone: tzinfo) -> str:
    """Return a stored value as a person would read it; a blank says so."""
    if value is None or value == "" or value == []:
        return BLANK
    if field.is_relation:
        return related.get(value, str(value))
    if isinstance(field, ArrayField):
        labels = dict(field.base_field.flatchoices)
        return ", ".join(str(labels.get(item, item)) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S} ({zone})"
    if isinstance(value, date):
        return value.isoformat()
    return str(dict(field.flatchoices).get(value, value))


def history_of(record: ClinicalRecord, *, zone: tzinfo) -> list[Change]:
    """Return all changes of a record, oldest first. One query, and one more for each kind of record it refers to."""
    model = type(record)
    (event_model,) = pghistory.core.event_models(tracks_model=model)
    events = list(event_model._default_manager.filter(pgh_obj_id=record.pk).order_by("pgh_id"))
    fields = [field for field in model._meta.concrete_fields if field.name not in _SILENT_FIELDS]
    related: dict[str, dict[Any, str]] = {}
    for field in fields:
        if field.is_relation:
            keys = {getattr(event, field.attname) for event in events} - {None}
            related[field.name] = {
                key: str(row) for key, row in field.related_model._default_manager.in_bulk(keys).items()
            }

    changes, before = [], None
    for event in events:
        changed = []
        for field in fields:
            old = getattr(before, field.attname) if before is not None else None
            new = getattr(event, field.attname)
            names = related.get(field.name, {})
            pair = ChangedField(
                capfirst(str(field.verbose_name)),
                in_words(field, old, names, zone),
                in_words(field, new, names, zone),
            )
            if old != new and not (before is None and pair.new == BLANK):
                changed.append(pair)
        context = event.pgh_context or {}
        voided = before is not None and before.voided_at is None and event.voided_at is not None
        changes.append(
            Change(
                at=event.pgh_created_at,
                local=f"{event.pgh_created_at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
                utc=f"{event.pgh_created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                record=capfirst(str(model._meta.verbose_name)),
                what="Voided"
                if voided
                else {"insert": "Entered", "delete": "Deleted"}.get(event.pgh_label, "Changed"),
                who=context.get("username") or "not signed in",
                door=_DOORS.get(context.get("source", ""), context.get("source") or "Command on the server"),
                reason=context.get("reason", ""),
                fields=changed,
                version=event.version,
            )
        )
        before = event
    return changes


def changed_since(record: ClinicalRecord, version: int, *, zone: tzinfo) -> list[str]:
    """Return in words what was changed of a record after ``version``."""
    return [
        f"{change.record}, {field.label}: {field.old} → {field.new} ({change.who}, {change.local} {zone})."
        for change in history_of(record, zone=zone)
        if change.version > version
        for field in change.fields
    ]


# Forms


class DeskForm(forms.ModelForm):
    """A form whose values are stored by a service; what the service refuses comes back as errors of the form."""

    request: ClassVar[HttpRequest]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for message, field in getattr(self.request, "desk_refusals", []):
            if field is not None and field not in self.fields:
                field, message = None, f"{capfirst(field.replace('_', ' '))}: {message}"
            self.add_error(field, message)
        return cleaned

    def model_changes(self) -> dict[str, Any]:
        """Return field name to new value, of the record's own fields that differ."""
        names = {field.name for field in self._meta.model._meta.fields}
        return {name: self.cleaned_data[name] for name in self.changed_data if name in names}


class CorrectionForm(DeskForm):
    """A correction: says why, and which version it was made from."""

    reason = forms.CharField(
        label="Reason for the correction",
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Kept in the history beside the old and the new values.",
    )
    expected_version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "expected_version" in self.fields:
            self.fields["expected_version"].initial = self.instance.version

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        # Of an old version everything that somebody else changed would seem changed here: the service tells.
        current = cleaned.get("expected_version") == self.instance.version
        if current and not self.errors and not set(self.changed_data) - {"reason", "expected_version"}:
            self.add_error(None, "Nothing was changed: the values are those already stored.")
        return cleaned


class VoidForm(forms.Form):
    reason = forms.CharField(
        label="Reason",
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "required": True, "autofocus": True}),
    )
    expected_version = forms.IntegerField(widget=forms.HiddenInput)


# Model admins


class DeskAdmin(ModelAdmin):
    """What all pages of the desk share: nothing is deleted, nothing is edited in bulk."""

    actions = None
    list_per_page = 50
    show_full_result_count = False
    compressed_fields = True
    warn_unsaved_form = True

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        # Records are entered on their own pages, not in pop-ups on the way.
        for link in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
            if field is not None and hasattr(field.widget, link):
                setattr(field.widget, link, False)
        return field


class ClinicalAdmin(DeskAdmin):
    """The page of one kind of clinical record."""

    model: type[ClinicalRecord]
    view_acts: ClassVar[tuple[Act, ...]] = (Act.VIEW_RECORDS,)
    entry_fields: ClassVar[tuple[str, ...]] = ()
    correction_fields: ClassVar[tuple[str, ...]] = ()  # those of get_readonly_fields included
    fixed_fields: ClassVar[
        tuple[str, ...]
    ] = ()  # shown, not changed: a record at the wrong patient is voided
    entry_form: ClassVar[type[DeskForm]] = DeskForm
    correction_form: ClassVar[type[CorrectionForm]] = CorrectionForm
    actions_detail = ["void"]
    change_form_outer_before_template = "admin/desk_before.html"
    object_history_template = "admin/desk_history.html"

    # Reading

    @property
    def centre_path(self) -> str:
        return self.model.CENTRE_PATH.removesuffix("_id")

    @property
    def registry_number_path(self) -> str:
        return (
            "registry_number"
            if self.model.PATIENT_PATH == "self"
            else f"{self.model.PATIENT_PATH}__registry_number"
        )

    def __init__(self, model: type[ClinicalRecord], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        # The search stands in the address of the page: names and MRNs must not.
        self.search_fields = (self.registry_number_path,)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [CentreFilter, *self.list_filter, VoidedFilter]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """Return the records of the centres whose desk the user works: all others answer as if they were missing."""
        rows = cast(ClinicalQuerySet, self.model._default_manager.all())
        for act in (*self.view_acts, Act.CORRECT_IN_ADMIN):
            rows = rows.visible_to(user_of(request), act)
        return rows.select_related(self.centre_path).order_by(
            *(self.get_ordering(request) or self.model._meta.ordering)
        )

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        found, duplicates = super().get_search_results(request, queryset, search_term)
        if request.resolver_match is not None and request.resolver_match.url_name == "autocomplete":
            found = found.filter(voided_at__isnull=True)
        return found, duplicates

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        # Only what the page itself offers: a free lookup could spell out a hidden value letter by letter.
        parameters = {getattr(item, "parameter_name", item) for item in self.get_list_filter(request)}
        return lookup.removesuffix("__exact") in parameters

    # Permissions

    def _may(self, request: HttpRequest, obj: ClinicalRecord | None, *acts: Act) -> bool:
        centres = desk_centres(user_of(request), *self.view_acts, *acts)
        if centres is None:
            return True
        return bool(centres) if obj is None else obj.centre_id_of_record in centres

    def has_view_permission(self, request: HttpRequest, obj: ClinicalRecord | None = None) -> bool:
        return self._may(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, None, self.model.EDIT_ACT)

    def has_change_permission(self, request: HttpRequest, obj: ClinicalRecord | None = None) -> bool:
        if obj is not None and obj.voided_at is not None:
            return False
        return self._may(request, obj, self.model.EDIT_ACT)

    def has_void_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Return whether the record may be voided; of one that cannot be seen the page itself says so."""
        if object_id is None:
            return self.has_change_permission(request)
        record = self.get_object(request, unquote(str(object_id)))
        return self.has_change_permission(request, record)

    # The form

    def get_readonly_fields(self, request: HttpRequest, obj: ClinicalRecord | None = None) -> tuple[str, ...]:
        return self.fixed_fields if obj is not None else ()

    def get_fieldsets(self, request: HttpRequest, obj: ClinicalRecord | None = None) -> list[Any]:
        if obj is None:
            return [(None, {"fields": self.entry_fields})]
        fieldsets: list[Any] = [(None, {"fields": self.correction_fields})]
        if self.has_change_permission(request, obj):
            fieldsets.append(("Correction", {"fields": ("reason", "expected_version")}))
        return fieldsets

    def get_form(
        self, request: HttpRequest, obj: Any | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        if obj is None:
            kwargs.setdefault("form", self.entry_form)
        elif self.has_change_permission(request, obj):
            kwargs.setdefault("form", self.correction_form)
        form = super().get_form(request, obj, change=change, **kwargs)
        form.request = request  # type: ignore[attr-defined]  # a class of this request alone
        return form

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, ArrayField) and db_field.base_field.choices:
            return forms.MultipleChoiceField(
                label=capfirst(str(db_field.verbose_name)),
                choices=db_field.base_field.choices,
                required=False,
                help_text=db_field.help_text,
                widget=UnfoldAdminCheckboxSelectMultipleWidget,
            )
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(db_field, models.DateTimeField) and field is not None:
            field.help_text = (
                f"{field.help_text} Local time of the centre: {timezone.get_current_timezone_name()}.".strip()
            )
        return field

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Offer, and accept, only what the user may put such a record at."""
        user, target = user_of(request), db_field.remote_field.model
        if issubclass(target, ClinicalRecord):
            rows = target._default_manager.current()
            for act in (self.model.EDIT_ACT, Act.CORRECT_IN_ADMIN, *self.view_acts):
                rows = rows.visible_to(user, act)
            kwargs["queryset"] = rows.select_related(target.CENTRE_PATH.removesuffix("_id"))
        elif target is Centre:
            kwargs["queryset"] = Centre.objects.visible_to(
                user, Act.CORRECT_IN_ADMIN
            ) & Centre.objects.visible_to(user, self.model.EDIT_ACT)
        elif target is User:
            people = User.objects.filter(memberships__role__in=roles_with(self.model.EDIT_ACT))
            centres = desk_centres(user, self.model.EDIT_ACT)
            if centres is not None:
                people = people.filter(memberships__centre__in=centres)
            kwargs["queryset"] = people.distinct()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def zone_of_entry(self, request: HttpRequest) -> tzinfo:
        """Return the zone in which the times of a first entry are meant: the desk's, where it has one."""
        zones = {
            centre.time_zone: centre.zone
            for centre in Centre.objects.visible_to(user_of(request), self.model.EDIT_ACT)
        }
        return next(iter(zones.values())) if len(zones) == 1 else UTC

    def zone_of(self, record: ClinicalRecord) -> tzinfo:
        value: Any = record
        for step in self.centre_path.split("__"):
            value = getattr(value, step)
        return value.zone

    def links(self, request: HttpRequest, record: ClinicalRecord) -> list[tuple[str, str]]:
        """Return (words, address) of where to go from a record."""
        return []

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show or store a record, in its centre's local time; what a service refuses comes back in the form."""
        record = self.get_object(request, unquote(object_id)) if object_id else None
        if request.method == "POST" and record is not None and record.voided_at is not None:
            messages.error(request, "This record has been voided. Nothing of yours was stored.")
            return HttpResponseRedirect(request.path)
        zone = self.zone_of_entry(request) if record is None else self.zone_of(record)
        context = (extra_context or {}) | {"show_save_and_add_another": False}
        if record is not None:
            context["desk_links"] = self.links(request, record)
        with timezone.override(zone):
            try:
                response = super().changeform_view(request, object_id, form_url, context)
            except (ValidationError, RegistryError) as refused:
                # The form is shown again, with what was refused as its errors: it is not valid, so nothing is stored.
                request.desk_refusals = self._refusals(request, refused, record, zone)  # type: ignore[attr-defined]
                response = super().changeform_view(request, object_id, form_url, context)
            if isinstance(response, TemplateResponse):
                response.render()  # times are written now, while the zone holds
        return response

    def records_shown(self, request: HttpRequest, record: ClinicalRecord) -> list[tuple[ClinicalRecord, str]]:
        """Return the records that the form shows, each with the name of the form's field for its version."""
        return [(record, "expected_version")]

    def _refusals(
        self,
        request: HttpRequest,
        refused: ValidationError | RegistryError,
        record: ClinicalRecord | None,
        zone: tzinfo,
    ) -> list[tuple[str, str | None]]:
        """Return (message, field or None) of a refusal."""
        if isinstance(refused, ValidationError):
            return refusals_of(refused)
        found: list[tuple[str, str | None]] = [(refused.message, None)]
        if isinstance(refused, StaleRecord) and record is not None:
            for shown, name in self.records_shown(request, record):
                version = request.POST.get(name, "")
                if version.isdecimal():
                    found += [(line, None) for line in changed_since(shown, int(version), zone=zone)]
            found.append(("Open the record again to see it as it is now, and correct that.", None))
        return found

    # Writing

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by = user_of(request)
        if not change:
            stored = self.store_entry(obj, form=form, by=by)
            vars(obj).update(vars(stored))  # what a service made of it is what the next page is about
            return
        record = self.get_object(request, str(obj.pk))  # as it is stored: the form has already changed obj
        assert record is not None
        self.store_correction(
            record,
            form.model_changes(),
            form=form,
            by=by,
            reason=form.cleaned_data["reason"],
            expected_version=form.cleaned_data["expected_version"],
        )

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        return create_record(record, by=by)

    def store_correction(
        self, record: Any, changes: dict[str, Any], *, form: Any, by: User, reason: str, expected_version: int
    ) -> None:
        correct_record(record, changes, by=by, reason=reason, expected_version=expected_version)

    def store_void(self, record: Any, *, by: User, reason: str, expected_version: int) -> None:
        void_record(record, by=by, reason=reason, expected_version=expected_version)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        raise PermissionDenied

    # The history rows are the log; Django's own would be a second, poorer one.

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None: ...

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None: ...

    # Voiding

    @action(
        description="Void with a reason",
        url_path="void",
        permissions=["void"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def void(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the reason, then take the record out of all counts."""
        record = self.get_object(request, unquote(object_id))
        if record is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        form = VoidForm(request.POST or None, initial={"expected_version": record.version})
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[record.pk])
        if request.method == "POST" and form.is_valid():
            try:
                self.store_void(
                    record,
                    by=user_of(request),
                    reason=form.cleaned_data["reason"],
                    expected_version=form.cleaned_data["expected_version"],
                )
            except (ValidationError, RegistryError) as refused:
                for message, field in self._refusals(request, refused, record, self.zone_of(record)):
                    form.add_error(field if field in form.fields else None, message)
            else:
                messages.success(request, f"Voided: {record}. It stays in the history.")
                return redirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Void: {record}",
            "opts": self.opts,
            "original": record,
            "patient": self.patient_of(record),
            "form": form,
            "page": page,
            "media": self.media,
        }
        return TemplateResponse(
            request, "admin/desk_void.html", context, status=422 if form.is_bound else 200
        )

    # History

    def history_records(self, record: Any) -> Iterable[ClinicalRecord]:
        """Return the records whose changes the history page of ``record`` shows."""
        return [record]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what the database itself wrote down of every change, newest first."""
        record = self.get_object(request, unquote(object_id))
        if record is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_permission(request, record):
            raise PermissionDenied
        zone = self.zone_of(record)
        changes = [change for one in self.history_records(record) for change in history_of(one, zone=zone)]
        context = {
            **self.admin_site.each_context(request),
            "title": f"History: {record}",
            "opts": self.opts,
            "original": record,
            "patient": self.patient_of(record),
            "object": record,
            "object_id": object_id,
            # Changes of one transaction share their time: the order they were written in is kept among them.
            "changes": sorted(changes, key=lambda change: change.at)[::-1],
            "zone": str(zone),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.object_history_template, context)

    # Columns

    @admin.display(description="Registry number")
    def registry_number(self, obj: Any) -> str:
        return str(self.patient_of(obj))

    def patient_of(self, obj: Any) -> Any:
        if self.model.PATIENT_PATH == "self":
            return obj
        for step in self.model.PATIENT_PATH.split("__"):
            obj = getattr(obj, step)
        return obj


def refusals_of(refused: ValidationError) -> list[tuple[str, str | None]]:
    """Return (message, field or None) for each thing that was refused."""
    if not hasattr(refused, "error_dict"):
        return [(message, None) for message in refused.messages]
    return [
        (message, None if field == NON_FIELD_ERRORS else field)
        for field, found in refused.message_dict.items()
        for message in found
    ]


__all__ = [
    "CentreFilter",
    "ClinicalAdmin",
    "CorrectionDesk",
    "CorrectionForm",
    "DeskAdmin",
    "DeskForm",
    "VoidedFilter",
    "desk_centres",
    "user_of",
]
