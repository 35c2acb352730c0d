"""What a check does to the data: it never touches what is known, and always changes what is to come."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manjha.research.bias.tape import Cells, Change, Kind, Tape, Track, changeable, changed, cut, differs, mixed

CHANGES = [
    Change(Kind.LEVEL),
    Change(Kind.INVERTED),
    Change(Kind.SHUFFLED, 3),
    *(Change(Kind.COLUMN, 1, name) for name in ("open", "high", "low", "close", "volume")),
]


def tape(count: int = 40, seed: int = 0, scale: Callable[[np.ndarray], np.ndarray] = np.copy) -> Tape:
    rng = np.random.default_rng(seed)
    close = 5_000_000 + np.cumsum(rng.integers(-9_000, 9_000, count))
    opened = np.append(close[0], close[:-1])
    columns = {
        "open": opened,
        "high": np.maximum(opened, close) + rng.integers(500, 9_000, count),
        "low": np.minimum(opened, close) - rng.integers(500, 9_000, count),
        "close": close,
        "volume": rng.integers(1, 90_000, count),
        "oi": np.zeros(count, np.int64),
    }
    stamps = np.arange(count, dtype=np.int64) * 60
    return (Track("A", 60, stamps, stamps + 60, {name: scale(values) for name, values in columns.items()}),)


@given(st.integers(0, 9), st.integers(1, 38), st.sampled_from(CHANGES))
def test_a_change_leaves_what_is_known_and_moves_the_rest(seed: int, known: int, change: Change) -> None:
    whole = tape(seed=seed)
    other = changed(whole, int(whole[0].close_ns[known - 1]), change)
    for name, values in whole[0].columns.items():
        assert np.array_equal(values[:known], other[0].columns[name][:known])
        assert values.dtype == other[0].columns[name].dtype
    assert differs(whole, other) or change.kind is Kind.SHUFFLED


@given(st.integers(0, 9), st.sampled_from(CHANGES))
def test_a_changed_bar_is_still_a_bar(seed: int, change: Change) -> None:
    whole = tape(seed=seed)
    columns = changed(whole, int(whole[0].close_ns[5]), change)[0].columns
    for name in ("open", "close"):
        assert (columns["low"] <= columns[name]).all()
        assert (columns[name] <= columns["high"]).all()
    assert (columns["low"] > 0).all()


def test_moves_are_turned_round() -> None:
    whole = tape()
    other = changed(whole, int(whole[0].close_ns[9]), Change(Kind.INVERTED))
    before, after = (np.diff(each[0].columns["close"][9:]) for each in (whole, other))
    assert (np.sign(before) == -np.sign(after)).all()


def test_a_cut_keeps_what_is_known() -> None:
    assert len(cut(tape(), 600)[0].close_ns) == 10
    assert len(cut(tape(), 0)[0].close_ns) == 0


def test_mixing_takes_the_cells_that_are_named_and_no_others() -> None:
    whole = tape()
    other = changed(whole, 600, Change(Kind.LEVEL))
    one = mixed(whole, other, Cells(660, 720, None, frozenset(["close"])))
    apart = {
        name: np.flatnonzero(one[0].columns[name] != whole[0].columns[name]).tolist() for name in ("close", "open")
    }
    assert apart == {"close": [11], "open": []}
    assert not differs(whole, mixed(whole, other, Cells(600, 9_999, frozenset())))


def test_columns_without_a_change_in_them_are_not_tried() -> None:
    assert changeable(tape()) == ["open", "high", "low", "close", "volume"]


@pytest.mark.parametrize("kind", [Kind.LEVEL, Kind.INVERTED, Kind.COLUMN])
def test_columns_of_any_name_change_too(kind: Kind) -> None:
    stamps = np.arange(30, dtype=np.int64)
    whole = (Track("", 0, stamps, stamps, {"pcr": np.sin(stamps), "ts": stamps}),)
    other = changed(whole, 9, Change(kind, 0, "pcr"))
    assert (other[0].columns["pcr"][10:] != whole[0].columns["pcr"][10:]).all()
    assert np.array_equal(other[0].columns["ts"], stamps)
