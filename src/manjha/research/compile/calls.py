"""Calls in a strategy: Python's own functions, the strategy's, and what it asks the context for."""

import ast
import math
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType
from typing import Any, NewType

from manjha.domain.sizing import TargetUnit
from manjha.research.compile.expressions import VERBS, number_of, of_market, truth, truth_of, value_of
from manjha.research.compile.kinds import (
    BOOL,
    FLOAT,
    INT,
    MARKET,
    NAMES,
    NUMBER,
    SIDE,
    TEXT,
    THING,
    VERB,
    Value,
    as_kind,
    join,
    literal,
)
from manjha.research.compile.scope import OUTSIDE, Bound, Markets, Scope, Thing
from manjha.research.compile.source import Function
from manjha.research.compile.words import COLUMNS

TERMS = ("limit", "trigger", "stop", "target", "trail", "exit_ns")
UNITS = (TargetUnit.SIGNAL, TargetUnit.WEIGHT, TargetUnit.LOTS, TargetUnit.QTY)
"""By the numbers of `kernel.records`."""


def call(scope: Scope, node: ast.Call) -> Value:
    """Return a call that gives a value. Raises `NotCompilable`."""
    if any(isinstance(each, ast.Starred) for each in node.args) or any(each.arg is None for each in node.keywords):
        raise scope.refused(node, f"a star {OUTSIDE}")
    found = _called(scope, node)
    if found.kind == VERB or (isinstance(found.of, Bound) and found.of.name in (*VERBS, "order")):
        raise scope.refused(node, f"asking for an order within an expression {OUTSIDE}; it must be a line of its own")
    what = found.of
    if isinstance(what, Bound):
        return _method(scope, node, what)
    if found.kind != THING or not isinstance(what, Thing):
        raise scope.refused(node, f"a call of {NAMES[found.kind]} {OUTSIDE}")
    function = what.what
    if isinstance(function, NewType) and len(node.args) == 1 and not node.keywords:
        return value_of(scope, node.args[0])
    if isinstance(function, FunctionType):
        return scope.program.call(scope, node, Function(function), ())
    translate = _BUILT_IN.get(function) if isinstance(function, type | BuiltinFunctionType) else None
    if translate is None:
        word = getattr(function, "__name__", type(function).__name__)
        raise scope.refused(node, f"a call of {word} {OUTSIDE}")
    if node.keywords:
        raise scope.refused(node, f"{function.__name__} with a named argument {OUTSIDE}")
    return translate(scope, node)


def ask(scope: Scope, node: ast.Call) -> bool:
    """Write a call that asks for something, a statement by itself; tell whether it was one."""
    if any(isinstance(each, ast.Starred) for each in node.args) or any(each.arg is None for each in node.keywords):
        raise scope.refused(node, f"a star {OUTSIDE}")
    found = _called(scope, node)
    if found.kind == VERB:
        _order(scope, node, _named(scope, found.of), found.code, node.args)
        return True
    what = found.of
    if not isinstance(what, Bound) or what.function is not None:
        return False
    if what.name == "order":
        if len(node.args) < 2:
            raise scope.refused(node, "order expects an instrument and a side")
        market, side = value_of(scope, node.args[0]), value_of(scope, node.args[1])
        if market.kind != MARKET or side.kind != SIDE:
            raise scope.refused(node, "order expects an instrument and a side")
        _order(scope, node, _named(scope, market.code), side.code, node.args[2:])
    elif what.name == "target" and what.market is not None:
        _target(scope, node, what.market)
    elif what.name in ("close_position", "cancel") and what.market is not None:
        _close_or_cancel(scope, node, what.name, what.market)
    else:
        return False
    return True


def _called(scope: Scope, node: ast.Call) -> Value:
    """Return what is called; a method of the class above for `super().name`."""
    function = node.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
        above = function.value
        if isinstance(above.func, ast.Name) and above.func.id == "super" and not above.args:
            return Value(THING, of=scope.program.above(scope, node, function.attr))
    return value_of(scope, function)


def _method(scope: Scope, node: ast.Call, what: Bound) -> Value:
    if what.function is not None:
        me = Value(THING, of=Thing(scope.program.strategy, ()))
        return scope.program.call(scope, node, what.function, (me,))
    if what.name == "values":
        return Value(THING, of=Markets(values=True))
    if what.name == "line" and what.market is not None and len(node.args) == 1:
        name = value_of(scope, node.args[0]).of
        if name in COLUMNS:
            return of_market(scope, ast.copy_location(ast.Attribute(node.func, name, ast.Load()), node), what.market)
    raise scope.refused(node, f"a call of {what.name} here {OUTSIDE}")


def _named(scope: Scope, code: str) -> str:
    """Return a name or number that stands for an instrument, so that it is computed once."""
    return code if code.isidentifier() or code.isdigit() else scope.temp(code)


# ---- what is asked for


def _order(scope: Scope, node: ast.Call, market: str, side: str, args: list[ast.expr]) -> None:
    """Write the request of an order. Its terms are computed in the order in which they are written."""
    given = {"qty": "0", "tag": "0"} | dict.fromkeys(TERMS, "0")
    named = [(each.arg or "", each.value) for each in node.keywords]
    if len(args) > 1:
        raise scope.refused(node, "an order takes one quantity; its terms are named")
    for name, value in [("qty", each) for each in args] + named:
        if name not in given:
            raise scope.refused(value, f"the term {name} of an order {OUTSIDE}")
        if name == "qty":
            given[name] = scope.temp(_quantity(scope, value))
        elif name == "tag":
            given[name] = _tag(scope, value)
        elif name == "exit_ns":
            given[name] = scope.temp(_whole(scope, value, number_of(scope, value)))
        else:
            given[name] = scope.temp(_price(scope, value, market))
    terms = ", ".join(given[name] for name in TERMS)
    scope.write(f"ask_order(k, {market}, {side}, {given['qty']}, ({terms}), {given['tag']})")


def _quantity(scope: Scope, node: ast.expr) -> str:
    found = number_of(scope, node, "a quantity")
    if found.kind in (FLOAT, NUMBER):
        return f"quantity(k, {node.lineno}, {found.code})"
    return as_kind(found, INT, node.lineno)


def _price(scope: Scope, node: ast.expr, market: str) -> str:
    """Return the text of a price on the tick, 0 for None."""
    if isinstance(node, ast.Constant) and node.value is None:
        return "0"
    if isinstance(node, ast.IfExp) and any(
        isinstance(each, ast.Constant) and each.value is None for each in (node.body, node.orelse)
    ):
        test, body, other = (
            truth_of(scope, node.test),
            _price(scope, node.body, market),
            _price(scope, node.orelse, market),
        )
        return f"({body} if {test} else {other})"
    found = number_of(scope, node, "a price")
    return f"price(k, {node.lineno}, {market}, {as_kind(found, NUMBER, node.lineno)})"


def _tag(scope: Scope, node: ast.expr) -> str:
    found = value_of(scope, node)
    if found.kind != TEXT:
        raise scope.refused(node, f"a tag that is no word {OUTSIDE}")
    return found.code


def _target(scope: Scope, node: ast.Call, market: str) -> None:
    given: dict[str, ast.expr] = dict(zip(("value", "unit"), node.args, strict=False))
    given |= {each.arg or "": each.value for each in node.keywords}
    if "value" not in given or set(given) - {"value", "unit", "tag"} or len(node.args) > 2:
        raise scope.refused(node, "target expects a value, a unit and a tag")
    market, line = _named(scope, market), node.lineno
    found = number_of(scope, given["value"])
    if found.kind in (BOOL, INT):
        value = f"times(k, {line}, {as_kind(found, INT, line)}, 1000000000)"
    else:
        product = f"({found.code} * 1000000000.0)"
        value = f"rounded(k, {line}, {product if found.kind == FLOAT else f'bounded(k, {line}, {product})'})"
    unit = UNITS.index(TargetUnit.WEIGHT)
    if "unit" in given:
        told = value_of(scope, given["unit"]).of
        if not isinstance(told, Thing) or not isinstance(told.what, TargetUnit):
            raise scope.refused(node, f"a unit that is no member of TargetUnit {OUTSIDE}")
        unit = UNITS.index(told.what)
    value = scope.temp(value)
    tag = _tag(scope, given["tag"]) if "tag" in given else "0"
    scope.write(f"ask_target(k, {line}, {market}, {value}, {unit}, {tag})")


def _close_or_cancel(scope: Scope, node: ast.Call, name: str, market: str) -> None:
    tag = "0"
    for each in node.keywords:
        if each.arg != "tag" or name == "cancel":
            raise scope.refused(node, f"the term {each.arg} of {name} {OUTSIDE}")
        tag = _tag(scope, each.value)
    if node.args:
        raise scope.refused(
            node, f"{name} of one order {OUTSIDE}" if name == "cancel" else "close_position takes a tag only"
        )
    market = _named(scope, market)
    scope.write(f"ask_cancel(k, {market})" if name == "cancel" else f"ask_close(k, {node.lineno}, {market}, {tag})")


# ---- Python's own


def _whole(scope: Scope, node: ast.expr, found: Value) -> str:
    """Return the text of int(...)."""
    del scope
    if found.kind in (BOOL, INT):
        return as_kind(found, INT, node.lineno)
    return f"whole(k, {node.lineno}, {found.code})"


def _arguments(scope: Scope, node: ast.Call, least: int, most: int) -> list[Value]:
    if not least <= len(node.args) <= most:
        raise scope.refused(node, f"{ast.unparse(node.func)} with {len(node.args)} arguments {OUTSIDE}")
    return [number_of(scope, each) for each in node.args]


def _int(scope: Scope, node: ast.Call) -> Value:
    (found,) = _arguments(scope, node, 1, 1)
    return Value(INT, _whole(scope, node, found))


def _float(scope: Scope, node: ast.Call) -> Value:
    if len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
        try:
            return Value(FLOAT, literal(float(node.args[0].value)))
        except ValueError:
            raise scope.refused(node, "expected the text of a number") from None
    (found,) = _arguments(scope, node, 1, 1)
    return Value(FLOAT, as_kind(found, FLOAT, node.lineno))


def _bool(scope: Scope, node: ast.Call) -> Value:
    if len(node.args) != 1:
        raise scope.refused(node, "bool expects one argument")
    return Value(BOOL, truth(scope, value_of(scope, node.args[0]), node))


def _abs(scope: Scope, node: ast.Call) -> Value:
    (found,) = _arguments(scope, node, 1, 1)
    if found.kind in (BOOL, INT):
        return Value(INT, f"size(k, {node.lineno}, {as_kind(found, INT, node.lineno)})")
    return found._replace(code=f"abs({found.code})")


def _extreme(word: str) -> Callable[[Scope, ast.Call], Value]:
    def translate(scope: Scope, node: ast.Call) -> Value:
        values = _arguments(scope, node, 2, 8)
        kind = values[0].kind
        for value in values[1:]:
            kind = join(kind, value.kind) or kind
        code = as_kind(values[0], kind, node.lineno)
        for value in values[1:]:
            code = f"{word}({code}, {as_kind(value, kind, node.lineno)})"
        return Value(kind, code)

    return translate


def _to_whole(word: str) -> Callable[[Scope, ast.Call], Value]:
    def translate(scope: Scope, node: ast.Call) -> Value:
        if word == "rounded" and len(node.args) == 2:
            raise scope.refused(node, f"round to digits {OUTSIDE}; round(x * 100) / 100 is exact in what it does")
        (found,) = _arguments(scope, node, 1, 1)
        if found.kind in (BOOL, INT):
            return Value(INT, as_kind(found, INT, node.lineno))
        return Value(INT, f"{word}(k, {node.lineno}, {found.code})")

    return translate


def _of_float(kind: str, text: str) -> Callable[[Scope, ast.Call], Value]:
    def translate(scope: Scope, node: ast.Call) -> Value:
        (found,) = _arguments(scope, node, 1, 1)
        return Value(kind, text.format(as_kind(found, FLOAT, node.lineno), line=node.lineno))

    return translate


def _len(scope: Scope, node: ast.Call) -> Value:
    if len(node.args) == 1:
        found = value_of(scope, node.args[0])
        if isinstance(found.of, Markets):
            return Value(INT, "k.instruments")
    raise scope.refused(node, f"len, but of ctx.markets, {OUTSIDE}")


_BUILT_IN: dict[Any, Callable[[Scope, ast.Call], Value]] = {
    int: _int, float: _float, bool: _bool, abs: _abs, min: _extreme("lower"), max: _extreme("higher"),
    round: _to_whole("rounded"), len: _len, math.floor: _to_whole("floor"), math.ceil: _to_whole("ceil"),
    math.sqrt: _of_float(FLOAT, "root(k, {line}, {})"),
    math.fabs: _of_float(FLOAT, "abs({})"), math.isnan: _of_float(BOOL, "math.isnan({})"),
    math.isinf: _of_float(BOOL, "math.isinf({})"), math.isfinite: _of_float(BOOL, "math.isfinite({})"),
}  # fmt: skip
