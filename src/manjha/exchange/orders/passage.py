"""The way of an order from the desk to the exchange and back, stage by stage, and what the exchange says of it.

What a request does at once is its first row; the rest of its way is stages on the agenda, so that a client sees an
order advance as it would. Nothing here waits and nothing reads a clock.
"""

from collections.abc import Callable, Iterable

import msgspec

from manjha.domain.events import Event, ModifyRejected, OrderCancelled, OrderFilled, OrderModified, OrderRejected
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, TsNs
from manjha.domain.money import format_px
from manjha.domain.orders import Fill, OrderType, Validity
from manjha.exchange.agenda import Agenda, OrderDue, Stage
from manjha.exchange.events import Hearers, Traded
from manjha.exchange.market.market import Market
from manjha.exchange.orders.book import DayBook
from manjha.exchange.orders.checks import Checks, tags_of_protection
from manjha.exchange.orders.hours import Phase, phase_of
from manjha.exchange.orders.order import FINAL, OrderState, Status, Terms, Trade
from manjha.exchange.switches import Rule, Switches
from manjha.market.bands import protection_band

_AT_EXCHANGE = (Stage.ARRIVE, Stage.MODIFY_ARRIVE, Stage.CANCEL_ARRIVE)
_STOPS = (OrderType.SL, OrderType.SL_M)
_MARKETS = (OrderType.MARKET, OrderType.SL_M)
NOT_OPEN = "16278 : The markets have not been opened for trading"
NOT_ALLOWED = "16387 : Security is not allowed to trade in this market"
UNMATCHED = "16388 : Unmatched IOC order cancelled by the exchange"


class Pace(msgspec.Struct, frozen=True):
    """How long an order is on its way: to the broker's risk check, and from there to the exchange and back."""

    check_ns: int = 2_000_000
    exchange_ns: int = 8_000_000


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Why risk management refuses an order that has an id already: for a person, and in the system's words."""

    message: str
    raw: str


RiskCheck = Callable[[OrderState, TsNs], Refused | None]
"""Looks at an order on its way to the exchange, as margin and holdings do; None lets it pass."""


class Passage:
    """Brings orders to the exchange. `risk` are the checks on the way, `link_up` tells whether the exchange is reached.

    While the link is down what would arrive waits in `held`, in its order, and the orders stay as they are.
    """

    def __init__(
        self, market: Market, book: DayBook, agenda: Agenda, hearers: Hearers, checks: Checks, pace: Pace
    ) -> None:
        self._market, self._book, self._agenda, self._hearers = market, book, agenda, hearers
        self._checks, self._pace = checks, pace
        self._switches: Switches = checks.switches
        self.risk: list[RiskCheck] = []
        self.change_checks: list[Callable[[OrderState, Terms], None]] = []
        self.link_up = True
        self.held: list[OrderDue] = []
        self.stops: dict[InstrumentId, list[str]] = {}
        self._stages: dict[Stage, Callable[[OrderState, TsNs], None]] = {
            Stage.VALIDATE: self._validate,
            Stage.ARRIVE: self._arrive,
            Stage.MODIFY_SENT: self._modify_sent,
            Stage.MODIFY_ARRIVE: self._modify_arrives,
            Stage.CANCEL_ARRIVE: self._cancel_arrives,
            Stage.RELEASE: self._release,
            Stage.EXPIRE: self._expire,
        }
        agenda.on(OrderDue, self._reach)

    # ---- from the desk

    def start(self, order: OrderState, now_ns: TsNs) -> None:
        """Take an order in and send it on its way."""
        self._book.enter(order, Status.PUT, now_ns)
        self._later(Stage.VALIDATE, order, now_ns + self._pace.check_ns)

    def queue(self, order: OrderState, release_ns: TsNs, now_ns: TsNs) -> None:
        """Take an after-market order in; it is sent on its way when its session comes."""
        self._book.enter(order, Status.AMO, now_ns)
        self._later(Stage.RELEASE, order, release_ns)

    def change(self, order: OrderState, terms: Terms, now_ns: TsNs) -> None:
        """Send new terms of a resting order on their way. Raises `KiteError` where a check of `change_checks` does."""
        for check in self.change_checks:
            check(order, terms)
        order.resting_as, order.pending = order.status, terms
        order.modifications += 1
        order.is_modified = True
        order.ordered_ns = now_ns
        self._book.be(order, Status.MODIFY_VALIDATION, now_ns)
        self._later(Stage.MODIFY_SENT, order, now_ns + self._pace.check_ns)

    def recall(self, order: OrderState, now_ns: TsNs) -> None:
        """Send the cancel of a resting order on its way."""
        order.resting_as = order.status
        self._book.be(order, Status.CANCEL_PENDING, now_ns)
        self._later(Stage.CANCEL_ARRIVE, order, now_ns + self._pace.exchange_ns)

    def end(self, order: OrderState, status: Status, now_ns: TsNs, message: str | None, raw: str | None) -> None:
        """Give an order its last status."""
        order.message, order.raw = message, raw
        if status is Status.CANCELLED:
            order.cancelled = order.left
        if order.exchange_order_id is not None:
            order.updated_ns = now_ns
        self._book.be(order, status, now_ns)

    # ---- from the exchange

    def apply(self, events: Iterable[Event]) -> None:
        """Take what the venue says."""
        for event in events:
            if isinstance(event, OrderFilled):
                self._filled(event.fill)
            elif isinstance(event, OrderCancelled):
                order = self._book.orders[event.order_id]
                raw = UNMATCHED if order.terms.validity is Validity.IOC else None
                self.end(order, Status.CANCELLED, event.ts_ns, None, raw)

    def see_triggers(self, instrument: InstrumentId, now_ns: TsNs) -> None:
        """After a tick: stops that were triggered and did not trade rest as limit orders."""
        waiting = self.stops.get(instrument)
        if not waiting:
            return
        for order_id in list(waiting):
            order = self._book.orders.get(order_id)
            if order is None or order.is_final:
                waiting.remove(order_id)
            elif self._market.is_triggered(instrument, order_id):
                waiting.remove(order_id)
                if order.status == Status.TRIGGER_PENDING:
                    self._rest(order, Status.OPEN, now_ns)
                order.resting_as = Status.OPEN

    def set_link(self, *, up: bool, now_ns: TsNs) -> None:
        """Cut or mend the link to the exchange; mended, what was held arrives."""
        self.link_up = up
        if up:
            held, self.held = self.held, []
            for due in held:
                self._reach(due, now_ns)

    # ---- stages

    def _later(self, stage: Stage, order: OrderState, ts_ns: int) -> None:
        self._agenda.put(ts_ns, OrderDue(stage, order.order_id))

    def _reach(self, due: OrderDue, now_ns: TsNs) -> None:
        order = self._book.orders.get(due.order_id)
        if order is None or order.is_final:
            return
        if due.stage in _AT_EXCHANGE and not self.link_up:
            self.held.append(due)
            return
        self._stages[due.stage](order, now_ns)

    def _release(self, order: OrderState, now_ns: TsNs) -> None:
        if order.status != Status.AMO:
            return
        self._book.be(order, Status.PUT, now_ns)
        self._later(Stage.VALIDATE, order, now_ns + self._pace.check_ns)

    def _validate(self, order: OrderState, now_ns: TsNs) -> None:
        self._book.be(order, Status.VALIDATION, now_ns)
        for check in self.risk:
            refused = check(order, now_ns)
            if refused is not None:
                self.end(order, Status.REJECTED, now_ns, refused.message, refused.raw)
                return
        order.terms = self._shown(order, order.terms)
        self._book.be(order, Status.OPEN_PENDING, now_ns)
        self._later(Stage.ARRIVE, order, now_ns + self._pace.exchange_ns)

    def _arrive(self, order: OrderState, now_ns: TsNs) -> None:
        refusal = self._not_now(order, order.terms, now_ns)
        if refusal:
            self.end(order, Status.REJECTED, now_ns, refusal.partition(" : ")[2], refusal)
            return
        order.exchange_order_id = self._book.exchange_id(order.listed.exchange)
        order.exchange_ns = order.updated_ns = now_ns
        if breach := self._beyond_protection(order, order.terms, now_ns):
            self.end(order, Status.CANCELLED, now_ns, breach, breach)
            return
        for event in self._market.submit(order.domain_order(now_ns, order.terms.price), now_ns):
            if isinstance(event, OrderRejected):
                self.end(order, Status.REJECTED, now_ns, event.reason, f"RMS:Rule: Check circuit limit: {event.reason}")
                return
        if order.terms.trigger:
            self.stops.setdefault(order.listed.id, []).append(order.order_id)
        self._rest(order, Status.TRIGGER_PENDING if order.terms.trigger else Status.OPEN, now_ns)
        if order.terms.validity is Validity.TTL:
            self._later(Stage.EXPIRE, order, now_ns + order.ttl_minutes * MINUTE_NS)

    def _modify_sent(self, order: OrderState, now_ns: TsNs) -> None:
        if order.status == Status.MODIFY_VALIDATION:
            self._book.be(order, Status.MODIFY_PENDING, now_ns)
            self._later(Stage.MODIFY_ARRIVE, order, now_ns + self._pace.exchange_ns)

    def _modify_arrives(self, order: OrderState, now_ns: TsNs) -> None:
        assert order.pending is not None  # noqa: S101 - a change is in flight
        terms, order.pending = self._shown(order, order.pending), None
        refusal = (
            self._not_now(order, terms, now_ns)
            or self._beyond_protection(order, terms, now_ns)
            or self._changed(order, terms, now_ns)
        )
        order.exchange_ns = order.updated_ns = now_ns
        if refusal:
            order.message = order.raw = f"16346 : Order cannot be modified: {refusal}"
            self._book.be(order, Status.NOT_MODIFIED, now_ns)
            order.message = order.raw = None
            self._rest(order, order.resting_as, now_ns)
            return
        self._book.be(order, Status.MODIFIED, now_ns)
        order.terms = terms
        triggered = not terms.trigger or self._market.is_triggered(order.listed.id, order.order_id)
        if not triggered and order.order_id not in self.stops.get(order.listed.id, ()):
            self.stops.setdefault(order.listed.id, []).append(order.order_id)
        self._rest(order, Status.OPEN if triggered else Status.TRIGGER_PENDING, now_ns)

    def _cancel_arrives(self, order: OrderState, now_ns: TsNs) -> None:
        self.apply(self._market.cancel(order.order_id, now_ns))

    def _expire(self, order: OrderState, now_ns: TsNs) -> None:
        """End an order whose minutes are over, whatever is in flight."""
        self.apply(self._market.cancel(order.order_id, now_ns))

    # ---- what the exchange makes of it

    def _rest(self, order: OrderState, status: str, now_ns: TsNs) -> None:
        order.resting_as = status
        self._book.be(order, status, now_ns)

    def _filled(self, fill: Fill) -> None:
        order = self._book.orders[fill.order_id]
        trade = Trade(self._book.trade_id(), order.order_id, fill.qty, fill.px, fill.ts_ns)
        self._book.trades.setdefault(order.order_id, []).append(trade)
        order.filled += fill.qty
        order.value += fill.qty * fill.px
        order.updated_ns = fill.ts_ns
        self._hearers.tell(
            Traded(
                order.user_id, order.order_id, trade.trade_id, order.listed.token, int(order.side), str(order.product),
                fill.qty, fill.px, fill.ts_ns,
            )
        )  # fmt: skip
        status = order.status
        if order.left == 0:
            status = Status.COMPLETE
        elif status == Status.TRIGGER_PENDING:
            status = Status.OPEN
        if status not in FINAL:
            order.resting_as = Status.OPEN
        self._book.be(order, status, fill.ts_ns)

    def _changed(self, order: OrderState, terms: Terms, now_ns: TsNs) -> str:
        """Change a resting order; say why not where the exchange refuses."""
        old = order.terms
        same_way = (terms.trigger == 0) is (old.trigger == 0) and terms.validity is old.validity
        if same_way and (terms.price == 0) is (old.price == 0):
            for event in self._market.modify(order.order_id, terms.qty, terms.price, terms.trigger, now_ns):
                if isinstance(event, ModifyRejected):
                    return event.reason
                if isinstance(event, OrderModified):
                    return ""
            return "it rests no more"
        if terms.qty <= order.filled:
            return f"{order.filled} have traded already"
        changed = msgspec.structs.replace(order, terms=terms)
        self._market.replace(changed.domain_order(now_ns, terms.price), changed.left, now_ns)
        return ""

    def _shown(self, order: OrderState, terms: Terms) -> Terms:
        """Return the terms that reach the exchange: a market order under protection is a limit order at its edge."""
        if terms.kind not in _MARKETS:
            return terms
        standing = self._market.standings[order.listed.id]
        reference = terms.trigger or standing.last or standing.close
        limit, percent = self._checks.protected(order.listed, order.side, terms, reference)
        if not limit:
            return terms
        order.tags = [tag for tag in order.tags if not tag.startswith("mktp")] + tags_of_protection(percent)
        kind = OrderType.SL if terms.kind is OrderType.SL_M else OrderType.LIMIT
        return msgspec.structs.replace(terms, kind=kind, price=limit)

    def _not_now(self, order: OrderState, terms: Terms, now_ns: TsNs) -> str:
        """Say why the exchange takes no such order, or change of one, now; empty when it does."""
        phase = phase_of(self._market.sessions.get(order.listed.id), now_ns)
        if phase in (Phase.CLOSED, Phase.BLOCKED):
            return NOT_OPEN
        if phase is Phase.AUCTION and terms.kind in _STOPS:
            return NOT_ALLOWED
        return ""

    def _beyond_protection(self, order: OrderState, terms: Terms, now_ns: TsNs) -> str:
        """Say that a price is outside limit price protection; empty when it is inside or there is none."""
        market, one = self._market, order.listed.instrument
        reference = market.reference(order.listed.id, now_ns)
        if (
            not reference
            or not terms.price
            or terms.trigger
            or not self._switches.holds(Rule.PRICE_PROTECTION, market.day)
        ):
            return ""
        allowed = protection_band(market.rules, one, market.day, reference)
        if allowed is None or allowed.low <= terms.price <= allowed.high:
            return ""
        aggressive = terms.price > allowed.high if order.side > 0 else terms.price < allowed.low
        if not aggressive:
            return ""
        return (
            f"The order price is outside the limit price protection range {format_px(allowed.low)} to "
            f"{format_px(allowed.high)}"
        )
