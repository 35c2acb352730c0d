"""From whole reads of a broker to events with only what is new: a day's book is read often and rarely changes."""

from collections.abc import Iterable

from manjha.domain.broker import OrderSeen, PositionSeen, TradeSeen
from manjha.domain.events import BrokerRead
from manjha.domain.moments import TsNs


class BrokerReads:
    """Remembers what a process has read of the day; `known` are numbers of orders that an earlier one saw."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._orders: dict[str, OrderSeen | None] = dict.fromkeys(known)
        self._trades: set[str] = set()

    def event(
        self,
        orders: Iterable[OrderSeen],
        trades: Iterable[TradeSeen],
        positions: Iterable[PositionSeen] | None,
        ts_ns: TsNs,
    ) -> BrokerRead:
        """Return what a whole read showed that was not known, and how many orders are gone that were."""
        shown = {one.broker_id: one for one in orders}
        missing = len(self._orders.keys() - shown.keys())
        changed = tuple(one for number, one in shown.items() if self._orders.get(number) != one)
        fresh = {one.id: one for one in trades if one.id not in self._trades}
        self._orders |= shown
        self._trades |= fresh.keys()
        return BrokerRead(
            changed, tuple(fresh.values()), ts_ns, whole=True, missing=missing,
            positions=None if positions is None else tuple(positions),
        )  # fmt: skip

    def new_day(self) -> None:
        """Forget a day: the broker's book begins anew."""
        self._orders.clear()
        self._trades.clear()
