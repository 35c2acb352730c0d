"""Runs of paper and live trading: begun with what they are made of, written down, taken up after a restart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from manjha.domain.bars import BarColumns
from manjha.domain.broker import ENDED, Turned, Unsent
from manjha.domain.commands import Approved, Output, SetTimer, SubmitOrder
from manjha.domain.errors import UsageError
from manjha.domain.events import (
    BrokerRead,
    Event,
    ParametersSet,
    SendsCarried,
    SendVetoed,
    SessionClosed,
    SubmitAnswered,
)
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.orders import OrderId, Origin, RunId
from manjha.domain.ticks import Tick
from manjha.engine.closing import Closed, GrowingBars
from manjha.engine.journaling import note_of, value_of
from manjha.engine.market_frames import BARS, FETCHED, MarketFrames
from manjha.engine.remembered import StrategyMemory
from manjha.engine.state import EngineState
from manjha.engine.terms import Given, RunBegun, RunEnded
from manjha.ports.journal import Journal
from manjha.ports.segments import MarketSegments
from manjha.research.backtest import BacktestSpec
from manjha.research.growing_run import prepare_growing
from manjha.services.carried import sends_before
from manjha.services.recorded_backtests import terms_of
from manjha.services.recorder import SNAPSHOT_EVERY, Recorder, go_on_recording, open_recorder
from manjha.services.replays import Recorded, is_bare, recorded_runs
from manjha.services.taking_up import TakenUp, take_up
from manjha.strategy.interface import Strategy

if TYPE_CHECKING:
    from manjha.domain.instrument import InstrumentId

TICKS_WAITING_MAX = 4_096
"""Ticks that may wait to be written while nothing else is."""
LIVE_GROWTH = 10
"""As `recorder.GROWTH`: a restart steps through a tenth of a long run at most."""
_SAME = (
    "strategy", "source_hash", "parameters", "product", "interval", "further", "initial", "sizing", "limits",
    "controls", "bands",
)  # fmt: skip
"""What a run must have in common with the one that it goes on with, beside its instruments."""


class LivePlan(msgspec.Struct, frozen=True):
    """What is to be traded. `spec.bars` and `spec.further` are history; `found_as` is where the strategy is found.

    Bars that opened before `history_until_ns` are history: indicators see them, nothing is decided on them. A snapshot
    is kept every so many rows at most.
    """

    spec: BacktestSpec
    origin: Origin
    found_as: str
    history_until_ns: TsNs
    snapshot_every: int = SNAPSHOT_EVERY

    @property
    def terms(self) -> RunBegun:
        """What a journal says of how the run is made."""
        terms = terms_of(self.spec, self.origin, self.found_as)
        return msgspec.structs.replace(terms, history_until_ns=self.history_until_ns)


class LiveRun(NamedTuple):
    """A run that may go on now. `taken` is how an earlier process left it; None where there was none.

    `carried` is what the account sent before a new run.
    """

    state: EngineState
    bars: GrowingBars
    tape: "LiveTape"
    taken: TakenUp | None
    carried: SendsCarried | None = None

    @property
    def timers(self) -> Sequence[SetTimer]:
        """Timers that an earlier process had set."""
        return () if self.taken is None else self.taken.beside.timers

    @property
    def now_ns(self) -> TsNs:
        """The time to which the run had come."""
        return TsNs(0) if self.taken is None else self.taken.beside.now_ns

    @property
    def is_new(self) -> bool:
        """Whether there was no earlier process."""
        return self.taken is None


class LiveTape:
    """Implements `app.trading.trader.Tape` over a recorder: market data are written down before what rests on them."""

    def __init__(self, recorder: Recorder) -> None:
        recorder.growth = LIVE_GROWTH
        self.recorder = recorder
        self._frames = MarketFrames()
        self._ticks: list[Tick] = []
        self.newest: dict[InstrumentId, Tick] = {}

    @property
    def waiting(self) -> int:
        """How many rows are not durable yet."""
        return self.recorder.waiting

    def history(self, bars: Sequence[BarColumns], now_ns: TsNs) -> None:
        """Write down the history that a run begins with."""
        self.recorder.market(self._frames.bars(bars), now_ns)

    def closed(self, ts_ns: int, closed: Closed, fetched: Closed = ()) -> None:
        """Write down the bars that close at a moment, made of ticks or of a broker's candles."""
        self._write_ticks()
        for bars, kind in ((closed, BARS), (fetched, FETCHED)):
            if bars:
                self.recorder.market(self._frames.closed(bars, kind), TsNs(ts_ns))

    def ticked(self, tick: Tick) -> None:
        """Write down a tick that was let in."""
        self._ticks.append(tick)
        self.newest[tick.instrument] = tick
        if len(self._ticks) >= TICKS_WAITING_MAX:
            self._write_ticks()

    def record(self, event: Event, ts_ns: TsNs, matching: int = -1) -> object:
        """Write an event down before the engine sees it."""
        self._write_ticks()
        return self.recorder.record(event, ts_ns, matching)

    def decided(self, outputs: Sequence[Output], ts_ns: TsNs) -> None:
        """Write down what the engine made of it."""
        if outputs:
            self.recorder.decided(outputs, ts_ns)

    def commit(self) -> object:
        """Make everything durable, with one wait for the disk where that is enough: an order waits for it."""
        self._write_ticks()
        return self.recorder.commit_at_once()

    def rest(self) -> None:
        """Make everything durable while nothing is urgent, and keep a snapshot where one is due."""
        self._write_ticks()
        if self.recorder.wants_snapshot:
            self.recorder.keep_snapshot()
        elif self.recorder.waiting:
            self.recorder.commit()

    def idle(self) -> None:
        """Make events and decisions durable; market data on which nothing rests yet wait for `rest`."""
        if not self.recorder.has_more_than_market:
            return
        if self.recorder.wants_snapshot:
            self.rest()
        else:
            self.commit()

    def _write_ticks(self) -> None:
        ticks, self._ticks = self._ticks, []
        if ticks:
            self.recorder.market(self._frames.ticks(ticks), ticks[-1].ts_ns)


def open_run(plan: LivePlan, journal: Journal, segments: MarketSegments, now_ns: TsNs) -> LiveRun:
    """Take up the account's last run where it is the same one and has not ended; begin a new one else.

    Raises
    ------
    UsageError
        The last run was another one and still holds positions or open orders: it has to go on, or be closed.
    JournalHalted
        The journal does not do its part, or what it has cannot be read.
    """
    runs = recorded_runs(journal)
    if runs and not _has_ended(journal, runs[-1]) and not is_bare(journal, runs[-1]):
        last = runs[-1]
        differs = _differs(in_force(journal, last, plan.spec.strategy), plan.terms)
        if not differs:
            return _taken_up(plan, journal, segments, last)
        if not holds_nothing(journal, last):
            raise UsageError(
                f"the account's last run, of {last.terms.strategy}, still holds something, and the new one differs in "
                f"{differs}",
                hint="Go on with the same terms, or close what is held first (`manjha kill --level flatten`).",
            )
    return _begun(_by_itself(plan, runs), journal, segments, now_ns)


def finished(plan: LivePlan, journal: Journal, segments: MarketSegments, last_day: TradingDay) -> EngineState | None:
    """Return how the account's last run ended, where it was the one that is meant and has traded all its days.

    Raises `JournalHalted` where what the journal has cannot be read.
    """
    runs = recorded_runs(journal)
    if not runs or not _has_ended(journal, runs[-1]):
        return None
    if _differs(in_force(journal, runs[-1], plan.spec.strategy), plan.terms):
        return None
    state = take_up(plan.spec, journal, segments, runs[-1]).state
    return state if state.ended_day >= last_day else None


def in_force(journal: Journal, run: Recorded, strategy: Strategy) -> RunBegun:
    """Return the terms of a run as they are now: with the parameters that were changed on the way."""
    changed: dict[str, Given] = {one.name: one for one in run.terms.parameters}
    for row in journal.of_kind(ParametersSet.__name__):
        if run.first < row.seq <= run.last:
            for name, text in note_of(row.entry, ParametersSet).values:
                known = strategy.params.get(name)
                changed[name] = Given(name, text if known is None else known.check(text, strategy.name))
    return msgspec.structs.replace(run.terms, parameters=tuple(changed.values()))


def _by_itself(plan: LivePlan, runs: Sequence[Recorded]) -> LivePlan:
    """Give a new run an id that no run of the journal has: orders are named after it."""
    taken, base, count = {run.terms.origin.run for run in runs}, plan.origin.run, 1
    while plan.origin.run in taken:
        count += 1
        origin = msgspec.structs.replace(plan.origin, run=RunId(f"{base}-{count}"))
        plan = msgspec.structs.replace(plan, origin=origin)
    return plan


def _begun(plan: LivePlan, journal: Journal, segments: MarketSegments, now_ns: TsNs) -> LiveRun:
    spec = plan.spec
    carried = sends_before(journal, now_ns)
    recorder = open_recorder(journal, segments, plan.terms, now_ns, snapshot_every=plan.snapshot_every)
    state, bars = prepare_growing(spec, plan.origin)
    tape = LiveTape(recorder)
    tape.history((*spec.bars, *spec.further), now_ns)
    bars.watch(tape.closed)
    recorder.begun(state, StrategyMemory(state))
    recorder.commit()
    return LiveRun(state, bars, tape, None, carried)


def _taken_up(plan: LivePlan, journal: Journal, segments: MarketSegments, run: Recorded) -> LiveRun:
    """Go on with a run: nobody else can write from now on, and what was written is taken up."""
    every = plan.snapshot_every
    recorder = go_on_recording(journal, segments, run.terms.origin.run, run.first, snapshot_every=every)
    taken = take_up(plan.spec, journal, segments, run)
    tape = LiveTape(recorder)
    taken.bars.watch(tape.closed)
    recorder.begun(taken.state, taken.memory, taken.beside)
    return LiveRun(taken.state, taken.bars, tape, taken)


class _Holds:
    """What an account holds, by what its journal says of the broker alone."""

    def __init__(self) -> None:
        self.open: set[OrderId] = set()
        self.held: dict[tuple[str, str], int] = {}
        self._by_tag: dict[str, OrderId] = {}
        self._numbers: dict[str, OrderId] = {}
        self._counted: set[str] = set()

    def take(self, value: object) -> None:
        """Take what one row says."""
        if isinstance(value, Approved) and isinstance(value.command, SubmitOrder):
            self.open.add(value.command.order.id)
            self._by_tag[value.command.tag] = value.command.order.id
        elif isinstance(value, SubmitAnswered | SendVetoed) and _never_there(value):
            self.open.discard(value.order_id)
        elif isinstance(value, BrokerRead):
            self._shown(value)
        elif isinstance(value, SessionClosed):
            # No order outlives its day, also one of which nobody knows whether it was ever there.
            self.open.clear()

    def _shown(self, read: BrokerRead) -> None:
        for seen in read.orders:
            order_id = self._by_tag.get(seen.tag)
            if order_id is not None:
                self._numbers[seen.broker_id] = order_id
                if seen.status in ENDED:
                    self.open.discard(order_id)
        for trade in read.trades:
            if trade.broker_id in self._numbers and trade.id not in self._counted:
                self._counted.add(trade.id)
                key = (trade.instrument, str(trade.product))
                self.held[key] = self.held.get(key, 0) + trade.qty * int(trade.side)


def holds_nothing(journal: Journal, run: Recorded) -> bool:
    """Tell whether a run holds no position and has no open order."""
    holds = _Holds()
    for row in journal.rows(run.first):
        holds.take(value_of(row.entry))
    return not holds.open and not any(holds.held.values())


def _never_there(value: SubmitAnswered | SendVetoed) -> bool:
    return value.is_order if isinstance(value, SendVetoed) else isinstance(value.outcome, Unsent | Turned)


def _has_ended(journal: Journal, run: Recorded) -> bool:
    return any(row.seq > run.first for row in journal.of_kind(RunEnded.__name__, newest_first=True))


def _differs(before: RunBegun, now: RunBegun) -> str:
    """Return what is not the same in a run that might be gone on with; empty where nothing is."""
    names = [name for name in _SAME if getattr(before, name) != getattr(now, name)]
    if [one.id for one in before.instruments] != [one.id for one in now.instruments]:
        names.append("instruments")
    return ", ".join(name.replace("_", " ") for name in names)
