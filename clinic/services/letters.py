"""Writing the texts of letters."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.errors import StaleRecord
from accounts.models import Centre, User
from accounts.records import clinical_write
from clinic.letters.placeholders import Kind
from clinic.letters.text import problems
from clinic.models import LetterTemplate


def save_letter_template(
    *, centre: Centre, kind: Kind, title: str, body: str, seen_version: int, by: User
) -> LetterTemplate:
    """Store the text of a centre's letter as its next version.

    Args:
        seen_version: the newest when the form was opened; 0: the text that is shipped.

    Raises:
        PermissionDenied: ``by`` does not manage the centre's texts.
        StaleRecord: somebody else stored a version meanwhile.
        ValidationError: a placeholder is not known, or a table stands within a sentence; the message names it.
    """
    by.require(Act.MANAGE_COHORTS, centre.pk)
    title, body = title.strip(), body.replace("\r\n", "\n").strip()
    if refused := problems(kind, title=title, body=body):
        raise ValidationError(refused)
    with clinical_write(by=by):
        Centre.objects.select_for_update().get(pk=centre.pk)  # one version after another
        newest = LetterTemplate.objects.filter(centre=centre, kind=kind).first()
        version = newest.version if newest is not None else 0
        if version != seen_version:
            raise StaleRecord(
                _("Version {version} of this text was stored while you had it open.").format(version=version),
                current_version=version,
            )
        template = LetterTemplate(
            centre=centre, kind=kind, version=version + 1, title=title, body=body, saved_by=by
        )
        template.full_clean()
        template.save(force_insert=True)
    return template
