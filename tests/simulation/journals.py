"""The journals of simulated days, as an account's own: the run's beginning, then what every process wrote."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from manjha.app.trading.trader import restored
from manjha.domain.broker import BrokerStatus, OrderSeen, OutcomeUnknown, Sent, TradeSeen
from manjha.domain.events import (
    BrokerRead,
    ChangeAnswered,
    DifferenceAccepted,
    Event,
    SendVetoed,
    SessionOpened,
    SubmitAnswered,
)
from manjha.domain.money import Qty
from manjha.engine.journaling import EVENT_KINDS, entry_of, value_of
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.research.backtest import prepare
from tests.fakes.traded import Traded, beginning
from tests.simulation.day import Day
from tests.simulation.disk import values_of


def traded(day: Day) -> Traded:
    """Live a day and return its journal, with the state to which it leads."""
    day.run()
    state = day.new_state()
    restored(state, values_of(day.shared))
    spec = day.spec()
    rows = [(row.run, row.entry) for row in day.shared.rows]
    return Traded([(state.origin.run, beginning(spec, state)), *rows], state, spec)


def disturbed(lived: Traded, seed: int) -> Traded:
    """Return a journal of the engine under events of a lived day that a worse broker would have given.

    Trades come later than what they fill, positions are wrong now and then, orders are seen with other terms, people
    accept differences, days end in between. The engine decides otherwise then; answers to what it did not send are
    left out.
    """
    rng, state = random.Random(seed), prepare(lived.spec, lived.state.origin)
    rows, worse = [lived.rows[0]], Worse(rng, state, has_days=rng.random() < 0.3)
    reads = [value_of(entry) for _, entry in lived.rows if entry.kind == BrokerRead.__name__]
    numbers = {seen.tag: seen.broker_id for read in reads for seen in read.orders}  # type: ignore[union-attr]
    for run, entry in lived.rows[1:]:
        event: Any = value_of(entry)
        if entry.kind not in EVENT_KINDS or _is_of_unknown(state, event):
            continue
        if isinstance(event, SubmitAnswered):
            event = _with_number(state, event, numbers)
        for one in worse.than(event):
            outputs = step(state, one)
            rows += [(run, entry_of(value, entry.ts_ns)) for value in (one, *outputs)]
    return Traded(rows, state, lived.spec)


def _is_of_unknown(state: EngineState, event: Any) -> bool:
    is_answer = isinstance(event, SubmitAnswered | ChangeAnswered | SendVetoed)
    record = state.book.records.get(event.order_id) if is_answer else None
    return is_answer and (record is None or record.at_broker is None)


def _with_number(state: EngineState, event: SubmitAnswered, numbers: Mapping[str, str]) -> SubmitAnswered:
    """Return the answer with the number under which the broker shows the order: no two orders have the same."""
    at = state.book.records[event.order_id].at_broker
    if not isinstance(event.outcome, Sent) or at is None:
        return event
    number = numbers.get(at.tag)
    outcome = OutcomeUnknown("no answer") if number is None else Sent(number)
    return msgspec.structs.replace(event, outcome=outcome)


class Worse:
    """What a worse broker would have shown, by chance. `since_ns` is when its day began."""

    def __init__(self, rng: random.Random, state: EngineState, *, has_days: bool) -> None:
        self.rng, self.state, self.has_days = rng, state, has_days
        self.late: list[TradeSeen] = []
        self.since_ns = 0

    def than(self, event: Event) -> Iterator[Event]:
        if not isinstance(event, BrokerRead):
            yield event
            return
        rng = self.rng
        orders = [_odd(rng, seen) if rng.random() < 0.1 else seen for seen in event.orders]
        positions = event.positions
        if positions is not None and rng.random() < 0.4:
            positions = tuple(msgspec.structs.replace(one, qty=one.qty + rng.choice((-1, 0, 2))) for one in positions)
        yield msgspec.structs.replace(event, orders=tuple(orders), trades=self._trades(event), positions=positions)
        if rng.random() < 0.4 and positions is not None:
            # The same once more: what differs twice counts.
            yield BrokerRead((), (), event.ts_ns, whole=True, positions=positions)
        if rng.random() < 0.1:
            yield DifferenceAccepted(rng.choice(list(self.state.instruments)), "people", event.ts_ns)
        desk = self.state.desk
        if self.has_days and rng.random() < 0.02 and desk is not None and not desk.short:
            self.since_ns = event.ts_ns
            yield SessionOpened(self.state.sessions.next_day(self.state.day), event.ts_ns)

    def _trades(self, event: BrokerRead) -> tuple[TradeSeen, ...]:
        """Return some of the trades, and some of those that were late; of yesterday's none is shown any more."""
        rng, trades = self.rng, list(event.trades)
        late = [trade for trade in trades if rng.random() < 0.5]
        trades = [trade for trade in trades if trade not in late]
        self.late += late
        if rng.random() < 0.3:
            trades += self.late
            self.late = []
        return tuple(trade for trade in trades if trade.ts_ns > self.since_ns)


def _odd(rng: random.Random, seen: OrderSeen) -> OrderSeen:
    """Return what a broker shows of an order, otherwise than it was."""
    changes: dict[str, Any] = rng.choice(
        [
            {"broker_id": seen.broker_id + "x"},
            {"tag": ""},
            {"status": rng.choice(list(BrokerStatus)), "exchange_ns": seen.exchange_ns + 1},
            {"qty": Qty(max(1, seen.qty - 1)), "exchange_ns": seen.exchange_ns + 1},
            {"filled": Qty(min(seen.qty, seen.filled + 1))},
            {"by_broker": not seen.by_broker, "tag": "", "broker_id": seen.broker_id + "y"},
        ]
    )
    return msgspec.structs.replace(seen, **changes)
