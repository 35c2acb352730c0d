"""Backtests from stored data: what a user asks for becomes a spec and a result."""

from collections.abc import Sequence

import msgspec

from manjha.domain.actions import CorporateAction
from manjha.domain.bars import DAY, BarColumns, Interval, format_interval
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import Asset, Exchange, Instrument, InstrumentId, Kind
from manjha.domain.moments import TradingDay, date_from_day, day_of, format_day
from manjha.domain.money import Cash, Px, Qty, format_px
from manjha.domain.orders import Product
from manjha.domain.sizing import NANO, CapitalFraction, RiskPerTrade, SizingPolicy, TargetUnit
from manjha.engine.bars import in_sessions, resample, sessions_of
from manjha.market.contracts import lot_size, monthly_expiry
from manjha.market.rules import MarketRules
from manjha.ports.market_data import BarStore, CorporateActionSource, InstrumentSource, SeriesInfo
from manjha.research.backtest import BacktestSpec, Run, run_backtest
from manjha.research.bias.quick import run_checked
from manjha.research.drive import Drive, Progress
from manjha.research.result import BacktestResult
from manjha.risk.checks import FITTING
from manjha.risk.limits import RiskLimits
from manjha.services.price_steps import steps_of, unexplained
from manjha.services.stored import load_bars, span_ns
from manjha.services.tick_runs import TickReader, over_ticks
from manjha.simulator.fills import FillRules
from manjha.simulator.slippage import NoSlippage, SlippageModel
from manjha.strategy.interface import Strategy, is_target_strategy, require_instruments

_STEPS_SHOWN = 5

FULL = NANO * 95 // 100
"""Share of capital that the default sizing uses in all, in 1e-9; the rest pays charges and gaps."""


class BacktestServices(msgspec.Struct, frozen=True):
    """What backtests work with; `app.bootstrap` puts it together."""

    store: BarStore
    instruments: InstrumentSource
    actions: CorporateActionSource
    rules: MarketRules
    code_version: str
    read_ticks: TickReader | None = None


class BacktestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a user asks for. Days are included at both ends; None is open.

    `adjustment` chooses among bars that are stored raw and adjusted; empty takes raw ones where there are any.
    `index_proxy` trades an index as if it were a future without expiry, which cannot be done in reality and is named
    in the report; without it a strategy that trades an index is refused. `bias_check` runs the first bars again without
    the later ones, and warns of what is decided otherwise. `ticks` runs over ticks; see `tick_runs.over_ticks`.
    """

    strategy: Strategy
    instruments: tuple[str, ...]
    interval: Interval = DAY
    also: tuple[Interval, ...] = ()
    start: TradingDay | None = None
    end: TradingDay | None = None
    adjustment: str = ""
    initial: Cash = Cash(10_000_000_000)
    sizing: SizingPolicy | None = None
    limits: RiskLimits = RiskLimits()
    fills: FillRules = FillRules()
    slippage: SlippageModel = NoSlippage()
    latency_ns: int = 0
    index_proxy: bool = False
    product: Product | None = None
    seed: int = 0
    bias_check: bool = True
    ticks: tuple[str, ...] = ()


def plan_backtest(services: BacktestServices, request: BacktestRequest) -> BacktestSpec:
    """Load what a request needs and return the spec of its run.

    A coarser interval that is not stored is made from the finest one that is.

    Raises
    ------
    UsageError
        An unknown instrument, an empty span, nothing stored, a strategy that does not fit; with the next step.
    """
    if not request.instruments:
        raise UsageError("a backtest needs an instrument", hint="Give --instrument NSE:RELIANCE (may be repeated).")
    loader = _Loader(services, request)
    bars: list[BarColumns] = []
    further: list[BarColumns] = []
    instruments: list[Instrument] = []
    named = [services.instruments.find(name, request.start) for name in dict.fromkeys(request.instruments)]
    beside = any(found.is_tradable for found in named)
    for found in named:
        columns = loader.load(found, request.interval)
        traded, columns = _tradable(services, request, found, columns, beside=beside)
        instruments.append(traded)
        bars.append(columns)
        further += [_renamed(loader.load(found, interval), traded.id) for interval in request.also]
    fills, warnings = _liquidity(request, bars, instruments)
    strategy = _held_as(request, instruments)
    require_instruments(strategy, len(instruments))
    warnings += _sized(request)
    return BacktestSpec(
        strategy=strategy,
        bars=tuple(bars),
        further=tuple(further),
        instruments=tuple(instruments),
        rules=services.rules,
        initial=request.initial,
        sizing=request.sizing or CapitalFraction(FULL // sum(i.is_tradable for i in instruments)),
        limits=request.limits,
        fills=fills,
        slippage=request.slippage,
        latency_ns=request.latency_ns,
        actions=tuple(loader.actions_of_raw(instruments)),
        seed=request.seed,
        data=tuple(loader.data),
        code_version=services.code_version,
        notes=tuple(loader.notes),
        warnings=(*warnings, *loader.warnings),
    )


def backtest(
    services: BacktestServices, request: BacktestRequest, progress: Progress | None = None
) -> tuple[BacktestSpec, BacktestResult]:
    """Plan and run a backtest."""
    spec = plan_backtest(services, request)
    return spec, run_by(services, request)(spec, progress, Drive)


def run_by(services: BacktestServices, request: BacktestRequest) -> Run:
    """Return what runs the plan of a request: with the cheap look-ahead check, unless it is switched off.

    A run over ticks has no such check: `manjha bias-check` looks at the same strategy over bars.
    """
    if request.ticks:
        return over_ticks(request.ticks, services.read_ticks)
    return run_checked if request.bias_check else run_backtest


def made_anew(strategy: Strategy) -> Strategy:
    """Return an unused strategy with the same parameters and product."""
    fresh = type(strategy)(**strategy.values)
    vars(fresh)["product"] = strategy.product
    return fresh


def _held_as(request: BacktestRequest, instruments: Sequence[Instrument]) -> Strategy:
    """Return a fresh strategy that holds positions as the request or the instruments ask."""
    strategy = made_anew(request.strategy)
    product = request.product or strategy.product
    if (
        request.product is None
        and product is Product.CNC
        and all(i.is_derivative for i in instruments if i.is_tradable)
    ):
        product = Product.NRML
    for instrument in instruments:
        if request.product is not None and instrument.is_tradable and product not in FITTING[instrument.kind]:
            fits = " or ".join(sorted(FITTING[instrument.kind]))
            raise UsageError(
                f"{instrument.display} cannot be held as {product}, expected {fits}",
                hint="Give --product accordingly, or leave it to the strategy.",
            )
    vars(strategy)["product"] = product
    return strategy


def _sized(request: BacktestRequest) -> list[str]:
    """Refuse a sizing under which the strategy could never trade; warn of one that it does not use."""
    strategy, sizing = request.strategy, request.sizing
    if sizing is None or not is_target_strategy(strategy):
        return []
    if strategy.unit is not TargetUnit.SIGNAL:
        return [f"--size is not used: {strategy.name} states its own sizes ({strategy.unit})"]
    if isinstance(sizing, RiskPerTrade):
        raise UsageError(
            f"sizing by risk needs a stop, and {strategy.name} has none",
            hint="Choose --size capital:0.5 or volatility:15%, or a strategy with stops.",
        )
    return []


class _Loader:
    """Reads bars and remembers what was read, so that the result can name it."""

    def __init__(self, services: BacktestServices, request: BacktestRequest) -> None:
        self.services = services
        self.span = (request.start, request.end)
        self.adjustment = request.adjustment
        self.data: list[SeriesInfo] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._states: dict[InstrumentId, str] = {}
        self._beside: dict[tuple[InstrumentId, Interval], dict[str, SeriesInfo]] = {}

    def load(self, instrument: Instrument, interval: Interval) -> BarColumns:
        stored = self._stored(instrument)
        if interval not in stored:
            finer = [have for have in stored if have < interval and (interval == DAY or interval % have == 0)]
            if finer:
                return self._made(instrument, interval, stored[min(finer)])
        columns = load_bars(self.services.store, instrument, interval, self.span, self.adjustment)
        self._note(instrument, stored[interval], columns)
        return columns

    def _stored(self, instrument: Instrument) -> dict[Interval, SeriesInfo]:
        """Return the series of each interval that reading the span gives, where several states are stored."""
        found: dict[Interval, SeriesInfo] = {}
        for info in self.services.store.series(instrument.id):
            if self.adjustment in ("", info.adjustment):
                self._beside.setdefault((instrument.id, info.interval), {})[info.adjustment] = info
        for (name, interval), states in self._beside.items():
            if name == instrument.id:
                found[interval] = next(iter(states.values()))
                if len(states) > 1:
                    state = self.services.store.adjustment(name, interval, *span_ns(self.span))
                    found[interval] = states.get(state, found[interval])
        return found

    def actions_of_raw(self, instruments: Sequence[Instrument]) -> list[CorporateAction]:
        """Return the actions of instruments whose prices are raw; adjusted prices have them inside already."""
        return [
            action
            for instrument in instruments
            if self._states.get(instrument.id, "raw") == "raw"
            for action in self.services.actions.actions(instrument.id)
        ]

    def _made(self, instrument: Instrument, interval: Interval, info: SeriesInfo) -> BarColumns:
        columns = load_bars(self.services.store, instrument, info.interval, self.span, self.adjustment)
        first, last = day_of(columns.ts_open_ns[0]), day_of(columns.ts_open_ns[len(columns) - 1])
        self._note(instrument, info, columns)
        sessions = sessions_of(self.services.rules, instrument, first, last)
        inside = in_sessions(columns, sessions)
        if len(inside) < len(columns):
            self.warnings.append(
                f"{instrument.display}: {len(columns) - len(inside)} bars outside trading hours were left out"
            )
        made = resample(inside, interval, sessions)
        self.notes.append(
            f"{instrument.display}: {format_interval(interval)} made from {format_interval(info.interval)}"
        )
        return made

    def _note(self, instrument: Instrument, info: SeriesInfo, columns: BarColumns) -> None:
        self.data.append(info)
        traded = self._states.setdefault(instrument.id, info.adjustment)
        if info.adjustment != traded:
            self.warnings.append(
                f"{instrument.display}: {format_interval(info.interval)} bars are {info.adjustment}, the traded ones"
                f" {traded}: prices before a corporate action do not fit each other"
            )
        elif info.adjustment != "raw":
            self.warnings.append(
                f"{instrument.display}: the source gives adjusted prices only ({info.adjustment}); quantities and "
                "charges of the past differ from what would have been traded"
            )
        else:
            self._note_raw(instrument, columns)

    def _note_raw(self, instrument: Instrument, columns: BarColumns) -> None:
        """Warn of jumps that no action explains, and of adjusted bars that reach further than the raw ones."""
        steps = (
            []
            if instrument.is_derivative
            else unexplained(steps_of(columns, instrument.display), self.services.actions)
        )
        for step in steps[:_STEPS_SHOWN]:
            self.warnings.append(
                f"{step.name} steps on {format_day(step.day)} from {format_px(step.close_before)} to"
                f" {format_px(step.open_after)} (×{step.ratio / 1000:.3g}) and no corporate action is known for that:"
                " the run trades the jump"
            )
        if len(steps) > _STEPS_SHOWN:
            self.warnings.append(f"{instrument.display}: {len(steps) - _STEPS_SHOWN} more such steps")
        for state in sorted(self._beside[instrument.id, columns.interval].keys() - {"raw"}):
            other = self.services.store.read(instrument.id, columns.interval, *span_ns(self.span), adjustment=state)
            if len(columns) * 10 < len(other) * 9:
                self.warnings.append(
                    f"{instrument.display}: only {len(columns):,} raw bars lie in the span and are used; {len(other):,}"
                    f" adjusted ones are stored, too: --adjustment {state} takes them"
                )


def _tradable(
    services: BacktestServices, request: BacktestRequest, instrument: Instrument, columns: BarColumns, *, beside: bool
) -> tuple[Instrument, BarColumns]:
    """Return what is traded: the instrument itself, or for an index its stand-in.

    `beside` tells that other instruments of the run can be traded: an index among them may be looked at.
    """
    if instrument.kind is not Kind.INDEX:
        return instrument, columns
    if not request.index_proxy:
        if beside and not is_target_strategy(request.strategy):
            return instrument, columns  # to look at, and to margin and settle contracts on it
        raise UsageError(
            f"{instrument.display} is an index and cannot be bought",
            hint="Run on its future, or add --index-proxy to trade it as a future without expiry (an assumption).",
        )
    if (request.product or request.strategy.product) is Product.CNC:
        raise UsageError(
            f"{request.strategy.name} holds shares for delivery, which an index or its future has not",
            hint="Choose an intraday strategy, or --product NRML.",
        )
    stand_in = index_stand_in(services.rules, instrument, day_of(columns.ts_open_ns[0]))
    return stand_in, _renamed(columns, stand_in.id)


def index_stand_in(rules: MarketRules, index: Instrument, day: TradingDay) -> Instrument:
    """Return a future without expiry on an index, with the lot that contracts of that day had."""
    underlying = _UNDERLYINGS.get(index.symbol.upper(), index.symbol.upper().replace(" ", ""))
    exchange = Exchange.NFO if index.exchange is Exchange.NSE else Exchange.BFO
    return Instrument(
        id=InstrumentId(f"{index.id}:PROXY"),
        symbol=f"{index.symbol} (as future)",
        exchange=exchange,
        kind=Kind.FUTURE,
        asset=Asset.INDEX,
        tick=Px(500),
        lot=_lot(rules, exchange, underlying, day),
        name=f"{index.name or index.symbol}, traded as a future without expiry",
        underlying=underlying,
    )


def _lot(rules: MarketRules, exchange: Exchange, underlying: str, day: TradingDay) -> Qty:
    """Return the lot of the contract that expires in the day's month; 1 for an index that has no contracts."""
    on = date_from_day(day)
    try:
        return lot_size(rules, exchange, underlying, monthly_expiry(rules, exchange, underlying, on.year, on.month))
    except DataError:
        return Qty(1)


_UNDERLYINGS = {
    "NIFTY 50": "NIFTY",
    "NIFTY50": "NIFTY",
    "NIFTY BANK": "BANKNIFTY",
    "BANK NIFTY": "BANKNIFTY",
    "NIFTY FIN SERVICE": "FINNIFTY",
    "NIFTY MID SELECT": "MIDCPNIFTY",
    "NIFTY NEXT 50": "NIFTYNXT50",
}


def _renamed(columns: BarColumns, instrument: InstrumentId) -> BarColumns:
    return columns if columns.instrument == instrument else msgspec.structs.replace(columns, instrument=instrument)


def _liquidity(
    request: BacktestRequest, bars: Sequence[BarColumns], instruments: Sequence[Instrument]
) -> tuple[FillRules, list[str]]:
    """Switch the volume rule off for the stand-in of an index, which has no volume by nature, and say so.

    Anything else without volume is an error of `run_backtest`: the source may have lost it.
    """
    silent = [
        i.display
        for i, columns in zip(instruments, bars, strict=True)
        if i.kind is Kind.FUTURE and i.expiry is None and not any(columns.volume)
    ]
    if not silent or request.fills.participation_ppm == 0:
        return request.fills, []
    warning = f"{', '.join(silent)}: the source has no volume, so fills are not limited by it"
    return msgspec.structs.replace(request.fills, participation_ppm=0), [warning]
