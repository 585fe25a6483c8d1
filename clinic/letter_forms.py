"""The form that a centre's letters are written in."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.letters.placeholders import Kind
from clinic.letters.shipped import Wording
from clinic.letters.text import MOST_BODY, MOST_TITLE, problems


class LetterForm(forms.Form):
    """Title and text of a letter, and whose facts the preview shows."""

    title = forms.CharField(label=_("Title"), max_length=MOST_TITLE)
    body = forms.CharField(
        label=_("Text"),
        max_length=MOST_BODY,
        help_text=_(
            "An empty line begins a paragraph; a line with # in front is a heading, with - an item of a list."
        ),
        widget=forms.Textarea(attrs={"rows": 26, "spellcheck": "true"}),
    )
    preview_for = forms.CharField(
        label=_("Preview for"),
        max_length=20,
        required=False,
        help_text=_("The registry number of a patient of this centre; empty: an invented patient."),
    )
    seen_version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, kind: Kind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        found = problems(self.kind, title=values.get("title", ""), body=values.get("body", ""))
        for name, said in found.items():
            if name in values:
                self.add_error(name, said)
        return values

    @property
    def wording(self) -> Wording:
        return Wording(self.cleaned_data["title"], self.cleaned_data["body"], None)
