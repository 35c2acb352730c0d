"""One backtest from its parts to its result: no files, no clock; `services.backtests` brings the data."""

import gc
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from manjha.domain.actions import CorporateAction
from manjha.domain.bars import BarColumns, Interval, format_interval
from manjha.domain.charges import LINES
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TsNs, day_of
from manjha.domain.money import Cash, Px, Qty, divide, format_cash
from manjha.domain.orders import AccountId, Origin, RunId, StrategyId
from manjha.domain.sizing import NANO, CapitalFraction, SizingPolicy
from manjha.engine.digest import digest
from manjha.engine.groups import summaries
from manjha.engine.sessions import CalendarSessions, DataSessions, Sessions
from manjha.engine.state import CHARGED, EngineSetup, EngineState
from manjha.engine.universe import choose_first_universe
from manjha.market.charges import RateCard
from manjha.market.rules import MarketRules
from manjha.ports.market_data import SeriesInfo
from manjha.research.assumptions import assumptions_of
from manjha.research.curve import equity_curve
from manjha.research.drive import Drive, Driven, Progress
from manjha.research.result import BacktestResult, OrderRecord, PositionAdjusted
from manjha.research.targets import plan_entries, plan_targets
from manjha.risk.limits import RiskLimits
from manjha.simulator.fills import FillRules, VenueModels
from manjha.simulator.slippage import NoSlippage, SlippageModel
from manjha.simulator.venue import Venue
from manjha.strategy.basis import basis_of
from manjha.strategy.interface import Strategy, is_entry_strategy, is_target_strategy, require_instruments
from manjha.strategy.numba_start import defer_blas
from manjha.strategy.views import Timeline

if TYPE_CHECKING:
    from manjha.risk.control_limits import ControlLimits

BACKTEST = AccountId("backtest")
"""The account of every backtest."""
COLLECT_EVERY = 500_000
"""How many more containers than freed ones are made before Python looks for unreachable cycles during a run."""
SQUARE_OFF_LEAD_NS = 60_000_000_000
"""How long before the broker's square-off time ours acts: a minute, so that the broker's fee is not paid."""


class BacktestSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides a run's outcome. The same spec gives the same result, bit for bit.

    Attributes
    ----------
    bars
        One `BarColumns` an instrument, all of one interval: what orders are matched on and `on_bar` is called for.
    further
        Bars of other intervals that the strategy may look at; each is visible at its own close.
    sessions_from_data
        Take days and hours from the bars instead of the exchange's calendar (data of no exchange).
    controls
        The control set of an account that trades; None, as usual in a backtest, is a run without it.
    rates
        One rate card for every fill instead of the dated table.
    bands
        Daily price band by instrument in 1e-9 (2, 5, 10 or 20 %), where one is known.
    contract_notes
        Round each day's charges as the contract note does; false leaves them exact to 1e-4 rupee a fill.
    notes, warnings
        What was done to the data, for the list of assumptions; and what a user should worry about.
    trade_from_ns
        Bars that open earlier are history: indicators see them, nothing is decided on them. 0 for none.
    stride
        Bars that one event may stand for at most; 0 for any number. It cannot change the result (a test says so).
    """

    strategy: Strategy
    bars: tuple[BarColumns, ...]
    instruments: tuple[Instrument, ...]
    rules: MarketRules
    further: tuple[BarColumns, ...] = ()
    initial: Cash = Cash(10_000_000_000)
    sizing: SizingPolicy = CapitalFraction(NANO * 95 // 100)
    limits: RiskLimits = RiskLimits()
    controls: "ControlLimits | None" = None
    fills: FillRules = FillRules()
    slippage: SlippageModel = NoSlippage()
    latency_ns: int = 0
    bands: Mapping[InstrumentId, int] = {}
    actions: tuple[CorporateAction, ...] = ()
    sessions_from_data: bool = False
    rates: RateCard | None = None
    contract_notes: bool = True
    seed: int = 0
    trade_from_ns: TsNs = TsNs(0)
    stride: int = 0
    data: tuple[SeriesInfo, ...] = ()
    code_version: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


Driver = Callable[[EngineState, Venue, Driven, Progress | None], Drive]
"""Makes what drives a run."""
Run = Callable[[BacktestSpec, Progress | None, Driver], BacktestResult]
"""Runs a spec, given what drives it: `run_backtest`, or one that looks at more beside it."""


def run_backtest(
    spec: BacktestSpec,
    progress: Progress | None = None,
    driver: Driver = Drive,
    watch: Callable[[EngineState], None] | None = None,
) -> BacktestResult:
    """Run a backtest and return everything it gives. `watch` is shown the state before the first bar.

    Raises
    ------
    UsageError
        Too few or too many instruments, mixed intervals, a strategy that needs volume where there is none.
    DataError
        No bars, fewer than the indicators need to warm up, or no volume in any of them where fills are limited by it.
    """
    defer_blas()
    check_spec(spec)
    state = prepare(spec)
    if watch is not None:
        watch(state)
    models = VenueModels(rules=spec.fills, slippage=spec.slippage, latency_ns=spec.latency_ns, bands=spec.bands)
    venue = Venue(state.timeline, spec.instruments, spec.bars[0].interval, models)
    driven = Driven(spec.actions, spec.contract_notes, spec.stride)
    with rare_collection():
        driver(state, venue, driven, progress).run()
        return result_of(spec, state, len(venue.dry))


def prepare(spec: BacktestSpec, origin: Origin | None = None) -> EngineState:
    """Return the state before the first bar: timeline placed, indicators made, targets computed.

    `origin` is whose run it is; None for that of a backtest, whose id follows from the spec.
    """
    timeline = timeline_of(spec)
    state = engine_over(spec, timeline, origin or origin_of(spec))
    if state.picks_universe:
        choose_first_universe(state)
    if is_target_strategy(spec.strategy):
        state.ctx.warmup = max(state.ctx.warmup, spec.strategy.history_needed() - 1)
        plan_targets(state)
    elif is_entry_strategy(spec.strategy):
        state.ctx.warmup = max(state.ctx.warmup, spec.strategy.history_needed() - 1)
        plan_entries(state)
    if spec.trade_from_ns:
        _hold_back(state, spec.trade_from_ns)
    if state.ctx.warmup >= len(timeline):
        raise DataError(
            f"not enough history: {spec.strategy.name} needs {state.ctx.warmup + 1} bars of "
            f"{format_interval(spec.bars[0].interval)} before its first decision, found {len(timeline)}",
            hint="Give an earlier --from, a finer interval, or shorter indicator lengths.",
        )
    return state


def origin_of(spec: BacktestSpec) -> Origin:
    """Return whose orders those of a backtest are; the run's id follows from the spec."""
    return Origin(BACKTEST, StrategyId(spec.strategy.name), run_id(spec))


def engine_over(spec: BacktestSpec, timeline: Timeline, origin: Origin) -> EngineState:
    """Return the state of a run over a timeline after the strategy's `init`. Raises `UsageError` for orders in it."""
    sessions: Sessions = (
        DataSessions(spec.bars) if spec.sessions_from_data else CalendarSessions(spec.rules, SQUARE_OFF_LEAD_NS)
    )
    state = EngineState(
        EngineSetup(
            origin=origin,
            strategy=spec.strategy,
            timeline=timeline,
            instruments=spec.instruments,
            interval=spec.bars[0].interval,
            rules=spec.rules,
            sessions=sessions,
            initial=spec.initial,
            sizing=spec.sizing,
            limits=spec.limits,
            rates=spec.rates,
            controls=spec.controls,
            bands=spec.bands,
        )
    )
    spec.strategy.init(state.ctx)
    if state.ctx.requests:
        raise UsageError(
            f"{spec.strategy.name} asked for an order in init, before any bar", hint="Ask for orders in on_bar."
        )
    return state


def timeline_of(spec: BacktestSpec) -> Timeline:
    """Return the bars placed in time; what indicators see of them is in the basis of the first bar."""
    timeline = Timeline(spec.bars, spec.further)
    for columns in (*spec.bars, *spec.further):
        basis = basis_of(columns, spec.actions)
        if basis is not None:
            timeline.rebase((columns.instrument, columns.interval), *basis)
    return timeline


def _hold_back(state: EngineState, from_ns: TsNs) -> None:
    """Let nothing be decided on bars that open before a moment."""
    first = first_position(state.timeline, from_ns)
    state.ctx.warmup = max(state.ctx.warmup, first)
    state.held_until = day_of(from_ns)
    if state.wakeups is not None:
        state.wakeups = [at for at in state.wakeups if at >= first]


def first_position(timeline: Timeline, from_ns: TsNs) -> int:
    """Return the first position whose bars open at a moment or later; their number where none does."""
    return int(np.searchsorted(np.asarray(timeline.open_ns), from_ns))


def run_id(spec: BacktestSpec) -> RunId:
    """Return an id that follows from what decides the run, so that a repetition has the same one."""
    digest = hashlib.sha256()
    decisive = (spec.strategy.name, sorted(spec.strategy.values.items()), spec.initial, spec.sizing, spec.fills)
    digest.update(repr(decisive).encode())
    digest.update(repr((spec.slippage, spec.latency_ns, spec.seed, spec.rules.hash, spec.rates, spec.limits)).encode())
    if spec.trade_from_ns:
        digest.update(repr(spec.trade_from_ns).encode())
    if spec.controls is not None:
        digest.update(repr(spec.controls).encode())
    for columns in spec.bars:
        digest.update(columns.instrument.encode())
        digest.update(columns.close)
        digest.update(columns.ts_close_ns)
    return RunId("bt" + digest.hexdigest()[:10])


@contextmanager
def rare_collection() -> Iterator[None]:
    """Look for unreachable cycles rarely: a run makes none, and walking its growing record took a tenth of its time.

    The first compiled run of a process begins with numba, whose objects stay as well.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], COLLECT_EVERY) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def check_spec(spec: BacktestSpec) -> None:
    """Refuse a run that cannot be meant. Raises as `run_backtest` does."""
    require_instruments(spec.strategy, len(spec.instruments))
    if len(spec.bars) != len(spec.instruments):
        raise UsageError(f"expected bars for each of {len(spec.instruments)} instruments, was {len(spec.bars)}")
    intervals = {columns.interval for columns in spec.bars}
    if len(intervals) > 1:
        raise UsageError(f"expected one main interval, was {sorted(map(format_interval, intervals))}")
    for columns, instrument in zip(spec.bars, spec.instruments, strict=True):
        if not len(columns):
            raise DataError(
                f"no bars of {instrument.display} at {format_interval(columns.interval)} in the range",
                hint="`manjha data list` shows what is stored; `manjha data import` or `fetch` adds more.",
            )
        if spec.strategy.needs_volume and not np.asarray(columns.volume).any():
            raise DataError(
                f"{spec.strategy.name} computes with volume, but every bar of {instrument.display} has none",
                hint="An index has no volume: run it on its future, or choose a strategy that needs none.",
            )
    without = _without_volume(spec)
    if without and len(without) == sum(instrument.is_tradable for instrument in spec.instruments):
        raise DataError(
            f"every bar of {', '.join(without)} is without volume, and orders trade at most a share of a bar's "
            "volume: nothing could ever fill",
            hint="Bring data with volume, or trade any quantity: --participation any, in Python "
            'participation="any" (FillRules: participation_ppm=0).',
        )


def _without_volume(spec: BacktestSpec) -> list[str]:
    """Return the tradable instruments in which nothing can ever fill, because no bar has volume."""
    if spec.fills.participation_ppm == 0:
        return []
    pairs = zip(spec.bars, spec.instruments, strict=True)
    return [i.display for columns, i in pairs if i.is_tradable and not np.asarray(columns.volume).any()]


def intervals_of(spec: BacktestSpec) -> tuple[Interval, ...]:
    """Return the lengths of bars in a run, the main one first."""
    return tuple(dict.fromkeys(Interval(columns.interval) for columns in (*spec.bars, *spec.further)))


def warnings_of(
    spec: BacktestSpec, lowest_cash: int, dry_orders: int, carried: int, alarms: Sequence[str] = ()
) -> list[str]:
    """Return what a user should worry about after a run."""
    warnings = [*spec.warnings, *alarms]
    if lowest_cash < 0:
        warnings.append(
            f"cash was below zero at one time ({format_cash(lowest_cash)}): a fill and its "
            "charges were dearer than the price its order was sized at"
        )
    silent = _without_volume(spec)
    if silent:
        warnings.append(f"nothing can fill in {', '.join(silent)}: no bar there has volume")
    if dry_orders:
        warnings.append(
            f"{dry_orders} orders met bars without volume, which fill nothing; --participation any trades there too"
        )
    if carried:
        warnings.append(
            f"{carried} intraday positions could not be squared off on their day (no bar, a locked "
            "circuit) and were closed at a later open; the exchange's auction of a short is not simulated"
        )
    return warnings


def described(spec: BacktestSpec, timeline: Timeline) -> dict[str, Any]:
    """Return the fields of a result that say what was run, the same from either engine."""
    return {
        "strategy": spec.strategy.name,
        "chosen_from": spec.strategy.chosen_from,
        "parameters": tuple((name, str(value)) for name, value in spec.strategy.values.items()),
        "instruments": spec.instruments,
        "intervals": intervals_of(spec),
        "start_ns": TsNs(timeline.open_ns[0]),
        "end_ns": TsNs(timeline.close_ns[len(timeline) - 1]),
        "seed": spec.seed,
        "code_version": spec.code_version,
        "rules_hash": spec.rules.hash,
        "data": spec.data,
        "assumptions": assumptions_of(spec),
        "initial": spec.initial,
        "bars": spec.bars,
    }


def result_of(spec: BacktestSpec, state: EngineState, dry_orders: int) -> BacktestResult:
    """Return what a run gives once it has been driven to its end."""
    curve = equity_curve(state, spec.actions)
    ledger = state.portfolio.ledger
    lowest = int(curve.cash.min()) if len(curve) else 0
    warnings = warnings_of(spec, lowest, dry_orders, state.carried_intraday, [*state.book.alarms, *summaries(state)])
    return BacktestResult(
        **described(spec, state.timeline),
        run=state.origin.run,
        orders=tuple(_orders(state)),
        fills=tuple(state.record_fills),
        fill_charges=_fill_charges(state),
        curve=curve,
        marks=tuple((i.id, Px(state.marks[i.id])) for i in spec.instruments),
        day_charges=tuple(state.record_settled),
        adjustments=tuple(
            PositionAdjusted(
                c.key.instrument, c.key.product, c.key.strategy, c.ts_ns, Qty(c.before), Qty(c.after), c.cash, c.reason
            )
            for c in state.record_changes
        ),
        refusals=tuple(state.record_refusals),
        peak_margin=Cash(ledger.margin_peak),
        warnings=tuple(warnings),
        state_digest=digest(state),
    )


def _fill_charges(state: EngineState) -> NDArray[np.int64]:
    """Return what was booked with each fill, shape (fills, 9); the last two lines are never a fill's."""
    charges = np.zeros((len(state.record_fills), len(LINES)), np.int64)
    charges[:, :CHARGED] = np.frombuffer(state.record_charges, np.int64).reshape(-1, CHARGED)
    return charges


def _orders(state: EngineState) -> list[OrderRecord]:
    made = []
    for record in state.book.records.values():
        order, filled, turnover = record.order, record.filled, record.turnover
        # Of one fill, and mostly of several, the average comes out even; else half up.
        px = turnover // filled if filled else 0
        if px * filled != turnover:
            px = divide(turnover, filled)
        made.append(
            OrderRecord(order, record.phase, Qty(filled), Px(px), order.decided_ns, record.closed_ns, record.reason)
        )
    return made
