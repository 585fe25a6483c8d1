"""Addresses of reports and of long work."""

from django.urls import path

from analytics import report_views as views

urlpatterns = [
    path("cohorts/<slug:slug>/report/", views.cohort_report, name="cohort-report"),
    path("cohorts/<slug:slug>/report/start/", views.report_start, name="report-start"),
    path("jobs/<uuid:job_id>/", views.job_detail, name="job-detail"),
    path("jobs/<uuid:job_id>/cancel/", views.job_cancel, name="job-cancel"),
    path("jobs/<uuid:job_id>/content/", views.job_content, name="job-content"),
]
