"""The way to a broker that is a network away: requests run beside the loop, what comes of them waits to be taken.

Nothing here touches the engine but `take`, which the loop calls in its own turn. A command is sent once, whatever
happens: what does not end in an `Outcome` is unknown, and found again in the broker's book by its tag.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import msgspec

from manjha.app.trading.broker_reads import BrokerReads
from manjha.app.trading.margin_asked import margin_event, margin_told
from manjha.app.trading.outbox import Command, Outgoing, order_of
from manjha.app.trading.trader import Trader
from manjha.domain.broker import (
    MarginSeen,
    OrderSeen,
    Outcome,
    OutcomeUnknown,
    PositionSeen,
    Sent,
    TradeSeen,
    Turned,
    Unsent,
)
from manjha.domain.commands import Approved, AskMargin, CallPerson, CancelOrder, ModifyOrder, ReadBroker, SubmitOrder
from manjha.domain.errors import SourceError
from manjha.domain.events import Event, LinkLost, MarginUnavailable
from manjha.domain.moments import TradingDay, TsNs, day_of
from manjha.domain.orders import Order, OrderId
from manjha.engine.state import EngineState
from manjha.ports.gateway import Gateway
from manjha.ports.margin_source import MarginSource

ANSWER_S = 7.0
"""How long a command may be on its way, as long as Kite's own client waits (RELIABILITY K2); then it is unknown."""
READ_S = 10.0
"""How long a read of orders, trades and positions may take together."""
READ_GAP_S = 0.5
"""From the beginning of one read to the next: four requests each, under the ten a second that Kite allows (K11)."""
HINTS_AGAIN_S = 5.0
"""From the end of the stream of hints to the next attempt."""
MARGIN_S = 5.0
"""How long a question of what an order needs is waited for; its order goes long before (`engine.margins.WAIT_NS`)."""
ORDER_STREAM, READS = "order stream", "reads of the account"


class Pace(msgspec.Struct, frozen=True):
    """How long is waited for a broker, in seconds."""

    answer_s: float = ANSWER_S
    read_s: float = READ_S
    read_gap_s: float = READ_GAP_S
    hints_again_s: float = HINTS_AGAIN_S
    margin_s: float = MARGIN_S


class _Answered(msgspec.Struct, frozen=True):
    command: Command
    outcome: Outcome


class _Margin(msgspec.Struct, frozen=True):
    order_id: OrderId
    told: MarginSeen | str


class _Shown(msgspec.Struct, frozen=True):
    orders: tuple[OrderSeen, ...]
    trades: tuple[TradeSeen, ...]
    positions: tuple[PositionSeen, ...]


class _Lost(msgspec.Struct, frozen=True):
    link: str
    reason: str


class RemoteLink:
    """Implements `app.trading.trader.Link` and `app.trading.session.Inflow` over a gateway.

    What waits to be taken is bounded without being dropped: an outcome a command in flight (the outbox bounds those),
    one read, and one loss a link.

    Parameters
    ----------
    state
        Whose orders the broker's book is to show; only read here.
    tell
        Calls a person when a gateway does what none may do.
    mono_ns
        The clock by which the outbox counts from a commit to the first byte.
    margins
        Who knows what orders need; None where nobody can be asked.
    """

    def __init__(
        self,
        gateway: Gateway,
        state: EngineState,
        tell: Callable[[CallPerson], None],
        mono_ns: Callable[[], int],
        pace: Pace | None = None,
        margins: MarginSource | None = None,
    ) -> None:
        self._gateway = gateway
        self._state = state
        self._tell = tell
        self._mono_ns = mono_ns
        self._pace = pace or Pace()
        self._margins = margins
        self._day = state.day
        self._reads = BrokerReads(_numbers_of_the_day(state))
        self._unstarted: deque[Outgoing] = deque()
        self._unasked: deque[tuple[MarginSource, Order]] = deque()
        self._news: deque[_Answered | _Margin | _Shown | _Lost] = deque()
        self._sending: set[asyncio.Task[None]] = set()
        self._listening: list[asyncio.Task[None]] = []
        self._starting = self._unanswered = self._asking = 0
        self._wanted, self._taken = asyncio.Event(), asyncio.Event()
        self._taken.set()
        self._reading = self._is_void = False
        self._is_read = self._is_heard = True
        self._refused = ""
        self._now_ns = TsNs(0)
        self._broken: BaseException | None = None
        self._stir: Callable[[], None] | None = None

    # ---- what goes out: `app.trading.trader.Link`

    def send(self, outgoing: Outgoing, now_ns: TsNs) -> tuple[Event, ...]:
        """Send a command as soon as the loop lets go; its outcome comes later."""
        self._now_ns = now_ns
        self._unanswered += 1
        self._unstarted.append(outgoing)
        self._start()
        return ()

    def read(self, asked: ReadBroker, now_ns: TsNs) -> tuple[Event, ...]:
        """Read everything, after what is being read now; what it shows comes later."""
        del asked, now_ns
        self._wanted.set()
        return ()

    def ask_margin(self, asked: AskMargin, now_ns: TsNs) -> tuple[Event, ...]:
        """Ask as soon as the loop lets go; what the broker says comes later."""
        if self._margins is None:
            return (MarginUnavailable(asked.order.id, "this broker cannot be asked", now_ns),)
        self._asking += 1
        self._unasked.append((self._margins, asked.order))
        self._start()
        return ()

    def call(self, person: CallPerson) -> None:
        """Call a person."""
        self._tell(person)

    def session(self) -> str:
        """Return why the broker does not listen, until a read has shown that it does; for the outbox."""
        return self._refused

    def opened(self, day: TradingDay) -> None:
        """Begin a new book, as brokers do every day; a day that was open when this process began is not new."""
        if day != self._day:
            self._day = day
            self._reads.new_day()

    # ---- for the loop: `app.trading.session.Inflow`

    is_elsewhere = True

    @property
    def waits(self) -> bool:
        """Whether something is there to be taken, or about to leave."""
        return bool(self._news) or self._starting > 0 or self._broken is not None

    @property
    def is_busy(self) -> bool:
        """Whether an answer or a read is still to come."""
        return bool(self._unanswered or self._asking) or self._reading or self._wanted.is_set() or bool(self._news)

    @property
    def in_flight(self) -> int:
        """How many commands have no outcome that was taken."""
        return self._unanswered

    def open(self, stir: Callable[[], None]) -> None:
        """Begin to send, to read and to listen."""
        self._stir = stir
        self._listening = [self._task(self._read_on()), self._task(self._listen())]
        self._start()

    def take(self, trader: Trader) -> None:
        """Let the engine hear what has come. Raises what went wrong in here: our own bug."""
        if self._broken is not None:
            raise self._broken
        while self._news:
            news, now_ns = self._news.popleft(), trader.pump.now_ns
            self._now_ns = now_ns
            match news:
                case _Answered(command=command, outcome=outcome):
                    self._unanswered -= 1
                    if isinstance(outcome, Turned) and outcome.is_session:
                        self._refused = f"the broker refuses everything until a new login: {outcome.reason}"
                        self._is_void = True
                    trader.answered(command, outcome, now_ns)
                case _Margin(order_id=order_id, told=told):
                    self._asking -= 1
                    trader.pump.apply(margin_event(order_id, told, now_ns))
                case _Shown():
                    self._taken.set()
                    self._is_read, self._refused = True, ""
                    trader.pump.apply(self._event(news, now_ns))
                case _Lost(link=link, reason=reason):
                    if link == READS:
                        self._taken.set()
                    trader.pump.apply(LinkLost(link, reason, now_ns))

    def hush(self) -> None:
        """Read and listen no more; only outcomes are still brought."""
        for task in self._listening:
            task.cancel()
        self._news = deque(one for one in self._news if isinstance(one, _Answered))

    async def close(self) -> None:
        """End, whatever is on its way: what has no outcome is unconfirmed to whoever takes the account over."""
        self._stir = None
        tasks = [*self._listening, *self._sending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- sending

    def _start(self) -> None:
        while self._stir is not None and self._unstarted:
            self._starting += 1
            self._sending.add(self._task(self._send(self._unstarted.popleft())))
        while self._stir is not None and self._unasked:
            self._sending.add(self._task(self._ask(*self._unasked.popleft())))

    async def _send(self, outgoing: Outgoing) -> None:
        self._starting -= 1
        command = outgoing.command
        outcome = await self._outcome(outgoing)
        if isinstance(outcome, Sent) and not outcome.broker_id:
            outcome = OutcomeUnknown("it was taken, without a number")
        self._bring(_Answered(command, outcome))

    async def _ask(self, source: MarginSource, order: Order) -> None:
        self._bring(_Margin(order.id, await margin_told(source, order, self._pace.margin_s, self._call)))

    async def _outcome(self, outgoing: Outgoing) -> Outcome:
        """Send a command, once, and return how that ended; the gateway is not trusted to keep its promises."""
        why = self._last_look(outgoing)
        if why:
            return Unsent(why)
        try:
            async with asyncio.timeout(self._pace.answer_s):
                outcome: object = await self._asked(outgoing)
        except TimeoutError:
            return OutcomeUnknown(f"no answer within {self._pace.answer_s:g} seconds")
        except Exception as error:  # noqa: BLE001 - whatever it was, the request may have arrived
            outcome = error
        if isinstance(outcome, Outcome):
            return outcome
        what = f"the gateway has not told how sending ended, but {outcome!r}: taken as unknown, never sent again"
        self._call(order_of(outgoing.command), what)
        return OutcomeUnknown(f"the gateway broke: {outcome!r}")

    def _last_look(self, outgoing: Outgoing) -> str:
        return outgoing.objection(self._mono_ns())

    def _asked(self, outgoing: Outgoing) -> Coroutine[Any, Any, Outcome]:
        command, gateway, look = outgoing.command, self._gateway, partial(self._last_look, outgoing)
        match command.command:
            case SubmitOrder() as asked:
                return gateway.submit(Approved(asked), look)
            case ModifyOrder() as asked:
                return gateway.modify(Approved(asked), outgoing.broker_id, look)
            case CancelOrder() as asked:
                return gateway.cancel(Approved(asked), outgoing.broker_id, look)

    # ---- reading

    async def _read_on(self) -> None:
        """Read whenever it is wanted, one read at a time; what is asked for meanwhile is one more read."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            began, self._reading, self._is_void = loop.time(), True, False
            news = await self._read()
            self._reading = False
            if isinstance(news, _Shown) and self._is_void:
                # What was lost meanwhile may be what this read does not show yet.
                self._wanted.set()
            elif isinstance(news, _Shown) or self._is_read:
                self._taken.clear()
                self._is_read = isinstance(news, _Shown)
                self._bring(news)
            await self._taken.wait()
            await asyncio.sleep(max(began + self._pace.read_gap_s - loop.time(), 0))

    async def _read(self) -> _Shown | _Lost:
        """Read orders, then trades, then positions; a read that failed shows nothing, not an empty book."""
        gateway = self._gateway
        try:
            async with asyncio.timeout(self._pace.read_s):
                return _Shown(await gateway.orders(), await gateway.trades(), await gateway.positions())
        except TimeoutError:
            return _Lost(READS, f"no answer within {self._pace.read_s:g} seconds")
        except SourceError as error:
            if self._is_read:
                # Once for each time that it begins: the engine tells how long it lasts, and cannot tell why.
                self._call(READS, f"{error.message}. {error.hint}".rstrip(". "))
            return _Lost(READS, error.message)
        except Exception as error:  # noqa: BLE001 - nothing was seen, whatever it was; reads go on
            self._call(READS, f"the gateway broke: {error!r}")
            return _Lost(READS, f"the gateway broke: {error!r}")

    def _event(self, shown: _Shown, now_ns: TsNs) -> Event:
        if day_of(now_ns) != self._day:
            # Before the day opens nobody knows when the broker begins its new book: nothing is missed in it.
            self._reads.new_day()
        trades = [one for one in shown.trades if day_of(one.ts_ns) >= self._day]
        return self._reads.event(shown.orders, trades, shown.positions, now_ns)

    # ---- listening

    async def _listen(self) -> None:
        """Hear of orders; a hint is a reason to read and nothing more."""
        while True:
            reason = "it has ended"
            try:
                async for number in self._gateway.hints():
                    self._hear(number)
            except SourceError as error:
                reason = error.message
            except Exception as error:  # noqa: BLE001 - hints are late, doubled or lost at any time; reads go on
                reason = f"the gateway broke: {error!r}"
                self._call(ORDER_STREAM, reason)
            if self._is_heard:
                self._is_heard = False
                self._lose(_Lost(ORDER_STREAM, reason))
            await asyncio.sleep(self._pace.hints_again_s)

    def _hear(self, number: str) -> None:
        self._is_heard = True
        if number:
            self._wanted.set()
        else:
            self._lose(_Lost(ORDER_STREAM, "it was made anew; what it said before is not known"))

    def _lose(self, lost: _Lost) -> None:
        """Have everything doubted until it was read after this moment."""
        self._is_void = True
        if not any(isinstance(one, _Lost) and one.link == lost.link for one in self._news):
            self._bring(lost)

    # ---- inside

    def _bring(self, news: _Answered | _Margin | _Shown | _Lost) -> None:
        self._news.append(news)
        if self._stir is not None:
            self._stir()

    def _call(self, about: str, what: str) -> None:
        self._tell(CallPerson(about, what, self._now_ns))

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken = error
            if self._stir is not None:
                self._stir()


def _numbers_of_the_day(state: EngineState) -> list[str]:
    """Return the broker's numbers that its book of today must show: of orders that an earlier process saw there."""
    desk = state.desk
    if desk is None:
        return []
    records = state.book.records
    ours = [number for number, name in desk.numbers.items() if day_of(records[name].order.decided_ns) == state.day]
    return [*ours, *desk.external_orders]
