"""The life of a group of legs: every pair of phase and turn, and what is counted of its legs."""

from pathlib import Path

import pytest

from manjha.domain.instrument import InstrumentId
from manjha.domain.money import Px
from manjha.domain.orders import Exits, GroupPhase, Leg, LegGroup, OrderId, Product, Purpose, Side
from manjha.orders.legs import (
    LEAVING,
    ON_THE_WAY,
    OVER,
    TURNS,
    Saga,
    Turn,
    combined_exit,
    is_back_at_cost,
    new_saga,
)
from manjha.orders.lifecycle import Verdict

DOCUMENT = Path(__file__).parents[2] / "docs" / "legs.md"
CALL, PUT = InstrumentId("CALL"), InstrumentId("PUT")
MOVES = {
    ("hedging", "HEDGED"): "entering",
    ("hedging", "FILLED"): "held",
    ("hedging", "FAILED"): "unwinding",
    ("hedging", "ENDING"): "unwinding",
    ("entering", "FILLED"): "held",
    ("entering", "FAILED"): "unwinding",
    ("entering", "ENDING"): "unwinding",
    ("held", "FAILED"): "closing",
    ("held", "ENDING"): "closing",
    ("held", "REENTRY"): "entering again",
    ("held", "FLAT"): "done",
    ("entering again", "FILLED"): "held",
    ("entering again", "FAILED"): "closing",
    ("entering again", "ENDING"): "closing",
    ("unwinding", "FLAT"): "unwound",
    ("closing", "FLAT"): "closed",
    ("done", "LATE"): "closing",
    ("unwound", "LATE"): "unwinding",
    ("closed", "LATE"): "closing",
}
"""All that moves a group, written by hand; every other turn leaves it where it is."""


@pytest.mark.parametrize("phase", list(GroupPhase))
@pytest.mark.parametrize("turn", list(Turn))
def test_every_turn_in_every_phase(phase: GroupPhase, turn: Turn) -> None:
    after, verdict = TURNS[phase, turn]
    assert after == MOVES.get((phase.value, turn.name), phase.value)
    # What moves a group is expected, but for a fill after its end and a failure of what was complete.
    moves = after is not phase
    strange = turn is Turn.LATE or (phase, turn) == (GroupPhase.HELD, Turn.FAILED)
    assert verdict is not Verdict.NORMAL or moves
    assert (verdict is Verdict.ALARM) >= (moves and strange)


def test_the_table_has_every_pair_and_the_phases_are_of_three_kinds() -> None:
    assert len(TURNS) == len(GroupPhase) * len(Turn)
    assert ON_THE_WAY | LEAVING | OVER | {GroupPhase.HELD} == set(GroupPhase)
    assert len(ON_THE_WAY) + len(LEAVING) + len(OVER) + 1 == len(GroupPhase)


def test_the_table_is_the_one_in_the_document() -> None:
    rows = [f"| {phase} | {turn} | {after} | {verdict} |" for (phase, turn), (after, verdict) in TURNS.items()]
    table = DOCUMENT.read_text(encoding="utf-8").split("## The life of a group")[1]
    assert [line for line in table.splitlines() if line.startswith("| ")][2:] == rows


def test_from_every_phase_a_group_comes_to_an_end() -> None:
    reached, more = set(OVER), set(OVER)
    while more:
        more = {phase for (phase, _), (after, _) in TURNS.items() if after in reached} - reached
        reached |= more
    assert reached == set(GroupPhase)


def saga(**terms: object) -> Saga:
    legs = (Leg(CALL, Side.SELL, 1), Leg(PUT, Side.BUY, 2))
    return new_saga(OrderId("g"), LegGroup(legs, **terms), Product.NRML, {CALL: 50, PUT: 25})  # type: ignore[arg-type]


def test_quantities_are_units_times_ratio_times_lot_and_what_is_bought_comes_first() -> None:
    assert [leg.target for leg in saga(units=3).legs] == [150, 150]
    assert saga().phase is GroupPhase.HEDGING
    assert saga(hedge_first=False).phase is GroupPhase.ENTERING
    only_sold = LegGroup((Leg(CALL, Side.SELL, 1),))
    assert new_saga(OrderId("g"), only_sold, Product.NRML, {CALL: 1}).phase is GroupPhase.ENTERING


def test_profit_is_what_fills_brought_and_what_is_held() -> None:
    group = saga()
    sold, bought = group.legs
    bought.fill(50, 300, enters=True)
    sold.fill(50, 1_000, enters=True)
    assert group.profit({CALL: 1_000, PUT: 300}) == 0
    assert group.profit({CALL: 900, PUT: 310}) == 50 * 100 + 50 * 10
    sold.fill(50, 940, enters=False)
    assert group.profit({CALL: 5_000, PUT: 310}) == 50 * 60 + 50 * 10
    assert (sold.entered, sold.held, bought.held) == (50, 0, 50)


@pytest.mark.parametrize(
    ("exits", "profits", "found"),
    [
        (Exits(stop=Px(100)), [0, -299], None),
        (Exits(stop=Px(100)), [0, -300], Purpose.STOP),
        (Exits(target=Px(100)), [299], None),
        (Exits(target=Px(100)), [300], Purpose.TARGET),
        (Exits(trail=Px(100)), [-299], None),
        (Exits(trail=Px(100)), [-300], Purpose.STOP),
        (Exits(trail=Px(100)), [900, 601], None),
        (Exits(trail=Px(100)), [900, 600], Purpose.STOP),
        (None, [-(10**9), 10**9], None),
    ],
)
def test_combined_exits_are_of_the_profit_of_one_unit(
    exits: Exits | None, profits: list[int], found: Purpose | None
) -> None:
    group = saga(units=3, combined=exits)
    ends = [combined_exit(group, profit) for profit in profits]
    assert ends[:-1] == [None] * (len(ends) - 1)
    assert (None if ends[-1] is None else ends[-1][0]) is found


def test_a_sold_leg_is_back_at_cost_below_its_average_and_a_bought_one_above() -> None:
    sold, bought = saga().legs
    for leg in (sold, bought):
        leg.fill(25, 1_000, enters=True)
        leg.fill(25, 1_001, enters=True)
    assert [is_back_at_cost(sold, Px(px)) for px in (1_001, 1_000)] == [False, True]
    assert [is_back_at_cost(bought, Px(px)) for px in (1_000, 1_001)] == [False, True]


def test_a_hedge_is_lost_only_while_something_sold_needs_it() -> None:
    group = saga()
    sold, bought = group.legs
    lost = [group.has_lost_hedge]
    bought.fill(50, 300, enters=True)
    lost.append(group.has_lost_hedge)
    bought.fill(25, 300, enters=False)
    lost.append(group.has_lost_hedge)
    sold.fill(50, 1_000, enters=True)
    lost.append(group.has_lost_hedge)
    sold.fill(50, 1_000, enters=False)
    lost.append(group.has_lost_hedge)
    assert lost == [False, False, True, True, False]
    assert not saga(hedge_first=False).has_lost_hedge


@pytest.mark.parametrize(
    ("held", "there", "kept"), [(50, 20, 20), (50, 70, 50), (50, -3, 0), (-5, 0, 0), (-5, -9, -5), (-5, -2, -2)]
)
def test_a_leg_holds_no_more_than_there_is(held: int, there: int, kept: int) -> None:
    sold = saga().legs[0]
    sold.held = held
    sold.fit(there, 1_000)
    assert sold.held == kept
    assert sold.cash == (kept - held) * 1_000
