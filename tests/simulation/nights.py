"""Days whose end no process sees: all die before the close, another begins the next morning, before or after the open.

Meanwhile orders of the day trade on, the broker squares off what is intraday, and its book begins anew: positions alone
tell what became of them.
"""

import random
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from manjha.domain.moments import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, TradingDay
from manjha.domain.orders import Product
from manjha.research.backtest import BacktestSpec
from tests.fakes.hand_made import spec_of
from tests.simulation.chancer import Chancer
from tests.simulation.checkers import Checkers
from tests.simulation.day import LIMITS, Day
from tests.simulation.process import Process

if TYPE_CHECKING:
    from manjha.domain.instrument import InstrumentId
    from manjha.domain.orders import OrderId
    from manjha.engine.desk import Held
    from manjha.orders.book import OrderRecord

MORNING = 20
"""Minutes of the new day that are lived."""


class Carrier(Chancer):
    """Holds what it buys over night."""

    name: ClassVar[str] = Chancer.name
    product: ClassVar[Product] = Product.CNC


class NightCheckers(Checkers):
    """Looks away from missing protection where it waits for what is held to be known."""

    def _protected(self, process: Process) -> None:
        desk = process.state.desk
        if desk is None or not desk.unchecked:
            super()._protected(process)

    def _written_off(self, process: Process, changed: "list[tuple[OrderId, OrderRecord]]") -> None:
        """INV-19: by day alone; what is sought when its day ends is over with it."""
        if process.state.day == self.day.day:
            super()._written_off(process, changed)

    def _ledger(self, process: Process) -> None:
        """INV-06: as by day; what is delivered is paid for as well."""
        portfolio = process.state.portfolio
        cash = int(process.state.setup.initial)
        for key, position in portfolio.positions.items():
            cash += position.realised - (position.cost if key in portfolio.paid else 0)
        if portfolio.ledger.cash + portfolio.ledger.charges().total != cash:
            self.fail("06", f"cash is {portfolio.ledger.cash}, expected {cash} less charges")


class NightDay(Day):
    """A day, the night after it, and the next morning."""

    def __init__(self, seed: int) -> None:
        self.by_night = random.Random(~seed)
        self.carries = self.by_night.random() < 0.6
        super().__init__(seed)
        self.checkers = NightCheckers(self)
        self.world.levels |= dict.fromkeys(("kill", "take_over"), 0.0)
        # An evening is seen by some: then nothing is left to ask.
        self.sleep_ns = self.close_ns - int(self.by_night.uniform(-0.1, 0.8) * HOUR_NS)
        self.next_open_ns = self.close_ns - self.close_ns % DAY_NS + DAY_NS + 3 * HOUR_NS + 45 * MINUTE_NS
        self.wake_ns = self.next_open_ns + int(self.by_night.uniform(-90, 5) * MINUTE_NS)
        self.is_asleep = False
        self.morning: dict[Held, int] = {}
        self.unseen = self.frozen = 0

    def controls_of(self, seed: int) -> None:
        """Return no controls: what they count by the day is looked at elsewhere."""
        return

    def spec(self) -> BacktestSpec:
        """Return what the run is made of."""
        strategy = (Carrier if self.carries else Chancer)(seed=self.seed % 2**31)
        return spec_of(strategy, *self.bars, limits=LIMITS)

    def days(self) -> Sequence[TradingDay]:
        """Return the two days."""
        return (self.day, TradingDay(self.day + 1))

    def run(self) -> None:
        """Live a day, a night and a morning."""
        world = self.world
        self._start()
        for position, close_ns in enumerate(self.closes):
            world.at(close_ns, partial(self._bar, position))
        world.at(self.sleep_ns, self._sleep)
        world.at(self.close_ns - 10 * MINUTE_NS, self._square_off)
        world.at(self.close_ns, self.broker.close_market)
        world.at(self.close_ns + 12 * HOUR_NS, self._new_book)
        world.at(self.wake_ns, self._wake)
        world.at(self.next_open_ns + SECOND_NS, self._open)
        for minute in range(1, MORNING):
            world.at(self.next_open_ns + minute * MINUTE_NS, self._moves)
        while world.next_ns() <= self.next_open_ns + (MORNING + 15) * MINUTE_NS:
            world.step()
            self._hints()
        self._settled()

    def died(self, process: Process) -> None:
        """Start another process, unless it is night."""
        if not self.is_asleep:
            super().died(process)

    def _start(self) -> None:
        if not self.is_asleep:
            super()._start()

    def _bar(self, position: int) -> None:
        if not self.is_asleep:
            super()._bar(position)
            return
        for bars in self.bars:
            self.marks[bars.instrument] = int(bars.close[position])
        self.broker.market_moved()

    def _sleep(self) -> None:
        self.is_asleep = True
        for process in self.processes:
            process.is_alive = False

    def _square_off(self) -> None:
        for (name, product), qty in list(self.broker.positions.items()):
            if qty and product is Product.MIS:
                self._outside(-1 if qty > 0 else 1, abs(qty), by_broker=True, name=name)

    def _new_book(self) -> None:
        """Let the broker forget the day; nothing intraday is left."""
        broker = self.broker
        broker.hidden |= broker.orders.keys()
        for key in broker.positions:
            if key[1] is Product.MIS:
                broker.positions[key] = 0

    def _wake(self) -> None:
        self.is_asleep, self.world.is_healed, self.healed_ns = False, True, self.world.now_ns
        self.broker.session_until = 2**62
        self.morning = dict(self.broker.positions)
        self._start()

    def _open(self) -> None:
        self.broker.is_open = True

    def _moves(self) -> None:
        for name in self.marks:
            self.marks[name] = int(self.marks[name] * self.by_night.uniform(0.996, 1.004)) // 500 * 500
        self.broker.market_moved()
        for process in self.processes:
            process.alive(process.turn)()

    # ---- what must hold

    def _settled(self) -> None:
        process, fail = self.processes[-1], self.checkers.fail
        state, desk = process.state, process.state.desk
        assert desk is not None
        self.checkers._read_rows()
        if not process.is_alive or state.day != self.days()[1]:
            fail("L0", f"no process lives on day {self.days()[1]}")
        if not desk.is_compared or desk.unconfirmed:
            fail("L2", f"not compared: {state.gate.closed}, suspects {desk.suspects}, {list(desk.unconfirmed)}")
        for record in state.book.open_orders():
            if record.order.decided_ns < self.close_ns:
                fail("15", f"{record.order.id} of yesterday is {record.phase}")
        self._never_opened()
        self._agree(process)
        self.checkers._replay(process)
        self.unseen, self.frozen = len(desk.gone), len(state.gate.closed)

    def _never_opened(self) -> None:
        """INV-04: on the new morning what we send only ever makes a position smaller."""
        for key, now in self.broker.positions.items():
            before = self.morning.get(key, 0)
            if abs(now) > abs(before) or now * before < 0:
                self.checkers.fail("04", f"{key}: an exit has made {now} of {before}")

    def _agree(self, process: Process) -> None:
        """INV-04: what our books hold is what the broker has, or the instrument waits for a person."""
        state, desk = process.state, process.state.desk
        assert desk is not None
        here: Counter[tuple[InstrumentId, Product]] = Counter(desk.external)
        for position in state.portfolio.open_positions():
            here[position.key.instrument, position.key.product] += position.qty
        for key in {*here, *self.broker.positions}:
            really, is_frozen = self.broker.positions.get(key, 0), key[0] in state.gate.closed
            if here.get(key, 0) != really and not is_frozen:
                self.checkers.fail("04", f"{key}: ours {here.get(key, 0)}, the broker's {really}")
