"""What the exchange says of an order by itself: over the ticker's connection, and to an app's own address (5.7, 6)."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from manjha.exchange.accounts.users import App
from manjha.exchange.events import OrderChanged
from manjha.exchange.orders.order import FINAL, OrderState, Status

UPDATE = "UPDATE"
"""How a part that traded, or new terms, are told; the book never shows it."""
_QUIET_BEFORE = ("", Status.PUT, Status.VALIDATION, Status.OPEN_PENDING, Status.AMO)


class News:
    """Tells of which changes there is news; a fill shows by more that has traded than before.

    `orders` are those that the book has already.
    """

    def __init__(self, orders: Iterable[OrderState] = ()) -> None:
        self._filled = {
            one.order_id: int(one.history[-1]["filled_quantity"]) for one in orders if one.history and not one.is_final
        }

    def of(self, changed: OrderChanged) -> list[str]:
        """Return the statuses that are told of a change: none, one, or `UPDATE` and the one that it rests in.

        Nothing is told of an order that comes to rest, nor of one that waits for the session.
        """
        row, number = changed.row, changed.order_id
        filled = int(row["filled_quantity"])
        traded, self._filled[number] = filled > self._filled.get(number, 0), filled
        if changed.status in FINAL:
            self._filled.pop(number, None)
            return [changed.status]
        if changed.status == Status.MODIFIED:
            return [UPDATE]
        if changed.before == Status.MODIFIED and changed.status in (Status.OPEN, Status.TRIGGER_PENDING):
            return [changed.status]
        if changed.before == Status.TRIGGER_PENDING and changed.status == Status.OPEN:
            return [changed.status]
        if traded and changed.status not in _QUIET_BEFORE:
            return [UPDATE]
        return []

    def new_day(self) -> None:
        """Forget the day before."""
        self._filled.clear()


def message(row: Mapping[str, Any], status: str, app: App) -> dict[str, Any]:
    """Return what is sent of an order: its row with the status that is told, whose it is, and the checksum."""
    pending = int(row["quantity"]) - int(row["filled_quantity"])
    return {
        **row,
        "status": status,
        "user_id": row["account_id"],
        "app_id": app.number,
        "unfilled_quantity": 0 if status in (Status.COMPLETE, Status.REJECTED) else pending,
        "checksum": checksum(str(row["order_id"]), str(row["order_timestamp"]), app.api_secret),
    }


def checksum(order_id: str, order_timestamp: str, secret: str) -> str:
    """Return what proves to an app that it is told by the broker; it does not cover what is told."""
    return hashlib.sha256(f"{order_id}{order_timestamp}{secret}".encode()).hexdigest()
