"""Positions follow their formulas: random trades against an independent recount, day after day (2.6.4)."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.money import RUPEE
from manjha.exchange.accounts.positions import Row, joined, worth

Trades = list[tuple[int, int, int]]
PRICES = st.integers(1, 5_000).map(lambda rupees: rupees * RUPEE)
TRADES = st.lists(st.tuples(st.sampled_from([1, -1]), st.integers(1, 500), PRICES), max_size=12)


def traded(trades: Trades, row: Row | None = None) -> Row:
    row = row or Row()
    for side, qty, px in trades:
        row.trade(side, qty, px)
    return row


@given(TRADES, PRICES)
def test_profit_of_a_day_is_that_of_its_trades(trades: Trades, last: int) -> None:
    row = traded(trades)
    # Each trade on its own, closed at the last price.
    recount = sum(side * qty * (last - px) for side, qty, px in trades)
    found = worth(row, close=0, last=last)
    assert row.qty == sum(side * qty for side, qty, _ in trades)
    assert found.pnl == found.m2m == recount


@given(TRADES, TRADES, PRICES, PRICES)
def test_profit_since_the_close_is_that_of_what_was_carried_and_traded(
    first: Trades, second: Trades, close: int, last: int
) -> None:
    carried = traded(first).overnight_row()
    row = traded(second, carried)
    held = sum(side * qty for side, qty, _ in first)
    recount = held * (last - close) + sum(side * qty * (last - px) for side, qty, px in second)
    assert worth(row, close, last).m2m == recount
    assert row.overnight == held


@given(TRADES, TRADES, PRICES)
def test_what_is_carried_costs_the_average_of_its_side(first: Trades, second: Trades, last: int) -> None:
    day = traded(first)
    if not day.qty:
        assert day.overnight_row() is None
        return
    side = 1 if day.qty > 0 else -1
    count = sum(qty for way, qty, _ in first if way == side)
    average = Fraction(sum(qty * px for way, qty, px in first if way == side), count)
    carried = day.overnight_row()
    assert carried is not None
    assert 0 <= average * abs(day.qty) - carried.carried < 1
    row = traded(second, carried)
    recount = side * (Fraction(last) * abs(day.qty) - carried.carried) + sum(
        way * qty * (last - px) for way, qty, px in second
    )
    assert worth(row, close=1, last=last).pnl == recount


@given(TRADES, TRADES)
def test_rows_that_are_joined_hold_the_sum(first: Trades, second: Trades) -> None:
    rows = [traded(trades).overnight_row() or Row() for trades in (first, second)]
    both = joined(*rows)
    assert both.overnight == sum(row.overnight for row in rows)
    assert (both.carried > 0) is (both.overnight != 0)


@settings(max_examples=50)
@given(TRADES, st.integers(1, 500))
def test_a_conversion_moves_quantity_and_loses_no_value(trades: Trades, asked: int) -> None:
    row, other = traded(trades), Row()
    before, net = row.sold[1] - row.bought[1], row.qty
    if not net:
        return
    qty = max(min(asked, abs(net)), 1) * (1 if net > 0 else -1)
    value = row.take_out(qty, overnight=False)
    other.put_in(qty, value, overnight=False)
    assert row.qty + other.qty == net
    assert row.sold[1] - row.bought[1] + other.sold[1] - other.bought[1] == before
