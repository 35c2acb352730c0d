"""What may be done when: market hours, after-market orders, the end of intraday entries (fact sheet 8.2 to 8.4)."""

from collections.abc import Sequence
from enum import StrEnum

from manjha.domain.instrument import Exchange, Instrument
from manjha.domain.moments import TradingDay, TsNs, at, clock_ns, day_of
from manjha.domain.orders import OrderType, Validity
from manjha.exchange.market.market import Market
from manjha.market.rows import AmoRow
from manjha.market.rules import MarketRules, in_force, keyed
from manjha.market.sessions import PhaseKind, Session

_SEGMENTS = {
    Exchange.NSE: "equity_cash", Exchange.BSE: "equity_cash", Exchange.NFO: "equity_derivatives",
    Exchange.BFO: "equity_derivatives", Exchange.CDS: "currency", Exchange.BCD: "currency", Exchange.MCX: "mcx",
}  # fmt: skip


class Phase(StrEnum):
    """What an instrument's market is doing."""

    CLOSED = "closed"
    PREOPEN = "preopen"
    CONTINUOUS = "continuous"
    BLOCKED = "blocked"
    AUCTION = "auction"


_PHASES = {
    PhaseKind.PREOPEN: Phase.PREOPEN, PhaseKind.CONTINUOUS: Phase.CONTINUOUS, PhaseKind.BLOCKED: Phase.BLOCKED,
    PhaseKind.AUCTION: Phase.AUCTION, PhaseKind.POSTCLOSE: Phase.CLOSED,
}  # fmt: skip


def phase_of(held: Session | None, now_ns: int) -> Phase:
    """Return the phase of a session at a moment. Trading after the close, at its price, is not simulated."""
    if held is None:
        return Phase.CLOSED
    for phase in held.phases:
        if phase.start_ns <= now_ns < phase.end_ns:
            return _PHASES[phase.kind]
    # A day of several windows is blocked between them.
    return Phase.BLOCKED if held.open_ns <= now_ns < held.close_ns else Phase.CLOSED


def amo_row(rules: MarketRules, one: Instrument, day: int) -> AmoRow:
    """Return the row of after-market orders of an instrument. Raises `OutsideTable`."""
    name = _SEGMENTS[one.exchange]
    return in_force(keyed((row for row in rules.amo if row.segment == name), "amo", name), day, "amo", name)


def takes_amo(market: Market, one: Instrument, now_ns: int) -> bool:
    """Tell whether after-market orders are taken now: overnight, and at any time of a day without trading."""
    day = day_of(now_ns)
    row = amo_row(market.rules, one, day)
    if market.day != day or one.id not in market.today:
        return True
    clock = clock_ns(now_ns)
    return clock >= row.start or clock < row.end


def release_ns(market: Market, one: Instrument, kind: OrderType, validity: Validity, now_ns: int) -> TsNs | None:
    """Return when an after-market order that is placed now goes to the exchange; None beyond the days to come."""
    day = day_of(now_ns)
    row = amo_row(market.rules, one, day)
    days = market.rules.trading_days
    first = day if clock_ns(now_ns) < row.end else day + 1
    next_day = _first_from(days, first)
    if next_day is None:
        return None
    early = kind in (OrderType.MARKET, OrderType.LIMIT) and validity is not Validity.IOC
    at_open = row.release if early or _SEGMENTS[one.exchange] != "equity_cash" else row.release + 15 * 60 * 10**9
    return at(next_day, at_open)


def _first_from(days: Sequence[TradingDay], day: int) -> TradingDay | None:
    return next((each for each in days if each >= day), None)
