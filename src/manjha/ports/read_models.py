"""The read models of accounts: orders, trades, positions and runs that a journal adds up to."""

from collections.abc import Collection, Sequence
from typing import Protocol

from manjha.domain.orders import AccountId, FillId, OrderId, RunId
from manjha.domain.read_models import Changed, NoteView, OrderView, PositionView, Reached, RunActivity, TradeView


class ReadModels(Protocol):
    """Rows that are made of a journal, within one transaction. Every list has a fixed order."""

    def reached(self, account: AccountId) -> Reached:
        """Return how far an account's rows have come; `Reached(account)` where there are none."""
        ...

    def write(self, before: Reached, after: Reached, changes: Changed) -> None:
        """Write what changed between two rows of the journal.

        Raises
        ------
        UsageError
            The rows are not at `before`: somebody else has moved them.
        """
        ...

    def forget(self, account: AccountId) -> None:
        """Take out all that was made of an account's journal; what was recorded of its runs stays."""
        ...

    def orders(self, account: AccountId, *, after: int = 0, limit: int = 100) -> Sequence[OrderView]:
        """Return orders by the row that placed them, ascending, those after the row `after`.

        A page ends with a whole row: it has more than `limit` where a row has placed several.
        """
        ...

    def orders_named(self, account: AccountId, ids: Collection[OrderId]) -> Sequence[OrderView]:
        """Return the orders of these ids that there are, by the row that placed them."""
        ...

    def orders_at_broker(
        self, account: AccountId, tags: Collection[str], numbers: Collection[str]
    ) -> Sequence[OrderView]:
        """Return orders that went out under these tags, have these numbers at the broker, are open, or in doubt there.

        By the row that placed them; others' orders too.
        """
        ...

    def changed_orders(self, account: AccountId, *, after: int, limit: int = 100) -> Sequence[OrderView]:
        """Return orders by the row that changed them last, ascending, those after the row `after`.

        A page ends with a whole row: it has more than `limit` where a row has changed several.
        """
        ...

    def open_orders(self, account: AccountId) -> Sequence[OrderView]:
        """Return the orders that may still trade, by the row that placed them."""
        ...

    def trades(
        self, account: AccountId, *, after: int = 0, limit: int = 100, run: RunId | None = None
    ) -> Sequence[TradeView]:
        """Return fills by the row that tells them, ascending, those after the row `after`; of a run or of all.

        A page ends with a whole row: it has more than `limit` where a row tells of several.
        """
        ...

    def trades_of(self, account: AccountId, order: OrderId) -> Sequence[TradeView]:
        """Return the fills of an order by the row that tells them."""
        ...

    def trades_named(self, account: AccountId, ids: Collection[FillId], *, after: int) -> Collection[FillId]:
        """Return those of these trades that are booked in rows after the row `after`."""
        ...

    def notes(self, account: AccountId, *, after: int = 0, limit: int = 100) -> Sequence[NoteView]:
        """Return what contract notes added, by the row that tells it, ascending."""
        ...

    def activity(self, account: AccountId, run: RunId) -> RunActivity | None:
        """Return what the journal tells of a run; None where it tells nothing."""
        ...

    def positions(self, account: AccountId) -> Sequence[PositionView]:
        """Return positions, flat ones too, by strategy, instrument and product."""
        ...
