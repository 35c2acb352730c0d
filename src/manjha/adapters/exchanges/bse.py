"""Where BSE keeps its daily files (INDIAN_MARKETS section 7.1). It has no file of its indices there."""

from manjha.adapters.exchanges.daily_files import CASH, DERIVATIVES, Archive
from manjha.domain.instrument import Exchange
from manjha.domain.moments import TradingDay, date_from_day, parse_day

UDIFF_FROM = parse_day("2024-07-08")
"""Since then the common format is the only one."""


def bse_archive(base: str) -> Archive:
    """Return BSE's archive at an address."""
    exchanges = {Exchange.BSE: CASH, Exchange.BFO: DERIVATIVES}
    return Archive("bse", base.rstrip("/"), "", exchanges, {CASH: cash, DERIVATIVES: derivatives})


def cash(day: TradingDay) -> tuple[str, ...]:
    """Return the bhavcopy: the common format is not zipped, the old one is."""
    date = date_from_day(day)
    if day >= UDIFF_FROM:
        return (f"download/BhavCopy/Equity/BhavCopy_BSE_CM_0_0_0_{date:%Y%m%d}_F_0000.CSV",)
    return (f"download/BhavCopy/Equity/EQ{date:%d%m%y}_CSV.ZIP",)


def derivatives(day: TradingDay) -> tuple[str, ...]:
    """Return the bhavcopy of derivatives in the common format; where older ones were is not known."""
    return (f"download/Bhavcopy/Derivative/BhavCopy_BSE_FO_0_0_0_{date_from_day(day):%Y%m%d}_F_0000.CSV",)
