"""The forms of the desk, and what a service refused as their errors."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget

from languages.calling import called


class DeskForm(forms.ModelForm):
    """A form whose values are stored by a service; what the service refuses comes back as errors of the form."""

    request: ClassVar[HttpRequest]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for message, field in getattr(self.request, "desk_refusals", []):
            if field is None or field in self.fields:
                self.add_error(field, message)
            else:
                self.add_error(None, f"{capfirst(called(field.replace('_', ' ')))}: {message}")
        return cleaned

    def model_changes(self) -> dict[str, Any]:
        """Return field name to new value, of the record's own fields that differ."""
        names = {field.name for field in self._meta.model._meta.fields}
        return {name: self.cleaned_data[name] for name in self.changed_data if name in names}


def reason_field() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Reason for the correction"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=gettext_lazy("Kept in the history beside the old and the new values."),
    )


class CorrectionForm(DeskForm):
    """A correction: says why, and which version it was made from."""

    # What the reason of a correction is called here: some records have a reason of their own.
    reason_name: ClassVar[str] = "reason"

    reason = reason_field()
    expected_version = forms.IntegerField(label=gettext_lazy("Expected version"), widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "expected_version" in self.fields:
            self.fields["expected_version"].initial = self.instance.version

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        # Of an old version everything that somebody else changed would seem changed here: the service tells.
        current = cleaned.get("expected_version") == self.instance.version
        of_correction = {self.reason_name, "expected_version"}
        if current and not self.errors and not set(self.changed_data) - of_correction:
            self.add_error(None, _("Nothing was changed: the values are those already stored."))
        return cleaned


class OwnReasonCorrectionForm(CorrectionForm):
    """A correction of a record that has a reason of its own."""

    reason_name = "correction_reason"

    reason: ClassVar[Any] = None  # type: ignore[misc]  # the record's own, made by Django
    correction_reason = reason_field()


class VoidForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "required": True, "autofocus": True}),
    )
    expected_version = forms.IntegerField(label=gettext_lazy("Expected version"), widget=forms.HiddenInput)


def refusals_of(refused: ValidationError) -> list[tuple[str, str | None]]:
    """Return (message, field or None) for each thing that was refused."""
    if not hasattr(refused, "error_dict"):
        return [(message, None) for message in refused.messages]
    return [
        (message, None if field == NON_FIELD_ERRORS else field)
        for field, found in refused.message_dict.items()
        for message in found
    ]
