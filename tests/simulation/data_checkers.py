"""The invariants of time and data (RELIABILITY INV-24, 26 to 28), by code that shares nothing with the core.

They judge by the rows of the journal, by the world's clock, by the prices and the list of instruments as the world made
them, and by what leaves and when.
"""

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import numpy as np

from manjha.app.trading.outbox import Outgoing
from manjha.domain.commands import (
    Approved,
    AskMargin,
    CallPerson,
    MarginAssumed,
    ModifyOrder,
    ReadBroker,
    Refused,
    SetTimer,
    SubmitOrder,
    Tripped,
)
from manjha.domain.events import MarketAdvanced, SendVetoed, SessionClosed, TimerFired
from manjha.domain.journal import Row
from manjha.domain.orders import Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from manjha.domain.instrument import Instrument
    from tests.simulation.day import Day

SECOND = 1_000_000_000
LATE = SECOND // 4
"""How long an order may take from its decision to the network, beside the age of what it rests on."""
SAID = (Approved, Refused, SetTimer, ReadBroker, AskMargin, MarginAssumed, CallPerson, Tripped)
"""What is decided carries the time of the event before it."""
RATE = "rate"
"""The timer by which a process that was held up hears of the time without having set it."""
TIMES = 5
"""A price that is so many times the market's, or such a part of it, is no price: no seed moves a share by as much."""
QTY_MAX = 10**9


class DataCheckers:
    """Looks at each row and at each command that leaves."""

    def __init__(self, day: "Day", fail: "Callable[[str, str], None]") -> None:
        self.day, self.fail = day, fail
        self.timers: dict[str, list[int]] = {}
        self.reached_ns = self.told_ns = 0
        self.instruments: dict[str, Instrument] = {}
        self.prices: dict[str, tuple[list[int], list[int]]] = {}

    def row(self, row: Row, value: Any) -> None:
        """Take in a row of the journal and what it says."""
        self._time(value, row)
        if isinstance(value, SetTimer):
            self.timers.setdefault(value.key, []).append(value.ts_ns)
        elif isinstance(value, TimerFired):
            self._fired(value)
        elif isinstance(value, Approved):
            self._approved(value.command, row.entry.ts_ns)

    def _time(self, value: Any, row: Row) -> None:
        """INV-24: no row is of a time to come, and no event of an earlier time than the one before.

        But bars and ends of days that were missed come after the news of it, and so does what was due while a process
        was held up: those are told in the order in which they should have come. It hears first how late it is; what
        waited may leave at that, and where it is vetoed that is told at once.
        """
        ts_ns = row.entry.ts_ns
        if ts_ns > self.day.world.now_ns:
            self.fail("24", f"row {row.seq} ({row.entry.kind}) is of {ts_ns}, which is to come")
        if isinstance(value, TimerFired) and value.key == RATE:
            self.told_ns = ts_ns
            return
        if isinstance(value, SAID) or (isinstance(value, SendVetoed) and ts_ns == self.told_ns):
            return
        if not isinstance(value, MarketAdvanced | SessionClosed) and ts_ns < self.reached_ns:
            self.fail("24", f"row {row.seq} ({row.entry.kind}) goes back by {self.reached_ns - ts_ns} ns")
        self.reached_ns = ts_ns

    def _fired(self, event: TimerFired) -> None:
        """INV-24: a timer fires when it is due or later, and each that was set once."""
        if event.key == RATE:
            return
        standing = self.timers.get(event.key, [])
        due = [ts_ns for ts_ns in standing if ts_ns <= event.ts_ns]
        if not due:
            self.fail("24", f"timer {event.key} fires at {event.ts_ns}, set for {standing}")
        standing.remove(min(due))

    def _approved(self, command: Any, ts_ns: int) -> None:
        if isinstance(command, SubmitOrder):
            order = command.order
            self._listed(order)
            own = (order.limit, order.trigger)
            exits = (order.exits.stop, order.exits.target) if order.exits is not None else ()
            self._numbers(order, order.qty, (*own, *exits), ts_ns)

    def _numbers(self, order: Order, qty: Any, prices: tuple[Any, ...], ts_ns: int) -> None:
        """INV-27: quantities and prices are whole numbers, and of the size that the market has."""
        if any(type(number) is not int for number in (qty, *prices)) or not 0 < qty <= QTY_MAX:
            self.fail("27", f"{order.id} is for {qty!r} at {prices!r}")
        really = self._price(order.instrument, ts_ns)
        if any(px and not really <= px * TIMES <= really * TIMES * TIMES for px in prices):
            self.fail("27", f"{order.id} names {prices}, the market is at {really}")

    def _price(self, name: str, ts_ns: int) -> int:
        """Return the last price that the world has made."""
        if name not in self.prices:
            for bars in self.day.bars:
                columns = (np.asarray(bars.ts_close_ns).tolist(), np.asarray(bars.close).tolist())
                self.prices[bars.instrument] = columns
        stamps, closes = self.prices[name]
        return closes[max(bisect_right(stamps, ts_ns) - 1, 0)]

    def _listed(self, order: Order) -> None:
        """INV-28: what is traded stands in the list of the day, and keeps to the list's tick and lot."""
        if not self.instruments:
            self.instruments = {one.id: one for one in self.day.listed()}
        listed = self.instruments.get(order.instrument)
        if listed is None:
            self.fail("28", f"{order.id} is for {order.instrument}, which the list of the day has not")
            return
        if order.qty % listed.lot or order.limit % listed.tick or order.trigger % listed.tick:
            terms = f"{order.qty} at {order.limit}, {order.trigger}"
            self.fail("28", f"{order.id} is for {terms}; the list says lots of {listed.lot}, ticks of {listed.tick}")

    def sending(self, outgoing: Outgoing, *, opens: bool) -> None:
        """INV-26: nothing that opens leaves on prices that are older than they may be. New terms count like orders."""
        asked, controls = outgoing.command.command, self.day.controls
        if isinstance(asked, ModifyOrder):
            order_id, prices = asked.order_id, (asked.limit, asked.trigger)
            known = self.day.checkers.controls.orders.get(order_id)
            if known is not None:
                self._numbers(known, asked.qty, prices, self.day.world.now_ns)
        if not opens or not isinstance(asked, SubmitOrder) or controls is None or not controls.price_age_max_ns:
            return
        stamps, _ = self.prices[asked.order.instrument]
        decided_on = stamps[max(bisect_right(stamps, asked.order.decided_ns) - 1, 0)]
        age_ns = self.day.world.now_ns - decided_on
        if age_ns > controls.price_age_max_ns + LATE:
            self.fail("26", f"entry {asked.order.id} leaves on prices that are {age_ns // SECOND} s old")
