"""What a reader types into a cell of the lesion grid: a size, or how a lesion was found. In words: docs/rules/recist.md."""

import re
from dataclasses import dataclass
from decimal import Decimal

from imaging.rules.recist import STATES_OF_ROLE, LesionRole, State, number
from languages.wording import gettext as _
from languages.wording import pgettext

MOST_SIZE_MM = Decimal(500)
MOST_SUV = Decimal(1000)
MOST_PARTS = 12

_NUMBER = re.compile(r"\d{1,4}([.,]\d{1,3})?", re.ASCII)
_MERGED = re.compile(r"(?:>|→|m(?:erged)?(?:\s+(?:in|into|with))?\s)\s*([A-Za-z0-9_-]{1,12})", re.IGNORECASE)

# What can be typed for a state without a size; the first is what the grid shows.
WORDS: dict[State, tuple[str, ...]] = {
    State.ABSENT: ("absent", "a", "0", "gone", "-", "–", "none"),
    State.TOO_SMALL: ("too small", "ts", "tstm", "s", "too small to measure"),
    State.NOT_EVALUABLE: ("NE", "not evaluable", "n.e."),
    State.PRESENT: ("present", "p", "+", "yes"),
    State.PROGRESSED: ("PD", "progressed", "up", "unequivocal progression"),
    State.EQUIVOCAL: ("equivocal", "eq", "?"),
}


def _typed_for(state: State) -> str:
    """Return what the grid shows for a state without a size, as it is typed in the reader's language."""
    return {
        State.ABSENT: pgettext("typed for a lesion", "absent"),
        State.TOO_SMALL: pgettext("typed for a lesion", "too small"),
        State.NOT_EVALUABLE: pgettext("typed for a lesion", "NE"),
        State.PRESENT: pgettext("typed for a lesion", "present"),
        State.PROGRESSED: pgettext("typed for a lesion", "PD"),
        State.EQUIVOCAL: pgettext("typed for a lesion", "equivocal"),
    }[state]


_STATE_OF_WORD = {word.casefold(): state for state, words in WORDS.items() for word in words}


@dataclass(frozen=True)
class CellEntry:
    """What a cell says.

    Attributes:
        size_mm: of a split lesion the sum of ``parts_mm``.
        merged_into: label of the other lesion, in capitals.
    """

    state: State
    size_mm: Decimal | None = None
    parts_mm: tuple[Decimal, ...] = ()
    merged_into: str = ""


def parse_cell(text: str, role: LesionRole) -> CellEntry | None:
    """Return what was typed into the size of a lesion; None for an empty cell.

    Raises:
        ValueError: it cannot be read, or such a lesion cannot be so; the message says what can be typed.
    """
    written = " ".join(text.split())
    if not written:
        return None
    entry = _read(written.casefold(), written)
    if entry is None:
        raise ValueError(
            _("{typed} cannot be read: type {expected}.").format(
                typed=repr(written[:40]), expected=expected(role)
            )
        )
    if entry.state not in STATES_OF_ROLE[role]:
        said = {
            LesionRole.NEW: _("{typed} cannot be said of this new lesion: type {expected}."),
            LesionRole.TARGET: _("{typed} cannot be said of a target lesion: type {expected}."),
            LesionRole.NON_TARGET: _("{typed} cannot be said of a non-target lesion: type {expected}."),
        }
        raise ValueError(said[role].format(typed=repr(written[:40]), expected=expected(role)))
    return entry


def _read(folded: str, written: str) -> CellEntry | None:
    if folded in _STATE_OF_WORD:
        return CellEntry(_STATE_OF_WORD[folded])
    for state in WORDS:
        if folded == _typed_for(state).casefold():
            return CellEntry(state)
    merged = _MERGED.fullmatch(written)
    if merged:
        return CellEntry(State.MERGED, merged_into=merged[1].upper())
    bare = folded.removesuffix("mm").strip()
    parts = [part.strip() for part in bare.split("+")]
    if not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    sizes = tuple(_size(part) for part in parts)
    if len(sizes) == 1:
        return CellEntry(State.ABSENT) if sizes[0] == 0 else CellEntry(State.MEASURED, sizes[0])
    if len(sizes) > MOST_PARTS or not all(sizes):
        raise ValueError(
            _("A split lesion has 2 to {most} parts, each above 0 mm, such as 12+9.").format(most=MOST_PARTS)
        )
    total = sum(sizes, Decimal(0))
    if total > MOST_SIZE_MM:
        raise ValueError(
            _("The parts add up to {total} mm: at most {most} mm can be.").format(
                total=number(total), most=number(MOST_SIZE_MM)
            )
        )
    return CellEntry(State.SPLIT, total, sizes)


def _size(text: str) -> Decimal:
    size = Decimal(text.replace(",", "."))
    if size != round(size, 1):
        raise ValueError(
            _("{typed} mm: give a size in mm with at most one digit after the point.").format(typed=text)
        )
    if size > MOST_SIZE_MM:
        raise ValueError(
            _("{typed} mm: a size lies between 0 and {most} mm.").format(
                typed=text, most=number(MOST_SIZE_MM)
            )
        )
    return size


def parse_suv(text: str) -> Decimal | None:
    """Return an SUVmax as typed; None for an empty cell.

    Raises:
        ValueError: no number from 0 to below 1000 with at most two digits after the point.
    """
    written = text.strip()
    if not written:
        return None
    if not _NUMBER.fullmatch(written):
        raise ValueError(_("{typed} is no SUV: type a number such as 24.6.").format(typed=repr(written[:40])))
    suv = Decimal(written.replace(",", "."))
    if suv != round(suv, 2) or suv >= MOST_SUV:
        raise ValueError(
            _("{typed} is no SUV: a number below {most} with at most two digits after the point.").format(
                typed=written, most=number(MOST_SUV)
            )
        )
    return suv


def written_cell(
    state: str,
    size_mm: Decimal | None,
    parts_mm: list[Decimal] | tuple[Decimal, ...] = (),
    merged_into: str = "",
) -> str:
    """Return what stands for a finding in the grid; typed again it gives the same finding."""
    if not state:
        return ""
    if state == State.MERGED:
        return f"> {merged_into}"
    if state == State.SPLIT:
        return "+".join(number(part) for part in parts_mm)
    if size_mm is not None:
        return number(size_mm)
    return _typed_for(State(state))


def expected(role: LesionRole) -> str:
    """Return what can be typed for a lesion, as it goes on after "type"."""
    said = {
        LesionRole.TARGET: _(
            "a size in mm, 12+9 for parts, absent, too small, NE, or > L2 for merged into L2"
        ),
        LesionRole.NON_TARGET: _("present, absent, PD (unequivocal progression), NE, or a size in mm"),
        LesionRole.NEW: _("present, equivocal, absent, NE, or a size in mm"),
    }
    return said[role]
