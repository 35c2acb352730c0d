"""What trades add up to: a day's profit from its fills, and charges line by line."""

from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.charges import ChargeLines
from manjha.domain.events import DayChargesSettled
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, at
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import AccountId, Fill, FillId, OrderId, Origin, Product, RunId, Side, StrategyId
from manjha.domain.read_models import NoteView, PositionView, TradeView
from manjha.services.accounts.figures import bills, profits, realised_by_trades

A, ONE = InstrumentId("NSE:A"), StrategyId("one")
NOON = 12 * 3_600 * 10**9


def trade(day: int, signed: int, px: int, charges: ChargeLines | None = None) -> TradeView:
    side = Side.BUY if signed > 0 else Side.SELL
    fill = Fill(
        FillId("f"), OrderId("o"), Origin(AccountId("P"), ONE, RunId("r")), A, side, Qty(abs(signed)), Px(px), Px(px),
        Product.MIS, at(day, NOON),
    )  # fmt: skip
    return TradeView(1, fill, charges)


SIGNED = st.integers(-9, 9).filter(bool)


@given(st.lists(st.tuples(st.integers(1, 3), SIGNED, st.integers(1, 100_000)), max_size=30))
def test_what_days_realise_and_what_is_open_is_all_the_money_that_came_and_went(
    rows: list[tuple[int, int, int]],
) -> None:
    trades = [trade(*row) for row in sorted(rows, key=lambda row: row[0])]
    realised = sum(realised_by_trades(trades, TradingDay(day)).get(ONE, 0) for day in (1, 2, 3))
    qty = sum(one.fill.qty * one.fill.side for one in trades)
    spent = sum(one.fill.qty * one.fill.side * one.fill.px for one in trades)
    held = PositionView(AccountId("P"), ONE, A, Product.MIS, qty, spent + realised, realised)
    (told,) = profits([held], {A: 777}, ([], []), {})
    assert told.unrealised is not None
    assert told.realised + told.unrealised == qty * 777 - spent


def test_without_a_price_the_unrealised_profit_is_not_known() -> None:
    held = PositionView(AccountId("P"), ONE, A, Product.MIS, 5, 500, 30)
    assert profits([held], {}, ([], []), {})[0].unrealised is None
    assert profits([PositionView(AccountId("P"), ONE, A, Product.MIS)], {}, ([], []), {})[0].unrealised == 0


def test_charges_of_a_span_are_of_its_days_line_by_line_and_unknown_ones_are_counted() -> None:
    lines = ChargeLines(brokerage=Cash(200_000), gst=Cash(36_000))
    trades = [trade(1, 5, 100, lines), trade(2, -5, 100, lines), trade(2, 1, 100)]
    notes = [NoteView(9, DayChargesSettled(TradingDay(2), ONE, ChargeLines(stamp=Cash(7)), at(2, NOON)))]
    (bill,) = bills(trades, notes, (TradingDay(2), None))
    assert (bill.booked, bill.notes) == (lines, ChargeLines(stamp=Cash(7)))
    assert (bill.trades, bill.unknown) == (2, 1)
    (whole,) = bills(trades, notes, (None, None))
    assert whole.booked.total == 2 * lines.total
