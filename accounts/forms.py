"""The forms of people's pages."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.models import Centre, Role, User


class RoleForm(forms.Form):
    """A role at a centre whose users the signed-in user manages."""

    centre = forms.ModelChoiceField(Centre.objects.none(), empty_label=None, label=_("Centre"))
    role = forms.ChoiceField(choices=Role, label=_("Role"))

    def __init__(self, *args: Any, manager: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["centre"].queryset = Centre.objects.visible_to(manager, Act.MANAGE_USERS)  # type: ignore[attr-defined]


class PersonForm(RoleForm):
    """A new account with its first role."""

    username = forms.CharField(
        label=_("User name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    first_name = forms.CharField(label=_("Given names"), max_length=150, required=False)
    last_name = forms.CharField(label=_("Family name"), max_length=150, required=False)
    field_order = ("username", "first_name", "last_name", "centre", "role")


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=500)
