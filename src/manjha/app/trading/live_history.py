"""The history that a live run begins with: what is stored, and of the broker's candles what is missing of it."""

from collections.abc import Callable, Sequence

import msgspec

from manjha.app.bootstrap import bar_store, data_services, instrument_book, market_rules, system_clock
from manjha.app.kite.times import Times
from manjha.app.settings import Settings
from manjha.app.sources import kite
from manjha.domain.bars import DAY, Interval, interval_ns
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TradingDay, TsNs, day_of, format_day
from manjha.market.calendar import is_trading_day, previous_trading_day
from manjha.market.rules import MarketRules
from manjha.market.sessions import session
from manjha.services.backtests import BacktestRequest
from manjha.services.fetch import Wanted, fetch_named

SPAN_DAYS = 30
"""Calendar days of candles that are asked for; the store has longer histories."""
MINUTE = Interval(MINUTE_NS // SECOND_NS)
RAW = "raw"


def history_until(
    rules: MarketRules, instruments: Sequence[Instrument], intervals: Sequence[int], now_ns: TsNs
) -> TsNs:
    """Return the moment from which bars are made of ticks: where the first of the bars begins that are made now.

    What is history is told from what was lived by when a bar opened, so this must never fall within a bar.
    """
    day, starts = day_of(now_ns), [now_ns]
    for one in instruments:
        if not is_trading_day(rules, day, one.exchange):
            continue
        opens_ns = session(rules, one, day).windows[0][0]
        for interval in intervals if now_ns >= opens_ns else ():
            begun = 0 if interval == DAY else (now_ns - opens_ns) // interval_ns(interval) * interval_ns(interval)
            starts.append(TsNs(opens_ns + begun))
    return min(starts)


class AccountClock:
    """Implements `ports.clock.Clock` by the time of where an account trades."""

    def __init__(self, times: Times) -> None:
        self._clock = times.clock

    def now_ns(self) -> TsNs:
        """Return the present moment there."""
        return self._clock.now_ns()

    def wait_until(self, ts_ns: TsNs) -> None:
        """Return at this moment or later."""
        while (seconds := self._clock.seconds_until(ts_ns)) > 0:
            machine = system_clock()
            machine.wait_until(TsNs(machine.now_ns() + round(seconds * SECOND_NS)))


def bring_history(settings: Settings, request: BacktestRequest, times: Times, say: Callable[[str], None]) -> None:
    """Download the candles of the last days that the store lacks. What cannot be had is said; the list before the open
    tells what is missing of each instrument.

    An instrument with raw bars is left alone: Kite's are adjusted, and the two are never joined.
    """
    today = day_of(times.now_ns())
    names = [name for name in request.instruments if _lacks(settings, name, today)]
    if not names:
        return
    clock = AccountClock(times)
    services = msgspec.structs.replace(data_services(settings), clock=clock)
    interval = DAY if request.interval == DAY else MINUTE
    wanted = Wanted(names, interval, TradingDay(today - SPAN_DAYS), TradingDay(today - 1))
    say(f"Asking Kite for the candles since {format_day(wanted.start)} of {', '.join(names)} ...")
    try:
        summary = fetch_named(services, kite(settings, clock), wanted)
    except (SourceError, UsageError) as error:
        say(f"no candles: {error.message}")
        return
    if summary.problem is not None:
        say(f"not all candles: {summary.problem.message}")


def _lacks(settings: Settings, name: str, today: TradingDay) -> bool:
    """Tell whether bars until the trading day before are missing of an instrument that Kite's candles can complete."""
    found = instrument_book(settings).find(name)
    series = bar_store(settings).series(found.id)
    if any(one.adjustment == RAW for one in series):
        return False
    newest = max((day_of(one.last_ns) for one in series), default=TradingDay(0))
    return newest < previous_trading_day(market_rules(settings), today, found.exchange)
