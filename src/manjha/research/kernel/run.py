"""A backtest in compiled code: `KernelMarket` holds what strategies share, `run_kernel` runs one of them."""

from collections.abc import Iterator
from functools import cached_property
from operator import attrgetter, is_

import numpy as np

from manjha.domain.bars import DAY
from manjha.domain.errors import DataError, OutsideTable, UsageError
from manjha.domain.moments import TsNs
from manjha.domain.money import PAISA, RUPEE, Cash
from manjha.domain.orders import Product, WorkingOrder
from manjha.domain.sizing import CapitalFraction, FixedQty, TargetUnit, VolatilityTarget
from manjha.engine.sessions import CalendarSessions, DataSessions, Sessions
from manjha.research.backtest import (
    SQUARE_OFF_LEAD_NS,
    BacktestSpec,
    check_spec,
    first_position,
    rare_collection,
    timeline_of,
)
from manjha.research.kernel import cache, loop
from manjha.research.kernel import records as s
from manjha.research.kernel.calendar import Calendar, bars_of, dailies_of
from manjha.research.kernel.contracts import actions_table, enter_contracts, underlies
from manjha.research.kernel.outcome import KernelOutcome
from manjha.research.kernel.refusal import acts_on_bar, kernel_refusal, target_refusal
from manjha.research.kernel.tables import PLACES, Tables
from manjha.research.kernel.universe import KEEPS_ACCOUNT, keeps_account, with_universe
from manjha.research.targets import ColumnHistory, Stated, stated_entries, stated_from, stated_targets
from manjha.simulator.fills import LimitFill, MarketFill, Path
from manjha.simulator.slippage import BasisPoints, FixedTicks, VolumeShare
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy, is_entry_strategy, is_target_strategy, overrides
from manjha.strategy.views import Timeline

NO_TIME = TsNs(0)
MARKET_TABLES = ("days", "sessions", "cards", "slabs", "underlies", "actions")
"""What a market has looked up, by the names of the account's addresses."""
_decisive = attrgetter(
    *("bars", "instruments", "rules", "initial", "sizing", "limits", "fills", "slippage", "latency_ns", "bands"),
    *("actions", "contract_notes"),
)
"""What of a spec `new_tables` reads, beside the strategy's unit and kind."""
_COUNT, _STATUS = PLACES["count"], PLACES["status"]
UNITS = (TargetUnit.SIGNAL, TargetUnit.WEIGHT, TargetUnit.LOTS, TargetUnit.QTY)


class KernelRefused(UsageError):  # noqa: N818 - named by what the reader may do next, as `domain.errors` does
    """The kernel does not run this backtest; the event engine does."""


class KernelMarket:
    """What runs over one market share: timeline, columns, days, rate cards. Made once, read by any number of runs.

    `spec` says which: its bars, instruments, rules, rates, sessions, and the product of its strategy.
    """

    def __init__(self, spec: BacktestSpec) -> None:
        self.spec = spec
        self.timeline = timeline_of(spec)
        self.history = ColumnHistory(self.timeline, spec.instruments, spec.bars[0].interval)
        sessions: Sessions = (
            DataSessions(spec.bars) if spec.sessions_from_data else CalendarSessions(spec.rules, SQUARE_OFF_LEAD_NS)
        )
        self.product = spec.strategy.product
        calendar = Calendar(spec.rules, spec.instruments, self.product, spec.rates)
        try:
            calendar.fill(sessions, self.timeline, notes=spec.contract_notes)
        except OutsideTable as error:
            raise KernelRefused(f"the kernel looks days up before it runs: {error.message}") from error
        self.days, self.sessions, self.cards = calendar.days, calendar.sessions, calendar.cards()
        self.slabs = calendar.protections()
        self.underlies = underlies(spec.instruments)
        self.actions = actions_table(spec)
        self.first_day = calendar.first_day
        self.bars = bars_of(spec.bars, self.timeline, [instrument.id for instrument in spec.instruments])

    @cached_property
    def dailies(self) -> dict[str, s.Records]:
        """The tables of sizing by volatility: where the days of each instrument end."""
        return dailies_of([self.timeline.series[i.id, self.spec.bars[0].interval] for i in self.spec.instruments])

    def stated(self, strategy: Strategy, trade_from_ns: TsNs = NO_TIME) -> Stated:
        """Return what a strategy states from a moment on. Raises as `research.backtest.prepare` does."""
        first = first_position(self.timeline, trade_from_ns) if trade_from_ns else 0
        needed = max(strategy.history_needed() - 1, first)
        ctx: Context | None = None
        if overrides(strategy, "init"):
            ctx = self.begun(strategy, needed)
        else:
            self._require(strategy, needed)
        ask = stated_targets if is_target_strategy(strategy) else stated_entries
        if not overrides(strategy, "universe"):
            return stated_from(ask(strategy, self.history), first)
        if keeps_account(strategy):
            raise KernelRefused(f"the kernel does not do this: {KEEPS_ACCOUNT}")
        return with_universe(self, strategy, ctx, lambda: stated_from(ask(strategy, self.history), first))

    @rare_collection()
    def begun(self, strategy: Strategy, needed: int = 0) -> Context:
        """Let a strategy make its indicators; return its context. Raises as `research.backtest.prepare` does."""
        ctx = context_of(self.spec, self.timeline)
        if overrides(strategy, "init"):
            strategy.init(ctx)
            if ctx.requests:
                raise UsageError(f"{strategy.name} asked for an order in init, before any bar")
        self._require(strategy, max(needed, ctx.warmup))
        return ctx

    def _require(self, strategy: Strategy, needed: int) -> None:
        if needed >= len(self.timeline):
            raise DataError(f"not enough history: {strategy.name} needs {needed + 1} bars, found {len(self.timeline)}")


def context_of(spec: BacktestSpec, timeline: Timeline) -> Context:
    """Return a strategy's window on a run in which nothing has happened yet."""
    product = spec.strategy.product
    return Context(timeline, spec.instruments, spec.bars[0].interval, product, _Nothing(spec.initial))


class _Nothing:
    """An account in which nothing has happened yet; implements `strategy.context.Account`."""

    def __init__(self, initial: Cash) -> None:
        self._initial = initial

    def equity(self) -> Cash:
        return self._initial

    def working_orders(self, instrument: str) -> Iterator[WorkingOrder]:
        del instrument
        return iter(())

    def held_groups(self) -> tuple[()]:
        return ()

    def resting(self, instrument: str) -> tuple[()]:
        del instrument
        return ()


def check_kernel(spec: BacktestSpec) -> None:
    """Raise `KernelRefused` where the kernel does not run a backtest, and as `run_backtest` where nothing could."""
    check_spec(spec)
    reason = kernel_refusal(spec)
    if reason:
        raise KernelRefused(f"the kernel does not do this: {reason}")


@rare_collection()
def run_kernel(
    spec: BacktestSpec,
    market: KernelMarket | None = None,
    on_compile: cache.OnCompile | None = None,
    over: KernelOutcome | None = None,
) -> KernelOutcome:
    """Run a backtest in compiled code; the same fills, charges and equity as `run_backtest`, to the last unit.

    Parameters
    ----------
    market
        Of an earlier run over the same bars, instruments, rules and product: saves looking everything up again.
    on_compile
        Told before code is compiled, which happens once for each version of the kernel.
    over
        See `run_stated`; of a strategy that acts in `on_bar` it is not used.

    Raises
    ------
    KernelRefused
        The kernel does not do something that the spec or the run asks for; the message says what.
    UsageError, DataError
        As `run_backtest`.
    """
    if market is None:
        check_kernel(spec)
        market = KernelMarket(spec)
    if acts_on_bar(spec.strategy):
        from manjha.research.compile.run import run_on_bar

        return run_on_bar(spec, market, on_compile)
    return run_stated(spec, market, stated_of(spec, market), on_compile, over)


def stated_of(spec: BacktestSpec, market: KernelMarket) -> Stated:
    """Return what the strategy of a spec states, over a market that suits it. Raises as `run_kernel`."""
    stated = market.stated(spec.strategy, spec.trade_from_ns)
    reason = target_refusal(spec.strategy, stated.wanted)
    if reason:
        raise KernelRefused(f"the kernel does not do this: {reason}")
    return stated


def run_stated(
    spec: BacktestSpec,
    market: KernelMarket,
    stated: Stated,
    on_compile: cache.OnCompile | None = None,
    over: KernelOutcome | None = None,
) -> KernelOutcome:
    """Run what a strategy has stated already, all of it, over a market that suits the spec; see `run_kernel`.

    `over` is the outcome of an earlier run of which all is known that is wanted: its memory is used again, which makes
    a sweep faster, and it is void from then on, arrays that were taken from it included.
    """
    tables = new_tables(spec, market, stated, over=None if over is None else over.give_up())
    carry_through(tables, on_compile)
    return KernelOutcome(tables)


def carry_through(tables: Tables, on_compile: cache.OnCompile | None) -> None:
    """Run to the end, with larger logs whenever they are full."""
    if on_compile is not None and not cache.is_compiled(cache.entry_name()):
        on_compile(cache.COMPILES)
    run, words = cache.entries().run, tables.words
    while True:
        run(tables.account, words.item(_COUNT), loop.TO_THE_END)
        status = words.item(_STATUS)
        if status == s.DONE:
            return
        if status != s.FULL:
            raise KernelRefused(f"the kernel does not do this: {s.STATUS[status]}")
        tables.grow()


def new_tables(
    spec: BacktestSpec, market: KernelMarket, stated: Stated, rows: int = 0, over: Tables | None = None
) -> Tables:
    """Return the state before the first bar; of each log `rows` are expected, one a wake-up where more.

    `over` are the tables of a finished run that is given up: written over, and used as they are where only what the
    strategy states differs.
    """
    terms, rows = (*_terms(spec, market), stated.universe), max(rows, len(stated.wakeups))
    if over is not None and all(map(is_, terms, over.terms)):
        over.restart(rows)
        over.state(stated.wakeups, stated.wanted)
        return over
    count = len(spec.instruments)
    names = dict.fromkeys(instrument.exchange for instrument in spec.instruments)
    exchanges = {name: number for number, name in enumerate(names)}
    x = np.zeros(count, s.HOLDING)
    for number, (instrument, columns) in enumerate(zip(spec.instruments, spec.bars, strict=True)):
        row = x[number]
        row["number"], row["rows"] = number, len(columns)
        row["lot"], row["tick"], row["exchange"] = instrument.lot, instrument.tick, exchanges[instrument.exchange]
        row["band"] = spec.bands.get(instrument.id, -1)
    x["venue_lot"] = x["lot"]
    for name, addresses in zip(s.Columns._fields, market.bars.addresses.T, strict=True):
        x[f"{name}_at"] = addresses
    for name in ("rebased_row", "row", "used_row", "touch_row", "matching_row", "card"):
        x[name] = -1
    enter_contracts(x, spec.instruments, market.product)
    account = _account(spec, market)
    account["exchanges"], account["contracts"] = len(exchanges), bool((x["group"] >= 0).any())
    given = {"holdings": x} | {name: getattr(market, name) for name in MARKET_TABLES}
    if isinstance(spec.sizing, VolatilityTarget):
        given |= market.dailies
    if stated.universe is not None:
        x["outside"], given["universe"], account["chooses"] = 1 - stated.universe[0], stated.universe[1:], True
    account["plain"] = _is_plain(account[0]) and not spec.actions and stated.universe is None
    tables = Tables(account, market.bars, given, rows, over)
    tables.terms = terms
    tables.state(stated.wakeups, stated.wanted)
    return tables


def _terms(spec: BacktestSpec, market: KernelMarket) -> tuple[object, ...]:
    """Return what decides the state before the first bar, to be told apart by identity."""
    # The class says which kind it is; a unit of an instance's own is told apart as well.
    return (market, type(spec.strategy), spec.strategy.unit, *_decisive(spec))


def _account(spec: BacktestSpec, market: KernelMarket) -> s.Records:
    """Return the account's record: what decides the run, and the capital."""
    account = np.zeros(1, s.ACCOUNT)
    r, fills, limits, strategy = account[0], spec.fills, spec.limits, spec.strategy
    r["cash"] = r["initial"] = r["day_start_equity"] = spec.initial
    r["cursor"] = r["matching"] = r["next_due"] = -1
    r["paid"], r["intraday"] = market.product is Product.CNC, market.product is Product.MIS
    r["instruments"], r["days"] = len(spec.instruments), len(market.days)
    r["at_close"] = fills.market is MarketFill.DECIDING_CLOSE
    r["penetrates"], r["worst"] = fills.limit is LimitFill.PENETRATION, fills.path is Path.WORST
    r["participation"], r["end_with_day"] = fills.participation_ppm, fills.orders_end_with_day
    r["latency"], r["overnight"] = spec.latency_ns, spec.bars[0].interval == DAY
    r["slip_kind"], r["slip_by"] = _slippage(spec)
    r["size_kind"], r["size_by"] = _sizing(spec)
    if isinstance(spec.sizing, VolatilityTarget):
        r["lookback"], r["annual_days"] = spec.sizing.lookback, spec.sizing.annual_days
    r["unit"], r["entries"] = (
        UNITS.index(strategy.unit),
        is_entry_strategy(strategy) and not is_target_strategy(strategy),
    )
    r["open_orders_max"], r["order_value_max"] = limits.open_orders_max, limits.order_value_max
    r["position_value_max"], r["day_loss_max"] = limits.position_value_max, limits.day_loss_max
    r["bands"] = bool(spec.bands)
    r["auctions"] = bool(market.sessions["auction_end_ns"].any())
    r["slices_max"] = limits.slices_max
    r["contract_notes"] = spec.contract_notes
    r["paisa"], r["rupee"] = (PAISA, RUPEE) if spec.rules.round_notes else (1, 1)
    return account


def _is_plain(r: s.Records) -> bool:
    """Tell whether market orders that are alone may trade in one piece, see `plain`."""
    costly = (
        "participation",
        "slip_kind",
        "order_value_max",
        "position_value_max",
        "day_loss_max",
        "bands",
        "contracts",
    )
    return bool(r["paid"] and r["at_close"]) and not any(r[name] for name in costly)


def _slippage(spec: BacktestSpec) -> tuple[int, int]:
    model = spec.slippage
    if isinstance(model, FixedTicks):
        return s.SLIP_TICKS, model.ticks
    if isinstance(model, BasisPoints):
        return s.SLIP_BPS, model.bps
    return (s.SLIP_VOLUME, model.bps_at_full) if isinstance(model, VolumeShare) else (s.SLIP_NONE, 0)


def _sizing(spec: BacktestSpec) -> tuple[int, int]:
    policy = spec.sizing
    if isinstance(policy, FixedQty):
        return s.SIZE_FIXED, policy.qty
    if isinstance(policy, CapitalFraction):
        return s.SIZE_FRACTION, policy.fraction
    if isinstance(policy, VolatilityTarget):
        return s.SIZE_VOLATILITY, policy.annual
    return s.SIZE_RISK, policy.fraction
