"""The broker's risk management at work: it squares intraday positions off, and refuses orders for want of margin.

Positions are those of the day's book: intraday ones are gone overnight.
"""

from collections.abc import Iterator

import msgspec

from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Cash, format_px
from manjha.domain.orders import OrderType, Product, Side
from manjha.exchange.agenda import Agenda
from manjha.exchange.events import DayBegan, ExchangeEvent
from manjha.exchange.market.listing import Listed
from manjha.exchange.market.market import Market
from manjha.exchange.orders.asked import AUTOMATIC
from manjha.exchange.orders.book import DayBook
from manjha.exchange.orders.order import RESTING, OrderState, Status, Terms
from manjha.exchange.orders.passage import Passage, Refused
from manjha.market.sessions import square_off_ns

PLACED_BY = "RMS"
"""Who placed its orders, as their rows say."""
LOOK_NS = 5 * SECOND_NS
"""How soon it looks again whether all is flat."""


class SquareOffDue(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Intraday positions are to be flat from now on."""


class RmsState(msgspec.Struct):
    """What of it is switched on; `margin` in 1e-4 rupee, 0 for no limit."""

    squares_off: bool = False
    margin: Cash = Cash(0)


class Rms:
    """Squares off where `settings.squares_off`; refuses where an order is worth more than `settings.margin`."""

    def __init__(self, agenda: Agenda, market: Market, book: DayBook, passage: Passage) -> None:
        self._agenda, self._market, self._book, self._passage = agenda, market, book, passage
        self.settings = RmsState()
        agenda.on(SquareOffDue, self._square_off)
        passage.risk.append(self._margin)

    def state(self) -> RmsState:
        """Return what a restored exchange goes on with."""
        return self.settings

    def restore(self, state: RmsState) -> None:
        """Go on where an exchange stopped."""
        self.settings = state

    def hear(self, event: ExchangeEvent) -> None:
        """Note when the day's positions are squared off."""
        if isinstance(event, DayBegan):
            for ts_ns in sorted({self._from_ns(listed) for listed in self._listed()}):
                self._agenda.put(ts_ns, SquareOffDue())

    # ---- squaring off

    def _listed(self) -> Iterator[Listed]:
        """Yield what trades today."""
        return (one for one in self._market.listing.all if one.id in self._market.today and one.instrument.is_tradable)

    def _from_ns(self, listed: Listed) -> TsNs:
        return square_off_ns(self._market.rules, listed.instrument, self._market.day)

    def _square_off(self, due: SquareOffDue, now_ns: TsNs) -> None:
        """Cancel what rests, then trade what is left; look again until nothing is."""
        if not self.settings.squares_off:
            return
        is_busy = False
        for listed in self._listed():
            if self._from_ns(listed) <= now_ns < self._market.today[listed.id].close_ns:
                for user_id in sorted({one.user_id for one in self._intraday(listed)}):
                    is_busy |= self._flatten(user_id, listed, now_ns)
        if is_busy:
            self._agenda.put(now_ns + LOOK_NS, due)

    def _intraday(self, listed: Listed) -> list[OrderState]:
        return [
            one for one in self._book.orders.values() if one.listed.id == listed.id and one.product is Product.MIS
        ]  # fmt: skip

    def _flatten(self, user_id: str, listed: Listed, now_ns: TsNs) -> bool:
        """Go a step towards a flat position; tell whether there is more to do."""
        orders = [one for one in self._intraday(listed) if one.user_id == user_id and one.status != Status.AMO]
        under_way = [one for one in orders if not one.is_final]
        for order in under_way:
            if order.placed_by != PLACED_BY and order.status in RESTING:
                self._passage.recall(order, now_ns)
        net = sum(one.side * one.filled for one in orders)
        if under_way or not net:
            return bool(under_way)
        order_id = self._book.order_id(now_ns)
        terms = Terms(kind=OrderType.MARKET, qty=abs(net), protection=AUTOMATIC)
        order = OrderState(
            order_id=order_id, user_id=user_id, api_key="", placed_by=PLACED_BY, variety="regular", listed=listed,
            side=Side.SELL if net > 0 else Side.BUY, product=Product.MIS, terms=terms, placed_ns=now_ns,
            ordered_ns=now_ns, was_market=True,
        )  # fmt: skip
        self._passage.start(order, now_ns)
        return True

    # ---- margin

    def _margin(self, order: OrderState, now_ns: TsNs) -> Refused | None:
        """Refuse an order that is worth more than the margin, unless it only closes what the day has opened."""
        del now_ns
        margin = self.settings.margin
        if not margin or order.placed_by == PLACED_BY:
            return None
        net = sum(
            one.side * one.filled
            for one in self._book.orders_of(order.user_id)
            if one.listed.id == order.listed.id and one.product is order.product
        )
        if net * order.side < 0 and order.left <= abs(net):
            return None
        standing = self._market.standings[order.listed.id]
        needed = order.left * (order.terms.price or order.terms.trigger or standing.last or standing.close)
        if needed <= margin:
            return None
        required, free = format_px(needed), format_px(margin)
        return Refused(
            f"Insufficient funds. Required margin is {required} but available margin is {free}.",
            f"RMS:Margin Exceeds,Required:{required}, Available:{free} for entity account-{order.user_id}",
        )
