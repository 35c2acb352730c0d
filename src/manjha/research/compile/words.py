"""The words that a compiled `on_bar` is written in, beside arithmetic: what a strategy sees, and what it asks for.

`at` is the position that closed last, -1 before the first; `line` is a line of the strategy's file, for `stop`.
"""

from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, MINUTE_NS
from manjha.domain.money import PX_MAX, RUPEE
from manjha.domain.sizing import NANO
from manjha.research.compile.arithmetic import AHEAD, NAN, NO_PRICE, NOT_WHOLE, TOO_MUCH, exact, stop, whole
from manjha.research.kernel import records as s
from manjha.research.kernel.account import equity as equity_of
from manjha.research.kernel.records import (
    ASK_CANCEL,
    ASK_ORDER,
    ASK_TARGET,
    CROWDED,
    PLAN_SIZE,
    UNIT_QTY,
    UNIT_SIGNAL,
    UNIT_WEIGHT,
)
from manjha.research.kernel.refusal import FRACTION_MAX
from manjha.research.kernel.rows import _record_at as record_at
from manjha.research.kernel.rows import asked_row, floats, holding, ints, line_at
from manjha.research.kernel.scalars import Rec, inline, njit

COLUMNS = ("open", "high", "low", "close", "volume", "oi")
"""Lines that every instrument has; `column` names them by their number here."""


# ---- addresses


def _account(_typing: Any, address: Any) -> Any:  # noqa: ARG001 - numba asks for their types
    """Type and code of `account_at`."""
    account = numba.from_dtype(s.ACCOUNT)

    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(account))

    return account(types.int64), code


account_at = cast("Callable[[int], Rec]", intrinsic(_account))
"""In compiled code: the account's record, by its address."""


def own_of(layout: np.dtype[Any]) -> Callable[[Rec, int], Rec]:
    """Return the compiled function that gives the record in which a strategy keeps its attributes."""
    return record_at(layout, "own_at")


# ---- what a strategy sees


@inline
def row_of(k: Rec, at: int, i: int) -> int:
    """Return the row that an instrument closed last, -1 before its first."""
    return ints(k.rows_at, i * k.count + at) if k.mapped and at >= 0 else at


@inline
def column(k: Rec, field: int, i: int) -> int:
    """Return the number of an instrument's line."""
    return int(field * k.instruments + i)


@inline
def read(k: Rec, line: int, at: int, number: int, ago: int) -> float:
    """Return what a line was `-ago - 1` bars ago, NaN before it began."""
    if ago >= 0:
        stop(k, line, AHEAD)
        return NAN
    x = line_at(k, number)
    last = ints(x.rows_at, at) if x.rows_at and at >= 0 else at
    row = last + 1 + ago
    if row < 0:
        return NAN
    value = floats(x.data_at, row)
    return value * floats(x.basis_at, last) if x.basis_at else value


@inline
def position(k: Rec, i: int) -> int:
    """Return the signed quantity held."""
    return int(holding(k, i).qty)


@inline
def working(k: Rec, i: int) -> int:
    """Return the number of resting orders."""
    return int(holding(k, i).opens)


@inline
def cost_e4(k: Rec, i: int) -> int:
    """Return what the open position cost."""
    return int(holding(k, i).cost)


@inline
def entry_e4(k: Rec, i: int) -> int:
    """Return the average price of the open position, rounded down; 0 when flat."""
    x = holding(k, i)
    return int(x.cost // x.qty) if x.qty else 0


@inline
def entry_price(k: Rec, i: int) -> float:
    """Return the average price of the open position in rupees; NaN when flat."""
    return entry_e4(k, i) / RUPEE if holding(k, i).qty else NAN


@inline
def opened_ns(k: Rec, at: int, i: int) -> int:
    """Return when an instrument's last bar opened; 0 before the first."""
    row = row_of(k, at, i)
    return ints(holding(k, i).ts_open_at, row) if row >= 0 else 0


@inline
def is_fresh(k: Rec, at: int, i: int) -> bool:
    """Tell whether a bar of an instrument closed at this very moment."""
    row = row_of(k, at, i)
    return row >= 0 and ints(holding(k, i).ts_close_at, row) == now_ns(k, at)


@inline
def lot(k: Rec, i: int) -> int:
    """Return an instrument's lot."""
    return int(holding(k, i).lot)


@inline
def tick(k: Rec, i: int) -> int:
    """Return an instrument's tick."""
    return int(holding(k, i).tick)


@inline
def now_ns(k: Rec, at: int) -> int:
    """Return when the last bar closed; 0 before the first."""
    return ints(k.end_at, at) if at >= 0 else 0


@inline
def day(k: Rec, at: int) -> int:
    """Return the Indian calendar day of now."""
    return (now_ns(k, at) + IST_OFFSET_NS) // DAY_NS


@inline
def minute(k: Rec, at: int) -> int:
    """Return the minutes since midnight IST."""
    return (now_ns(k, at) + IST_OFFSET_NS) % DAY_NS // MINUTE_NS


@njit
def equity(k: Rec, line: int, at: int) -> float:
    """Return money and positions at the last closes, in rupees."""
    for i in range(k.instruments):
        x, row = holding(k, i), row_of(k, at, i)
        if row >= 0:
            x.mark = ints(x.close_at, row)
    return exact(k, line, equity_of(k)) / RUPEE


# ---- what it asks for


@inline
def price(k: Rec, line: int, i: int, rupees: float) -> int:
    """Return a price or distance in rupees on the tick, as `strategy.terms.price` does."""
    scaled = rupees * RUPEE
    if not -PX_MAX <= scaled <= PX_MAX:
        stop(k, line, NO_PRICE)
        return 0
    step = holding(k, i).tick
    found = (2 * int(np.rint(scaled)) + step) // (2 * step) * step
    if found <= 0:
        stop(k, line, NO_PRICE)
        return 0
    return int(found)


@inline
def quantity(k: Rec, line: int, a: float) -> int:
    """Return a float that must be a whole quantity."""
    found = whole(k, line, a)
    if found != a:
        stop(k, line, NOT_WHOLE)
    return found


@njit
def _next(k: Rec, kind: int, i: int, tag: int) -> Rec:
    """Begin a request."""
    r = k
    if r.asked == PLAN_SIZE:
        r.status, r.asked = CROWDED, 0
    a = asked_row(k, r.asked)
    r.asked += 1
    a.kind, a.instrument, a.tag = kind, i, tag
    return a


@njit
def ask_order(k: Rec, i: int, side: int, qty: int, terms: tuple[int, int, int, int, int, int], tag: int) -> None:
    """Ask for an order; terms are limit, trigger, stop, target, trail and the moment of exit, 0 for none."""
    a = _next(k, ASK_ORDER, i, tag)
    a.side, a.qty = side, qty
    a.limit, a.trigger, a.stop, a.target, a.trail, a.exit_ns = terms


@njit
def ask_target(k: Rec, line: int, i: int, value: int, unit: int, tag: int) -> None:
    """Ask to hold so much, in 1e-9 of a unit."""
    most = FRACTION_MAX if unit == UNIT_WEIGHT else (NANO if unit == UNIT_SIGNAL else NANO * NANO)
    if not -most <= value <= most:
        stop(k, line, TOO_MUCH)
        return
    a = _next(k, ASK_TARGET, i, tag)
    a.qty, a.unit = value, unit


@njit
def ask_cancel(k: Rec, i: int) -> None:
    """Ask to cancel the resting entries, if anything rests."""
    if holding(k, i).opens:
        _next(k, ASK_CANCEL, i, 0)


@njit
def ask_close(k: Rec, line: int, i: int, tag: int) -> None:
    """Ask to hold nothing, and to cancel what rests."""
    _next(k, ASK_CANCEL, i, 0)
    if holding(k, i).qty:
        ask_target(k, line, i, 0, UNIT_QTY, tag)


WRITTEN = (
    "account_at", "ask_cancel", "ask_close", "ask_order", "ask_target", "column", "cost_e4", "day", "entry_e4",
    "entry_price", "equity", "is_fresh", "lot", "minute", "now_ns", "opened_ns", "own_of", "position", "price",
    "quantity", "read", "tick", "working",
)  # fmt: skip
"""The words that a generated file may take from here."""
