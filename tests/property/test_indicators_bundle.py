"""A bundle is its indicators one by one, to the last bit, wherever the pieces end and whatever is not finite."""

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.errors import UsageError
from manjha.strategy.indicators import INDICATORS, Asked, bundle, get
from manjha.strategy.indicators.entry import FloatArray

# The function has the name of its module.
PIECES = importlib.import_module("manjha.strategy.indicators.bundle")
ROWS = 900


def bars(seed: int, rows: int = ROWS) -> dict[str, FloatArray]:
    """Bars in rupees that rest at times, with a few values that are not finite."""
    random = np.random.default_rng(seed)
    close: FloatArray = (100.0 + np.cumsum(random.integers(-3, 4, rows)) * 0.05).astype(np.float64)
    close[rows // 2 : rows // 2 + 60] = 104.0
    columns: dict[str, FloatArray] = {
        "open": close.copy(),
        "high": close + 0.1,
        "low": close - 0.15,
        "close": close,
        "x": close.copy(),
    }
    for name, bad in (("high", np.nan), ("close", np.inf), ("x", np.nan), ("x", -np.inf)):
        columns[name][random.integers(0, rows)] = bad
    columns["volume"] = random.integers(0, 9, rows).astype(np.float64)
    columns["day"] = (20_000 + np.arange(rows) // 75).astype(np.float64)
    return columns


def every(columns: dict[str, FloatArray]) -> list[Asked]:
    return [entry.of(*(columns[name] for name in entry.inputs)) for entry in INDICATORS.values()]


def alone(one: Asked) -> tuple[FloatArray, ...]:
    return one.indicator.arrays(*one.columns, **one.parameters)


def assert_same(bundled: list[tuple[FloatArray, ...]], asked: list[Asked]) -> None:
    for one, lines in zip(asked, bundled, strict=True):
        for mine, theirs in zip(lines, alone(one), strict=True):
            np.testing.assert_array_equal(mine, theirs, strict=True, err_msg=one.indicator.name)


@given(seed=st.integers(0, 2**32), rows=st.sampled_from([1, 2, 19, 64, 257, 512, 2_000]))
def test_bundle_gives_what_each_gives_alone(seed: int, rows: int) -> None:
    asked = every(bars(seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PIECES, "ROWS", rows)
        patch.setattr(PIECES, "WINDOWS", 0)
        assert_same(bundle(*asked), asked)


def test_whole_prices_bundle_too() -> None:
    close = np.arange(1_000_000, 1_000_000 + 500 * ROWS, 500)
    asked = [get("sma").of(close, length=7), get("bollinger").of(close, length=7), get("macd").of(close)]
    assert_same(bundle(*asked), asked)
    assert bundle(asked[0])[0][0][6] == 100.15


def test_arrays_given_are_written_and_returned() -> None:
    asked = every(bars(5))
    out = [tuple(np.zeros(ROWS) for _ in one.indicator.outputs) for one in asked]
    bundled = bundle(*asked, out=out)
    for lines, had in zip(bundled, out, strict=True):
        assert all(mine is given for mine, given in zip(lines, had, strict=True))
    assert_same(bundled, asked)


def test_what_is_left_of_a_large_bundle_is_never_written_again() -> None:
    asked = [get("macd").of(bars(seed, 100_000)["close"], fast=3 + seed) for seed in range(6)]
    # Of one the middle line is left, of one a view, of one a memoryview, of the others all.
    left: list[tuple[Any, FloatArray]] = []
    for place, one in enumerate(asked):
        line, signal, histogram = bundle(one)[0]
        views: list[Any] = [signal, signal[5:900], memoryview(signal)]  # type: ignore[arg-type]  # arrays are buffers
        left.append((views[place] if place < len(views) else (line, signal, histogram), alone(one)[1]))
        del line, signal, histogram, views
        bundle(asked[-1 - place])
    for place, (kept, right) in enumerate(left):
        mine = kept[1] if isinstance(kept, tuple) else np.asarray(kept)
        np.testing.assert_array_equal(mine, right[5:900] if place == 1 else right)


def test_memory_of_a_large_bundle_is_used_again_when_all_of_it_is_gone() -> None:
    asked = get("macd").of(bars(1, 100_000)["close"])
    places = set()
    lines: list[tuple[FloatArray, ...]] = []
    for _ in range(8):
        lines = bundle(asked)
        places.add(lines[0][0].ctypes.data)
        assert_same(lines, [asked])
    assert len(places) <= PIECES.SPARES + 1
    PIECES._SPARE.clear()
    lines = bundle(asked)
    first = lines[0][0].ctypes.data
    lines.clear()
    assert bundle(asked)[0][0].ctypes.data == first


def test_memory_that_does_not_fit_or_is_too_large_is_not_kept() -> None:
    close = bars(2, 100_000)["close"]
    PIECES._SPARE.clear()
    bundle(get("macd").of(close))
    assert_same(bundle(asked := get("macd").of(np.tile(close, 3))), [asked])
    assert [memory.size for memory, _ in PIECES._SPARE] == [900_000 + PIECES.HUGE]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PIECES, "SPARE_MAX", 900_000)
        bundle(get("macd").of(np.tile(close, 9)))
    assert len(PIECES._SPARE) == 0


def test_nothing_asked_is_nothing_given() -> None:
    assert bundle() == []


def test_what_does_not_fit_is_refused() -> None:
    sma = get("sma").of(np.ones(30), length=3)
    with pytest.raises(UsageError, match="equal length, were 30 and 31"):
        bundle(sma, get("ema").of(np.ones(31)))
    with pytest.raises(UsageError, match=r"must have \[1\] arrays for these indicators, had \[2\]"):
        bundle(sma, out=[(np.empty(30), np.empty(30))])
    unfit: list[Any] = [np.empty(29), np.empty(30, np.float32), np.empty(60)[::2], np.empty((30, 1))]
    for bad in unfit:
        with pytest.raises(UsageError, match="float64 arrays of 30 rows"):
            bundle(sma, out=[(bad,)])
    with pytest.raises(UsageError, match="length must be a whole number"):
        get("sma").of(np.ones(30), length=0)
