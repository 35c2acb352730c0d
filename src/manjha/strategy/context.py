"""What a strategy can see and ask for. The engine owns it and turns what is asked into orders after the callback."""

from collections.abc import Callable, Iterator, Sequence, Sized
from typing import Any, Protocol

from manjha.domain.bars import Interval, format_interval
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import MINUTE_NS, TradingDay, TsNs, clock_ns, day_of
from manjha.domain.money import RUPEE, Cash
from manjha.domain.orders import Exits, HeldGroup, Leg, LegGroup, Product, Side, WorkingOrder
from manjha.domain.sizing import NANO, TargetUnit
from manjha.strategy.asked import (
    CancelRequest,
    CloseLegsRequest,
    LegsRequest,
    ModifyRequest,
    Request,
    TargetRequest,
    TimerRequest,
)
from manjha.strategy.terms import combined_exits, leg_of, order_request, price, whole
from manjha.strategy.views import Line, Series, Timeline

# Members by name: in Python 3.11 a look into an enum costs more than the comparison it is for.
_BUY, _SELL = Side.BUY, Side.SELL


class Account(Protocol):
    """What a strategy may know of its account; the engine's state is one."""

    def equity(self) -> Cash:
        """Return money and positions at the last prices."""
        ...

    def working_orders(self, instrument: InstrumentId) -> Iterator[WorkingOrder]:
        """Yield the strategy's resting orders in an instrument, oldest first."""
        ...

    def held_groups(self) -> tuple[HeldGroup, ...]:
        """Return the strategy's groups of legs that have not ended, oldest first."""
        ...

    def resting(self, instrument: InstrumentId) -> Sized:
        """Return something whose length is always the number of resting orders in an instrument."""
        ...


class Market:
    """One instrument as a strategy sees it: its lines, its position, and orders in it.

    Attributes
    ----------
    open, high, low, close, volume, oi
        Lines of the run's main interval, made when first asked for; prices in rupees.
    position
        Signed quantity held by this strategy in its own product.
    cost_e4
        What the open position cost, in 1e-4 rupee; negative for a short.
    """

    __slots__ = ("_ctx", "_lines", "_resting", "cost_e4", "instrument", "position", "series")

    def __init__(self, ctx: "Context", instrument: Instrument, series: Series, resting: Sized) -> None:
        self._ctx = ctx
        self._lines: dict[str, Line] = {}
        self._resting = resting
        self.instrument = instrument
        self.series = series
        self.position: int = 0
        self.cost_e4: int = 0

    def line(self, field: str) -> Line:
        """Return the line of a column: open, high, low, close, volume or oi."""
        if field not in self._lines:
            price = field not in ("volume", "oi")
            self._lines[field] = self.series.field_line(field, price=price)
        return self._lines[field]

    open = property(lambda self: self.line("open"))
    high = property(lambda self: self.line("high"))
    low = property(lambda self: self.line("low"))
    close = property(lambda self: self.line("close"))
    volume = property(lambda self: self.line("volume"))
    oi = property(lambda self: self.line("oi"))

    def count_in(self, resting: Sized) -> None:
        """Count the strategy's resting orders in something else."""
        self._resting = resting

    @property
    def working(self) -> int:
        """Number of resting orders of this strategy in the instrument, protective ones included."""
        return len(self._resting)

    @property
    def entry_e4(self) -> int:
        """Average price of the open position in 1e-4 rupee, rounded down; 0 when flat."""
        return self.cost_e4 // self.position if self.position else 0

    @property
    def entry_price(self) -> float:
        """Average price of the open position in rupees; NaN when flat."""
        return self.entry_e4 / RUPEE if self.position else float("nan")

    @property
    def opened_ns(self) -> TsNs:
        """When the last closed bar opened, UTC nanoseconds; 0 before the first."""
        row = self.series.row()
        return TsNs(self.series.columns.ts_open_ns[row] if row >= 0 else 0)

    @property
    def is_fresh(self) -> bool:
        """Whether a bar of this instrument closed at this very moment."""
        row = self.series.row()
        return row >= 0 and self.series.seen_ns(row) == self._ctx.now_ns

    def bars(self, interval: Interval) -> Series:
        """Return another interval's series that was asked for with the run. Raises `UsageError` if it was not."""
        return self._ctx.series(self.instrument.id, interval)

    def buy(self, qty: int = 0, **terms: Any) -> None:
        """Ask to buy. See `Context.order` for the terms."""
        self._ctx.requests.append(order_request(self.instrument, _BUY, qty, self._ctx.product, terms))

    def sell(self, qty: int = 0, **terms: Any) -> None:
        """Ask to sell, or to sell short. See `Context.order` for the terms."""
        self._ctx.requests.append(order_request(self.instrument, _SELL, qty, self._ctx.product, terms))

    def leg(self, side: Side, ratio: int = 1, **terms: Any) -> Leg:
        """Return a leg for `Context.legs`: `ratio` lots; `limit`, `stop`, `target`, `trail` in rupees, `exit_ns`."""
        return leg_of(self.instrument, side, ratio, terms)

    def target(self, value: float, unit: TargetUnit = TargetUnit.WEIGHT, *, tag: str = "") -> None:
        """Ask to hold this much: a signal of −1…1, a weight of equity, lots, or a quantity."""
        self._ctx.requests.append(TargetRequest(self.instrument.id, round(value * NANO), unit, self._ctx.product, tag))

    def close_position(self, *, tag: str = "") -> None:
        """Ask to hold nothing; resting orders in the instrument are cancelled."""
        self._ctx.requests.append(CancelRequest(self.instrument.id, None))
        if self.position:
            self._ctx.requests.append(TargetRequest(self.instrument.id, 0, TargetUnit.QTY, self._ctx.product, tag))

    def cancel(self, order: WorkingOrder | None = None) -> None:
        """Ask to cancel one resting order, or all resting entries; orders that protect a position then stay."""
        if self._resting:
            self._ctx.requests.append(CancelRequest(self.instrument.id, None if order is None else order.id))

    def modify(
        self, order: WorkingOrder, *, qty: int = 0, limit: float | None = None, trigger: float | None = None
    ) -> None:
        """Ask for new terms of a resting order: whole quantity, prices in rupees; 0 and None leave a term as it is."""
        tick = self.instrument.tick
        terms = (whole(qty), price(limit or None, tick, "limit"), price(trigger or None, tick, "trigger"))
        self._ctx.requests.append(ModifyRequest(order.id, *terms))

    def orders(self) -> tuple[WorkingOrder, ...]:
        """Return this strategy's resting orders in the instrument, oldest first, protective ones included."""
        return tuple(self._ctx.working_orders(self.instrument.id)) if self._resting else ()


class Context:
    """One strategy's window on a run.

    `requests` is read by the engine after each callback. `markets` holds every instrument of the run by id; the first
    one is `market`, and its lines and orders can be reached on the context itself. `universe` are those in which
    positions may be opened today; `working_orders` is the account's; `groups()` are the groups of legs that live.
    """

    __slots__ = (
        "_equity", "_timeline", "by_symbol", "groups", "market", "markets", "product", "requests", "universe", "warmup",
        "working_orders",
    )  # fmt: skip

    def __init__(
        self,
        timeline: Timeline,
        instruments: Sequence[Instrument],
        interval: Interval,
        product: Product,
        account: Account,
    ) -> None:
        self._timeline = timeline
        self._equity = account.equity
        self.working_orders = account.working_orders
        self.groups = account.held_groups
        self.product = product
        self.requests: list[Request] = []
        self.warmup = 0
        self.universe = self.markets = {
            i.id: Market(self, i, timeline.series[i.id, interval], account.resting(i.id)) for i in instruments
        }
        self.by_symbol = {i.symbol: self.markets[i.id] for i in instruments}
        self.market = next(iter(self.markets.values()))

    # ---- time and money

    @property
    def now_ns(self) -> TsNs:
        """When the last bar closed, UTC nanoseconds; 0 before the first."""
        position = self._timeline.cursor.at
        return TsNs(self._timeline.close_ns[position] if position >= 0 else 0)

    @property
    def day(self) -> TradingDay:
        """The Indian calendar day of now."""
        return day_of(self.now_ns)

    @property
    def minute(self) -> int:
        """Minutes since midnight IST: 9:15 is 555."""
        return clock_ns(self.now_ns) // MINUTE_NS

    @property
    def interval(self) -> Interval:
        """Length of the run's bars."""
        return self.market.series.columns.interval

    @property
    def position_index(self) -> int:
        """Position on the run's timeline; 0 is the first bar."""
        return self._timeline.cursor.at

    @property
    def equity(self) -> float:
        """Money and positions at the last prices, in rupees."""
        return self._equity() / RUPEE

    # ---- the first instrument, without naming it

    open = property(lambda self: self.market.line("open"))
    high = property(lambda self: self.market.line("high"))
    low = property(lambda self: self.market.line("low"))
    close = property(lambda self: self.market.line("close"))
    volume = property(lambda self: self.market.line("volume"))

    @property
    def position(self) -> int:
        """Signed quantity held in the first instrument."""
        return self.market.position

    @property
    def working(self) -> int:
        """Number of resting orders in the first instrument."""
        return self.market.working

    def buy(self, qty: int = 0, **terms: Any) -> None:
        """Ask to buy the first instrument. See `order`."""
        self.requests.append(order_request(self.market.instrument, _BUY, qty, self.product, terms))

    def sell(self, qty: int = 0, **terms: Any) -> None:
        """Ask to sell the first instrument. See `order`."""
        self.requests.append(order_request(self.market.instrument, _SELL, qty, self.product, terms))

    def target(self, value: float, unit: TargetUnit = TargetUnit.WEIGHT, *, tag: str = "") -> None:
        """Ask to hold this much of the first instrument."""
        self.market.target(value, unit, tag=tag)

    def close_position(self, *, tag: str = "") -> None:
        """Ask to hold nothing of the first instrument."""
        self.market.close_position(tag=tag)

    def cancel(self) -> None:
        """Ask to cancel the resting entries in the first instrument."""
        self.market.cancel()

    # ---- what can be asked

    def __getitem__(self, name: str) -> Market:
        """Return an instrument by symbol, by `NSE:SYMBOL` or by id. Raises `UsageError` for one not in the run."""
        found = self.markets.get(InstrumentId(name)) or self.by_symbol.get(name.split(":", 1)[-1])
        if found is None:
            raise UsageError(f"{name!r} is not in this run", hint="It has: " + ", ".join(self.by_symbol) + ".")
        return found

    def order(self, market: Market, side: Side, qty: int = 0, **terms: Any) -> None:
        """Ask for an order at the last close of `market`, to be sized, checked and sent after this callback.

        Parameters
        ----------
        qty
            Units; 0 sizes by the run's policy.
        terms
            `limit`, `trigger` (stop entry), `stop`, `target`, `trail` (distance): prices in rupees, put onto the tick;
            `exit_ns` (a moment at which to close again); `product`; `validity` (DAY or IOC); `tag`. None is none.

        Raises
        ------
        UsageError
            An unknown term, a quantity that is not whole, a price that is not above zero.
        DataError
            A price that is not finite.
        """
        self.requests.append(order_request(market.instrument, side, qty, self.product, terms))

    def legs(self, group: LegGroup) -> None:
        """Ask for several legs as one; see `Market.leg` and `combined`. No other order goes into what they hold."""
        self.requests.append(LegsRequest(group))

    @staticmethod
    def combined(**terms: Any) -> Exits:
        """Return exits for a `LegGroup`: `stop`, `target`, `trail` of the profit of one unit in rupees, `exit_ns`."""
        return combined_exits(terms)

    def close_legs(self, group: HeldGroup | None = None) -> None:
        """Ask to end a group of `groups()`, or all of them: at the market, what was sold first."""
        self.requests.append(CloseLegsRequest(None if group is None else group.id))

    def set_timer(self, key: str, ts_ns: int) -> None:
        """Ask for `on_timer(ctx, key)` at a moment."""
        self.requests.append(TimerRequest(key, TsNs(ts_ns)))

    def series(self, instrument: InstrumentId, interval: Interval) -> Series:
        """Return the series of an instrument and interval of this run."""
        found = self._timeline.series.get((instrument, interval))
        if found is None:
            raise UsageError(
                f"{instrument} was not loaded at {format_interval(interval)}",
                hint="Give the interval with the run: intervals=[...] or --also-interval.",
            )
        return found

    def indicator(
        self,
        function: Callable[..., Any],
        *inputs: str,
        market: Market | None = None,
        interval: Interval | None = None,
        price: bool = True,
        **params: Any,
    ) -> Any:
        """Compute an indicator over whole columns and return it as a line (or a tuple of lines).

        Parameters
        ----------
        function
            An array function: columns in, one float64 array or a tuple of them out, NaN while warming up, causal.
        inputs
            Names of columns: "close", or "high", "low", "close"; "ts" gives the closing moments, "day" their
            trading days.
        price
            Whether its values are prices in rupees (moving averages, bands, ATR) and change with a split.

        Notes
        -----
        `on_bar` is not called before every indicator has a value.
        """
        series = (market or self.market).series
        if interval is not None:
            series = self.series((market or self.market).instrument.id, interval)
        made, ready = series.computed(function, inputs or ("close",), params, price=price)
        self.warmup = max(self.warmup, ready)
        return made
