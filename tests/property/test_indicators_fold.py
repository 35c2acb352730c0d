"""Laws of every indicator of the registry: batch is streaming, the past does not change, NaN starts it over."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from manjha.strategy.indicators import INDICATORS, Indicator
from manjha.strategy.indicators.entry import PRICES, FloatArray

LONG = 700


def small(entry: Indicator) -> dict[str, object]:
    """Parameters short enough for a long tail of values after warm-up, all different from each other."""
    lengths = (p for p in entry.parameters if p.integer)
    return {parameter.name: max(3 + 2 * place, int(parameter.low)) for place, parameter in enumerate(lengths)}


def market(seed: int, rows: int, *, step: int = 400) -> dict[str, NDArray[np.int64]]:
    """A seeded market in 1e-4 rupee that trends, rests, repeats prices and has bars without volume."""
    random = np.random.default_rng(seed)
    close = 1_000_000 + 500 * np.cumsum(random.integers(-step, step + 1, rows) // 100)
    close[rows // 3 : rows // 3 + 40] = close[rows // 3] if rows else 0
    volume = random.integers(0, 5, rows) * 250
    volume[::75] = 1_000
    opened = np.concatenate([close[:1], close[:-1]])
    return {
        "x": close,
        "open": opened,
        "high": np.maximum(opened, close) + 500 * random.integers(0, 4, rows),
        "low": np.minimum(opened, close) - 500 * random.integers(0, 4, rows),
        "close": close,
        "volume": volume,
        "day": 20_000 + np.arange(rows) // 75,
    }


def inputs(entry: Indicator, columns: dict[str, NDArray[np.int64]], *, rupees: bool) -> list[FloatArray]:
    """The entry's columns as float64, in rupees or in 1e-4 rupee."""
    return [columns[name] / (10_000.0 if rupees and name in PRICES else 1.0) for name in entry.inputs]


def fold(entry: Indicator, columns: list[FloatArray], *, scale: float = 1.0) -> tuple[FloatArray, ...]:
    return entry.fold(*entry.init(scale, **small(entry)), *columns)


def streamed(entry: Indicator, columns: list[FloatArray], *, rupees: bool = True) -> tuple[FloatArray, ...]:
    stream = entry.stream(in_rupees=rupees, **small(entry))
    rows = [np.atleast_1d(stream.update(*row)) for row in zip(*columns, strict=True)]
    return tuple(np.array(rows).reshape(len(rows), len(entry.outputs)).T)


def assert_same(left: tuple[FloatArray, ...], right: tuple[FloatArray, ...]) -> None:
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


each = pytest.mark.parametrize("entry", INDICATORS.values(), ids=INDICATORS)


@each
def test_array_form_equals_streaming_bit_for_bit(entry: Indicator) -> None:
    columns = inputs(entry, market(7, LONG), rupees=True)
    assert_same(fold(entry, columns), streamed(entry, columns))


@each
def test_whole_prices_equal_streaming_bit_for_bit(entry: Indicator) -> None:
    columns = inputs(entry, market(8, LONG), rupees=False)
    assert_same(fold(entry, columns, scale=10_000.0), streamed(entry, columns, rupees=False))


@each
def test_batch_continues_what_streaming_began(entry: Indicator) -> None:
    columns = inputs(entry, market(9, LONG), rupees=True)
    whole = fold(entry, columns)
    for cut in (1, 7, 100, 333):
        stream = entry.stream(in_rupees=True, **small(entry))
        for row in zip(*(column[:cut] for column in columns), strict=True):
            stream.update(*row)
        rest = entry.fold(*stream.state, *(column[cut:] for column in columns))
        assert_same(tuple(line[cut:] for line in whole), rest)


@each
def test_streaming_continues_what_a_batch_began(entry: Indicator) -> None:
    columns = inputs(entry, market(10, LONG), rupees=True)
    whole = fold(entry, columns)
    for cut in (2, 50, 601):
        stream = entry.stream(in_rupees=True, **small(entry))
        entry.fold(*stream.state, *(column[:cut] for column in columns))
        rest = [np.atleast_1d(stream.update(*row)) for row in zip(*(c[cut:] for c in columns), strict=True)]
        assert_same(tuple(line[cut:] for line in whole), tuple(np.array(rest).T))


@each
def test_value_at_a_bar_depends_on_no_later_bar(entry: Indicator) -> None:
    columns = inputs(entry, market(11, LONG), rupees=True)
    other = inputs(entry, market(12, LONG), rupees=True)
    whole = fold(entry, columns)
    for cut in (0, 1, 5, 64, 500):
        changed = [np.concatenate([mine[:cut], theirs[cut:]]) for mine, theirs in zip(columns, other, strict=True)]
        assert_same(fold(entry, [column[:cut] for column in columns]), tuple(line[:cut] for line in whole))
        assert_same(tuple(line[:cut] for line in fold(entry, changed)), tuple(line[:cut] for line in whole))


@each
def test_leading_nans_are_the_warmup(entry: Indicator) -> None:
    lines = fold(entry, inputs(entry, market(13, LONG), rupees=True))
    warmup = entry.warmup_bars(**small(entry))
    assert {int(np.argmax(~np.isnan(line))) for line in lines} == {warmup}
    assert not any(np.isnan(line[warmup:]).any() for line in lines)


# The window of VWAP is the session; a test of its own says what it does.
@pytest.mark.parametrize("entry", [entry for name, entry in INDICATORS.items() if name != "vwap"], ids=lambda e: e.name)
def test_nan_starts_the_indicator_over(entry: Indicator) -> None:
    columns = inputs(entry, market(14, 300), rupees=True)
    for place, bad in enumerate([np.nan, np.inf, -np.inf]):
        dirty = [column.copy() for column in columns]
        dirty[place % len(dirty)][150] = bad
        lines = fold(entry, dirty)
        assert_same(tuple(line[:150] for line in lines), fold(entry, [column[:150] for column in columns]))
        assert all(np.isnan(line[150]) for line in lines)
        assert_same(tuple(line[151:] for line in lines), fold(entry, [column[151:] for column in columns]))
        assert_same(lines, streamed(entry, dirty))


@each
def test_short_and_empty_columns_give_nan_of_their_length(entry: Indicator) -> None:
    warmup = entry.warmup_bars(**small(entry))
    for rows in {0, 1, warmup} - {warmup + 1}:
        lines = fold(entry, inputs(entry, market(15, rows), rupees=True))
        assert all(line.shape == (rows,) and np.isnan(line[:warmup]).all() for line in lines)


@each
@given(seed=st.integers(0, 2**32), rows=st.integers(0, 60), step=st.sampled_from([0, 100, 400, 90_000]))
def test_any_market_streams_as_it_folds(entry: Indicator, seed: int, rows: int, step: int) -> None:
    columns = inputs(entry, market(seed, rows, step=step), rupees=bool(seed % 2))
    assert_same(fold(entry, columns), streamed(entry, columns))
