"""The desk's pages of centres, users and their memberships; for superusers those of what signs people in."""

from datetime import tzinfo
from typing import Any

from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt, AccessLog
from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from knox.models import AuthToken
from unfold.admin import TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.access import Act
from accounts.changes import Change, Words, changes_in, rows_of
from accounts.desk.forms import DeskForm
from accounts.desk.pages import DeskAdmin
from accounts.desk.shared import ReasonField, SharedAdmin
from accounts.desk.site import user_of
from accounts.models import Centre, Membership, Role, User
from accounts.records import clinical_write
from accounts.services import require_an_administrator

# Deny, then allow: what other packages put on the desk leaves it again. The registry's own pages follow.
for _model in list(admin.site._registry):
    if not _model.__module__.startswith(("patients.", "treatments.", "imaging.", "analytics.")):
        admin.site.unregister(_model)


@admin.register(Centre)
class CentreAdmin(SharedAdmin):
    """A centre is changed by who works its desk, and added by superusers. Its time zone decides on all its local dates."""

    list_display = ("code", "name", "time_zone")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return Centre.objects.visible_to(user_of(request), Act.CORRECT_IN_ADMIN)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return user_of(request).may(Act.CORRECT_IN_ADMIN, obj.pk if obj is not None else None)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return user_of(request).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return user_of(request).may(Act.CORRECT_IN_ADMIN, obj.pk if obj is not None else None)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj is not None else ()  # registry numbers start with it

    def zone_of(self, record: Any) -> tzinfo:
        return record.zone


class MembershipForm(forms.ModelForm):
    """A role stays at its centre: one that moved would be seen from neither as what it was."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None and "centre" in self.fields:
            self.fields["centre"].disabled = True


class MembershipFormSet(forms.BaseInlineFormSet):
    """Roles given, changed and taken away; the last two with the reason that stands on the user's page."""

    def clean(self) -> None:
        super().clean()
        touched = any(form.has_changed() or form in self.deleted_forms for form in self.initial_forms)
        if touched and not self.data.get("reason", "").strip():
            raise ValidationError(
                _("Say why a role is changed or taken away: give the reason for the change.")
            )


class MembershipInline(TabularInline):
    """Roles at the centres whose users the signed-in user manages; those elsewhere are neither shown nor touched."""

    model = Membership
    form = MembershipForm
    formset = MembershipFormSet
    extra = 0
    fields = ("centre", "role")

    def _may(self, request: HttpRequest, obj: User | None) -> bool:
        user = user_of(request)
        if user.is_superuser:
            return True
        # Nobody gives themselves a role: another administrator does.
        others = obj is None or (obj.pk != user.pk and not obj.is_superuser)
        return user.may(Act.MANAGE_USERS) and others

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return user_of(request).may(Act.MANAGE_USERS)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        managed = Centre.objects.visible_to(user_of(request), Act.MANAGE_USERS)
        return super().get_queryset(request).filter(centre__in=managed).select_related("centre")

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "centre":
            kwargs["queryset"] = Centre.objects.visible_to(user_of(request), Act.MANAGE_USERS)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        if obj is None and not user_of(request).is_superuser:
            # Without a role at one of his centres the administrator could not see whom he has just added.
            kwargs |= {"min_num": 1, "validate_min": True}
        formset = super().get_formset(request, obj, **kwargs)
        widget = formset.form.base_fields["centre"].widget if "centre" in formset.form.base_fields else None
        for link in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
            if hasattr(widget, link):
                setattr(widget, link, False)
        return formset


class AccountForm(DeskForm, UserChangeForm):
    """An account; the reason is for its roles, and asked for when one of them is changed or taken away."""

    reason = ReasonField(
        required=False,
        help_text=gettext_lazy(
            "Needed when a role is changed or taken away. Kept in the history of the roles."
        ),
    )


class NewAccountForm(DeskForm, UserCreationForm):
    pass


@admin.register(User)
class UserAdmin(DjangoUserAdmin, SharedAdmin):  # type: ignore[misc]  # get_form: ``change`` is among its **kwargs
    """Users of one's centres.

    An account belongs to an administrator when every role of it lies at centres that he manages; then he may rename it,
    close it and set its password. Of other accounts he sees the names and changes the roles at his own centres. Superusers
    are made and changed by superusers.
    """

    form = UserChangeForm
    add_form = NewAccountForm
    change_reason_form = AccountForm
    change_password_form = AdminPasswordChangeForm
    inlines = (MembershipInline,)
    list_display = ("username", "first_name", "last_name", "email", "is_active", "last_login")
    list_filter = ("is_active", "memberships__role")
    filter_horizontal = ()
    own_fields = ("username", "first_name", "last_name", "email", "is_active")

    def owns(self, request: HttpRequest, account: User) -> bool:
        """Return whether the account itself, with its password, is the signed-in user's to manage."""
        user = user_of(request)
        if user.is_superuser:
            return True
        centres = set(account.memberships.values_list("centre_id", flat=True))
        return (
            not account.is_superuser and bool(centres) and centres <= set(user.centre_ids(Act.MANAGE_USERS))
        )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        user, users = user_of(request), super().get_queryset(request)
        if user.is_superuser:
            return users
        at_his_centres = Membership.objects.filter(centre__in=user.centre_ids(Act.MANAGE_USERS))
        return users.filter(pk__in=at_his_centres.values("user_id"))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return user_of(request).may(Act.MANAGE_USERS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return user_of(request).may(Act.MANAGE_USERS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        user = user_of(request)
        return user.may(Act.MANAGE_USERS) and (user.is_superuser or obj is None or not obj.is_superuser)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("username", "usable_password", "password1", "password2")})]
        account: tuple[str, ...] = self.own_fields
        if self.owns(request, obj):
            account = (account[0], "password", *account[1:])
        if user_of(request).is_superuser:
            account += ("is_superuser",)
        fieldsets = [(None, {"fields": account}), (_("Dates"), {"fields": ("last_login", "date_joined")})]
        if self.has_change_permission(request, obj):
            fieldsets.append((pgettext("desk", "Change"), {"fields": ("reason",)}))
        return fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        dates = ("last_login", "date_joined")
        return dates if self.owns(request, obj) else (*self.own_fields, *dates)

    # Writing: the account first, then its roles, in one transaction of the page.

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with clinical_write(by=user_of(request), reason=form.cleaned_data.get("reason", "")):
            obj.save()
            if change and "is_active" in form.changed_data and not obj.is_active:
                require_an_administrator(
                    obj.memberships.filter(role=Role.ADMINISTRATOR).values_list("centre_id", flat=True)
                )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        with clinical_write(by=user_of(request), reason=form.cleaned_data.get("reason", "")):
            account = form.instance
            before = set(
                account.memberships.filter(role=Role.ADMINISTRATOR).values_list("centre_id", flat=True)
            )
            super().save_related(request, form, formsets, change)
            administered = account.memberships.filter(role=Role.ADMINISTRATOR)
            require_an_administrator(before - set(administered.values_list("centre_id", flat=True)))

    # The history: roles by the database's own rows, as far as the reader's centres go; the account by Django's log.

    def history_changes(self, request: HttpRequest, record: Any) -> list[Change]:
        managed = Centre.objects.visible_to(user_of(request), Act.MANAGE_USERS)
        rows = rows_of(Membership).filter(user_id=record.pk, centre__in=managed).select_related("centre")
        return changes_in(Membership, rows, Words(self.zone_of(record)))

    def history_context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        accounts = ContentType.objects.get_for_model(User)
        log = LogEntry.objects.filter(content_type=accounts, object_id=str(record.pk)).select_related("user")
        return {"of_memberships": True, "log": log}

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        return super().construct_change_message(request, form, [], add)  # the log would name all roles

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return DjangoUserAdmin.log_addition(self, request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return DjangoUserAdmin.log_change(self, request, obj, message) if message else None

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        account = self.get_object(request, id)
        if account is None:
            raise Http404
        if not self.owns(request, account):
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)


class SuperuserAdmin(DeskAdmin):
    """Seen, and where it says so deleted, by superusers alone; changed by nobody."""

    may_delete = False
    list_display_links = None

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return user_of(request).is_superuser

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_delete and user_of(request).is_superuser


@admin.register(AuthToken)
class AuthTokenAdmin(SuperuserAdmin):
    """API tokens. Deleting one revokes it."""

    may_delete = True
    actions = ("delete_selected",)
    list_display = ("user", "token_key", "created", "expiry")
    list_select_related = ("user",)
    fields = ("user", "token_key", "created", "expiry")


@admin.register(Authenticator)
class AuthenticatorAdmin(SuperuserAdmin):
    """Second factors. Deleting one lets a person in who has lost the telephone."""

    may_delete = True
    actions = ("delete_selected",)
    list_display = ("user", "type", "created_at", "last_used_at")
    list_select_related = ("user",)
    fields = ("user", "type", "created_at", "last_used_at")


@admin.register(AccessAttempt)
class AccessAttemptAdmin(SuperuserAdmin):
    """Failed sign-ins that still count. Deleting one ends a lock-out."""

    may_delete = True
    actions = ("delete_selected",)
    list_display = ("attempt_time", "username", "ip_address", "failures_since_start")
    fields = ("attempt_time", "username", "ip_address", "failures_since_start")


@admin.register(AccessLog)
class AccessLogAdmin(SuperuserAdmin):
    list_display = ("attempt_time", "logout_time", "username", "ip_address")
    fields = ("attempt_time", "logout_time", "username", "ip_address")
