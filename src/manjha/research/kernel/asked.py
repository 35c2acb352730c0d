"""A strategy that acts in `on_bar`, compiled by `research.compile`, in a compiled run: called, and what it asks for.

Its code is compiled by itself and reached by its address, so that another strategy does not mean another kernel. While
it acts nothing changes; what it asks for stands in a list and is carried out afterwards, as in the event engine.
"""

from typing import Any, cast

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from manjha.research.kernel import records as s
from manjha.research.kernel.account import equity
from manjha.research.kernel.decide import carry_target, grows, place_entry
from manjha.research.kernel.gate import ENTRIES, cancel_open
from manjha.research.kernel.records import ASK_CANCEL, ASK_ORDER, ASK_TARGET, BARS
from manjha.research.kernel.rows import asked_row
from manjha.research.kernel.scalars import Rec, njit

_ASKED_SIZE = s.ASKED.itemsize
_ACTS_AT = s.ACCOUNT.fields["acts_at"][1] if s.ACCOUNT.fields else 0


def _call(_typing: Any, k: Any, what: Any, first: Any, last: Any) -> Any:  # noqa: ARG001 - numba asks for their types
    """Type and code of `act`."""

    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = context.get_value_type(types.int64)
        here = builder.ptrtoint(arguments[0], word)
        place = builder.add(here, context.get_constant(types.int64, _ACTS_AT))
        address = builder.load(builder.inttoptr(place, word.as_pointer()))
        function = builder.inttoptr(address, ir.FunctionType(word, [word] * 4).as_pointer())
        return builder.call(function, [here, *arguments[1:]])

    return types.int64(numba.from_dtype(s.ACCOUNT), types.int64, types.int64, types.int64), code


act = cast("Any", intrinsic(_call))
"""In compiled code: call the strategy with the account's address, for what, and two numbers.

For `records.BARS` they are the first position and the one after the last; it returns the position at which it asked for
something, or the last. For `records.SESSION_OPENS` they are the day and its moment."""


@njit
def turns_to(k: Rec, first: int, last: int) -> int:
    """Let the strategy see bar after bar until it asks for something; return the position of the last that it saw."""
    return int(act(k, BARS, first, last))


@njit
def carry_out_asked(k: Rec, now_ns: int) -> None:
    """Carry out what was asked for, in order; of several targets those that reduce go first, after everything else."""
    targets, worth = 0, equity(k)
    for at in range(k.asked):
        targets += asked_row(k, at).kind == ASK_TARGET
    for at in range(k.asked):
        if targets < 2 or asked_row(k, at).kind != ASK_TARGET:
            _carry_out(k, at, worth, now_ns)
    for growing in range(2 if targets > 1 else 0):
        for at in range(k.asked):
            a = asked_row(k, at)
            k.unit = a.unit
            if a.kind == ASK_TARGET and grows(k, a.instrument, a.qty, worth) == (growing == 1):
                _carry_out(k, at, worth, now_ns)
    k.asked = k.tag = 0


@njit
def _carry_out(k: Rec, at: int, worth: int, now_ns: int) -> None:
    a = asked_row(k, at)
    k.tag, k.unit = a.tag, a.unit
    if a.kind == ASK_ORDER:
        place_entry(k, a.instrument, k.asked_at + at * _ASKED_SIZE, now_ns)
    elif a.kind == ASK_TARGET:
        carry_target(k, a.instrument, a.qty, worth, now_ns, k.asked == 1)
    elif a.kind == ASK_CANCEL:
        cancel_open(k, a.instrument, now_ns, ENTRIES)
