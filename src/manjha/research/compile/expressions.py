"""Expressions of a strategy, each with its kind and its text in the generated source."""

import ast
from collections.abc import Callable
from enum import Enum
from types import ModuleType
from typing import Any

from manjha.research.compile.kinds import (
    BOOL,
    FLOAT,
    INT,
    LINE,
    MARKET,
    NAMES,
    NONE,
    NUMBER,
    NUMBERS,
    SIDE,
    TEXT,
    THING,
    VERB,
    Value,
    as_kind,
    join,
    literal,
)
from manjha.research.compile.scope import OUTSIDE, Bound, Listed, Markets, Scope, Thing
from manjha.research.compile.words import COLUMNS
from manjha.strategy.context import Context

_ARITHMETIC: dict[type[ast.operator], tuple[str, str, str]] = {
    ast.Add: ("add", "({} + {})", "+"),
    ast.Sub: ("take", "({} - {})", "-"),
    ast.Mult: ("times", "({} * {})", "*"),
    ast.FloorDiv: ("floor_div", "float_floor_div(k, {line}, {}, {})", "//"),
    ast.Mod: ("rest", "float_rest(k, {line}, {}, {})", "%"),
}
_BITS: dict[type[ast.operator], str] = {ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^"}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_OF_MARKET = {
    "position": (INT, "position(k, {i})"), "working": (INT, "working(k, {i})"), "cost_e4": (INT, "cost_e4(k, {i})"),
    "entry_e4": (INT, "entry_e4(k, {i})"), "entry_price": (FLOAT, "entry_price(k, {i})"),
    "opened_ns": (INT, "opened_ns(k, at, {i})"), "is_fresh": (BOOL, "is_fresh(k, at, {i})"),
}  # fmt: skip
_OF_CONTEXT = {
    "now_ns": (INT, "now_ns(k, at)"), "day": (INT, "day(k, at)"), "minute": (INT, "minute(k, at)"),
    "interval": (INT, "o.run_interval"), "position_index": (INT, "at"), "equity": (FLOAT, "equity(k, {line}, at)"),
}  # fmt: skip
VERBS = ("buy", "sell", "target", "close_position", "cancel")
"""Methods of an instrument that ask for something; the context has them for the first one."""


def value_of(scope: Scope, node: ast.expr) -> Value:
    """Return an expression's value. Raises `NotCompilable`."""
    translate = _TRANSLATE.get(type(node))
    if translate is None:
        raise scope.refused_construct(node)
    return translate(scope, node)


def number_of(scope: Scope, node: ast.expr, what: str = "a number") -> Value:
    """Return an expression that must be a number; a side is one."""
    found = value_of(scope, node)
    if found.kind == SIDE:
        return found._replace(kind=INT)
    if found.kind not in NUMBERS:
        raise scope.refused(node, f"expected {what} here, found {NAMES[found.kind]}")
    return found


def truth_of(scope: Scope, node: ast.expr) -> str:
    """Return the text of whether an expression counts as true."""
    if isinstance(node, ast.BoolOp):
        word = " and " if isinstance(node.op, ast.And) else " or "
        return f"({word.join(truth_of(scope, each) for each in node.values)})"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return f"(not {truth_of(scope, node.operand)})"
    return truth(scope, value_of(scope, node), node)


def truth(scope: Scope, value: Value, node: ast.expr) -> str:
    """Return the text of whether a value counts as true."""
    if value.kind == BOOL:
        return value.code
    if value.kind == INT:
        return f"({value.code} != 0)"
    if value.kind in (FLOAT, NUMBER):
        return f"({value.code} != 0.0)"
    if value.kind == TEXT:
        return f"({value.code} != 0)"
    if value.kind == NONE:
        return "False"
    raise scope.refused(node, f"{NAMES[value.kind]} taken for true or false {OUTSIDE}")


# ---- names and attributes


def _constant(scope: Scope, node: ast.Constant) -> Value:
    if isinstance(node.value, bool | int | float | str) or node.value is None:
        return scope.constant(node.value, node)
    raise scope.refused(node, f"{type(node.value).__name__} {OUTSIDE}")


def _attribute(scope: Scope, node: ast.Attribute) -> Value:
    if node.attr.startswith("__"):
        raise scope.refused(node, f"a name that begins with two underscores {OUTSIDE}")
    owner = value_of(scope, node.value)
    if owner.kind == MARKET:
        return of_market(scope, node, owner.code)
    if owner.kind == LINE and node.attr == "now":
        return _read(node, owner, literal(-1))
    if owner.kind != THING:
        raise scope.refused(node, f"{node.attr} of {NAMES[owner.kind]} {OUTSIDE}")
    thing = owner.of
    if isinstance(thing, Listed) and node.attr in ("lot", "tick"):
        return Value(INT, f"{node.attr}(k, {thing.market})")
    if isinstance(thing, Markets) and node.attr == "values":
        return Value(THING, of=Bound("values"))
    if isinstance(thing, Thing):
        return _of_thing(scope, node, thing)
    raise scope.refused(node, f"{node.attr} here {OUTSIDE}")


def _of_thing(scope: Scope, node: ast.Attribute, thing: Thing) -> Value:
    what = thing.what
    if what is scope.program.strategy:
        return scope.program.attribute(scope, node)
    if isinstance(what, Context):
        return _of_context(scope, node)
    if isinstance(what, ModuleType):
        if hasattr(what, node.attr):
            scope.program.rely_on(vars(what), node.attr)
            return scope.constant(getattr(what, node.attr), node)
    elif isinstance(what, type) and issubclass(what, Enum) and node.attr in what.__members__:
        return scope.constant(what[node.attr], node)
    elif isinstance(what, tuple) and node.attr in getattr(what, "_fields", ()):
        path = None if thing.path is None else (*thing.path, node.attr)
        return scope.constant(getattr(what, node.attr), node, path)
    raise scope.refused(node, f"{node.attr} of {_described(what)} {OUTSIDE}")


def _described(what: object) -> str:
    name = getattr(what, "__name__", None)
    if isinstance(name, str):
        return name
    word = type(what).__name__
    return f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"


def of_market(scope: Scope, node: ast.Attribute, market: str) -> Value:
    """Return what an instrument is asked for."""
    found = _OF_MARKET.get(node.attr)
    if found is not None:
        return Value(found[0], found[1].format(i=market))
    if node.attr in COLUMNS:
        return scope.program.column(node.attr, market)
    if node.attr == "instrument":
        return Value(THING, of=Listed(market))
    if node.attr in ("buy", "sell"):
        return Value(VERB, literal(1 if node.attr == "buy" else -1), market)
    if node.attr in (*VERBS, "line"):
        return Value(THING, of=Bound(node.attr, market))
    raise scope.refused(node, f"market.{node.attr} {OUTSIDE}")


def _of_context(scope: Scope, node: ast.Attribute) -> Value:
    found = _OF_CONTEXT.get(node.attr)
    if found is not None:
        return Value(found[0], found[1].format(line=node.lineno))
    if node.attr == "market":
        return Value(MARKET, "0")
    if node.attr in ("markets", "universe"):
        return Value(THING, of=Markets())
    if node.attr == "order":
        return Value(THING, of=Bound("order"))
    if node.attr in (*VERBS, "position", "working") or (node.attr in COLUMNS and node.attr != "oi"):
        return of_market(scope, node, "0")
    raise scope.refused(node, f"ctx.{node.attr} {OUTSIDE}")


def _subscript(scope: Scope, node: ast.Subscript) -> Value:
    owner = value_of(scope, node.value)
    if owner.kind == LINE:
        if isinstance(node.slice, ast.Slice):
            raise scope.refused_construct(node.slice)
        ago = number_of(scope, node.slice, "a whole number")
        if ago.kind not in (INT, BOOL):
            raise scope.refused(node, "a line is read by a whole number")
        return _read(node, owner, as_kind(ago, INT, node.lineno))
    key = value_of(scope, node.slice)
    what = owner.of.what if isinstance(owner.of, Thing) else owner.of
    if owner.kind == THING and key.kind == TEXT and isinstance(key.of, str) and isinstance(what, Context | Markets):
        return Value(MARKET, str(scope.program.market_named(scope, node, key.of, by_id=isinstance(what, Markets))))
    if owner.kind == THING and isinstance(what, tuple) and key.kind == INT and key.code.strip("()-").isdigit():
        number, path = int(key.code.strip("()")), owner.of.path
        if not -len(what) <= number < len(what):
            raise scope.refused(node, f"there is no member {number} of a tuple of {len(what)}")
        return scope.constant(what[number], node, None if path is None else (*path, number))
    raise scope.refused(node, f"a look into {_described(what) if owner.kind == THING else NAMES[owner.kind]} {OUTSIDE}")


def _read(node: ast.expr, line: Value, ago: str) -> Value:
    return Value(FLOAT, f"read(k, {node.lineno}, at, {line.code}, {ago})")


# ---- arithmetic


def _binary(scope: Scope, node: ast.BinOp) -> Value:
    return arithmetic(scope, node.op, number_of(scope, node.left), number_of(scope, node.right), node)


def arithmetic(scope: Scope, op: ast.operator, left: Value, right: Value, node: ast.AST) -> Value:
    """Return an operation on two numbers, as Python does it."""
    line: int = node.lineno  # type: ignore[attr-defined]
    kinds = {left.kind, right.kind}
    whole = kinds <= {BOOL, INT}
    if type(op) in _BITS and whole:
        kind = BOOL if kinds == {BOOL} else INT
        code = f"({as_kind(left, kind, line)} {_BITS[type(op)]} {as_kind(right, kind, line)})"
        return Value(kind, code)
    if isinstance(op, ast.Div):
        into = FLOAT if FLOAT in kinds else NUMBER
        code = f"divide(k, {line}, {as_kind(left, into, line)}, {as_kind(right, into, line)})"
        return Value(FLOAT, code)
    if type(op) not in _ARITHMETIC:
        word = {ast.Pow: "**", ast.LShift: "<<", ast.RShift: ">>", ast.MatMult: "@"}.get(type(op), "a bit of a float")
        hint = "; x * x says the same as x ** 2" if word == "**" else ""
        raise scope.refused(node, f"{word} {OUTSIDE}{hint}")
    checked, plain, _ = _ARITHMETIC[type(op)]
    if whole:
        code = f"{checked}(k, {line}, {as_kind(left, INT, line)}, {as_kind(right, INT, line)})"
        return Value(INT, code)
    into = FLOAT if FLOAT in kinds else NUMBER
    code = plain.format(as_kind(left, into, line), as_kind(right, into, line), line=line)
    return Value(into, code if into == FLOAT else f"bounded(k, {line}, {code})")


def _unary(scope: Scope, node: ast.UnaryOp) -> Value:
    if isinstance(node.op, ast.Not):
        return Value(BOOL, truth_of(scope, node))
    constant = node.operand
    if isinstance(node.op, ast.USub) and isinstance(constant, ast.Constant) and type(constant.value) in (int, float):
        negative: Any = -constant.value  # type: ignore[operator]
        return scope.constant(negative, node)
    found, line = number_of(scope, node.operand), node.lineno
    if isinstance(node.op, ast.UAdd):
        return found._replace(kind=INT, code=as_kind(found, INT, line)) if found.kind == BOOL else found
    if isinstance(node.op, ast.Invert):
        if found.kind not in (BOOL, INT):
            raise scope.refused(node, f"~ of a float {OUTSIDE}")
        return Value(INT, f"(~{as_kind(found, INT, line)})")
    if found.kind in (BOOL, INT):
        return Value(INT, f"take(k, {line}, 0, {as_kind(found, INT, line)})")
    return found._replace(code=f"(-{found.code})")


# ---- choices and comparisons


def _boolean(scope: Scope, node: ast.BoolOp) -> Value:
    values = [value_of(scope, each) for each in node.values]
    word = " and " if isinstance(node.op, ast.And) else " or "
    if all(value.kind == BOOL for value in values):
        return Value(BOOL, f"({word.join(value.code for value in values)})")
    kind = values[0].kind
    for value in values[1:]:
        kind = join(kind, value.kind) or NONE
    if kind not in (*NUMBERS, TEXT) or any(value.calls for value in values):
        raise scope.refused(node, f"what {word.strip()} gives here {OUTSIDE}; write it with if and else")
    code = as_kind(values[-1], kind, node.lineno)
    for value, each in zip(reversed(values[:-1]), reversed(node.values[:-1]), strict=True):
        own = as_kind(value, kind, node.lineno)
        first, second = (code, own) if isinstance(node.op, ast.And) else (own, code)
        code = f"({first} if {truth(scope, value, each)} else {second})"
    return Value(kind, code)


def _choice(scope: Scope, node: ast.IfExp) -> Value:
    test, body, other = truth_of(scope, node.test), value_of(scope, node.body), value_of(scope, node.orelse)
    kind = join(body.kind, other.kind)
    if kind is None or kind in (THING, NONE):
        raise scope.refused(node, f"now {NAMES[body.kind]} and now {NAMES[other.kind]} {OUTSIDE}")
    if kind == VERB:
        if body.of != other.of:
            raise scope.refused(node, "buy or sell of different instruments")
        return Value(VERB, f"({body.code} if {test} else {other.code})", body.of)
    line = node.lineno
    code = f"({as_kind(body, kind, line)} if {test} else {as_kind(other, kind, line)})"
    return Value(kind, code)


def _compare(scope: Scope, node: ast.Compare) -> Value:
    if isinstance(node.ops[0], ast.Is | ast.IsNot):
        return _is(scope, node)
    if isinstance(node.ops[0], ast.In | ast.NotIn):
        return _is_among(scope, node)
    values = [value_of(scope, each) for each in (node.left, *node.comparators)]
    words = []
    for op in node.ops:
        if type(op) not in _COMPARISONS:
            raise scope.refused(node, f"is and in within a chain {OUTSIDE}")
        words.append(_COMPARISONS[type(op)])
    codes = comparable(scope, node, values, equal_only=all(word in ("==", "!=") for word in words))
    code = codes[0] + "".join(f" {word} {code}" for word, code in zip(words, codes[1:], strict=True))
    return Value(BOOL, f"({code})")


def comparable(scope: Scope, node: ast.expr, values: list[Value], *, equal_only: bool) -> list[str]:
    """Return the texts of values made comparable with each other, exactly as Python compares them."""
    kinds = {value.kind for value in values}
    if kinds in ({TEXT}, {MARKET}) and equal_only:
        return [value.code for value in values]
    if not kinds <= {*NUMBERS, SIDE}:
        found = " and ".join(sorted(NAMES[kind] for kind in kinds))
        raise scope.refused(node, f"a comparison of {found} {OUTSIDE}")
    numbers = [value._replace(kind=INT) if value.kind == SIDE else value for value in values]
    whole = all(value.kind in (BOOL, INT) for value in numbers)
    return [as_kind(value, INT if whole else NUMBER, node.lineno) for value in numbers]


def _is(scope: Scope, node: ast.Compare) -> Value:
    left, right = value_of(scope, node.left), value_of(scope, node.comparators[0])
    yes = isinstance(node.ops[0], ast.Is)
    if len(node.ops) == 1 and NONE in (left.kind, right.kind):
        return Value(BOOL, repr((left.kind == right.kind) == yes))
    if len(node.ops) == 1 and left.kind == right.kind and left.kind in (SIDE, MARKET):
        return Value(BOOL, f"({left.code} {'==' if yes else '!='} {right.code})")
    raise scope.refused(node, f"is, but for None, a side or an instrument, {OUTSIDE}")


def _is_among(scope: Scope, node: ast.Compare) -> Value:
    among = node.comparators[0]
    if len(node.ops) > 1 or not isinstance(among, ast.Tuple) or not among.elts:
        raise scope.refused(node, f"in, but for a tuple written out, {OUTSIDE}")
    left = value_of(scope, node.left)
    values = [left, *(value_of(scope, each) for each in among.elts)]
    if left.calls:
        raise scope.refused(node, f"a call before in {OUTSIDE}; give it a name first")
    if any(value.kind in (FLOAT, NUMBER) for value in values):
        # Python takes the very same NaN for a member, although it does not equal itself.
        raise scope.refused(node, f"in among floats {OUTSIDE}; == says it")
    pairs = [comparable(scope, node, [left, value], equal_only=True) for value in values[1:]]
    code = " or ".join(f"{one} == {other}" for one, other in pairs)
    return Value(BOOL, f"({code})" if isinstance(node.ops[0], ast.In) else f"(not ({code}))")


def _call(scope: Scope, node: ast.Call) -> Value:
    from manjha.research.compile.calls import call

    return call(scope, node)


_TRANSLATE: dict[type[ast.expr], Callable[[Scope, Any], Value]] = {
    ast.Constant: _constant,
    ast.Name: lambda scope, node: scope.look_up(node),
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.IfExp: _choice,
    ast.Compare: _compare,
    ast.Call: _call,
}
