"""What can be typed into a cell of the lesion grid, and what is refused, in words."""

import string
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.rules.cells import WORDS, CellEntry, parse_cell, parse_suv, written_cell
from imaging.rules.recist import STATES_OF_ROLE, LesionRole, State

TARGET, NON_TARGET, NEW = LesionRole.TARGET, LesionRole.NON_TARGET, LesionRole.NEW


@pytest.mark.parametrize(
    ("typed", "size"),
    [
        ("23", "23"),
        ("23.5", "23.5"),
        ("23,5", "23.5"),
        ("23 mm", "23"),
        ("23mm", "23"),
        ("23.0", "23"),
        ("  23  ", "23"),
        ("007", "7"),
        ("0.1", "0.1"),
        ("500", "500"),
        ("23 MM", "23"),
    ],
)
@pytest.mark.parametrize("role", LesionRole)
def test_a_size_is_read_in_mm(typed, size, role):
    assert parse_cell(typed, role) == CellEntry(State.MEASURED, Decimal(size))


@pytest.mark.parametrize(
    ("typed", "sizes"),
    [
        ("12+9", ["12", "9"]),
        ("12 + 9", ["12", "9"]),
        ("12,5+9.5 mm", ["12.5", "9.5"]),
        ("+".join(["40"] * 12), ["40"] * 12),
        ("250+250", ["250", "250"]),
    ],
)
def test_parts_are_read_and_added(typed, sizes):
    parts = tuple(Decimal(size) for size in sizes)

    assert parse_cell(typed, TARGET) == CellEntry(State.SPLIT, sum(parts), parts)


@pytest.mark.parametrize(
    "typed", ["> L2", ">L2", "→ L2", "m L2", "merged L2", "merged into l2", "Merged  with  L2", "m in L2"]
)
def test_a_merged_lesion_names_the_other_in_capitals(typed):
    assert parse_cell(typed, TARGET) == CellEntry(State.MERGED, merged_into="L2")


@pytest.mark.parametrize(
    ("typed", "state"), [(word, state) for state, words in WORDS.items() for word in words]
)
def test_a_state_can_be_said_in_any_case_and_spacing(typed, state):
    role = next(role for role in LesionRole if state in STATES_OF_ROLE[role])

    for written in (typed, typed.upper(), f"  {typed.replace(' ', '   ')} "):
        assert parse_cell(written, role) == CellEntry(state)


@pytest.mark.parametrize("typed", ["0", "0.0", "0 mm", "0,0"])
def test_nothing_left_is_absent(typed):
    assert parse_cell(typed, TARGET) == CellEntry(State.ABSENT)


@pytest.mark.parametrize("typed", ["", " ", "\t\n"])
def test_an_empty_cell_says_nothing(typed):
    assert parse_cell(typed, TARGET) is None
    assert parse_suv(typed) is None


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            "about 20",
            "'about 20' cannot be read: type a size in mm, 12+9 for parts, absent, too small, NE, or > L2 for merged",
        ),
        ("-5", "'-5' cannot be read: "),
        ("1e2", "'1e2' cannot be read: "),
        ("23 cm", "'23 cm' cannot be read: "),
        ("12++9", "'12++9' cannot be read: "),
        ("12+", "'12+' cannot be read: "),
        ("> ", "'>' cannot be read: "),
        ("> L2 L3", "'> L2 L3' cannot be read: "),
        ("٢٣", "'٢٣' cannot be read: "),
        ("23.45", "23.45 mm: give a size in mm with at most one digit after the point."),
        ("12+9.25", "9.25 mm: give a size in mm with at most one digit after the point."),
        ("500.1", "500.1 mm: a size lies between 0 and 500 mm."),
        ("9999", "9999 mm: a size lies between 0 and 500 mm."),
        ("12+0", "A split lesion has 2 to 12 parts, each above 0 mm, such as 12+9."),
        ("+".join(["1"] * 13), "A split lesion has 2 to 12 parts, each above 0 mm, such as 12+9."),
        ("250+250.1", "The parts add up to 500.1 mm: at most 500 mm can be."),
        ("x" * 200, f"'{'x' * 40}' cannot be read: "),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_can_be_typed(typed, message):
    with pytest.raises(ValueError) as refused:
        parse_cell(typed, TARGET)

    assert str(refused.value).startswith(message)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("typed", "role", "message"),
    [
        (
            "present",
            TARGET,
            "'present' cannot be said of a target lesion: type a size in mm, 12+9 for parts, absent, too small, NE, or > L2"
            " for merged into L2.",
        ),
        ("PD", TARGET, "'PD' cannot be said of a target lesion: "),
        ("eq", TARGET, "'eq' cannot be said of a target lesion: "),
        (
            "eq",
            NON_TARGET,
            "'eq' cannot be said of a non-target lesion: type present, absent, PD (unequivocal progression), NE, or a size"
            " in mm.",
        ),
        (
            "PD",
            NEW,
            "'PD' cannot be said of this new lesion: type present, equivocal, absent, NE, or a size in mm.",
        ),
    ],
)
def test_what_such_a_lesion_cannot_be_is_refused(typed, role, message):
    with pytest.raises(ValueError) as refused:
        parse_cell(typed, role)

    assert str(refused.value).startswith(message)


# Both ways


def tenths(least: int, most: int) -> st.SearchStrategy[Decimal]:
    return st.integers(least, most).map(lambda number: Decimal(number) / 10)


LABELS = st.text(string.ascii_uppercase + string.digits + "_-", min_size=1, max_size=12)
ENTRIES = st.one_of(
    st.sampled_from(sorted(WORDS)).map(CellEntry),
    tenths(1, 5000).map(lambda size: CellEntry(State.MEASURED, size)),
    st.lists(tenths(1, 400), min_size=2, max_size=12).map(
        lambda parts: CellEntry(State.SPLIT, sum(parts, Decimal(0)), tuple(parts))
    ),
    LABELS.map(lambda label: CellEntry(State.MERGED, merged_into=label)),
)


@given(ENTRIES)
@settings(max_examples=200, deadline=None)
def test_what_the_grid_shows_is_read_as_what_it_shows(entry):
    shown = written_cell(entry.state, entry.size_mm, entry.parts_mm, entry.merged_into)
    roles = [role for role in LesionRole if entry.state in STATES_OF_ROLE[role]]

    assert roles
    for role in roles:
        assert parse_cell(shown, role) == entry


@given(st.text(string.digits + "+.,> LmMaN?-–e\u0661é\u2003", max_size=12), st.sampled_from(LesionRole))
@settings(max_examples=300, deadline=None)
def test_whatever_is_typed_is_read_as_it_will_be_shown_or_refused_in_words(typed, role):
    entry, refused = None, ""
    try:
        entry = parse_cell(typed, role)
    except ValueError as error:
        refused = str(error)
    if entry is not None:
        assert entry.state in STATES_OF_ROLE[role]
        shown = written_cell(entry.state, entry.size_mm, entry.parts_mm, entry.merged_into)
        assert parse_cell(shown, role) == entry
    else:
        assert refused.endswith(".") or not typed.strip()


def test_nothing_is_shown_of_nothing():
    assert written_cell("", None) == ""


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (State.ABSENT, "absent"),
        (State.TOO_SMALL, "too small"),
        (State.NOT_EVALUABLE, "NE"),
        (State.PRESENT, "present"),
        (State.PROGRESSED, "PD"),
        (State.EQUIVOCAL, "equivocal"),
    ],
)
def test_a_state_is_shown_by_its_word(state, shown):
    assert written_cell(state.value, None) == shown


def test_numbers_are_shown_without_zeros_at_their_end():
    assert written_cell("measured", Decimal("20.0")) == "20"
    assert written_cell("split", Decimal("21.0"), [Decimal("12.0"), Decimal("9.0")]) == "12+9"
    assert written_cell("merged", None, [], "L2") == "> L2"


# SUVmax


@pytest.mark.parametrize(
    ("typed", "suv"), [("24.6", "24.6"), ("24,65", "24.65"), ("0", "0"), (" 999.99 ", "999.99")]
)
def test_an_suv_is_read(typed, suv):
    assert parse_suv(typed) == Decimal(suv)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("high", "'high' is no SUV: type a number such as 24.6."),
        ("-1", "'-1' is no SUV: type a number such as 24.6."),
        ("24.655", "24.655 is no SUV: a number below 1000 with at most two digits after the point."),
        ("1000", "1000 is no SUV: a number below 1000 with at most two digits after the point."),
    ],
)
def test_what_is_no_suv_is_refused(typed, message):
    with pytest.raises(ValueError) as refused:
        parse_suv(typed)

    assert str(refused.value) == message
