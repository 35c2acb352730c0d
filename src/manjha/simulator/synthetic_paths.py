"""Unrounded price and volume paths of the synthetic market: one market factor, sector factors and own noise."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from manjha.domain.errors import UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.simulator.synthetic_noise import Floats, exponential, normals, reverting, stream
from manjha.simulator.synthetic_spec import (
    DAY_MINUTES,
    YEAR_DAYS,
    MarketSpec,
    SyntheticFuture,
    SyntheticIndex,
    SyntheticShare,
    own_variance,
)

Ints: TypeAlias = NDArray[np.int64]

MEAN_SIZE = 0.7978845608028654
"""Mean absolute value of a standard normal."""
MOVE_MAX = 6.0
"""A move of more standard deviations than these draws no more volume."""
HEAT_MAX = 8.0
"""Volatility of more than this many times its mean draws no more volume."""
OPEN_NOISE = 0.15
"""How far an open lies from the last close, in standard deviations of a minute."""
VOLUME_SPREAD = 0.45
"""Standard deviation of log volume that nothing else explains."""
INDEX_REACH = 0.5
"""Share of its members' excursions beyond open and close that an index makes: they do not come at one moment."""


class MinuteClock:
    """The minutes of the whole market, oldest first.

    `day` numbers each minute's day from zero, `days` gives its trading day, `first` are the rows that open a day.
    `unrest` and `bustle` are the U-shapes of variance and of volume.
    """

    def __init__(self, opens: Ints) -> None:
        if not len(opens):
            raise UsageError("no session lies in the days of the market", hint="Give sessions of its days.")
        self.opens = opens
        self.days = (opens + IST_OFFSET_NS) // DAY_NS
        changed = np.concatenate(([True], self.days[1:] != self.days[:-1]))
        self.first = np.flatnonzero(changed)
        self.day = np.cumsum(changed) - 1
        self.unrest, self.bustle = _shapes(np.diff(np.append(self.first, len(opens))))

    def __len__(self) -> int:
        return len(self.opens)


class Path:
    """Unrounded prices in 1e-4 rupee, volume and open interest in units, a value a minute."""

    def __init__(self, prices: tuple[Floats, Floats, Floats, Floats], volume: Floats, oi: Floats) -> None:
        self.open, self.high, self.low, self.close = prices
        self.volume = volume
        self.oi = oi


class Factor:
    """Log returns by minute, log gaps by day, and each minute's standard deviation as it stood before its return."""

    def __init__(self, returns: Floats, gaps: Floats, sigma: Floats) -> None:
        self.returns, self.gaps, self.sigma = returns, gaps, sigma


def factor(spec: MarketSpec, clock: MinuteClock, name: str, yearly_variance: float = 1.0) -> Factor:
    """Return a factor of the given variance a year, overnight gaps included; named, so that it has its own chance."""
    per_day = yearly_variance / YEAR_DAYS
    by_day, by_minute = _volatility(spec, clock, name)
    (gap,) = normals(spec.seed, len(clock.first), 1, name, "gaps")
    (step,) = normals(spec.seed, len(clock), 1, name, "returns")
    sigma = by_minute * np.sqrt(clock.unrest * (per_day * (1.0 - spec.overnight_share) / DAY_MINUTES))
    return Factor(sigma * step, gap * by_day * float(np.sqrt(per_day * spec.overnight_share)), sigma)


def share_path(
    spec: MarketSpec, share: SyntheticShare, clock: MinuteClock, market: Factor, sector: Factor | None
) -> Path:
    """Return a share's path: beta × market + sector + own noise, jumps and drift."""
    name = share.instrument.id
    own = factor(spec, clock, name, own_variance(share, spec))
    loading = share.beta * spec.market_vol
    returns, gaps = market.returns * loading + own.returns, market.gaps * loading + own.gaps
    variance = (market.sigma * loading) * (market.sigma * loading) + own.sigma * own.sigma
    if sector is not None:
        returns, gaps = returns + sector.returns * spec.sector_vol, gaps + sector.gaps * spec.sector_vol
        variance = variance + (sector.sigma * spec.sector_vol) * (sector.sigma * spec.sector_vol)
    returns += (share.drift - 0.5 * share.annual_vol * share.annual_vol) / (YEAR_DAYS * DAY_MINUTES)
    returns += _jumps(spec.seed, share, len(clock))
    sigma = np.sqrt(variance)
    usual = np.sqrt(clock.unrest * (share.annual_vol * share.annual_vol * (1.0 - spec.overnight_share)))
    heat = sigma / (usual * float(np.sqrt(1.0 / (YEAR_DAYS * DAY_MINUTES))))
    volume = _volume(spec, name, share.base_volume, clock, np.abs(returns) / sigma, heat)
    returns[clock.first] += gaps
    prices = _candles(spec, name, returns, gaps, sigma, clock)
    start = float(share.start)
    return Path(
        (prices[0] * start, prices[1] * start, prices[2] * start, prices[3] * start), volume, np.zeros(len(clock))
    )


def index_path(index: SyntheticIndex, spec: MarketSpec, paths: Mapping[InstrumentId, Path]) -> Path:
    """Return the basket's path; volume is zero."""
    starts = {one.instrument.id: one.start for one in spec.instruments if isinstance(one, SyntheticShare)}
    total = sum(weight for _, weight in index.weights)
    count = len(paths[index.weights[0][0]].open)
    opened, closed, above, below = (np.zeros(count) for _ in range(4))
    for member, weight in index.weights:
        path, units = paths[member], index.start * weight / (total * starts[member])
        opened += path.open * units
        closed += path.close * units
        above += (path.high - np.maximum(path.open, path.close)) * units
        below += (np.minimum(path.open, path.close) - path.low) * units
    high = np.maximum(opened, closed) + above * INDEX_REACH
    low = np.minimum(opened, closed) - below * INDEX_REACH
    return Path((opened, high, low, closed), np.zeros(count), np.zeros(count))


def future_path(
    spec: MarketSpec, future: SyntheticFuture, clock: MinuteClock, market: Factor, underlying: Path
) -> Path:
    """Return a future's path: its index times the carry to expiry, with a basis that wanders and comes back."""
    name = future.instrument.id
    (noise,) = normals(spec.seed, len(clock) + 1, 1, name, "basis")
    (interest,) = normals(spec.seed, len(clock) + 1, 1, name, "open interest")
    basis = reverting(noise, 0.95, future.basis_vol, 0.0)
    left = np.maximum((future.instrument.expiry or 0) - clock.days, 0) / 365.0
    premium = 1.0 + future.carry * left
    at_open, at_close = premium + basis[:-1], premium + basis[1:]
    # The day's first open has the new day's carry, as every later minute of the day.
    above, below = np.maximum(at_open, at_close), np.minimum(at_open, at_close)
    sigma = market.sigma * spec.market_vol
    usual = np.sqrt(clock.unrest * (spec.market_vol * spec.market_vol * (1.0 - spec.overnight_share)))
    heat = sigma / (usual * float(np.sqrt(1.0 / (YEAR_DAYS * DAY_MINUTES))))
    moves = np.abs(underlying.close / underlying.open - 1.0) / sigma
    volume = _volume(spec, name, future.base_volume, clock, moves, heat)
    oi = exponential(reverting(interest[1:], 0.999, 0.15, float(interest[0]))) * future.base_oi
    prices = (
        underlying.open * at_open,
        underlying.high * above,
        underlying.low * below,
        underlying.close * at_close,
    )
    return Path(prices, volume, oi)


def _volatility(spec: MarketSpec, clock: MinuteClock, name: str) -> tuple[Floats, Floats]:
    """Return volatility relative to its mean, by day (for the gaps) and by minute; each has a mean square of one."""
    model = spec.clustering
    (slow,) = normals(spec.seed, len(clock.first) + 1, 1, name, "volatility by day")
    (fast,) = normals(spec.seed, len(clock) + 1, 1, name, "volatility by minute")
    by_day = reverting(slow[1:], model.day_persistence, model.day_spread, float(slow[0]))
    by_minute = reverting(fast[1:], model.minute_persistence, model.minute_spread, float(fast[0]))
    # E[exp(2a)] of a normal a of variance v is exp(2v): taking v off the exponent makes the mean square one.
    slow_mean, fast_mean = model.day_spread * model.day_spread, model.minute_spread * model.minute_spread
    minutes = exponential(by_minute + by_day[clock.day] - (slow_mean + fast_mean))
    return exponential(by_day - slow_mean), minutes


def _shapes(lengths: Ints) -> tuple[Floats, Floats]:
    shapes = {int(length): _shape(int(length)) for length in np.unique(lengths)}
    pairs = [shapes[int(length)] for length in lengths]
    return np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])


def _shape(length: int) -> tuple[Floats, Floats]:
    """Return the U-shapes of variance and volume over a day of so many minutes, each with a mean of one."""
    passed = (np.arange(length) + 0.5) / length
    opening, closing = 1.0 - passed, passed
    # Eighth and sixteenth powers by squaring, for the same bits everywhere.
    for _ in range(3):
        opening, closing = opening * opening, closing * closing
    unrest = 0.75 + 5.0 * opening * opening + 0.9 * closing
    bustle = 0.70 + 4.0 * opening + 3.0 * closing
    return unrest * (length / np.cumsum(unrest)[-1]), bustle * (length / np.cumsum(bustle)[-1])


def _jumps(seed: int, share: SyntheticShare, count: int) -> Floats:
    draws = stream(seed, share.instrument.id, "jump times").random(count)
    rows = np.flatnonzero(draws < share.jumps_per_year / (YEAR_DAYS * DAY_MINUTES))
    (sizes,) = normals(seed, len(rows), 1, share.instrument.id, "jump sizes")
    jumps = np.zeros(count)
    jumps[rows] = sizes * share.jump_vol
    return jumps


def _candles(
    spec: MarketSpec, name: str, moves: Floats, gaps: Floats, sigma: Floats, clock: MinuteClock
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return open, high, low and close relative to the start.

    `moves` are close to close, the gap of a day's first minute included. High and low are those of a Brownian bridge
    from open to close: the highest point above the open is (c + √(c² + σ²χ²)) ÷ 2 with χ² of two degrees of freedom.
    """
    noise, *z = normals(spec.seed, len(clock), 5, name, "candles")
    close = np.cumsum(moves)
    own = moves.copy()
    own[clock.first] -= gaps
    own -= noise * sigma * OPEN_NOISE
    opened = close - own
    square, variance = own * own, sigma * sigma
    high = opened + 0.5 * (own + np.sqrt(square + variance * (z[0] * z[0] + z[1] * z[1])))
    low = opened + 0.5 * (own - np.sqrt(square + variance * (z[2] * z[2] + z[3] * z[3])))
    return exponential(opened), exponential(high), exponential(low), exponential(close)


def _volume(spec: MarketSpec, name: str, per_day: int, clock: MinuteClock, moves: Floats, heat: Floats) -> Floats:
    """Return volume: U-shaped through the day, larger where volatility is high and the minute's own move is."""
    (noise,) = normals(spec.seed, len(clock), 1, name, "volume")
    chance = exponential(noise * VOLUME_SPREAD - 0.5 * VOLUME_SPREAD * VOLUME_SPREAD)
    size = 0.45 + (0.55 / MEAN_SIZE) * np.minimum(moves, MOVE_MAX)
    volume: Floats = clock.bustle * size * np.minimum(heat, HEAT_MAX) * chance * (per_day / DAY_MINUTES)
    return volume
