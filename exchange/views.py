"""The import pages: a file is sent, its columns are said, it is checked, imported, and can be undone as a whole.

Addresses hold the import's UUID alone. In words: docs/importing.md.
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.http import SignedInRequest
from exchange import imported, importing
from exchange.columns import SHEETS
from exchange.forms import HeaderForm, MappingForm, ReasonForm, UndoForm, UploadForm
from exchange.mapping import SheetMapping
from exchange.models import ColumnMapping, Import, ImportState
from exchange.problems import ImportRefused
from exchange.sheets import RawSheet
from exchange.telling import SHEET_WORDS, told
from exchange.upload import ImportUploadHandler
from exchange.values import Cell, as_text

MOST_LISTED = 50
MOST_SHOWN = 100  # problems on the page; the annotated file has them all
EXAMPLES = 3
PREVIEW_ROWS = 12
POLL_SECONDS = 1
MOST_DIFFERING = 50  # readings named on the page
MOST_UNDONE = 100_000  # records that are taken back while a page waits


def _visible(request: SignedInRequest, import_id: uuid.UUID) -> Import:
    """Return an import of a centre at which the user may import files, without the file; of others there is none."""
    found: Import = get_object_or_404(
        Import.objects.visible_to(request.user)
        .defer("content")
        .select_related("centre", "created_by", "asked_by", "undone_by"),
        pk=import_id,
    )
    return found


# Exempt, and protected below: the check of the form's token reads the upload, which needs its handler first.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def import_list(request: SignedInRequest) -> HttpResponse:
    """Show what was imported, and take a file."""
    request.user.require(Act.IMPORT_FILES)
    upload = None
    if request.method == "POST" and request.content_type == "multipart/form-data":
        upload = ImportUploadHandler(request)
        request.upload_handlers = [upload]
    return _list(request, upload)


@csrf_protect
def _list(request: SignedInRequest, upload: ImportUploadHandler | None) -> HttpResponse:
    if request.method != "POST":
        return _list_page(request, UploadForm(user=request.user))
    form = UploadForm(request.POST, user=request.user)
    if upload is not None and upload.is_too_large:
        most = importing.MOST_BYTES // 1024 // 1024
        return _list_page(
            request,
            form,
            refused=_("The file is larger than {most} MB. Split it by patients.").format(most=most),
            status=413,
        )
    if not form.is_valid():
        return _list_page(request, form, status=422)
    if upload is None or upload.content is None:
        return _list_page(request, form, refused=_("Choose a file first."), status=422)
    try:
        job = importing.receive(upload.content, centre=form.cleaned_data["centre"], by=request.user)
    except ImportRefused as refused:
        said = "; ".join(_sentence(problem.expected) for problem in refused.problems[:3])
        return _list_page(request, form, refused=said, status=422)
    return redirect("import-columns" if job.is_own_sheet else "import-detail", job.pk)


def _sentence(expected: str) -> str:
    """Return a problem of a whole file as a sentence."""
    said = told(expected)
    if expected.startswith(("expected", "unknown", "a ", "the ")):
        return f"{said[0].upper()}{said[1:]}."
    return _("The file {what}.").format(what=said)


def _list_page(
    request: SignedInRequest, form: UploadForm, *, refused: str = "", status: int = 200
) -> HttpResponse:
    listed = Import.objects.visible_to(request.user).defer("content", "problems", "mapping", "differing")
    context = {
        "form": form,
        "imports": listed.select_related("centre", "created_by")[:MOST_LISTED],
        "refused": refused,
        "is_refused": status != 200,
        "most_mb": importing.MOST_BYTES // 1024 // 1024,
        "kept_days": importing.KEPT.days,
    }
    return render(request, "exchange/import_list.html", context, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def import_columns(request: SignedInRequest, import_id: uuid.UUID) -> HttpResponse:
    """Show the sheet and what its columns may mean, and take what they do mean."""
    job = _visible(request, import_id)
    # The rows of the sheet are shown as they are, names and all.
    request.user.require(Act.VIEW_IDENTITY, job.centre_id)
    if not job.is_own_sheet:
        raise Http404
    if job.state not in importing.OPEN:
        return redirect("import-detail", job.pk)
    try:
        raw = importing.raw_sheets(job)
        header, mapping = _header(request, job, raw)
    except ImportRefused as refused:
        messages.error(request, _sentence(refused.problems[0].expected))
        return redirect("import-detail", job.pk)
    if request.method != "POST":
        return _columns_page(request, job, raw, header, MappingForm(mapping=mapping))
    form = MappingForm(request.POST, mapping=mapping)
    if not form.is_valid():
        return _columns_page(request, job, raw, header, form, status=422)
    read = form.read()
    try:
        importing.set_columns(job, read, by=request.user)
        if name := form.cleaned_data["save_as"].strip():
            importing.save_mapping(job, read, name=name, by=request.user)
        importing.ask_check(job, by=request.user, reason=job.reason)
    except (ValidationError, RegistryError) as refusal:
        form.add_error(None, refusal if isinstance(refusal, ValidationError) else refusal.message)
        return _columns_page(request, job, raw, header, form, status=409)
    return redirect("import-detail", job.pk)


def _header(
    request: SignedInRequest, job: Import, raw: Sequence[RawSheet]
) -> tuple[HeaderForm, SheetMapping]:
    """Return which sheet and header were asked for, and the mapping to begin with."""
    saved = ColumnMapping.objects.visible_to(request.user).filter(centre=job.centre_id)
    asked = request.POST if request.method == "POST" else request.GET
    if "sheet" in asked:
        form = HeaderForm(asked, titles=[one.title for one in raw], saved=saved)
        if form.is_valid():
            held = form.cleaned_data
            mapping = importing.proposed(
                job, sheet=held["sheet"], first=held["first"], last=held["last"], saved=held["saved"]
            )
            return form, mapping
    mapping = SheetMapping.of_json(job.mapping) if job.mapping else importing.proposed(job)
    kept = None
    if not job.mapping and (kept := importing.best_saved(job, [column.name for column in mapping.columns])):
        mapping = importing.proposed(
            job, sheet=mapping.sheet, first=mapping.first, last=mapping.last, saved=kept
        )
    initial = {"sheet": mapping.sheet, "first": mapping.first, "last": mapping.last, "saved": kept}
    return HeaderForm(initial=initial, titles=[one.title for one in raw], saved=saved), mapping


def _columns_page(
    request: SignedInRequest,
    job: Import,
    raw: Sequence[RawSheet],
    header: HeaderForm,
    form: MappingForm,
    *,
    status: int = 200,
) -> HttpResponse:
    mapping = form.mapping
    rows = raw[mapping.sheet].preview()
    # As the clinic sees them: of merged cells the first one alone.
    plain = [list(row) for row in islice(raw[mapping.sheet].plain_rows(), PREVIEW_ROWS)]
    width = max(map(len, plain), default=0)
    below = [row for row in rows[mapping.last :] if any(as_text(cell) for cell in row)]
    context = {
        "import": job,
        "header": header,
        "form": form,
        "columns": list(form.column_rows(_examples(below, len(mapping.columns)))),
        "mapping": mapping,
        "preview": [
            (
                number,
                mapping.first <= number <= mapping.last,
                [*map(as_text, row), *[""] * (width - len(row))],
            )
            for number, row in enumerate(plain, start=1)
        ],
        "note": told(raw[mapping.sheet].note),
        "is_refused": status != 200,
    }
    return render(request, "exchange/import_columns.html", context, status=status)


def _examples(rows: Sequence[Sequence[Cell]], width: int) -> list[list[str]]:
    found: list[list[str]] = [[] for _ in range(width)]
    for row in rows:
        for index, cell in enumerate(row[:width]):
            text = as_text(cell)
            if text and text not in found[index] and len(found[index]) < EXAMPLES:
                found[index].append(text[:60])
    return found


@never_cache
@require_safe
def import_detail(request: SignedInRequest, import_id: uuid.UUID) -> HttpResponse:
    """Show where an import stands: what it would do, what is wrong, how far it is, what it did."""
    job = _visible(request, import_id)
    if job.is_own_sheet and job.mapping is None:
        return redirect("import-columns", job.pk)
    template = "exchange/_import.html" if request.htmx else "exchange/import_detail.html"  # type: ignore[attr-defined]
    return render(request, template, _context(request, job))


def _context(request: SignedInRequest, job: Import, form: ReasonForm | None = None) -> dict[str, Any]:
    counts = [
        {"name": SHEET_WORDS[sheet.name], **job.counts[sheet.name]}
        for sheet in SHEETS
        if sheet.name in job.counts
    ]
    return {
        "import": job,
        "form": form or ReasonForm(initial={"reason": job.reason}),
        "counts": counts,
        "n_new": sum(row["new"] for row in counts),
        "n_changed": sum(row["changed"] for row in counts),
        "step": told(job.step),
        "shown": [
            one
            | {
                "value": _(one["value"]) if one["value"] == "(blank)" else one["value"],
                "expected": told(one["expected"]),
            }
            for one in job.problems[:MOST_SHOWN]
        ],
        "differing": [told(sentence) for sentence in job.differing[:MOST_DIFFERING]],
        "most_shown": MOST_SHOWN,
        "most_named": importing.MOST_PROBLEMS,
        "poll_seconds": POLL_SECONDS,
    }


@never_cache
@require_POST
def import_check(request: SignedInRequest, import_id: uuid.UUID) -> HttpResponse:
    """Check a file, or check it again, with the reason of what it corrects."""
    job = _visible(request, import_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return render(request, "exchange/import_detail.html", _context(request, job, form), status=422)
    try:
        importing.ask_check(job, by=request.user, reason=form.cleaned_data["reason"])
    except RegistryError as refused:
        messages.error(request, refused.message)
    return redirect("import-detail", job.pk)


@never_cache
@require_POST
def import_start(request: SignedInRequest, import_id: uuid.UUID) -> HttpResponse:
    """Have a checked file imported. A second press asks for nothing more."""
    job = _visible(request, import_id)
    try:
        importing.ask_import(job, by=request.user)
    except RegistryError as refused:
        messages.error(request, refused.message)
    return redirect("import-detail", job.pk)


@never_cache
@require_POST
def import_discard(request: SignedInRequest, import_id: uuid.UUID) -> HttpResponse:
    """Throw a file away that was not imported."""
    job = _visible(request, import_id)
    try:
        importing.discard(job, by=request.user)
    except RegistryError as refused:
        messages.error(request, refused.message)
        return redirect("import-detail", job.pk)
    messages.success(request, _("The file was thrown away. Nothing of it was stored."))
    return redirect("import-list")


@never_cache
@require_safe
def import_download(request: SignedInRequest, import_id: uuid.UUID) -> HttpResponse:
    """Return the file with a column that says what is wrong with each row."""
    job = _visible(request, import_id)
    request.user.require(Act.VIEW_IDENTITY, job.centre_id)
    try:
        content, ending = importing.annotated_file(job)
    except RegistryError as refused:
        messages.error(request, refused.message)
        return redirect("import-detail", job.pk)
    except ImportRefused as refused:  # it cannot be read to its end
        first = refused.problems[0]
        messages.error(
            request,
            _("There is no file with its problems: {problem}.").format(
                problem=replace(first, file=told(first.file), expected=told(first.expected))
            ),
        )
        return redirect("import-detail", job.pk)
    kinds = {
        "csv": "text/csv; charset=utf-8",
        "zip": "application/zip",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
    answer = HttpResponse(content, content_type=kinds[ending])
    answer["Content-Disposition"] = (
        f'attachment; filename="import-{timezone.now():%Y-%m-%d}-problems.{ending}"'
    )
    return answer


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def import_undo(request: SignedInRequest, import_id: uuid.UUID) -> HttpResponse:
    """Show what undoing an import would do and what stands in its way, and undo it with a reason."""
    job = _visible(request, import_id)
    form, status = UndoForm(), 200
    if job.state != ImportState.DONE:
        messages.error(request, _("This import is not in force: there is nothing to undo."))
        return redirect("import-detail", job.pk)
    if request.method == "POST":
        form, status = UndoForm(request.POST), 422
        if job.rows.count() > MOST_UNDONE:
            form.add_error(None, _("It is too large to be undone here."))
        elif form.is_valid():
            try:
                imported.undo(job, by=request.user, reason=form.cleaned_data["reason"])
            except RegistryError as refused:
                form.add_error(None, refused.message)
                status = 409
            except ValidationError as refused:
                form.add_error(None, ValidationError(refused.messages))
            else:
                messages.success(request, _("The import was undone."))
                return redirect("import-detail", job.pk)
    in_the_way, n = imported.in_the_way(job)
    context = {
        "import": job,
        "form": form,
        "in_the_way": in_the_way,
        "n_in_the_way": n,
        "is_too_large": job.rows.count() > MOST_UNDONE,
        "n_created": job.rows.filter(was_created=True).count(),
        "n_changed": job.rows.filter(was_created=False).count(),
        "is_refused": status != 200,
    }
    return render(request, "exchange/import_undo.html", context, status=status)
