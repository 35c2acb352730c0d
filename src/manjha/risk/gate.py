"""The gate: every order passes here, and only here is an `Approved` made.

The checks stand in the order in which they are evaluated (RELIABILITY section 7); exits skip what could trap a
position: funds, value limits, day loss, the trading switch. Everything counted includes open orders.
"""

from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import NamedTuple

import msgspec

from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, RefusalReason, Refused, SubmitOrder
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TsNs, day_of, format_ts
from manjha.domain.money import Qty, format_cash, format_px
from manjha.domain.orders import MANUAL, Order, OrderId, OrderType, Product, Purpose, Side, Validity, Variety
from manjha.market.bands import protection_band
from manjha.orders.book import AskedTerms, AtBroker, OrderBook, OrderRecord
from manjha.portfolio.book import Portfolio
from manjha.portfolio.positions import closing_part
from manjha.risk.checks import FITTING, Refusal, kinds, misfit, prices, stop_side
from manjha.risk.funds import affordable, available, to_be_freed
from manjha.risk.limits import RiskLimits
from manjha.risk.margin import MarginDesk


class DayRules(NamedTuple):
    """What holds for one instrument today: session and square-off in UTC ns.

    `close_ns` ends continuous trading; `auction_start_ns` and `auction_end_ns` bound the closing auction (0: none).
    """

    open_ns: int
    close_ns: int
    square_off_ns: int
    auction_start_ns: int = 0
    auction_end_ns: int = 0


# Members by name: in Python 3.11 a look into an enum costs more than the comparison it is for.
_SIGNAL, _CNC, _MIS, _REGULAR, _TTL = Purpose.SIGNAL, Product.CNC, Product.MIS, Variety.REGULAR, Validity.TTL
_MARKET, _BUY = OrderType.MARKET, Side.BUY


class Gate:
    """Pre-trade checks over the state of one account.

    Attributes
    ----------
    today
        Session and bands by instrument; filled by the engine when a session opens.
    trading_on
        Whether strategies may enter; exits and cancels always are allowed, and what a person asks for by hand.
    universe
        In what strategies may open positions today; None for everything. Set by `admit`.
    tags
        Gives each order the tag that it goes to the broker with; None where nobody asks for one.
    closed
        Instruments in which nothing may be opened, and why; "" stands for all. Set by `close`.
    overnight_intraday
        Whether intraday entries after the close wait for the next session (runs on daily bars).
    """

    __slots__ = (
        "book",
        "closed",
        "day_start_equity",
        "has_value_limits",
        "instruments",
        "limits",
        "margins",
        "marks",
        "overnight_intraday",
        "portfolio",
        "tags",
        "today",
        "trading_on",
        "universe",
    )  # fmt: skip

    def __init__(
        self,
        book: OrderBook,
        portfolio: Portfolio,
        instruments: Mapping[InstrumentId, Instrument],
        marks: Mapping[InstrumentId, int],
        margins: MarginDesk,
        limits: RiskLimits,
    ) -> None:
        self.book = book
        self.portfolio = portfolio
        self.instruments = instruments
        self.marks = marks
        self.margins = margins
        self.limits = limits
        self.today: Mapping[InstrumentId, DayRules] = {}
        self.trading_on = True
        self.universe: frozenset[InstrumentId] | None = None
        self.overnight_intraday = False
        self.tags: Callable[[Order], str] | None = None
        self.closed: dict[str, tuple[RefusalReason, str]] = {}
        self.day_start_equity = int(portfolio.ledger.initial)
        self.has_value_limits = bool(limits.order_value_max or limits.position_value_max or limits.day_loss_max)

    def admit(self, universe: frozenset[InstrumentId]) -> None:
        """Let positions be opened in these instruments only, until told otherwise."""
        self.universe = universe
        # Asked with the value limits, so that a run without either pays for neither.
        self.has_value_limits = True

    def close(self, instrument: str, reason: RefusalReason, detail: str) -> None:
        """Refuse whatever opens in an instrument, or in any ("")."""
        self.closed[instrument] = (reason, detail)
        self.has_value_limits = True

    def reopen(self, instrument: str) -> None:
        """Refuse it no longer."""
        self.closed.pop(instrument, None)

    def submit(self, order: Order, now_ns: TsNs) -> Approved[SubmitOrder] | Refused:
        """Approve an order and enter it in the book with its margin reserved, or refuse it."""
        command = SubmitOrder(order)
        reserve = 0
        try:
            instrument = self._terms(order)
            if order.purpose is _SIGNAL:
                held = self._held(order)
                opening = self._opening(order, held)
                self._session(order, instrument, now_ns, opening)
                if opening:
                    reserve = self._funds(order, instrument, opening, held)
                    self.portfolio.ledger.reserved += reserve
        except Refusal as refusal:
            return Refused(command, refusal.reason, refusal.detail, now_ns)
        self.book.add(order, reserve)
        return Approved(command)

    def leaves(self, approved: Approved[SubmitOrder]) -> Approved[SubmitOrder]:
        """Give an approved order that leaves now the tag that it goes to the broker with."""
        order = approved.command.order
        if self.tags is None:
            return approved
        at = self.book.records[order.id].at_broker = AtBroker(self.tags(order))
        return Approved(SubmitOrder(order, at.tag))

    def smaller(self, order: Order, *, sized: bool) -> Qty:
        """Return the part of a refused order that may go: what closes and, if `sized`, what the funds allow to open."""
        opening = self._opening(order, self._held(order))
        closing = order.qty - abs(opening)
        if not sized or (opening < 0 and order.product is _CNC):
            return Qty(closing)
        free = available(self.portfolio, self.marks)
        free += to_be_freed(self.book, self.portfolio, self.margins, order, opening)
        return Qty(closing + affordable(self.margins, order, opening, free))

    def cancel(self, record: OrderRecord) -> Approved[CancelOrder]:
        """Approve a cancel; cancels are never refused."""
        return Approved(CancelOrder(record.order.id))

    def modify(self, record: OrderRecord, command: ModifyOrder, now_ns: TsNs) -> Approved[ModifyOrder] | Refused:
        """Approve new terms of an open order; an entry is checked like a new one and cannot grow (place another).

        Until the exchange answers, the larger of both margins is reserved; see `terms_taken` and `terms_refused`.
        """
        order = record.order
        try:
            instrument = self._fits(record, command)
            if order.purpose is Purpose.SIGNAL:
                self._entry_terms(record, command, instrument, now_ns)
        except Refusal as refusal:
            return Refused(command, refusal.reason, refusal.detail, now_ns)
        return Approved(command)

    def terms_taken(self, record: OrderRecord) -> None:
        """Reserve what the new terms need, now that the exchange has taken them and the book has them."""
        asked = record.asked
        # An answer to older terms than those asked for last: the larger reserve stays until theirs comes.
        if asked is not None and (asked.qty, asked.limit, asked.trigger) == (record.qty, record.limit, record.trigger):
            self._settle_reserve(record, asked.reserve_new * record.left // asked.left_new)

    def terms_refused(self, record: OrderRecord) -> None:
        """Reserve what the old terms need: the exchange has refused the new ones."""
        asked = record.asked
        if asked is not None:
            self._settle_reserve(record, asked.reserve_old * record.left // asked.left_old)

    def _settle_reserve(self, record: OrderRecord, needed: int) -> None:
        record.asked = None
        # Fills in the meantime have taken their part; an order that has ended holds nothing.
        after = max(0, min(record.reserved, needed))
        self.portfolio.ledger.reserved += after - record.reserved
        record.reserved = after

    def _fits(self, record: OrderRecord, command: ModifyOrder) -> Instrument:
        """Check new terms against the order itself: tick, quantity, type."""
        order, instrument = record.order, self.instruments[record.order.instrument]
        if command.qty <= record.filled:
            raise Refusal(RefusalReason.QUANTITY, f"{record.filled} are filled already")
        if bool(command.limit) != bool(order.limit) or bool(command.trigger) != bool(order.trigger):
            raise Refusal(RefusalReason.ORDER_TYPE, f"{order.type} keeps the prices that it has")
        prices(order.side, command.limit, command.trigger, instrument)
        return instrument

    def _entry_terms(self, record: OrderRecord, command: ModifyOrder, instrument: Instrument, now_ns: TsNs) -> None:
        """Check new terms of an entry as those of a new order, and hold the larger of both margins."""
        order, old = record.order, record.reserved
        if command.qty > record.qty:
            raise Refusal(RefusalReason.QUANTITY, "an entry cannot grow; place another order")
        if command.qty % instrument.lot:
            raise Refusal(RefusalReason.QUANTITY, f"{command.qty} of {instrument.display}, lot {instrument.lot}")
        left = Qty(command.qty - record.filled)
        terms = msgspec.structs.replace(order, qty=left, limit=command.limit, trigger=command.trigger)
        opening = self._opening_left(record, terms)
        if (command.limit, command.trigger) == (record.limit, record.trigger):
            # Smaller at the same price: nothing could speak against it, and it needs no more than its part.
            new = old * left // record.left if opening else 0
        else:
            new = self._new_price(record, terms, instrument, opening, now_ns)
        record.asked = AskedTerms(
            command.qty, command.limit, command.trigger, old, new, left_old=record.left, left_new=left
        )
        record.reserved = max(old, new)
        self.portfolio.ledger.reserved += record.reserved - old

    def _new_price(self, record: OrderRecord, terms: Order, instrument: Instrument, opening: int, now_ns: TsNs) -> int:
        """Check an entry at another price: switch, time, bands, stop side, limits, funds; return what to reserve."""
        if opening and not self.trading_on and terms.origin.strategy != MANUAL:
            raise Refusal(RefusalReason.TRADING_OFF, "")
        today = self.today.get(terms.instrument)
        if today is not None:
            if opening and terms.product is Product.MIS and now_ns >= today.square_off_ns:
                self._late_intraday(today, now_ns)
            if terms.limit and instrument.is_derivative:
                self._protected(terms, instrument)
        stop_side(terms, terms.limit or terms.trigger)
        if not opening:
            return 0
        # What the order holds already is there for its new terms.
        ledger, old = self.portfolio.ledger, record.reserved
        ledger.reserved -= old
        try:
            return self._funds(terms, instrument, opening, self._held(terms))
        finally:
            ledger.reserved += old

    def _opening_left(self, record: OrderRecord, terms: Order) -> int:
        """Return the signed part of an open order's rest that would open or add; older orders on its side come first.

        Younger ones do not: they counted this order when they were placed.
        """
        opens = self.book.open_by_instrument.get(terms.instrument, {})
        older = dict(takewhile(lambda item: item[1] is not record, opens.items()))
        closable = self._held(terms) + working_exits(older, terms)
        signed = terms.qty if terms.side > 0 else -terms.qty
        return signed - closing_part(closable, signed)

    def _held(self, order: Order) -> int:
        position = self.portfolio.positions.get((order.origin.strategy, order.instrument, order.product))
        return position.qty if position is not None else 0

    def _terms(self, order: Order) -> Instrument:
        """Check what does not depend on money: kinds, quantity, prices."""
        instrument = self.instruments.get(order.instrument)
        if instrument is None:
            raise Refusal(RefusalReason.UNKNOWN_INSTRUMENT, order.instrument)
        if order.variety is not _REGULAR or order.validity is _TTL or order.disclosed or order.protection_bps:
            kinds(order)
        qty, freeze = order.qty, instrument.freeze
        if qty <= 0 or qty % instrument.lot:
            raise Refusal(RefusalReason.QUANTITY, f"{qty} of {instrument.display}, lot {instrument.lot}")
        if freeze and qty > freeze:
            raise Refusal(RefusalReason.ABOVE_FREEZE, f"{qty} of {instrument.display}, limit {freeze}")
        if order.type is not _MARKET:
            prices(order.side, order.limit, order.trigger, instrument)
        if order.product not in FITTING[instrument.kind]:
            misfit(order, instrument)
        return instrument

    def _session(self, order: Order, instrument: Instrument, now_ns: TsNs, opening: int) -> None:
        """Check time, switch, bands and counts; what only closes a position is never kept from it."""
        today = self.today.get(order.instrument)
        if opening:
            if not self.trading_on and order.origin.strategy != MANUAL:
                raise Refusal(RefusalReason.TRADING_OFF, "")
            if order.product is _MIS and today is not None and now_ns >= today.square_off_ns:
                self._late_intraday(today, now_ns)
            if self.book.open_count >= self.limits.open_orders_max:
                raise Refusal(RefusalReason.OPEN_ORDERS, f"{self.book.open_count} are open")
        if order.limit and instrument.is_derivative and today is not None:
            self._protected(order, instrument)
        if order.exits is not None:
            stop_side(order, order.limit or order.trigger or self.marks.get(order.instrument, 0))
        if instrument.expiry is not None and (today is None or day_of(now_ns) > instrument.expiry):
            raise Refusal(RefusalReason.EXPIRED, instrument.display)

    def _protected(self, order: Order, instrument: Instrument) -> None:
        """Refuse a limit that the exchange's limit price protection would: a buy too high, a sale too low."""
        reference = self.marks.get(order.instrument, 0)
        if not reference:
            return
        found = protection_band(self.margins.rules, instrument, self.margins.day, reference)
        if found is not None and (order.limit > found.high if order.side > 0 else order.limit < found.low):
            band = f"{format_px(found.low)} to {format_px(found.high)}"
            raise Refusal(RefusalReason.PRICE_BAND, f"{format_px(order.limit)} is outside {band}")

    def _late_intraday(self, today: DayRules, now_ns: TsNs) -> None:
        if now_ns < today.close_ns:
            raise Refusal(RefusalReason.AFTER_SQUARE_OFF, f"square-off was at {format_ts(TsNs(today.square_off_ns))}")
        if not self.overnight_intraday:
            raise Refusal(RefusalReason.SESSION_CLOSED, f"the session ended at {format_ts(TsNs(today.close_ns))}")

    def _opening(self, order: Order, held: int) -> int:
        """Return the signed part of an order that would open or add to a position, what is under way counted."""
        signed = order.qty if order.side is _BUY else -order.qty
        opens = self.book.open_by_instrument[order.instrument]
        closable = held + working_exits(opens, order) if opens else held
        return signed - closing_part(closable, signed) if closable else signed

    def _funds(self, order: Order, instrument: Instrument, opening: int, held: int) -> int:
        """Check value limits and funds of what opens; return the margin to reserve."""
        px = order.limit or order.trigger or self.marks.get(order.instrument, 0)
        if not px:
            raise Refusal(RefusalReason.NO_PRICE, instrument.display)
        product, ledger = order.product, self.portfolio.ledger
        if opening < 0 and product is _CNC:
            free = order.qty + opening
            raise Refusal(RefusalReason.SHORT_DELIVERY, f"{order.qty} ordered, {free} held and not being sold")
        if self.has_value_limits:
            self._limits(order, held, px)
        closing = (order.qty if order.side is _BUY else -order.qty) - opening
        reserve = self.margins.for_order(instrument, product, opening, px, closing)
        if reserve is None:
            raise Refusal(
                RefusalReason.NO_PRICE, f"margin needs the price of {instrument.underlying}; add it to the run"
            )
        free = available(self.portfolio, self.marks) if ledger.margin else ledger.available
        if reserve > free:
            free += to_be_freed(self.book, self.portfolio, self.margins, order, opening)
        if reserve > free:
            needs = f"needs {format_cash(reserve, grouping=True)}, available {format_cash(free, grouping=True)}"
            raise Refusal(RefusalReason.MARGIN, needs)
        return reserve

    def _limits(self, order: Order, held: int, px: int) -> None:
        for key in ("", order.instrument) if self.closed else ():
            if key in self.closed:
                raise Refusal(*self.closed[key])
        others = order.origin.strategy == MANUAL
        if self.universe is not None and order.instrument not in self.universe and not others:
            raise Refusal(RefusalReason.UNIVERSE, self.instruments[order.instrument].display)
        limits = self.limits
        value = order.qty * px
        if limits.order_value_max and value > limits.order_value_max:
            raise Refusal(RefusalReason.ORDER_VALUE, f"{format_cash(value)} > {format_cash(limits.order_value_max)}")
        after = abs(held + (order.qty if order.side > 0 else -order.qty)) * px
        if limits.position_value_max and after > limits.position_value_max:
            raise Refusal(
                RefusalReason.POSITION_VALUE, f"{format_cash(after)} > {format_cash(limits.position_value_max)}"
            )
        if limits.day_loss_max:
            loss = self.day_start_equity - self.portfolio.equity(self.marks)
            if loss >= limits.day_loss_max:
                raise Refusal(RefusalReason.DAY_LOSS, f"lost {format_cash(loss)} since the session opened")


def working_exits(opens: Mapping[OrderId, OrderRecord], of: Order) -> int:
    """Return the signed quantity that open orders on an order's side will already take from its position.

    Resting stops and targets are not counted: they shrink with the position.
    """
    side, product, strategy = of.side, of.product, of.origin.strategy
    return sum(
        record.left * int(side)
        for record in opens.values()
        if record.order.side is side
        and record.order.product is product
        and record.order.parent is None
        and record.order.origin.strategy == strategy
    )
