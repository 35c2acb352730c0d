"""A person who trades in an account by the broker's own app, while a program believes to be alone in it.

What it does follows from its seed: it places orders near the price, at the market, changes and cancels what rests. Its
orders belong to no app and carry no tag.
"""

import hashlib

import msgspec

from manjha.domain.moments import SECOND_NS, TsNs
from manjha.exchange.accounts.sessions import Session
from manjha.exchange.agenda import Agenda
from manjha.exchange.errors import KiteError
from manjha.exchange.market.listing import Listed
from manjha.exchange.market.market import Market
from manjha.exchange.orders.asked import Form
from manjha.exchange.orders.book import DayBook
from manjha.exchange.orders.desk import Desk
from manjha.exchange.orders.hours import Phase, phase_of
from manjha.exchange.orders.order import RESTING, OrderState

AWAY_TICKS = 40
"""How far from the price an order may be, in ticks."""
LOTS_MAX = 20


class ManualDue(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The person looks at the market again; `generation` tells who it was, which may have stopped since."""

    generation: int
    number: int


class Habits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who trades, by which seed, and every how many seconds of the exchange's time on average."""

    user: str
    seed: int = 1
    every: float = 60.0


class ManualState(msgspec.Struct):
    """Who trades, if anybody, and who did before."""

    habits: Habits | None
    generation: int


class ManualTrader:
    """At most one person at a time. It meets the same checks as everybody, and lets go of what is refused."""

    def __init__(self, agenda: Agenda, market: Market, book: DayBook, desk: Desk) -> None:
        self._agenda, self._market, self._book, self._desk = agenda, market, book, desk
        self._habits: Habits | None = None
        self._generation = 0
        agenda.on(ManualDue, self._act)

    @property
    def habits(self) -> Habits | None:
        """Who trades now; None for nobody."""
        return self._habits

    def begin(self, habits: Habits, now_ns: TsNs) -> None:
        """Let a person trade from now on, in place of one who did before."""
        self.end()
        self._habits = habits
        self._again(habits, 0, now_ns)

    def end(self) -> None:
        """Let nobody trade any more; what rests stays."""
        self._generation += 1
        self._habits = None

    def state(self) -> ManualState:
        """Return what a restored exchange goes on with."""
        return ManualState(self._habits, self._generation)

    def restore(self, state: ManualState) -> None:
        """Go on where an exchange stopped."""
        self._habits, self._generation = state.habits, state.generation

    def _again(self, habits: Habits, number: int, now_ns: TsNs) -> None:
        span_ns = round(habits.every * SECOND_NS)
        wait_ns = span_ns // 2 + _drawn(habits, number, "wait", max(span_ns, 1))
        self._agenda.put(now_ns + wait_ns, ManualDue(self._generation, number + 1))

    def _act(self, due: ManualDue, now_ns: TsNs) -> None:
        habits = self._habits
        if habits is None or due.generation != self._generation:
            return
        self._again(habits, due.number, now_ns)
        session = Session("", habits.user, "", "", now_ns, now_ns)
        own = [
            one
            for one in self._book.orders_of(habits.user)
            if not one.api_key and not one.placed_by and one.status in RESTING
        ]
        what = _drawn(habits, due.number, "what", 10)
        try:
            if own and what < 5:
                self._change(own[_drawn(habits, due.number, "which", len(own))], what, session, now_ns)
            elif listed := self._chosen(habits, due.number, now_ns):
                form = self._wish(habits, due.number, listed)
                self._desk.place("regular", form, session, now_ns)
        except KiteError:
            # A person reads why, and looks again later.
            return

    def _change(self, order: OrderState, what: int, session: Session, now_ns: TsNs) -> None:
        if what < 3:
            self._desk.cancel(order.variety, order.order_id, "", session, now_ns)
            return
        price = order.terms.price + order.side * order.listed.instrument.tick
        self._desk.modify(order.variety, order.order_id, {"price": _text(price)}, session, now_ns)

    def _chosen(self, habits: Habits, number: int, now_ns: TsNs) -> Listed | None:
        """Choose a share that trades now; None where none does."""
        market = self._market
        listed = [
            one
            for one in market.listing.all
            if one.instrument.is_tradable
            and not one.instrument.is_derivative
            and market.standings[one.id].last
            and phase_of(market.sessions.get(one.id), now_ns) is Phase.CONTINUOUS
        ]
        return listed[_drawn(habits, number, "share", len(listed))] if listed else None

    def _wish(self, habits: Habits, number: int, listed: Listed) -> Form:
        tick, last = listed.instrument.tick, self._market.standings[listed.id].last
        away = _drawn(habits, number, "away", 2 * AWAY_TICKS + 1) - AWAY_TICKS
        lots = _drawn(habits, number, "lots", LOTS_MAX) + 1
        form = {
            "exchange": listed.exchange, "tradingsymbol": listed.symbol,
            "transaction_type": ("BUY", "SELL")[_drawn(habits, number, "side", 2)],
            "quantity": str(lots * listed.instrument.lot // listed.unit),
            "product": ("CNC", "MIS")[_drawn(habits, number, "product", 2)],
        }  # fmt: skip
        if _drawn(habits, number, "kind", 4) == 0:
            return {**form, "order_type": "MARKET", "market_protection": "-1"}
        return {**form, "order_type": "LIMIT", "price": _text((last // tick + away) * tick)}


def _text(px: int) -> str:
    return f"{px // 10_000}.{px % 10_000:04d}"


def _drawn(habits: Habits, number: int, purpose: str, below: int) -> int:
    digest = hashlib.sha256(f"{habits.seed} manual {number} {purpose}".encode()).digest()
    return int.from_bytes(digest[:8]) % below
