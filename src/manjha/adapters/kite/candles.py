"""Kite's candles of the last minutes, for a trader that has missed ticks. For whole histories see `history`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise

import msgspec

from manjha.adapters.kite.limits import RateClass
from manjha.adapters.kite.mapping import px_of
from manjha.adapters.kite.observed import Watched
from manjha.adapters.kite.rest import KiteRest
from manjha.domain.bars import Bar
from manjha.domain.errors import SourceError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, TsNs, ist_datetime, ts_from_datetime
from manjha.domain.money import Qty

Row = tuple[str, float, float, float, float, int]


class _Candles(msgspec.Struct):
    candles: list[Row]


class KiteCandles:
    """Implements `ports.candles.CandleSource`. A request waits for its turn at Kite's pace, 3 a second for an app.

    `watched` are the instruments by today's token; volume is in units, also where Kite counts lots.
    """

    def __init__(self, rest: KiteRest, watched: Mapping[int, Watched]) -> None:
        self._rest = rest
        self._tokens = {one.instrument: (token, one.multiplier) for token, one in watched.items()}

    @property
    def source(self) -> str:
        """Return the source's name."""
        return "kite"

    async def minutes(self, instrument: InstrumentId, from_ns: TsNs, until_ns: TsNs) -> Sequence[Bar]:
        """Return the minutes that open in [from_ns, until_ns); see the port. At most 60 days at once."""
        token, multiplier = self._tokens[instrument]
        # Both ends are included at Kite, and so is a candle that is still being made.
        query = f"from={_asked(from_ns)}&to={_asked(TsNs(until_ns - MINUTE_NS))}&continuous=0"
        path = f"/instruments/historical/{token}/minute"
        found = await self._rest.get(path, RateClass.HISTORICAL, _Candles, query)
        bars = [_bar(row, multiplier) for row in found.candles]
        if any(after.ts_open_ns <= bar.ts_open_ns for bar, after in pairwise(bars)):
            raise SourceError(
                f"Kite's candles of {path} are not in the order of time", hint="They are asked for again."
            )
        return [bar for bar in bars if from_ns <= bar.ts_open_ns < until_ns]


def _bar(row: Row, multiplier: int) -> Bar:
    opened = _moment(row[0])
    first, high, low, last = (px_of(rupees) for rupees in row[1:5])
    if not (0 < low <= first <= high and low <= last <= high) or row[5] < 0:
        raise SourceError(f"a candle of Kite cannot be: {row!s:.200}", hint="It is asked for again.")
    return Bar(opened, TsNs(opened + MINUTE_NS), first, high, low, last, Qty(row[5] * multiplier))


def _moment(text: str) -> TsNs:
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        stamp = None
    if stamp is None or stamp.tzinfo is None or (opened := ts_from_datetime(stamp)) % MINUTE_NS:
        raise SourceError(
            f"Kite's candles are stamped like 2026-11-27T09:15:00+0530, not {text!r:.40}", hint="It is asked for again."
        )
    return opened


def _asked(ts_ns: TsNs) -> str:
    return f"{ist_datetime(ts_ns):%Y-%m-%d+%H:%M:%S}"
