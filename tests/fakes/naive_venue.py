"""An exchange so plain that it can be checked by reading: `docs/fill-rules.md` done bar by bar over lists.

The oracle of `tests/property/test_naive_matcher.py`, written from the document and not from the venue. One instrument,
prices in whole ticks, no latency, no bands, no auction. Every order is looked at in every bar, oldest first. Exits hold
the shares of their own entry, so entries with exits must all be of one side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

ANY = 10**12


class NaiveBar(NamedTuple):
    """One bar in ticks; `ends_day` on the last of a day."""

    open: int
    high: int
    low: int
    close: int
    volume: int
    ends_day: bool


class NaiveFill(NamedTuple):
    """What traded: in which bar, at its open or in its range, for which order."""

    bar: int
    moment: str
    name: str
    side: int
    qty: int
    px: int


class Ask(NamedTuple):
    """What is asked for at the close of a bar, in ticks; zero means none, `side` is +1 to buy."""

    bar: int
    name: str
    side: int
    qty: int
    limit: int = 0
    trigger: int = 0
    stop: int = 0
    target: int = 0
    at_once: bool = False


class NaiveRules(NamedTuple):
    """The choices of the rule book; `share` is participation in percent, 0 for any quantity."""

    penetration: bool = False
    best: bool = False
    share: int = 0
    slip: int = 0
    ends_with_day: bool = True


@dataclass(eq=False)
class Order:
    """One order in the book. `role` is entry, stop or target; `kind` what the entry was: market, limit or stop.

    `born` is the bar in which an exit came into the book, `inside` if in its range; in bar `waits` it may not trade.
    """

    ask: Ask
    role: str
    side: int
    left: int
    limit: int
    trigger: int
    kind: str
    born: int = -1
    inside: bool = False
    waits: int = -1

    @property
    def name(self) -> str:
        """Its name: that of the entry, and what it is to it."""
        return self.ask.name if self.role == "entry" else f"{self.ask.name}:{self.role}"


class NaiveVenue:
    """The book and what it has traded."""

    def __init__(self, rules: NaiveRules) -> None:
        self.rules = rules
        self.through = 1 if rules.penetration else 0
        self.book: list[Order] = []
        self.fills: list[NaiveFill] = []
        self.room = 0
        self.at = 0

    def play(self, bars: Sequence[NaiveBar], asks: Sequence[Ask]) -> list[NaiveFill]:
        """Go through the bars and return all fills."""
        for self.at, bar in enumerate(bars):
            for ask in asks:
                if ask.bar == self.at - 1:
                    kind = "stop" if ask.trigger else "limit" if ask.limit else "market"
                    self.book.append(Order(ask, "entry", ask.side, ask.qty, ask.limit, ask.trigger, kind))
            if self.at and bars[self.at - 1].ends_day and self.rules.ends_with_day:
                self.book.sort(key=lambda order: order.role != "entry" and not self.came_at_close(order, self.at - 1))
            self.room = bar.volume * self.rules.share // 100 if self.rules.share else ANY
            if bar.volume or not self.rules.share:
                self.at_open(bar)
                self.in_range(bar)
            self.after(bar)
        return self.fills

    def at_open(self, bar: NaiveBar) -> None:
        """Trade at the open what rested before it: market orders, gapped stops, bettered limits; IOC ends here."""
        for order in [order for order in self.book if order.born != self.at]:
            if order.waits == self.at:
                continue
            if order.trigger and (bar.open - order.trigger) * order.side >= 0:
                order.trigger = 0
            takes_any = not order.limit and not order.trigger
            if takes_any or (not order.trigger and (order.limit - bar.open) * order.side >= self.through):
                self.trade(order, "open", bar.open)
            order.left = 0 if order.ask.at_once else order.left

    def in_range(self, bar: NaiveBar) -> None:
        """Trade in the range, the worst (or best) first, the oldest first among equals."""
        tried: list[Order] = []
        while ready := [order for order in self.book if order not in tried and self.price_inside(order, bar)]:
            order = min(ready, key=self.rank)
            tried.append(order)
            px, order.trigger = self.price_inside(order, bar), 0
            self.trade(order, "range", px)

    def rank(self, order: Order) -> int:
        """Return the turn of an order inside a bar: stops, entries, targets; in the best case the other way round."""
        turn = ("stop", "entry", "target").index(order.role)
        return -turn if self.rules.best else turn

    def price_inside(self, order: Order, bar: NaiveBar) -> int:
        """Return the price at which an order trades in the range, 0 for not."""
        near, far = (bar.low, bar.high) if order.side > 0 else (bar.high, bar.low)
        if order.waits == self.at:
            return 0
        if order.trigger:
            if (far - order.trigger) * order.side < 0:
                return 0
            if order.inside and order.born == self.at:
                return order.trigger  # Its entry traded inside this bar: the open lies before it.
            return max(order.trigger, bar.open) if order.side > 0 else min(order.trigger, bar.open)
        if not order.limit or (order.limit - near) * order.side < self.through:
            return 0
        return order.limit

    def trade(self, order: Order, moment: str, px: int) -> None:
        """Trade what the bar has room for, and do what follows from it."""
        qty = min(order.left, self.room)
        if qty <= 0:
            return
        self.room -= qty
        order.left -= qty
        traded = px if order.limit else px + order.side * self.rules.slip
        self.fills.append(NaiveFill(self.at, moment, order.name, order.side, qty, traded))
        if order.role == "entry":
            self.protect(order, qty, moment)
        else:
            for other in self.book:
                if other.ask is order.ask and other.role not in ("entry", order.role):
                    other.left -= qty

    def protect(self, entry: Order, qty: int, moment: str) -> None:
        """Put stop and target for these shares into the book.

        A resting entry's target waits for the next bar, as the high may have come before it; in the best case the stop
        of a stop entry does, as the low may have.
        """
        ask = entry.ask
        for role, limit, trigger in (("stop", 0, ask.stop), ("target", ask.target, 0)):
            if not limit and not trigger:
                continue
            mine = [order for order in self.book if order.ask is ask and order.role == role and order.left]
            if not mine:
                mine = [Order(ask, role, -ask.side, 0, limit, trigger, entry.kind, self.at, moment == "range")]
                self.book += mine
                if role == "stop" and entry.kind == "stop" and self.rules.best:
                    mine[0].waits = self.at
            mine[0].left += qty
            if role == "target" and entry.kind != "market" and not self.rules.best:
                mine[0].waits = self.at

    def after(self, bar: NaiveBar) -> None:
        """End the bar; at a day's end entries go, and protection is put back as it was first."""
        for order in self.book:
            if order.ask.at_once:
                order.left = 0
            if bar.ends_day and self.rules.ends_with_day:
                if order.role == "entry":
                    order.left = 0
                elif order.role == "stop" and not self.came_at_close(order, self.at):
                    order.trigger = order.ask.stop
        self.book = [order for order in self.book if order.left]

    @staticmethod
    def came_at_close(order: Order, bar: int) -> bool:
        """Tell whether an exit came inside a day's last bar: as new as what is asked for at the close, it stays."""
        return order.inside and order.born == bar
