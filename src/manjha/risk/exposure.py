"""Worst-case exposure: what an account would hold if everything that is open or unconfirmed traded the wrong way.

Long and short orders are not set against each other, and neither are products or strategies: one may trade without
the other (RELIABILITY INV-07).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from manjha.domain.instrument import InstrumentId
from manjha.domain.orders import Order, OrderId, Product, Purpose, StrategyId
from manjha.orders.book import OrderBook, OrderRecord
from manjha.portfolio.book import Portfolio


class Exposure(NamedTuple):
    """Amounts in 1e-4 rupee: of one instrument, of the account gross and net, and of open entries."""

    instrument: int
    gross: int
    net: int
    open_entries: int


class Surroundings(NamedTuple):
    """What stands around an order: open orders, positions, last prices, and limits on their way to the exchange."""

    book: OrderBook
    portfolio: Portfolio
    marks: Mapping[InstrumentId, int]
    asked: Mapping[OrderId, Sequence[int]]


Sums = dict[tuple[StrategyId, InstrumentId, Product], list[int]]
"""By position: its value, what open buys could add, what open sales could take."""


def worst_case(around: Surroundings, more: Order, replaced: OrderRecord | None = None) -> Exposure:
    """Return the exposure once one more order is open, or an open one (`replaced`) is in the terms of `more`.

    An order is worth the dearest of its terms that may be in force, and at least the last price.
    """
    sums: Sums = {}
    open_entries = _add_orders(sums, around, more, replaced)
    if replaced is None:
        value = more.qty * max(around.marks.get(more.instrument, 0), more.limit, more.trigger)
        _add(sums, more, value)
        open_entries += value if more.purpose is Purpose.SIGNAL else 0
    for position in around.portfolio.positions.values():
        if position.qty:
            mark = around.marks.get(position.key.instrument, 0)
            entry = sums.setdefault(position.key, [0, 0, 0])
            entry[0] = position.qty * mark if mark else position.cost
    gross = mine = longest = shortest = 0
    for (_, instrument, _), (held, bought, sold) in sums.items():
        worst = max(abs(held + bought), abs(held - sold))
        gross += worst
        longest += held + bought
        shortest += held - sold
        if instrument == more.instrument:
            mine += worst
    return Exposure(mine, gross, max(abs(longest), abs(shortest)), open_entries)


def _add_orders(sums: Sums, around: Surroundings, more: Order, replaced: OrderRecord | None) -> int:
    """Add what is open to the sums; return the value of the entries among it."""
    entries = 0
    for instrument, records in around.book.open_by_instrument.items():
        if not records:
            # Of thousands of instruments few have an open order.
            continue
        mark = around.marks.get(instrument, 0)
        for order_id, record in records.items():
            px = max(mark, record.limit, record.trigger, *around.asked.get(order_id, ()))
            if record is replaced:
                px = max(px, more.limit, more.trigger)
            value = record.left * px
            _add(sums, record.order, value)
            if record.order.purpose is Purpose.SIGNAL:
                entries += value
    return entries


def _add(sums: Sums, order: Order, value: int) -> None:
    entry = sums.setdefault((order.origin.strategy, order.instrument, order.product), [0, 0, 0])
    entry[1 if order.side > 0 else 2] += value
