"""A live loop whose feed is lost for a while: bars are fetched beside it, at a bounded pace, and trading goes on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest

from manjha.app.trading.backfill import Backfill
from manjha.app.trading.loop import Loop, People
from manjha.app.trading.session import Session
from manjha.app.trading.steady_clock import SteadyClock
from manjha.domain.bars import Bar
from manjha.domain.commands import CallPerson
from manjha.domain.errors import SourceError
from manjha.domain.events import BarsFilled, MarketAdvanced
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TsNs
from manjha.domain.ticks import Tick
from manjha.engine.late_bars import Lack, LateBars
from manjha.ports.feed import FeedHealth
from manjha.research.tick_drive import screen
from tests.fakes.gaps import Cut, StreamCandles
from tests.fakes.remote import NoKill, Played, Remote, Silent, played
from tests.fakes.virtual_time import VirtualTime

NO = SourceError("Kite refuses: status 429")


class CutFeed:
    """Implements `ports.feed.Feed`: each tick at its time, but for a while in which the link is down."""

    def __init__(self, ticks: Sequence[Tick], time: VirtualTime, cut: Cut, noticed_ns: int = 0) -> None:
        self._ticks, self._time, self._cut = ticks, time, cut
        self._noticed_ns = cut.since_ns + noticed_ns
        self._arrived_ns = TsNs(0)

    async def ticks(self) -> AsyncIterator[Tick]:
        for tick in self._ticks:
            if not self._cut.since_ns <= tick.ts_ns < self._cut.until_ns:
                await self._time.until(tick.ts_ns)
                self._arrived_ns = self._time.now_ns()
                yield tick
        await self._time.until(self._ticks[-1].ts_ns + 3 * MINUTE_NS)

    def health(self) -> FeedHealth:
        now_ns = self._time.now_ns()
        is_up = not self._noticed_ns <= now_ns < self._cut.until_ns
        silent_ns = now_ns - self._cut.since_ns if self._cut.since_ns <= now_ns < self._cut.until_ns and is_up else 0
        return FeedHealth(
            is_up, 0, self._arrived_ns, self._arrived_ns, int(now_ns >= self._noticed_ns), silent_ns=silent_ns
        )

    async def close(self) -> None:
        """Let go of nothing."""


class SlowCandles:
    """Implements `ports.candles.CandleSource` over a stream; each answer takes a moment, and errors come first."""

    source = "elsewhere"

    def __init__(self, stream: StreamCandles, time: VirtualTime, errors: Sequence[Exception] = ()) -> None:
        self._stream, self._time, self._errors = stream, time, list(errors)
        self.asked: list[int] = []

    def all_minutes(self) -> Sequence[Bar]:
        """Return all of the stream's minutes."""
        name = next(iter(self._stream.names))
        return self._stream.minutes(name, Lack(TsNs(0), TsNs(2**62)), 2**62)

    async def minutes(self, instrument: InstrumentId, from_ns: TsNs, until_ns: TsNs) -> Sequence[Bar]:
        self.asked.append(self._time.now_ns())
        await asyncio.sleep(0.4)
        if self._errors:
            raise self._errors.pop(0)
        return self._stream.minutes(instrument, Lack(from_ns, until_ns), self._time.now_ns())


class Lived:
    """A session of thirty minutes in which the link is down for a while, from some seconds after the open."""

    def __init__(
        self, since_s: int, until_s: int, errors: Sequence[Exception] = (), starts_s: int = -180, noticed_s: int = 0
    ) -> None:
        run = played({})
        self.remote = remote = Remote(run)
        first = remote.ticks[0].ts_ns // MINUTE_NS * MINUTE_NS
        remote.time = VirtualTime(first + starts_s * SECOND_NS)
        cut = Cut(first + since_s * SECOND_NS, first + until_s * SECOND_NS)
        self.first_ns, self.calls = first, list[CallPerson]()
        self.candles = SlowCandles(StreamCandles(run, screen(run.fresh(), run.ticks)), remote.time, errors)
        coming = [tick for tick in remote.ticks if tick.ts_ns >= remote.time.now_ns()]
        self.feed = CutFeed(coming, remote.time, cut, noticed_s * SECOND_NS)
        self.session = remote.time.run(self._live(since_open=starts_s > 0))

    async def _live(self, *, since_open: bool) -> Session:
        remote = self.remote
        session = remote.start()
        late = LateBars(session.trader.state, session.bars, self.candles.source)
        if since_open:
            late.lost(self.first_ns)
        session = session._replace(backfill=Backfill(late, session.pump, self.candles, self.calls.append))
        clock = SteadyClock(remote.time.now_ns, remote.time.now_ns)
        await Loop(session, self.feed, People(None, NoKill()), Silent(), clock, follows_clock=True).run()
        return session

    @property
    def closes(self) -> list[int]:
        """Which minutes of the session were seen."""
        return [(one - self.first_ns) // MINUTE_NS for one in self.session.trader.state.timeline.close_ns]

    @property
    def decided(self) -> int:
        """On how many bars the strategy was asked."""
        strategy = self.session.trader.state.strategy
        assert isinstance(strategy, Played)
        return strategy.seen


@pytest.mark.failure("F59")
def test_the_bars_of_a_time_without_a_link_are_fetched_and_the_newest_one_is_decided_on() -> None:
    lived = Lived(190, 430)
    assert lived.closes == list(range(1, 31))
    filled = [event for event in lived.remote.events if isinstance(event, BarsFilled)]
    # Minutes 4 to 7 are of the past; the torn eighth one was there within seconds after its close.
    assert [(one.last - one.first, one.fetched, one.source) for one in filled] == [(4, 4, "elsewhere")]
    assert lived.decided == 26
    newest = [event for event in lived.remote.events if isinstance(event, MarketAdvanced) and event.first == 7]
    assert len(newest) == 1
    assert (lived.session.backfill.fetched, lived.session.backfill.missing) == (5, 0)
    assert not lived.calls


def test_who_starts_in_mid_session_has_the_bars_since_the_open() -> None:
    lived = Lived(10**6, 10**6, starts_s=610)
    assert lived.closes == list(range(1, 31))
    assert lived.decided == 20
    assert lived.session.backfill.fetched == 11


@pytest.mark.failure("F69")
def test_where_candles_are_refused_trading_goes_on_with_a_gap_that_is_told_once() -> None:
    lived = Lived(190, 430, [NO] * 1_000)
    assert lived.closes == [1, 2, 3, *range(9, 31)]
    assert lived.decided == 25
    assert [call.about for call in lived.calls] == ["missing bars", "missing bars"]
    assert "no candles of the time without ticks since" in lived.calls[0].what
    assert "429" in lived.calls[0].what
    assert lived.calls[1].what.startswith("5 bars")
    waits = [(after - before) // SECOND_NS for before, after in pairwise(lived.candles.asked)]
    assert waits == sorted(waits)
    assert 5 <= min(waits) <= max(waits) <= 61
    # Nobody asks any more for what has no place any more.
    assert max(lived.candles.asked) < lived.first_ns + 10 * MINUTE_NS


@pytest.mark.failure("F69")
def test_candles_that_are_refused_for_a_while_are_had_before_the_next_bar_closes() -> None:
    lived = Lived(190, 430, [NO] * 4)
    assert lived.closes == list(range(1, 31))
    assert lived.session.backfill.missing == 0
    # The torn bar came later than a decision may be taken.
    assert lived.decided == 25
    assert len(lived.calls) == 1


def test_a_mistake_of_ours_ends_the_loop_and_is_no_gap() -> None:
    with pytest.raises(ZeroDivisionError):
        Lived(190, 430, [ZeroDivisionError("ours")])


@pytest.mark.failure("F59")
@pytest.mark.parametrize("until_s", [200, 185])
def test_a_bar_that_closes_while_a_link_gives_no_sign_of_life_waits_for_its_candle(until_s: int) -> None:
    # The link falls silent at 175 s; it would be given up at 182 s, two seconds after a bar has closed.
    lived = Lived(175, until_s, noticed_s=7)
    assert lived.closes == list(range(1, 31))
    state = lived.session.trader.state
    seen = [state.ctx.markets[one.id].series.columns for one in state.setup.instruments]
    whole = lived.candles.all_minutes()
    assert [seen[0].bar(at) for at in range(30)] == list(whole)


def test_a_link_that_was_lost_for_a_moment_tears_one_bar_which_is_decided_on() -> None:
    lived = Lived(100, 101)
    assert lived.closes == list(range(1, 31))
    assert lived.decided == 30
    assert lived.session.backfill.fetched == 1
