"""Addresses of the clinic's pages. They hold UUIDs, never a name or an MRN."""

from django.urls import path

from clinic.letters.placeholders import Kind
from clinic.views import (
    correcting,
    dicom,
    entering,
    help,
    home,
    imaging,
    laboratory,
    lesion_figures,
    letters,
    patients,
    protocols,
    treating,
)

PATIENT = "patients/<uuid:patient_id>/"
CYCLE = f"{PATIENT}cycle/<uuid:cycle_id>/"
IMAGING = f"{PATIENT}imaging/<int:course_number>/"
DOCUMENTS = f"{PATIENT}documents/"
LETTERS = "letters/<uuid:centre_id>/"

urlpatterns = [
    path("", home.home, name="home"),
    path("protocols/", protocols.protocol_list, name="protocol-list"),
    path("protocols/new/", protocols.protocol_new, name="protocol-new"),
    path("protocols/<int:pk>/", protocols.protocol_detail, name="protocol-detail"),
    path("help/", help.help_index, name="help"),
    path("help/docs/<path:page>", help.help_document, name="help-document"),
    path("help/glossary/", help.help_glossary, name="help-glossary"),
    path("help/tour/", help.help_tour, name="help-tour"),
    path("help/shortcuts/", help.help_shortcuts, name="help-shortcuts"),
    path("letters/", letters.letter_list, name="letter-list"),
    path(
        f"{LETTERS}therapy-summary/", letters.letter_edit, {"kind": Kind.THERAPY_SUMMARY}, name="letter-edit"
    ),
    path(f"{LETTERS}cycle-letter/", letters.letter_edit, {"kind": Kind.CYCLE_LETTER}, name="letter-edit"),
    path("reference-ranges/", protocols.reference_ranges, name="reference-ranges"),
    path("reference-ranges/new/", protocols.reference_range_new, name="reference-range-new"),
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
    path(f"{PATIENT}course/<uuid:course_id>/move/", treating.course_move, name="course-move"),
    path(f"{CYCLE}give/", treating.cycle_administer, name="cycle-administer"),
    path(f"{CYCLE}net/", treating.cycle_net, name="cycle-net"),
    path(f"{CYCLE}hold/", treating.cycle_hold, name="cycle-hold"),
    path(f"{CYCLE}resume/", treating.cycle_resume, name="cycle-resume"),
    path(f"{CYCLE}leave-out/", treating.cycle_cancel, name="cycle-cancel"),
    path(f"{CYCLE}restore/", treating.cycle_restore, name="cycle-restore"),
    path(f"{CYCLE}decide/", treating.cycle_decide, name="cycle-decide"),
    path(f"{CYCLE}dose/", treating.absorbed_dose_new, name="absorbed-dose-new"),
    path(f"{PATIENT}study/<uuid:study_id>/read/", entering.reading_new, name="reading-new"),
    path(IMAGING, imaging.imaging, name="imaging"),
    path(f"{IMAGING}cell/", imaging.imaging_cell, name="imaging-cell"),
    path(f"{IMAGING}dicom/", dicom.dicom_read, name="dicom-read"),
    path(f"{IMAGING}lesion/new/", imaging.lesion_new, name="lesion-new"),
    path(f"{IMAGING}lesion/<uuid:lesion_id>/", imaging.lesion_change, name="lesion-change"),
    path(f"{IMAGING}lesion/<uuid:lesion_id>/void/", imaging.lesion_void, name="lesion-void"),
    path(f"{IMAGING}study/<uuid:study_id>/accept/", imaging.drafts_accept, name="drafts-accept"),
    path(f"{IMAGING}study/<uuid:study_id>/sign/", imaging.reading_sign, name="reading-sign"),
    path(
        f"{IMAGING}figures/<slug:lesion_figure>.json",
        lesion_figures.lesion_figure_spec,
        name="lesion-figure-spec",
    ),
    path(
        f"{IMAGING}figures/<slug:lesion_figure>.<slug:file_type>",
        lesion_figures.lesion_figure_file,
        name="lesion-figure-file",
    ),
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
    path(DOCUMENTS, letters.document_list, name="document-list"),
    path(f"{DOCUMENTS}course/<uuid:course_id>/", letters.document, name="therapy-summary"),
    path(f"{DOCUMENTS}course/<uuid:course_id>/summary.pdf", letters.document_pdf, name="therapy-summary-pdf"),
    path(f"{DOCUMENTS}cycle/<uuid:cycle_id>/", letters.document, name="cycle-letter"),
    path(f"{DOCUMENTS}cycle/<uuid:cycle_id>/letter.pdf", letters.document_pdf, name="cycle-letter-pdf"),
    path(f"{PATIENT}<slug:kind>/new/", entering.record_new, name="record-new"),
    path(f"{PATIENT}<slug:kind>/<uuid:record_id>/correct/", correcting.record_correct, name="record-correct"),
    path(f"{PATIENT}<slug:kind>/<uuid:record_id>/void/", correcting.record_void, name="record-void"),
]
