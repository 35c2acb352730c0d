"""The dated tables of the market as one frozen value, and how a row is looked up.

Every row says from which day to which day it holds (both included), what it rests on and how sure we are. A day or key
that no row covers is an `OutsideTable` error; nothing is ever carried beyond its table.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable
from typing import Protocol, TypeVar

import msgspec

from manjha.domain.errors import OutsideTable
from manjha.domain.moments import TradingDay, format_day
from manjha.market import rows as r

HOW_TO_ADD = "Add the missing rows to your rules file (docs/market-rules.md shows how), or choose days inside the span."


class MarketRules(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """All rules of the market for the days `first` to `last`, both included.

    `trading_days` are the days on which NSE and BSE shares trade, in order: weekdays without holidays plus special
    sessions. `round_notes` is off under a flat fee: a day's note then says what was booked. `hash` is the sha256 of the
    content and is recorded with every run.
    """

    first: TradingDay
    last: TradingDay
    trading_days: tuple[TradingDay, ...]
    holidays: tuple[r.HolidayRow, ...]
    mcx_days: tuple[r.McxDayRow, ...]
    special_sessions: tuple[r.SpecialSessionRow, ...]
    settlement_holidays: tuple[r.SettlementHolidayRow, ...]
    settlement: tuple[r.SettlementRow, ...]
    session: tuple[r.SessionRow, ...]
    square_off: tuple[r.SquareOffRow, ...]
    amo: tuple[r.AmoRow, ...]
    block_deal: tuple[r.BlockDealRow, ...]
    brokerage: tuple[r.BrokerageRow, ...]
    stt: tuple[r.SidedRow, ...]
    stt_exercise: tuple[r.ExerciseRow, ...]
    exchange: tuple[r.ExchangeRow, ...]
    bse_group: tuple[r.BseGroupRow, ...]
    sebi: tuple[r.SebiRow, ...]
    stamp: tuple[r.SidedRow, ...]
    gst: tuple[r.GstRow, ...]
    dp: tuple[r.DpRow, ...]
    fee: tuple[r.FeeRow, ...]
    untaxed_etfs: tuple[r.UntaxedEtfRow, ...]
    commodities: tuple[r.CommodityRow, ...]
    expiry_rules: tuple[r.ExpiryRow, ...]
    lots: tuple[r.LotRow, ...]
    freeze_quantities: tuple[r.FreezeRow, ...]
    freeze_levels: tuple[r.FreezeLevel, ...]
    ticks: tuple[r.TickRow, ...]
    price_protection: tuple[r.PriceProtectionRow, ...]
    market_protection: tuple[r.MarketProtectionRow, ...]
    circuit_breakers: tuple[r.BreakerRow, ...]
    band_steps: tuple[r.BandStep, ...]
    intraday_margin: tuple[r.FractionRow, ...]
    mtf_margin: tuple[r.FractionRow, ...]
    derivative_margin: tuple[r.DerivativeMarginRow, ...]
    round_notes: bool = True
    hash: str = ""


def sealed(rules: MarketRules) -> MarketRules:
    """Return the rules with `hash` set from the content of all tables, rows in canonical order."""
    content = msgspec.json.encode(msgspec.structs.replace(rules, hash=""))
    return msgspec.structs.replace(rules, hash=hashlib.sha256(content).hexdigest())


class Dated(Protocol):
    """A row that holds from one day to another."""

    @property
    def first(self) -> TradingDay:
        """First day, included."""
        ...

    @property
    def last(self) -> TradingDay:
        """Last day, included."""
        ...


D = TypeVar("D", bound=Dated)


def in_force(rows: Iterable[D], day: int, table: str, key: str = "") -> D:
    """Return the row that holds on a day; where several do, the one that began last.

    Raises
    ------
    OutsideTable
        None does. The message names the table, the key and the days that the rows cover.
    """
    found: D | None = None
    candidates: list[D] = []
    for row in rows:
        candidates.append(row)
        if row.first <= day <= row.last and (found is None or row.first > found.first):
            found = row
    if found is None:
        raise OutsideTable(_uncovered(candidates, day, table, key), hint=HOW_TO_ADD)
    return found


def keyed(rows: Iterable[D], table: str, key: str) -> tuple[D, ...]:
    """Return the rows of one key. Raises `OutsideTable` if there are none, so that a typing slip is not a date gap."""
    found = tuple(rows)
    if not found:
        raise OutsideTable(f"table {table} has no row for {key}", hint=HOW_TO_ADD)
    return found


def require_span(rules: MarketRules, day: int) -> None:
    """Refuse a day outside the calendar. Raises `OutsideTable`."""
    if not rules.first <= day <= rules.last:
        raise OutsideTable(
            f"{format_day(day)} is outside the calendar, which covers {format_day(rules.first)} to "
            f"{format_day(rules.last)}",
            hint="A year's holidays are published the December before; " + HOW_TO_ADD[0].lower() + HOW_TO_ADD[1:],
        )


def contains(days: tuple[TradingDay, ...], day: int) -> bool:
    """Tell whether a sorted tuple of days contains a day."""
    at = bisect_left(days, day)
    return at < len(days) and days[at] == day


def _uncovered(rows: list[D], day: int, table: str, key: str) -> str:
    subject = f"{table} of {key}" if key else table
    if not rows:
        return f"table {table} has no row for {key}" if key else f"table {table} is empty"
    spans = ", ".join(
        f"{format_day(row.first)} to {format_day(row.last)}" for row in sorted(rows, key=lambda x: x.first)
    )
    return f"no row of table {subject} covers {format_day(day)}; the rows cover {spans}"
