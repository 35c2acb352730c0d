"""One account by hand: a strategy that does as it is told, a broker that shows what the test says."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from manjha.domain.broker import BrokerStatus, OrderSeen, Outcome, PositionSeen, Sent, Source, TradeSeen
from manjha.domain.commands import (
    Approved,
    CallPerson,
    CancelOrder,
    ModifyOrder,
    Output,
    ReadBroker,
    SetTimer,
    SubmitOrder,
)
from manjha.domain.events import (
    AccountTaken,
    BrokerRead,
    ChangeAnswered,
    Event,
    MarketAdvanced,
    SessionOpened,
    SubmitAnswered,
    TimerFired,
)
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import FillId, Order, OrderId, Phase, Product, RunId
from manjha.engine.freezing import why_frozen
from manjha.engine.step import step
from manjha.orders.book import OrderRecord
from manjha.research.backtest import prepare
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import FIRST_DAY, Row, flat, minutes, share_named, spec_of

if TYPE_CHECKING:
    from manjha.engine.state import EngineState

BARS = 60
PRICE = 5_000_000
"""500 rupees in 1e-4."""
Do = Callable[[Context], None]


class Told(Strategy):
    """Does what it was told for the next bar."""

    name: ClassVar[str] = "told"
    product: ClassVar[Product] = Product.MIS
    instruments_max: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.todo: list[Do] = []

    def on_bar(self, ctx: Context) -> None:
        todo, self.todo = self.todo, []
        for each in todo:
            each(ctx)


class Shown:
    """What the broker has of one order, to be changed by the test."""

    def __init__(self, seen: OrderSeen) -> None:
        self.seen = seen
        self.trades: list[TradeSeen] = []

    def be(self, status: BrokerStatus, **changes: object) -> "Shown":
        """Change what is shown of it."""
        later = TsNs(self.seen.exchange_ns + 1)
        self.seen = msgspec.structs.replace(self.seen, status=status, exchange_ns=later, **changes)
        return self

    def trade(self, qty: int, px: int = PRICE) -> "Shown":
        """Let it trade."""
        seen, filled = self.seen, self.seen.filled + qty
        number = FillId(f"T{seen.broker_id}-{len(self.trades)}")
        self.trades.append(
            TradeSeen(number, seen.broker_id, seen.instrument, seen.side, Qty(qty), Px(px), seen.product, TsNs(1))
        )
        status = BrokerStatus.COMPLETE if filled >= seen.qty else seen.status
        return self.be(status, filled=Qty(filled))


class Account:
    """One account at a broker. `outputs` of everything so far; `now_ns` moves by `wait` and `bar`."""

    asks_margin: ClassVar[bool] = False
    """Whether the broker can be asked what an order needs."""

    def __init__(self, rows: Sequence[Row] | None = None, strategy: Told | None = None, **terms: object) -> None:
        self.strategy = strategy or Told()
        bars = minutes(share_named(), rows or [flat(500.0)] * BARS, length=60)
        self.state: EngineState = prepare(spec_of(self.strategy, bars, **terms))
        self.instrument = bars.instrument
        self.closes = [int(ns) for ns in bars.ts_close_ns]
        self.now_ns = int(bars.ts_open_ns[0])
        self.outputs: list[Output] = []
        self.shown: dict[str, Shown] = {}
        self.positions: dict[tuple[str, Product], int] = {}
        self.timers: list[tuple[int, str]] = []
        self.epoch = 0
        self.restart()
        self.take(SessionOpened(FIRST_DAY, TsNs(self.now_ns)))
        self.read()

    # ---- what happens

    def take(self, event: Event) -> list[Output]:
        """Let the engine see an event."""
        out = step(self.state, event)
        self.outputs += out
        self.timers += [(o.ts_ns, o.key) for o in out if isinstance(o, SetTimer)]
        return out

    def restart(self) -> list[Output]:
        """Take the account over, as a new process does after it has replayed its journal."""
        self.epoch += 1
        run = RunId(f"run-{self.epoch}")
        return self.take(AccountTaken(run, self.epoch, "b", "s", TsNs(self.now_ns), self.asks_margin))

    def bar(self, *todo: Do) -> list[Output]:
        """Let the next bar close; the strategy does what it is told."""
        self.strategy.todo += todo
        position = self.state.reached
        self.now_ns = max(self.now_ns, self.closes[position])
        return self.take(MarketAdvanced(position, position + 1))

    def wait(self, seconds: float) -> list[Output]:
        """Let time pass, and the timers that come due in it fire."""
        until, out = self.now_ns + int(seconds * SECOND_NS), list[Output]()
        while self.timers and min(self.timers)[0] <= until:
            due = min(self.timers)
            self.timers.remove(due)
            self.now_ns = max(self.now_ns, due[0])
            out += self.take(TimerFired(due[1], TsNs(self.now_ns)))
        self.now_ns = until
        return out

    def answer(self, order_id: OrderId, outcome: Outcome) -> list[Output]:
        """Say how sending an order ended."""
        return self.take(SubmitAnswered(order_id, outcome, TsNs(self.now_ns)))

    def answer_change(self, order_id: OrderId, outcome: Outcome, *, is_cancel: bool = True) -> list[Output]:
        """Say how sending a cancel or new terms ended."""
        return self.take(ChangeAnswered(order_id, is_cancel, outcome, TsNs(self.now_ns)))

    def land(self, command: SubmitOrder, status: BrokerStatus = BrokerStatus.OPEN) -> Shown:
        """Let an order arrive at the broker."""
        number = f"N{len(self.shown) + 1}"
        return self.put(number, command.order, status, command.tag)

    def put(self, number: str, order: Order, status: BrokerStatus, tag: str = "", *, by_broker: bool = False) -> Shown:
        """Let the broker show an order."""
        seen = OrderSeen(
            number, tag, order.instrument, order.side, order.qty, order.type, order.product, status, Qty(0),
            TsNs(self.now_ns), Source.BOOK, order.limit, order.trigger, by_broker=by_broker,
        )  # fmt: skip
        self.shown[number] = Shown(seen)
        return self.shown[number]

    def accept(self, command: SubmitOrder, status: BrokerStatus = BrokerStatus.OPEN) -> Shown:
        """Let an order arrive, be answered, and rest."""
        shown = self.land(command, status)
        self.answer(command.order.id, Sent(shown.seen.broker_id))
        return shown

    def read(self, *, missing: int = 0, positions: bool = True, whole: bool = True) -> list[Output]:
        """Read the whole broker, and hand on what it shows."""
        return self.take(
            BrokerRead(
                tuple(one.seen for one in self.shown.values()),
                tuple(trade for one in self.shown.values() for trade in one.trades),
                TsNs(self.now_ns),
                whole,
                missing,
                self.held() if positions else None,
            )
        )

    def held(self) -> tuple[PositionSeen, ...]:
        """Return what the account really holds: what its orders traded, and what the test has put there."""
        held = dict(self.positions)
        for one in self.shown.values():
            for trade in one.trades:
                key = (trade.instrument, trade.product)
                held[key] = held.get(key, 0) + trade.qty * int(trade.side)
        return tuple(PositionSeen(name, product, Qty(qty)) for (name, product), qty in held.items() if qty)  # type: ignore[arg-type]

    # ---- what came of it

    def sent(self) -> list[SubmitOrder]:
        """Return all orders that were approved so far."""
        return [o.command for o in self.outputs if isinstance(o, Approved) and isinstance(o.command, SubmitOrder)]

    def cancels(self) -> list[OrderId]:
        """Return which orders were to be cancelled, each time it was asked."""
        return [
            o.command.order_id for o in self.outputs if isinstance(o, Approved) and isinstance(o.command, CancelOrder)
        ]

    def changes(self) -> list[ModifyOrder]:
        """Return all new terms that were approved."""
        return [o.command for o in self.outputs if isinstance(o, Approved) and isinstance(o.command, ModifyOrder)]

    def calls(self) -> list[str]:
        """Return what a person was called for."""
        return [o.what for o in self.outputs if isinstance(o, CallPerson)]

    def reads(self) -> int:
        """Return how often the broker was to be read."""
        return sum(isinstance(o, ReadBroker) for o in self.outputs)

    def record(self, command: SubmitOrder) -> OrderRecord:
        """Return what became of an order."""
        return self.state.book.records[command.order.id]

    def phase(self, command: SubmitOrder) -> Phase:
        """Return where an order is in its life."""
        return self.record(command).phase

    @property
    def position(self) -> int:
        """What the strategy holds."""
        return self.state.held(self.instrument, Product.MIS)

    def is_frozen(self) -> bool:
        """Tell whether the instrument is frozen."""
        return why_frozen(self.state, self.instrument) is not None


def buy(qty: int = 10, **terms: float) -> Do:
    """Return what makes the strategy buy."""
    return lambda ctx: ctx.buy(qty, **terms)


def sell(qty: int = 10, **terms: float) -> Do:
    """Return what makes the strategy sell."""
    return lambda ctx: ctx.sell(qty, **terms)
