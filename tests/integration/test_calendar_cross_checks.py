"""Our calendar and contract terms against an independent package and against files that NSE published."""

import csv
import io
import re
import zipfile
from datetime import date
from pathlib import Path

import pytest

from manjha.domain.instrument import Exchange
from manjha.domain.moments import date_from_day, day_from_date, parse_day
from manjha.market.calendar import is_trading_day, weekday
from manjha.market.contracts import check_expiry, lot_size, monthly_expiry, weekly_expiries
from tests.fakes.market_rules import shipped_rules

RULES = shipped_rules()


@pytest.mark.filterwarnings("ignore")  # exchange-calendars 4.13 uses what pandas 3.1 deprecates
def test_weekday_holidays_equal_exchange_calendars() -> None:
    """XBOM takes every Muhurat for a holiday, so those weekdays are ours alone; weekends are left out."""
    package = pytest.importorskip("exchange_calendars", reason="exchange-calendars is in the oracle group only")
    xbom = package.get_calendar("XBOM", start="2015-01-01", end="2026-12-31")
    theirs = {day_from_date(stamp.date()) for stamp in xbom.sessions}
    ours = {d for d in RULES.trading_days if weekday(d) < 5}
    muhurats = {row.day for row in RULES.special_sessions if row.kind == "muhurat" and weekday(row.day) < 5}
    assert ours - {d for d in theirs if weekday(d) < 5} == muhurats
    assert {date_from_day(d) for d in theirs - ours if weekday(d) < 5} == set()


def test_every_nse_bhavcopy_is_of_a_trading_day(shared: Path) -> None:
    files = sorted((shared / "data" / "bhavcopy" / "nse_cm_old").iterdir())
    found = [match for file in files if (match := re.match(r"CM(\d\d)([A-Z]{3})(\d{4})BHAV", file.name.upper()))]
    assert len(found) >= 18
    months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
    days = [date(int(m[3]), months.index(m[2]) + 1, int(m[1])) for m in found]
    assert [d for d in days if not is_trading_day(RULES, day_from_date(d))] == []


def test_index_contracts_of_a_real_day_have_our_expiries_and_lots(shared: Path) -> None:
    """NSE F&O bhavcopy of 2025-02-03; contracts beyond August 2025 were moved to other days since."""
    file = shared / "data" / "bhavcopy" / "nse_fo_udiff" / "BhavCopy_NSE_FO_0_0_0_20250203_F_0000.csv.zip"
    with zipfile.ZipFile(file) as archive:
        rows = csv.DictReader(io.TextIOWrapper(archive.open(archive.namelist()[0])))
        listed = {(row["TckrSymb"], row["XpryDt"], int(row["NewBrdLotQty"])) for row in rows}
    names = {"NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50"}
    contracts = [(n, parse_day(e), lot) for n, e, lot in sorted(listed) if n in names and e < "2025-09-01"]
    assert len(contracts) > 15
    for name, expiry, lot in contracts:
        assert check_expiry(RULES, Exchange.NFO, name, expiry) in ("weekly", "monthly")
        assert lot_size(RULES, Exchange.NFO, name, expiry) == lot
    start, end = parse_day("2025-02-03"), parse_day("2025-03-06")
    weekly = weekly_expiries(RULES, Exchange.NFO, "NIFTY", start, end)
    ours = {*weekly, monthly_expiry(RULES, Exchange.NFO, "NIFTY", 2025, 2)}
    assert ours == {expiry for name, expiry, _ in contracts if name == "NIFTY" and expiry <= end}
