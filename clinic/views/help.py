"""Help: the product's documents, the glossary, the tour and the keyboard shortcuts. It says nothing about patients."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.http import SignedInRequest
from clinic.glossary import TERMS
from clinic.guide import documents, tour
from clinic.guide.palette import offers_to


@require_safe
def help_index(request: SignedInRequest) -> HttpResponse:
    """Show where help is found, and every page of the documents."""
    pages = documents.pages(documents.language())
    context = {
        "guides": [(name, title) for name, title in pages.items() if "/" not in name],
        "rules": [(name, title) for name, title in pages.items() if "/" in name],
    }
    return render(request, "clinic/help_index.html", context)


@require_safe
def help_document(request: SignedInRequest, page: str) -> HttpResponse:
    """Show a page of the documents."""
    found = documents.document(page, documents.language())
    if found is None:
        raise Http404
    # Made of our own files, whose markup is shown as text.
    context = {"document": found, "html": mark_safe(found.html)}  # noqa: S308
    return render(request, "clinic/help_document.html", context)


@require_safe
def help_glossary(request: SignedInRequest) -> HttpResponse:
    terms = sorted(TERMS.values(), key=lambda one: one.word.lower())
    return render(request, "clinic/help_glossary.html", {"terms": terms})


@never_cache
@require_safe
def help_tour(request: SignedInRequest) -> HttpResponse:
    """Show the steps of the tour; the browser remembers which were taken."""
    return render(request, "clinic/help_tour.html", {"steps": tour.steps_for(request.user)})


@require_safe
def help_shortcuts(request: SignedInRequest) -> HttpResponse:
    """List the keys, with the switch that puts those of a single letter out (WCAG 2.1.4)."""
    offers = [offer for offer in offers_to(request.user) if offer.keys]
    return render(request, "clinic/help_shortcuts.html", {"offers": offers})
