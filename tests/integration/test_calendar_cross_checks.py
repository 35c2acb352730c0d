"""Our calendar against an independent package and against the days on which NSE published a file."""

import re
from datetime import date
from pathlib import Path

import pytest

from manjha.domain.moments import date_from_day, day_from_date
from manjha.market.calendar import is_trading_day, weekday
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
