"""Addresses of the import pages. They hold UUIDs, never a name, an MRN or the name of a file."""

from django.urls import path

from exchange import views

IMPORT = "imports/<uuid:import_id>/"

urlpatterns = [
    path("imports/", views.import_list, name="import-list"),
    path(IMPORT, views.import_detail, name="import-detail"),
    path(f"{IMPORT}columns/", views.import_columns, name="import-columns"),
    path(f"{IMPORT}check/", views.import_check, name="import-check"),
    path(f"{IMPORT}start/", views.import_start, name="import-start"),
    path(f"{IMPORT}discard/", views.import_discard, name="import-discard"),
    path(f"{IMPORT}download/", views.import_download, name="import-download"),
    path(f"{IMPORT}undo/", views.import_undo, name="import-undo"),
]
