"""A stream of ticks cut at any moments, with its candles: the bars seen are those of the stream that was not cut."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec
import numpy as np
import pytest

from manjha.domain.bars import Bar, BarColumns, Interval
from manjha.domain.events import BarsFilled, MarketAdvanced, SessionClosed
from manjha.domain.instrument import InstrumentId
from manjha.domain.journal import faults
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TsNs, day_of
from manjha.domain.money import Qty
from manjha.domain.orders import Purpose
from manjha.engine.bars import sessions_of
from manjha.engine.digest import digest
from manjha.engine.journaling import value_of
from manjha.engine.late_bars import Lack, Patience
from manjha.research.tick_drive import with_bars_of
from manjha.services.replays import Replays, market_of, recorded_runs
from manjha.strategy.interface import Floats, History, Strategy
from tests.fakes.gaps import Cut, Cutting, StreamCandles
from tests.fakes.journals import MemoryJournal
from tests.fakes.paper import Paper
from tests.fakes.segments import MemorySegments
from tests.fakes.tick_runs import random_tick_run
from tests.parity.test_paper import again, plain

Key = tuple[InstrumentId, Interval]


def cuts_of(paper: Paper, seed: int, count: int = 6) -> list[Cut]:
    """Return cuts of a second to half an hour, apart from each other or right behind each other."""
    rng = np.random.default_rng(seed)
    stamps = paper.screened.ts_ns
    last = int(stamps[-1])
    starts = sorted(
        int(stamps[at]) + int(rng.integers(-3, 60)) * SECOND_NS for at in rng.integers(0, len(stamps), count)
    )
    made: list[Cut] = []
    for start in starts:
        since_ns = max(start, made[-1].until_ns + int(rng.integers(1, 90)) * SECOND_NS if made else 0)
        length = int(rng.choice([1, 20, 70, 400, 1800])) * SECOND_NS + int(rng.integers(SECOND_NS))
        made.append(Cut(since_ns, min(since_ns + length, last - 30 * MINUTE_NS)))
    return [cut for cut in made if cut.since_ns < cut.until_ns]


def storage(paper: Paper) -> tuple[MemoryJournal, MemorySegments]:
    return MemoryJournal(paper.shared), MemorySegments(paper.shared.head.account, paper.stored)


def seen(paper: Paper) -> Mapping[Key, BarColumns]:
    """Return the bars that the engine saw, by the journal."""
    journal, segments = storage(paper)
    return market_of(journal, segments, recorded_runs(journal)[-1]).bars


def uncut(paper: Paper) -> dict[Key, BarColumns]:
    """Return the bars of the whole stream."""
    spec = with_bars_of(paper.run.fresh(), paper.screened)
    return {(one.instrument, one.interval): one for one in (*spec.bars, *spec.further)}


def rows(columns: BarColumns) -> list[Bar]:
    return [columns.bar(at) for at in range(len(columns))]


def replays_as_recorded(paper: Paper, last: str) -> None:
    journal, segments = storage(paper)
    assert list(faults(paper.shared.rows, paper.shared.head)) == []
    replays = Replays(journal, segments, lambda _name: again(paper.run), paper.run.spec.rules)
    found = replays.replay(recorded_runs(journal)[-1]).found
    assert found.difference is None
    assert found.digest == last


def ended(cutting: Cutting) -> str:
    """Live to the end of the days, and return the state's digest."""
    session = cutting.session
    session.pump.finish()
    last = digest(session.trader.state)
    session.tape.recorder.ended(last, session.pump.now_ns)
    return last


@pytest.mark.parametrize("seed", range(24))
def test_the_bars_are_those_of_the_stream_that_was_not_cut(seed: int) -> None:
    paper = Paper(plain(random_tick_run(seed)), "run")
    cutting = Cutting(paper.start(), StreamCandles(paper.run, paper.screened))
    cutting.go(paper.ticks(), cuts_of(paper, seed))
    last = ended(cutting)
    assert cutting.late.missing == 0
    assert {key: rows(one) for key, one in seen(paper).items()} == {key: rows(one) for key, one in uncut(paper).items()}
    replays_as_recorded(paper, last)
    # What was decided on was fresh, and nothing was decided twice.
    closes = cutting.session.trader.state.timeline.close_ns
    for event, now_ns in cutting.given:
        assert isinstance(event, MarketAdvanced | BarsFilled)
        if isinstance(event, MarketAdvanced):
            assert now_ns - closes[event.first] <= Patience().fresh
    positions = [value_of(row.entry) for row in paper.shared.rows]
    spans = [(one.first, one.last) for one in positions if isinstance(one, MarketAdvanced | BarsFilled)]
    assert [first for first, _ in spans[1:]] == [last for _, last in spans[:-1]]


@pytest.mark.parametrize("seed", range(8))
def test_without_candles_only_the_bars_with_a_lost_minute_are_missing(seed: int) -> None:
    paper = Paper(plain(random_tick_run(seed)), "run")
    cutting = Cutting(paper.start(), None)
    cuts = cuts_of(paper, seed)
    cutting.go(paper.ticks(), cuts)
    last = ended(cutting)
    settle = Patience().settle
    lost = [
        (cut.since_ns // MINUTE_NS * MINUTE_NS, -(-(cut.until_ns + settle) // MINUTE_NS) * MINUTE_NS) for cut in cuts
    ]
    for key, one in seen(paper).items():
        whole = rows(uncut(paper)[key])
        kept = [
            bar for bar in whole if not any(bar.ts_close_ns > since and bar.ts_open_ns < until for since, until in lost)
        ]
        assert set(rows(one)) <= set(whole)
        assert set(kept) <= set(rows(one))
    assert cutting.late.missing > 0
    replays_as_recorded(paper, last)


@pytest.mark.parametrize("seed", range(10))
def test_a_process_that_died_has_the_bars_of_its_dead_time_when_it_is_started_again(seed: int) -> None:
    paper = Paper(plain(random_tick_run(seed)), "run")
    paper.snapshot_every = 60 if seed % 2 else 10_000
    candles, ticks = StreamCandles(paper.run, paper.screened), paper.ticks()
    rng = np.random.default_rng(seed)
    dies = sorted(rng.integers(1, len(ticks) * 2 // 3, 2).tolist())
    cutting, at = Cutting(paper.start(), candles), 0
    for die in dies:
        dies_ns = ticks[max(die, at + 1) - 1].ts_ns
        # It dies while it waits for the bars of a time before.
        cutting.go(ticks[at:die], [Cut(dies_ns - 90 * SECOND_NS, dies_ns - 20 * SECOND_NS)])
        now_ns = dies_ns + int(rng.integers(5, 2_000)) * SECOND_NS
        at = next(number for number, tick in enumerate(ticks) if tick.ts_ns >= now_ns)
        cutting = Cutting(paper.start(now_ns), candles)
        assert not cutting.session.is_new
        closes = cutting.session.trader.state.timeline.close_ns
        since_ns = int(closes[len(closes) - 1]) if len(closes) else ticks[0].ts_ns
        cutting.late.lost(max(since_ns, ticks[0].ts_ns // (24 * 60 * MINUTE_NS) * (24 * 60 * MINUTE_NS)))
        cutting.late.joined(TsNs(max(now_ns, cutting.session.pump.now_ns)))
        asked_before = len(candles.asked)
        cutting.wait(ticks[at].ts_ns)
        longest = max(key[1] for key in uncut(paper)) * SECOND_NS
        assert all(from_ns >= since_ns - longest for _, from_ns, _ in candles.asked[asked_before:])
    cutting.go(ticks[at:], [])
    last = ended(cutting)
    found = seen(paper)
    for key, whole in uncut(paper).items():
        assert rows(found[key]) == rows(whole)
    replays_as_recorded(paper, last)


class Leaning(Strategy):
    """States at each bar how it leans: on the side of the last move."""

    name = "leaning"
    instruments_max: ClassVar[int] = 0

    def targets(self, history: History) -> Floats:
        closes = history.column("close")
        return 0.5 * np.sign(np.diff(closes, axis=0, prepend=closes[:1]))


@pytest.mark.parametrize("seed", [1, 2, 3, 5, 6, 7])
def test_stated_targets_of_late_bars_are_not_carried_out_and_replay_as_recorded(seed: int) -> None:
    paper = Paper(plain(random_tick_run(seed, lambda _rng, _product: Leaning)), "run")
    cutting = Cutting(paper.start(), StreamCandles(paper.run, paper.screened))
    cutting.go(paper.ticks(), cuts_of(paper, seed))
    last = ended(cutting)
    replays_as_recorded(paper, last)
    late = [one for one, _ in cutting.given if isinstance(one, BarsFilled)]
    assert late
    closes = cutting.session.trader.state.timeline.close_ns
    of_the_past = {closes[at] for one in late for at in range(one.first, one.last)}
    assert paper.sent
    decided = {sent.order.decided_ns for sent in paper.sent if sent.order.purpose is Purpose.SIGNAL}
    assert not decided & of_the_past


class Unsettled(StreamCandles):
    """Changes the newest candle with each answer until it is five seconds old."""

    def minutes(self, name: InstrumentId, lack: Lack, asked_ns: int) -> Sequence[Bar]:
        bars = list(super().minutes(name, lack, asked_ns))
        if bars and asked_ns < bars[-1].ts_close_ns + 5 * SECOND_NS:
            bars[-1] = msgspec.structs.replace(bars[-1], volume=Qty(bars[-1].volume + len(self.asked)))
        return bars


@pytest.mark.parametrize("seed", range(6))
def test_a_candle_that_still_changes_is_not_believed(seed: int) -> None:
    paper = Paper(plain(random_tick_run(seed)), "run")
    cutting = Cutting(paper.start(), Unsettled(paper.run, paper.screened))
    cutting.go(paper.ticks(), cuts_of(paper, seed))
    ended(cutting)
    assert cutting.late.missing == 0
    assert {key: rows(one) for key, one in seen(paper).items()} == {key: rows(one) for key, one in uncut(paper).items()}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("delay_s", [9, 45])
def test_candles_that_come_late_or_too_late_never_make_a_wrong_bar(seed: int, delay_s: int) -> None:
    paper = Paper(plain(random_tick_run(seed)), "run")
    patience = Patience(settle=(delay_s + 1) * SECOND_NS, sure=50 * SECOND_NS)
    cutting = Cutting(paper.start(), StreamCandles(paper.run, paper.screened, delay_s * SECOND_NS), patience)
    cutting.go(paper.ticks(), cuts_of(paper, seed))
    last = ended(cutting)
    for key, one in seen(paper).items():
        assert set(rows(one)) <= set(rows(uncut(paper)[key]))
    replays_as_recorded(paper, last)


def test_the_newest_bar_is_decided_on_where_its_candle_comes_in_time_and_only_seen_where_not() -> None:
    for patience, decides in ((Patience(), True), (Patience(fresh=SECOND_NS), False)):
        paper = Paper(plain(random_tick_run(1)), "run")
        ticks = paper.ticks()
        cutting = Cutting(paper.start(), StreamCandles(paper.run, paper.screened), patience)
        middle = ticks[len(ticks) // 2].ts_ns // (5 * MINUTE_NS) * (5 * MINUTE_NS)
        cutting.go(ticks, [Cut(middle + 250 * SECOND_NS, middle + 270 * SECOND_NS)])
        event, now_ns = cutting.given[-1]
        assert isinstance(event, MarketAdvanced if decides else BarsFilled)
        assert now_ns - (middle + 5 * MINUTE_NS) <= 4 * SECOND_NS
        assert msgspec.structs.asdict(event)["last"] == cutting.given[-1][0].last  # type: ignore[union-attr]


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_decided_on_the_last_bars_of_a_day_that_has_ended(seed: int) -> None:
    paper = Paper(plain(random_tick_run(seed)), "run")
    cutting = Cutting(paper.start(), StreamCandles(paper.run, paper.screened), Patience(fresh=MINUTE_NS))
    one = paper.run.spec.instruments[0]
    first = day_of(int(paper.screened.ts_ns[0]))
    closes_ns = sessions_of(paper.run.spec.rules, one, first, first)[0][1][-1][1]
    cutting.go(paper.ticks(), [Cut(closes_ns - 90 * SECOND_NS, closes_ns - 15 * SECOND_NS)])
    cutting.wait(closes_ns + MINUTE_NS)
    last, has_closed = ended(cutting), False
    for row in paper.shared.rows:
        event = value_of(row.entry)
        has_closed = has_closed or (isinstance(event, SessionClosed) and event.day == first)
        if isinstance(event, MarketAdvanced) and has_closed:
            assert day_of(row.entry.ts_ns - 1) > first
    assert has_closed
    replays_as_recorded(paper, last)
