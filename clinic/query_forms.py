"""The forms of queries: what is said, who is asked, what a new one is about."""

import uuid
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from analytics.models import QueriedRecord
from analytics.query_acts import MOST_TEXT, assignable
from clinic.selectors.names import person_name
from clinic.selectors.queries import records_of
from patients.models import Patient

NO_NAMES = _("No names here: everybody who may see the record reads it.")


class PersonField(forms.ModelChoiceField):
    def label_from_instance(self, person: User) -> str:  # type: ignore[override]
        return person_name(person)


def _text_field(label: Any, missing: Any, help_text: Any = NO_NAMES) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=MOST_TEXT,
        help_text=help_text,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": missing},
    )


def _people(centre_id: uuid.UUID) -> QuerySet[User]:
    return assignable(centre_id).order_by("last_name", "first_name", "username")


class SayForm(forms.Form):
    """What is said of a query: an answer, or why it is closed or opened again."""

    text = _text_field(_("Answer, or reason"), _("Write what is to be said."))


class AssignForm(forms.Form):
    """Who is to look at a query."""

    assigned_to = PersonField(
        label=_("Who is to look at it"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("Nobody in particular"),
    )

    def __init__(self, *args: Any, centre_id: uuid.UUID, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assigned_to"].queryset = _people(centre_id)  # type: ignore[attr-defined]


class RaiseForm(forms.Form):
    """A query raised by hand."""

    record = forms.ChoiceField(label=_("What it is about"))
    text = _text_field(_("What is to be looked at"), _("Say what is to be looked at."))
    assigned_to = PersonField(
        label=_("Who is to look at it"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("Nobody in particular"),
    )

    def __init__(self, *args: Any, patient: Patient, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["record"].choices = records_of(patient)  # type: ignore[attr-defined]
        self.fields["assigned_to"].queryset = _people(patient.centre_id)  # type: ignore[attr-defined]

    def values(self) -> dict[str, Any]:
        """Return the arguments of ``raise_query``."""
        kind, pk = self.cleaned_data["record"].split("~", 1)
        return {
            "record_kind": QueriedRecord(kind),
            "record_id": uuid.UUID(pk),
            "text": self.cleaned_data["text"],
            "assigned_to": self.cleaned_data["assigned_to"],
        }
