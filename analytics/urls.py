"""Addresses of the dashboards."""

from django.urls import path

from analytics import views

urlpatterns = [
    path("cohorts/", views.cohort_list, name="cohort-list"),
    path("cohorts/<slug:slug>/", views.cohort_detail, name="cohort-detail"),
    path("cohorts/<slug:slug>/live/", views.cohort_live, name="cohort-live"),
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
]
