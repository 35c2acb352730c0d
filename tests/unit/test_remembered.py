"""What a strategy remembers comes back as it was, or is said not to be kept."""

from collections import deque
from typing import Any

import msgspec
import numpy as np
import pytest

from manjha.domain.errors import JournalHalted
from manjha.domain.orders import Side
from manjha.engine.remembered import CannotBeKept, StrategyMemory
from manjha.research.backtest import prepare
from manjha.strategy.context import Context
from manjha.strategy.indicators import bollinger, sma
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import flat, minutes, share_named, spec_of
from tests.fakes.recorded import Restless, Tape, restless_run

BARS = minutes(share_named(), [flat(100.0 + at % 7) for at in range(40)])


class Keeps(Strategy):
    """Holds what it is given, beside lines of every shape."""

    held: Any = None

    def init(self, ctx: Context) -> None:
        self.line = ctx.indicator(sma, "close", length=3)
        self.bands = ctx.indicator(bollinger, "close", length=5, width=2.0)
        self.by_name = {"close": ctx.close, "all": [ctx.market, ctx]}
        self.table = np.arange(3)
        self.table.setflags(write=False)

    def on_bar(self, ctx: Context) -> None:
        self.held = None


def memory(strategy: Strategy) -> StrategyMemory:
    return StrategyMemory(prepare(spec_of(strategy, BARS)))


@pytest.mark.parametrize(
    "held",
    [
        None,
        True,
        0,
        -(2**63),
        2**200,
        0.1,
        float("inf"),
        "₹",
        b"\x00",
        [],
        (),
        [1, (2, [3.5, {"a": {"b": ()}}])],
        {1: "a", (2, "b"): [None], Side.BUY: Side.SELL},
        {"x", 1, (2, 3)},
        frozenset({1, 2}),
    ],
)
def test_plain_values_come_back(held: Any) -> None:
    one, other = Keeps(), Keeps()
    first, second = memory(one), memory(other)
    one.held = held
    second.put_back(msgspec.msgpack.decode(msgspec.msgpack.encode(first.kept())))
    assert (type(other.held), repr(other.held)) == (type(held), repr(held)) or other.held == held


def test_what_was_made_for_reading_comes_back_as_the_others_own() -> None:
    one, other = Keeps(), Keeps()
    first, second = memory(one), memory(other)
    lines = other.line, other.bands, other.by_name["close"], other.table
    one.held = [one.bands.upper, one.line, one.table]
    one.bands, one.line = one.bands, one.by_name["close"]
    second.put_back(msgspec.msgpack.decode(msgspec.msgpack.encode(first.kept())))
    assert other.bands is lines[1]
    assert other.line is lines[2] is other.by_name["close"]
    assert other.held == [lines[1].upper, lines[0], lines[3]]
    assert other.by_name["all"][0] is other.by_name["all"][1].market


def test_an_attribute_that_was_taken_away_is_gone() -> None:
    one, other = Keeps(), Keeps()
    first, second = memory(one), memory(other)
    del one.table
    second.put_back(first.kept())
    assert not hasattr(other, "table")


@pytest.mark.parametrize("held", [deque(), np.zeros(2), np.float64(1), object(), lambda: 0, [[], object()], Keeps])
def test_other_values_are_not_kept(held: Any) -> None:
    one = Keeps()
    kept = memory(one)
    one.held = held
    with pytest.raises(CannotBeKept):
        kept.kept()


def test_one_list_under_two_names_is_not_kept() -> None:
    one = Keeps()
    kept = memory(one)
    shared = [1]
    one.held = (shared, {"a": shared})
    with pytest.raises(CannotBeKept, match="one list is held twice"):
        kept.kept()
    shared.append(shared)  # type: ignore[arg-type]
    one.held = shared
    with pytest.raises(CannotBeKept):
        kept.kept()


def test_a_line_made_after_init_is_not_kept() -> None:
    one = Keeps()
    state = prepare(spec_of(one, BARS))
    kept = StrategyMemory(state)
    one.held = state.ctx.indicator(sma, "close", length=4)
    with pytest.raises(CannotBeKept, match="a Line cannot be kept"):
        kept.kept()


class Hides(Restless):
    """Remembers in a way that cannot be kept."""

    def init(self, ctx: Context) -> None:
        super().init(ctx)
        self.hidden = deque([0])

    def draw(self, upto: int) -> int:
        self.hidden.append(super().draw(upto))
        return self.hidden.popleft() % upto


def test_a_run_whose_strategy_cannot_be_kept_has_digests_only_and_is_replayed_from_its_beginning() -> None:
    strategy = Hides(luck=6)
    spec = restless_run(6)
    vars(strategy)["product"] = spec.strategy.product
    tape = Tape(msgspec.structs.replace(spec, strategy=strategy))
    assert tape.shared.snapshots
    assert {one.payload for one in tape.shared.snapshots} == {b""}
    for from_snapshot in (False, True):
        one = tape.replayed(from_snapshot=from_snapshot)
        assert (one.after, one.found.difference) == (0, None)
        assert one.found.digests == len(tape.shared.snapshots) + 1


def test_a_snapshot_of_another_state_is_refused() -> None:
    tape = Tape(restless_run(6))
    last = tape.shared.snapshots[-1]
    tape.shared.snapshots[-1] = msgspec.structs.replace(last, payload=tape.shared.snapshots[0].payload)
    with pytest.raises(JournalHalted, match=f"the snapshot after row {last.seq} is not the state that was kept"):
        tape.replayed(from_snapshot=True)
