"""The invariants of the controls (RELIABILITY INV-07, 09 to 14), by code that shares nothing with `manjha.risk`.

They judge by the rows of the journal, by what leaves and when, by the broker's truth, and by quantities in the books.
An order is taken for an entry only where it surely is one: a strategy's own, decided when nothing was held.
"""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from manjha.app.trading.outbox import Outgoing
from manjha.domain.broker import Turned
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder, Tripped
from manjha.domain.events import KillSwitched, SubmitAnswered
from manjha.domain.journal import Row
from manjha.domain.orders import Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.day import Day
    from tests.simulation.process import Process

SECOND = 1_000_000_000
LATE = SECOND // 50
"""How late the rate may hear of the time."""
REDUCE_ONLY, NO_NEW, CANCEL_ALL = 1, 2, 3
OPEN_MAX = 8
"""Limit of open orders that the simulated account trades under."""
OVER = {"filled", "cancelled", "rejected", "unsent", "written off"}
LIFT_S = 250
"""Within which time everything is cancelled after the highest levels, once the world is healed."""


class ControlCheckers:
    """Looks at each row, each command that leaves, and each step."""

    def __init__(self, day: "Day", fail: "Callable[[str, str], None]") -> None:
        self.day, self.fail = day, fail
        self.levels: dict[tuple[str, str], int] = {}
        self.since: dict[tuple[str, str], int] = {}
        self.thrown: set[tuple[int, int, str, str]] = set()
        self.orders: dict[str, Order] = {}
        self.approved_ns: dict[str, int] = {}
        self.cancels: set[str] = set()
        self.rejections: list[tuple[int, str, int]] = []
        self.paused_ns = 0
        self.sends: list[int] = []
        self.entries: dict[str, list[int]] = defaultdict(list)
        self.held_ns: dict[str, int] = {}
        self.known: set[str] = set()
        self.number = 0

    # ---- rows

    def row(self, row: Row, value: Any) -> None:
        """Take in a row of the journal and what it says; INV-10 by rows."""
        if isinstance(value, KillSwitched):
            self._switched(value)
        elif isinstance(value, Tripped) and not value.until_ns and value.scope.strategy:
            self.paused_ns = row.entry.ts_ns
        elif isinstance(value, SubmitAnswered) and isinstance(value.outcome, Turned):
            order = self.orders[value.order_id]
            self.rejections.append((row.entry.ts_ns, order.instrument, int(order.side)))
        elif isinstance(value, Approved):
            self._approved(value.command, row.entry.ts_ns)

    def _switched(self, event: KillSwitched) -> None:
        scope = (event.scope.strategy, event.scope.instrument)
        self.thrown.add((event.ts_ns, int(event.level), *scope))
        if event.level:
            self.levels[scope] = max(int(event.level), self.levels.get(scope, 0))
            self.since[scope] = event.ts_ns
            return
        for one in list(self.levels):
            if all(mine in ("", theirs) for mine, theirs in zip(scope, one, strict=True)):
                del self.levels[one]
        if not scope[1]:
            self.paused_ns = 0
        for name in self.entries:
            if scope[1] in ("", name):
                self.entries[name].clear()

    def _approved(self, command: Any, ts_ns: int) -> None:
        if isinstance(command, CancelOrder):
            self.cancels.add(command.order_id)
        elif isinstance(command, SubmitOrder):
            order = command.order
            self.orders[order.id], self.approved_ns[order.id] = order, ts_ns
            self._killed(order, "is approved")

    def acknowledged(self, event: KillSwitched) -> None:
        """INV-10: who was told that the switch is thrown or lifted finds it in the journal."""
        if (event.ts_ns, int(event.level), event.scope.strategy, event.scope.instrument) not in self.thrown:
            self.fail("10", f"the kill switch was told to be at level {int(event.level)}, no row says so")

    def level(self, instrument: str) -> int:
        """Return the level that holds for the account's strategy in an instrument, by the rows."""
        return max((level for (_, name), level in self.levels.items() if name in ("", instrument)), default=0)

    def _killed(self, order: Order, what: str) -> None:
        level = self.level(order.instrument)
        if order.purpose == "square-off":
            return
        if level >= CANCEL_ALL or (level >= NO_NEW and order.purpose == "signal"):
            self.fail("10", f"{order.id} ({order.purpose}) {what} at level {level}")
        if level >= REDUCE_ONLY and self.opens(order):
            self.fail("10", f"entry {order.id} {what} at level {level}")

    # ---- what leaves

    def sending(self, process: "Process", outgoing: Outgoing) -> None:
        """Judge a command in the moment in which it leaves."""
        asked: Any = outgoing.command.command
        self._rate(asked)
        if isinstance(asked, ModifyOrder):
            self._changes(process, asked)
        if not isinstance(asked, SubmitOrder):
            return
        order = asked.order
        self._killed(order, "is sent")
        self._terms(process, order)
        self._meets(process, order)
        if self.opens(order):
            self._repeated(order)
            self._rejected(order)

    def opens(self, order: Order) -> bool:
        """Tell whether an order surely is an entry."""
        return order.purpose == "signal" and order.decided_ns > self.held_ns.get(order.instrument, 0)

    def _rate(self, asked: Any) -> None:
        """INV-11: no window of 1 s or 60 s holds more than its limit, over all processes; a part is for exits alone."""
        limits = self.day.controls.rate if self.day.controls is not None else None
        if limits is None:
            return
        now_ns = self.day.world.now_ns
        self.sends.append(now_ns)
        is_entry = isinstance(asked, SubmitOrder) and self.opens(asked.order)
        for limit, length in ((limits.per_second, SECOND), (limits.per_minute, 60 * SECOND)):
            most = limit - -(-limit * limits.reserve // 100) if is_entry else limit
            count = sum(ns >= now_ns - length + LATE for ns in self.sends)
            if count > most:
                self.fail("11", f"{count} commands within {length // SECOND} s, at most {most} may be")

    def _changes(self, process: "Process", asked: ModifyOrder) -> None:
        """INV-09, 10: new terms of an entry."""
        record = process.state.book.records[asked.order_id]
        order, level = record.order, self.level(record.order.instrument)
        same = (asked.limit, asked.trigger) == (record.limit, record.trigger)
        if same and asked.qty <= record.qty:
            return
        if order.purpose != "square-off" and (level >= CANCEL_ALL or (level >= NO_NEW and order.purpose == "signal")):
            self.fail("10", f"new terms of {order.id} ({order.purpose}) are sent at level {level}")
        if self.opens(order):
            self._in_collar(process, order, asked.limit)

    def _terms(self, process: "Process", order: Order) -> None:
        """INV-09: prices are on the tick and those of entries in the collar, quantities whole lots."""
        instrument = process.state.instruments[order.instrument]
        if order.limit % instrument.tick or order.trigger % instrument.tick:
            self.fail("09", f"{order.id} is off the tick: {order.limit}, {order.trigger}")
        if order.qty <= 0 or order.qty % instrument.lot or (instrument.freeze and order.qty > instrument.freeze):
            self.fail("09", f"{order.id} is for {order.qty}")
        if self.opens(order):
            self._in_collar(process, order, order.limit)

    def _in_collar(self, process: "Process", order: Order, limit: int) -> None:
        controls, mark = self.day.controls, process.state.marks.get(order.instrument, 0)
        if controls is not None and controls.collar_share and limit:
            away = max(mark * controls.collar_share // 10_000, controls.collar_min)
            if abs(limit - mark) > away:
                self.fail("09", f"{order.id} at {limit} is outside the collar around {mark}")

    def _repeated(self, order: Order) -> None:
        """INV-12: so many entries in a window, and none after one too many."""
        controls = self.day.controls
        if controls is None:
            return
        if self.paused_ns and order.decided_ns > self.paused_ns:
            self.fail("12", f"entry {order.id} is sent although the strategy was paused")
        if not controls.entries_max:
            return
        moments = self.entries[order.instrument]
        moments.append(order.decided_ns)
        recent = [ns for ns in moments if ns > order.decided_ns - controls.entries_window_ns]
        if len(recent) > controls.entries_max:
            self.fail("12", f"{len(recent)} entries in {order.instrument} within a window")

    def _rejected(self, order: Order) -> None:
        """INV-13: nothing like what was just rejected."""
        controls = self.day.controls
        if controls is None:
            return
        approved_ns = self.approved_ns[order.id]
        for rejected_ns, instrument, side in self.rejections:
            since = approved_ns - rejected_ns
            if (instrument, side) == (order.instrument, order.side) and 0 < since < controls.reject_cooldown_ns:
                self.fail("13", f"{order.id} follows a rejection after {since // SECOND} s")

    def _meets(self, process: "Process", order: Order) -> None:
        """INV-14: an order does not meet one of our own at the broker, but for one whose cancel was asked for."""
        controls, book = process.state.controls, process.state.book.records
        if self.day.controls is None or controls is None or order.trigger:
            return
        mine = {record.at_broker.tag: record for record in book.values() if record.at_broker}
        for placed in self.day.broker.orders.values():
            record = mine.get(placed.tag)
            if record is None or not placed.is_live or record.phase in OVER:
                continue
            if placed.instrument != order.instrument or placed.side == order.side or placed.trigger:
                continue
            other = record.order
            if other.id in self.cancels or other.id in controls.cancels_asked:
                continue
            if not self.opens(order) and other.purpose != "signal":
                continue
            both = order.limit and placed.limit
            if both and (order.limit - placed.limit) * int(order.side) >= 0:
                self.fail("14", f"{order.id} at {order.limit} meets {other.id} at {placed.limit}")
            if not both and not self.day.controls.collar_share:
                self.fail("14", f"{order.id} at the market meets {other.id}")

    # ---- steps

    def step(self, process: "Process") -> None:
        """INV-07: the worst case of every new entry; and what the highest levels must have taken out by now."""
        now_ns, state = self.day.world.now_ns, process.state
        for position in state.portfolio.open_positions():
            self.held_ns[position.key.instrument] = now_ns
        if process.number != self.number:
            self.number, self.known = process.number, set(state.book.records)
            return
        if len(state.book.records) == len(self.known):
            return
        fresh = [record for order_id, record in state.book.records.items() if order_id not in self.known]
        self.known |= {record.order.id for record in fresh}
        for record in fresh:
            if record.phase not in OVER and self.opens(record.order):
                self._exposure(process, record.order)
                before = [one for one in state.book.records.values() if one.phase not in OVER]
                before = before[: before.index(record) + 1]
                if len(before) > OPEN_MAX:
                    self.fail("07", f"{len(before)} orders are open with {record.order.id}, the limit is {OPEN_MAX}")

    def _exposure(self, process: "Process", entry: Order) -> None:
        """Count what could be held with an entry and all that was placed before it."""
        limits, state = self.day.controls, process.state
        if limits is None:
            return
        longs, shorts, entries = dict[str, int](), dict[str, int](), 0
        for name in self.day.marks:
            mark, held = state.marks.get(name, 0), state.held(name, state.strategy.product)
            longs[name] = shorts[name] = held * mark
        for record in state.book.records.values():
            order = record.order
            if record.phase in OVER:
                continue
            if order.decided_ns == entry.decided_ns and int(order.id.split("-")[1]) > int(entry.id.split("-")[1]):
                continue
            asked = record.asked.limit if record.asked is not None else 0
            px = max(state.marks.get(order.instrument, 0), record.limit, record.trigger, asked)
            value = (record.qty - record.filled) * px
            entries += value if order.purpose == "signal" else 0
            if order.side > 0:
                longs[order.instrument] += value
            else:
                shorts[order.instrument] -= value
        worst = {name: max(abs(longs[name]), abs(shorts[name])) for name in longs}
        net = max(abs(sum(longs.values())), abs(sum(shorts.values())))
        found = {
            "instrument": (worst[entry.instrument], limits.instrument_value_max),
            "gross": (sum(worst.values()), limits.gross_value_max),
            "net": (net, limits.net_value_max),
            "open entries": (entries, limits.open_value_max),
        }
        for what, (value, limit) in found.items():
            if limit and value > limit:
                self.fail("07", f"worst case of {what} is {value}, the limit is {limit}")

    def calm(self) -> None:
        """L4: what the highest levels take out is gone from the broker, once the world is healed."""
        now_ns = self.day.world.now_ns
        for (_, name), level in self.levels.items():
            since = max(self.since.get(("", name), 0), self.since.get((self.day.strategy, name), 0), self.day.healed_ns)
            if level < CANCEL_ALL or now_ns < since + LIFT_S * SECOND:
                continue
            for placed in self.day.broker.orders.values():
                command = self.day.checkers.intents.get(placed.tag)
                if (
                    command is None
                    or not placed.is_live
                    or now_ns - placed.changed_ns < 60 * SECOND
                    or name not in ("", placed.instrument)
                ):
                    continue
                if command.order.purpose != "square-off":
                    self.fail("L4", f"{command.order.id} is still at the broker at level {level}")
