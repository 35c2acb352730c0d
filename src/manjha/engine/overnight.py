"""What a process that was away when a day ended does not know: how much the orders of that day still traded.

They are over, and the broker's book of the new day shows neither them nor their trades; only positions tell. Until a
whole read has shown that the account holds what we think, nothing is sent in what they could have changed, exits
included: an exit for what is not held any more would open the opposite position.
"""

from collections.abc import Iterable, Mapping

from manjha.domain.commands import Output
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs, day_of
from manjha.domain.money import format_px
from manjha.domain.orders import OrderId, Phase, Product
from manjha.engine.desk import Desk, Held, call
from manjha.engine.exits import rearm
from manjha.engine.handlers.orders import ended
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.orders.lifecycle import Happening

UNSEEN = "its day ended while nobody saw what became of it"
"""Why such an order is over, as far as is known."""


def is_over(decided_ns: int, closed_ns: int, day: TradingDay) -> bool:
    """Tell whether an order ended with the broker's `day`, which closed at `closed_ns` if that is known.

    What was decided at the close or later waits for the next session.
    """
    return decided_ns < closed_ns or day_of(closed_ns) < day


def could_explain(difference: int, rests: Iterable[int]) -> bool:
    """Tell whether orders could have traded a difference; `rests` is what was left of each, signed."""
    known = list(rests)
    return sum(min(rest, 0) for rest in known) <= difference <= sum(max(rest, 0) for rest in known) and bool(known)


def end_day(state: EngineState, desk: Desk, now_ns: TsNs) -> bool:
    """Note the orders of the broker's day so far; tell whether anything has to be checked against a whole read.

    They are over unless the new day's book shows them, as that of a simulated exchange may. An intraday position is
    checked too: at a broker none outlives its day.
    """
    desk.opened_ns = now_ns
    desk.gone.clear()
    desk.unchecked.clear()
    for record in state.book.open_orders():
        order = record.order
        if not _was_there(record) or not is_over(order.decided_ns, desk.closed_ns, TradingDay(desk.day)):
            continue
        desk.gone[order.id] = record.left * int(order.side)
        desk.unchecked[order.instrument, order.product] = None
    for position in state.portfolio.open_positions():
        if position.key.product is Product.MIS:
            desk.unchecked[position.key.instrument, Product.MIS] = None
    return bool(desk.unchecked)


def end_gone(state: EngineState, now_ns: TsNs, out: list[Output]) -> None:
    """End the orders of the day before that a whole read of the new day does not show."""
    desk = state.desk
    if desk is None or not desk.gone or now_ns <= desk.opened_ns:
        return
    records = [state.book.records[name] for name in desk.gone]
    over = [record for record in records if record.phase is Phase.WORKING]
    for record in over:
        name = record.order.id
        ended(state, name, Happening.CANCELLED, now_ns, UNSEEN)
        call(name, f"{UNSEEN}: positions will tell whether the {record.left} left of it traded", now_ns, out)
    if over and _is_open(state, now_ns):
        rearm(state, now_ns, out)


def _is_open(state: EngineState, now_ns: TsNs) -> bool:
    return any(now_ns < rules.close_ns for rules in state.gate.today.values())


def unclear(state: EngineState, desk: Desk, now_ns: TsNs) -> set[InstrumentId]:
    """Return the instruments with orders of the broker's day so far, on a later one that has not opened yet."""
    if day_of(now_ns) <= desk.day:
        return set()
    return {record.order.instrument for record in state.book.open_orders() if _was_there(record)}


def check(
    state: EngineState, there: Mapping[Held, int], here: Mapping[Held, int], now_ns: TsNs, out: list[Output]
) -> None:
    """Let orders go again where the account holds at least what our strategies do; put protection back there.

    `there` is what the broker shows, `here` what our strategies hold.
    """
    desk = state.desk
    if desk is None or not desk.unchecked:
        return
    held = [key for key in desk.unchecked if _covers(here.get(key, 0), there.get(key, 0), desk.external.get(key, 0))]
    for key in held:
        del desk.unchecked[key]
    if held and _is_open(state, now_ns):
        rearm(state, now_ns, out)


def explained(state: EngineState, desk: Desk, key: Held, difference: int) -> str:
    """Say which orders that ended unseen could have traded a difference, and whether exactly; empty for none."""
    rests = dict(gone_of(state, desk, key))
    if not could_explain(difference, rests.values()):
        return ""
    exact = next((name for name, rest in rests.items() if rest == difference), None)
    if exact is not None:
        return f"exactly what was left of order {_words(state, exact, rests[exact])}"
    return f"what orders could have traded: {', '.join(_words(state, *one) for one in rests.items())}"


def gone_of(state: EngineState, desk: Desk, key: Held) -> list[tuple[OrderId, int]]:
    """Return the orders of a position that ended unseen, and what was left of each, signed."""
    orders = ((name, state.book.records[name].order, rest) for name, rest in desk.gone.items())
    return [(name, rest) for name, order, rest in orders if (order.instrument, order.product) == key]


def _words(state: EngineState, name: OrderId, rest: int) -> str:
    record = state.book.records[name]
    px = record.limit or record.trigger
    return f"{name} ({rest:+}{f' at {format_px(px)}' if px else ''})"


def _was_there(record: OrderRecord) -> bool:
    """Tell whether an order was at the broker, or may have been."""
    return record.at_broker is not None and record.phase in (Phase.WORKING, Phase.UNCONFIRMED)


def _covers(ours: int, there: int, external: int) -> bool:
    """Tell whether an exit of all that is ours would open nothing, in the account and beside what is external."""
    if not ours:
        return True
    return all(ours * held > 0 and abs(held) >= abs(ours) for held in (there, there - external))
