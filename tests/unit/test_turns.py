"""What a strategy states at few bars stands for what it wants at every one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.errors import UsageError
from manjha.strategy import turns
from manjha.strategy.turns import changes, crossings, crossings_at
from manjha.strategy.views import Floats

numbers = st.sampled_from([np.nan, -1.0, 0.0, 0.5, 1.0])
columns = st.lists(numbers, max_size=40).map(np.array)


def carried_on(stated: Floats) -> list[float]:
    """Return the last number stated by each bar, 9 before the first."""
    held, last = [], 9.0
    for value in stated.tolist():
        last = last if np.isnan(value) else value
        held.append(last)
    return held


@given(wanted=columns)
def test_changes_stand_for_the_whole_column_and_none_repeats(wanted: Floats) -> None:
    stated = changes(wanted)
    assert carried_on(stated) == carried_on(wanted)
    said = stated[~np.isnan(stated)]
    assert not np.any(said[1:] == said[:-1])


@given(pairs=st.lists(st.tuples(numbers, numbers), max_size=40), below=st.sampled_from([0.0, -1.0]))
def test_crossings_are_the_changes_of_being_above(pairs: list[tuple[float, float]], below: float) -> None:
    one, other = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    known = ~(np.isnan(one) | np.isnan(other))
    wanted = np.where(known, np.where(one > other, 1.0, below), np.nan)
    assert np.array_equal(crossings(one, other, below=below), changes(wanted), equal_nan=True)


@given(pairs=st.lists(st.tuples(numbers, numbers), max_size=40), below=st.sampled_from([0.0, -1.0]), by=numbers)
def test_few_crossings_are_those_of_the_column(pairs: list[tuple[float, float]], below: float, by: float) -> None:
    one, other = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    found = crossings_at(one, other, by=by, below=below)
    column = np.full(len(one), np.nan)
    column[found.rows] = found.values
    assert np.array_equal(column, crossings(one, other + by, below=below), equal_nan=True)


@given(
    seed=st.integers(0, 2**32 - 1),
    unknown=st.sampled_from([0.0, 0.001, 0.3]),
    turn=st.sampled_from([0.003, 0.05, 0.7]),
    wants=st.sampled_from([(1.0, 0.0), (0.0, 1.0), (2.0, 2.0), (1.0, np.nan), (np.nan, 1.0)]),
    room=st.sampled_from([1, 70, 4096]),
)
def test_words_of_rows_are_searched_as_rows_are(
    seed: int, unknown: float, turn: float, wants: tuple[float, float], room: int
) -> None:
    rng = np.random.default_rng(seed)
    above, below = wants
    other = rng.integers(0, 5, 700).astype(float)
    one = other + np.where(np.cumsum(rng.random(700) < turn) % 2 == 1, 1.0, rng.choice([-1.0, 0.0]))
    for line in (one, other):
        line[rng.random(700) < unknown] = np.nan
    rows, values, last = [], [], np.nan
    for row, (a, b) in enumerate(zip(one.tolist(), other.tolist(), strict=True)):
        wanted = above if a > b else below
        if not np.isnan(a) and not np.isnan(b) and wanted != last:
            last = wanted
            rows.append(row)
            values.append(wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "PIECE", room)
        found = crossings_at(one, other, above=above, below=below)
    assert found.rows.tolist() == rows
    assert np.array_equal(found.values, values, equal_nan=True)


def test_crossings_are_found_across_the_pieces_of_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    one = np.array([0.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0, 2.0])
    whole = crossings_at(one, np.ones(9), above=5.0)
    monkeypatch.setattr(turns, "PIECE", 2)
    found = crossings_at(one, np.ones(9), above=5.0)
    assert found.rows.tolist() == whole.rows.tolist() == [0, 1, 5, 8]
    assert found.values.tolist() == whole.values.tolist() == [0.0, 5.0, 0.0, 5.0]


def test_by_hand() -> None:
    nan = np.nan
    above = crossings(np.array([nan, 2.0, 3.0, 1.0, 1.0, nan, 4.0]), np.array([1.0, 1.0, 1.0, 1.0, 2.0, 0.0, 1.0]))
    assert np.array_equal(above, np.array([nan, 1.0, nan, 0.0, nan, nan, 1.0]), equal_nan=True)


def test_lines_of_unequal_length_are_refused() -> None:
    for search in (crossings, crossings_at):
        for one, other in (
            (np.zeros(9), np.zeros(3)),
            (np.zeros(3), np.zeros(9)),
            (np.zeros((4, 1)), np.zeros((4, 1))),
        ):
            with pytest.raises(UsageError, match="two lines of one number a bar"):
                search(one, other)
