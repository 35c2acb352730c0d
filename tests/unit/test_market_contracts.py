"""Ticks, lots, freeze quantities and expiry days by date."""

import pytest

from manjha.domain.errors import OutsideTable
from manjha.domain.instrument import Asset, Exchange, Instrument
from manjha.domain.moments import format_day
from manjha.domain.money import parse_px
from manjha.market.calendar import next_trading_day, previous_trading_day, trading_days
from manjha.market.contracts import (
    check_expiry,
    freeze_by_level,
    freeze_quantity,
    largest_order,
    lot_size,
    monthly_expiry,
    tick_size,
    weekly_expiries,
)
from tests.fakes.market_rules import day, future, option, share, shipped_rules

RULES = shipped_rules()
NFO, BFO = Exchange.NFO, Exchange.BFO
STOCK_FUT = future("SBIN", asset=Asset.EQUITY)

TICKS = [
    (share(), "2024-06-07", "200", "0.05"),
    (share(), "2024-06-10", "250", "0.01"),
    (share(), "2024-06-10", "250.05", "0.05"),
    (share(), "2025-04-11", "6000", "0.05"),
    (share(), "2025-04-15", "250", "0.01"),
    (share(), "2025-04-15", "250.05", "0.05"),
    (share(), "2025-04-15", "1000", "0.05"),
    (share(), "2025-04-15", "1000.10", "0.10"),
    (share(), "2025-04-15", "10000", "0.50"),
    (share(), "2025-04-15", "10000.50", "1"),
    (share(), "2025-04-15", "20001", "5"),
    (STOCK_FUT, "2024-07-05", "200", "0.05"),
    (STOCK_FUT, "2024-07-08", "200", "0.01"),
    (STOCK_FUT, "2025-04-15", "20001", "5"),
    (future(), "2025-04-11", "24000", "0.05"),
    (future(), "2025-04-15", "15000", "0.05"),
    (future(), "2025-04-15", "24000", "0.10"),
    (future(), "2025-04-15", "51000", "0.20"),
    (option(), "2026-11-20", "24000", "0.05"),
    (option("SENSEX", exchange=BFO), "2026-11-20", "80000", "0.05"),
    (future("USDINR", exchange=Exchange.CDS, asset=Asset.CURRENCY), "2026-11-20", "95", "0.0025"),
    (future("CRUDEOIL", exchange=Exchange.MCX, asset=Asset.COMMODITY), "2026-11-20", "6000", "1"),
    (future("NATURALGAS", exchange=Exchange.MCX, asset=Asset.COMMODITY), "2026-11-20", "300", "0.10"),
]


@pytest.mark.parametrize(("instrument", "text", "reference", "tick"), TICKS)
def test_tick_by_date_and_reference_price(instrument: Instrument, text: str, reference: str, tick: str) -> None:
    assert tick_size(RULES, instrument, day(text), parse_px(reference)) == parse_px(tick)


def test_a_commodity_without_a_known_tick_is_no_guess() -> None:
    nickel = future("NICKEL", exchange=Exchange.MCX, asset=Asset.COMMODITY)
    with pytest.raises(OutsideTable, match="no tick for NICKEL"):
        tick_size(RULES, nickel, day("2026-11-20"), parse_px("1000"))


MONTHLIES = [
    (NFO, "NIFTY", 2026, 11, "2026-11-23"),  # Tuesday 24 is Guru Nanak Jayanti
    (NFO, "NIFTY", 2026, 10, "2026-10-27"),
    (NFO, "NIFTY", 2026, 3, "2026-03-30"),  # Tuesday 31 is Mahavir Jayanti
    (NFO, "NIFTY", 2025, 8, "2025-08-28"),  # the last Thursday
    (NFO, "NIFTY", 2025, 9, "2025-09-30"),  # the first Tuesday
    (NFO, "NIFTY", 2023, 6, "2023-06-28"),  # Thursday 29 is Bakri Id
    (NFO, "NIFTY", 2015, 12, "2015-12-31"),
    (NFO, "BANKNIFTY", 2024, 2, "2024-02-29"),
    (NFO, "BANKNIFTY", 2024, 3, "2024-03-27"),
    (NFO, "BANKNIFTY", 2024, 12, "2024-12-24"),  # Wednesday 25 is Christmas
    (NFO, "FINNIFTY", 2024, 12, "2024-12-31"),
    (NFO, "MIDCPNIFTY", 2024, 12, "2024-12-30"),
    (NFO, "NIFTYNXT50", 2024, 12, "2024-12-27"),
    (NFO, "RELIANCE", 2026, 11, "2026-11-23"),
    (BFO, "SENSEX", 2024, 12, "2024-12-27"),
    (BFO, "SENSEX", 2025, 1, "2025-01-28"),
    (BFO, "SENSEX", 2025, 9, "2025-09-25"),
    (BFO, "BANKEX", 2026, 12, "2026-12-31"),
]


@pytest.mark.parametrize(("exchange", "underlying", "year", "month", "text"), MONTHLIES)
def test_monthly_expiry(exchange: Exchange, underlying: str, year: int, month: int, text: str) -> None:
    assert format_day(monthly_expiry(RULES, exchange, underlying, year, month)) == text


def test_weeklies_skip_the_week_of_the_monthly_and_move_before_holidays() -> None:
    found = weekly_expiries(RULES, NFO, "NIFTY", day("2026-10-01"), day("2026-12-09"))
    assert [format_day(d) for d in found] == [
        "2026-10-06", "2026-10-13", "2026-10-19", "2026-11-03", "2026-11-09", "2026-11-17", "2026-12-01", "2026-12-08",
    ]  # fmt: skip


def test_banknifty_weeklies_moved_to_wednesday_and_ended() -> None:
    autumn = weekly_expiries(RULES, NFO, "BANKNIFTY", day("2023-08-21"), day("2023-09-15"))
    assert [format_day(d) for d in autumn] == ["2023-08-24", "2023-09-06", "2023-09-13"]
    assert weekly_expiries(RULES, NFO, "BANKNIFTY", day("2024-11-14"), day("2026-11-20")) == ()


def test_an_expiry_is_monthly_weekly_or_unknown() -> None:
    assert check_expiry(RULES, NFO, "NIFTY", day("2026-11-23")) == "monthly"
    assert check_expiry(RULES, NFO, "NIFTY", day("2026-11-17")) == "weekly"
    with pytest.raises(OutsideTable, match="no contract that expires on 2026-11-18"):
        check_expiry(RULES, NFO, "NIFTY", day("2026-11-18"))


@pytest.mark.parametrize(
    ("exchange", "underlying", "year", "month", "match"),
    [
        (NFO, "NIFTY", 2027, 1, "2027-01-31 is outside the calendar"),
        (NFO, "MIDCPNIFTY", 2022, 5, "no monthly rule of NFO MIDCPNIFTY for 2022-05"),
        (BFO, "RELIANCE", 2026, 5, "no row for BFO RELIANCE"),
    ],
)
def test_an_expiry_outside_the_tables_is_no_guess(
    exchange: Exchange, underlying: str, year: int, month: int, match: str
) -> None:
    with pytest.raises(OutsideTable, match=match):
        monthly_expiry(RULES, exchange, underlying, year, month)


LOTS = [
    (NFO, "NIFTY", "2015-10-29", 25),
    (NFO, "NIFTY", "2015-11-26", 75),
    (NFO, "NIFTY", "2021-06-24", 75),
    (NFO, "NIFTY", "2021-07-22", 75),
    (NFO, "NIFTY", "2021-07-29", 50),
    (NFO, "NIFTY", "2024-04-25", 50),
    (NFO, "NIFTY", "2024-05-02", 25),
    (NFO, "NIFTY", "2024-12-19", 25),
    (NFO, "NIFTY", "2025-01-02", 75),
    (NFO, "NIFTY", "2025-01-30", 25),
    (NFO, "NIFTY", "2025-12-30", 75),
    (NFO, "NIFTY", "2026-11-23", 65),
    (NFO, "BANKNIFTY", "2018-10-25", 40),
    (NFO, "BANKNIFTY", "2023-07-20", 25),
    (NFO, "BANKNIFTY", "2023-07-27", 15),
    (NFO, "BANKNIFTY", "2025-07-31", 35),
    (NFO, "BANKNIFTY", "2026-01-27", 30),
    (BFO, "SENSEX", "2026-11-26", 20),
    (NFO, "RELIANCE", "2026-05-26", 500),
]


@pytest.mark.failure("F66")
@pytest.mark.parametrize(("exchange", "underlying", "expiry", "lot"), LOTS)
def test_lot_by_expiry(exchange: Exchange, underlying: str, expiry: str, lot: int) -> None:
    assert lot_size(RULES, exchange, underlying, day(expiry)) == lot


def test_a_share_lot_outside_the_snapshot_is_no_guess() -> None:
    with pytest.raises(OutsideTable, match="lots of NFO RELIANCE covers 2026-11-23"):
        lot_size(RULES, NFO, "RELIANCE", day("2026-11-23"))


@pytest.mark.parametrize(
    ("underlying", "text", "freeze", "lot", "largest"),
    [
        ("NIFTY", "2026-11-20", 1800, 65, 1755),
        ("BANKNIFTY", "2026-11-20", 600, 30, 600),
        ("BANKNIFTY", "2025-10-01", 900, 35, 875),
    ],
)
def test_freeze_quantity_and_largest_order(underlying: str, text: str, freeze: int, lot: int, largest: int) -> None:
    found = freeze_quantity(RULES, NFO, underlying, day(text))
    assert (found, largest_order(found, lot)) == (freeze, largest)


@pytest.mark.parametrize(
    ("level", "qty"), [("5750", 8500), ("5750.05", 5500), ("24000", 1800), ("55000", 900), ("55000.05", 600)]
)
def test_freeze_slabs(level: str, qty: int) -> None:
    assert freeze_by_level(RULES, parse_px(level)) == qty


def test_mcx_trades_on_share_holidays_in_the_evening() -> None:
    march = trading_days(RULES, day("2026-03-02"), day("2026-03-04"), Exchange.MCX)
    assert [format_day(d) for d in march] == ["2026-03-02", "2026-03-03", "2026-03-04"]
    assert next_trading_day(RULES, day("2026-10-01"), Exchange.MCX) == day("2026-10-05")
    assert previous_trading_day(RULES, day("2026-10-05"), Exchange.MCX) == day("2026-10-01")
