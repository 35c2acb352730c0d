"""The closing auction as far as bars tell it: one price at the day's end, for what rests in the book and allows it.

Shares with derivatives close by auction since 2026-08-03. Between the end of continuous trading and the auction's price
nothing trades; the price is the close of the last bar that lies in the auction phases. Without such a bar nothing does.
"""

from collections.abc import Iterator, Mapping

from manjha.domain.instrument import InstrumentId
from manjha.domain.orders import Validity
from manjha.risk.gate import DayRules
from manjha.simulator.book import InstrumentBook, Resting
from manjha.simulator.fills import limit_at_open


def is_after_trading(book: InstrumentBook, row: int, auctions: Mapping[InstrumentId, DayRules]) -> bool:
    """Tell whether a bar opens after continuous trading, so that its range is no market to trade in."""
    today = auctions.get(book.instrument.id)
    return today is not None and today.close_ns <= book.series.columns.ts_open_ns[row] < today.auction_end_ns


def takers(book: InstrumentBook, row: int, today: DayRules, locked: int) -> Iterator[Resting]:
    """Yield the orders that may trade at the close of a bar after continuous trading, if that is the auction's price.

    Market orders come first, and what is left of a triggered stop; then age counts. Other stops do not work in the
    auction, a side `locked` at the circuit finds nobody, and what was asked for after continuous trading waits for the
    next open. The band around the reference price is not looked at: the auction's price lies inside it.
    """
    if not _has_price(book, row, today):
        return
    px = book.series.columns.close[row]
    for resting in sorted(book.orders.values(), key=lambda resting: resting.limit != 0):
        order = resting.order
        takes_part = resting.since_ns < today.close_ns and not resting.trigger and order.validity is not Validity.IOC
        allows = not resting.limit or limit_at_open(order.side, resting.limit, px)
        # The answer to an earlier fill may have taken it out of the book.
        if takes_part and allows and order.side != locked and order.id in book.orders:
            yield resting


def _has_price(book: InstrumentBook, row: int, today: DayRules) -> bool:
    """Tell whether a bar has the auction's price: the day's last one that reaches into the auction phases."""
    columns = book.series.columns
    if columns.ts_close_ns[row] <= today.auction_start_ns:
        return False
    return row + 1 == len(columns) or columns.ts_open_ns[row + 1] >= today.auction_end_ns
