"""Which days trade and when they settle.

Days of shares, their derivatives and indices follow the tables exactly. Currency and commodity days rest on less, see
docs/market-rules.md: before 2026 currency is taken to trade on the days of shares, and what a commodity evening was
open on a share holiday is inferred from the holiday's name.
"""

from bisect import bisect_left, bisect_right

from manjha.domain.errors import OutsideTable
from manjha.domain.instrument import Exchange
from manjha.domain.moments import TradingDay, date_from_day, format_day
from manjha.market.rows import SpecialSessionRow
from manjha.market.rules import HOW_TO_ADD, MarketRules, contains, in_force, require_span

_SHARES = (Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO)


def weekday(day: int) -> int:
    """Return the day of the week, Monday 0 (day 0 was a Thursday)."""
    return (day + 3) % 7


def is_trading_day(rules: MarketRules, day: int, exchange: Exchange = Exchange.NSE) -> bool:
    """Tell whether an exchange trades on a day, special sessions included. Raises `OutsideTable` outside the span."""
    require_span(rules, day)
    if exchange in _SHARES:
        return contains(rules.trading_days, day)
    if special_session(rules, day, exchange) is not None:
        return True
    if weekday(day) > 4:
        return False
    if exchange is Exchange.MCX:
        return mcx_hours(rules, day) != "closed"
    settles = all(row.day != day for row in rules.settlement_holidays)
    return settles and contains(rules.trading_days, day)


def trading_days(rules: MarketRules, start: int, end: int, exchange: Exchange = Exchange.NSE) -> tuple[TradingDay, ...]:
    """Return the trading days from `start` to `end`, both included. Raises `OutsideTable` outside the span."""
    require_span(rules, start)
    require_span(rules, end)
    if exchange in _SHARES:
        return rules.trading_days[bisect_left(rules.trading_days, start) : bisect_right(rules.trading_days, end)]
    return tuple(TradingDay(day) for day in range(start, end + 1) if is_trading_day(rules, day, exchange))


def next_trading_day(rules: MarketRules, day: int, exchange: Exchange = Exchange.NSE) -> TradingDay:
    """Return the first trading day after a day. Raises `OutsideTable` where it would lie outside the span."""
    return _step(rules, day, 1, exchange)


def previous_trading_day(rules: MarketRules, day: int, exchange: Exchange = Exchange.NSE) -> TradingDay:
    """Return the last trading day before a day. Raises `OutsideTable` where it would lie outside the span."""
    return _step(rules, day, -1, exchange)


def settlement_day(rules: MarketRules, day: int) -> TradingDay:
    """Return when shares traded on a day are settled: T+2 or, since 2023-01-27, T+1.

    Days that trade but do not settle are skipped; they are known for 2026 only, so an earlier settlement next to a bank
    holiday may be given a day too early. Raises `OutsideTable` where the settlement lies outside the span.
    """
    missing = in_force(rules.settlement, day, "settlement").days
    settled = TradingDay(day)
    while missing:
        settled = next_trading_day(rules, settled)
        if all(row.day != settled for row in rules.settlement_holidays):
            missing -= 1
    return settled


def settlement_holidays_known(rules: MarketRules, day: int) -> bool:
    """Tell whether the table of days without settlement covers the year of this day."""
    years = {date_from_day(row.day).year for row in rules.settlement_holidays}
    return date_from_day(day).year in years


def special_session(rules: MarketRules, day: int, exchange: Exchange) -> SpecialSessionRow | None:
    """Return the row of a day with hours of its own on this exchange, or None."""
    for row in rules.special_sessions:
        if row.day == day and exchange in row.exchanges:
            return row
    return None


def mcx_hours(rules: MarketRules, day: int) -> str:
    """Return "closed", "evening" or "full" for a weekday on MCX.

    Raises
    ------
    OutsideTable
        Shares have a holiday and no row says what MCX does.
    """
    for row in rules.mcx_days:
        if row.day == day:
            return row.hours
    if any(row.day == day for row in rules.holidays):
        raise OutsideTable(f"table mcx_days has no row for {format_day(day)}, a holiday of shares", hint=HOW_TO_ADD)
    return "full"


def _step(rules: MarketRules, day: int, step: int, exchange: Exchange) -> TradingDay:
    require_span(rules, day)
    if exchange in _SHARES:
        days = rules.trading_days
        at = bisect_right(days, day) if step > 0 else bisect_left(days, day) - 1
        if 0 <= at < len(days):
            return days[at]
        require_span(rules, rules.last + 1 if step > 0 else rules.first - 1)
    day += step
    while not is_trading_day(rules, day, exchange):
        day += step
    return TradingDay(day)
