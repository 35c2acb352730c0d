"""Rates change on the day the tables say, not a day earlier or later; other fees; who may trade what."""

from itertools import pairwise

import pytest

from manjha.domain.charges import ChargeLines
from manjha.domain.errors import OutsideTable, UsageError
from manjha.domain.instrument import Asset, Exchange, Instrument, Kind, Right
from manjha.domain.money import Cash, Px, Qty, parse_cash, parse_px
from manjha.domain.orders import OrderId, Product, Side
from manjha.market import fees
from manjha.market.charges import NO_CHARGES, RateCard, fill_charges, rate_bases, rate_card, rate_periods
from manjha.market.contract_note import DayTrade, settle_day
from manjha.market.rows import Confidence
from tests.fakes.market_rules import day, future, index, option, share, shipped_rules

RULES = shipped_rules()
CNC, MIS, NRML, MTF = Product.CNC, Product.MIS, Product.NRML, Product.MTF
USDINR = future("USDINR", exchange=Exchange.CDS, asset=Asset.CURRENCY)
CRUDE = future("CRUDEOIL", exchange=Exchange.MCX, asset=Asset.COMMODITY)
CRUDE_CALL = option("CRUDEOIL", "6000", exchange=Exchange.MCX, asset=Asset.COMMODITY)
SENSEX_CALL = option("SENSEX", "85000", exchange=Exchange.BFO)
SENSEX50_CALL = option("SENSEX50", "27000", exchange=Exchange.BFO)
BSE_A, BSE_X = share(exchange=Exchange.BSE, series="A"), share(exchange=Exchange.BSE, series="X")

# What changes, in which field of the card, the last day before and the first day after, and both rates in 1e-9.
CHANGES = [
    (share(), CNC, "brokerage_rate", "2015-11-30", "2015-12-01", 100_000, 0),
    (share(), MIS, "brokerage_rate", "2019-08-31", "2019-09-01", 100_000, 300_000),
    (future(), NRML, "stt_sell", "2023-03-31", "2023-04-01", 100_000, 125_000),
    (future(), NRML, "stt_sell", "2024-09-30", "2024-10-01", 125_000, 200_000),
    (future(), NRML, "stt_sell", "2026-03-31", "2026-04-01", 200_000, 500_000),
    (option(), NRML, "stt_sell", "2016-05-31", "2016-06-01", 170_000, 500_000),
    (option(), NRML, "stt_sell", "2023-03-31", "2023-04-01", 500_000, 625_000),
    (option(), NRML, "stt_sell", "2024-09-30", "2024-10-01", 625_000, 1_000_000),
    (option(), NRML, "stt_sell", "2026-03-31", "2026-04-01", 1_000_000, 1_500_000),
    (share(), CNC, "exchange", "2020-12-31", "2021-01-01", 32_500, 34_500),
    (share(), CNC, "exchange", "2023-03-31", "2023-04-01", 34_500, 32_500),
    (share(), CNC, "ipft", "2023-03-31", "2023-04-01", 1, 1_000),
    (share(), CNC, "exchange", "2024-03-31", "2024-04-01", 32_500, 32_200),
    (share(), CNC, "exchange", "2024-09-30", "2024-10-01", 32_200, 29_700),
    (share(), CNC, "exchange", "2026-02-28", "2026-03-01", 29_700, 30_699),
    (share(), CNC, "ipft", "2026-02-28", "2026-03-01", 1_000, 1),
    (future(), NRML, "exchange", "2026-02-28", "2026-03-01", 17_300, 18_299),
    (option(), NRML, "exchange", "2024-09-30", "2024-10-01", 495_000, 350_300),
    (option(), NRML, "ipft", "2023-03-31", "2023-04-01", 1, 5_000),
    (BSE_A, CNC, "exchange", "2022-11-30", "2022-12-01", 34_500, 37_500),
    (SENSEX_CALL, NRML, "exchange", "2023-10-31", "2023-11-01", 50_000, 375_000),
    (SENSEX_CALL, NRML, "exchange", "2024-09-30", "2024-10-01", 495_000, 325_000),
    (SENSEX50_CALL, NRML, "exchange", "2024-09-30", "2024-10-01", 50_000, 50_000),
    (USDINR, NRML, "exchange", "2024-09-30", "2024-10-01", 9_000, 3_500),
    (CRUDE, NRML, "exchange", "2024-09-30", "2024-10-01", 26_000, 21_000),
    (CRUDE_CALL, NRML, "exchange", "2021-09-30", "2021-10-01", 0, 500_000),
    (share(), MIS, "sebi", "2019-03-31", "2019-04-01", 1_500, 1_000),
    (share(), MIS, "sebi", "2020-05-31", "2020-06-01", 1_000, 500),
    (share(), MIS, "sebi", "2021-03-31", "2021-04-01", 500, 1_000),
    (share(), CNC, "stamp_buy", "2020-06-30", "2020-07-01", 100_000, 150_000),
    (share(), CNC, "stamp_sell", "2020-06-30", "2020-07-01", 100_000, 0),
    (share(), MIS, "gst", "2015-05-31", "2015-06-01", 123_600_000, 140_000_000),
    (share(), MIS, "gst", "2016-05-31", "2016-06-01", 145_000_000, 150_000_000),
    (share(), MIS, "gst", "2017-06-30", "2017-07-01", 150_000_000, 180_000_000),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_rate_changes_on_its_day(change: tuple[Instrument, Product, str, str, str, int, int]) -> None:
    instrument, product, field, last, first, *expected = change
    assert day(first) == day(last) + 1
    cards = [rate_card(RULES, instrument, product, day(text)) for text in (last, first)]
    assert [getattr(card, field) for card in cards] == expected


def test_exclusive_bse_groups_pay_their_own_tariff() -> None:
    rates = {
        g: rate_card(RULES, share(exchange=Exchange.BSE, series=g), CNC, day("2026-11-20")).exchange for g in "ATXZP"
    }
    assert rates == {"A": 37_500, "T": 37_500, "X": 1_000_000, "Z": 1_000_000, "P": 10_000_000}


def test_an_exclusive_group_before_its_table_is_no_guess() -> None:
    with pytest.raises(OutsideTable, match=r"bse_group of group X covers 2022-11-30; the rows cover 2022-12-01"):
        rate_card(RULES, BSE_X, CNC, day("2022-11-30"))


@pytest.mark.parametrize(
    ("instrument", "product", "text", "table"),
    [
        (share(), MTF, "2024-10-31", "brokerage of equity_mtf"),
        (USDINR, NRML, "2019-08-30", "brokerage of currency_futures"),
        (SENSEX_CALL, NRML, "2022-04-29", "exchange of BSE equity_options"),
        (share(), CNC, "2027-01-04", "brokerage of equity_delivery"),
        (share(), CNC, "2014-12-31", "brokerage of equity_delivery"),
    ],
)
def test_a_day_outside_a_table_is_an_error_that_names_it(
    instrument: Instrument, product: Product, text: str, table: str
) -> None:
    with pytest.raises(OutsideTable, match=table) as caught:
        rate_card(RULES, instrument, product, day(text))
    assert text in caught.value.message
    assert "rules file" in caught.value.hint


@pytest.mark.parametrize(("instrument", "product"), [(index(), CNC), (share(), NRML), (future(), CNC), (option(), MTF)])
def test_a_product_that_does_not_fit_is_refused(instrument: Instrument, product: Product) -> None:
    with pytest.raises(UsageError, match=f"cannot be traded as {product}"):
        rate_card(RULES, instrument, product, day("2026-11-20"))


def test_an_equity_etf_pays_less_tax_and_a_gold_etf_none() -> None:
    etfs = [share(symbol, kind=Kind.ETF) for symbol in ("NIFTYBEES", "GOLDBEES")]
    cards = [rate_card(RULES, etf, CNC, day("2026-11-20")) for etf in etfs]
    assert [(card.stt_buy, card.stt_sell) for card in cards] == [(0, 10_000), (0, 0)]


def test_agricultural_commodities_pay_no_ctt_and_a_lower_sebi_fee() -> None:
    menthol = future("MENTHAOIL", exchange=Exchange.MCX, asset=Asset.COMMODITY)
    card = rate_card(RULES, menthol, NRML, day("2026-11-20"))
    assert (card.stt_sell, card.sebi) == (0, 100)


def test_an_unknown_commodity_is_no_guess() -> None:
    unknown = future("UNOBTAINIUM", exchange=Exchange.MCX, asset=Asset.COMMODITY)
    with pytest.raises(OutsideTable, match="commodities has no row for 'UNOBTAINIUM'"):
        rate_card(RULES, unknown, NRML, day("2026-11-20"))


def test_periods_cover_a_span_without_gaps_and_agree_with_each_day() -> None:
    start, end = day("2019-01-01"), day("2026-12-31")
    periods = rate_periods(RULES, option(), NRML, start, end)
    assert (periods[0][0], periods[-1][1]) == (start, end)
    assert all(a[1] + 1 == b[0] and a[2] != b[2] for a, b in pairwise(periods))
    assert all(rate_card(RULES, option(), NRML, d) == card for *span, card in periods for d in span)


def test_a_card_tells_what_its_rates_rest_on() -> None:
    bases = dict(rate_bases(RULES, share(), MIS, day("2019-06-03")))
    assert bases["brokerage"].confidence is Confidence.UNVERIFIED
    assert bases["stt"].confidence is Confidence.CERTAIN
    assert "1.2" in bases["gst"].source


def test_a_fill_books_its_lines() -> None:
    card = rate_card(RULES, share(), MIS, day("2026-11-20"))
    booked = fill_charges(card, Side.BUY, parse_cash("400000"), 0)
    assert ChargeLines(*map(Cash, booked)) == ChargeLines(
        brokerage=parse_cash("20"),
        exchange=parse_cash("12.2796"),
        ipft=parse_cash("0.0004"),
        sebi=parse_cash("0.4"),
        stamp=parse_cash("12"),
        gst=parse_cash("5.8823"),
    )


def test_the_card_without_charges_charges_nothing() -> None:
    assert sum(fill_charges(NO_CHARGES, Side.SELL, 10**12, 0)) == 0
    assert sum(fill_charges(RateCard(), Side.BUY, 10**12, 10**12)) == 0


def trade(product: Product, side: Side, qty: int, px: str, order: str = "1", symbol: str = "SBIN") -> DayTrade:
    return DayTrade(share(symbol), product, side, Qty(qty), parse_px(px), OrderId(order))


def test_delivery_traded_back_the_same_day_is_billed_as_intraday() -> None:
    delivery = [trade(CNC, Side.BUY, 400, "1000", "1"), trade(CNC, Side.SELL, 400, "1100", "2")]
    intraday = [trade(MIS, Side.BUY, 400, "1000", "1"), trade(MIS, Side.SELL, 400, "1100", "2")]
    bills = [settle_day(RULES, day("2026-11-20"), trades) for trades in (delivery, intraday)]
    assert bills[0] == bills[1]
    assert (bills[0].brokerage, bills[0].stt, bills[0].dp) == (parse_cash("40"), parse_cash("105"), 0)


def test_a_delivery_sale_pays_the_depository_once_per_isin() -> None:
    trades = [
        trade(CNC, Side.SELL, 10, "500", "1"),
        trade(CNC, Side.SELL, 10, "501", "2"),
        trade(CNC, Side.SELL, 1, "100", "3", "INFY"),
        trade(CNC, Side.BUY, 1, "100", "4", "TCS"),
    ]
    assert settle_day(RULES, day("2026-11-20"), trades).dp == parse_cash("30.68")
    assert settle_day(RULES, day("2024-09-30"), trades).dp == parse_cash("31.86")


def test_slices_are_orders_and_fills_of_one_order_are_not() -> None:
    slices = [DayTrade(future(), NRML, Side.BUY, Qty(75), Px(200_000_000), OrderId(str(i))) for i in range(3)]
    fills = [DayTrade(future(), NRML, Side.BUY, Qty(75), Px(200_000_000), OrderId("1")) for _ in range(3)]
    brokerages = [settle_day(RULES, day("2026-11-20"), trades).brokerage for trades in (slices, fills)]
    assert brokerages == [parse_cash("60"), parse_cash("20")]


def test_a_note_without_trades_is_empty() -> None:
    assert settle_day(RULES, day("2026-11-20"), []) == ChargeLines()


EXERCISES = [
    (Right.CALL, "2019-08-29", "110", 13_750),
    (Right.CALL, "2019-09-03", "110", 1_250),
    (Right.CALL, "2026-03-30", "110", 1_250),
    (Right.CALL, "2026-04-07", "110", 1_500),
    (Right.CALL, "2026-04-07", "90", 0),
    (Right.PUT, "2026-04-07", "90", 1_500),
    (Right.PUT, "2026-04-07", "110", 0),
]


@pytest.mark.parametrize(("right", "text", "settlement", "tax"), EXERCISES)
def test_exercise_tax_by_date(right: Right, text: str, settlement: str, tax: int) -> None:
    contract = option(strike="100", right=right)
    assert fees.exercise_tax(RULES, contract, day(text), parse_px(settlement), 10) == tax


def test_only_options_are_exercised() -> None:
    with pytest.raises(UsageError, match="no option"):
        fees.exercise_tax(RULES, future(), day("2026-04-07"), 1, 1)


def test_fees_carry_gst_where_they_are_services() -> None:
    at = day("2026-11-20")
    assert fees.square_off_fee(RULES, at) == parse_cash("59")
    assert fees.depository_charge(RULES, at) == parse_cash("15.34")
    assert fees.pledge_fee(RULES, at) == parse_cash("17.70")
    assert fees.funding_interest(RULES, at, parse_cash("100000"), 3) == parse_cash("120")
    assert fees.physical_delivery_fee(RULES, at, parse_cash("100000")) == parse_cash("295")
    assert fees.physical_delivery_fee(RULES, at, parse_cash("100000"), netted_off=True) == parse_cash("118")


def test_an_unknown_fee_is_no_guess() -> None:
    with pytest.raises(OutsideTable, match="no row for teleport"):
        fees.named_fee(RULES, "teleport", day("2026-11-20"))
