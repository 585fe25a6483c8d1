"""Addresses of the clinic's pages. They hold UUIDs, never a name or an MRN."""

from django.urls import path

from clinic.views import home, patients, records

PATIENT = "patients/<uuid:patient_id>/"

urlpatterns = [
    path("", home.home, name="home"),
    path("patients/", patients.patient_list, name="patient-list"),
    path("patients/new/", records.patient_register, name="patient-register"),
    path(PATIENT, patients.patient_chart, name="patient-chart"),
    path(f"{PATIENT}outcome/", patients.patient_outcome, name="patient-outcome"),
    path(f"{PATIENT}history/", patients.patient_history, name="patient-history"),
    path(f"{PATIENT}course/new/", records.course_start, name="course-start"),
    path(
        f"{PATIENT}course/<uuid:course_id>/discontinue/",
        records.course_discontinue,
        name="course-discontinue",
    ),
    path(f"{PATIENT}cycle/<uuid:cycle_id>/give/", records.cycle_administer, name="cycle-administer"),
    path(f"{PATIENT}study/<uuid:study_id>/read/", records.reading_new, name="reading-new"),
    path(f"{PATIENT}<slug:kind>/new/", records.record_new, name="record-new"),
    path(f"{PATIENT}<slug:kind>/<uuid:record_id>/correct/", records.record_correct, name="record-correct"),
    path(f"{PATIENT}<slug:kind>/<uuid:record_id>/void/", records.record_void, name="record-void"),
]
