"""Addresses of the cohort builder, the explorer and the comparison. They come before those of cohorts by name."""

from django.urls import path

from analytics import builder_views

urlpatterns = [
    path("cohorts/new/", builder_views.cohort_new, name="cohort-new"),
    path("cohorts/count/", builder_views.cohort_count, name="cohort-count"),
    path("cohorts/<slug:slug>/edit/", builder_views.cohort_edit, name="cohort-edit"),
    path("cohorts/<slug:slug>/delete/", builder_views.cohort_delete, name="cohort-delete"),
]
