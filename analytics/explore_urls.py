"""Addresses of the cohort builder, the explorer and the comparison. They come before those of cohorts by name."""

from django.urls import path

from analytics import builder_views, explore_views

urlpatterns = [
    path("cohorts/new/", builder_views.cohort_new, name="cohort-new"),
    path("cohorts/count/", builder_views.cohort_count, name="cohort-count"),
    path("cohorts/explore/", explore_views.explore, name="cohort-explore"),
    path(
        "cohorts/explore/figures/<slug:explore_figure>.json",
        explore_views.explore_spec,
        name="explore-spec",
    ),
    path(
        "cohorts/explore/figures/<slug:explore_figure>.<slug:file_type>",
        explore_views.explore_file,
        name="explore-file",
    ),
    path("cohorts/compare/", explore_views.compare, name="cohort-compare"),
    path(
        "cohorts/compare/figures/<slug:compare_figure>.json",
        explore_views.compare_spec,
        name="compare-spec",
    ),
    path(
        "cohorts/compare/figures/<slug:compare_figure>.<slug:file_type>",
        explore_views.compare_file,
        name="compare-file",
    ),
    path("cohorts/<slug:slug>/edit/", builder_views.cohort_edit, name="cohort-edit"),
    path("cohorts/<slug:slug>/delete/", builder_views.cohort_delete, name="cohort-delete"),
]
