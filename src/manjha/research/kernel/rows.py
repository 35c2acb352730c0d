"""Rows of a run's tables in compiled code: the account's record `k` holds where each table lies, as an address.

A table is an array that `run.Tables` keeps alive as long as its record. One pointer is all that compiled functions pass
to each other: with the arrays themselves as arguments the same code took four minutes to compile.
"""

from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from manjha.research.kernel import records as s
from manjha.research.kernel.scalars import Rec


def _record_at(kind: np.dtype[Any], field: str) -> Callable[[Rec, int], Rec]:
    """Return the function that gives a row of a table by its number; `field` of the account holds the address."""
    record, account = numba.from_dtype(kind), numba.from_dtype(s.ACCOUNT)
    place = s.ACCOUNT.fields[field][1] if s.ACCOUNT.fields else 0

    def row(_typing: Any, k: Any, number: Any) -> Any:  # noqa: ARG001 - numba asks for their types
        def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            word = context.get_value_type(types.int64)
            here = builder.add(builder.ptrtoint(arguments[0], word), context.get_constant(types.int64, place))
            table = builder.load(builder.inttoptr(here, word.as_pointer()))
            offset = builder.mul(arguments[1], context.get_constant(types.int64, kind.itemsize))
            return builder.inttoptr(builder.add(table, offset), context.get_value_type(record))

        return record(account, types.int64), code

    return cast("Callable[[Rec, int], Rec]", intrinsic(row))


def _int_at(_typing: Any, address: Any, number: Any) -> Any:  # noqa: ARG001 - as above
    """Type and code of `ints`."""

    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = context.get_value_type(types.int64)
        offset = builder.mul(arguments[1], context.get_constant(types.int64, 8))
        return builder.load(builder.inttoptr(builder.add(arguments[0], offset), word.as_pointer()))

    return types.int64(types.int64, types.int64), code


ints = cast("Callable[[int, int], int]", intrinsic(_int_at))
"""In compiled code: an integer of a column, by the column's address and the row."""


def _float_at(_typing: Any, address: Any, number: Any) -> Any:  # noqa: ARG001 - as above
    """Type and code of `floats`."""

    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = context.get_value_type(types.float64)
        offset = builder.mul(arguments[1], context.get_constant(types.int64, 8))
        return builder.load(builder.inttoptr(builder.add(arguments[0], offset), word.as_pointer()))

    return types.float64(types.int64, types.int64), code


floats = cast("Callable[[int, int], float]", intrinsic(_float_at))
"""In compiled code: a float of a column, by the column's address and the row."""


def _fetch_ahead(_typing: Any, address: Any, number: Any) -> Any:  # noqa: ARG001 - as above
    """Type and code of `fetch_ahead`."""

    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        offset = builder.mul(arguments[1], context.get_constant(types.int64, 8))
        place = builder.inttoptr(builder.add(arguments[0], offset), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        fetch = builder.module.globals.get("llvm.prefetch.p0") or ir.Function(builder.module, kind, "llvm.prefetch.p0")
        # To read, once, as data.
        builder.call(fetch, [place, flag(0), flag(1), flag(1)])
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), code


fetch_ahead = cast("Callable[[int, int], None]", intrinsic(_fetch_ahead))
"""In compiled code: ask for an integer of a column that is read soon. Columns are long, wake-ups far apart."""

holding = _record_at(s.HOLDING, "holdings_at")
order_at = _record_at(s.ORDER, "orders_at")
protection = _record_at(s.PROTECTION, "protections_at")
output = _record_at(s.OUTPUT, "outputs_at")
timer = _record_at(s.PLANNED, "timers_at")
fill = _record_at(s.FILL, "fills_at")
step = _record_at(s.STEP, "steps_at")
note = _record_at(s.NOTE, "notes_at")
refusal = _record_at(s.REFUSAL, "refusals_at")
action_at = _record_at(s.ACTION, "actions_at")
kept_at = _record_at(s.KEPT, "kept_at")
change = _record_at(s.CHANGE, "changes_at")
slab_at = _record_at(s.SLAB, "slabs_at")
day_at = _record_at(s.DAY, "days_at")
session_at = _record_at(s.SESSION, "sessions_at")
card_at = _record_at(s.CARD, "cards_at")
asked_row = _record_at(s.ASKED, "asked_at")
line_at = _record_at(s.LINE, "lines_at")
daily_at = _record_at(s.DAILY, "dailies_at")
