"""An account as an observer sees it who knows nothing of risk: what was sent, what came back, what was held when.

Fed with each event and what the engine said to it. Shares no code with `manjha.risk`.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from manjha.domain.bars import BarColumns
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.events import (
    KillSwitched,
    ModifyRejected,
    OrderCancelled,
    OrderFilled,
    OrderModified,
    OrderRejected,
    SessionOpened,
)
from manjha.domain.orders import Order, Purpose


class Seen:
    """One order as it was sent, with the terms that may be in force; `gone` once its cancel was sent."""

    def __init__(self, order: Order, *, is_entry: bool) -> None:
        self.order = order
        self.qty, self.filled = int(order.qty), 0
        self.standing = int(order.limit)
        self.asked: list[int] = []
        self.is_entry = is_entry
        self.gone = False

    @property
    def left(self) -> int:
        """What may still trade."""
        return self.qty - self.filled

    @property
    def limits(self) -> list[int]:
        """The limits that may be in force."""
        return [self.standing, *self.asked]

    @property
    def px(self) -> int:
        """The dearest price that it may have."""
        return max(*self.limits, self.order.trigger)


class Shadow:
    """Follows one run."""

    def __init__(self, bars: Sequence[BarColumns]) -> None:
        self.closes = {str(columns.instrument): (list(columns.ts_close_ns), list(columns.close)) for columns in bars}
        self.held: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.open: dict[str, Seen] = {}
        self.sent: list[tuple[int, str]] = []
        self.entries: list[tuple[int, Order]] = []
        self.rejections: list[tuple[int, Order]] = []
        self.kills: dict[tuple[str, str], int] = {}
        self.day = 0
        self.bar = -1

    def mark(self, instrument: str, now: int) -> int:
        """Return the last close at a moment."""
        stamps, closes = self.closes[instrument]
        at = bisect_right(stamps, now) - 1
        return closes[at] if at >= 0 else 0

    def happened(self, event: Any) -> None:
        """Take an event in."""
        if isinstance(event, OrderFilled):
            fill = event.fill
            self.held[fill.instrument, fill.product] += fill.qty * int(fill.side)
            seen = self.open[fill.order_id]
            seen.filled += fill.qty
            if not seen.left:
                del self.open[fill.order_id]
        elif isinstance(event, OrderRejected):
            self.rejections.append((event.ts_ns, self.open.pop(event.order_id).order))
        elif isinstance(event, OrderCancelled):
            self.open.pop(event.order_id, None)
        elif isinstance(event, OrderModified) and event.order_id in self.open:
            seen = self.open[event.order_id]
            seen.qty, seen.standing = event.qty, event.limit
            seen.asked = [limit for limit in seen.asked if limit != event.limit]
        elif isinstance(event, ModifyRejected) and event.order_id in self.open:
            seen = self.open[event.order_id]
            seen.asked = [limit for limit in seen.asked if limit != event.limit]
        elif isinstance(event, KillSwitched):
            self._killed(event)
        elif isinstance(event, SessionOpened):
            self.day = event.day

    def left(self, command: Approved[Any], now: int) -> None:
        """Take a command in that left."""
        found = command.command
        self.sent.append((now, type(found).__name__))
        if isinstance(found, SubmitOrder):
            order = found.order
            self.open[order.id] = Seen(order, is_entry=self.opens(order))
            if self.open[order.id].is_entry:
                self.entries.append((now, order))
        elif isinstance(found, ModifyOrder) and found.order_id in self.open:
            self.open[found.order_id].asked.append(found.limit)
        elif isinstance(found, CancelOrder) and found.order_id in self.open:
            self.open[found.order_id].gone = True

    def opens(self, order: Order) -> bool:
        """Tell whether an order could open something, what is on its way to close counted."""
        if order.purpose is not Purpose.SIGNAL:
            return False
        held, signed = self.held[order.instrument, order.product], order.qty * int(order.side)
        under_way = sum(
            seen.left * int(order.side)
            for seen in self.open.values()
            if (seen.order.instrument, seen.order.product, seen.order.side)
            == (order.instrument, order.product, order.side)
            and seen.order.parent is None
        )
        free = held + under_way
        return free * signed >= 0 or abs(signed) > abs(free)

    def worst(self, now: int) -> tuple[dict[str, int], int, int, int]:
        """Return exposure by instrument, gross, net, and the value of open entries, in the worst case."""
        rows: dict[tuple[str, str], tuple[int, int]] = {}
        for (instrument, product), qty in self.held.items():
            value = qty * self.mark(instrument, now)
            rows[instrument, product] = (value, value)
        entries = 0
        for seen in self.open.values():
            key = (str(seen.order.instrument), str(seen.order.product))
            value = seen.left * max(seen.px, self.mark(key[0], now))
            high, low = rows.get(key, (0, 0))
            rows[key] = (high + value, low) if seen.order.side > 0 else (high, low - value)
            entries += value if seen.order.purpose is Purpose.SIGNAL else 0
        each: defaultdict[str, int] = defaultdict(int)
        for (instrument, _), (high, low) in rows.items():
            each[instrument] += max(abs(high), abs(low))
        net = max(abs(sum(high for high, _ in rows.values())), abs(sum(low for _, low in rows.values())))
        return dict(each), sum(each.values()), net, entries

    def crossing(self, reach: Mapping[str, int], now: int) -> list[tuple[str, str]]:
        """Return pairs of own orders that could trade with each other; `reach` is how far market orders go."""
        standing = [seen for seen in self.open.values() if not seen.gone and not seen.order.trigger]
        found = []
        for buy in standing:
            for sale in standing:
                same = buy.order.instrument == sale.order.instrument
                if same and buy.order.side > 0 > sale.order.side and self._meet(buy, sale, reach, now):
                    found.append((str(buy.order.id), str(sale.order.id)))
        return found

    def _meet(self, buy: Seen, sale: Seen, reach: Mapping[str, int], now: int) -> bool:
        mark = self.mark(buy.order.instrument, now)
        highest = max(buy.limits) if buy.order.limit else mark + reach[buy.order.instrument]
        lowest = min(sale.limits) if sale.order.limit else mark - reach[sale.order.instrument]
        return highest >= lowest

    def _killed(self, event: KillSwitched) -> None:
        scope = (event.scope.strategy, event.scope.instrument)
        if event.level:
            self.kills[scope] = max(int(event.level), self.kills.get(scope, 0))
            return
        for one in list(self.kills):
            if all(mine in ("", theirs) for mine, theirs in zip(scope, one, strict=True)):
                del self.kills[one]

    def level(self, order: Order) -> int:
        """Return the kill level that holds for an order."""
        whose = (order.origin.strategy, order.instrument)
        return max(
            (
                level
                for scope, level in self.kills.items()
                if all(mine in ("", theirs) for mine, theirs in zip(scope, whose, strict=True))
            ),
            default=0,
        )
