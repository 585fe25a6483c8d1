"""Answers of a DICOMweb server are read as they arrive, within bounds of size and time."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.dicom import web
from imaging.dicom.errors import DicomError
from imaging.dicom.files import LIMITS, MIB
from imaging.dicom.web import Server, each_of_array

HEADERS = [{"0020000D": {"vr": "UI", "Value": ["1.2.3"]}}, {}, {"00100010": {"vr": "PN", "Value": ["é山"]}}]


@given(size=st.integers(1, 40), indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_an_array_is_the_same_in_any_pieces(size, indent, ascii_only):
    written = json.dumps(HEADERS, indent=indent, ensure_ascii=ascii_only).encode()

    pieces = [written[at : at + size] for at in range(0, len(written), size)]

    assert list(each_of_array(pieces)) == HEADERS


def test_an_empty_array_has_nothing():
    assert list(each_of_array([b" [ ", b"] "])) == []


@pytest.mark.parametrize("written", [b"", b"{}", b"[{", b'[{"a": 1}', b"[1]", b"<html>", b"[\xff]"])
def test_what_is_no_whole_array_of_objects_is_refused(written):
    with pytest.raises(ValueError):
        list(each_of_array([written]))


def test_an_object_without_end_is_refused_within_bounds():
    def without_end():
        yield b'[{"a": "'
        while True:
            yield b"x" * web.CHUNK_BYTES

    tracemalloc.start()
    with pytest.raises(DicomError) as refused:
        list(each_of_array(without_end()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert refused.value.code == "too_large"
    assert peak < 4 * LIMITS.header_bytes


def test_memory_holds_one_header_of_a_long_series():
    header = json.dumps({f"{tag:08X}": {"vr": "LO", "Value": ["x" * 20]} for tag in range(200)}).encode()

    def series():
        yield b"["
        for number in range(1_000):
            yield header + (b"," if number < 999 else b"]")

    tracemalloc.start()
    assert sum(1 for _ in each_of_array(series())) == 1_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert 1_000 * len(header) > 10 * MIB
    assert peak < MIB


def test_a_server_shows_nothing_of_its_sign_in():
    assert repr(Server("https://pacs", user="u", password="p4ssw0rd", token="t0ken")) == "Server(…)"
