"""A strategy that acts in `on_bar` as one generated source file, and what it needs to be run."""

import ast
import inspect
import re
from types import FunctionType
from typing import Any, NamedTuple

from manjha.domain.errors import UsageError
from manjha.domain.instrument import InstrumentId
from manjha.research.compile import arithmetic, words
from manjha.research.compile.arithmetic import EXACT, INT_MIN
from manjha.research.compile.kinds import (
    CALLED,
    INT,
    KEPT,
    LINE,
    MARKET,
    NAMES,
    NONE,
    NUMBER,
    THING,
    Value,
    as_kind,
    join,
    kind_of,
    stored_as,
)
from manjha.research.compile.scope import OUTSIDE, Bound, Listed, Scope, Thing
from manjha.research.compile.source import Function, NotCompilable, method_of
from manjha.research.compile.statements import block
from manjha.research.compile.words import COLUMNS
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy, overrides

ENTRIES = ("on_bar", "on_session")
"""What of a strategy is compiled, in the order of `records.BARS` and `SESSION_OPENS`."""
NOT_CALLED = ("on_fill", "on_timer")
PASSES_MAX = 12
"""How often a strategy is translated until the kinds of its variables stay the same; each pass can only widen them."""
Path = tuple[str | int, ...]

_HEAD = '''"""{name} as compiled code, written by manjha.research.compile; may be deleted."""

import math

import numba
import numpy as np

{imports}
from manjha.research.kernel.records import BARS
from manjha.research.kernel.scalars import OPTIONS, inline

OWN = np.dtype({layout})
own = own_of(OWN)
'''
_ACT = """
@numba.cfunc("int64(int64, int64, int64, int64)", cache=True, **OPTIONS)
def act(address, what, first, last):
    k = account_at(address)
    o = own(k, 0)
    if what != BARS:
        {on_session}
        return 0
    at = max(first, k.warmup)
    while at < last:
        k.cursor = at
        {on_bar}
        if k.asked or k.status:
            return at
        at += 1
    return last - 1
"""


class Program:
    """A translated strategy. It suits every strategy of the class whose attributes are of the same kinds.

    Attributes
    ----------
    source
        The generated file.
    kinds
        What each attribute holds that is kept in the strategy's record.
    set
        The attributes that are assigned to.
    texts
        The words that the source names by number; the first is the empty one.
    lines
        Where each line that is an attribute is found.
    columns
        Lines of instruments that are read.
    """

    def __init__(self, strategy: Strategy, ctx: Context) -> None:
        self.strategy = strategy
        self.ctx = ctx
        self.kinds: dict[str, str] = {}
        self.types: dict[str, type] = {}
        self.set: set[str] = set()
        self.things: dict[str, Any] = {}
        self.texts: list[str] = [""]
        self.lines: list[Path] = []
        self.columns: set[str] = set()
        self.changed = False
        self._instruments = list(ctx.markets)
        self._outside: list[tuple[dict[str, Any], str, Any]] = []
        self._methods: dict[str, Any] = {}
        self._variables: dict[Any, dict[str, str]] = {}
        self._returns: dict[Any, str | None] = {}
        self._functions: dict[Any, tuple[str, str]] = {}
        self._under_way: list[Any] = []
        _check_class(strategy)
        self.source = self._translated()
        # What is remembered must not keep the data of a run.
        del self.strategy, self.ctx

    def _translated(self) -> str:
        for _ in range(PASSES_MAX):
            self.changed = False
            self._functions.clear()
            calls = {name: self._entry(name) for name in ENTRIES}
            if not self.changed:
                return self._file(calls)
        raise NotCompilable("the kinds of its variables do not settle")

    def _entry(self, name: str) -> str:
        """Translate one of the strategy's callbacks; return its call."""
        function = method_of(type(self.strategy), name)
        if function is None:
            return "pass"
        self._methods[name] = function.written
        if len(function.tree.args.args) != (2 if name == "on_bar" else 3):
            raise function.refused(function.tree, "other arguments than the strategy's interface has")
        given = [Value(THING, of=Thing(self.strategy, ())), Value(THING, of=Thing(self.ctx))]
        if name == "on_session":
            given.append(Value(INT, "first"))
        return self._call(function, given, "at" if name == "on_bar" else "k.cursor").code

    # ---- what functions ask for while they are translated

    def text(self, word: str) -> int:
        """Return the number of a word."""
        if word not in self.texts:
            self.texts.append(word)
        return self.texts.index(word)

    def line(self, path: Path) -> int:
        """Return the number of a line that is an attribute."""
        if path not in self.lines:
            self.lines.append(path)
        return self.lines.index(path)

    def column(self, name: str, market: str) -> Value:
        """Return a line that every instrument has."""
        self.columns.add(name)
        return Value(LINE, f"column(k, {COLUMNS.index(name)}, {market})")

    def rely_on(self, outside: dict[str, Any], name: str) -> None:
        """Note a name of a module that the source depends on."""
        if not any(where is outside and name == other for where, other, _ in self._outside):
            self._outside.append((outside, name, outside[name]))

    def market_named(self, scope: Scope, node: ast.AST, name: str, *, by_id: bool) -> int:
        """Return the number of an instrument by its name."""
        try:
            return scope.market_number(self.ctx.markets[InstrumentId(name)] if by_id else self.ctx[name], node)
        except (KeyError, UsageError):
            raise scope.refused(node, f"{name!r} is not in this run") from None

    def attribute(self, scope: Scope, node: ast.Attribute) -> Value:
        """Return an attribute of the strategy, or a method of it."""
        name = node.attr
        if name in self.kinds:
            return self._kept(name)
        in_class = inspect.getattr_static(type(self.strategy), name, None)
        if name not in vars(self.strategy) and isinstance(in_class, FunctionType):
            function = method_of(type(self.strategy), name)
            if function is None:
                raise scope.refused(node, f"self.{name} {OUTSIDE}")
            self._methods[name] = in_class
            return Value(THING, of=Bound(name, function=function))
        if isinstance(in_class, property | classmethod | staticmethod) or not hasattr(self.strategy, name):
            what = "is set nowhere before the first bar" if in_class is None else OUTSIDE
            raise scope.refused(node, f"self.{name} {what}")
        value = getattr(self.strategy, name)
        kind = kind_of(value)
        if kind in KEPT and kind != LINE:
            self._check_range(scope, node, value)
            self.kinds[name], self.types[name] = kind, type(value)
            return self._kept(name)
        self.things[name] = _look(value)
        return scope.constant(value, node, (name,))

    def _kept(self, name: str) -> Value:
        kind = self.kinds[name]
        return Value(kind, f"(o.x_{name} != 0)" if kind == "bool" else f"o.x_{name}")

    def store(self, scope: Scope, target: ast.Attribute, value: Value) -> None:
        """Write an assignment to an attribute of the strategy."""
        name = target.attr
        if name not in self.kinds:
            before = self.attribute(scope, target)
            if name not in self.kinds:
                now = NAMES[value.kind]
                raise scope.refused(target, f"self.{name} is {NAMES[before.kind]} and is set to {now}, which {OUTSIDE}")
        kind = join(self.kinds[name], value.kind)
        if kind is None:
            was, now = NAMES[self.kinds[name]], NAMES[value.kind]
            raise scope.refused(target, f"self.{name} is now {was} and now {now}, which {OUTSIDE}")
        if kind != self.kinds[name]:
            self._check_range(scope, target, getattr(self.strategy, name), kind)
            self.kinds[name], self.changed = kind, True
        self.set.add(name)
        scope.write(f"o.x_{name} = {as_kind(value, kind, target.lineno)}")

    def _check_range(self, scope: Scope, node: ast.AST, value: Any, kind: str = INT) -> None:
        if type(value) is int and not INT_MIN <= value < -INT_MIN:
            raise scope.refused(node, "a whole number beyond 64 bits")
        if type(value) is int and kind == NUMBER and abs(value) > EXACT:
            raise scope.refused(node, "a whole number beyond what a float holds")

    def above(self, scope: Scope, node: ast.AST, name: str) -> Bound:
        """Return a method of the classes above the one that a function belongs to."""
        order = type(self.strategy).__mro__
        owner = scope.function.owner
        if owner is None:
            raise scope.refused(node, f"super() here {OUTSIDE}")
        for each in order[order.index(owner) + 1 :]:
            written = vars(each).get(name)
            if isinstance(written, FunctionType):
                return Bound(name, function=Function(written, each))
        raise scope.refused(node, f"super().{name} is not there")

    def call(self, scope: Scope, node: ast.Call, function: Function, first: tuple[Value, ...]) -> Value:
        """Return a call of a function of the strategy or of a module."""
        from manjha.research.compile.expressions import value_of

        if node.keywords:
            raise scope.refused(node, f"a named argument to {function.name} {OUTSIDE}")
        given = [*first, *(value_of(scope, each) for each in node.args)]
        for value in given:
            if value.kind not in (*KEPT, THING) or isinstance(value.of, Bound | Listed):
                raise scope.refused(node, f"{NAMES[value.kind]} given to {function.name} {OUTSIDE}")
        if len(function.tree.args.args) != len(given):
            raise scope.refused(node, f"{function.name} called with defaults or too many arguments {OUTSIDE}")
        return self._call(function, given)

    def _call(self, function: Function, given: list[Value], entered_at: str = "") -> Value:
        key = (function.written, tuple((v.kind, id(v.of.what) if isinstance(v.of, Thing) else "") for v in given))
        if key in self._under_way:
            raise function.refused(function.tree, f"a function that calls itself {OUTSIDE}")
        if key not in self._functions:
            self._functions[key] = self._function(function, key, given, is_entry=bool(entered_at))
        name, kind = self._functions[key][0], self._returns.get(key) or NONE
        arguments = ["k", "o", entered_at or "at", *(value.code for value in given if value.kind in KEPT)]
        return Value(kind, f"{name}({', '.join(arguments)})")

    def _function(self, function: Function, key: Any, given: list[Value], *, is_entry: bool) -> tuple[str, str]:
        """Translate a function for the kinds of its arguments; return its name and text."""
        spec = function.tree.args
        if spec.vararg or spec.kwarg or spec.kwonlyargs or spec.posonlyargs:
            raise function.refused(function.tree, f"other than plain arguments {OUTSIDE}")
        scope = Scope(self, function, self._variables.setdefault(key, {}), is_entry=is_entry)
        scope.returned = self._returns.get(key)
        arguments = [argument.arg for argument in spec.args]
        name = f"{CALLED}{len(self._functions) + len(self._under_way)}_{function.name}"
        kept = []
        self._under_way.append(key)
        for argument, value in zip(arguments, given, strict=True):
            if value.kind in KEPT:
                kept.append(f"a_{argument}")
                scope.bind(argument, value._replace(code=f"a_{argument}"), function.tree)
            else:
                scope.bind(argument, value, function.tree)
        reached = block(scope, function.tree.body)
        self._under_way.remove(key)
        if reached and scope.returned not in (None, NONE):
            raise function.refused(function.tree, f"{function.name} may end without a value")
        self._returns[key] = scope.returned
        body = "\n".join(scope.lines) or "    pass"
        return name, f"\n@inline\ndef {name}({', '.join(['k', 'o', 'at', *kept])}):\n{body}\n"

    # ---- the file

    def _file(self, calls: dict[str, str]) -> str:
        layout = [("run_interval", "i8"), *((f"x_{name}", stored_as(kind)) for name, kind in self.kinds.items())]
        text = "".join(text for _, text in self._functions.values()) + "\n" + _ACT.format(**calls)
        used = set(re.findall(r"\w+", text + _HEAD))
        taken = {module: [word for word in module.WRITTEN if word in used] for module in (arithmetic, words)}
        imports = "\n".join(f"from {m.__name__} import {', '.join(found)}" for m, found in taken.items() if found)
        return _HEAD.format(name=type(self.strategy).__qualname__, layout=layout, imports=imports) + text

    # ---- whom it suits

    def suits(self, strategy: Strategy, ctx: Context) -> bool:
        """Tell whether the translation of another strategy of the class would be the same."""
        if list(ctx.markets) != self._instruments:
            return False
        if any(where.get(name) is not value for where, name, value in self._outside):
            return False
        if any(inspect.getattr_static(type(strategy), name, None) is not had for name, had in self._methods.items()):
            return False
        try:
            same = all(self._begins_alike(strategy, name) for name in self.kinds)
            return same and all(_look(getattr(strategy, n)) == had for n, had in self.things.items())
        except AttributeError:
            return False

    def _begins_alike(self, strategy: Strategy, name: str) -> bool:
        value = getattr(strategy, name)
        if type(value) is not self.types[name]:
            return False
        limit = EXACT if self.kinds[name] == NUMBER else -INT_MIN - 1
        return type(value) is not int or abs(value) <= limit


def _look(value: Any) -> Any:
    """Return what of something that is only looked into decides the translation."""
    kind = kind_of(value)
    if kind == LINE:
        return LINE
    if kind == MARKET:
        return value.instrument.id
    if isinstance(value, tuple):
        return type(value), tuple(_look(each) for each in value)
    return (kind, repr(value)) if kind in KEPT or kind == NONE else _Same(value)


class _Same(NamedTuple):
    """Something that is the same only where it is the very same."""

    what: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.what is self.what

    def __hash__(self) -> int:
        return id(self.what)


def _check_class(strategy: Strategy) -> None:
    """Refuse what changes how attributes and callbacks are found."""
    for name in NOT_CALLED:
        if overrides(strategy, name):
            raise NotCompilable(f"{name} {OUTSIDE}")
    for name in ("__getattribute__", "__getattr__", "__setattr__"):
        if getattr(type(strategy), name, None) is not getattr(Strategy, name, None):
            raise NotCompilable(f"{name} {OUTSIDE}")
    for name in ENTRIES:
        if name in vars(strategy):
            raise NotCompilable(f"{name} is no method but an attribute of the strategy")
