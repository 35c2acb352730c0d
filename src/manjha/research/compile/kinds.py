"""The kinds of value that a compiled strategy computes with, and how one becomes another.

A kind is known for every expression before anything is compiled, so that each operation is the one that Python does.
`number` is what may be an integer or a float in Python: held as a float, and only as long as both are sure to be equal.
"""

import math
from typing import Any, NamedTuple

from manjha.domain.orders import Side
from manjha.strategy.context import Market
from manjha.strategy.views import Line

BOOL, INT, FLOAT, NUMBER = "bool", "int", "float", "number"
TEXT, SIDE, MARKET, LINE = "text", "side", "market", "line"
"""Words by their number in a table, 1 or −1, an instrument's number, a line's number."""
VERB = "verb"
"""`market.buy` or `market.sell` itself: a side, and in `of` the instrument's number."""
NONE, THING = "none", "thing"
"""Nothing; and what is known while compiling (`of`): the context, a module, a class, a tuple, a function."""
CALLED = "FN_"
"""How the names of a strategy's own functions begin in the generated source."""
NUMBERS = (BOOL, INT, FLOAT, NUMBER)
KEPT = (BOOL, INT, FLOAT, NUMBER, TEXT, SIDE, MARKET, LINE)
"""Kinds that an attribute or a variable can hold."""
NAMES = {
    BOOL: "true or false", INT: "a whole number", FLOAT: "a float", NUMBER: "a number", TEXT: "a word", SIDE: "a side",
    MARKET: "an instrument", LINE: "a line", VERB: "buy or sell", NONE: "None", THING: "a thing",
}  # fmt: skip


class Value(NamedTuple):
    """An expression: its kind, its text in the generated source, and what is known of it (`of`)."""

    kind: str
    code: str = ""
    of: Any = None

    @property
    def calls(self) -> bool:
        """Whether it calls a function of the strategy, which may change something and must not be written twice."""
        return CALLED in self.code


def join(one: str, other: str) -> str | None:
    """Return the kind of what is now one and now the other; None where there is none."""
    if one == other:
        return one
    if one in NUMBERS and other in NUMBERS:
        if FLOAT not in (one, other) and NUMBER not in (one, other):
            return INT
        return NUMBER
    return None


def kind_of(value: object) -> str:
    """Return the kind of what an attribute holds before the first bar; `thing` for what is only looked into."""
    exact: dict[type, str] = {bool: BOOL, int: INT, float: FLOAT, str: TEXT, Side: SIDE, type(None): NONE}
    if isinstance(value, Market):
        return MARKET
    if isinstance(value, Line):
        return LINE
    return exact.get(type(value), THING)


def literal(value: float) -> str:
    """Return a number as the generated source has it."""
    if isinstance(value, bool | int):
        return repr(value) if value >= 0 else f"({value!r})"
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INF" if value > 0 else "(-INF)"
    return f"({value!r})"


def as_kind(value: Value, kind: str, line: int) -> str:
    """Return the text of a value as another kind of number; `join` must have allowed it."""
    if value.kind == kind or kind not in NUMBERS:
        return value.code
    if kind == INT:
        return f"int({value.code})"
    if kind == BOOL:
        raise AssertionError(f"{value.kind} is never kept as true or false")
    if value.kind == BOOL:
        return f"float({value.code})"
    if value.kind == INT:
        return f"float({value.code})" if kind == FLOAT else f"exact(k, {line}, {value.code})"
    return value.code


def stored_as(kind: str) -> str:
    """Return how a record holds a kind, in numpy's words."""
    return "f8" if kind in (FLOAT, NUMBER) else "i8"
