"""Terms of contracts by date: tick, lot, freeze quantity, expiry days.

Live code takes tick, lot and expiry from the day's instrument dump; these functions serve history, where the dump of
the day is not at hand.
"""

from collections.abc import Iterable
from datetime import date

from manjha.domain.errors import OutsideTable
from manjha.domain.instrument import Asset, Exchange, Instrument, Kind
from manjha.domain.moments import TradingDay, date_from_day, day_from_date, format_day
from manjha.domain.money import Px, Qty
from manjha.market.calendar import previous_trading_day, weekday
from manjha.market.charges import commodity
from manjha.market.rows import ExpiryRow, LotRow
from manjha.market.rules import HOW_TO_ADD, MarketRules, contains, in_force, keyed, require_span

STOCKS = "STOCKS"
"""The underlying that stands for all shares in the table of expiry rules."""

MONTHLY = "monthly"
WEEKLY = "weekly"


def tick_size(rules: MarketRules, instrument: Instrument, day: TradingDay, reference: int) -> Px:
    """Return the tick of a day.

    `reference` is what the exchange sets the tick by since 2024: the close of the share (for futures on it too) or the
    index on the last trading day of the month before, in 1e-4 rupee; before that it does not matter.

    Raises
    ------
    OutsideTable
        No row covers the day, or the commodity's tick is not in the table.
    """
    if instrument.exchange is Exchange.MCX:
        row = commodity(rules, instrument.underlying)
        if not row.tick:
            raise OutsideTable(f"table commodities has no tick for {row.underlying}", hint=HOW_TO_ADD)
        return row.tick
    segment = _tick_segment(instrument)
    key = f"{instrument.exchange} {segment}"
    rows = keyed(
        (row for row in rules.ticks if row.exchange == instrument.exchange and row.segment == segment), "ticks", key
    )
    slab = [row for row in rows if row.above < max(reference, 1) and (not row.up_to or reference <= row.up_to)]
    return in_force(slab, day, "ticks", key).tick


def lot_size(rules: MarketRules, exchange: Exchange, underlying: str, expiry: TradingDay) -> Qty:
    """Return the lot of a contract by its expiry (not by the day it is traded). Raises `OutsideTable`."""
    key = f"{exchange} {underlying}"
    rows = keyed((row for row in rules.lots if row.exchange == exchange and row.underlying == underlying), "lots", key)
    covering = {row.lot for row in rows if row.first <= expiry <= row.last}
    if len(covering) < 2:  # No need to know whether the contract is a weekly one.
        return in_force(rows, expiry, "lots", key).lot
    cycle = MONTHLY if is_monthly(rules, exchange, underlying, expiry) else WEEKLY
    fitting: list[LotRow] = [row for row in rows if row.cycle in (cycle, "all")]
    return in_force(fitting, expiry, "lots", f"{key} {cycle}").lot


def freeze_quantity(rules: MarketRules, exchange: Exchange, underlying: str, day: TradingDay) -> Qty:
    """Return the largest quantity of one order on a day; the order must be at or below it. Raises `OutsideTable`."""
    key = f"{exchange} {underlying}"
    rows = (row for row in rules.freeze_quantities if row.exchange == exchange and row.underlying == underlying)
    return in_force(keyed(rows, "freeze_quantities", key), day, "freeze_quantities", key).qty


def freeze_by_level(rules: MarketRules, level: int) -> Qty:
    """Return the freeze quantity that NSE's slabs give for an index level (1e-4 rupee)."""
    for row in rules.freeze_levels:
        if row.above < level and (not row.up_to or level <= row.up_to):
            return row.qty
    raise OutsideTable(f"table freeze_levels has no slab for {level}", hint=HOW_TO_ADD)


def largest_order(freeze: int, lot: int) -> Qty:
    """Return the largest whole number of lots within a freeze quantity, in units (0: less than one lot)."""
    return Qty(freeze // lot * lot)


def monthly_expiry(rules: MarketRules, exchange: Exchange, underlying: str, year: int, month: int) -> TradingDay:
    """Return the expiry day of a month's contract: the rule's last weekday, or the trading day before a holiday.

    Raises
    ------
    OutsideTable
        No expiry rule covers the month, or it lies outside the calendar.
    """
    following = date(year + month // 12, month % 12 + 1, 1)
    last = day_from_date(following) - 1
    require_span(rules, last)
    for row in _expiry_rows(rules, exchange, underlying, MONTHLY):
        day = _trading_day_until(rules, last - (weekday(last) - row.weekday) % 7)
        if row.first <= day <= row.last:
            return day
    raise OutsideTable(
        f"table expiry_rules has no monthly rule of {exchange} {underlying} for {year}-{month:02d}", hint=HOW_TO_ADD
    )


def weekly_expiries(
    rules: MarketRules, exchange: Exchange, underlying: str, start: TradingDay, end: TradingDay
) -> tuple[TradingDay, ...]:
    """Return the weekly expiry days from `start` to `end`, both included; none where the rule had ended or not begun.

    There is no weekly contract in the week of the monthly one. Raises `OutsideTable` for an underlying without a rule.
    """
    require_span(rules, start)
    require_span(rules, end)
    found: set[TradingDay] = set()
    for row in _expiry_rows(rules, exchange, underlying, WEEKLY):
        nominal = start + (row.weekday - weekday(start)) % 7
        # A holiday on the first nominal day after `end` may move that expiry to `end` or before.
        while nominal <= min(end + 7, rules.last):
            day = _trading_day_until(rules, nominal)
            if start <= day <= end and row.first <= day <= row.last:
                found.add(day)
            nominal += 7
    months = sorted({(date_from_day(day).year, date_from_day(day).month) for day in found})
    monthly = {monthly_expiry(rules, exchange, underlying, year, month) for year, month in months}
    return tuple(sorted(found - monthly))


def is_monthly(rules: MarketRules, exchange: Exchange, underlying: str, expiry: TradingDay) -> bool:
    """Tell whether an expiry day is that of its month's contract. Raises `OutsideTable`."""
    value = date_from_day(expiry)
    return monthly_expiry(rules, exchange, underlying, value.year, value.month) == expiry


def check_expiry(rules: MarketRules, exchange: Exchange, underlying: str, expiry: TradingDay) -> str:
    """Return "monthly" or "weekly" for an expiry day. Raises `OutsideTable` where the rules know no such contract."""
    if is_monthly(rules, exchange, underlying, expiry):
        return MONTHLY
    if weekly_expiries(rules, exchange, underlying, expiry, expiry):
        return WEEKLY
    raise OutsideTable(
        f"{exchange} {underlying} has no contract that expires on {format_day(expiry)} by the table of expiry rules",
        hint="Take the expiry from the day's instrument dump or bhavcopy, or " + HOW_TO_ADD[0].lower() + HOW_TO_ADD[1:],
    )


def _tick_segment(instrument: Instrument) -> str:
    if instrument.asset is Asset.CURRENCY:
        return "currency"
    if instrument.kind is Kind.OPTION:
        return "options"
    if instrument.kind is Kind.FUTURE:
        return "index_futures" if instrument.asset is Asset.INDEX else "stock_futures"
    return "cash"


def _expiry_rows(rules: MarketRules, exchange: Exchange, underlying: str, cycle: str) -> Iterable[ExpiryRow]:
    """Return the rules of an underlying, newest first; an index has its own, every other underlying is a share."""
    rows = [row for row in rules.expiry_rules if row.exchange == exchange]
    name = underlying if any(row.underlying == underlying for row in rows) else STOCKS
    named = keyed((row for row in rows if row.underlying == name), "expiry_rules", f"{exchange} {underlying}")
    return sorted((row for row in named if row.cycle == cycle), key=lambda row: row.first, reverse=True)


def _trading_day_until(rules: MarketRules, day: int) -> TradingDay:
    return TradingDay(day) if contains(rules.trading_days, day) else previous_trading_day(rules, day)
