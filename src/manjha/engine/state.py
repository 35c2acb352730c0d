"""Everything the engine knows. One owner, changed only inside `engine.step`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Any

import msgspec

from manjha.domain.bars import Interval
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import (
    Exits,
    Fill,
    HeldGroup,
    Order,
    OrderId,
    Origin,
    Product,
    StrategyId,
    WorkingOrder,
)
from manjha.domain.sizing import SizingPolicy
from manjha.engine.sessions import Sessions, day_rules
from manjha.market.adjustment import Ratio, adjusted_px
from manjha.market.charges import RateCard, rate_card
from manjha.market.rules import MarketRules
from manjha.orders.book import OrderBook, OrderRecord
from manjha.orders.legs import Saga
from manjha.portfolio.book import Portfolio
from manjha.portfolio.positions import PositionKey
from manjha.risk.gate import DayRules, Gate
from manjha.risk.limits import RiskLimits
from manjha.risk.margin import MarginDesk
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy, overrides
from manjha.strategy.views import Timeline

if TYPE_CHECKING:
    from manjha.domain.commands import Refused
    from manjha.domain.events import DayChargesSettled
    from manjha.engine.desk import Desk
    from manjha.risk.control_limits import ControlLimits
    from manjha.risk.controls import Controls
    from manjha.strategy.asked import Request


class EngineSetup(msgspec.Struct, frozen=True):
    """What a run is made of. `rates` forces one rate card for every fill (None: by instrument and date).

    `controls` None is a run without them. `bands` are daily price bands by instrument in 1e-9, where one is known.
    """

    origin: Origin
    strategy: Strategy
    timeline: Timeline
    instruments: tuple[Instrument, ...]
    interval: Interval
    rules: MarketRules
    sessions: Sessions
    initial: Cash
    sizing: SizingPolicy
    limits: RiskLimits = RiskLimits()
    rates: RateCard | None = None
    controls: "ControlLimits | None" = None
    bands: Mapping[InstrumentId, int] = {}


class Protection(msgspec.Struct, gc=False):
    """What still protects a position that an entry opened: the entry's exits and the orders that carry them out.

    `best` is the best close since entry in 1e-4 rupee, for a trailing stop. `timed_out` tells that its time exit has
    begun; the orders of that exit carry the entry's id as their group.
    """

    entry: Order
    exits: Exits
    filled: int = 0
    stop_id: OrderId | None = None
    target_id: OrderId | None = None
    stop_px: int = 0
    best: int = 0
    timed_out: bool = False


class PositionChange(msgspec.Struct, frozen=True):
    """A position that changed without a trade: by a corporate action or an expiry."""

    key: PositionKey
    ts_ns: TsNs
    before: int
    after: int
    cash: Cash
    reason: str


CHARGED, STEP = 7, 5
"""How many numbers `EngineState.record_charges` has for a fill, and `record_steps` for a change of the account."""
PACKED_CHARGES, _PACKED_STEP = Struct(f"{CHARGED}q").pack, Struct(f"{STEP}q").pack


class Marks(Mapping[InstrumentId, int]):
    """Last closes by instrument, read from the timeline; an instrument before its first bar is absent.

    `rebased` are those in the basis of after a corporate action: the row that they stand for, and the price.
    """

    def __init__(self, timeline: Timeline, keys: Sequence[tuple[InstrumentId, int]]) -> None:
        self._series = {instrument: timeline.series[instrument, interval] for instrument, interval in keys}
        self.rebased: dict[InstrumentId, tuple[int, Px]] = {}

    def __getitem__(self, instrument: InstrumentId) -> int:
        found = self.get(instrument)
        if found is None:
            raise KeyError(instrument)
        return int(found)

    def get(self, instrument: InstrumentId, default: Any = None) -> Any:
        """Return the last close, or the default before the first bar and for an instrument not in the run."""
        series = self._series.get(instrument)
        row = -1 if series is None else (series.cursor.at if series.rows_view is None else series.row())
        if series is None or row < 0:
            return default
        if self.rebased and self.rebased.get(instrument, (-1, None))[0] == row:
            return self.rebased[instrument][1]
        return series.close_e4[row]

    def seen_ns(self, instrument: InstrumentId) -> int:
        """Return when the last close was seen (UTC ns); 0 before the first bar."""
        series = self._series[instrument]
        row = series.row()
        return series.seen_ns(row) if row >= 0 else 0

    def rebase(self, instrument: InstrumentId, by: Ratio) -> None:
        """Show the last close in the basis of after a corporate action, and another, until the next bar closes."""
        series, px = self._series.get(instrument), self.get(instrument)
        if series is not None and px is not None:
            self.rebased[instrument] = (series.row(), adjusted_px(px, by))

    def __iter__(self) -> Iterator[InstrumentId]:
        return iter(self._series)

    def __len__(self) -> int:
        return len(self._series)


class OwnOrders:
    """The open orders of one strategy in an instrument, for their number."""

    __slots__ = ("_open", "_strategy")

    def __init__(self, opens: Mapping[OrderId, OrderRecord], strategy: StrategyId) -> None:
        self._open, self._strategy = opens, strategy

    def __len__(self) -> int:
        return sum(record.order.origin.strategy == self._strategy for record in self._open.values())


_NOT_AHEAD: Callable[[], None] | None = None


class EngineState:
    """The state of one run.

    Attributes
    ----------
    reached
        Timeline position after the last bar that was processed; a step over a run of bars may stop inside it.
    matching
        Position of the bar whose open or range is being matched, told by the driver; -1 between bars. At one moment a
        bar closes before the next one opens, which time alone cannot tell apart.
    wakeups
        For a strategy of targets or entries, the positions at which it wants something, ascending; None for `on_bar`.
    restate, given
        States the rest of the columns anew where they were stated ahead; parameters that were changed in the run.
    squares_off
        Whether intraday positions may exist, so that each day has a square-off.
    carried_orders
        Orders in the terms of after a corporate action, to be placed at the open.
    groups, sagas
        Every group of legs by id, and those that have not ended.
    desk
        The broker's side of the account; None until a run begins at one.
    controls
        What the controls remember; None in a run without them. See `control`.
    every_close
        Whether the controls look at each close, so that no run of bars is quiet.
    ended_day
        The last day whose session has closed.
    has_manual
        Whether a person has placed an order by hand.
    carried_intraday
        How many times an intraday position was still open when a later session opened.
    record_*
        What happened, for the result: fills, the charges of each (`CHARGED` numbers), refusals, day settlements,
        position changes, and the account after each change (`STEP` numbers: the timeline position from whose close it
        counts, cash, the number of the position that changed or -1, its quantity and its open cost). Both are int64 one
        after the other, because there are many and Python's own objects take six times the memory.
    """

    controls: "Controls | None"
    desk: "Desk | None"

    def __init__(self, setup: EngineSetup) -> None:
        self.setup = setup
        self.origin = setup.origin
        self.strategy = setup.strategy
        self.timeline = setup.timeline
        self.cursor = setup.timeline.cursor
        self.rules, self.rates = setup.rules, setup.rates
        self.sessions = setup.sessions
        self.instruments = {instrument.id: instrument for instrument in setup.instruments}
        self.marks = Marks(setup.timeline, [(i.id, setup.interval) for i in setup.instruments])
        self.portfolio = Portfolio(setup.initial)
        self.book = OrderBook()
        self.margins = MarginDesk(setup.rules, self.instruments, self.portfolio, self.marks)
        self.gate = Gate(self.book, self.portfolio, self.instruments, self.marks, self.margins, setup.limits)
        self.ctx = Context(setup.timeline, setup.instruments, setup.interval, setup.strategy.product, self)
        self.day = TradingDay(0)
        self._asked: tuple[TradingDay, Mapping[InstrumentId, DayRules]] = (self.day, {})
        self.reached, self.matching = 0, -1
        self.order_seq = 0
        self._id_prefix = f"{setup.origin.run}-"
        self.groups, self.sagas = dict[OrderId, Saga](), dict[OrderId, Saga]()
        self.cards = dict[tuple[InstrumentId, Product], RateCard]()
        self.protections = dict[OrderId, Protection]()
        self.trailing, self.carried_orders = set[OrderId](), list[Order]()
        self.calls_on_fill, self.calls_on_session = (
            overrides(setup.strategy, f"on_{at}") for at in ("fill", "session")
        )
        self.wakeups: Sequence[int] | None = None
        self.picks_universe, self.squares_off = (
            overrides(setup.strategy, "universe"), setup.strategy.product is Product.MIS,
        )  # fmt: skip
        self.universe_day = self.held_until = self.ended_day = TradingDay(0)
        self.carried_intraday = self.wakeup_at = 0
        self.wanted: Callable[[int], Sequence[Request]] | None = None
        self.record_fills: list[Fill] = []
        self.record_charges = bytearray()
        self.record_refusals: list[Refused] = []
        self.record_settled: list[DayChargesSettled] = []
        self.restate, self.given = _NOT_AHEAD, dict[str, str]()
        self.record_changes: list[PositionChange] = []
        self.record_steps = bytearray()
        self.recorded_at = self.today_fills = 0
        self.desk, self.controls, self.every_close, self.has_manual = None, None, False, False
        if setup.controls is not None:
            self.control(setup.controls)

    def control(self, limits: "ControlLimits | None" = None) -> "Controls":
        """Put the gate under controls; a run that began without them gets those that a kill switch needs."""
        if self.controls is None:
            from manjha.risk.control_limits import NO_LIMITS
            from manjha.risk.controlled_gate import ControlledGate
            from manjha.risk.controls import Controls

            limits = NO_LIMITS if limits is None else limits
            self.controls = Controls(limits, self.marks.seen_ns, self._freeze)
            self.gate = ControlledGate(self.gate, self.controls)
            self.every_close = bool(limits.profit or limits.price_jump_max or self.setup.bands)
        return self.controls

    def _freeze(self, instrument: InstrumentId, why: str) -> None:
        from manjha.domain.commands import RefusalReason

        if instrument not in self.gate.closed:
            self.gate.close(instrument, RefusalReason.FROZEN, why)

    def equity(self) -> Cash:
        """Return cash and positions at the last closes."""
        return self.portfolio.equity(self.marks)

    def working_orders(self, instrument: InstrumentId) -> Iterator[WorkingOrder]:
        """Yield the resting orders in an instrument, oldest first, as the strategy sees them."""
        for record in self.book.open_orders(instrument):
            order, left = record.order, record.left
            if order.origin.strategy != self.origin.strategy:
                continue
            terms = (order.type, left, record.limit, record.trigger)
            yield WorkingOrder(order.id, order.side, *terms, order.purpose, order.tag)

    def held_groups(self) -> tuple[HeldGroup, ...]:
        """Return the groups of legs that have not ended, oldest first, as the strategy sees them."""
        return tuple(
            HeldGroup(saga.id, saga.group.tag, saga.phase, saga.profit(self.marks), saga.reason)
            for saga in self.sagas.values()
        )

    def next_group_id(self) -> OrderId:
        """Return the id of the next group of legs; derived from the run like those of orders."""
        return OrderId(f"{self._id_prefix}legs{len(self.groups) + 1}")

    def resting(self, instrument: InstrumentId) -> Mapping[OrderId, OrderRecord]:
        """Return the open orders in an instrument: always the same mapping, kept true by the book."""
        return self.book.open_by_instrument[instrument]

    def next_order_id(self) -> OrderId:
        """Return the next id; derived from the run, so a replay gives the same ones."""
        self.order_seq += 1
        return OrderId(f"{self._id_prefix}{self.order_seq}")

    def card(self, instrument: Instrument, product: Product) -> RateCard:
        """Return today's charge rates of an instrument held as a product."""
        if self.rates is not None:
            return self.rates
        key = (instrument.id, product)
        found = self.cards.get(key)
        if found is None:
            found = self.cards[key] = rate_card(self.rules, instrument, product, self.day)
        return found

    def rules_of(self, day: TradingDay) -> Mapping[InstrumentId, DayRules]:
        """Return the sessions of a day; the driver asks for them and, when the day opens, so does the engine."""
        if self._asked[0] != day:
            self._asked = (day, day_rules(self.sessions, self.setup.instruments, day))
        return self._asked[1]

    def open_day(self, day: TradingDay, today: Mapping[InstrumentId, DayRules]) -> None:
        """Take over a new day's rules."""
        self.day = day
        self.cards.clear()
        self.gate.today = today
        self.margins.day = day
        self.gate.day_start_equity = int(self.equity())
        self.today_fills = len(self.record_fills)

    def refresh(self, instrument: InstrumentId) -> None:
        """Show the strategy an instrument and its position in it, after they changed without a trade."""
        self.ctx.markets[instrument].instrument = self.instruments[instrument]
        position = self.portfolio.positions.get((self.origin.strategy, instrument, self.ctx.product))
        if position is not None:
            market = self.ctx.markets[instrument]
            market.position, market.cost_e4 = position.qty, position.cost

    def held(self, instrument: InstrumentId, product: Product) -> Qty:
        """Return the signed quantity this strategy holds."""
        return self.held_by((self.origin.strategy, instrument, product))

    def held_by(self, key: tuple[StrategyId, InstrumentId, Product]) -> Qty:
        """Return the signed quantity that a strategy, or a person by hand, holds."""
        position = self.portfolio.positions.get(key)
        return Qty(position.qty if position is not None else 0)

    def origin_of(self, strategy: StrategyId) -> Origin:
        """Return who acts: the run's strategy, or another one of the account's in this run."""
        own = self.origin
        return own if strategy == own.strategy else Origin(own.account, strategy, own.run)

    def give(self, values: Iterable[tuple[str, str]]) -> None:
        """Give the strategy other parameters, as people write them, from the next bar on.

        Raises `UsageError` for an unknown name or a bad value; whoever lets it come to that has asked for both.
        """
        strategy = self.strategy
        for name, text in values:
            setattr(strategy, name, strategy.params[name].check(text, strategy.name))
            self.given[name] = text
        if self.restate is not None:
            self.restate()

    def show_own(self) -> None:
        """Let the strategy count no orders but its own: from now on a person's stand beside them."""
        self.has_manual = True
        for instrument, market in self.ctx.markets.items():
            market.count_in(OwnOrders(self.book.open_by_instrument[instrument], self.origin.strategy))

    def record_account(self, number: int = -1, qty: int = 0, cost: int = 0) -> None:
        """Remember the account after a position changed, or only cash; the equity curve is made of these afterwards.

        It counts from the position at whose close it stands, never one before that of an earlier change: a corporate
        action counts from the bar to come, and an order placed after it may trade at the close that decided it.
        """
        at = self.matching
        if at < 0:
            at = self.reached - 1
        if at > self.recorded_at:
            self.recorded_at = at
        else:
            at = self.recorded_at
        self.record_steps += _PACKED_STEP(at, self.portfolio.ledger.cash, number, qty, cost)

    def record_change(self, change: PositionChange) -> None:
        """Remember a position that changed without a trade."""
        self.record_changes.append(change)
        position = self.portfolio.positions[change.key]
        self.record_account(position.number, position.qty, position.cost)
