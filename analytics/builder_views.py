"""The cohort builder: a form over everything a cohort can be filtered by, that says how many it counts as it changes."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import Act
from accounts.http import SignedInRequest
from analytics import cohorts, exploring, results
from analytics.cohort_forms import CohortForm, QuestionForm, stratum_words, usual_definition
from analytics.models import Cohort, Definition
from analytics.rules.endpoints import EndpointDefinition

CHANGED_MEANWHILE = gettext_lazy(
    "This cohort was changed while you had it open, and nothing of yours was stored. Look at it as it is now in another "
    "tab, then send this form again to put yours in its place."
)


def _visible(request: SignedInRequest, slug: str) -> Cohort:
    request.user.require(Act.VIEW_RESULTS)
    seen = Cohort.objects.visible_to(request.user).select_related("definition")
    return get_object_or_404(seen, slug=slug)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def cohort_new(request: SignedInRequest) -> HttpResponse:
    """Ask for a new cohort; begin with another (``?from=slug``) or with a question of the explorer; store it."""
    request.user.require(Act.VIEW_RESULTS)
    if request.method == "POST":
        return _posted(request, None)
    source = request.GET.get("from")
    if source:
        cohort = _visible(request, source)
        initial = CohortForm.initial_of(cohort) | {
            "name": _("{cohort}, mine").format(cohort=cohort.name)[:120],
            "is_shared": False,
        }
    else:
        initial = _initial_of_question(request)
    form = CohortForm(initial=initial, user=request.user, facets=exploring.facets(request.user))
    return _page(request, form, None)


def _initial_of_question(request: SignedInRequest) -> dict[str, Any]:
    """Return what the address brings along from the explorer: the filter, and a definition's rules and cut-off."""
    initial: dict[str, Any] = {}
    asked = QuestionForm(request.GET, user=request.user)
    asked.is_valid()
    initial |= {name: value for name, value in asked.filter_values().items() if value not in (None, [], "")}
    given = request.GET.get("definition", "")
    definition = (
        Definition.objects.filter(pk=int(given)).first() if given.isdecimal() and len(given) < 10 else None
    )
    definition = definition or usual_definition(request.user)
    if definition is not None:
        initial |= CohortForm.initial_of_definition(definition)
        if not given:
            initial["data_cutoff"] = None
    return initial


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def cohort_edit(request: SignedInRequest, slug: str) -> HttpResponse:
    """Change a cohort, with a reason; who may not is told how to make one of their own from it."""
    cohort = _visible(request, slug)
    if not cohorts.may_change(request.user, cohort):
        if request.method == "POST":
            raise PermissionDenied(_("You may not change this cohort: duplicate it as your own."))
        return render(request, "analytics/cohort_form_refused.html", {"cohort": cohort}, status=403)
    if request.method == "POST":
        return _posted(request, cohort)
    form = CohortForm(
        initial=CohortForm.initial_of(cohort),
        user=request.user,
        kept=cohort,
        facets=exploring.facets(request.user),
    )
    return _page(request, form, cohort)


def _posted(request: SignedInRequest, kept: Cohort | None) -> HttpResponse:
    form = CohortForm(request.POST, user=request.user, kept=kept, facets=exploring.facets(request.user))
    if "count" in request.POST:
        form.is_valid()
        for name in ("name", "reason"):
            form.errors.pop(name, None)
        return _page(request, form, kept, counted=_counted(request, form))
    if form.is_valid():
        try:
            cohort = _store(request, form, kept)
        except ValidationError as error:
            _add(form, error)
        else:
            done = (
                _("Cohort {cohort} changed: its figures are counted now.")
                if kept
                else _("Cohort {cohort} stored: its figures are counted now.")
            )
            messages.success(request, done.format(cohort=cohort.name))
            return redirect("cohort-detail", slug=cohort.slug)
    return _page(request, form, kept, counted=_counted(request, form), status=422)


@transaction.atomic
def _store(request: SignedInRequest, form: CohortForm, kept: Cohort | None) -> Cohort:
    values = form.cleaned_data
    if kept is None:
        taken = Cohort.objects.values_list("slug", flat=True)
        cohort = Cohort(slug=cohorts.slug_for(values["name"], taken))
    else:
        cohort = Cohort.objects.select_for_update().get(pk=kept.pk)
        if request.POST.get("seen_version") != str(cohort.version):
            raise ValidationError(CHANGED_MEANWHILE)
    cohort.name, cohort.description = values["name"], values["description"]
    cohort.is_shared = bool(values.get("is_shared", False))
    for name, value in form.filter_values().items():
        setattr(cohort, name, value)
    cohort.definition = cohorts.definition_for(values["rules"], values["data_cutoff"], by=request.user)
    return cohorts.save(cohort, by=request.user, reason=values.get("reason", ""))


def _add(form: CohortForm, error: ValidationError) -> None:
    """Put what a cohort was refused for beside its fields; what has none stands at the top."""
    by_field = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    for name, said in by_field.items():
        place = "name" if name == "slug" else name
        form.add_error(place if place in form.fields else None, said)


def _page(
    request: SignedInRequest,
    form: CohortForm,
    kept: Cohort | None,
    *,
    counted: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    if counted is None:
        counted = _counted_initially(request, form)
    context: dict[str, Any] = {
        "form": form,
        "kept": kept,
        "seen_version": request.POST.get("seen_version") if status == 200 else None,
        "counted": counted,
        "deletable": kept is not None and kept.owner_id == request.user.pk and not kept.is_shared,
        "is_refused": bool(form.errors),
    }
    # After a refusal the version is that of now: what the other wrote was told.
    if kept is not None and not context["seen_version"]:
        context["seen_version"] = Cohort.objects.values_list("version", flat=True).get(pk=kept.pk)
    return render(request, "analytics/cohort_form.html", context, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def cohort_count(request: SignedInRequest) -> HttpResponse:
    """Answer how many a form would count as it stands, and its filter in words. Stores nothing."""
    request.user.require(Act.VIEW_RESULTS)
    data = request.POST if request.method == "POST" else request.GET
    given = data.get("definition", "")
    if given.isdecimal() and len(given) < 10:  # the explorer names a definition
        question = QuestionForm(data, user=request.user)
        question.is_valid()
        chosen = Definition.objects.filter(pk=int(given)).first()
        context = _count(request, question, chosen.rules, chosen.data_cutoff) if chosen else None
    else:
        form = CohortForm(data, user=request.user)
        form.is_valid()
        context = _counted(request, form)
    return render(request, "analytics/_explore_count.html", {"counted": context})


def _counted(request: SignedInRequest, form: CohortForm) -> dict[str, Any]:
    values = form.cleaned_data
    return _count(request, form, values.get("rules") or EndpointDefinition(), values.get("data_cutoff"))


def _counted_initially(request: SignedInRequest, form: CohortForm) -> dict[str, Any]:
    """Count what an unsent form begins with."""
    data = {bound.html_name: bound.value() for bound in form if bound.value() not in (None, "", [])}
    sent = CohortForm(data, user=request.user, kept=form.changes)
    sent.is_valid()
    return _counted(request, sent)


def _count(
    request: SignedInRequest, form: QuestionForm, rules: EndpointDefinition, cutoff: Any
) -> dict[str, Any]:
    """Return what the panel beside a form says: how many, of what definition, whom in words."""
    wrong = [name for name in form.errors if name not in {"name", "reason", "description"}]
    cohort = Cohort(**form.filter_values())
    found: dict[str, Any] = {
        "wrong": [str(form[name].label) for name in wrong if name in form.fields],
        "words": [*cohorts.filter_in_words(cohort), *filter(None, [stratum_words(cohort)])],
        "cutoff": cutoff,
    }
    stand = exploring.stand_in(cohorts.known_definition(rules, cutoff), cutoff)
    if wrong or stand is None:
        return found
    cohort.definition = stand.definition
    codes = results.centre_codes(cohort, request.user)
    numbers = exploring.told(exploring.count(cohort, codes, rules), request.user)
    return found | {"numbers": numbers, "stand": stand, "centres": codes}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def cohort_delete(request: SignedInRequest, slug: str) -> HttpResponse:
    """Ask whether to delete a cohort of one's own, and do it."""
    cohort = _visible(request, slug)
    if cohort.is_shared or cohort.owner_id != request.user.pk:
        raise PermissionDenied(_("Only a cohort of your own that is not shared can be deleted."))
    problems: list[str] = []
    if request.method == "POST":
        try:
            cohorts.delete(cohort, by=request.user)
        except ValidationError as error:
            problems = error.messages
        else:
            messages.success(
                request,
                _("Cohort {cohort} deleted. The records it counted are as they were.").format(
                    cohort=cohort.name
                ),
            )
            return redirect("cohort-list")
    context = {"cohort": cohort, "problems": problems, "n_locks": cohort.locks.count()}
    return render(request, "analytics/cohort_form_delete.html", context, status=409 if problems else 200)
