"""Where NSE keeps its daily files (INDIAN_MARKETS section 7.1)."""

from manjha.adapters.exchanges.daily_files import CASH, DERIVATIVES, INDICES, Archive
from manjha.domain.instrument import Exchange
from manjha.domain.moments import TradingDay, date_from_day, parse_day

UDIFF_FROM = parse_day("2024-07-08")
"""Since then the common format is the only one; the old files ended on 2024-07-05."""


def nse_archive(base: str, home: str) -> Archive:
    """Return NSE's archive at an address; `home` is the page whose cookies it may ask for."""
    exchanges = {Exchange.NSE: CASH, Exchange.NFO: DERIVATIVES}
    paths = {CASH: cash, DERIVATIVES: derivatives, INDICES: indices}
    return Archive("nse", base.rstrip("/"), home, exchanges, paths)


def cash(day: TradingDay) -> tuple[str, ...]:
    """Return the bhavcopy, and the full one with deliveries to fall back on: that has no ISIN."""
    date = date_from_day(day)
    full = f"products/content/sec_bhavdata_full_{date:%d%m%Y}.csv"
    if day >= UDIFF_FROM:
        return f"content/cm/BhavCopy_NSE_CM_0_0_0_{date:%Y%m%d}_F_0000.csv.zip", full
    month = f"{date:%b}".upper()
    return f"content/historical/EQUITIES/{date:%Y}/{month}/cm{date:%d}{month}{date:%Y}bhav.csv.zip", full


def derivatives(day: TradingDay) -> tuple[str, ...]:
    """Return the F&O bhavcopy."""
    date = date_from_day(day)
    if day >= UDIFF_FROM:
        return (f"content/fo/BhavCopy_NSE_FO_0_0_0_{date:%Y%m%d}_F_0000.csv.zip",)
    month = f"{date:%b}".upper()
    return (f"content/historical/DERIVATIVES/{date:%Y}/{month}/fo{date:%d}{month}{date:%Y}bhav.csv.zip",)


def indices(day: TradingDay) -> tuple[str, ...]:
    """Return the closing report of all indices."""
    return (f"content/indices/ind_close_all_{date_from_day(day):%d%m%Y}.csv",)
