"""A restart from a snapshot is a restart from the beginning: state, timers, bars being made, and what follows."""

import copy
from typing import Any

import msgspec
import numpy as np
import pytest

from manjha.app.trading.session import Session
from manjha.domain.journal import Snapshot
from manjha.domain.orders import Product
from manjha.engine.closing import GrowingBars
from manjha.engine.digest import digest
from manjha.engine.snapshots import Beside, kept_in, snapshot_of
from manjha.services import taking_up
from manjha.strategy.interface import Floats, History, Strategy
from tests.fakes.journals import SharedMemory
from tests.fakes.paper import Paper
from tests.fakes.random_runs import Generator
from tests.fakes.tick_runs import Chance, TickRun, random_tick_run

WAKEUP_AT = 6


class _Draws:
    """A generator whose whole memory is a number that the strategy has."""

    def __init__(self, strategy: "Rememberer") -> None:
        self._strategy = strategy

    def _next(self) -> Generator:
        self._strategy.drawn += 1
        return np.random.default_rng((self._strategy.seed, self._strategy.drawn))

    def random(self) -> float:
        return float(self._next().random())

    def integers(self, *given: int) -> int:
        return int(self._next().integers(*given))  # type: ignore[call-overload]


class Rememberer(Chance):
    """Asks by chance as `Chance` does, and remembers nothing that cannot be written down."""

    drawn = 0

    @property
    def rng(self) -> Any:
        return _Draws(self)

    @rng.setter
    def rng(self, _given: object) -> None:
        self.drawn = 0


class Asked(Strategy):
    """States targets, and remembers how often it was asked."""

    name = "asked"
    product = Product.MIS
    asked = 0

    def targets(self, history: History) -> Floats:
        self.asked += 1
        close = history.column("close")
        return np.where(np.arange(len(close))[:, None] % 3 == 0, np.sign(close - close[0]), np.nan)


def chances(seed: int) -> TickRun:
    run = random_tick_run(seed)
    given = run.make()
    assert isinstance(given, Chance)
    product, intervals = given.product, given.intervals
    return paper_like(run._replace(make=lambda: Rememberer(seed, product, intervals)))


def asks(seed: int) -> TickRun:
    return paper_like(random_tick_run(seed, lambda _rng, _product: Asked, many=1))


def paper_like(run: TickRun) -> TickRun:
    return run._replace(spec=msgspec.structs.replace(run.spec, strategy=run.make(), contract_notes=True, actions=()))


def at(shared: SharedMemory) -> SharedMemory:
    """Return a copy of the storage of this moment."""
    made = SharedMemory(shared.head.account)
    made.head, made.rows, made.snapshots = shared.head, list(shared.rows), list(shared.snapshots)
    return made


def copied(paper: Paper, shared: SharedMemory) -> Paper:
    made = copy.copy(paper)
    made.shared, made.stored = at(shared), dict(paper.stored)
    made.calls, made.sent = [], []
    return made


def made(bars: GrowingBars) -> list[object]:
    """Return the bars that are being made."""
    return [(key, one.start, one.end, one.bar()) for key, one in sorted(bars._bars._made.items())]


def everything(session: Session) -> tuple[object, ...]:
    """Return all that a process knows, what its strategy remembers and what its bars are made of included."""
    state, taken = session.trader.state, session.taken
    assert taken is not None
    memory = session.tape.recorder._memory
    assert memory is not None
    kept = msgspec.structs.asdict(kept_in(snapshot_of(state, memory, Beside())))
    # How many positions were asked for is told by the position reached; who has just begun knows only its own.
    numbers = [number for at, number in enumerate(kept.pop("numbers")) if at != WAKEUP_AT]
    columns = [(key, [list(getattr(s.columns, name)) for name in ("ts_open_ns", "close", "volume")])
               for key, s in state.timeline.series.items()]  # fmt: skip
    pump = session.pump
    return digest(state), kept, numbers, made(taken.bars), columns, pump.timers(), pump.now_ns, state.ctx.warmup


@pytest.mark.parametrize("make", [chances, asks])
@pytest.mark.parametrize("seed", range(10))
def test_from_a_snapshot_and_from_the_beginning_come_to_the_same(make: Any, seed: int) -> None:
    run = make(seed)
    paper = Paper(run, "run")
    paper.snapshot_every = 40
    ticks = paper.ticks()
    rng = np.random.default_rng(seed)
    cuts = sorted({*rng.integers(1, len(ticks), 4).tolist(), len(ticks) - 1})
    session, done, used = paper.start(), 0, 0
    for cut in cuts:
        for tick in ticks[done:cut]:
            session.on_tick(tick, tick.ts_ns)
            if rng.random() < 0.2:
                session.trader.rest()
        done, now_ns, written = cut, ticks[cut - 1].ts_ns, rng.random() < 0.5
        if written:
            session.trader.rest()
        quick, whole = copied(paper, paper.shared), copied(paper, paper.shared)
        whole.shared.snapshots = []
        one, other = quick.start(now_ns), whole.start(now_ns)
        assert one.taken is not None
        assert other.taken is not None
        assert (one.taken.passed_over, other.taken.after) == ((), 0)
        used += one.taken.after > 0
        assert one.taken.rows <= other.taken.rows
        assert one.taken.after == max((s.seq for s in paper.shared.snapshots), default=0)
        assert everything(one) == everything(other)
        if written:
            assert made(one.taken.bars) == made(session.pump._closing)  # type: ignore[arg-type]
        assert one.taken.beside == other.taken.beside
        for tick in ticks[cut : cut + 60]:
            one.on_tick(tick, tick.ts_ns)
            other.on_tick(tick, tick.ts_ns)
        assert everything(one) == everything(other)
        assert quick.sent == whole.sent
        # A process that was taken up from a snapshot goes on, keeps snapshots, and is taken up again.
        session = paper.start(now_ns)
    assert used
    assert paper.sent or make is asks


def test_what_is_not_sound_is_passed_over_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = Paper(chances(1), "run")
    paper.snapshot_every = 60
    session = paper.start()
    for tick in paper.ticks():
        session.on_tick(tick, tick.ts_ns)
        session.trader.rest()
    last = session.pump.now_ns
    kept = sorted(paper.shared.snapshots, key=lambda one: one.seq)
    assert len(kept) >= 3
    whole = copied(paper, paper.shared)
    whole.shared.snapshots = []
    expected = everything(whole.start(last))

    def taken(snapshots: list[Snapshot]) -> tuple[int, tuple[str, ...]]:
        mine = copied(paper, paper.shared)
        mine.shared.snapshots = snapshots
        session = mine.start(last)
        assert session.taken is not None
        assert everything(session) == expected
        return session.taken.after, session.taken.passed_over

    newest, older = kept[-1], kept[-2]
    torn = bytearray(newest.payload)
    torn[len(torn) // 2] ^= 1
    named = f"the snapshot after row {newest.seq}"
    damaged = msgspec.structs.replace(newest, payload=bytes(torn))
    assert taken([*kept[:-1], damaged]) == (
        older.seq, (f"{named} is damaged: the bytes of a snapshot are not what was kept",)
    )  # fmt: skip
    moved = msgspec.structs.replace(newest, payload=older.payload)
    assert taken([*kept[:-1], moved]) == (older.seq, (f"{named} does not give the state that was kept",))
    bare = msgspec.structs.replace(newest, payload=b"")
    assert taken([bare]) == (0, (f"{named} lacks what the strategy remembers, which cannot be written down",))
    beyond = msgspec.structs.replace(newest, seq=len(paper.shared.rows) + 9)
    assert taken([older, beyond]) == (
        older.seq, (f"the snapshot after row {beyond.seq} is of a row that the journal does not have",)
    )  # fmt: skip
    monkeypatch.setattr(taking_up, "code_hash", lambda: "another")
    assert taken([newest]) == (0, (f"{named} was made by another version of Manjha",))


def test_a_strategy_that_cannot_be_kept_is_stepped_through_whole() -> None:
    paper = Paper(paper_like(random_tick_run(3)), "run")
    paper.snapshot_every = 60
    session, ticks = paper.start(), paper.ticks()
    for tick in ticks:
        session.on_tick(tick, tick.ts_ns)
        session.trader.rest()
    assert {one.payload for one in paper.shared.snapshots} == {b""}
    again = paper.start(session.pump.now_ns)
    assert again.taken is not None
    assert again.taken.after == 0
    assert len(again.taken.passed_over) == len(paper.shared.snapshots)


def test_a_snapshot_under_other_market_rules_is_passed_over() -> None:
    paper = Paper(chances(1), "run")
    paper.snapshot_every = 60
    session = paper.start()
    for tick in paper.ticks():
        session.on_tick(tick, tick.ts_ns)
        session.trader.rest()
    rules = msgspec.structs.replace(paper.run.spec.rules, hash="another")
    paper.run = paper.run._replace(spec=msgspec.structs.replace(paper.run.spec, rules=rules))
    again = paper.start(session.pump.now_ns)
    assert again.taken is not None
    assert again.taken.after == 0
    assert all(why.endswith("was made under other market rules") for why in again.taken.passed_over)
    assert len(again.taken.passed_over) == len(paper.shared.snapshots)
