"""Where a check looks: around decisions of every sort, at the edges of sessions, and the same for the same seed."""

import numpy as np

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, at, parse_day
from manjha.domain.money import Px, Qty
from manjha.domain.orders import OrderType, Product, Side
from manjha.research.bias.points import points
from manjha.research.bias.subjects import Trace, Values
from manjha.research.bias.tape import Tape, Track
from manjha.research.bias.watch import Decision, Place
from manjha.strategy.asked import OrderRequest

BARS = 500
FIRST = parse_day("2024-01-01")
CLOSES = np.array([at(FIRST + bar // 25, (570 + bar % 25 * 15) * MINUTE_NS) for bar in range(BARS)], np.int64)
TAPE: Tape = (Track("A", 900, CLOSES - 15 * MINUTE_NS, CLOSES, {"close": np.arange(BARS)}),)


def decision(position: int, side: Side, place: Place = Place.CLOSE) -> Decision:
    request = OrderRequest(InstrumentId("A"), side, Qty(1), OrderType.MARKET, Px(0), Px(0), None, Product.CNC, tag="")
    return Decision(position, place, request)


def trace(decisions: list[Decision], warmup: int = 0, lines: dict[str, Values] | None = None) -> Trace:
    return Trace(CLOSES, decisions, lines or {}, {}, warmup)


def test_a_rare_sort_of_decision_is_looked_at_among_many_frequent_ones() -> None:
    often = [decision(position, Side.BUY) for position in range(20, 400)]
    chosen = points(trace([*often, decision(433, Side.SELL)]), TAPE, 12, 0)
    assert 433 in chosen
    assert len(chosen) == len(set(chosen)) == 12


def test_a_decision_inside_a_bar_is_looked_at_after_that_bar() -> None:
    assert 71 in points(trace([decision(70, Side.BUY, Place.INSIDE)]), TAPE, 4, 0)


def test_a_signal_line_counts_as_decisions() -> None:
    signal = np.zeros((BARS, 1))
    signal[321:] = 1.0
    assert 321 in points(trace([], lines={"signal": Values(CLOSES, signal)}), TAPE, 6, 0)


def test_sessions_edges_are_among_the_points() -> None:
    chosen = points(trace([]), TAPE, 24, 0)
    assert {position % 25 for position in chosen} & {24}
    assert {position % 25 for position in chosen} & {0}


def test_no_point_lies_in_the_warm_up_or_at_the_last_bar() -> None:
    chosen = points(trace([decision(3, Side.BUY), decision(BARS - 1, Side.BUY)], warmup=480), TAPE, 100, 0)
    assert sorted(chosen) == list(range(480, BARS - 1))
    assert points(trace([], warmup=BARS - 1), TAPE, 5, 0) == []


def test_the_seed_decides() -> None:
    often = trace([decision(position, Side.BUY) for position in range(0, 400, 3)])
    assert points(often, TAPE, 12, 4) == points(often, TAPE, 12, 4)
    assert points(often, TAPE, 12, 4) != points(often, TAPE, 12, 5)
