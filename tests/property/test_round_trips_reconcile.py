"""Whatever was traded, the trips add up to the account."""

from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.charges import LINES, ChargeLines
from manjha.domain.events import DayChargesSettled
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs, day_of
from manjha.domain.money import RUPEE, Cash, Qty
from manjha.domain.orders import Fill, Product, StrategyId
from manjha.research.result import BacktestResult, PositionAdjusted
from manjha.research.round_trips import round_trips
from tests.fakes.results import fill, market_result, result_of

NAMES = ("NSE:A", "NSE:B")
HOUR = 3_600_000_000_000

trades = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from((1, -1)),
    st.integers(1, 400),
    st.integers(1, 40_000).map(lambda ticks: ticks / 20),
    st.integers(0, 3),
)
booked = st.lists(st.integers(0, 2_000_000), min_size=len(LINES), max_size=len(LINES))
note = st.lists(st.integers(-20_000, 20_000), min_size=len(LINES), max_size=len(LINES))
change = st.tuples(st.sampled_from(NAMES), st.sampled_from(((1, 1), (5, 1), (3, 2), (1, 2))), st.integers(-999, 99_999))


@st.composite
def runs(draw: st.DrawFn) -> BacktestResult:
    rows = draw(st.lists(trades, max_size=25))
    fills = [
        fill(number, side, qty, px, number * HOUR, instrument=name, order=f"{name}{side}{order}")
        for number, (name, side, qty, px, order) in enumerate(rows)
    ]
    charges = [draw(booked) for _ in fills]
    adjusted = [adjustment(fills, *draw(change)) for _ in range(draw(st.integers(0, 1)))]
    settled = [
        DayChargesSettled(day_of(day * 24 * HOUR), StrategyId("S"), ChargeLines(*map(Cash, draw(note))), TsNs(0))
        for day in range(draw(st.integers(0, 2)))
    ]
    marks = {name: draw(st.integers(1, 40_000)) / 20 for name in NAMES}
    return result_of(fills, charges=charges, marks=marks, adjustments=adjusted, day_charges=settled)


def adjustment(fills: list[Fill], name: str, ratio: tuple[int, int], cash: int) -> PositionAdjusted:
    """A split after the first half of the fills."""
    half = fills[: len(fills) // 2]
    held = sum(int(item.side) * item.qty for item in half if item.instrument == name)
    after = abs(held) * ratio[0] // ratio[1] * (1 if held > 0 else -1)
    moment = max((item.ts_ns for item in half), default=-1) + 1
    return PositionAdjusted(
        *(InstrumentId(name), Product.MIS, StrategyId("S"), TsNs(moment), Qty(held), Qty(after)), cash=Cash(cash)
    )


@given(runs())
def test_trips_add_up_to_the_change_of_equity(result: BacktestResult) -> None:
    assert round_trips(result).net == result.final - result.initial


@given(runs())
def test_trips_carry_every_charge_and_all_slippage(result: BacktestResult) -> None:
    found = round_trips(result)
    trips = (*found.closed, *found.open)
    for line in LINES:
        carried = sum(getattr(trip.charges, line) for trip in trips) + getattr(found.unassigned, line)
        assert carried == getattr(result.charges, line)
    assert sum(trip.slippage for trip in trips) == result.slippage


@given(runs())
def test_closed_trips_are_in_order_of_exit(result: BacktestResult) -> None:
    exits = [trip.exit_ns for trip in round_trips(result).closed]
    assert exits == sorted(exits)
    assert all(trip.qty > 0 for trip in round_trips(result).open)


def test_the_ledger_of_the_example_market_reconciles() -> None:
    result = market_result(days=60)
    assert round_trips(result).net == result.final - result.initial
    assert abs(result.final - result.initial) > RUPEE
