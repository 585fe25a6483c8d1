"""Uploads that cannot be used: one clear refusal each; and memory that does not grow with what is uploaded."""

import io
import struct
import tracemalloc
import warnings
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from imaging.dicom.errors import DicomError
from imaging.dicom.files import MIB, Limits
from imaging.dicom.study import read_upload
from tests.imaging import dicom_files as files

SLICE = files.written(files.pet())


def refusal(*contents: bytes, limits: Limits | None = None) -> DicomError:
    with pytest.raises(DicomError) as refused:
        read_upload([io.BytesIO(content) for content in contents], *([limits] if limits else []))
    assert not any(secret in str(refused.value) for secret in files.SECRETS)
    return refused.value


def told(*contents: bytes, limits: Limits | None = None) -> tuple[str, str]:
    error = refusal(*contents, limits=limits)
    return error.code, error.message


# What is taken


def test_a_zip_of_a_series_says_what_its_files_say():
    slices = [files.written(files.pet(number)) for number in (1, 2)]

    assert read_upload([io.BytesIO(files.zipped(slices))]) == read_upload(map(io.BytesIO, slices))


def test_clutter_that_systems_put_into_zips_is_passed_over():
    buffer = io.BytesIO(files.zipped([SLICE]))
    with zipfile.ZipFile(buffer, "a") as archive:
        for name in ("__MACOSX/x/._IM1", ".DS_Store", "a/Thumbs.db", "DICOMDIR", "folder/"):
            archive.writestr(name, b"no image")

    assert read_upload([buffer]).facts.file_count == 1


@pytest.mark.parametrize("little", [True, False])
def test_other_ways_of_writing_bytes_are_read(little):
    dataset = files.pet()
    dataset.file_meta = Dataset()
    buffer = io.BytesIO()
    syntax = ImplicitVRLittleEndian if little else ExplicitVRBigEndian
    content = files.written(dataset, syntax=syntax) if little else None
    if content is None:
        from pydicom.dataset import FileMetaDataset

        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset["PixelData"].VR = "OW"
        dataset.save_as(buffer, implicit_vr=False, little_endian=False, enforce_file_format=True)
        content = buffer.getvalue()

    assert read_upload([io.BytesIO(content)]).facts == read_upload([io.BytesIO(SLICE)]).facts


def test_the_pictures_are_not_reached():
    class Watched(io.BytesIO):
        furthest = 0

        def read(self, size: int | None = -1, /) -> bytes:
            found = super().read(size)
            self.furthest = max(self.furthest, self.tell() if size else 0)
            return found

    upload = Watched(files.written(files.pet(PixelData=b"\1\0" * (5 * MIB))))
    read_upload([upload])

    assert upload.furthest < MIB


# What is refused


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"%PDF-1.7 Quillfeather", "not_dicom"),
        (b"\0" * 200, "not_dicom"),
        (b"\x1f\x8b" + b"\0" * 200, "archive"),
        (b"\x30\x82\x10\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03" + b"\0" * 200, "encrypted"),
        (SLICE[:132], "cut_off"),
        (SLICE[:600], "cut_off"),
        (SLICE[:-1], "cut_off"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 500, "cut_off"),
        (SLICE.replace(b"\x10\x00\x10\x00PN", b"\x10\x00\x10\x00\xff\xff", 1), "cut_off"),
        (b"PK\x03\x04" + b"\0" * 100, "broken_zip"),
        (files.zipped([]), "empty"),
        (files.zipped([SLICE])[:-30], "broken_zip"),
    ],
)
def test_what_is_no_readable_file_is_refused_by_its_number(content, code):
    found, message = told(SLICE, content) if content != files.zipped([]) else told(content)

    assert found == code
    assert message.startswith(("File 2 ", "The upload"))
    assert message.endswith(".")


def test_a_broken_file_in_a_zip_is_named_by_its_number_and_not_by_its_name():
    assert told(files.zipped([SLICE, b"no image"])) == (
        "not_dicom",
        "File 2 of the zip is not a DICOM file. Leave out what is not an image or a report of the study, then repeat.",
    )


def test_an_archive_within_an_archive_is_refused():
    assert refusal(files.zipped([SLICE, files.zipped([SLICE])])).code == "archive"


def test_a_zip_with_a_password_is_refused():
    content = bytearray(files.zipped([SLICE]))
    content[6] |= 1  # the local header's flag, and the directory's
    content[content.index(b"PK\x01\x02") + 8] |= 1

    assert told(bytes(content))[0] == "encrypted"


def test_a_file_with_encrypted_attributes_is_refused():
    protected = files.pet()
    item = Dataset()
    item.EncryptedContentTransferSyntaxUID = "1.2.840.10008.1.2"
    item.EncryptedContent = b"\1\2\3\4"
    protected.EncryptedAttributesSequence = Sequence([item])

    assert told(files.written(protected))[0] == "encrypted"


def test_a_zip_whose_bytes_rotted_is_refused():
    content = bytearray(files.zipped([SLICE]))
    content[60:90] = b"\xff" * 30

    assert told(bytes(content))[0] == "broken_zip"


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    bomb = files.zipped([b"\0" * 128 + b"DICM" + b"\0" * (64 * MIB)])
    assert len(bomb) < MIB

    tracemalloc.start()
    assert told(bomb)[0] == "zip_bomb"
    assert tracemalloc.get_traced_memory()[1] < MIB
    tracemalloc.stop()


def test_a_data_set_deflated_as_a_whole_is_not_inflated():
    meta_end = SLICE.index(b"\x08\x00\x16\x00UI")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    inside = packer.compress(SLICE[meta_end:] + b"\0" * (32 * MIB)) + packer.flush()
    head = SLICE[:meta_end].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99", 1)
    head = head.replace(b"\x02\x00\x10\x00UI\x14\x00", b"\x02\x00\x10\x00UI\x16\x00")

    tracemalloc.start()
    assert told(head + inside)[0] == "deflated"
    assert tracemalloc.get_traced_memory()[1] < MIB
    tracemalloc.stop()


SMALL = Limits(
    files=3, file_bytes=50_000, total_bytes=60_000, header_bytes=20_000, items=1_000, directory_bytes=500
)


def with_items(number: int) -> bytes:
    """A header whose unknown sequence has so many empty items."""
    head, pixels = SLICE[: SLICE.index(b"\x10\x00\x10\x00PN")], SLICE[SLICE.index(b"\x10\x00\x10\x00PN") :]
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * number
    sequence = b"\x09\x00\x10\x10SQ\0\0\xff\xff\xff\xff" + items + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return head + sequence + pixels


@pytest.mark.parametrize(
    ("contents", "code"),
    [
        ([SLICE] * 4, "too_many_files"),
        ([files.zipped([SLICE] * 4)], "too_many_files"),
        ([files.zipped([SLICE] * 20)], "too_many_files"),  # its list of contents alone
        ([SLICE + b"\0" * 50_000], "too_large"),
        ([files.zipped([SLICE + b"\0" * 30_000, SLICE + b"\0" * 30_000])], "too_large"),
        (
            [files.written(files.with_private(files.pet(), 0x0009, "X", {1: ("OB", b"\1" * 30_000)}))],
            "header_too_large",
        ),
        ([with_items(1_500)], "header_too_large"),
    ],
)
def test_each_bound_is_kept(contents, code):
    assert told(*contents, limits=SMALL)[0] == code


def test_below_its_bounds_the_same_upload_is_read():
    assert read_upload([io.BytesIO(SLICE)] * 3, SMALL).facts.file_count == 3
    assert read_upload([io.BytesIO(with_items(900))], SMALL).facts.file_count == 1


def test_a_header_of_nested_sequences_without_end_is_refused():
    deep = b"\x09\x00\x10\x10SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 5_000
    at = SLICE.index(b"\x10\x00\x10\x00PN")

    assert told(SLICE[:at] + deep + SLICE[at:])[0] in {"broken", "cut_off"}


def test_a_length_beyond_the_file_is_refused_without_that_memory():
    at = SLICE.index(b"\x10\x00\x20\x00LO")
    huge = SLICE[:at] + b"\x08\x00\x15\x11SQ\0\0" + struct.pack("<I", 0xFFFF_FFF0) + SLICE[at:]

    tracemalloc.start()
    assert told(huge)[0] in {"broken", "cut_off", "header_too_large"}
    assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    tracemalloc.stop()


def test_an_upload_of_nothing_and_one_of_other_objects_are_refused():
    assert told()[0] == "empty"
    assert told(files.written(files.image("1.2.840.10008.5.1.4.1.1.7", "OT")))[0] == "nothing_to_read"


# Memory


def peak_bytes(n_files: int) -> int:
    upload = io.BytesIO(files.zipped(files.written(files.pet(number)) for number in range(1, n_files + 1)))
    read_upload([upload])  # imports and caches are not what is measured
    tracemalloc.start()
    study = read_upload([upload])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert study.facts.file_count == n_files
    return peak


def test_memory_does_not_grow_over_a_thousand_files():
    few, many = peak_bytes(20), peak_bytes(1_000)

    # The zip's own list of contents is the one thing that grows: below 1 KiB a file.
    assert many - few < 1_000 * 1024


# Anything


def attempt(content: bytes) -> None:
    """Read it; a warning, which would hold values, is a failure as any other exception is."""
    refused = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            read_upload([io.BytesIO(content)])
        except DicomError as error:
            refused = error
    if refused is not None:
        assert refused.message.endswith(".")
        assert not any(secret in str(refused) for secret in files.SECRETS)


KINDS = [
    SLICE,
    files.written(files.enhanced_pet()),
    files.written(files.foreign_report()),
    files.written(files.report(files.measured("L1", "1.2.3", long_axis=20, suv_max=9))),
    files.zipped([SLICE, SLICE]),
]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_file_with_any_bytes_changed_is_read_or_refused_and_nothing_else(data):
    content = bytearray(data.draw(st.sampled_from(KINDS)))
    changes = st.lists(
        st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=12
    )
    for place, byte in data.draw(changes):
        content[place] = byte
    cut = data.draw(st.none() | st.integers(0, len(content)))

    attempt(bytes(content[:cut]))


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=600))
def test_any_bytes_after_a_dicom_beginning_are_read_or_refused(content):
    attempt(b"\0" * 128 + b"DICM" + content)
