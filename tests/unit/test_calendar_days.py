"""Trading days, settlement, sessions and what follows from them."""

import csv
from pathlib import Path

import pytest

from manjha.domain.bars import DAY, MINUTE
from manjha.domain.errors import DataError, OutsideTable
from manjha.domain.instrument import Asset, Exchange, Instrument
from manjha.domain.moments import HOUR_NS, MINUTE_NS, TradingDay, TsNs, clock_ns, format_clock, format_day
from manjha.market.calendar import (
    is_trading_day,
    next_trading_day,
    previous_trading_day,
    settlement_day,
    settlement_holidays_known,
    trading_days,
    weekday,
)
from manjha.market.sessions import (
    PhaseKind,
    Session,
    SessionKind,
    bar_close,
    bar_closes,
    expected_opens,
    session,
    square_off_ns,
    us_daylight_saving,
)
from tests.fakes.market_rules import day, future, index, share, shipped_rules

RULES = shipped_rules()
PLAIN, FNO = share(), share(fno=True)
NIFTY_FUT = future(expiry="2026-12-29")
STOCK_FUT = future("SBIN", "2026-12-29", asset=Asset.EQUITY)
USDINR = future("USDINR", "2026-12-29", exchange=Exchange.CDS, asset=Asset.CURRENCY)
CRUDE = future("CRUDEOIL", exchange=Exchange.MCX, asset=Asset.COMMODITY)
MENTHOL = future("MENTHAOIL", exchange=Exchange.MCX, asset=Asset.COMMODITY)

MUHURATS = {
    "2015-11-11": "17:45-18:45",
    "2016-10-30": "18:30-19:30",
    "2017-10-19": "18:30-19:30",
    "2018-11-07": "17:30-18:30",
    "2019-10-27": "18:15-19:15",
    "2020-11-14": "18:15-19:15",
    "2021-11-04": "18:15-19:15",
    "2022-10-24": "18:15-19:15",
    "2023-11-12": "18:15-19:15",
    "2024-11-01": "18:00-19:00",
    "2025-10-21": "13:45-14:45",
    "2026-11-08": "18:15-19:15",
}


def clock(ts_ns: int) -> str:
    return format_clock(clock_ns(ts_ns))


def windows(held: Session) -> str:
    return " ".join(f"{clock(start)}-{clock(stop)}" for start, stop in held.windows)


def test_trading_days_equal_the_observed_and_published_list() -> None:
    path = Path(__file__).parents[1] / "golden" / "nse_trading_days.csv"
    with path.open(newline="") as file:
        expected = [row["date"] for row in csv.DictReader(file)]
    assert [format_day(d) for d in trading_days(RULES, RULES.first, RULES.last)] == expected
    assert len(expected) == 2_973


@pytest.mark.failure("F50")
def test_weekends_trade_in_special_sessions_only() -> None:
    weekends = [format_day(d) for d in RULES.trading_days if weekday(d) > 4]
    assert weekends == [
        "2015-02-28", "2016-10-30", "2019-10-27", "2020-02-01", "2020-11-14", "2023-11-12",
        "2024-01-20", "2024-03-02", "2024-05-18", "2025-02-01", "2026-02-01", "2026-11-08",
    ]  # fmt: skip


def test_neighbouring_trading_days() -> None:
    assert format_day(next_trading_day(RULES, day("2024-01-19"))) == "2024-01-20"
    assert format_day(next_trading_day(RULES, day("2024-01-20"))) == "2024-01-23"
    assert format_day(previous_trading_day(RULES, day("2026-11-24"))) == "2026-11-23"
    assert trading_days(RULES, day("2026-11-21"), day("2026-11-25")) == (day("2026-11-23"), day("2026-11-25"))


@pytest.mark.parametrize("text", ["2014-12-31", "2027-01-01"])
def test_a_day_outside_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(OutsideTable, match=f"{text} is outside the calendar, which covers 2015-01-01 to 2026-12-31"):
        is_trading_day(RULES, day(text))


def test_the_day_after_the_last_is_refused() -> None:
    with pytest.raises(OutsideTable, match="2027-01-01"):
        next_trading_day(RULES, day("2026-12-31"))
    with pytest.raises(OutsideTable, match="2014-12-31"):
        previous_trading_day(RULES, day("2015-01-01"))


@pytest.mark.parametrize(
    ("traded", "settled"),
    [
        ("2016-03-22", "2016-03-28"),  # two holidays and a weekend lie between
        ("2023-01-25", "2023-01-30"),  # the last T+2 day but one; 26 January is closed
        ("2023-01-27", "2023-01-30"),  # the first T+1 day
        ("2026-02-18", "2026-02-20"),  # 19 February trades but does not settle
        ("2026-03-31", None),  # closed
        ("2026-08-25", "2026-08-27"),
        ("2026-11-23", "2026-11-25"),
    ],
)
def test_settlement_day(traded: str, settled: str | None) -> None:
    if settled is not None:
        assert format_day(settlement_day(RULES, day(traded))) == settled
    else:
        assert not is_trading_day(RULES, day(traded))


def test_settlement_holidays_are_known_for_2026_only() -> None:
    assert [settlement_holidays_known(RULES, day(text)) for text in ("2025-06-02", "2026-06-02")] == [False, True]


def test_currency_closes_on_settlement_holidays_and_not_on_budget_saturdays() -> None:
    assert not is_trading_day(RULES, day("2026-02-19"), Exchange.CDS)
    assert is_trading_day(RULES, day("2026-02-19"), Exchange.NSE)
    assert not is_trading_day(RULES, day("2025-02-01"), Exchange.CDS)
    assert is_trading_day(RULES, day("2025-02-03"), Exchange.CDS)


SESSIONS = [
    (PLAIN, "2016-02-01", "09:15-15:30", "15:30", "15:20"),
    (FNO, "2026-07-31", "09:15-15:30", "15:30", "15:20"),
    (PLAIN, "2026-08-03", "09:15-15:30", "15:30", "15:20"),
    (FNO, "2026-08-03", "09:15-15:15", "15:35", "15:05"),
    (FNO, "2026-12-04", "09:15-15:15", "15:35", "15:05"),
    (FNO, "2026-12-07", "09:15-15:30", "15:40", "15:20"),
    (index(), "2026-08-03", "09:15-15:15", "15:35", "15:05"),
    (NIFTY_FUT, "2026-07-31", "09:15-15:30", "15:30", "15:25"),
    (NIFTY_FUT, "2026-08-03", "09:15-15:40", "15:40", "15:25"),
    (NIFTY_FUT, "2026-12-07", "09:15-15:45", "15:45", "15:25"),
    (NIFTY_FUT, "2026-12-29", "09:15-15:30", "15:30", "15:25"),
    (STOCK_FUT, "2026-12-29", "09:15-15:45", "15:45", "15:25"),
    (future(expiry="2026-11-23"), "2026-11-23", "09:15-15:40", "15:40", "15:25"),
    (USDINR, "2026-11-20", "09:00-17:00", "17:00", "16:45"),
    (USDINR, "2026-12-29", "09:00-12:30", "12:30", "12:15"),
    (CRUDE, "2026-10-30", "09:00-23:30", "23:30", "23:05"),
    (CRUDE, "2026-11-02", "09:00-23:55", "23:55", "23:30"),
    (CRUDE, "2018-06-01", "10:00-23:30", "23:30", "23:05"),
    (CRUDE, "2026-03-03", "17:00-23:55", "23:55", "23:30"),
    (CRUDE, "2026-01-01", "09:00-17:00", "17:00", "16:35"),
    (MENTHOL, "2026-11-20", "09:00-17:00", "17:00", "16:35"),
    (PLAIN, "2021-02-24", "09:15-11:40 15:45-17:00", "17:00", "16:50"),
    (share(exchange=Exchange.BSE), "2021-02-24", "09:15-15:30", "15:30", "15:20"),
    (FNO, "2024-03-02", "09:15-10:00 11:30-12:30", "12:30", "12:20"),
    (NIFTY_FUT, "2024-05-18", "09:15-10:00 11:30-12:30", "12:30", "12:25"),
    (PLAIN, "2026-02-01", "09:15-15:30", "15:30", "15:20"),
]


@pytest.mark.parametrize(("instrument", "text", "hours", "day_close", "square_off"), SESSIONS)
def test_hours_closing_price_and_square_off(
    instrument: Instrument, text: str, hours: str, day_close: str, square_off: str
) -> None:
    held = session(RULES, instrument, day(text))
    found = (windows(held), clock(held.day_close_ns), clock(square_off_ns(RULES, instrument, day(text))))
    assert found == (hours, day_close, square_off)
    assert (held.open_ns, held.close_ns) == (held.windows[0][0], held.windows[-1][1])


@pytest.mark.failure("F50")
@pytest.mark.parametrize(("text", "hours"), MUHURATS.items())
def test_every_muhurat_hour(text: str, hours: str) -> None:
    held = session(RULES, FNO, day(text))
    assert (windows(held), held.kind) == (hours, SessionKind.MUHURAT)
    assert held.open_ns < square_off_ns(RULES, FNO, day(text)) == held.close_ns - 15 * MINUTE_NS
    assert len(expected_opens(RULES, FNO, MINUTE, day(text))) == 60


def test_the_closing_auction_and_its_blocked_time() -> None:
    held = session(RULES, FNO, day("2026-08-03"))
    late = [(p.kind, clock(p.start_ns), clock(p.end_ns)) for p in held.phases if p.start_ns >= held.close_ns]
    assert late == [
        (PhaseKind.BLOCKED, "15:15", "15:20"),
        (PhaseKind.AUCTION, "15:20", "15:25"),
        (PhaseKind.AUCTION, "15:25", "15:30"),
        (PhaseKind.AUCTION, "15:30", "15:35"),
        (PhaseKind.POSTCLOSE, "15:50", "16:00"),
    ]
    assert held.auction_band == 30_000_000


def test_the_preopen_changed_on_2026_09_07() -> None:
    starts = [
        [clock(p.start_ns) for p in session(RULES, PLAIN, day(text)).phases if p.kind is PhaseKind.PREOPEN]
        for text in ("2026-09-04", "2026-09-07")
    ]
    assert starts == [["09:00", "09:08"], ["09:00", "09:05", "09:10", "09:12"]]


def test_futures_have_a_preopen_since_2025_12_08() -> None:
    kinds = [session(RULES, NIFTY_FUT, day(text)).phases[0].kind for text in ("2025-12-05", "2025-12-08")]
    assert kinds == [PhaseKind.CONTINUOUS, PhaseKind.PREOPEN]


def test_a_closed_day_has_no_session() -> None:
    with pytest.raises(DataError, match="NSE is closed on 2026-11-24"):
        session(RULES, PLAIN, day("2026-11-24"))
    with pytest.raises(DataError, match="only the evening session"):
        session(RULES, MENTHOL, day("2026-03-03"))
    with pytest.raises(DataError, match="MCX is closed on 2026-10-02"):
        session(RULES, CRUDE, day("2026-10-02"))


def test_american_daylight_saving() -> None:
    days = ("2026-03-07", "2026-03-08", "2026-10-31", "2026-11-01", "2015-03-08", "2015-11-01")
    assert [us_daylight_saving(day(text)) for text in days] == [False, True, True, False, True, False]


def test_a_day_has_375_minutes() -> None:
    opens = expected_opens(RULES, PLAIN, MINUTE, day("2016-02-01"))
    assert len(opens) == 375
    assert (clock(opens[0]), clock(opens[-1])) == ("09:15", "15:29")


@pytest.mark.parametrize(
    ("instrument", "text", "minutes", "count"),
    [
        (PLAIN, "2016-02-01", 60, 7),
        (PLAIN, "2016-02-01", 5, 75),
        (FNO, "2026-08-03", 1, 360),
        (NIFTY_FUT, "2026-08-03", 1, 385),
        (NIFTY_FUT, "2026-12-07", 1, 390),
        (PLAIN, "2021-02-24", 1, 220),
        (PLAIN, "2024-03-02", 1, 105),
        (PLAIN, "2024-03-02", 30, 5),
        (PLAIN, "2024-03-02", 60, 3),
        (CRUDE, "2026-11-02", 60, 15),
    ],
)
def test_expected_bars(instrument: Instrument, text: str, minutes: int, count: int) -> None:
    assert len(expected_opens(RULES, instrument, minutes * 60, day(text))) == count


def test_a_bar_closes_with_its_interval_or_its_window() -> None:
    held = session(RULES, PLAIN, day("2016-02-01"))
    last_hour = held.close_ns - 15 * MINUTE_NS
    assert bar_close(held, held.open_ns, MINUTE) == held.open_ns + MINUTE_NS
    assert bar_close(held, last_hour, 3600) == held.close_ns
    assert bar_close(held, held.open_ns, DAY) == held.close_ns
    drill = session(RULES, PLAIN, day("2024-03-02"))
    assert clock(bar_close(drill, drill.open_ns, 3600)) == "10:00"
    assert clock(bar_close(drill, drill.open_ns + 2 * HOUR_NS, 3600)) == "12:15"


def test_a_daily_bar_closes_with_the_auction() -> None:
    held = session(RULES, FNO, day("2026-08-03"))
    assert clock(bar_close(held, held.open_ns, DAY)) == "15:35"


def test_bars_outside_trading_hours_have_no_close() -> None:
    held = session(RULES, PLAIN, day("2016-02-01"))
    early, late = held.open_ns - MINUTE_NS, held.close_ns
    assert bar_closes(held, [early, held.open_ns, late], MINUTE) == [0, held.open_ns + MINUTE_NS, 0]
    with pytest.raises(DataError, match="outside the trading hours"):
        bar_close(held, early, MINUTE)


def test_every_trading_day_has_a_session_for_shares_and_their_derivatives() -> None:
    for d in RULES.trading_days:
        for instrument in (PLAIN, FNO, NIFTY_FUT):
            held = session(RULES, instrument, TradingDay(d))
            assert held.open_ns < held.close_ns <= held.day_close_ns
            assert held.open_ns < TsNs(square_off_ns(RULES, instrument, TradingDay(d))) < held.close_ns
