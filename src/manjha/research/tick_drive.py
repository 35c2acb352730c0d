"""A backtest over ticks: bars for the strategy are made of the ticks that its orders trade on."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from manjha.domain.bars import BarColumns, Interval
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TsNs, day_of, format_day
from manjha.domain.money import Px, Qty
from manjha.domain.ticks import Tick, TickColumns
from manjha.engine.bars import bars_from_ticks, column, sessions_of
from manjha.engine.closing import KnownBars, tick_hours
from manjha.engine.pump import Pump
from manjha.engine.tick_gate import TickFault, TickGate
from manjha.market.rules import MarketRules
from manjha.research.assumptions import assumptions_over_ticks
from manjha.research.backtest import (
    BacktestSpec,
    check_spec,
    first_position,
    prepare,
    rare_collection,
    result_of,
)
from manjha.research.result import BacktestResult
from manjha.simulator.fills import VenueModels
from manjha.simulator.tick_market import TickMarket, answers_of
from manjha.simulator.tick_venue import TickVenue
from manjha.strategy.numba_start import defer_blas

_COLUMNS = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
_PIECE = 65_536


class Screened(NamedTuple):
    """Ticks of several instruments in one order of time, those kept out by `TickGate` left out and counted.

    Columns of equal length: `number` tells the instrument by its place in the run.
    """

    ts_ns: NDArray[np.int64]
    number: NDArray[np.int64]
    px: NDArray[np.int64]
    volume: NDArray[np.int64]
    kept_out: Counter[TickFault]


def run_tick_backtest(spec: BacktestSpec, ticks: Sequence[TickColumns]) -> BacktestResult:
    """Run a backtest over ticks, one `TickColumns` an instrument in the order of `spec.instruments`.

    `spec.bars` and `spec.further` are the history before the day of the first tick; columns without a row where there
    is none. They say which intervals the strategy sees: bars of the same ones are made of the ticks.

    Raises
    ------
    UsageError
        As `run_backtest`; sessions taken from the data; fills at the deciding close.
    DataError
        As `run_backtest`; no tick inside a session; history that reaches into the days of the ticks.
    """
    defer_blas()
    screened = screen(spec, ticks)
    joined = with_bars_of(spec, screened)
    check_spec(joined)
    state = prepare(joined)
    state.reached = first_position(state.timeline, joined.trade_from_ns)
    state.cursor.at = state.reached - 1
    models = VenueModels(rules=spec.fills, slippage=spec.slippage, latency_ns=spec.latency_ns, bands=spec.bands)
    venue = TickVenue(spec.instruments, models)
    around = TickMarket(state, venue, spec.actions, has_notes=spec.contract_notes)
    days = state.sessions.days(int(screened.ts_ns[0]), int(screened.ts_ns[-1]))
    pump = Pump(state, KnownBars(state), around, days, answers_of(venue))
    with rare_collection():
        for tick in each_tick(screened, spec.instruments):
            pump.on_tick(tick)
        pump.finish()
        result = result_of(joined, state, len(venue.dry))
    return msgspec.structs.replace(result, assumptions=assumptions_over_ticks(joined))


def screen(spec: BacktestSpec, ticks: Sequence[TickColumns]) -> Screened:
    """Merge ticks by time, of equal stamps those of the earlier instrument first, and keep out what cannot be.

    Raises `UsageError` and `DataError` as `run_tick_backtest` does.
    """
    if spec.sessions_from_data:
        raise UsageError(
            "a run over ticks takes its sessions from the exchange's calendar, not from the data",
            hint="Leave out sessions_from_data.",
        )
    if [columns.instrument for columns in ticks] != [instrument.id for instrument in spec.instruments]:
        raise UsageError(f"expected ticks of each of {len(spec.instruments)} instruments, in their order")
    ts_ns, px, volume = (
        np.concatenate([np.asarray(getattr(columns, name)) for columns in ticks]) for name in ("ts_ns", "px", "volume")
    )
    number = np.repeat(np.arange(len(ticks)), [len(columns) for columns in ticks])
    order = np.argsort(ts_ns, kind="stable")
    merged = Screened(ts_ns[order], number[order], px[order], volume[order], Counter())
    gate = TickGate(tick_hours(spec.rules, spec.instruments))
    keep = np.array([type(gate.admit(tick)) is Tick for tick in each_tick(merged, spec.instruments)], np.bool_)
    kept_out: Counter[TickFault] = Counter()
    for (_, fault), count in gate.kept_out.items():
        kept_out[fault] += count
    if not keep.any():
        raise DataError(
            f"none of {len(keep)} ticks lies inside a session", hint="Their stamps are UTC nanoseconds; see data list."
        )
    return Screened(merged.ts_ns[keep], merged.number[keep], merged.px[keep], merged.volume[keep], kept_out)


def each_tick(screened: Screened, instruments: Sequence[Instrument]) -> Iterator[Tick]:
    """Yield the ticks, in the order of time."""
    names = [instrument.id for instrument in instruments]
    for start in range(0, len(screened.ts_ns), _PIECE):
        rows = (values[start : start + _PIECE].tolist() for values in screened[:4])
        for ts_ns, number, px, volume in zip(*rows, strict=True):
            yield Tick(names[number], TsNs(ts_ns), Px(px), Qty(volume))


def with_bars_of(spec: BacktestSpec, screened: Screened) -> BacktestSpec:
    """Return the run over history and the bars of its ticks; nothing is decided on the history.

    Raises `DataError` where the history reaches into the days of the ticks.
    """
    first = day_of(int(screened.ts_ns[0]))
    from_ns = TsNs(first * DAY_NS - IST_OFFSET_NS)
    known = {instrument.id: at for at, instrument in enumerate(spec.instruments)}
    joined: dict[str, tuple[BarColumns, ...]] = {}
    for name, every in (("bars", spec.bars), ("further", spec.further)):
        made = []
        for history in every:
            if len(history) and history.ts_close_ns[len(history) - 1] > from_ns:
                raise DataError(
                    f"the history of {history.instrument} reaches into {format_day(first)}, of which there are ticks",
                    hint="Let the history end before the day of the first tick.",
                )
            at = known[history.instrument]
            made.append(_joined(history, _bars(screened, at, spec.rules, spec.instruments[at], history.interval)))
        joined[name] = tuple(made)
    warned = [f"{count} ticks were kept out: {fault}" for fault, count in sorted(screened.kept_out.items())]
    note = f"orders trade tick by tick, on {len(screened.ts_ns):,} ticks, of which bars are made"
    return msgspec.structs.replace(
        spec,
        **joined,
        trade_from_ns=from_ns,
        notes=(*spec.notes, note),
        warnings=(*spec.warnings, *warned),
    )


def _bars(screened: Screened, at: int, rules: MarketRules, instrument: Instrument, interval: Interval) -> BarColumns:
    mine = screened.number == at
    ticks = TickColumns(
        instrument.id, *[column(values[mine]) for values in (screened.ts_ns, screened.px, screened.volume)]
    )
    days = day_of(int(screened.ts_ns[0])), day_of(int(screened.ts_ns[-1]))
    return bars_from_ticks(ticks, interval, sessions_of(rules, instrument, *days))


def _joined(history: BarColumns, made: BarColumns) -> BarColumns:
    held = {
        name: column(np.concatenate([np.asarray(getattr(history, name)), np.asarray(getattr(made, name))]))
        for name in _COLUMNS
    }
    return BarColumns(history.instrument, history.interval, **held)
