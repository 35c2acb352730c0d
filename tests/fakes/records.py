"""Records in memory: what read models need of a database."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from manjha.domain.errors import UsageError
from manjha.domain.orders import AccountId, FillId, OrderId, RunId
from manjha.domain.read_models import Changed, NoteView, OrderView, PositionView, Reached, RunActivity, TradeView
from manjha.orders.lifecycle import OPEN_PHASES


def page(found: list[Any], limit: int, row_of: Callable[[Any], int]) -> list[Any]:
    """Return the first of some rows in order, and those that belong to the journal's row of the last of them."""
    return [one for one in found if len(found) <= limit or row_of(one) <= row_of(found[limit - 1])]


class MemoryReadModels:
    """Implements `ports.read_models.ReadModels` for one account."""

    def __init__(self) -> None:
        self.mark: Reached | None = None
        self.rows: dict[tuple[str, Any], Any] = {}

    def reached(self, account: AccountId) -> Reached:
        return self.mark or Reached(account)

    def write(self, before: Reached, after: Reached, changes: Changed) -> None:
        if before != self.reached(before.account):
            raise UsageError("no longer there")
        self.mark = after
        self.rows |= {("order", one.order.id): one for one in changes.orders}
        self.rows |= {("trade", (one.seq, one.number)): one for one in changes.trades}
        self.rows |= {("note", one.seq): one for one in changes.notes}
        self.rows |= {("position", (one.strategy, one.instrument, one.product)): one for one in changes.positions}
        self.rows |= {("run", one.run): one for one in changes.runs}

    def forget(self, account: AccountId) -> None:
        self.mark, self.rows = None, {}

    def orders(self, account: AccountId, *, after: int = 0, limit: int = 100) -> list[OrderView]:
        found = sorted(self._all("order"), key=lambda view: (view.placed_seq, view.order.id))
        return page([order for order in found if order.placed_seq > after], limit, lambda view: view.placed_seq)

    def orders_named(self, account: AccountId, ids: Collection[OrderId]) -> list[OrderView]:
        return [order for order in self.orders(account, limit=2**62) if order.order.id in ids]

    def orders_at_broker(self, account: AccountId, tags: Collection[str], numbers: Collection[str]) -> list[OrderView]:
        return [
            view
            for view in self.orders(account, limit=2**62)
            if view.phase in OPEN_PHASES
            or view.broker_id in numbers
            or (view.sent is not None and (view.sent.tag in tags or view.sent.is_sought or view.sent.is_short))
        ]

    def changed_orders(self, account: AccountId, *, after: int, limit: int = 100) -> list[OrderView]:
        found = sorted(self._all("order"), key=lambda one: (one.changed_seq, one.order.id))
        return page([one for one in found if one.changed_seq > after], limit, lambda one: one.changed_seq)

    def open_orders(self, account: AccountId) -> list[OrderView]:
        return [order for order in self.orders(account, limit=2**62) if order.phase in OPEN_PHASES]

    def trades(
        self, account: AccountId, *, after: int = 0, limit: int = 100, run: RunId | None = None
    ) -> list[TradeView]:
        found = sorted(self._all("trade"), key=lambda trade: (trade.seq, trade.number))
        found = [one for one in found if one.seq > after and run in (None, one.fill.origin.run)]
        return page(found, limit, lambda one: one.seq)

    def trades_of(self, account: AccountId, order: OrderId) -> list[TradeView]:
        return [one for one in self.trades(account, limit=2**62) if one.fill.order_id == order]

    def trades_named(self, account: AccountId, ids: Collection[FillId], *, after: int) -> set[FillId]:
        return {one.fill.id for one in self._all("trade") if one.seq > after and one.fill.id in ids}

    def notes(self, account: AccountId, *, after: int = 0, limit: int = 100) -> list[NoteView]:
        return sorted((one for one in self._all("note") if one.seq > after), key=lambda note: note.seq)[:limit]

    def activity(self, account: AccountId, run: RunId) -> RunActivity | None:
        found: RunActivity | None = self.rows.get(("run", run))
        return found

    def positions(self, account: AccountId) -> list[PositionView]:
        return sorted(self._all("position"), key=lambda one: (one.strategy, one.instrument, one.product))

    def _all(self, kind: str) -> list[Any]:
        return [row for (name, _), row in self.rows.items() if name == kind]


class MemoryWork:
    """Gives transactions over read models in memory; the other books are not there."""

    def __init__(self) -> None:
        self.read_models = MemoryReadModels()

    @contextmanager
    def begin(self) -> Iterator[Any]:
        yield self

    read = begin

    def close(self) -> None:
        pass
