"""What the engine knows of its broker. Exists from `AccountTaken` on; a backtest has none and pays for none.

While the books are not compared nothing that adds risk leaves; what is frozen waits for a person. Times are those of
events, so that a replay asks the same questions at the same places.
"""

from typing import TypeAlias

import msgspec

from manjha.domain.broker import OrderSeen, TradeSeen
from manjha.domain.commands import CallPerson, Output, ReadBroker, SetTimer
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TsNs, day_of
from manjha.domain.orders import FillId, Order, OrderId, Product, Purpose, RunId
from manjha.orders.tags import tag_of
from manjha.portfolio.positions import PositionKey

Held: TypeAlias = tuple[InstrumentId, Product]

BROKER_TIMER = "broker:"
"""Prefix of all timers of the desk."""
POLL = "broker:poll"
"""Timer at which the broker is asked again what became of something."""
CHECK = "broker:check"
"""Timer of the comparison that is due even when nothing is in doubt."""
PROTECT = "broker:protect"
"""Timer at which protection that did not reach the broker is tried again."""
MARGIN = "broker:margin:"
"""Prefix of the timers at which an order goes whose margin the broker has not told; the order's id follows."""
SKIPPED = "broker:skipped:"
"""Prefix of the timers at which a stop is looked at whose trigger was passed; the order's id follows."""
BACKOFF = tuple(seconds * SECOND_NS for seconds in (1, 2, 4, 8, 15, 30))
"""Waits between reads while something is in doubt (RELIABILITY F01); the last one repeats."""
CHECK_NS = MINUTE_NS
REMIND_NS = 15 * MINUTE_NS
"""From one call of a person to the next, while the books do not agree."""
AFTER_CLOSE_NS = 15 * MINUTE_NS
"""How long after the last close of a day the broker is still asked by itself."""
QUARANTINE_NS = 180 * SECOND_NS
"""How long an unconfirmed order is looked for: over twice the longest landing on record (83 s, RELIABILITY K3)."""
READS_MIN = 2
"""Trustworthy reads after the quarantine that must not show an order before it is written off."""
CANCELS_MAX = 3
CANCEL_AGAIN_NS = 5 * SECOND_NS
PROTECT_TRIES = 3


class Closing(msgspec.Struct, frozen=True, gc=False):
    """A position that is being closed, and for what."""

    key: PositionKey
    purpose: Purpose
    since_ns: int


class External(msgspec.Struct, gc=False):
    """An order that no intent of ours made, and how much of it is counted."""

    seen: OrderSeen
    counted: int = 0


class Checking(msgspec.Struct, frozen=True, gc=False):
    """A question of what an order needs, which the broker has not answered.

    `ahead` is the margin of orders of ours that the answer may not know of yet, in 1e-4 rupee; `is_sized` tells that
    the funds decide how much is ordered.
    """

    ahead: int = 0
    is_sized: bool = False


class Desk(msgspec.Struct, kw_only=True):
    """The broker's side of one account.

    Attributes
    ----------
    tags, numbers
        Our orders by the tag they went out with, and by the broker's number once it is known.
    unconfirmed
        Orders whose outcome is unknown, oldest first.
    changing
        Orders with a cancel or new terms under way.
    short
        Orders of which the broker shows more filled than we have trades of.
    loose
        Trades of orders that were not shown yet, by the broker's number.
    external_orders, external
        Orders that are not ours, and what they left as a signed quantity.
    suspects
        Differences of positions that were seen once; the second time they count. `standing`: those that counted at the
        last comparison, and count again as long as they are the same.
    thawed
        Instruments whose difference a person has accepted: the next comparison takes it as external.
    in_flight
        Orders of which a command has left and has no outcome yet; the next one waits for it.
    is_compared
        Whether the books agree as far as is known. `was_compared`: whether they ever did in this account. `remind_due`:
        when a person is called again because they do not.
    closed_ns
        When the last session ended. `opened_ns`: when the broker's day began.
    gone
        Orders that ended with a day that nobody saw the end of, and what was left of each, signed (`engine.overnight`).
    unchecked
        What they, or the broker's square-off, could have changed, until a whole read has shown what is held.
    closing
        Positions that are being closed (`engine.flatten`). `closers` are orders that are to close and nothing else.
    unprotected
        Entries whose protection is missing and will be tried again. `waived`: those whose strategy has cancelled it.
    protect_tries
        How often protection of an entry was placed again.
    skipped
        Closing stops whose trigger was passed, and how often each was let through the market (`engine.skipped`).
    asks_margin
        Whether the broker can be asked what an order needs (`engine.margins`). `checking` are orders that wait for
        its answer, `assumed` those that went without; `sized` are ones of this step whose size the funds decide.
    """

    run: RunId = RunId("")
    epoch: int = 0
    number: int = 0
    day: int = 0
    tags: dict[str, OrderId] = {}
    numbers: dict[str, OrderId] = {}
    unconfirmed: dict[OrderId, None] = {}
    changing: dict[OrderId, None] = {}
    short: dict[OrderId, None] = {}
    loose: dict[str, list[TradeSeen]] = {}
    external_orders: dict[str, External] = {}
    external: dict[Held, int] = {}
    trades: set[FillId] = set()
    suspects: dict[Held, int] = {}
    standing: dict[Held, int] = {}
    thawed: dict[InstrumentId, None] = {}
    in_flight: set[OrderId] = set()
    is_compared: bool = False
    was_compared: bool = False
    remind_due: int = 0
    polls: int = 0
    poll_due: int = 0
    check_due: int = 0
    until_ns: int = 0
    look_due: int = 0
    closed_ns: int = 0
    opened_ns: int = 0
    gone: dict[OrderId, int] = {}
    unchecked: dict[Held, None] = {}
    closing: dict[PositionKey, Closing] = {}
    closers: set[OrderId] = set()
    unprotected: dict[OrderId, None] = {}
    waived: set[OrderId] = set()
    protect_tries: dict[OrderId, int] = {}
    skipped: dict[OrderId, int] = {}
    asks_margin: bool = False
    checking: dict[OrderId, Checking] = {}
    assumed: dict[OrderId, None] = {}
    sized: set[OrderId] = set()

    def tag_for(self, order: Order) -> str:
        """Return the tag under which an order is to go out, and remember whose it is."""
        self.number += 1
        tag = tag_of(self.epoch, day_of(order.decided_ns), self.number, order.origin.strategy)
        self.tags[tag] = order.id
        return tag

    @property
    def is_in_doubt(self) -> bool:
        """Whether the broker must be asked again soon."""
        return bool(self.unconfirmed or self.changing or self.short or self.suspects or not self.is_compared)

    def content(self) -> tuple[object, ...]:
        """Return what the state digest covers of the desk."""
        return (
            sorted(self.tags.items()), sorted(self.numbers.items()), list(self.unconfirmed), list(self.changing),
            list(self.short), sorted((key, tuple(held)) for key, held in self.loose.items()),
            [(key, one.seen, one.counted) for key, one in sorted(self.external_orders.items())],
            sorted(self.external.items()), sorted(self.trades), sorted(self.suspects.items()),
            self.is_compared, self.was_compared,
            list(self.closing.values()), sorted(self.closers), sorted(self.waived), sorted(self.in_flight),
            sorted(self.skipped.items()), list(self.gone.items()), list(self.unchecked),
            sorted(self.standing.items()), self.asks_margin, list(self.checking.items()), list(self.assumed),
        )  # fmt: skip


def ask(desk: Desk, why: str, now_ns: int, out: list[Output], order_id: OrderId | None = None) -> None:
    """Ask the broker now, and again and again while something is in doubt."""
    out.append(ReadBroker(why, order_id))
    desk.polls = 0
    if not now_ns < desk.poll_due <= now_ns + BACKOFF[0]:
        plan_poll(desk, now_ns, out)


def ask_again(desk: Desk, now_ns: int, out: list[Output]) -> None:
    """Ask once more, where the timer for it has come due and something is still in doubt; wait longer each time."""
    if desk.is_in_doubt and desk.poll_due <= now_ns:
        out.append(ReadBroker("something is in doubt"))
        plan_poll(desk, now_ns, out)
        if desk.polls == len(BACKOFF) and not desk.is_compared and desk.remind_due <= now_ns:
            desk.remind_due = now_ns + REMIND_NS
            missing = f"; trades are missing of {', '.join(desk.short)}" if desk.short else ""
            what = f"{desk.polls} reads have not made our books agree with the broker's, so nothing is opened{missing}"
            call("the account", what, now_ns, out)


def plan_poll(desk: Desk, now_ns: int, out: list[Output]) -> None:
    """Set the timer of the next read where something is in doubt."""
    if desk.is_in_doubt and not (desk.until_ns and now_ns >= desk.until_ns):
        desk.poll_due = now_ns + BACKOFF[min(desk.polls, len(BACKOFF) - 1)]
        desk.polls += 1
        out.append(SetTimer(POLL, TsNs(desk.poll_due)))


def plan_check(desk: Desk, now_ns: int, out: list[Output]) -> None:
    """Set the timer of the next comparison that is due in any case."""
    if desk.check_due <= now_ns:
        desk.check_due = now_ns + CHECK_NS
        out.append(SetTimer(CHECK, TsNs(desk.check_due)))


def call(about: str, what: str, now_ns: int, out: list[Output]) -> None:
    """Tell a person."""
    out.append(CallPerson(about, what, TsNs(now_ns)))
