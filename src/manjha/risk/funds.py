"""The money of an account as an order sees it: what is free, and what orders to close will free when they trade.

A broker gives the proceeds of a sale at the moment it trades. Orders that are decided together trade together, so the
sales among them pay for the purchases; a sale that then does not trade leaves cash below zero, which a run reports.
"""

from collections.abc import Mapping

from manjha.domain.instrument import InstrumentId
from manjha.domain.money import Qty, proportion
from manjha.domain.orders import Order, OrderType, Product
from manjha.orders.book import OrderBook
from manjha.portfolio.book import Portfolio
from manjha.portfolio.positions import Position, PositionKey, closing_part
from manjha.portfolio.settlement import held_back
from manjha.risk.margin import MarginDesk, unrealised_margined

LEFT_OVER = 200
"""One part in so many of the funds is left for charges and a dearer open where they decide how much is ordered."""


def available(portfolio: Portfolio, marks: Mapping[InstrumentId, int]) -> int:
    """Return the money that an order may use now; open losses of margined positions are not in it."""
    free = portfolio.ledger.available
    return free + min(0, unrealised_margined(portfolio, marks)) if portfolio.ledger.margin else free


def spendable(funds: int) -> int:
    """Return what of the funds an order may use where they decide how much is ordered."""
    return funds - funds // LEFT_OVER


def affordable(margins: MarginDesk, order: Order, opening: int, funds: int) -> Qty:
    """Return how much of what an order would open the funds allow: whole lots, unsigned, 0 where that is not known."""
    instrument = margins.instruments[order.instrument]
    px = order.limit or order.trigger or margins.marks.get(order.instrument, 0)
    closing = order.qty * int(order.side) - opening
    needed = margins.for_order(instrument, order.product, opening, px, closing)
    if not needed or funds <= 0:
        return Qty(0)
    return Qty(min(abs(opening), abs(opening) * spendable(funds) // needed) // instrument.lot * instrument.lot)


def to_be_freed(book: OrderBook, portfolio: Portfolio, margins: MarginDesk, order: Order, opening: int) -> int:
    """Return what market orders to close that are under way will free, and the part of `order` that closes.

    At the last prices, before charges. `opening` is the signed part of the order that opens.
    """
    closes: dict[PositionKey, int] = {}
    for records in book.open_by_instrument.values():
        for record in records.values():
            if record.order.type is OrderType.MARKET:
                key = PositionKey(record.order.origin.strategy, record.order.instrument, record.order.product)
                closes[key] = closes.get(key, 0) + record.left * int(record.order.side)
    if not margins.instruments[order.instrument].is_derivative:  # for contracts `for_order` has netted it already
        mine = PositionKey(order.origin.strategy, order.instrument, order.product)
        closes[mine] = closes.get(mine, 0) + order.qty * int(order.side) - opening
    freed = 0
    for key, signed in closes.items():
        position = portfolio.positions.get(key)
        if position is not None and (closing := closing_part(position.qty, signed)):
            freed += _freed(portfolio, margins, position, abs(closing))
    return freed


def _freed(portfolio: Portfolio, margins: MarginDesk, position: Position, closing: int) -> int:
    """Return what closing a quantity of a position frees at the last price."""
    key = position.key
    if key not in portfolio.paid:
        if not position.margin:
            return margins.freed(position, closing)
        return proportion(position.margin, closing, abs(position.qty))
    px = margins.marks.get(key.instrument, 0)
    if position.qty < 0:
        return 0
    if key.product is not Product.CNC:
        return closing * px
    _, settled, t1 = portfolio.holdings[key].parts(closing)
    return closing * px - held_back(settled, t1, px, margins.day)
