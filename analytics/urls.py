"""Addresses of the dashboards."""

from django.urls import include, path

from analytics import behind_views, lock_views, quality_views, views

urlpatterns = [
    path("cohorts/", views.cohort_list, name="cohort-list"),
    path("", include("analytics.explore_urls")),  # before the names of cohorts
    path("cohorts/<slug:slug>/", views.cohort_detail, name="cohort-detail"),
    path("cohorts/<slug:slug>/live/", views.cohort_live, name="cohort-live"),
    path("cohorts/<slug:slug>/curves/<slug:endpoint>/", views.curve_rows, name="curve-rows"),
    path("cohorts/<slug:slug>/behind/", behind_views.cohort_behind, name="cohort-behind"),
    path("cohorts/<slug:slug>/changes/", behind_views.cohort_changes, name="cohort-changes"),
    path("cohorts/<slug:slug>/quality/", quality_views.cohort_quality, name="cohort-quality"),
    path("cohorts/<slug:slug>/locks/", lock_views.cohort_locks, name="cohort-locks"),
    path("cohorts/<slug:slug>/download/", lock_views.cohort_download, name="cohort-download"),
    path("locks/<slug:lock_name>/", lock_views.lock_detail, name="lock-detail"),
    path("locks/<slug:lock_name>/verify/", lock_views.lock_verify, name="lock-verify"),
    path("locks/<slug:lock_name>/download/", lock_views.lock_download, name="lock-download"),
    path("cohorts/<slug:slug>/figures/<slug:figure>.json", views.figure_spec, name="figure-spec"),
    path("cohorts/<slug:slug>/figures/<slug:figure>.<slug:file_type>", views.figure_file, name="figure-file"),
    path("cohorts/<slug:slug>/response/", views.cohort_response, name="cohort-response"),
    path(
        "cohorts/<slug:slug>/response/figures/<slug:response_figure>.json",
        views.response_figure_spec,
        name="response-figure-spec",
    ),
    path(
        "cohorts/<slug:slug>/response/figures/<slug:response_figure>.<slug:file_type>",
        views.response_figure_file,
        name="response-figure-file",
    ),
    path("", include("analytics.report_urls")),
]
