"""Addresses of the clinic's pages. They hold UUIDs, never a name or an MRN."""

from django.urls import path

from clinic.views import correcting, entering, home, laboratory, patients

PATIENT = "patients/<uuid:patient_id>/"

urlpatterns = [
    path("", home.home, name="home"),
    path("patients/", patients.patient_list, name="patient-list"),
    path("patients/new/", entering.patient_register, name="patient-register"),
    path(PATIENT, patients.patient_chart, name="patient-chart"),
    path(f"{PATIENT}outcome/", patients.patient_outcome, name="patient-outcome"),
    path(f"{PATIENT}history/", patients.patient_history, name="patient-history"),
    path(f"{PATIENT}course/new/", entering.course_start, name="course-start"),
    path(
        f"{PATIENT}course/<uuid:course_id>/discontinue/",
        entering.course_discontinue,
        name="course-discontinue",
    ),
    path(f"{PATIENT}cycle/<uuid:cycle_id>/give/", entering.cycle_administer, name="cycle-administer"),
    path(f"{PATIENT}study/<uuid:study_id>/read/", entering.reading_new, name="reading-new"),
    path(f"{PATIENT}laboratory/", laboratory.laboratory, name="laboratory"),
    path(f"{PATIENT}laboratory/enter/", laboratory.laboratory_enter, name="laboratory-enter"),
    path(
        f"{PATIENT}laboratory/figures/<slug:analyte>.json",
        laboratory.laboratory_spec_json,
        name="laboratory-spec",
    ),
    path(
        f"{PATIENT}laboratory/figures/<slug:analyte>.<slug:file_type>",
        laboratory.laboratory_file,
        name="laboratory-file",
    ),
    path(f"{PATIENT}<slug:kind>/new/", entering.record_new, name="record-new"),
    path(f"{PATIENT}<slug:kind>/<uuid:record_id>/correct/", correcting.record_correct, name="record-correct"),
    path(f"{PATIENT}<slug:kind>/<uuid:record_id>/void/", correcting.record_void, name="record-void"),
]
