"""What a recorder keeps: every tick once, the bars of them where nothing is missing, and what is missing."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from manjha.adapters.feeds.in_process import InProcessStream, Kept
from manjha.adapters.files.bar_store import ParquetBarStore
from manjha.adapters.files.tick_days import TickDays
from manjha.domain.bars import MINUTE
from manjha.domain.errors import DataError
from manjha.domain.moments import DAY_NS, MINUTE_NS, SECOND_NS, TradingDay, TsNs, at, parse_clock, parse_day
from manjha.domain.money import Px, Qty
from manjha.domain.streams import Beat, Began, Message, TickSeen
from manjha.domain.tick_days import DayRecord, RecordedTick
from manjha.domain.ticks import Tick, TickColumns
from manjha.engine.bars import bars_from_ticks, column, sessions_of
from manjha.services.tick_fold import DayFold
from manjha.services.tick_recorder import DayDone, RecorderParts, TickRecorder
from tests.fakes.exchanges import DAY, synthetic
from tests.fakes.market_rules import shipped_rules
from tests.fakes.virtual_time import VirtualTime

TODAY = parse_day(DAY)
OPEN = at(TODAY, parse_clock("09:15"))
SHARES = [one for one in synthetic()[0].instruments if str(one.exchange) == "NSE" and one.is_tradable][:2]
ONE, OTHER = (share.id for share in SHARES)
LISTED = {one.id: one for one in SHARES}


class Scene:
    """What a publisher says from the open on: a beat a second, and ticks by chance of a seed."""

    def __init__(self, seed: int = 7) -> None:
        self.chance = random.Random(seed)
        self.said: list[Message] = []
        self.now_ns = OPEN
        self.number = self.interruptions = self.joined = 0
        self.is_up = True
        self.epoch = 0

    def begin(self) -> None:
        self.said.append(Began(TsNs(self.now_ns), "https://api.kite.trade", False, (ONE, OTHER)))
        self.epoch, self.number = len(self.said), 0
        self.beat()

    def beat(self, *, ended: bool = False) -> None:
        self.number += 1
        self.said.append(
            Beat(self.epoch, self.number, TsNs(self.now_ns), self.is_up, self.interruptions, self.joined, ended)
        )

    def live(self, seconds: int) -> None:
        """Let time pass; about a tick a second of each share, some of them late."""
        for _ in range(seconds):
            for name in (ONE, OTHER):
                if self.chance.random() < 0.7:
                    late = self.chance.choice((0, 0, 0, SECOND_NS))
                    px = 1_000_0000 + self.chance.randrange(-500, 500) * 500
                    stamp = TsNs(max(self.now_ns - late, OPEN))
                    self.said.append(
                        TickSeen(self.epoch, TsNs(self.now_ns), name, stamp, Px(px), Qty(self.chance.randrange(90)))
                    )
            self.now_ns = TsNs(self.now_ns + SECOND_NS)
            self.beat()


class Desk:
    """A stream with what was said, and recorders of it that come and go."""

    def __init__(self, folder: Path, said: Sequence[Message], limit: int = 1_000_000) -> None:
        self.folder, self.said, self.limit = folder, said, limit
        self.store = ParquetBarStore(folder / "bars")
        self.kept = Kept(lambda: OPEN, limit)

    @property
    def log(self) -> TickDays:
        return TickDays(self.folder / "ticks", lambda name: LISTED[name].display)

    def recorder(self) -> TickRecorder:
        parts = RecorderParts(
            stream=InProcessStream(self.kept), log=self.log, store=self.store, listed=LISTED, rules=shipped_rules(),
            now_ns=lambda: OPEN,
        )  # fmt: skip
        return TickRecorder(parts, "recorder")

    def record(self) -> Sequence[DayDone]:
        """Say everything, and let one recorder keep it."""

        async def story() -> Sequence[DayDone]:
            await InProcessStream(self.kept).publish([(str(place), one) for place, one in enumerate(self.said)])
            return await self.recorder().run()

        return asyncio.run(story())

    def columns(self) -> list[TickColumns]:
        found = self.log.read(TODAY, [ONE, OTHER])
        assert found is not None
        return found


def whole_story(seconds: int = 400) -> Scene:
    scene = Scene()
    scene.begin()
    scene.live(seconds)
    scene.beat(ended=True)
    return scene


def as_lists(columns: TickColumns) -> tuple[list[int], list[int], list[int]]:
    return list(columns.ts_ns), list(columns.px), list(columns.volume)


def test_what_was_said_is_kept_to_the_last_unit_and_its_bars_are_those_of_the_ticks(tmp_path: Path) -> None:
    scene = whole_story()
    desk = Desk(tmp_path, scene.said)
    (done,) = desk.record()
    ticks = [one for one in scene.said if isinstance(one, TickSeen)]
    assert (done.record.rows, done.record.missing, done.record.torn, done.conflicting) == (len(ticks), (), 0, 0)
    for place, columns in enumerate(desk.columns()):
        own = [one for one in ticks if one.instrument == SHARES[place].id]
        assert (list(columns.px), list(columns.volume)) == ([one.px for one in own], [one.volume for one in own])
        assert list(columns.ts_ns) == sorted(columns.ts_ns)
        sessions = sessions_of(shipped_rules(), SHARES[place], TODAY, TODAY)
        oracle = bars_from_ticks(columns, MINUTE, sessions)
        stored = desk.store.read(SHARES[place].id, MINUTE, OPEN, OPEN + DAY_NS)
        assert len(stored) == 6
        for field in ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume"):
            assert list(getattr(stored, field)) == list(getattr(oracle, field))[: len(stored)], field


@pytest.mark.parametrize("seed", range(8))
def test_killed_at_any_moment_it_goes_on_and_keeps_every_tick_once(tmp_path: Path, seed: int) -> None:
    whole = Desk(tmp_path / "whole", whole_story().said)
    whole.record()
    cut, chance = Desk(tmp_path / "cut", whole.said), random.Random(seed)

    async def story() -> None:
        at_number = 0
        while at_number < len(cut.said):
            until = min(at_number + chance.randrange(1, 400), len(cut.said))
            said = [(str(place), cut.said[place]) for place in range(at_number, until)]
            await InProcessStream(cut.kept).publish(said)
            at_number = until
            life = asyncio.create_task(cut.recorder().run())
            for _ in range(chance.randrange(1, 12)):
                await asyncio.sleep(0)
            life.cancel()
            with suppress(asyncio.CancelledError):
                await life
            if chance.random() < 0.5 and (tmp_path / "cut" / "ticks" / f"{DAY}.csv").exists():
                with (tmp_path / "cut" / "ticks" / f"{DAY}.csv").open("ab") as torn:
                    torn.write(b"2026-11-26 09:15:00.000000+05:30,NSE:X,1.0000,5,torn")
        last = cut.recorder()
        life = asyncio.create_task(last.run())
        await asyncio.sleep(3)
        last.stop()
        await life

    VirtualTime(OPEN).run(story())
    name = f"ticks/{DAY}.csv"
    assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    for share in SHARES:
        bars = [desk.store.read(share.id, MINUTE, OPEN, OPEN + DAY_NS) for desk in (whole, cut)]
        assert [list(one.close) for one in bars[:1]] == [list(one.close) for one in bars[1:]]


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("link", "the publisher's link was lost"),
        ("joined", "the publisher joined ticks"),
        ("silent", "the publisher was silent"),
        ("another", "between two publishers"),
    ],
)
def test_a_bar_of_a_time_of_which_ticks_are_missing_is_not_stored(tmp_path: Path, what: str, why: str) -> None:
    scene = Scene()
    scene.begin()
    scene.live(150)
    if what == "link":
        scene.interruptions += 1
    elif what == "joined":
        scene.joined += 3
    else:
        scene.now_ns = TsNs(scene.now_ns + 20 * SECOND_NS)
        if what == "another":
            scene.begin()
        else:
            scene.beat()
    scene.live(150)
    scene.beat(ended=True)
    desk = Desk(tmp_path, scene.said)
    (done,) = desk.record()
    assert [one.why for one in done.record.missing] == [why]
    missing = done.record.missing[0]
    assert OPEN + 149 * SECOND_NS <= missing.from_ns < missing.until_ns <= OPEN + 171 * SECOND_NS
    # Ticks of the third minute are there, and missing is a part of it: no bar of it, of either share.
    assert done.record.torn == 2
    for share in SHARES:
        opened = list(desk.store.read(share.id, MINUTE, OPEN, OPEN + DAY_NS).ts_open_ns)
        assert [(ts_ns - OPEN) // MINUTE_NS for ts_ns in opened] == [0, 1, 3, 4]


def test_what_came_before_the_recording_and_what_the_stream_lost_is_missing(tmp_path: Path) -> None:
    scene = Scene()
    scene.now_ns = TsNs(OPEN + 90 * SECOND_NS)
    scene.begin()
    scene.live(200)
    scene.beat(ended=True)
    desk = Desk(tmp_path, scene.said)
    (done,) = desk.record()
    assert [(one.from_ns, one.until_ns, one.why) for one in done.record.missing] == [
        (OPEN, OPEN + 90 * SECOND_NS, "before the recording began")
    ]
    assert list(desk.store.read(ONE, MINUTE, OPEN, OPEN + DAY_NS).ts_open_ns) == [
        OPEN + minute * MINUTE_NS for minute in (2, 3)
    ]

    short = Desk(tmp_path / "short", whole_story().said, limit=300)

    async def story() -> Sequence[DayDone]:
        half = len(short.said) // 2
        stream = InProcessStream(short.kept)
        await stream.publish([(str(place), short.said[place]) for place in range(200)])
        first = short.recorder()
        life = asyncio.create_task(first.run())
        await asyncio.sleep(3)
        first.stop()
        await life
        await stream.publish([(str(place), short.said[place]) for place in range(200, half + 400)])
        await stream.publish([("end", short.said[-1])])
        return await short.recorder().run()

    (done,) = VirtualTime(OPEN).run(story())
    assert "the stream no longer had what was said" in [one.why for one in done.record.missing]


def test_a_stream_that_was_made_anew_is_recorded_from_its_beginning(tmp_path: Path) -> None:
    first = Desk(tmp_path, whole_story(130).said)
    first.record()
    scene = Scene(8)
    scene.now_ns = TsNs(OPEN + 200 * SECOND_NS)
    scene.begin()
    scene.live(130)
    scene.beat(ended=True)
    # As after the server has lost its disk, or in another process that keeps its stream itself.
    again = Desk(tmp_path, scene.said)
    again.kept = Kept(lambda: TsNs(OPEN + 1))
    (done,) = again.record()
    ticks = [one for desk in (first, again) for one in desk.said if isinstance(one, TickSeen)]
    assert done.record.rows == len(ticks)
    assert [(one.from_ns, one.until_ns, one.why) for one in done.record.missing] == [
        (OPEN + 130 * SECOND_NS, OPEN + 200 * SECOND_NS, "between two publishers")
    ]
    opened = list(again.store.read(ONE, MINUTE, OPEN, OPEN + DAY_NS).ts_open_ns)
    assert [(ts_ns - OPEN) // MINUTE_NS for ts_ns in opened] == [0, 1, 4]


def test_a_file_that_was_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    desk = Desk(tmp_path, whole_story(30).said)
    desk.record()
    path = tmp_path / "ticks" / f"{DAY}.csv"
    path.write_bytes(path.read_bytes().replace(b"+05:30", b"+05:31", 1))
    with pytest.raises(DataError, match="is not what was written"):
        asyncio.run(asyncio.wait_for(desk.recorder().run(), 10))
    with pytest.raises(DataError, match="is not what was written"):
        desk.columns()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="bytes were recorded"):
        desk.columns()


def test_a_message_that_comes_again_changes_nothing(tmp_path: Path) -> None:
    scene = whole_story(100)
    desk = Desk(tmp_path, scene.said)
    desk.record()
    before = (tmp_path / "ticks" / f"{DAY}.csv").read_bytes()
    # Never acknowledged, as if the process had died before: everything comes again.
    desk.kept.acked.clear()
    fold = DayFold(DayRecord(day=TODAY), LISTED, shipped_rules())

    async def story() -> None:
        tape = await InProcessStream(desk.kept).tape("other", 0)
        messages = await tape.take(10_000, SECOND_NS)
        for one in (*messages, *messages):
            fold.take(one)

    asyncio.run(story())
    assert len(fold.taken()) == len([one for one in scene.said if isinstance(one, TickSeen)])
    assert (tmp_path / "ticks" / f"{DAY}.csv").read_bytes() == before


def test_ticks_that_cannot_be_are_kept_out_and_counted(tmp_path: Path) -> None:
    scene = Scene()
    scene.begin()
    good = TickSeen(1, OPEN, ONE, OPEN, Px(1_000_0000), Qty(1))
    scene.said += [
        good,
        TickSeen(1, OPEN, ONE, OPEN, Px(-5), Qty(1)),
        TickSeen(1, OPEN, ONE, TsNs(OPEN + 60 * SECOND_NS), Px(1_000_0000), Qty(1)),
        TickSeen(1, OPEN, OTHER, TsNs(OPEN - DAY_NS), Px(1_000_0000), Qty(1)),
    ]
    scene.live(70)
    scene.beat(ended=True)
    (done,) = Desk(tmp_path, scene.said).record()
    # The one of yesterday counts as of now, as it does for a trader.
    assert done.record.kept_out == {
        f"{ONE}: the price is zero or negative": 1,
        f"{ONE}: the stamp is more than two seconds ahead of the clock": 1,
    }


def test_a_row_holds_what_a_tick_has(tmp_path: Path) -> None:
    log = TickDays(tmp_path, lambda name: LISTED[name].display)
    record = DayRecord(day=TradingDay(TODAY), instruments=(ONE,))
    assert list(log.begin(record)) == []
    ticks = [
        RecordedTick(4, Tick(ONE, TsNs(OPEN + 1), Px(25), Qty(0))),
        RecordedTick(9, Tick(ONE, TsNs(OPEN + 2_000_000_007), Px(99_99_999_9999), Qty(12))),
    ]
    log.append(ticks)
    stated = log.commit(record)
    assert list(TickDays(tmp_path, str).begin(stated)) == ticks
    (columns,) = TickDays(tmp_path, str).read(TODAY, [ONE]) or []
    assert as_lists(columns) == ([OPEN + 1, OPEN + 2_000_000_007], [25, 99_99_999_9999], [0, 12])
    assert np.asarray(column(np.array([1], np.int64))).dtype == np.int64
