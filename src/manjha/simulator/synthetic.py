"""A seeded synthetic market of one-minute bars: the same spec and sessions give the same bytes.

Every factor and instrument draws from generators of its own, one for each purpose and in the order of time: adding an
instrument that keeps the sessions of the others changes none of them, and a longer market begins with the bars of the
shorter one. `docs/synthetic-market.md` says what the model has and what it lacks.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from manjha.domain.bars import MINUTE, BarColumns
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import MINUTE_NS, TradingDay, at, date_from_day, format_ts
from manjha.domain.money import PX_MAX, QTY_MAX
from manjha.engine.bars import CLOSE_CLOCK_NS, OPEN_CLOCK_NS, DaySessions, column, sessions_of
from manjha.market.rules import MarketRules
from manjha.simulator.synthetic_noise import Floats
from manjha.simulator.synthetic_paths import MinuteClock, Path, factor, future_path, index_path, share_path
from manjha.simulator.synthetic_spec import (
    Clustering,
    Gap,
    MarketSpec,
    SyntheticFuture,
    SyntheticIndex,
    SyntheticInstrument,
    SyntheticShare,
    check_spec,
    default_spec,
    with_split,
)
from manjha.simulator.synthetic_ticks import ticks_within

__all__ = [
    "Clustering",
    "Gap",
    "MarketSpec",
    "Sessions",
    "SyntheticFuture",
    "SyntheticIndex",
    "SyntheticInstrument",
    "SyntheticShare",
    "default_spec",
    "exchange_sessions",
    "generate",
    "ticks_within",
    "weekday_sessions",
    "with_split",
]

Ints: TypeAlias = NDArray[np.int64]
Sessions: TypeAlias = Sequence[DaySessions] | Callable[[Instrument], Sequence[DaySessions]]
"""Sessions of every instrument alike, or by instrument (a share, an index and a future may close at other times)."""


def weekday_sessions(start: TradingDay, end: TradingDay) -> list[DaySessions]:
    """Return 09:15–15:30 on every Monday to Friday from `start` to `end`: no holidays, for tests and benchmarks."""
    return [
        (day, [(at(day, OPEN_CLOCK_NS), at(day, CLOSE_CLOCK_NS))])
        for day in range(start, end + 1)
        if date_from_day(day).weekday() < 5
    ]


def exchange_sessions(rules: MarketRules, spec: MarketSpec) -> Sessions:
    """Return the hours that each instrument of a market has by the exchange's calendar, to give to `generate`.

    `generate` then raises `OutsideTable` where the calendar does not reach.
    """
    return lambda instrument: sessions_of(rules, instrument, spec.start, spec.end)


def generate(spec: MarketSpec, sessions: Sessions) -> dict[InstrumentId, BarColumns]:
    """Return one-minute bars of every instrument in the sessions of `spec.start` to `spec.end`.

    Prices are positive and on the instrument's tick. A minute in which an instrument has no session gives no bar, but
    its price goes on, so that the next open gaps. Futures have bars only while they are listed.

    Raises
    ------
    UsageError
        The spec contradicts itself, no session lies in its days, sessions overlap or are no whole minutes, or a price
        goes beyond `PX_MAX`.
    """
    check_spec(spec)
    grids = {one.instrument.id: _minutes(spec, sessions, one.instrument) for one in spec.instruments}
    clock = MinuteClock(np.unique(np.concatenate([np.empty(0, np.int64), *grids.values()])))
    paths = _paths(spec, clock)
    columns = {}
    for one in spec.instruments:
        name = one.instrument.id
        rows = np.searchsorted(clock.opens, grids[name])
        rows = rows[_present(one, spec, clock.opens[rows], clock.days[rows])]
        columns[name] = _columns(one.instrument, spec, clock, paths[name], rows)
    return columns


def _paths(spec: MarketSpec, clock: MinuteClock) -> dict[InstrumentId, Path]:
    shares = [one for one in spec.instruments if isinstance(one, SyntheticShare)]
    market = factor(spec, clock, "market")
    sectors = {name: factor(spec, clock, f"sector {name}") for name in sorted({one.sector for one in shares} - {""})}
    paths = {one.instrument.id: share_path(spec, one, clock, market, sectors.get(one.sector)) for one in shares}
    for one in spec.instruments:
        if isinstance(one, SyntheticIndex):
            paths[one.instrument.id] = index_path(one, spec, paths)
    for one in spec.instruments:
        if isinstance(one, SyntheticFuture):
            paths[one.instrument.id] = future_path(spec, one, clock, market, paths[one.on])
    return paths


def _minutes(spec: MarketSpec, sessions: Sessions, instrument: Instrument) -> Ints:
    days = sessions(instrument) if callable(sessions) else sessions
    spans = [span for day, day_spans in days if spec.start <= day <= spec.end for span in day_spans]
    before = 0
    for start, end in spans:
        if start < before or end <= start or start % MINUTE_NS or end % MINUTE_NS:
            raise UsageError(
                f"expected sessions of whole minutes one after another, was {format_ts(start)} to {format_ts(end)}"
            )
        before = end
    pieces = [np.arange(start, end, MINUTE_NS, dtype=np.int64) for start, end in spans]
    return np.concatenate([np.empty(0, np.int64), *pieces])


def _present(one: SyntheticInstrument, spec: MarketSpec, opens: Ints, days: Ints) -> NDArray[np.bool_]:
    present = np.ones(len(opens), bool)
    if isinstance(one, SyntheticFuture):
        present &= (days >= one.first_day) & (days <= (one.instrument.expiry or 0))
    for gap in spec.gaps:
        if gap.instrument == one.instrument.id:
            present &= (opens < gap.start_ns) | (opens >= gap.end_ns)
    return present


def _columns(
    instrument: Instrument, spec: MarketSpec, clock: MinuteClock, path: Path, rows: NDArray[np.intp]
) -> BarColumns:
    ratio = np.ones(len(rows))
    for action in spec.actions:
        if action.instrument == instrument.id:
            ratio[clock.days[rows] >= action.ex_day] *= action.new_shares / action.old_shares
    prices = [_on_tick(values[rows] / ratio, instrument) for values in (path.open, path.high, path.low, path.close)]
    opened, high, low, close = prices
    volume = _on_lot(path.volume[rows] * ratio, instrument.lot, 1 if instrument.is_tradable else 0)
    return BarColumns(
        instrument.id,
        MINUTE,
        column(clock.opens[rows]),
        column(clock.opens[rows] + MINUTE_NS),
        column(opened),
        # Rounding keeps the order of prices, so high and low still enclose open and close.
        column(high),
        column(low),
        column(close),
        column(volume),
        column(_on_lot(path.oi[rows], instrument.lot, 0)),
    )


def _on_tick(prices: Floats, instrument: Instrument) -> Ints:
    if len(prices) and float(np.max(prices)) > PX_MAX - instrument.tick:
        raise UsageError(
            f"the price of {instrument.id} grows beyond ₹10 crore",
            hint="Lower its start, drift or volatility, or make the market shorter.",
        )
    ticks = np.maximum(np.rint(prices / instrument.tick), 1.0).astype(np.int64)
    on_tick: Ints = ticks * instrument.tick
    return on_tick


def _on_lot(units: Floats, lot: int, least: int) -> Ints:
    lots = np.clip(np.rint(units / lot), least, QTY_MAX // lot).astype(np.int64)
    return lots * lot
