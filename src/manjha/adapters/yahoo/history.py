"""History from Yahoo's chart service: the same reply that yfinance reads, without its dependencies (ADR 0007)."""

from collections.abc import Iterator, Sequence

from manjha.domain.bars import DAY, HOUR, MINUTE, format_interval
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import Exchange, Instrument, Kind
from manjha.domain.moments import SECOND_NS, TradingDay, at, format_day
from manjha.ports.downloads import Downloads
from manjha.ports.market_data import Fetched, FetchRequest, ImportHints

_SPAN_DAYS = {MINUTE: 7, 300: 59, 900: 59, 1800: 59, HOUR: 700, DAY: 3650}
"""Days of one request by interval (INDIAN_MARKETS section 7.3)."""
_INDICES = {"NIFTY 50": "^NSEI", "NIFTY BANK": "^NSEBANK", "SENSEX": "^BSESN", "INDIA VIX": "^INDIAVIX"}

Spans = Sequence[tuple[TradingDay, TradingDay]]


class YahooHistory:
    """Implements `ports.market_data.HistorySource`. Prices are adjusted for splits, and marked so."""

    def __init__(self, base: str, downloads: Downloads) -> None:
        self._base = base.rstrip("/")
        self._downloads = downloads

    @property
    def name(self) -> str:
        """Return the name that `--source` takes."""
        return "yahoo"

    def plan(self, request: FetchRequest, missing: Spans) -> int:
        """Return the number of requests."""
        return len(_pieces(request, missing))

    def fetch(self, request: FetchRequest, missing: Spans) -> Iterator[Fetched]:
        """Yield a reply a piece of the span. Raises `UsageError` for what Yahoo has not, else `SourceError`."""
        symbol = yahoo_symbol(request.instrument)
        for first, last in _pieces(request, missing):
            start, end = at(first, 0) // SECOND_NS, at(last + 1, 0) // SECOND_NS
            query = f"period1={start}&period2={end}&interval={format_interval(request.interval)}"
            reply = self._downloads.get(
                f"{self._base}/v8/finance/chart/{symbol}?{query}", {"User-Agent": "Mozilla/5.0"}
            )
            if reply.status != 200:
                raise SourceError(f"Yahoo has no {symbol}", hint="Check the symbol, or use another --source.")
            hints = ImportHints(instrument=request.instrument.display, interval=request.interval)
            yield Fetched(f"{symbol}-{format_day(first)}.json", "", reply.body, hints)


def yahoo_symbol(instrument: Instrument) -> str:
    """Return Yahoo's name of a share or index. Raises `UsageError` for what it does not list."""
    if instrument.kind is Kind.INDEX and instrument.symbol in _INDICES:
        return _INDICES[instrument.symbol]
    suffix = {Exchange.NSE: ".NS", Exchange.BSE: ".BO"}.get(instrument.exchange)
    if suffix is None or not instrument.is_tradable:
        raise UsageError(f"Yahoo does not list {instrument.display}", hint="Use --source nse or kite.")
    return instrument.symbol + suffix


def _pieces(request: FetchRequest, missing: Spans) -> list[tuple[TradingDay, TradingDay]]:
    step = _SPAN_DAYS.get(request.interval)
    if step is None:
        raise UsageError(
            f"Yahoo has no bars of {format_interval(request.interval)}", hint="Use 1m, 5m, 15m, 30m, 60m or 1d."
        )
    return [
        (TradingDay(day), TradingDay(min(day + step - 1, last)))
        for first, last in missing
        for day in range(first, last + 1, step)
    ]
