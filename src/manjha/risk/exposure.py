"""Worst-case exposure: what an account would hold if everything that is open or unconfirmed traded the wrong way.

Long and short orders are not set against each other, and neither are products or strategies: one may trade without
the other (RELIABILITY INV-07).
"""

from collections.abc import Mapping
from typing import NamedTuple

from manjha.domain.instrument import InstrumentId
from manjha.domain.orders import Order, Product, Purpose, StrategyId
from manjha.orders.book import OrderBook, OrderRecord
from manjha.portfolio.book import Portfolio
from manjha.portfolio.positions import PositionKey


class Exposure(NamedTuple):
    """Amounts in 1e-4 rupee: of one instrument, of the account gross and net, and of open entries."""

    instrument: int
    gross: int
    net: int
    open_entries: int


def worst_px(record: OrderRecord, mark: int) -> int:
    """Return the highest price that an open order is worth: its own, one that was asked for, or the last one."""
    asked = record.asked
    px = max(mark, record.limit, record.trigger)
    return px if asked is None else max(px, asked.limit, asked.trigger)


def worst_case(
    book: OrderBook,
    portfolio: Portfolio,
    marks: Mapping[InstrumentId, int],
    more: Order,
    replaced: OrderRecord | None = None,
) -> Exposure:
    """Return the exposure once one more order is open; a modified one counts with its old and its new terms' price."""
    key = PositionKey(more.origin.strategy, more.instrument, more.product)
    more_px = max(marks.get(more.instrument, 0), more.limit, more.trigger)
    if replaced is not None:
        more_px = max(more_px, worst_px(replaced, 0))
    value = more_px * (more.qty if replaced is None else max(more.qty, replaced.left))
    # By position: its value, what open buys could add, what open sales could take.
    sums: dict[tuple[StrategyId, InstrumentId, Product], list[int]] = {
        key: [0, value, 0] if more.side > 0 else [0, 0, value]
    }
    open_entries = value if more.purpose is Purpose.SIGNAL else 0
    for position in portfolio.positions.values():
        if position.qty:
            mark = marks.get(position.key.instrument, 0)
            entry = sums.setdefault(position.key, [0, 0, 0])
            entry[0] = position.qty * mark if mark else position.cost
    for instrument, records in book.open_by_instrument.items():
        mark = marks.get(instrument, 0) if records else 0
        for record in records.values():
            if record is replaced:
                continue
            order = record.order
            value = record.left * worst_px(record, mark)
            entry = sums.setdefault((order.origin.strategy, instrument, order.product), [0, 0, 0])
            entry[1 if order.side > 0 else 2] += value
            if order.purpose is Purpose.SIGNAL:
                open_entries += value
    gross = mine = longest = shortest = 0
    for (_, instrument, _), (held, bought, sold) in sums.items():
        worst = max(abs(held + bought), abs(held - sold))
        gross += worst
        longest += held + bought
        shortest += held - sold
        if instrument == more.instrument:
            mine += worst
    return Exposure(mine, gross, max(abs(longest), abs(shortest)), open_entries)
