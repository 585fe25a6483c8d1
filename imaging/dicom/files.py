"""Takes an upload apart into single files, one at a time and within bounds; nothing is written to disk."""

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, BinaryIO

from imaging.dicom.errors import DicomError
from languages import wording
from languages.wording import gettext as _

KIB, MIB, GIB = 1024, 1024**2, 1024**3
CHUNK_BYTES = 64 * KIB
ITEM_TAG = b"\xfe\xff\x00\xe0"

# What systems and viewers put beside the images: no image of the study, and no reason to refuse it.
CLUTTER = {"dicomdir", "thumbs.db", "desktop.ini", "lockfile", "version"}
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
OTHER_ARCHIVES = (b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh", b"\xfd7zXZ")
# ASN.1 of a CMS envelope (DICOM PS3.15: secure DICOM file): a sequence with an object identifier of PKCS #7.
CMS_IDENTIFIER = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07"
# What zipfile and its unpackers raise for archives that are broken, or made in a way they do not know.
UNPACKING_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
)


@dataclass(frozen=True)
class Limits:
    """The most that is read of one upload."""

    files: int = 10_000
    file_bytes: int = 2 * GIB  # an enhanced PET or CT is one file of hundreds of MiB
    total_bytes: int = 8 * GIB  # as the zip says it would unpack to
    header_bytes: int = 16 * MIB  # kept in memory while one file is read
    upload_bytes: int = GIB  # of all that is sent, pictures included
    items: int = 100_000  # of sequences in one header: pydicom makes an object of each
    directory_bytes: int = 4 * MIB  # of a zip's list of contents, which is read into memory
    # Pictures of mostly air pack 50 : 1. Zeros pack 1000 : 1, and a small file of them does no harm.
    ratio: int = 200
    ratio_from_bytes: int = 16 * MIB


LIMITS = Limits()


class Head(io.RawIOBase):
    """The beginning of one file, read as far as asked for, and never past the bounds.

    Seeking back is served from what was read, so that the parts of a zip need not be unpacked twice.
    """

    def __init__(self, source: IO[bytes], *, place: str, size: int, limits: Limits = LIMITS) -> None:
        self.place = place
        self.size = size
        self.limits = limits
        self._source = source
        self._kept = bytearray()
        self._at = 0
        self._items = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        # As files do, a seek may go past the end: reading there gives nothing.
        self._at = max(base + offset, 0)
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            # Asked for by pydicom for one reason alone: a data set that is compressed as a whole, to any size.
            raise DicomError(
                "deflated",
                _("{place} is compressed as a whole (deflated). Export it uncompressed, then repeat.").format(
                    place=self.place
                ),
            )
        end = min(self._at + size, self.size)
        if end > self.limits.header_bytes:
            raise DicomError(
                "header_too_large",
                _(
                    "The header of {place} is larger than {most} MiB. Export the series again without private or embedded"
                    " objects."
                ).format(place=self.place, most=self.limits.header_bytes // MIB),
            )
        while len(self._kept) < end:
            more = self._chunk()
            if not more:
                break
            # A tag cut by the border of two chunks is not counted; the bound need not be exact.
            self._items += more.count(ITEM_TAG)
            self._kept += more
            if self._items > self.limits.items:
                raise DicomError(
                    "header_too_large",
                    _(
                        "{place} has more than {most} items in its header. Export the series again without private or"
                        " embedded objects."
                    ).format(place=self.place, most=grouped(self.limits.items)),
                )
        found = bytes(self._kept[self._at : end])
        self._at += len(found)
        return found

    def _chunk(self) -> bytes:
        try:
            return self._source.read(CHUNK_BYTES)
        except UNPACKING_ERRORS:
            pass
        # Raised here, so that the library's error, which can name the file, does not travel along.
        raise DicomError(
            "broken_zip",
            _("{place} cannot be unpacked. Make the zip again, then repeat.").format(place=self.place),
        )


@dataclass
class Uploads:
    """Takes the parts of one upload apart, one after the other, and counts them."""

    limits: Limits = LIMITS
    parts: int = 0
    files: int = 0

    def each_file(self, part: BinaryIO, *, size: int | None = None) -> Iterator[Head]:
        """Yield every DICOM file of a part, which is one such file or a zip of them.

        A yielded file is valid until the next one is asked for.

        Args:
            size: of the part, where only the beginning of a single file was kept; None: all of it is there.

        Raises:
            DicomError: something is no DICOM file, encrypted, an archive within an archive, too large, broken or empty.
        """
        self.parts += 1
        place = _("File {number}").format(number=self.parts)
        part.seek(0)
        start = part.read(4)
        part.seek(0)
        if start in ZIP_STARTS:
            yield from _members(part, self.parts, place, self)
            return
        self.one_more()
        if size is None:
            size = part.seek(0, io.SEEK_END)
            part.seek(0)
        head = Head(part, place=place, size=size, limits=self.limits)
        check_is_dicom(head)
        yield head

    def one_more(self) -> None:
        """Count a file.

        Raises:
            DicomError: it is one too many.
        """
        self.files += 1
        if self.files > self.limits.files:
            raise DicomError(
                "too_many_files",
                _(
                    "The upload has more than {most} files. Upload the PET series and the CT series of one study."
                ).format(most=grouped(self.limits.files)),
            )

    def end(self) -> None:
        """Refuse an upload of nothing.

        Raises:
            DicomError: there was no file.
        """
        if not self.files:
            raise DicomError(
                "empty", _("The upload holds no file. Choose DICOM files, or a zip of a series, then repeat.")
            )


def _members(upload: BinaryIO, part: int, place: str, count: Uploads) -> Iterator[Head]:
    limits = count.limits
    _check_directory(upload, place, limits)
    archive = None
    with suppress(*UNPACKING_ERRORS):
        archive = zipfile.ZipFile(upload)
    if archive is None:
        raise DicomError(
            "broken_zip", _("{place} is a broken zip. Make it again, then repeat.").format(place=place)
        )
    with archive:
        members = [member for member in archive.infolist() if not _is_clutter(member)]
        if sum(member.file_size for member in members) > limits.total_bytes:
            raise DicomError(
                "too_large",
                _(
                    "{place} would unpack to more than {most} GiB. Zip the PET series and the CT series of one study alone."
                ).format(place=place, most=limits.total_bytes // GIB),
            )
        for number, member in enumerate(members, 1):
            inside = (
                _("File {number} of the zip") if part == 1 else _("File {number} of zip {part}")
            ).format(number=number, part=part)
            count.one_more()
            yield from _member(archive, member, inside, limits)


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, inside: str, limits: Limits) -> Iterator[Head]:
    if member.flag_bits & 0x1:
        raise DicomError(
            "encrypted",
            _("{place} is encrypted with a password. Make the zip without one, then repeat.").format(
                place=inside
            ),
        )
    if member.file_size > limits.ratio_from_bytes and member.file_size > limits.ratio * max(
        member.compress_size, 1
    ):
        raise DicomError(
            "zip_bomb",
            _("{place} unpacks to more than {most} times its size, as no image does.").format(
                place=inside, most=limits.ratio
            ),
        )
    source = None
    with suppress(*UNPACKING_ERRORS):
        source = archive.open(member)
    if source is None:
        raise DicomError(
            "broken_zip",
            _("{place} cannot be unpacked. Make the zip again, then repeat.").format(place=inside),
        )
    with source:
        head = Head(source, place=inside, size=member.file_size, limits=limits)
        check_is_dicom(head)
        yield head


def check_is_dicom(head: Head) -> None:
    """Refuse a file that does not begin as a DICOM file does, saying what it is instead where that can be told.

    Raises:
        DicomError: see above; also a file that is too large or empty.
    """
    if head.size > head.limits.file_bytes:
        raise DicomError(
            "too_large",
            _("{place} is larger than {most} GiB.").format(
                place=head.place, most=head.limits.file_bytes // GIB
            ),
        )
    start = head.read(132)
    head.seek(0)
    if start[128:132] == b"DICM":
        return
    if not start:
        raise DicomError(
            "empty", _("{place} is empty. Export it again, then repeat.").format(place=head.place)
        )
    if start[:4] in ZIP_STARTS or start.startswith(OTHER_ARCHIVES):
        raise DicomError(
            "archive",
            _("{place} is an archive. A zip of DICOM files is taken, one without archives inside it.").format(
                place=head.place
            ),
        )
    if start[:1] == b"\x30" and CMS_IDENTIFIER in start[:32]:
        raise DicomError(
            "encrypted",
            _("{place} is encrypted (a secure DICOM file). Decrypt it, then repeat.").format(
                place=head.place
            ),
        )
    raise DicomError(
        "not_dicom",
        _(
            "{place} is not a DICOM file. Leave out what is not an image or a report of the study, then repeat."
        ).format(place=head.place),
    )


def _is_clutter(member: zipfile.ZipInfo) -> bool:
    *folders, name = member.filename.replace("\\", "/").split("/")
    return (
        member.is_dir()
        or name.startswith(".")
        or name.casefold() in CLUTTER
        or "__MACOSX" in folders
        or not name
    )


def _check_directory(upload: BinaryIO, place: str, limits: Limits) -> None:
    """Refuse a zip whose list of contents is longer than any series needs; zipfile reads the whole list into memory.

    Looks where zipfile looks: at the end-of-directory record, and at the one for large archives before it.
    """
    size = upload.seek(0, io.SEEK_END)
    longest_end = 65_536 + 22 + 76  # a comment, the record, and the two for large archives before it
    upload.seek(max(size - longest_end, 0))
    tail = upload.read(longest_end)
    at = len(tail) - 22
    if not (at >= 0 and tail[at : at + 4] == b"PK\x05\x06" and tail[-2:] == b"\0\0"):
        at = tail.rfind(b"PK\x05\x06")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        # zipfile takes the record that lies directly before its locator, whatever offset the locator names.
        record = tail[max(at - 76, 0) : at - 20]
        directory = int.from_bytes(record[40:48], "little") if len(record) == 56 else directory
    upload.seek(0)
    if directory > limits.directory_bytes:
        raise DicomError(
            "too_many_files",
            _("{place} is a zip of too many files. Zip one study alone, then repeat.").format(place=place),
        )


def grouped(count: int | Decimal) -> str:
    """Return a count in thousands as the reader writes them: with commas in English, with points in German."""
    return f"{count:,}".replace(",", "." if wording.number(0.5) == "0,5" else ",")
