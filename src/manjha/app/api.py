"""The short Python API: what `import manjha` offers."""

from manjha.app.bootstrap import bar_store, instrument_book
from manjha.app.settings import load_settings
from manjha.domain.bars import BarColumns, parse_interval
from manjha.domain.moments import TradingDay, parse_day
from manjha.services.stored import load_bars as load_stored


def load_bars(instrument: str, interval: str = "1d", start: str = "", end: str = "") -> BarColumns:
    """Return stored bars: `manjha.load_bars("NSE:RELIANCE", "1m", "2021-01-01", "2021-12-31")`.

    Both days are included; empty is open. `numpy.asarray(bars.close)` is free: int64 in 1e-4 rupee.

    Raises
    ------
    UsageError
        The instrument is not known, the interval or span is none, or nothing is stored; with a "did you mean".
    """
    settings = load_settings()
    found = instrument_book(settings).find(instrument)
    span = (_day(start), _day(end))
    return load_stored(bar_store(settings), found, parse_interval(interval), span)


def _day(text: str) -> TradingDay | None:
    return parse_day(text) if text else None
