"""What a broker's words mean for one order of ours: said once, for the engine and for the read models.

Plain functions of what is known of an order and what is shown of it; whoever calls them keeps the books.
"""

from typing import NamedTuple, Protocol

import msgspec

from manjha.domain.broker import BrokerStatus, Sight, TradeSeen
from manjha.domain.moments import day_of, format_day
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Fill, Order, OrderId, OrderType, Origin, Phase, Purpose, StrategyId
from manjha.orders.lifecycle import Happening

LATE = frozenset({Phase.WRITTEN_OFF, Phase.UNSENT, Phase.REJECTED})
"""Phases in which an order was not expected at the broker any more."""
EXPECTED = frozenset({Phase.SENT, Phase.UNCONFIRMED})
"""Phases in which it is not known yet whether an order is at the broker."""
# Members by name: in Python 3.11 a look into an enum costs more than the comparison it is for.
_WORKING = Phase.WORKING
_COMPLETE, _CANCELLED, _REJECTED = BrokerStatus.COMPLETE, BrokerStatus.CANCELLED, BrokerStatus.REJECTED
_ON_ITS_WAY = frozenset({BrokerStatus.PENDING, BrokerStatus.MODIFY_PENDING})
_ID_MAX = 64
_EXTERNAL = "external-"
"""Characters of an order's id that every store has room for."""


class Placed(Protocol):
    """What is known of an order; prices in 1e-4 rupee."""

    @property
    def phase(self) -> Phase:
        """Where it is in its life."""
        ...

    @property
    def qty(self) -> Qty:
        """Its present quantity."""
        ...

    @property
    def limit(self) -> Px:
        """Its present limit; zero for none."""
        ...

    @property
    def trigger(self) -> Px:
        """Its present trigger; zero for none."""
        ...

    @property
    def filled(self) -> int:
        """What its booked trades add up to."""
        ...


class Terms(NamedTuple):
    """Quantity and prices that an order has at the broker."""

    qty: Qty
    limit: Px
    trigger: Px


class Reading(NamedTuple):
    """What is to be noted, in this order: it is there, its terms are others, it has ended.

    `is_short` tells that the broker shows more filled than is booked: it stays open until the trades come. `is_over`
    tells that nothing of it can change at the broker any more.
    """

    is_short: bool = False
    arrives: bool = False
    terms: Terms | None = None
    end: Happening | None = None
    reason: str = ""
    is_over: bool = False


# Most of what is seen says nothing new.
_NOTHING, _OVER = Reading(), Reading(is_over=True)


def reading(order: Placed, sight: Sight) -> Reading:
    """Return what the broker's sight of an order says of it, once all its trades that are known are booked."""
    status, phase = sight.status, order.phase
    if sight.filled > order.filled:
        return Reading(is_short=True, arrives=_arrives(phase))
    if status is _COMPLETE:
        if order.filled >= order.qty and phase is not _WORKING:
            return _OVER
        # It is over with less than its terms, which were changed on the way; or they were seen after its last trade.
        return Reading(terms=_terms(order, sight), end=Happening.FULLY_FILLED, is_over=True)
    if status is _CANCELLED:
        end = Reading(end=Happening.CANCELLED, reason=sight.reason or "cancelled at the broker", is_over=True)
        return _OVER if phase is Phase.CANCELLED else end
    if status is _REJECTED:
        end = Reading(end=Happening.REJECTED, reason=sight.reason, is_over=True)
        return _OVER if phase is Phase.REJECTED else end
    arrives, terms = _arrives(phase), _terms(order, sight)
    return Reading(arrives=arrives, terms=terms) if arrives or terms is not None else _NOTHING


def _arrives(phase: Phase) -> bool:
    return phase is not _WORKING and (phase in EXPECTED or phase in LATE)


def fill_of(order: Order, trade: TradeSeen) -> Fill:
    """Return what a trade is to the order of ours that it belongs to."""
    return Fill(
        trade.id, order.id, order.origin, order.instrument, order.side, trade.qty, trade.px,
        trade.reference or trade.px, order.product, trade.ts_ns,
    )  # fmt: skip


def closed_parts(signed: int, held: list[int]) -> list[int]:
    """Return how much a trade of a signed quantity closes of positions (signed), in their order; 0 for nothing."""
    parts, left = list[int](), abs(signed)
    for qty in held:
        part = min(left, abs(qty)) if signed * qty < 0 else 0
        parts.append(part)
        left -= part
    return parts


def closer(kind: OrderType, trade: TradeSeen, origin: Origin, part: int) -> tuple[Order, Fill]:
    """Return the part of the broker's own trade that closes a strategy's position, as an order and its fill.

    The order's `tag` is the number of the broker's order.
    """
    order = Order(
        closer_id(trade, origin.strategy), origin, trade.instrument, trade.side, Qty(part), kind, trade.product,
        trade.ts_ns, purpose=Purpose.SQUARE_OFF, tag=trade.broker_id,
    )  # fmt: skip
    fill = Fill(
        trade.id, order.id, origin, trade.instrument, trade.side, Qty(part), trade.px, trade.px, trade.product,
        trade.ts_ns,
    )  # fmt: skip
    return order, fill


def closer_id(trade: TradeSeen, strategy: StrategyId) -> OrderId:
    """Return the id of the order by which the broker has closed a strategy's position; a long name is cut.

    The day of the trade is in it, as exchanges count their trades anew each day.
    """
    day = format_day(day_of(trade.ts_ns)).replace("-", "")
    return OrderId(f"{_EXTERNAL}{day}-{trade.id}-{strategy}"[:_ID_MAX])


def as_billed(order: Order, fill: Fill) -> Fill:
    """Return a fill with the order by which brokerage is billed: for trades of the broker itself, its own."""
    return msgspec.structs.replace(fill, order_id=OrderId(order.tag)) if order.id.startswith(_EXTERNAL) else fill


def _terms(order: Placed, sight: Sight) -> Terms | None:
    """Return the terms that an order has at the broker; None where they are those that are known, or not to be seen."""
    if sight.status in _ON_ITS_WAY or not sight.terms[0]:
        return None
    qty, limit, trigger = sight.terms
    if sight.status is BrokerStatus.COMPLETE:
        qty = order.filled
    # A stop that has triggered shows no trigger any more at some brokers; its own is kept.
    trigger = trigger or order.trigger
    if (qty, limit or order.limit, trigger) == (order.qty, order.limit, order.trigger):
        return None
    return Terms(Qty(qty), Px(limit), Px(trigger))
