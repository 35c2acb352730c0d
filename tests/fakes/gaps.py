"""A stream of ticks that is cut now and then, and somebody who still has its candles."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from manjha.app.trading.session import Session
from manjha.domain.bars import MINUTE, Bar
from manjha.domain.events import Event
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs, day_of
from manjha.domain.ticks import Tick, TickColumns
from manjha.engine.bars import bars_from_ticks, column, sessions_of
from manjha.engine.late_bars import Lack, LateBars, Patience
from manjha.research.tick_drive import Screened
from tests.fakes.tick_runs import TickRun

AGAIN_NS = 2 * SECOND_NS


class Cut(NamedTuple):
    """Ticks from one moment until before another are lost."""

    since_ns: int
    until_ns: int


class StreamCandles:
    """Minutes of a stream, as a broker has them: those that have closed a while ago, and a part of the running one."""

    def __init__(self, run: TickRun, screened: Screened, delay_ns: int = SECOND_NS) -> None:
        self.delay_ns = delay_ns
        self.asked: list[tuple[InstrumentId, int, int]] = []
        self._ticks: dict[InstrumentId, TickColumns] = {}
        self._sessions = {}
        days = day_of(int(screened.ts_ns[0])), day_of(int(screened.ts_ns[-1]))
        for at, one in enumerate(run.spec.instruments):
            mine = screened.number == at
            held = [column(values[mine]) for values in (screened.ts_ns, screened.px, screened.volume)]
            self._ticks[one.id] = TickColumns(one.id, *held)
            self._sessions[one.id] = sessions_of(run.spec.rules, one, *days)

    @property
    def names(self) -> Sequence[InstrumentId]:
        """Whose they are."""
        return tuple(self._ticks)

    def minutes(self, name: InstrumentId, lack: Lack, asked_ns: int) -> Sequence[Bar]:
        """Return what is there at a moment."""
        self.asked.append((name, lack.from_ns, asked_ns))
        ticks = self._ticks[name]
        stamps = np.asarray(ticks.ts_ns)
        there = (stamps < asked_ns - self.delay_ns) & (stamps >= lack.from_ns)
        columns = (column(np.asarray(values)[there]) for values in (ticks.ts_ns, ticks.px, ticks.volume))
        bars = bars_from_ticks(TickColumns(name, *columns), MINUTE, self._sessions[name])
        return [bar for bar in map(bars.bar, range(len(bars))) if bar.ts_open_ns < lack.until_ns]


class Cutting:
    """Drives a session through a stream with cuts, second by second while bars are waited for.

    `given` is what came late, with when it did. `candles` None is a broker that has none.
    """

    def __init__(
        self, session: Session, candles: StreamCandles | None, patience: Patience | None = None, source: str = "candles"
    ) -> None:
        self.session, self.candles = session, candles
        self.late = LateBars(session.trader.state, session.bars, source, patience)
        self.given: list[tuple[Event, int]] = []
        self._due: dict[InstrumentId, int] = {}

    def go(self, ticks: Sequence[Tick], cuts: Sequence[Cut]) -> None:
        """Go through ticks of which those in the cuts are lost; each loss is noticed at once."""
        moments: list[tuple[int, Callable[[TsNs], None]]] = []
        for cut in cuts:
            moments += [(cut.since_ns, self._lose), (cut.until_ns, self.late.joined)]
        for tick in ticks:
            while moments and moments[0][0] <= tick.ts_ns:
                at_ns, happens = moments.pop(0)
                self.wait(at_ns)
                happens(TsNs(at_ns))
            if any(cut.since_ns <= tick.ts_ns < cut.until_ns for cut in cuts):
                continue
            self.wait(tick.ts_ns)
            self.session.on_tick(tick, tick.ts_ns)
        for at_ns, happens in moments:
            self.wait(at_ns)
            happens(TsNs(at_ns))

    def wait(self, until_ns: int) -> None:
        """Let time pass, and take a turn every second in which something may be had."""
        pump = self.session.pump
        while self.late.holds and not self.late.is_open and pump.now_ns + SECOND_NS < until_ns:
            self.turn(pump.now_ns + SECOND_NS)
        self.turn(until_ns)

    def turn(self, now_ns: int) -> None:
        """Let time come to a moment, ask for what is lacking and give what is due."""
        self.session.advance_to(TsNs(now_ns))
        now_ns = self.session.pump.now_ns
        for name, lack in self.late.lacks().items():
            if self.candles is not None and now_ns >= self._due.get(name, 0):
                self._due[name] = now_ns + AGAIN_NS
                self.late.take(name, self.candles.minutes(name, lack, now_ns), now_ns)
        self.late.go_on(TsNs(now_ns), self._apply)

    def _lose(self, ts_ns: TsNs) -> None:
        self.late.lost(ts_ns)

    def _apply(self, event: Event) -> None:
        self.given.append((event, self.session.pump.now_ns))
        self.session.pump.apply(event)
