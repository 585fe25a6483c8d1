"""What files of a study say, whose they are, and that nobody is told."""

import io
import logging
import pickle
import warnings
from datetime import date
from decimal import Decimal

import pytest
from pydicom import Dataset

from imaging.dicom.errors import DicomError
from imaging.dicom.facts import DicomStudy
from imaging.dicom.identity import Identity, mismatches, not_compared
from imaging.dicom.study import read_upload
from tests.imaging import dicom_files as files

WHOLE = {"mrn": files.PATIENT_ID, "birth_date": date(1957, 3, 2), "sex": "female"}


def read(*datasets: Dataset) -> DicomStudy:
    return read_upload([io.BytesIO(files.written(dataset)) for dataset in datasets])


def test_pet_and_ct_of_one_study_prefill_it():
    facts = read(files.pet(1), files.pet(2), files.ct()).facts

    assert facts.study_instance_uid == files.STUDY
    assert facts.modality == "pet_ct"
    assert facts.performed_on == date(2019, 3, 10)
    assert facts.tracer == "68Ga-DOTATATE"
    assert facts.injected_activity_mbq == Decimal("150.0")
    assert facts.injected_at == files.at("2019-03-10 10:00")
    assert facts.utc_offset_minutes is None
    assert facts.half_life_s == 4062
    assert facts.body_weight_kg == Decimal("70.0")
    assert facts.uptake_minutes == 60
    assert facts.slice_thickness_mm == Decimal("1.5")  # of the CT, on which diameters are measured
    assert facts.warnings == ()
    assert facts.file_count == 3


@pytest.mark.parametrize(
    ("datasets", "modality"),
    [
        ([files.pet()], None),
        ([files.ct()], "ct"),
        ([files.pet(), files.image("1.2.840.10008.5.1.4.1.1.4", "MR")], "pet_mr"),
        ([files.image("1.2.840.10008.5.1.4.1.1.4", "MR")], "mr"),
    ],
)
def test_the_modality_is_what_the_series_show(datasets, modality):
    assert read(*datasets).facts.modality == modality


def test_the_clocks_offset_is_told_where_it_is_stated_and_moves_times_of_another():
    # The injection system wrote UTC, the scanner its local time two hours ahead.
    facts = read(
        files.pet(
            of=files.drug(RadiopharmaceuticalStartDateTime="20190310080000.00+0000"),
            TimezoneOffsetFromUTC="+0200",
        )
    ).facts

    assert facts.utc_offset_minutes == 120
    assert facts.injected_at == files.at("2019-03-10 10:00")
    assert facts.uptake_minutes == 60


@pytest.mark.parametrize(("second", "minutes"), [("29", 60), ("30", 61)])
def test_uptake_is_to_the_nearest_minute(second, minutes):
    assert (
        read(files.pet(SeriesTime=f"1100{second}", AcquisitionTime=f"1100{second}")).facts.uptake_minutes
        == minutes
    )


@pytest.mark.parametrize(
    ("spoken", "nuclide", "tracer"),
    [
        ("DOTATATE", "^68^Gallium", "68Ga-DOTATATE"),
        ("Ga-68 DOTATOC", "", "68Ga-DOTATOC"),
        ("[68Ga]Ga-DOTA-TATE", "", "68Ga-DOTATATE"),
        ("Copper Cu 64 dotatate", "", "64Cu-DOTATATE"),
        ("Fluorodeoxyglucose F^18^", "^18^Fluorine", "18F-FDG"),
        ("Solution", "^68^Gallium", "Solution"),
    ],
)
def test_the_tracer_is_named_in_the_registrys_way_where_it_is_known(spoken, nuclide, tracer):
    code = files.coded("x", "99X", nuclide)
    of = files.drug(Radiopharmaceutical=spoken, RadionuclideCodeSequence=[code] if nuclide else None)

    assert read(files.pet(of=of)).facts.tracer == tracer


def test_a_half_life_of_another_nuclide_is_pointed_at():
    facts = read(files.pet(of=files.drug(RadionuclideHalfLife="6586.2"))).facts

    assert facts.half_life_s == Decimal("6586.2")
    assert any("not that of 68Ga" in warning for warning in facts.warnings)


@pytest.mark.parametrize(("weight", "kept"), [("2", True), ("1.9", False), ("400", True), ("400.1", False)])
def test_a_weight_that_nobody_has_is_left_out(weight, kept):
    assert (read(files.pet(PatientWeight=weight)).facts.body_weight_kg is not None) is kept


@pytest.mark.parametrize("dose", ["2000000001", "-150000000", "1e30"])
def test_an_activity_that_nobody_gets_is_left_out(dose):
    facts = read(files.pet(of=files.drug(RadionuclideTotalDose=dose))).facts

    assert facts.injected_activity_mbq is None


def test_dates_that_differ_are_pointed_at():
    assert (
        "The study and its PET series have different dates."
        in read(files.pet(StudyDate="20190309")).facts.warnings
    )


# Mixed uploads


def test_files_of_two_studies_are_refused():
    with pytest.raises(DicomError, match=r"^File 2 belongs to another study") as refused:
        read(files.pet(1), files.pet(2, StudyInstanceUID="1.2.3"))

    assert refused.value.code == "mixed_studies"


@pytest.mark.parametrize(
    "values",
    [
        {"PatientID": "MRN-9"},
        {"PatientBirthDate": "19580302"},
        {"PatientSex": "M"},
        {"PatientID": "", "PatientName": "Other^Person"},
    ],
)
def test_files_of_two_patients_are_refused(values):
    with pytest.raises(DicomError, match=r"^File 2 belongs to another patient") as refused:
        read(files.pet(1), files.pet(2, **values))

    assert refused.value.code == "mixed_patients"


def test_a_name_written_in_another_way_does_not_part_files_of_one_id():
    read(files.pet(1), files.pet(2, PatientName="QUILLFEATHER^O"))


def test_what_one_file_leaves_out_another_may_say():
    identity = read(files.pet(1, PatientBirthDate=""), files.pet(2)).identity

    assert mismatches(identity, **WHOLE) == []
    assert not_compared(identity, **WHOLE) == []


# Whose files they are


def test_the_right_patients_files_match():
    assert mismatches(read(files.pet()).identity, **WHOLE) == []


def test_each_mismatch_is_a_sentence_that_repeats_nothing_of_the_files():
    identity = read(files.pet()).identity

    found = mismatches(identity, mrn="0815", birth_date=date(1958, 3, 12), sex="male")

    assert found == [
        "The patient ID in the files is not this patient's MRN.",
        "The birth date in the files is another one: it differs in the day and year.",
        "The sex in the files is not this patient's.",
    ]
    assert not any(secret in " ".join(found) for secret in files.SECRETS)


@pytest.mark.parametrize(
    ("in_file", "mrn", "n_found"),
    [(" mrn 1", "MRN1", 0), ("00123", "123", 1), ("123", "124", 1), ("", "124", 0), ("123", "", 0)],
)
def test_ids_are_compared_without_blanks_and_case_and_leading_zeros_are_told(in_file, mrn, n_found):
    found = mismatches(Identity(patient_id=in_file), mrn=mrn, birth_date=None, sex="")

    assert len(found) == n_found
    assert all("zeros" in words for words in found) or in_file == "123"


@pytest.mark.parametrize(
    ("in_file", "family_name", "differs"),
    [
        ("MUELLER^JUERGEN", "Müller", False),
        ("Müller-Groß^Eva", "Gross", False),
        ("ØDEGAARD^KARI", "Ødegaard", False),
        ("Quillfeather^Ottoline", "Example", True),
        ("", "Example", False),
        ("Quillfeather^Ottoline", "", False),
    ],
)
def test_names_are_compared_in_any_spelling_where_no_id_settles_it(in_file, family_name, differs):
    identity = Identity(name=in_file)

    found = mismatches(identity, mrn="7", birth_date=None, sex="", family_name=family_name)

    assert found == (["The name in the files is another one, or written in another way."] if differs else [])
    assert not any(family_name in words for words in found if family_name)


def test_a_married_name_is_no_mismatch_where_the_ids_agree():
    identity = Identity(patient_id="7", name="Quillfeather^Ottoline")

    assert mismatches(identity, mrn="7", birth_date=None, sex="", family_name="Example") == []


def test_what_cannot_be_compared_is_said():
    assert not_compared(Identity(sex="O"), mrn="1", birth_date=date(1957, 3, 2), sex="") == [
        "patient ID",
        "birth date",
        "sex",
    ]


def test_an_identity_shows_nothing():
    study = read(files.pet())

    for shown in (repr(study), str(study.identity), f"{study.identity!r}", repr([study.identity])):
        assert not any(secret in shown for secret in files.SECRETS)
    assert not any(secret.encode() in pickle.dumps(study.facts) for secret in files.SECRETS)


@pytest.mark.parametrize("words", ["liver 02.03.1957", "b 1957-03-02", "03/02/1957"])
def test_a_birth_date_names_the_person_in_any_form(words):
    assert read(files.pet()).identity.is_named_in(words)
    assert not read(files.pet()).identity.is_named_in(words.replace("1957", "1958"))


def test_a_tracer_or_lesion_named_after_the_patient_loses_its_name():
    named = files.report(files.measured("Quillfeather liver 1", "1.2.3", long_axis=20))
    tracer = files.pet(
        of=files.drug(Radiopharmaceutical=f"for {files.PATIENT_ID}", RadionuclideCodeSequence=None)
    )

    study = read(tracer, named)

    assert [one.tracking_identifier for one in study.measurements] == ["Lesion 1"]
    assert study.facts.tracer == ""
    assert len(study.facts.warnings) == 2
    assert not any(secret in repr(study) for secret in files.SECRETS)


# Silence


def bad_values(dataset: Dataset) -> bytes:
    """Return a file whose values break every rule pydicom warns of, with the patient's name in them."""
    content = files.written(dataset)
    content = content.replace(
        files.STUDY.encode() + b"\0", b"Quillfeather".ljust(len(files.STUDY) + 1, b"\0"), 1
    )
    return (
        content.replace(b"20190310", b"Quillfea")
        .replace(b"4062", b"Quil")
        .replace(b"SH\x00\x00", b"SH\x09\x00")
    )


@pytest.mark.parametrize("make", [bad_values, lambda dataset: files.written(dataset)[:700], files.written])
def test_no_warning_log_line_or_exception_holds_what_a_file_says(make, caplog, capfd):
    said = []
    content = make(files.pet(PatientWeight="70", PatientName=files.NAME))
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            said.append(repr(read_upload([io.BytesIO(content)])))
        except DicomError as error:
            said += [f"{error!r} {error} {error.args}", repr(error.__cause__), repr(error.__context__)]
    said += [caplog.text, *(str(warning.message) for warning in caught), *capfd.readouterr()]

    assert not any(secret in text for text in said for secret in files.SECRETS)
