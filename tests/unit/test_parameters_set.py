"""Parameters that a person changes while a strategy runs: from the next bar on, recorded, and never looking back."""

from typing import Any, ClassVar

import numpy as np
import pytest

from manjha.app.trading.session import Session
from manjha.app.trading.told import done_once, ended
from manjha.domain.commands import SubmitOrder
from manjha.domain.controls import Answer, EndRun, Request, SetParameters
from manjha.domain.errors import UsageError
from manjha.domain.events import ParametersSet
from manjha.domain.journal import faults
from manjha.domain.orders import Product
from manjha.engine.digest import digest
from manjha.engine.journaling import value_of
from manjha.engine.terms import RunEnded
from manjha.services.live_runs import in_force
from manjha.services.replays import Replays, recorded_runs
from manjha.strategy import library
from manjha.strategy.context import Context
from manjha.strategy.interface import Floats, History, Strategy
from manjha.strategy.params import param
from tests.fakes.journals import MemoryJournal
from tests.fakes.paper import Paper
from tests.fakes.segments import MemorySegments
from tests.fakes.tick_runs import TickRun, random_tick_run
from tests.parity.test_paper import liquid, plain


class Every(Strategy):
    """Holds `size` at every other stretch of `length` bars: what it states at a bar follows from the bar's number."""

    name: ClassVar[str] = "every"
    product: ClassVar[Product] = Product.MIS
    unit: ClassVar[Any] = "qty"
    instruments_max: ClassVar[int] = 0
    length: int = param(3, low=1, high=50)
    size: int = param(4, low=1, high=9)

    def targets(self, history: History) -> Floats:
        close = history.column("close")
        rows = np.arange(len(close))[:, None]
        held = np.where(rows // self.length % 2 == 0, float(self.size), 0.0)
        return np.broadcast_to(held, close.shape).copy()

    def history_needed(self) -> int:
        return self.length if self.length > 10 else 0


class Keeper(Strategy):
    """Buys every few bars; `pace` is read when it decides, `length` by `init`."""

    name: ClassVar[str] = "keeper"
    product: ClassVar[Product] = Product.MIS
    instruments_max: ClassVar[int] = 0
    changeable: ClassVar[tuple[str, ...]] = ("pace",)
    pace: int = param(4, low=2, high=20)
    length: int = param(5, low=2, high=20)

    def init(self, ctx: Context) -> None:
        self.seen = self.length * 0

    def on_bar(self, ctx: Context) -> None:
        self.seen += 1
        if self.seen % self.pace == 0:
            ctx.buy(1) if not ctx.position else ctx.close_position()


def paper_of(make: type[Strategy], seed: int = 3, **given: Any) -> Paper:
    run: TickRun = liquid(plain(random_tick_run(seed, lambda _rng, _product: lambda: make(**given))))
    return Paper(run, "run")


def tell(session: Session, key: str, **values: object) -> Answer:
    name = session.trader.state.strategy.name
    control = SetParameters(name, tuple((each, str(value)) for each, value in values.items()))
    return done_once(session, Request(key, control, "me"), control, session.pump.now_ns)


def go(session: Session, paper: Paper, first: int, last: int) -> Session:
    for tick in paper.ticks()[first:last]:
        session.on_tick(tick, tick.ts_ns)
    return session


def holding(paper: Paper) -> Session:
    """Trade until something is held."""
    session = paper.start()
    for tick in paper.ticks():
        session.on_tick(tick, tick.ts_ns)
        if list(session.trader.state.portfolio.open_positions()):
            return session
    raise AssertionError("nothing was ever held")


def replayed(paper: Paper, make: type[Strategy]) -> Any:
    journal, segments = MemoryJournal(paper.shared), MemorySegments(paper.shared.head.account, paper.stored)
    return Replays(journal, segments, lambda _name: make, paper.run.spec.rules).replay(recorded_runs(journal)[-1])


def sent_after(paper: Paper, ns: int) -> list[SubmitOrder]:
    return [one for one in paper.sent if one.order.decided_ns > ns]


@pytest.mark.parametrize("seed", [1, 3, 5])
@pytest.mark.parametrize(("make", "values"), [(Every, {"size": 7, "length": 2}), (Keeper, {"pace": 2})])
def test_a_change_counts_from_the_next_bar_and_a_replay_decides_the_same(
    make: type[Strategy], values: dict[str, int], seed: int
) -> None:
    paper, left = paper_of(make, seed), paper_of(make, seed)
    count = len(paper.ticks())
    session = go(paper.start(), paper, 0, count // 3)
    at_ns = session.pump.now_ns
    assert tell(session, "k", **values).refused == ""
    go(session, paper, count // 3, count)
    go(left.start(), left, 0, count)
    before = [one.order for one in paper.sent if one.order.decided_ns <= at_ns]
    assert before == [one.order for one in left.sent if one.order.decided_ns <= at_ns]
    assert [one.order for one in sent_after(paper, at_ns)] != [one.order for one in sent_after(left, at_ns)]
    session.pump.finish()
    last = digest(session.trader.state)
    session.tape.recorder.ended(last, session.pump.now_ns)
    found = replayed(paper, make)
    assert (found.found.difference, found.found.digest) == (None, last)


@pytest.mark.parametrize(("make", "values"), [(Every, {"size": 7}), (Keeper, {"pace": 2})])
def test_a_restart_goes_on_with_the_terms_in_force(make: type[Strategy], values: dict[str, int]) -> None:
    paper, whole = paper_of(make), paper_of(make)
    count = len(paper.ticks())
    for one in (paper, whole):
        session = go(one.start(), one, 0, count // 3)
        assert tell(session, "k", **values).refused == ""
        if one is paper:
            go(session, one, count // 3, count // 2)
            session.trader.rest()
            at_ns = session.pump.now_ns
            one.run = one.run._replace(make=lambda: make(**values))
            session = go(one.start(at_ns), one, count // 2, count)
            assert not session.is_new
        else:
            go(session, one, count // 3, count)
    assert [one.order for one in paper.sent] == [one.order for one in whole.sent]
    assert list(faults(paper.shared.rows, paper.shared.head)) == []
    journal = MemoryJournal(paper.shared)
    terms = in_force(journal, recorded_runs(journal)[-1], make())
    assert {one.name: one.value for one in terms.parameters} == make(**values).values


def test_a_restart_with_the_terms_before_the_change_is_another_run() -> None:
    paper = paper_of(Every)
    session = holding(paper)
    assert tell(session, "k", size=7).refused == ""
    with pytest.raises(UsageError, match=r"still holds something, and the new one differs in parameters"):
        paper.start(session.pump.now_ns)


@pytest.mark.parametrize(
    ("make", "values", "words"),
    [
        (Every, {"size": 10}, "parameter size of every expects a whole number from 1 to 9, was '10'"),
        (Every, {"size": "many"}, "was 'many'"),
        (Every, {"sise": 3}, "strategy every has no parameter 'sise'; Did you mean 'size'?"),
        (Every, {"length": 50}, "needs 50 bars, but this run has seen"),
        (Every, {}, "no parameter was given"),
        (Keeper, {"length": 7}, "length of keeper cannot change while it runs"),
        (Keeper, {"length": 7}, "these can: pace"),
    ],
)
def test_what_a_strategy_cannot_take_is_refused_with_the_reason_and_leaves_no_row(
    make: type[Strategy], values: dict[str, object], words: str
) -> None:
    paper = next(one for seed in range(30) if not (one := paper_of(make, seed)).run.spec.bars[0])
    session = paper.start()
    answer = tell(session, "k", **values)
    assert words in answer.refused
    assert answer.seq == 0
    assert not [row for row in paper.shared.rows if row.entry.kind == ParametersSet.__name__]


class Careless(Every):
    """Its own check raises what no check may."""

    def check_params(self) -> None:
        if self.size == 7:
            raise ZeroDivisionError("seven")


def test_a_check_of_a_strategy_that_raises_anything_is_a_refusal() -> None:
    session = paper_of(Careless).start()
    assert tell(session, "k", size=7).refused == "the strategy cannot be made with these: ZeroDivisionError: seven"


def test_another_strategy_than_the_one_that_runs_is_refused() -> None:
    session = paper_of(Every).start()
    control = SetParameters("other", (("size", "3"),))
    answer = done_once(session, Request("k", control, "me"), control, session.pump.now_ns)
    assert answer.refused == "this trader runs every, not other"


def test_the_library_names_as_changeable_only_what_init_does_not_read() -> None:
    """Each strategy's `init` is run with an eye on what it reads."""
    looked = 0
    for name in dir(library):
        found = getattr(library, name)
        if not isinstance(found, type) or not issubclass(found, Strategy) or not found.changeable:
            continue
        source = set(found.init.__code__.co_names)
        assert source.isdisjoint(found.changeable), found.name
        looked += 1
    assert looked or not hasattr(library, "__all__")


def test_a_changeable_parameter_must_be_one() -> None:
    with pytest.raises(UsageError, match="changeable of wrong names nothing, expected parameters of it"):
        type("Wrong", (Strategy,), {"changeable": ("nothing",)})


# ---- the end of a run


def test_a_person_ends_a_run_that_holds_nothing_and_the_next_may_have_other_terms() -> None:
    paper = paper_of(Every, 0)
    session = go(paper.start(), paper, 0, len(paper.ticks()))
    session.pump.finish()
    request = Request("k", EndRun("enough"), "me")
    answer = ended(session, request, "enough", session.pump.now_ns)
    assert isinstance(value_of(paper.shared.rows[answer.seq - 1].entry), RunEnded)
    assert replayed(paper, Every).found.has_ended
    paper.run = paper.run._replace(make=lambda: Every(size=2))
    later = go(paper.start(), paper, 0, 50)
    assert later.is_new
    assert later.trader.state.origin.run == "run-2"
    later.trader.rest()
    assert not paper.start(later.pump.now_ns).is_new


def test_a_run_that_holds_something_is_not_ended() -> None:
    paper = paper_of(Every)
    session = holding(paper)
    answer = ended(session, Request("k", EndRun(), "me"), "", session.pump.now_ns)
    assert answer.refused.startswith("the run still has 4 of ")
    assert not [row for row in paper.shared.rows if row.entry.kind == RunEnded.__name__]


def test_other_terms_for_the_same_days_are_orders_of_other_names() -> None:
    paper = paper_of(Every, 0)
    session = go(paper.start(), paper, 0, len(paper.ticks()))
    session.pump.finish()
    assert session.is_over
    session.end()
    first = {one.order.id for one in paper.sent}
    paper.run = paper.run._replace(make=lambda: Every(size=2))
    go(paper.start(), paper, 0, len(paper.ticks()))
    assert len({one.order.id for one in paper.sent}) == len(paper.sent) > len(first)
