"""Conditions that a combination must meet, in a small language of its own: "fast < slow and slow - fast >= 10".

Numbers, texts in quotes, names of parameters, + − * / %, comparisons (also chained), and, or, not, in (a, b), brackets.
Python's parser reads it, and everything but these is refused; nothing is ever run as code.
"""

import ast
import difflib
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

import msgspec

from manjha.domain.errors import UsageError
from manjha.strategy.params import Value

LENGTH_MAX = 500
"""Letters of a condition; the parser is not asked to read a book."""

_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda value, among: value in among,
    ast.NotIn: lambda value, among: value not in among,
}


class Constraint(msgspec.Struct, frozen=True):
    """A condition that was read. `text` is as the user wrote it."""

    text: str
    tree: Any

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Tell whether values meet it; one that divides by zero or compares text with numbers does not.

        `values` has every parameter of the strategy.
        """
        try:
            return bool(_value(self.tree, values))
        except (ZeroDivisionError, TypeError, OverflowError):
            return False


def parse_constraint(text: str, names: Collection[str]) -> Constraint:
    """Read a condition over these names.

    Raises
    ------
    UsageError
        It is none, or uses a name or a sign that it may not; with the place.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body if len(text) <= LENGTH_MAX else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is None or isinstance(tree, ast.Constant | ast.Name):
        raise UsageError(f"expected a condition like 'fast < slow', was {text[:LENGTH_MAX]!r}")
    for part in ast.walk(tree):
        _check(part, text, names)
    return Constraint(text.strip(), tree)


def _check(part: ast.AST, text: str, names: Collection[str]) -> None:
    match part:
        case ast.Name(id=name) if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise UsageError(
                f"the condition {text!r} names {name!r}, which is no parameter",
                hint=f"{hint}There are: {', '.join(names)}.",
            )
        case ast.Constant(value=int() | float() | str()) | ast.Name() | ast.Tuple() | ast.BoolOp() | ast.expr_context():
            return
        case ast.boolop() | ast.UnaryOp(op=ast.Not() | ast.USub()) | ast.Not() | ast.USub():
            return
        case ast.BinOp(op=op) if type(op) in _BINARY:
            return
        case ast.Compare(ops=ops) if all(type(op) in _COMPARE for op in ops):
            return
        case ast.operator() | ast.cmpop() if type(part) in _BINARY or type(part) in _COMPARE:
            return
    what = ast.unparse(part) if isinstance(part, ast.expr) else type(part).__name__
    raise UsageError(
        f"the condition {text!r} may not have {what!r}",
        hint="It may have parameters, numbers, quoted texts, + - * / %, comparisons, and, or, not, in (a, b).",
    )


def _value(part: ast.expr, values: Mapping[str, Value]) -> Any:
    match part:
        case ast.Constant():
            found: Any = part.value
        case ast.Name():
            found = values[part.id]
        case ast.Tuple():
            found = tuple(_value(one, values) for one in part.elts)
        case ast.BoolOp():
            quantifier = all if isinstance(part.op, ast.And) else any
            found = quantifier(_value(one, values) for one in part.values)
        case ast.UnaryOp():
            inner = _value(part.operand, values)
            found = not inner if isinstance(part.op, ast.Not) else -inner
        case ast.BinOp():
            found = _BINARY[type(part.op)](_value(part.left, values), _value(part.right, values))
        case _:
            found = _compared(cast("ast.Compare", part), values)
    return found


def _compared(part: ast.Compare, values: Mapping[str, Value]) -> bool:
    left = _value(part.left, values)
    for op, side in zip(part.ops, part.comparators, strict=True):
        right = _value(side, values)
        if not _COMPARE[type(op)](left, right):
            return False
        left = right
    return True
