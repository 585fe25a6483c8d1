"""The forms of the imaging page: lesions, and the reading that is signed."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clinic.forms import CHOOSE, reason_field
from clinic.selectors.imaging import SigningPage
from imaging.models import Lesion, LesionOrgan, OverallResponse, Role


class NewLesionForm(forms.Form):
    role = forms.ChoiceField(label=_("Kind"), choices=Role.choices, initial=Role.TARGET)
    organ = forms.ChoiceField(
        label=_("Organ"),
        choices=[("", CHOOSE), *LesionOrgan.choices],
        error_messages={"required": _("Choose the organ.")},
    )
    site = forms.CharField(
        label=_("Where in it"), max_length=80, required=False, help_text=_("Such as segment VII.")
    )
    label = forms.CharField(
        label=_("Label"),
        max_length=12,
        required=False,
        help_text=_("Blank: the next number, such as L4."),
        strip=True,
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        required=False,
        help_text=_("Needed for target and non-target lesions once a study of the course has been signed."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, asks_reason: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not asks_reason:
            del self.fields["reason"]


class LesionForm(forms.Form):
    role = forms.ChoiceField(label=_("Kind"), choices=Role.choices)
    organ = forms.ChoiceField(label=_("Organ"), choices=LesionOrgan.choices)
    site = forms.CharField(
        label=_("Where in it"), max_length=80, required=False, help_text=_("Such as segment VII.")
    )
    label = forms.CharField(label=_("Label"), max_length=12)
    selection_reason = forms.CharField(
        label=_("Kept against RECIST 1.1 because"),
        max_length=500,
        required=False,
        help_text=_(
            "A reader may keep a lesion that is too small by the rule: say why. Blank: the rule holds."
        ),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    reason = forms.CharField(
        label=_("Reason for the change"),
        max_length=500,
        required=False,
        help_text=_("Needed once a study of the course has been signed; kept in the history."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    @classmethod
    def of(cls, lesion: Lesion) -> "LesionForm":
        names = ("role", "organ", "site", "label", "selection_reason", "version")
        return cls(initial={name: getattr(lesion, name) for name in names})

    def clean_label(self) -> str:
        return str(self.cleaned_data["label"]).strip().upper()


class VoidLesionForm(forms.Form):
    reason = reason_field(_("Reason for voiding"), _("Say why this is voided."))


class ReadingSignForm(forms.Form):
    """The response that a reader signs. Without a choice it is the derived one."""

    overall_response = forms.ChoiceField(label=_("Overall response"), required=False)
    override_reason = forms.CharField(
        label=_("Why it differs from the derived response"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    note = forms.CharField(
        label=_("Note"), max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        error_messages={"required": _("Type your password: it is your signature.")},
        help_text=_("Your own, once more: it is your signature."),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, page: SigningPage, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A draft is kept without a signature, and without the reason that a signature needs.
        is_draft = self.is_bound and "draft" in self.data
        self.fields["password"].required = not is_draft
        derived = page.derived.response
        choices: list[tuple[str, Any]] = list(OverallResponse.choices)
        if derived:
            first = ("", gettext("{response}, as derived").format(response=OverallResponse(derived).label))
            choices = [first, *[one for one in choices if one[0] != derived]]
        else:
            choices = [("", CHOOSE), *choices]
            self.fields["overall_response"].required = True
            self.fields["overall_response"].error_messages["required"] = _(
                "No response can be derived: choose one."
            )
            del self.fields["override_reason"]
        self.fields["overall_response"].choices = choices  # type: ignore[attr-defined]
        if page.asks_reason:
            self.fields["reason"] = reason_field(
                _("Reason for signing it anew"), _("Say why the reading is changed.")
            )
            self.fields[
                "reason"
            ].required = False  # the service says so, after what is wrong with the reading
            self.order_fields(["overall_response", "override_reason", "note", "reason", "password"])

    @classmethod
    def of(cls, page: SigningPage) -> "ReadingSignForm":
        reading = page.reading
        initial: dict[str, Any] = {"version": reading.version if reading is not None else 0}
        if reading is not None:
            same = reading.overall_response == page.derived.response
            initial |= {
                "overall_response": "" if same else reading.overall_response,
                "override_reason": reading.override_reason,
                "note": reading.note,
            }
        return cls(initial=initial, page=page)

    @property
    def as_list(self) -> list[forms.Form]:
        """This form alone, for the summary of errors."""
        return [self]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        values.setdefault("override_reason", "")
        return values
