"""What a compiled run gives: arrays, and on demand the curve of equity or the whole result of the event engine."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from manjha.domain.charges import LINES, ChargeLines
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.domain.money import Cash
from manjha.research.kernel.curves import write_brief, write_curve
from manjha.research.kernel.records import (
    BRIEF,
    FILLED,
    HOLDING,
    MARKET,
    ORDER,
    ORDER_HEAD,
    SIGNAL,
    Columns,
    Ints,
    Records,
)
from manjha.research.kernel.tables import PLACES, Tables
from manjha.research.result import Int64s

FILL_LINES = LINES[:7]
_CASH, _FILLS, _PAID = (PLACES[name] for name in ("cash", "fills", "paid"))
_QTY, _ROW, _COST = ((HOLDING.names or ()).index(name) for name in ("qty", "row", "cost"))


class KernelOutcome:
    """One compiled run. Money in 1e-4 rupee.

    Attributes
    ----------
    tags
        Words that orders and refusals name by number in `tag`; the first is none.
    """

    def __init__(self, tables: Tables, tags: Sequence[str] = ("",)) -> None:
        self.tags = tags
        self._tables = tables
        self._bars = tables.bars

    @cached_property
    def account(self) -> Any:
        """The account's record at the end, see `records.ACCOUNT`."""
        return self._tables.account[0]

    @property
    def paid(self) -> bool:
        """Whether shares are paid for in full."""
        return bool(self._tables.words.item(_PAID))

    def _log(self, name: str) -> Records:
        """Return the rows that had been written."""
        return self._tables.log(name)

    @cached_property
    def fills(self) -> Records:
        """Records `order, instrument, side, qty, px, reference, ts_ns` and the seven lines booked.

        `order` and `instrument` are row numbers.
        """
        return self._log("fills")

    @property
    def order_heads(self) -> Records:
        """The same as `orders`, of which those that are brief may still lack what follows from their fills."""
        return self._log("orders")

    @cached_property
    def orders(self) -> Records:
        """Records of the orders that were approved, see `records.ORDER`."""
        return complete(self._log("orders"), self.fills, int(self.account["latency"]))

    @cached_property
    def notes(self) -> Records:
        """Records `day` and nine lines: what the day's contract note added."""
        return self._log("notes")

    @cached_property
    def refusals(self) -> Records:
        """Records of what was refused, see `records.REFUSAL`."""
        return self._log("refusals")

    @cached_property
    def steps(self) -> Records:
        """Records of the account after each change, see `records.STEP`."""
        return self._log("steps")

    @cached_property
    def changes(self) -> Records:
        """Records of positions that changed without a trade, see `records.CHANGE`."""
        return self._log("changes")

    @cached_property
    def positions(self) -> Records:
        """What is held at the end, a row an instrument."""
        return self._tables.arrays["holdings"][["qty", "cost", "mark", "realised", "margin"]]

    def give_up(self) -> Tables:
        """Return the tables, for another run to write over; nothing can be asked of this outcome after that."""
        tables = self._tables
        self.__dict__.clear()
        return tables

    @property
    def cash(self) -> Cash:
        """Cash after the last day."""
        return Cash(self._tables.words.item(_CASH))

    @property
    def final(self) -> Cash:
        """Equity at the last bar."""
        paid, total, held = self.paid, int(self.cash), self._tables.holdings
        for at, columns in enumerate(self._bars.columns):
            qty = held.item(at, _QTY)
            if qty:
                total += qty * columns.close.item(max(held.item(at, _ROW), 0)) - (0 if paid else held.item(at, _COST))
        return Cash(total)

    @property
    def count(self) -> int:
        """Number of fills."""
        return self._tables.words.item(_FILLS)

    @property
    def peak_margin(self) -> Cash:
        """Largest margin held."""
        return Cash(int(self.account["margin_peak"]))

    @property
    def charges(self) -> ChargeLines:
        """Charges of the whole run by line, contract notes included."""
        sums = [int(self.fills[line].sum()) for line in FILL_LINES] + [0] * (len(LINES) - len(FILL_LINES))
        return ChargeLines(*(Cash(had + int(self.notes[line].sum())) for had, line in zip(sums, LINES, strict=True)))

    @cached_property
    def equity(self) -> Int64s:
        """Equity at the close of every position of the timeline, shape (positions,)."""
        total = np.empty(len(self._bars.end), np.int64)
        closes = self._bars.addresses[:, Columns._fields.index("close")].copy()
        write_curve(total, self.steps, closes, self._bars.rows, (int(self.account["initial"]), int(not self.paid)))
        return total

    def brief(self, ends: Int64s, first: int) -> tuple[Int64s, float]:
        """Return equity at some positions, ascending, and the deepest fall below the highest value before it.

        Both are of the curve from position `first` on, as `equity` would give them, without making it; the initial
        capital is the first height, and a fall is a fraction, 0 or negative.
        """
        found = np.empty(len(ends), np.int64)
        closes = self._bars.addresses[:, Columns._fields.index("close")].copy()
        terms = (int(self.account["initial"]), int(not self.paid), first, len(self._bars.end))
        return found, write_brief(found, ends, self.steps, closes, self._bars.rows, terms)

    def daily(self) -> tuple[Int64s, Int64s]:
        """Return the trading days and the equity at the last close of each."""
        days = (self._bars.end - 1 + IST_OFFSET_NS) // DAY_NS
        ends = np.flatnonzero(np.append(np.diff(days), 1))
        return days[ends], self.at(ends)

    def at(self, positions: Int64s) -> Int64s:
        """Return equity at the close of some positions, ascending."""
        steps, initial = self.steps, int(self.account["initial"])
        total = _held(steps["at"], steps["cash"], positions, initial)
        for number, columns in enumerate(self._bars.columns):
            mine = steps[steps["instrument"] == number]
            if not len(mine):
                continue
            value = _held(mine["at"], mine["qty"], positions, 0)
            rows = positions if not self._bars.rows.size else self._bars.rows[number, positions]
            value *= columns.close[np.maximum(rows, 0)]
            total += value
            if not self.paid:
                total -= _held(mine["at"], mine["cost"], positions, 0)
        return total


def complete(orders: Records, fills: Records, latency: int) -> Records:
    """Write what is left out of brief orders, as gate, exchange and fill leave an order; return the orders.

    Such an order traded in one piece, so that it follows from its fill (`plain`).
    """
    of = fills[orders["phase"][fills["order"]] == BRIEF]
    if not len(of):
        return orders
    made = np.zeros(len(of), ORDER)
    for name in ("instrument", "side", "qty"):
        made[name] = of[name]
    for name in ("filled", "asked_qty", "venue_qty"):
        made[name] = of["qty"]
    made["turnover"] = of["qty"] * of["px"]
    made["decided_ns"] = made["closed_ns"] = of["ts_ns"]
    made["since_ns"] = of["ts_ns"] + latency
    made["parent"] = made["group"] = made["row"] = made["entry_type"] = -1
    made["type"], made["purpose"], made["rank"] = MARKET, SIGNAL, 1
    head = len(ORDER_HEAD.split())
    words = orders.view(np.int64).reshape(len(orders), -1)
    words[of["order"], head:] = made.view(np.int64).reshape(len(of), -1)[:, head:]
    orders["phase"][of["order"]] = FILLED
    return orders


def _held(at: Ints, values: Ints, positions: Ints, first: int) -> Ints:
    """Return what holds at each position: the last value stated at or before it, `first` before any."""
    last = np.searchsorted(at, positions, side="right")
    return np.concatenate(([first], values))[last]
