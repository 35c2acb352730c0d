"""Seeded market data of the benchmark contract: the same bytes for us and for every peer (numpy only).

One million one-minute bars of 375 a session on a grid of 0.05, mean-reverting so that a million bars stay near 1,000;
and 100,000 bars of fifty instruments. `docs/performance.md` holds the contract.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TICK = 0.05
MINUTE_NS = 60_000_000_000
SEED = 20_240_101
BARS = 1_000_000
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bars = tuple[Floats, ...]
"""Open, high, low, close and volume."""


def session_ts(count: int, start: str = "2014-01-01") -> Ints:
    """Return the opening moments of minute bars, weekdays only, 375 a day from 03:45 UTC."""
    days_needed = count // 375 + 2
    days = np.arange(np.datetime64(start), np.datetime64(start) + int(days_needed * 1.5) + 10)
    days = days[np.is_busday(days)][:days_needed]
    base = days.astype("datetime64[ns]").astype(np.int64) + 225 * MINUTE_NS
    stamps: Ints = (base[:, None] + np.arange(375, dtype=np.int64)[None, :] * MINUTE_NS).ravel()
    return stamps[:count]


def bars(count: int, rng: np.random.Generator, p0: float = 1000.0, vol: float = 0.0006) -> Bars:
    """Return open, high, low, close and volume; the log price is pulled slowly to its mean."""
    eps = rng.standard_normal(count) * vol
    path = np.empty(count)
    keep, current = 1.0 - 2e-5, 0.0
    for first in range(0, count, 4096):
        part = eps[first : first + 4096]
        weight = keep ** np.arange(1, len(part) + 1)
        block = weight * (current + np.cumsum(part / weight))
        path[first : first + 4096] = block
        current = block[-1]
    close = np.round(p0 * np.exp(path) / TICK) * TICK
    opened = np.empty(count)
    opened[0] = close[0]
    gap = np.round(rng.standard_normal(count) * 0.6) * TICK
    opened[1:] = close[:-1] + gap[1:]
    up = np.abs(np.round(rng.standard_normal(count) * vol * p0 * 0.6 / TICK)) * TICK
    down = np.abs(np.round(rng.standard_normal(count) * vol * p0 * 0.6 / TICK)) * TICK
    high, low = np.maximum(opened, close) + up, np.minimum(opened, close) - down
    volume = rng.integers(1_000, 200_000, count).astype(np.float64)
    return np.round(opened, 2), np.round(high, 2), np.round(low, 2), np.round(close, 2), np.round(volume, 2)


def contract_bars() -> tuple[Ints, Bars]:
    """Return the million bars of W1 and W2."""
    return session_ts(BARS), bars(BARS, np.random.default_rng(SEED))


def write(folder: Path) -> None:
    """Write what the peers read: `bars1m_{ts,o,h,l,c,v}.npy` and `port_{ts,o,h,l,c,v}.npy`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    np.save(folder / "bars1m_ts.npy", session_ts(BARS))
    for name, column in zip("ohlcv", bars(BARS, rng), strict=True):
        np.save(folder / f"bars1m_{name}.npy", column)
    count, instruments = 100_000, 50
    np.save(folder / "port_ts.npy", session_ts(count, "2023-01-02"))
    columns = [bars(count, rng, p0=200.0 + 60.0 * j) for j in range(instruments)]
    for index, name in enumerate("ohlcv"):
        np.save(folder / f"port_{name}.npy", np.ascontiguousarray(np.stack([c[index] for c in columns], axis=1)))
