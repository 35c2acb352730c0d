"""Matching of fills, case by case. Prices in rupees; one rupee is 10,000."""

import msgspec
import pytest

from manjha.domain.charges import LINES, ChargeLines
from manjha.domain.errors import InvariantBroken, UsageError
from manjha.domain.events import DayChargesSettled
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, TradingDay, TsNs, day_of
from manjha.domain.money import RUPEE, Cash, Qty
from manjha.domain.orders import Fill, OrderId, Product, Purpose, Side, StrategyId
from manjha.research.result import BacktestResult, PositionAdjusted
from manjha.research.round_trips import round_trips
from tests.fakes.results import bars_of, curve_of, fill, order_of, result_of

NOON = 1_735_800_000_000_000_000


def at(minute: int) -> int:
    return NOON + minute * MINUTE_NS


def lines(**amounts: int) -> list[int]:
    return [amounts.get(line, 0) for line in LINES]


def split(before: int, after: int, minute: int, *, cash: int = 0) -> PositionAdjusted:
    return PositionAdjusted(
        *(InstrumentId("NSE:A"), Product.MIS, StrategyId("S"), TsNs(at(minute)), Qty(before), Qty(after)),
        cash=Cash(cash),
    )


def reconciles(result: BacktestResult) -> bool:
    return round_trips(result).net == result.final - result.initial


def test_a_long_trade() -> None:
    result = result_of([fill(1, 1, 10, 100, at(0)), fill(2, -1, 10, 103, at(5))])
    (trip,) = round_trips(result).closed
    assert (trip.side, trip.qty, trip.gross, trip.net) == (Side.BUY, 10, 30 * RUPEE, 30 * RUPEE)
    assert (trip.entry_ns, trip.exit_ns, trip.turnover) == (at(0), at(5), 1_000 * RUPEE)
    assert reconciles(result)


def test_a_short_trade() -> None:
    result = result_of([fill(1, -1, 10, 100, at(0)), fill(2, 1, 10, 103, at(5))])
    (trip,) = round_trips(result).closed
    assert (trip.side, trip.gross) == (Side.SELL, -30 * RUPEE)
    assert reconciles(result)


def test_the_oldest_entry_is_closed_first() -> None:
    fills = [fill(1, 1, 10, 100, at(0)), fill(2, 1, 10, 110, at(1)), fill(3, -1, 15, 120, at(2))]
    trips = round_trips(result_of(fills, marks={"NSE:A": 90}))
    assert [(trip.qty, trip.entry_px // RUPEE, trip.gross // RUPEE) for trip in trips.closed] == [
        (10, 100, 200),
        (5, 110, 50),
    ]
    assert [(trip.qty, trip.gross // RUPEE, trip.exit_purpose) for trip in trips.open] == [(5, -100, "open")]


def test_an_order_that_turns_the_position_ends_one_trip_and_begins_the_next() -> None:
    fills = [fill(1, 1, 10, 100, at(0)), fill(2, -1, 30, 105, at(1)), fill(3, 1, 20, 101, at(2))]
    trips = round_trips(result_of(fills)).closed
    assert [(trip.side, trip.qty, trip.gross // RUPEE) for trip in trips] == [(Side.BUY, 10, 50), (Side.SELL, 20, 80)]


def test_partial_fills_of_the_same_two_orders_are_one_trip() -> None:
    fills = [
        *(fill(1, 1, 4, 100, at(0), order="in"), fill(2, 1, 6, 101, at(1), order="in")),
        *(fill(3, -1, 7, 105, at(2), order="out"), fill(4, -1, 3, 104, at(3), order="out")),
    ]
    (trip,) = round_trips(result_of(fills, orders=[order_of(fills[0]), order_of(fills[2])])).closed
    # In: 4 × 100 + 6 × 101 = 1006; out: 7 × 105 + 3 × 104 = 1047.
    assert (trip.qty, trip.entry_px, trip.gross) == (10, 1_006_000, 41 * RUPEE)
    assert (trip.entry_ns, trip.exit_ns) == (at(0), at(3))


def test_slices_belong_to_the_order_they_were_cut_from() -> None:
    fills = [fill(1, 1, 5, 100, at(0), order="a"), fill(2, 1, 5, 100, at(0), order="b"), fill(3, -1, 10, 101, at(1))]
    orders = [order_of(item) for item in fills]
    sliced = msgspec.structs.replace(orders[1], order=msgspec.structs.replace(orders[1].order, parent=OrderId("a")))
    assert len(round_trips(result_of(fills, orders=[orders[0], sliced, orders[2]])).closed) == 1


def test_products_are_not_matched_with_each_other() -> None:
    fills = [fill(1, 1, 10, 100, at(0), product=Product.CNC), fill(2, -1, 10, 101, at(1), product=Product.MIS)]
    trips = round_trips(result_of(fills, marks={"NSE:A": 101}))
    assert (len(trips.closed), len(trips.open)) == (0, 2)


def test_charges_are_split_without_losing_a_unit() -> None:
    fills = [
        fill(1, 1, 3, 100, at(0)),
        fill(2, -1, 1, 100, at(1)),
        fill(3, -1, 1, 100, at(2)),
        fill(4, -1, 1, 100, at(3)),
    ]
    charges = [lines(stt=100), lines(gst=7), lines(), lines()]
    trips = round_trips(result_of(fills, charges=charges)).closed
    # 100 over three: 33, then 67 over two: 33.5, half up 34, then 33.
    assert [trip.charges.stt for trip in trips] == [33, 34, 33]
    assert [trip.charges.gst for trip in trips] == [7, 0, 0]


def test_a_contract_note_goes_to_the_fills_of_its_day() -> None:
    fills = [fill(1, 1, 10, 100, at(0)), fill(2, -1, 10, 100, at(1))]
    note = DayChargesSettled(day_of(at(0)), StrategyId("S"), ChargeLines(stt=Cash(-30)), TsNs(at(2)))
    result = result_of(fills, charges=[lines(stt=100), lines(stt=200)], day_charges=[note])
    (trip,) = round_trips(result).closed
    assert trip.charges.stt == 270
    assert reconciles(result)


def test_a_contract_note_of_a_day_without_fills_belongs_to_no_trip() -> None:
    note = DayChargesSettled(TradingDay(1), StrategyId("S"), ChargeLines(other=Cash(500)), TsNs(0))
    result = result_of([fill(1, 1, 1, 100, at(0))], marks={"NSE:A": 100}, day_charges=[note])
    assert round_trips(result).unassigned.other == 500
    assert reconciles(result)


def test_a_depository_fee_goes_to_the_delivery_sale() -> None:
    fills = [fill(1, 1, 10, 100, at(0), product=Product.CNC), fill(2, -1, 5, 100, at(1), product=Product.CNC)]
    note = DayChargesSettled(day_of(at(0)), StrategyId("S"), ChargeLines(dp=Cash(15_34_00)), TsNs(at(2)))
    trips = round_trips(result_of(fills, marks={"NSE:A": 100}, day_charges=[note]))
    assert (trips.closed[0].charges.dp, trips.open[0].charges.dp) == (15_34_00, 0)


def test_a_split_keeps_what_was_paid() -> None:
    fills = [fill(1, 1, 10, 500, at(0)), fill(2, -1, 50, 104, at(9))]
    result = result_of(fills, adjustments=[split(10, 50, 5)])
    (trip,) = round_trips(result).closed
    assert (trip.qty, trip.entry_px, trip.gross) == (50, 100 * RUPEE, 200 * RUPEE)
    assert reconciles(result)


def test_a_dividend_is_income_of_the_lots_that_hold() -> None:
    fills = [fill(1, 1, 10, 100, at(0)), fill(2, 1, 20, 100, at(1)), fill(3, -1, 10, 100, at(9))]
    result = result_of(fills, marks={"NSE:A": 100}, adjustments=[split(30, 30, 5, cash=90 * RUPEE)])
    trips = round_trips(result)
    assert (trips.closed[0].income, trips.open[0].income) == (30 * RUPEE, 60 * RUPEE)
    assert reconciles(result)


def test_an_adjustment_that_contradicts_the_fills_is_a_bug() -> None:
    with pytest.raises(InvariantBroken, match="says 11, fills say 10"):
        round_trips(result_of([fill(1, 1, 10, 100, at(0))], marks={"NSE:A": 100}, adjustments=[split(11, 22, 1)]))


def test_an_open_position_without_a_mark_is_refused() -> None:
    held = result_of([fill(1, 1, 10, 100, at(0))], marks={"NSE:A": 100})
    with pytest.raises(UsageError, match="has no mark"):
        round_trips(msgspec.structs.replace(held, marks=()))


def test_purposes_and_tag_come_from_the_orders() -> None:
    fills = [fill(1, 1, 10, 100, at(0)), fill(2, -1, 10, 95, at(1))]
    orders = [order_of(fills[0], tag="gap"), order_of(fills[1], purpose=Purpose.STOP)]
    (trip,) = round_trips(result_of(fills, orders=orders)).closed
    assert (trip.entry_purpose, trip.exit_purpose, trip.tag) == ("signal", "stop", "gap")


def test_an_exit_without_an_order_is_a_settlement() -> None:
    fills = [fill(1, 1, 10, 100, at(0)), fill(2, -1, 10, 95, at(1))]
    (trip,) = round_trips(result_of(fills, orders=[order_of(fills[0])])).closed
    assert trip.exit_purpose == "settlement"


def with_bars(fills: list[Fill], adjustments: list[PositionAdjusted] | None = None) -> BacktestResult:
    rows = [(100.0, 104.0, 99.0, 103.0), (103.0, 105.0, 97.0, 98.0), (98.0, 120.0, 90.0, 110.0)]
    bars = bars_of("NSE:A", [at(0), at(5), at(10)], rows)
    curve = curve_of([at(5), at(10), at(15)], [1, 1, 1])
    return result_of(fills, bars=[bars], curve=curve, adjustments=adjustments or [])


def test_excursions_look_at_whole_bars_between_entry_and_exit() -> None:
    # The third bar ends after the exit: its 90 and 120 may have come later.
    (trip,) = round_trips(with_bars([fill(1, 1, 10, 100, at(0)), fill(2, -1, 10, 98, at(10))])).closed
    assert (trip.mae, trip.mfe, trip.bars) == (-30 * RUPEE, 50 * RUPEE, 2)


def test_excursions_of_a_short_are_mirrored() -> None:
    (trip,) = round_trips(with_bars([fill(1, -1, 10, 100, at(0)), fill(2, 1, 10, 98, at(10))])).closed
    assert (trip.mae, trip.mfe) == (-50 * RUPEE, 30 * RUPEE)


def test_excursions_include_the_exit_price() -> None:
    (trip,) = round_trips(with_bars([fill(1, 1, 10, 100, at(1)), fill(2, -1, 10, 90, at(4))])).closed
    assert (trip.mae, trip.mfe) == (-100 * RUPEE, 0)


def test_excursions_before_a_split_use_the_quantity_of_then() -> None:
    fills = [fill(1, 1, 10, 100, at(0)), fill(2, -1, 50, 20, at(10))]
    (trip,) = round_trips(with_bars(fills, [split(10, 50, 5)])).closed
    # Before: 10 × 99 … 104. After: 50 × 97 … 105 against a cost of 1000.
    assert (trip.mae, trip.mfe) == (-10 * RUPEE, (50 * 105 - 1_000) * RUPEE)


def test_without_bars_there_are_no_excursions() -> None:
    (trip,) = round_trips(result_of([fill(1, 1, 10, 100, at(0)), fill(2, -1, 10, 98, at(10))])).closed
    assert (trip.mae, trip.mfe) == (None, None)


def test_slippage_of_both_ends_is_told() -> None:
    fills = [fill(1, 1, 10, 100, at(0), worse=500), fill(2, -1, 10, 103, at(5), worse=1_000)]
    (trip,) = round_trips(result_of(fills)).closed
    assert trip.slippage == 15_000
