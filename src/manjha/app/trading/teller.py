"""What a trader tells: on the screen, and as notes to whoever is notified."""

from collections.abc import Callable, Iterable

from manjha.app.trading.backfill import NO_BACKFILL, Backfill, NoBackfill
from manjha.domain.commands import (
    Approved,
    CallPerson,
    CancelOrder,
    MarginAssumed,
    ModifyOrder,
    Refused,
    SubmitOrder,
)
from manjha.domain.events import BarsFilled, BrokerRead, Event, SessionClosed, SessionOpened
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs, day_of, format_ts
from manjha.domain.money import Cash, format_px
from manjha.domain.orders import MANUAL, AccountId, Order, Purpose
from manjha.engine.freezing import all_frozen
from manjha.engine.state import EngineState
from manjha.ports.notifier import Notifier
from manjha.research.backtest import BacktestSpec
from manjha.services.notes import daily_note, margin_note, note_of
from manjha.services.taking_up import TakenUp

Say = Callable[[str], None]


class Teller:
    """Tells the user on the screen, and whoever is notified, what happens."""

    def __init__(self, account: AccountId, spec: BacktestSpec, say: Say, notifier: Notifier) -> None:
        self._account = account
        self._names = {one.id: one.display for one in spec.instruments}
        self._say = say
        self._notifier = notifier
        self._state: EngineState | None = None
        self._backfill: Backfill | NoBackfill = NO_BACKFILL

    def call(self, person: CallPerson) -> None:
        """Call a person."""
        about = self._names.get(InstrumentId(person.about), person.about)
        self._say(f"{format_ts(person.ts_ns)[11:19]}  LOOK AT {about}: {person.what}")
        self._note(person)

    def took_up(self, taken: TakenUp | None) -> None:
        """Say from where a run goes on that an earlier process began, and what a restart had to pass over."""
        if taken is None:
            return
        for why in taken.passed_over:
            self._say(f"not gone on from: {why}")
        start = f"the snapshot after row {taken.after}" if taken.after else "the beginning of the run"
        self._say(f"taken up from {start}, and {taken.rows:,} rows since")

    def saw(self, event: Event, outputs: Iterable[object]) -> None:
        """Hear of an event and of what was decided on it."""
        if isinstance(event, SessionOpened):
            self._say(f"{_moment(event.ts_ns)}  the session opens")
        elif isinstance(event, SessionClosed):
            self._day(event)
        elif isinstance(event, BarsFilled):
            count = event.last - event.first
            self._say(
                f"{_moment(event.ts_ns)}  {count} bars came late ({event.fetched} from {event.source}); nothing is "
                "decided on them"
            )
        elif isinstance(event, BrokerRead):
            for trade in event.trades:
                name = self._names.get(trade.instrument, trade.instrument)
                self._say(
                    f"{format_ts(trade.ts_ns)[11:19]}  {trade.side.name} {trade.qty} {name} at {format_px(trade.px)}"
                )
        self._note(event)
        for output in outputs:
            self._decided(output)

    def _decided(self, output: object) -> None:
        if isinstance(output, Approved | Refused | MarginAssumed):
            self._note(output)
        if isinstance(output, MarginAssumed):
            self._say(f"{format_ts(output.ts_ns)[11:19]}  {margin_note(output).text}")
        elif isinstance(output, Refused):
            self._refused(output)
        elif isinstance(output, Approved) and isinstance(output.command, SubmitOrder):
            order = output.command.order
            self._say(f"{format_ts(order.decided_ns)[11:19]}  order {self._terms(order)}")

    def _terms(self, order: Order) -> str:
        name = self._names.get(order.instrument, order.instrument)
        terms = f" {format_px(order.limit or order.trigger)}" if order.limit or order.trigger else ""
        whose = "by hand" if is_by_hand(order) else order.purpose
        return f"{order.side.name} {order.qty} {name} {order.type}{terms} ({whose})"

    def _refused(self, refused: Refused) -> None:
        """Say what was not let through: who looks at the screen would else wait for a trade that cannot come."""
        match refused.subject:
            case SubmitOrder(order=order):
                what = f"order {self._terms(order)}"
            case ModifyOrder(order_id=order_id):
                what = f"change of order {order_id}"
            case CancelOrder(order_id=order_id):
                what = f"cancel of order {order_id}"
            case _:
                what = "orders as a group of legs"
        detail = f": {refused.detail}" if refused.detail else ""
        self._say(f"{format_ts(refused.ts_ns)[11:19]}  REFUSED {what}: {refused.reason}{detail}")

    def watch(self, state: EngineState, backfill: Backfill | NoBackfill = NO_BACKFILL) -> None:
        """Tell of the days of this state."""
        self._state, self._backfill = state, backfill

    def _day(self, event: SessionClosed) -> None:
        """Say how the day went."""
        state = self._state
        if state is None:
            return
        equity = int(state.equity())
        figures = {
            "equity (Rs)": Cash(equity),
            "result of the day (Rs)": Cash(equity - state.gate.day_start_equity),
            "charges of the run (Rs)": state.portfolio.ledger.charges().total,
            "orders of the day": sum(day_of(one.order.decided_ns) == event.day for one in state.book.records.values()),
            "fills of the day": len(state.record_fills) - state.today_fills,
            "positions held": len(list(state.portfolio.open_positions())),
            "instruments frozen": len(all_frozen(state)),
        }
        if self._backfill.fetched or self._backfill.missing:
            figures["bars fetched late"] = self._backfill.fetched
            figures["bars missing"] = self._backfill.missing
        if state.desk is not None and state.desk.asks_margin:
            figures["orders on our own margin model"] = sum(
                day_of(state.book.records[name].order.decided_ns) == event.day for name in state.desk.assumed
            )
        for one in state.portfolio.open_positions():
            whose = " by hand" if one.key.strategy == MANUAL else ""
            figures[
                f"held of {self._names.get(one.key.instrument, one.key.instrument)} as {one.key.product}{whose}"
            ] = one.qty
        note = daily_note(self._account, event.day, figures, event.ts_ns)
        self._say(
            f"{format_ts(event.ts_ns)[:19].replace('T', ' ')}  the session ends; {note.text.replace(chr(10), ', ')}"
        )
        self._notifier.tell(note)

    def _note(self, value: object) -> None:
        note = note_of(value, self._account, lambda name: self._names.get(name, name))  # type: ignore[arg-type]
        if note is not None:
            self._notifier.tell(note)


def is_by_hand(order: Order) -> bool:
    """Tell whether a person placed it, and not what protects or closes what a person has placed."""
    return order.origin.strategy == MANUAL and order.purpose is Purpose.SIGNAL


def _moment(ts_ns: TsNs) -> str:
    return format_ts(ts_ns)[:19].replace("T", " ")
