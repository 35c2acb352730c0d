"""Bugs that are planted on purpose: the simulation is believed because it finds each of them (RELIABILITY section 4).

Each is a way to change the product or the machine under it, and the invariants by which it is expected to be found.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np

from manjha.app.trading import trader
from manjha.app.trading.inbox import Inbox
from manjha.app.trading.outbox import Command, Outgoing
from manjha.domain.broker import BrokerStatus, Outcome, OutcomeUnknown, Turned
from manjha.domain.commands import SubmitOrder
from manjha.domain.events import BrokerRead, KillSwitched
from manjha.domain.moments import HOUR_NS, TsNs
from manjha.domain.money import Qty
from manjha.domain.orders import FillId, Phase
from manjha.domain.outcomes import Answer, outcome_of
from manjha.engine import reconcile, sessions
from manjha.engine.desk import Desk
from manjha.engine.handlers import broker as broker_handlers
from manjha.engine.handlers.broker import desk_of
from manjha.orders.book import OrderBook
from manjha.orders.tags import tag_of
from manjha.portfolio.book import Portfolio
from manjha.risk import exposure
from manjha.risk.governor import Governor
from tests.fakes.journals import MemoryJournal
from tests.simulation import process as processes
from tests.simulation import taking_up
from tests.simulation.disk import SimTape
from tests.simulation.process import Process

Planted = Callable[[], AbstractContextManager[Any]]


def _late_commit() -> AbstractContextManager[Any]:
    """Write down what was decided only after it was sent."""

    def commit(tape: SimTape) -> None:
        pending, tape._pending = tape._pending, []
        tape.journal.world.after(0.001, lambda: MemoryJournal.append(tape.journal, pending))  # type: ignore[attr-defined]

    return patch.object(SimTape, "commit", commit)


def _resend(seconds: float) -> AbstractContextManager[Any]:
    """Send an order again when its outcome is not known after some seconds."""
    answered = Process._answered

    def again(process: Process, command: Command) -> None:
        asked = command.command
        assert isinstance(asked, SubmitOrder)
        if process.state.book.records[asked.order.id].phase is Phase.UNCONFIRMED:
            process._send(Outgoing(command))

    def patched(process: Process, command: Command, outcome: Outcome) -> None:
        answered(process, command, outcome)
        if isinstance(outcome, OutcomeUnknown) and isinstance(command.command, SubmitOrder):
            process.world.after(seconds, process.alive(partial(again, process, command)))

    return patch.object(Process, "_answered", patched)


def _cumulative_as_step() -> AbstractContextManager[Any]:
    """Take what was filled in all for what was filled now."""
    book = reconcile._book_trade

    def patched(state: Any, trade: Any, now_ns: Any, out: Any) -> Any:
        order_id = desk_of(state).numbers.get(trade.broker_id)
        before = state.book.records[order_id].filled if order_id else 0
        return book(state, msgspec.structs.replace(trade, qty=Qty(trade.qty + before)), now_ns, out)

    return patch.object(reconcile, "_book_trade", patched)


def _mark_dropped() -> AbstractContextManager[Any]:
    """Forget which trades were booked when an order is cancelled."""
    over = reconcile._over

    def patched(desk: Desk, record: Any) -> None:
        over(desk, record)
        if record.at_broker.sight.status is BrokerStatus.CANCELLED:
            desk.trades -= {one for one in desk.trades if one.startswith(f"T{record.at_broker.broker_id}")}

    return patch.object(reconcile, "_over", patched)


def _classified(is_refusal: Callable[[Answer], bool]) -> AbstractContextManager[Any]:
    def patched(answer: Answer) -> Outcome:
        return Turned(answer.words) if is_refusal(answer) else outcome_of(answer)

    return patch.object(processes, "outcome_of", patched)


def _kill_in_memory() -> AbstractContextManager[Any]:
    """Do not write down that the kill switch was thrown."""
    record = SimTape.record

    def patched(tape: SimTape, event: Any, *given: Any) -> None:
        if not isinstance(event, KillSwitched):
            record(tape, event, *given)

    return patch.object(SimTape, "record", patched)


def _no_exposure() -> AbstractContextManager[Any]:
    """Look at limits without the orders that are open or unconfirmed."""
    return patch.object(exposure, "_add_orders", lambda *_: 0)


def _rate_forgotten() -> AbstractContextManager[Any]:
    """Count the rate of orders from nothing again in each process."""
    restored = trader.restored

    def patched(state: Any, values: Any, standing: Any = ()) -> Any:
        timers = restored(state, values, standing)
        if state.controls is not None and state.controls.governor is not None:
            state.controls.governor.sent.clear()
            state.controls.governor.today.clear()
        return timers

    return patch.object(taking_up, "restored", patched)


def _shared_budget() -> AbstractContextManager[Any]:
    """Let entries use up what is kept for cancels and exits."""
    return patch.object(Governor, "_bound", lambda governor, limit, rank: limit)


def _tags_from_memory() -> AbstractContextManager[Any]:
    """Count tags from one again in each process."""

    def patched(desk: Desk, order: Any) -> str:
        desk.number += 1
        tag = tag_of(1, order.decided_ns // (24 * HOUR_NS), desk.number, order.origin.strategy)
        desk.tags[tag] = order.id
        return tag

    return patch.object(Desk, "tag_for", patched)


def _power_cut() -> AbstractContextManager[Any]:
    """Lose what was acknowledged last when the process dies, as `synchronous=NORMAL` does when the power goes."""
    die = Process.die

    def patched(process: Process) -> None:
        shared = process.day.shared
        if process.is_alive and process.world.rng.random() < 0.5 and len(shared.rows) > 3:
            del shared.rows[-3:]
            last = shared.rows[-1]
            shared.head = msgspec.structs.replace(shared.head, seq=last.seq, hash=last.hash)
        die(process)

    return patch.object(Process, "die", patched)


def _naive_time() -> AbstractContextManager[Any]:
    """Take the times of the session for UTC."""
    rules_of = sessions.CalendarSessions.rules_of

    def patched(calendar: Any, instrument: Any, day: Any) -> Any:
        rules = rules_of(calendar, instrument, day)
        shift = 5 * HOUR_NS + HOUR_NS // 2
        return rules._replace(close_ns=rules.close_ns + shift, square_off_ns=rules.square_off_ns + shift)

    return patch.object(sessions.CalendarSessions, "rules_of", patched)


def _float_money() -> AbstractContextManager[Any]:
    """Keep cash as a float of rupees."""
    apply = Portfolio.apply

    def patched(portfolio: Portfolio, fill: Any, instrument: Any) -> Any:
        position = apply(portfolio, fill, instrument)
        cash = float(np.float32(portfolio.ledger.cash / 10_000))
        portfolio.ledger.cash = type(portfolio.ledger.cash)(int(cash * 10_000))
        return position

    return patch.object(Portfolio, "apply", patched)


def _postback_trusted() -> AbstractContextManager[Any]:
    """Believe what a forged message says."""
    hint = Process.hint

    def patched(process: Process) -> None:
        orders = list(process.broker.orders.values())
        if orders and process.world.rng.random() < 0.2:
            real = process.world.rng.choice(orders)
            seen = process.broker._shown(real)
            forged = msgspec.structs.replace(seen, status=BrokerStatus.COMPLETE, filled=seen.qty)
            trade = process.broker.trade_of(real, seen.qty - seen.filled, FillId(f"F{process.world.now_ns}"))
            process._apply(BrokerRead((forged,), (trade,) if trade.qty else (), TsNs(process.world.now_ns)))
        hint(process)

    return patch.object(Process, "hint", patched)


def _no_resync() -> AbstractContextManager[Any]:
    """Go on as if nothing had happened when a link was lost."""
    return patch.object(broker_handlers, "doubt", lambda *_: None)


def _dedupe_by_status() -> AbstractContextManager[Any]:
    """Skip what is shown of an order in a status that was seen before, its trades included."""
    read = reconcile.broker_read
    seen: dict[int, set[tuple[str, str]]] = {}

    def patched(state: Any, event: BrokerRead, out: Any) -> None:
        known = seen.setdefault(id(state), set())
        fresh = [one for one in event.orders if (one.broker_id, one.status) not in known]
        known.update((one.broker_id, one.status) for one in event.orders)
        numbers = {one.broker_id for one in fresh}
        trades = tuple(trade for trade in event.trades if trade.broker_id in numbers)
        read(state, msgspec.structs.replace(event, orders=tuple(fresh), trades=trades), out)

    from manjha.engine.step import HANDLERS

    return patch.dict(HANDLERS, {BrokerRead: patched})


@contextmanager
def _lock_without_epoch() -> Iterator[None]:
    """Own the account because the lock was once taken."""
    with patch.object(Process, "_owner", lambda _: ""), patch.object(MemoryJournal, "_require_own", lambda _: None):
        yield


def _write_off_forgotten() -> AbstractContextManager[Any]:
    """Do not look for what was written off."""
    known = reconcile._known

    def patched(state: Any, seen: Any, now_ns: Any, out: Any) -> Any:
        order_id = desk_of(state).tags.get(seen.tag)
        if order_id and state.book.records[order_id].phase is Phase.WRITTEN_OFF:
            return None
        return known(state, seen, now_ns, out)

    return patch.object(reconcile, "_known", patched)


@contextmanager
def _one_look() -> Iterator[None]:
    """Call an order dead when one read does not show it."""
    with patch.object(reconcile, "QUARANTINE_NS", 0), patch.object(reconcile, "READS_MIN", 1):
        yield


def _cut_book_believed() -> AbstractContextManager[Any]:
    """Take a book that lacks known orders for a whole one."""
    whole = reconcile._whole

    def patched(state: Any, event: BrokerRead, out: Any) -> None:
        whole(state, msgspec.structs.replace(event, missing=0), out)

    return patch.object(reconcile, "_whole", patched)


def _bracket_forgotten() -> AbstractContextManager[Any]:
    """Place protection once and never look whether it is there."""
    return patch.object(broker_handlers, "guard", lambda *_: None)


def _inbox_without_bound() -> AbstractContextManager[Any]:
    """Take in every tick at once, however many wait."""

    async def patched(inbox: Inbox, tick: Any) -> None:
        inbox._append(tick)
        inbox.stirred.set()

    return patch.object(Inbox, "put", patched)


def _rows_without_bound() -> AbstractContextManager[Any]:
    """Let rows wait for the next order, however many there are."""
    return patch.object(trader, "WAITING_MAX", 2**62)


def _orders_as_a_set() -> AbstractContextManager[Any]:
    """Go through open orders as a set has them."""
    open_orders = OrderBook.open_orders

    def patched(book: OrderBook, instrument: Any = None) -> Any:
        return [book.records[order_id] for order_id in {one.order.id for one in open_orders(book, instrument)}]

    return patch.object(OrderBook, "open_orders", patched)


MUTANTS: dict[str, tuple[Planted, int]] = {
    "M01 persist after send": (_late_commit, 50),
    "M02a send again after 5 s": (partial(_resend, 5), 300),
    "M02b send again after 30 s": (partial(_resend, 30), 500),
    "M02c send again after 120 s": (partial(_resend, 120), 10_000),
    "M03 cumulative taken for a step": (_cumulative_as_step, 300),
    "M04 mark of trades dropped on cancel": (_mark_dropped, 500),
    "M05 any 403 is a refusal": (partial(_classified, lambda answer: answer.status == 403), 500),
    "M06 any 4xx is a refusal": (partial(_classified, lambda answer: 400 <= answer.status < 500), 500),
    "M07 kill switch in memory": (_kill_in_memory, 500),
    "M08 limits without open orders": (_no_exposure, 500),
    "M09 rate forgotten at restart": (_rate_forgotten, 2_000),
    "M10 tags counted in memory": (_tags_from_memory, 100),
    "M11 synchronous=NORMAL": (_power_cut, 500),
    "M12 naive local time": (_naive_time, 100),
    "M13 money in floats": (_float_money, 100),
    "M14 postbacks believed": (_postback_trusted, 300),
    "M15 no resync after a lost link": (_no_resync, 500),
    "M16 dedupe by status": (_dedupe_by_status, 500),
    "M17 a lock without epoch": (_lock_without_epoch, 500),
    "M20 write-off not watched": (_write_off_forgotten, 2_000),
    "M21 one look and dead": (_one_look, 500),
    "M22 a cut book is believed": (_cut_book_believed, 2_000),
    "M23 protection forgotten": (_bracket_forgotten, 500),
    "M24 one budget for all": (_shared_budget, 500),
}
"""By name: how it is planted, and within how many seeds it has to be found."""

OF_BOUNDS: dict[str, Planted] = {
    "M18a an inbox without bound": _inbox_without_bound,
    "M18b rows without bound": _rows_without_bound,
}
"""What a storm has to find (`storms`)."""
OF_ORDER: dict[str, Planted] = {"M19 a set walked in the core": _orders_as_a_set}
"""What days under other hash seeds have to find (`hashed`)."""
