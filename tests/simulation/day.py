"""One simulated day of one account: processes come and go, the market moves, people interfere; then all is healed."""

import random
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np

from manjha.app.trading.outbox import Command, Outgoing
from manjha.domain.bars import BarColumns
from manjha.domain.broker import OrderSeen, Outcome
from manjha.domain.commands import SubmitOrder
from manjha.domain.events import KillSwitched
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.kill import EVERYTHING, KillLevel, Scope
from manjha.domain.moments import SECOND_NS, TradingDay, TsNs
from manjha.domain.money import Cash, Px
from manjha.domain.orders import AccountId, Order, OrderId, OrderType, Product, StrategyId
from manjha.engine.state import EngineState
from manjha.research.backtest import BacktestSpec, prepare
from manjha.risk.control_limits import NO_LIMITS, ControlLimits
from manjha.risk.governor import RateLimits
from manjha.risk.limits import RiskLimits
from tests.fakes.hand_made import FIRST_DAY, Row, minutes, share_named, spec_of
from tests.fakes.journals import SharedMemory
from tests.simulation.broker import FakeBroker, Placed
from tests.simulation.chancer import Chancer
from tests.simulation.checkers import Checkers
from tests.simulation.control_checkers import OPEN_MAX
from tests.simulation.process import Process
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.taking_up import Kept

BARS = 60
"""Minutes of the day's end that are lived, square-off and close included."""
STORM = 40
"""Minutes in which faults strike; in the rest everything must become known."""
SESSION = 375
"""Minutes of a session."""
LIMITS = RiskLimits(open_orders_max=OPEN_MAX)
FIELDS = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
NAMES = ("ALPHA", "BETA")


RUPEE = 10_000
SMALL_WINDOWS = RateLimits(
    per_second=4, per_minute=10, per_day=500, account_per_second=4, account_per_minute=10, account_per_day=500,
    reserve=25,
)  # fmt: skip
TINY_WINDOWS = msgspec.structs.replace(SMALL_WINDOWS, per_second=3, per_minute=5)


def chosen_controls(seed: int) -> ControlLimits | None:
    """Return the controls of a seed, drawn apart from all else."""
    rng = random.Random(~seed)
    if rng.random() < 0.25:
        return None
    return msgspec.structs.replace(
        NO_LIMITS,
        open_value_max=Cash(rng.choice([0, 30_000]) * RUPEE),
        instrument_value_max=Cash(rng.choice([0, 25_000, 60_000]) * RUPEE),
        gross_value_max=Cash(rng.choice([0, 40_000, 100_000]) * RUPEE),
        net_value_max=Cash(rng.choice([0, 40_000]) * RUPEE),
        collar_share=rng.choice([0, 20, 200]),
        collar_min=Px(500),
        price_age_max_ns=5 * SECOND_NS,
        duplicate_ns=2 * SECOND_NS,
        entries_max=rng.choice([0, 2, 5]),
        rejections_max=rng.choice([0, 3]),
        reject_cooldown_ns=rng.choice([0, 150]) * SECOND_NS,
        modifications_max=rng.choice([0, 5, 20]),
        rate=rng.choice([None, SMALL_WINDOWS, TINY_WINDOWS, RateLimits()]),
    )


@cache
def shares() -> tuple[Instrument, ...]:
    return tuple(share_named(name) for name in NAMES)


class Day:
    """The whole of one seed."""

    strategy: ClassVar[str] = Chancer.name
    asks_margin: ClassVar[bool] = False
    """Whether the broker can be asked what an order needs; `margins.MarginDay` is one on which it can."""

    def __init__(self, seed: int, mutate: Callable[["Day"], None] | None = None) -> None:
        self.seed = seed
        rng = np.random.default_rng(seed)
        self.bars = [_last_hour(share, _rows(rng)) for share in shares()]
        self.closes = [int(ns) for ns in self.bars[0].ts_close_ns]
        self.open_ns = int(self.bars[0].ts_open_ns[0])
        self.close_ns = self.closes[-1]
        self.day = FIRST_DAY
        self.world = World(seed, self.open_ns - 60 * SECOND_NS)
        self.marks = {bars.instrument: int(bars.open[0]) for bars in self.bars}
        self.broker = FakeBroker(self.world, self.marks)
        self.shared = SharedMemory(AccountId("SIM001"))
        self.kept: Kept | None = None
        self.controls = self.controls_of(seed)
        self.kill_file: list[KillSwitched] = []
        self.waiting_switches: list[KillSwitched] = []
        self.healed_ns = 2**62
        self.stale: list[OrderSeen] = []
        self.processes: list[Process] = []
        self.checkers = Checkers(self)
        if mutate is not None:
            mutate(self)

    def new_state(self) -> EngineState:
        """Return the state of a process before it has read its journal."""
        return prepare(self.spec())

    def spec(self) -> BacktestSpec:
        """Return what the run is made of."""
        return spec_of(Chancer(seed=self.seed % 2**31), *self.bars, limits=LIMITS, controls=self.controls)

    def listed(self) -> Sequence[Instrument]:
        """Return the exchange's list of instruments, as it is on the day."""
        return shares()

    def controls_of(self, seed: int) -> ControlLimits | None:
        """Return what holds orders back on this day: any of the controls, some tight; on one day in four, none."""
        return chosen_controls(seed)

    def days(self) -> Sequence[TradingDay]:
        """Return the days that are lived."""
        return (self.day,)

    # ---- the day

    def run(self) -> None:
        """Live the day, heal the world, and wait until everything is known."""
        world = self.world
        self._start()
        for position, close_ns in enumerate(self.closes):
            world.at(close_ns, partial(self._bar, position))
        world.at(self.closes[STORM - 1] + 1, self._heal)
        world.at(self.close_ns, self.broker.close_market)
        end_ns = self.close_ns + 120 * SECOND_NS
        while world.next_ns() <= end_ns:
            world.step()
            self._hints()
        self.checkers.settled()

    def _start(self) -> None:
        process = Process(self.world, self, self.broker, len(self.processes) + 1)
        self.processes.append(process)
        process.begin()

    def _to_all(self, what: Callable[[Process], None]) -> Callable[[], None]:
        def tell() -> None:
            for process in list(self.processes):
                process.alive(partial(what, process))()

        return tell

    def _bar(self, position: int) -> None:
        for bars in self.bars:
            self.marks[bars.instrument] = int(bars.close[position])
        self.broker.market_moved()
        self._to_all(Process.turn)()
        self._interfere()

    def _interfere(self) -> None:
        """Let people, the broker and the machine do something."""
        world, rng = self.world, self.world.rng
        newest = self.processes[-1]
        if world.chance("expire_session"):
            self.broker.session_until = world.now_ns
        if world.chance("outsider"):
            self._outside(rng.choice([1, -1]), rng.randint(1, 9), by_broker=False)
        if world.chance("squared_off"):
            held = [(key, qty) for key, qty in self.broker.positions.items() if qty]
            if held:
                (name, _), qty = rng.choice(held)
                self._outside(-1 if qty > 0 else 1, abs(qty), by_broker=True, name=name)
        if world.chance("link_lost"):
            newest.alive(newest.lose_link)()
        if world.chance("pause") and newest.is_alive:
            newest.is_paused = True
            world.after(rng.uniform(1, 90), newest.go_on)
        if world.chance("kill"):
            self._throw()
        if world.chance("take_over"):
            self._start()

    def _throw(self) -> None:
        """Throw the kill switch, by the file as well or not; lift it later."""
        rng = self.world.rng
        level, by_file, calm_s = rng.choice(list(KillLevel)[1:]), rng.random() < 0.5, rng.uniform(20, 900)
        scope = rng.choice(
            [EVERYTHING, *(Scope(instrument=name) for name in self.marks), Scope(StrategyId(self.strategy))]
        )
        self._switch(KillSwitched(level, scope, "a test", "people", TsNs(0)), by_file=by_file)
        lifted = KillSwitched(KillLevel.OFF, scope, "looked", "people", TsNs(0))
        self.world.after(calm_s, partial(self._switch, lifted, by_file=by_file))

    def _switch(self, event: KillSwitched, *, by_file: bool) -> None:
        if by_file:
            self.kill_file.append(msgspec.structs.replace(event, ts_ns=TsNs(self.world.now_ns)))
        self.waiting_switches.append(event)
        self._tell_switches()

    def _tell_switches(self) -> None:
        """Tell the newest process, in order; who gets no answer tells it again."""
        newest = self.processes[-1]
        if not self.waiting_switches:
            return
        if newest.is_alive and not newest.is_paused:
            newest.alive(partial(newest.switch, self.waiting_switches[0]))()
        if self.waiting_switches:
            self.world.after(1.0, self._tell_switches)

    def switched(self, event: KillSwitched) -> None:
        """Hear that a process has taken it over."""
        self.waiting_switches.pop(0)
        self.checkers.acknowledged(event)

    def _outside(self, side: int, qty: int, *, by_broker: bool, name: InstrumentId | None = None) -> None:
        name = name or self.world.rng.choice(list(self.marks))
        placed = Placed(
            self.broker.new_id(), "", name, side, qty, OrderType.MARKET, Product.MIS, 0, 0, by_broker=by_broker
        )
        self.broker.enter(placed)

    def _hints(self) -> None:
        hinted, self.broker.hinted = self.broker.hinted, []
        newest = self.processes[-1]
        for _ in hinted:
            if self.world.chance("drop_hint"):
                continue
            for _ in range(2 if self.world.chance("double_hint") else 1):
                self.world.after(self.world.rng.uniform(0.0, 0.2), newest.alive(newest.hint))

    def _heal(self) -> None:
        self.world.is_healed = True
        self.healed_ns = self.world.now_ns
        for process in self.processes[:-1]:
            process.is_alive = False
        newest = self.processes[-1]
        if newest.is_paused:
            newest.go_on()
        newest.alive(newest.hint)()

    def died(self, process: Process) -> None:
        """Start another process some seconds after the newest one has died."""
        if process is self.processes[-1]:
            self.world.after(self.world.rng.uniform(0.2, 20), self._start)

    def closed_by(self, now_ns: int) -> int:
        """Return how many bars have closed."""
        return sum(close_ns <= now_ns for close_ns in self.closes)

    def margin_asked(self, process: Process, order: Order) -> None:
        """Hear that the broker is asked what an order needs; on a day on which it cannot be, nobody may ask."""
        raise AssertionError(f"process {process.number} asks for the margin of {order.id}")

    # ---- what the checkers hear

    def check(self, process: Process) -> None:
        self.checkers.step(process)

    def sending(self, process: Process, outgoing: Outgoing) -> None:
        self.checkers.sending(process, outgoing)

    def evidence(self, order_id: OrderId, command: Command, outcome: Outcome) -> None:
        if isinstance(command.command, SubmitOrder):
            self.checkers.answered(command.command, outcome)


def _last_hour(share: Instrument, rows: list[Row]) -> BarColumns:
    whole = minutes(share, [rows[0]] * (SESSION - BARS) + rows, length=60)
    return msgspec.structs.replace(whole, **{name: getattr(whole, name)[SESSION - BARS :] for name in FIELDS})


def _rows(rng: np.random.Generator) -> list[Row]:
    level = 500.0
    rows = []
    for step in rng.normal(0, 0.0015, BARS):
        opened = level
        level = round(level * (1 + step) * 20) / 20
        rows.append((opened, max(opened, level) + 0.5, min(opened, level) - 0.5, level))
    return rows
