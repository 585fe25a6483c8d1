"""Files that were sent to be imported, what became of them, and how a centre's own sheets are read. Derived of nothing."""

import uuid
from typing import Self

from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.models import Centre, User


class FileKind(models.TextChoices):
    COHORT_ZIP = "cohort_zip", _("Cohort file (.zip of CSV)")
    COHORT_XLSX = "cohort_xlsx", _("Cohort file (.xlsx)")
    XLSX = "xlsx", _("Own sheet (.xlsx)")
    CSV = "csv", _("Own sheet (CSV)")


class ImportState(models.TextChoices):
    UPLOADED = "uploaded", _("To be checked")
    CHECKED = "checked", _("Checked, not imported")
    REFUSED = "refused", _("Has problems")
    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Imported")
    UNDONE = "undone", _("Undone")


class ImportWork(models.TextChoices):
    CHECK = "check", _("Check")
    IMPORT = "import", _("Import")


class OfCentre(models.QuerySet):
    def visible_to(self, user: User, act: Act = Act.IMPORT_FILES) -> Self:
        """Return the rows of the centres at which ``user`` may perform ``act``."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self.all()
        return self.filter(centre__in=user.centre_ids(act))


class Import(models.Model):
    """A file that was sent to be imported. Its name is not kept: it may be a patient's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    centre = models.ForeignKey(Centre, on_delete=models.PROTECT, related_name="imports")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=12, choices=FileKind)
    size_bytes = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64, validators=[MinLengthValidator(64)])
    content = models.BinaryField(null=True, help_text="The file; removed once it is imported or too old.")
    mapping = models.JSONField(
        null=True, help_text="How an own sheet is read: exchange.mapping.SheetMapping."
    )
    reason = models.CharField(max_length=500, blank=True, help_text="Why records are corrected by it.")
    state = models.CharField(max_length=8, choices=ImportState, default=ImportState.UPLOADED)
    work = models.CharField(max_length=6, choices=ImportWork, default=ImportWork.CHECK)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="How often a worker began the work: more than once where one was killed."
    )
    asked_at = models.DateTimeField(null=True)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)
    step = models.CharField(max_length=120, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, help_text="Rows by sheet: new, changed, unchanged.")
    problems = models.JSONField(default=list, help_text="The first of them; without names and MRNs.")
    n_problems = models.PositiveIntegerField(default=0)
    differing = models.JSONField(
        default=list, help_text="Readings that say another response than is derived."
    )
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    undo_reason = models.CharField(max_length=500, blank=True)

    objects = OfCentre.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="undone", undone_at__isnull=False) & ~Q(undo_reason="")
                | ~Q(state="undone") & Q(undone_at__isnull=True, undo_reason=""),
                name="exchange_import_undone_with_reason",
                violation_error_message=_(
                    "An undone import needs a time and a reason, and only it has them."
                ),
            ),
            models.CheckConstraint(
                condition=Q(state__in=("done", "undone")) | Q(content__isnull=False) | Q(state="refused"),
                name="exchange_import_has_content",
                violation_error_message=_("A file that is still to be imported needs its content."),
            ),
        ]
        indexes = [
            models.Index(
                fields=["asked_at"],
                condition=Q(state__in=("waiting", "running")),
                name="exchange_import_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"import {self.pk}: {self.state}"

    @property
    def is_own_sheet(self) -> bool:
        return self.kind in {FileKind.XLSX, FileKind.CSV}

    @property
    def is_at_work(self) -> bool:
        return self.state in {ImportState.WAITING, ImportState.RUNNING}


class ImportedRow(models.Model):
    """A record that an import created or changed, at the version that it left. What it held before is in the history."""

    id = models.BigAutoField(primary_key=True)
    of = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="rows")
    model = models.CharField(max_length=60, help_text="Of the record, such as patients.contact.")
    record_id = models.UUIDField()
    was_created = models.BooleanField()
    first_version = models.PositiveIntegerField(help_text="That the import gave it.")
    version = models.PositiveIntegerField(help_text="The last one that the import gave it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["of", "model", "record_id"], name="exchange_importedrow_once"),
        ]
        indexes = [models.Index(fields=["record_id"], name="exchange_importedrow_record")]

    def __str__(self) -> str:
        return f"{self.model} {self.record_id}"


class ColumnMapping(models.Model):
    """How a centre's own sheets are read: kept under a name, offered for the next sheet."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    centre = models.ForeignKey(Centre, on_delete=models.CASCADE, related_name="column_mappings")
    name = models.CharField(max_length=60)
    columns = models.JSONField(help_text="Name in the sheet's header to target, of and unit.")
    date_style = models.CharField(
        max_length=3, blank=True, help_text="As stated: dmy, mdy or iso; blank: not stated."
    )
    decimal_sign = models.CharField(
        max_length=5, blank=True, help_text="As stated: comma or point; blank: not stated."
    )
    time_of_day = models.CharField(
        max_length=5, blank=True, help_text="Of moments without one, such as 10:00."
    )
    stated = models.JSONField(default=dict, help_text="Values of every row.")
    saved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    saved_at = models.DateTimeField(db_default=Now())

    objects = OfCentre.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["centre", "name"],
                name="exchange_columnmapping_name_once",
                violation_error_message=_("This centre already has a mapping of this name."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
