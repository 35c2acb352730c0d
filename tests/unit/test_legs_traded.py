"""Groups of legs in a backtest, with every rupee by hand: hedge first, exits of a leg and of all, unwinding."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from manjha.domain.commands import RefusalReason
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument, Right
from manjha.domain.moments import MINUTE_NS, SECOND_NS
from manjha.domain.money import RUPEE, Cash, Px
from manjha.domain.orders import Exits, GroupPhase, HeldGroup, Leg, LegGroup, Phase, Product, Side
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.risk.limits import RiskLimits
from manjha.simulator.fills import FillRules, MarketFill
from manjha.strategy.context import Context
from manjha.strategy.library.iron_condor import IronCondor
from tests.fakes.hand_made import minutes
from tests.fakes.legs import HEDGE, HEDGE_PUT, LOT, MONDAY, NIFTY, SOLD, SOLD_PUT, contract, spec_for, spread

PRICES = {SOLD: [100.0] * 4 + [110, 115, 116, 116, 116], HEDGE: [20.0] * 9}
Row = tuple[int, str, str, int, float]


def fills(result: BacktestResult) -> list[Row]:
    """Return bar, contract, side, quantity and price in rupees of each fill, in order."""
    opens = list(result.bars[0].ts_open_ns)
    names = {one.id: one.symbol for one in result.instruments}
    return [
        (
            sum(opened <= fill.ts_ns for opened in opens) - 1, names[fill.instrument], fill.side.name, fill.qty,
            fill.px / RUPEE,
        )
        for fill in result.fills
    ]  # fmt: skip


def gained(result: BacktestResult) -> float:
    """Return what the run gained before charges, in rupees, and see that nothing but fills and charges moved cash."""
    charges = int(result.fill_charges.sum()) + sum(row.adjustment.total for row in result.day_charges)
    flow = -sum(int(fill.side) * fill.qty * fill.px for fill in result.fills)
    settled = sum(int(row.cash) for row in result.adjustments)
    held = {one.id: 0 for one in result.instruments}
    for fill in result.fills:
        held[fill.instrument] += int(fill.side) * fill.qty
    if not result.adjustments:
        assert not any(held.values())
    assert result.final - result.initial == flow + settled - charges
    return (flow + settled) / RUPEE


def purposes(result: BacktestResult) -> list[str]:
    return [str(record.order.purpose) for record in result.orders]


def test_the_hedge_fills_first_and_a_combined_stop_buys_the_sold_leg_back_first() -> None:
    result = run_backtest(spec_for({1: spread(combined={"stop": 1_000})}, PRICES))
    call, far = SOLD.symbol, HEDGE.symbol
    assert fills(result) == [
        (2, far, "BUY", 75, 20.0), (2, call, "SELL", 75, 100.0), (6, call, "BUY", 75, 116.0), (6, far, "SELL", 75, 20.0)
    ]  # fmt: skip
    assert gained(result) == -16 * 75
    assert purposes(result) == ["signal", "signal", "stop", "stop"]
    assert len({record.order.group for record in result.orders}) == 1


@pytest.mark.parametrize(
    ("combined", "closes", "bar", "gain", "purpose"),
    [
        ({"target": 750}, [100, 100, 100, 100, 91, 90, 89, 88], 6, 11 * 75, "target"),
        ({"trail": 375}, [100, 100, 100, 90, 85, 89, 91, 92], 7, 8 * 75, "stop"),
        ({"stop": 9_999}, [100, 100, 100, 90, 85, 89, 91, 92], None, 0, ""),
    ],
)
def test_combined_exits_are_judged_at_each_close(
    combined: dict[str, float], closes: list[float], bar: int | None, gain: float, purpose: str
) -> None:
    result = run_backtest(spec_for({1: spread(combined=combined)}, {SOLD: closes, HEDGE: [20.0] * 8}))
    if bar is None:
        assert len(result.fills) == 2
        return
    assert [row[0] for row in fills(result)] == [2, 2, bar, bar]
    assert gained(result) == gain
    assert purposes(result)[2:] == [purpose, purpose]


def test_units_and_ratios_multiply_lots_and_freeze_quantities_slice_each_leg() -> None:
    sold, bought = contract("22200", freeze=2 * LOT), contract("22500", freeze=3 * LOT)

    def ask(ctx: Context) -> None:
        legs = (ctx[sold.symbol].leg(Side.SELL, 1), ctx[bought.symbol].leg(Side.BUY, 2))
        ctx.legs(LegGroup(legs, units=3, combined=ctx.combined(stop=1_000)))

    result = run_backtest(spec_for({1: ask}, {sold: PRICES[SOLD], bought: PRICES[HEDGE]}))
    sizes = [(row[0], row[1], row[3]) for row in fills(result)]
    far, call = bought.symbol, sold.symbol
    assert sizes[:4] == [(2, far, 225), (2, far, 225), (2, call, 150), (2, call, 75)]
    assert sizes[4:] == [(6, call, 150), (6, call, 75), (6, far, 225), (6, far, 225)]
    assert gained(result) == -16 * 225


def test_a_leg_has_a_stop_of_its_own_and_the_others_stay() -> None:
    closes = [100.0, 100, 100, 105, 125, 130, 100, 100]
    terms = {"sold": {"stop": 120}}
    result = run_backtest(spec_for({1: spread(**terms)}, {SOLD: closes, HEDGE: [20.0] * 8}))
    rows = fills(result)
    assert [row[:3] for row in rows] == [(2, HEDGE.symbol, "BUY"), (2, SOLD.symbol, "SELL"), (4, SOLD.symbol, "BUY")]
    assert rows[2][4] == 125.0  # it opened beyond the stop


def test_a_stopped_leg_comes_back_at_its_cost_as_often_as_allowed() -> None:
    closes = [100.0, 100, 100, 125, 110, 99, 99, 125, 125, 99, 99, 99]
    asked = spread(sold={"stop": 120}, reentries=1)
    result = run_backtest(spec_for({1: asked, 10: lambda ctx: ctx.close_legs()}, {SOLD: closes, HEDGE: [20.0] * 12}))
    rows = [(row[0], row[2], row[4]) for row in fills(result) if row[1] == SOLD.symbol]
    assert rows == [(2, "SELL", 100.0), (3, "BUY", 125.0), (6, "SELL", 99.0), (7, "BUY", 125.0)]
    assert fills(result)[-1] == (11, HEDGE.symbol, "SELL", 75, 20.0)


def test_a_hedge_that_is_stopped_takes_what_it_hedged_with_it() -> None:
    prices = {SOLD: [100.0] * 8, HEDGE: [20.0, 20, 20, 20, 14, 14, 14, 14]}
    result = run_backtest(spec_for({1: spread(bought={"stop": 15})}, prices))
    assert [row[:3] for row in fills(result)][2:] == [(4, HEDGE.symbol, "SELL"), (4, SOLD.symbol, "BUY")]
    assert gained(result) == -6 * 75


def test_all_legs_may_end_one_by_one() -> None:
    seen: list[tuple[HeldGroup, ...]] = []
    prices = {SOLD: [100.0, 100, 100, 80, 80, 80], HEDGE: [20.0, 20, 20, 20, 30, 30]}
    script = {1: spread(sold={"target": 85}, bought={"target": 25}), 3: lambda ctx: seen.append(ctx.groups()),
              5: lambda ctx: seen.append(ctx.groups())}  # fmt: skip
    result = run_backtest(spec_for(script, prices))
    ((group,), after) = seen
    assert group.phase is GroupPhase.HELD
    assert group.profit == 20 * 75 * RUPEE
    assert after == ()
    assert gained(result) == (20 + 10) * 75


# ---- what fails


def never(result: BacktestResult, *, because: str) -> None:
    """See that the group did not come to be, and why."""
    assert len(result.warnings) == 1
    assert because in result.warnings[0]
    assert gained(result) is not None


def test_a_sold_leg_that_the_gate_refuses_unwinds_the_hedge() -> None:
    result = run_backtest(spec_for({1: spread()}, PRICES, initial=Cash(20_000 * RUPEE)))
    assert [row[:3] for row in fills(result)] == [(2, HEDGE.symbol, "BUY"), (2, HEDGE.symbol, "SELL")]
    assert [refusal.reason for refusal in result.refusals] == [RefusalReason.MARGIN]
    assert purposes(result) == ["signal", "end of legs"]
    never(result, because="not enough funds for the margin")


def test_a_leg_that_the_exchange_rejects_unwinds_the_rest() -> None:
    prices = {SOLD: [100.0] * 80, HEDGE: [20.0] * 80}
    result = run_backtest(spec_for({75: spread(sold={"limit": 150})}, prices, bands={SOLD.id: 200_000_000}))
    assert [row[:3] for row in fills(result)] == [(76, HEDGE.symbol, "BUY"), (76, HEDGE.symbol, "SELL")]
    never(result, because="was rejected at 0 of 75: 150.00 is outside the circuit limits 80.00 to 120.00")


def test_a_leg_that_is_not_filled_in_time_unwinds_the_rest() -> None:
    asked = spread(sold={"limit": 140}, patience_ns=6 * MINUTE_NS)
    result = run_backtest(spec_for({1: asked}, PRICES))
    assert [row[:3] for row in fills(result)] == [(2, HEDGE.symbol, "BUY"), (4, HEDGE.symbol, "SELL")]
    assert {record.phase for record in result.orders if record.order.instrument == SOLD.id} == {Phase.CANCELLED}
    never(result, because="not every leg has filled within 360 seconds")


def test_a_hedge_that_fills_in_part_is_sold_again_and_nothing_is_sold_short() -> None:
    rules = FillRules(participation_ppm=1_000_000)
    result = run_backtest(
        spec_for({1: spread(units=4)}, PRICES, thin={HEDGE: [10**6, 10**6, 150, *[10**6] * 6]}, fills=rules)
    )
    assert [row[:4] for row in fills(result)] == [(2, HEDGE.symbol, "BUY", 150), (3, HEDGE.symbol, "SELL", 150)]
    never(result, because="not every leg has filled within 60 seconds")


def test_what_is_cancelled_by_the_strategy_unwinds_the_rest() -> None:
    script = {1: spread(sold={"limit": 140}, patience_ns=10**15), 3: lambda ctx: ctx[SOLD.symbol].cancel()}
    result = run_backtest(spec_for(script, PRICES))
    assert [row[:3] for row in fills(result)] == [(2, HEDGE.symbol, "BUY"), (4, HEDGE.symbol, "SELL")]
    never(result, because="was cancelled at 0 of 75")


# ---- the day, expiry, what belongs to a group


def test_an_intraday_group_is_squared_off_whole_with_the_sold_leg_first() -> None:
    prices = {SOLD: [100.0] * 75, HEDGE: [20.0] * 75}
    result = run_backtest(spec_for({1: spread()}, prices, product=Product.MIS))
    rows = fills(result)
    assert [row[1:3] for row in rows[2:]] == [(SOLD.symbol, "BUY"), (HEDGE.symbol, "SELL")]
    assert purposes(result)[2:] == ["square-off", "square-off"]
    assert result.fills[2].ts_ns <= result.fills[3].ts_ns < result.bars[0].ts_close_ns[-1]
    assert gained(result) == 0


def test_a_group_ends_whole_on_the_day_its_first_leg_expires() -> None:
    near, far = contract("22200", expiry="2024-02-26"), contract("22200", expiry="2024-02-29")
    far = msgspec.structs.replace(far, symbol="FAR")

    def ask(ctx: Context) -> None:
        ctx.legs(LegGroup((ctx[near.symbol].leg(Side.SELL), ctx["FAR"].leg(Side.BUY))))

    result = run_backtest(spec_for({1: ask}, {near: [100.0] * 75, far: [150.0] * 75}))
    rows = fills(result)
    assert [row[1:3] for row in rows[2:]] == [(near.symbol, "BUY"), ("FAR", "SELL")]
    assert not result.adjustments
    assert gained(result) == 0


def test_an_order_in_what_a_group_holds_is_refused_by_name() -> None:
    script: dict[int, Callable[[Context], None]] = {
        1: spread(), 3: lambda ctx: ctx[SOLD.symbol].buy(75), 4: lambda ctx: ctx[SOLD.symbol].close_position(),
        5: spread(), 6: lambda ctx: ctx.close_legs(ctx.groups()[0]),
    }  # fmt: skip
    result = run_backtest(spec_for(script, PRICES))
    assert [refusal.reason for refusal in result.refusals] == [RefusalReason.LEG_GROUP] * 3
    assert "belongs to group" in result.refusals[0].detail
    assert len(result.fills) == 4
    assert gained(result) == -16 * 75


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"legs": ()}, "1 to 16"),
        ({"legs": (Leg(SOLD.id, Side.SELL, 1),) * 2}, "two legs are of one instrument"),
        ({"units": 0}, "units and ratios"),
        ({"legs": (Leg(SOLD.id, Side.SELL, 0),)}, "units and ratios"),
        ({"reentries": -1}, "re-entries"),
        ({"patience_ns": 0}, "patience"),
        ({"combined": Exits(stop=Px(-1))}, "amounts above zero"),
        ({"legs": (Leg(HEDGE_PUT.id, Side.BUY, 1),)}, "is not in this run"),
    ],
)
def test_a_group_that_makes_no_sense_is_refused_by_name(terms: dict[str, Any], said: str) -> None:
    given = {"legs": (Leg(SOLD.id, Side.SELL, 1),)} | terms
    result = run_backtest(spec_for({1: lambda ctx: ctx.legs(LegGroup(**given))}, PRICES))
    (refusal,) = result.refusals
    assert refusal.reason is RefusalReason.LEG_GROUP
    assert said in refusal.detail
    assert not result.orders


def test_what_is_held_already_is_no_leg() -> None:
    script = {1: lambda ctx: ctx[SOLD.symbol].buy(75), 3: spread()}
    result = run_backtest(spec_for(script, PRICES))
    assert "is held as NRML already" in result.refusals[0].detail
    script = {1: lambda ctx: ctx[SOLD.symbol].buy(75, limit=80), 3: spread()}
    result = run_backtest(spec_for(script, PRICES))
    assert "has open orders as NRML" in result.refusals[0].detail


def test_a_group_that_waits_for_the_next_morning_has_its_time_there() -> None:
    prices = {SOLD: [100.0] * 79, HEDGE: [20.0] * 79}
    result = run_backtest(spec_for({74: spread(), 77: lambda ctx: ctx.close_legs()}, prices))
    assert [row[0] for row in fills(result)] == [75, 75, 78, 78]
    assert gained(result) == 0


def test_a_time_for_the_whole_group() -> None:
    opened = minutes(NIFTY, [(1, 1, 1, 1)] * 9, day=MONDAY).ts_open_ns[0]
    at_ns = opened + 25 * MINUTE_NS + SECOND_NS
    result = run_backtest(spec_for({1: spread(combined={"exit_ns": at_ns})}, PRICES))
    assert [row[0] for row in fills(result)] == [2, 2, 6, 6]
    assert purposes(result)[2:] == ["time exit"] * 2


def test_an_iron_condor_needs_less_margin_than_its_sold_legs_alone() -> None:
    puts = {SOLD_PUT: [100.0] * 9, HEDGE_PUT: [20.0] * 9}

    def condor(names: list[Instrument]) -> Callable[[Context], None]:
        def ask(ctx: Context) -> None:
            sides = {HEDGE.id: Side.BUY, HEDGE_PUT.id: Side.BUY}
            ctx.legs(LegGroup(tuple(ctx[one.symbol].leg(sides.get(one.id, Side.SELL)) for one in names)))

        return ask

    prices = {SOLD: [100.0] * 9, HEDGE: [20.0] * 9} | puts
    whole = run_backtest(spec_for({1: condor([SOLD, HEDGE, SOLD_PUT, HEDGE_PUT])}, prices))
    bare = run_backtest(spec_for({1: condor([SOLD, SOLD_PUT])}, prices))
    assert [len(whole.fills), len(bare.fills)] == [4, 2]
    # While both calls and both puts are held; the peak is at the moment before, in which nothing was hedged less.
    assert whole.peak_margin < bare.peak_margin
    assert [fill.side.name for fill in whole.fills] == ["BUY", "BUY", "SELL", "SELL"]


def test_at_the_deciding_close_all_of_it_trades_at_once() -> None:
    rules = FillRules(market=MarketFill.DECIDING_CLOSE, participation_ppm=0)
    result = run_backtest(spec_for({1: spread(combined={"stop": 1_000})}, PRICES, fills=rules))
    assert [row[0] for row in fills(result)] == [2, 2, 6, 6]
    assert [row[4] for row in fills(result)] == [20.0, 100.0, 115.0, 20.0]


def test_too_many_slices_are_refused_and_nothing_is_held() -> None:
    sold = contract("22200", freeze=LOT)

    def ask(ctx: Context) -> None:
        legs = (ctx[sold.symbol].leg(Side.SELL), ctx[HEDGE.symbol].leg(Side.BUY))
        ctx.legs(LegGroup(legs, units=5))

    limits = RiskLimits(slices_max=3)
    result = run_backtest(spec_for({1: ask}, {sold: PRICES[SOLD], HEDGE: PRICES[HEDGE]}, limits=limits))
    assert [refusal.reason for refusal in result.refusals] == [RefusalReason.ABOVE_FREEZE]
    never(result, because="above the freeze limit")
    assert contract("21800", Right.PUT).lot == LOT


# ---- the library's iron condor


def condor(order: list[Instrument], **params: Any) -> BacktestResult:
    closes = {SOLD: [100.0] * 5 + [130.0] * 70, HEDGE: [20.0] * 75, SOLD_PUT: [90.0] * 75, HEDGE_PUT: [15.0] * 75}
    spec = spec_for({}, {one: closes[one] for one in order})
    # The contracts come first, the index that margin is counted from last.
    bars, names = (*spec.bars[1:], spec.bars[0]), (*spec.instruments[1:], spec.instruments[0])
    return run_backtest(msgspec.structs.replace(spec, strategy=IronCondor(**params), bars=bars, instruments=names))


def test_the_library_sells_an_iron_condor_and_ends_it_at_its_combined_stop() -> None:
    result = condor([SOLD, HEDGE, SOLD_PUT, HEDGE_PUT], lots=2, stop_pct=15.0)
    rows = fills(result)
    assert {row[0] for row in rows} == {3, 6}
    assert [row[2] for row in rows] == ["BUY", "BUY", "SELL", "SELL", "BUY", "BUY", "SELL", "SELL"]
    assert {row[3] for row in rows} == {2 * LOT}
    # 30 rupees of 190 is more than 15 per cent.
    assert gained(result) == -30 * 2 * LOT
    assert purposes(result)[4:] == ["stop"] * 4


def test_options_in_another_order_are_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError, match="expects the sold call, a farther call"):
        condor([HEDGE, SOLD, SOLD_PUT, HEDGE_PUT])
