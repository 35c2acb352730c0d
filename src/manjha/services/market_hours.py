"""Is a market open now? For whoever only needs to know that somebody may be trading."""

from collections.abc import Iterable

from manjha.domain.errors import DataError, OutsideTable
from manjha.domain.instrument import Exchange
from manjha.domain.moments import day_of
from manjha.market.rules import MarketRules
from manjha.market.sessions import segment_session

SEGMENTS = {
    Exchange.NSE: "equity_cash_with_derivatives",
    Exchange.BSE: "equity_cash_with_derivatives",
    Exchange.NFO: "equity_derivatives",
    Exchange.BFO: "equity_derivatives",
    Exchange.CDS: "currency",
    Exchange.BCD: "currency",
    Exchange.MCX: "mcx_non_agri",
}
"""The segment of each exchange that trades longest."""


def is_open(rules: MarketRules, exchanges: Iterable[Exchange], ts_ns: int) -> bool:
    """Tell whether one of the exchanges trades at a moment, from its opening to its closing price.

    A day that the calendar does not cover counts as open: a watch that is wrong must not be silent.
    """
    return any(_is_open(rules, exchange, ts_ns) for exchange in exchanges)


def _is_open(rules: MarketRules, exchange: Exchange, ts_ns: int) -> bool:
    try:
        held = segment_session(rules, SEGMENTS[exchange], exchange, day_of(ts_ns))
    except OutsideTable:
        return True
    except DataError:
        return False
    return held.open_ns <= ts_ns < held.day_close_ns
