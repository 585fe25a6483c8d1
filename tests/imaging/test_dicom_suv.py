"""The SUVbw factor, each vendor's headers against a computation by hand, and the reasons why there may be none."""

import io
from decimal import Decimal
from math import isclose

import pytest
from pydicom import Dataset

from imaging.dicom.study import DicomStudy, read_upload
from imaging.dicom.suv import NBSP
from tests.imaging import dicom_files as files

# 150 MBq of 68Ga (half-life 4,062 s) one hour after the injection: 150e6 × 2^(-3600 / 4062) = 81,152,058.6 Bq.
AN_HOUR_LATER_BQ = 150e6 * 2 ** (-3600 / 4062)
BY_HAND = 70 * 1000 / AN_HOUR_LATER_BQ  # g/Bq, of a patient of 70 kg


def read(*datasets: Dataset) -> DicomStudy:
    return read_upload([io.BytesIO(files.written(dataset)) for dataset in datasets])


def factor(*datasets: Dataset) -> float:
    suvbw = read(*datasets).facts.suvbw
    assert suvbw.value is not None, suvbw.basis
    assert suvbw.unit == "g/Bq"
    return float(suvbw.value)


def reason(*datasets: Dataset) -> str:
    suvbw = read(*datasets).facts.suvbw
    assert suvbw.value is None
    assert suvbw.basis.startswith("No SUVbw factor: ")
    return suvbw.basis


def test_the_hand_computation_is_what_a_table_of_gallium_gives():
    assert isclose(AN_HOUR_LATER_BQ, 81_151_964, rel_tol=2e-6)
    assert isclose(BY_HAND, 8.62578e-4, rel_tol=1e-5)


def test_siemens_whose_series_begins_with_its_first_slice():
    study = read(files.pet(1), files.pet(2, AcquisitionTime="110300"))

    assert isclose(float(study.facts.suvbw.value or 0), BY_HAND, rel_tol=1e-9)
    assert study.facts.suvbw.basis.replace(NBSP, " ") == (
        "70 kg / 81.15 MBq: 150.00 MBq injected, decayed for 3600 s (half-life 4062 s) to 11:00:00, the series time."
        " For Bq/mL."
    )


def test_a_series_made_later_is_decayed_to_its_earliest_slice_of_all():
    slices = [
        files.pet(1, SeriesTime="113000", AcquisitionTime="110300"),
        files.pet(2, SeriesTime="113000", AcquisitionTime="110000"),
        files.pet(3, SeriesTime="113000", AcquisitionTime="110600"),
    ]

    assert isclose(factor(*slices), BY_HAND, rel_tol=1e-9)
    assert "the earliest slice" in read(*slices).facts.suvbw.basis


def test_ge_keeps_the_scan_time_of_a_series_made_later_in_a_private_attribute():
    slices = [
        files.with_private(
            files.pet(number, SeriesTime="113000", AcquisitionTime=time),
            0x0009,
            "GEMS_PETD_01",
            {0x0D: ("DT", "20190310110000.00")},
        )
        for number, time in ((1, "110500"), (2, "111000"))
    ]

    assert isclose(factor(*slices), BY_HAND, rel_tol=1e-9)
    assert "GE's scan time" in read(*slices).facts.suvbw.basis


def test_ges_private_attribute_is_not_asked_while_the_series_time_holds():
    dataset = files.with_private(files.pet(), 0x0009, "GEMS_PETD_01", {0x0D: ("DT", "20190310120000.00")})

    assert isclose(factor(dataset), BY_HAND, rel_tol=1e-9)


def test_a_private_attribute_of_another_maker_at_the_same_place_is_not_read():
    dataset = files.with_private(
        files.pet(SeriesTime="113000"), 0x0009, "OTHER MAKER", {0x0D: ("DT", "20190310120000.00")}
    )

    assert "the earliest slice" in read(dataset).facts.suvbw.basis


def test_philips_own_factor_turns_counts_into_suv():
    dataset = files.with_private(
        files.pet(Units="CNTS"),
        0x7053,
        "Philips PET Private Group",
        {0x00: ("DS", "0.000551"), 0x09: ("DS", "1.602")},
    )

    suvbw = read(dataset).facts.suvbw
    assert (suvbw.value, suvbw.unit) == (Decimal("0.000551"), "g/mL per count")


def test_philips_scale_to_activity_is_used_where_its_own_factor_is_zero():
    dataset = files.with_private(
        files.pet(Units="CNTS"),
        0x7053,
        "Philips PET Private Group",
        {0x00: ("DS", "0"), 0x09: ("DS", "1.602")},
    )

    assert isclose(factor(dataset), BY_HAND, rel_tol=1e-9)
    assert "(Philips counts × 7053,1009)" in read(dataset).facts.suvbw.basis


def test_philips_private_values_of_unknown_representation_are_read():
    dataset = files.pet(Units="CNTS")
    dataset.add_new((0x7053, 0x0012), "LO", "Philips PET Private Group")
    dataset.add_new((0x7053, 0x1200), "UN", b"0.000551 ")

    assert read(dataset).facts.suvbw.value == Decimal("0.000551")


def test_counts_without_a_scale_have_no_factor():
    assert "the pixels are counts" in reason(files.pet(Units="CNTS"))


@pytest.mark.parametrize("suv_type", [None, "BW"])
def test_pixels_that_are_suvbw_already_have_factor_1(suv_type):
    suvbw = read(files.pet(Units="GML", SUVType=suv_type)).facts.suvbw

    assert (suvbw.value, suvbw.unit) == (1, "1")


@pytest.mark.parametrize("suv_type", ["LBM", "LBMJAMES128", "BSA", "IBW"])
def test_pixels_of_another_kind_of_suv_have_no_factor(suv_type):
    assert "another kind" in reason(files.pet(Units="GML", SUVType=suv_type))


def test_decay_corrected_to_the_injection_needs_no_scan_time():
    dataset = files.pet(DecayCorrection="ADMIN", SeriesTime=None)

    assert isclose(factor(dataset), 70_000 / 150e6, rel_tol=1e-9)


@pytest.mark.parametrize("correction", ["NONE", None])
def test_without_a_known_decay_correction_there_is_no_factor(correction):
    assert "to what time decay is corrected" in reason(files.pet(DecayCorrection=correction))


@pytest.mark.parametrize(
    ("corrected", "words"),
    [
        (["ATTN"], "decay"),
        (["DECY"], "attenuation"),
        (["NORM"], "attenuation and decay"),
        (None, "attenuation and decay"),
    ],
)
def test_images_that_are_not_corrected_have_no_factor(corrected, words):
    assert f"not corrected for {words}." in reason(files.pet(CorrectedImage=corrected))


def test_the_time_of_injection_alone_is_of_the_day_of_the_scan():
    assert isclose(
        factor(files.pet(of=files.drug(RadiopharmaceuticalStartDateTime=None))), BY_HAND, rel_tol=1e-9
    )


def test_the_time_of_injection_alone_is_of_the_day_before_where_the_scan_began_after_midnight():
    dataset = files.pet(
        of=files.drug(RadiopharmaceuticalStartDateTime=None, RadiopharmaceuticalStartTime="233000"),
        SeriesTime="003000",
        AcquisitionTime="003000",
    )

    assert isclose(factor(dataset), BY_HAND, rel_tol=1e-9)
    assert read(dataset).facts.injected_at == files.at("2019-03-09 23:30")


def test_blanks_that_scanners_pad_times_with_are_stripped():
    dataset = files.pet(
        of=files.drug(RadiopharmaceuticalStartDateTime="20190310100000.00 "), SeriesTime="110000.000000 "
    )

    assert isclose(factor(dataset), BY_HAND, rel_tol=1e-9)


def test_fractions_of_a_second_count():
    dataset = files.pet(of=files.drug(RadiopharmaceuticalStartDateTime="20190310100000.500"))

    assert isclose(factor(dataset), 70_000 / (150e6 * 2 ** (-3599.5 / 4062)), rel_tol=1e-9)


@pytest.mark.parametrize(("uptake", "is_used"), [("050000", True), ("045959", False), ("110001", False)])
def test_an_uptake_of_more_than_six_hours_or_less_than_none_is_refused(uptake, is_used):
    dataset = files.pet(of=files.drug(RadiopharmaceuticalStartDateTime=f"20190310{uptake}"))

    facts = read(dataset).facts
    assert (facts.suvbw.value is not None) is is_used
    assert (facts.uptake_minutes is not None) is is_used
    assert any("not 0 to 6 h apart" in warning for warning in facts.warnings) is not is_used


def test_a_study_date_shifted_by_deidentification_is_refused():
    dataset = files.pet(StudyDate="20250101", SeriesDate="20250101", AcquisitionDate="20250101")

    assert "as if a date had been changed" in reason(dataset)


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (files.pet(PatientWeight=None), "weight"),
        (files.pet(PatientWeight="0"), "weight"),
        (files.pet(of=files.drug(RadionuclideTotalDose=None)), "injected activity"),
        (files.pet(of=files.drug(RadionuclideTotalDose="0")), "injected activity"),
        (files.pet(of=files.drug(RadionuclideHalfLife=None)), "half-life"),
        (files.pet(SeriesTime=None), "the series has no date and time"),
        (files.pet(AcquisitionTime=None), "acquisition times of all slices"),
        (
            files.pet(
                of=files.drug(RadiopharmaceuticalStartDateTime=None, RadiopharmaceuticalStartTime=None)
            ),
            "when the tracer was injected",
        ),
        (files.pet(Units="PROPCNTS"), "neither Bq/mL nor SUVbw"),
    ],
)
def test_what_the_files_do_not_state_is_named_and_not_guessed(dataset, words):
    assert words in reason(dataset)


def test_one_slice_without_an_acquisition_time_leaves_the_scan_start_open():
    assert "some are missing" in reason(files.pet(1), files.pet(2, AcquisitionTime=None))


def test_a_part_of_a_series_does_not_tell_when_the_scan_began():
    slices = [files.pet(number, NumberOfSlices=3) for number in (1, 2)]

    assert "only 2 of the 3 slices" in reason(*slices)
    assert isclose(factor(*slices, files.pet(3, NumberOfSlices=3)), BY_HAND, rel_tol=1e-9)


def test_slices_that_contradict_each_other_have_no_factor():
    facts = read(files.pet(1), files.pet(2, PatientWeight="71")).facts

    assert facts.suvbw.value is None
    assert "differ in weight" in facts.suvbw.basis
    assert any("differ in weight" in warning for warning in facts.warnings)


def test_the_slope_of_a_slice_is_no_part_of_the_factor():
    assert isclose(factor(files.pet(1), files.pet(2, RescaleSlope="0.2")), BY_HAND, rel_tol=1e-9)


def test_a_dose_written_in_mbq_is_taken_as_such_with_a_warning_and_gives_no_factor():
    facts = read(files.pet(of=files.drug(RadionuclideTotalDose="150"))).facts

    assert facts.injected_activity_mbq == Decimal("150.0")
    assert facts.suvbw.value is None
    assert "probably written in MBq" in facts.suvbw.basis
    assert any("too small to be in Bq" in warning for warning in facts.warnings)


@pytest.mark.parametrize(("dose", "is_bq"), [("100000", True), ("99999", False)])
def test_the_border_between_bq_and_mbq(dose, is_bq):
    assert (read(files.pet(of=files.drug(RadionuclideTotalDose=dose))).facts.suvbw.value is not None) is is_bq


def test_enhanced_pet_states_mbq_and_the_time_that_decay_is_corrected_to():
    facts = read(files.enhanced_pet()).facts

    assert facts.injected_activity_mbq == Decimal("150.0")
    assert isclose(float(facts.suvbw.value or 0), BY_HAND, rel_tol=1e-9)
    assert facts.uptake_minutes == 60
    assert facts.slice_thickness_mm == Decimal("2.5")


def test_enhanced_pet_corrected_to_the_injection():
    dataset = files.enhanced_pet(DecayCorrectionDateTime="20190310100000")

    assert isclose(factor(dataset), 70_000 / 150e6, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"DecayCorrectionDateTime": None}, "to what time decay is corrected"),
        ({"AttenuationCorrected": "NO"}, "not corrected for attenuation"),
        ({"DecayCorrected": "NO"}, "not corrected for decay"),
    ],
)
def test_enhanced_pet_without_a_correction_has_no_factor(values, words):
    assert words in reason(files.enhanced_pet(**values))


def test_an_uncorrected_series_beside_the_corrected_one_does_not_count():
    uncorrected = files.pet(2, CorrectedImage=["DECY"], SeriesInstanceUID=f"{files.STUDY}.99")

    assert isclose(factor(uncorrected, files.pet(1)), BY_HAND, rel_tol=1e-9)


def test_two_series_with_different_factors_have_none():
    late = files.pet(2, SeriesInstanceUID=f"{files.STUDY}.99", SeriesTime="120000", AcquisitionTime="120000")

    assert "have different ones" in reason(files.pet(1), late)
    assert read(files.pet(1), late).facts.uptake_minutes == 60


def test_a_second_tracer_is_refused():
    dataset = files.pet()
    dataset.RadiopharmaceuticalInformationSequence.append(files.drug(Radiopharmaceutical="FDG"))

    assert "more than one tracer" in reason(dataset)


def test_a_secondary_capture_gives_no_factor():
    capture = files.image("1.2.840.10008.5.1.4.1.1.7", "PT", Units="BQML")

    assert "no PET series" in reason(files.ct(), capture)
