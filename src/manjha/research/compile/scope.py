"""One function while it is translated: its variables and their kinds, and the lines written so far."""

import ast
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from manjha.research.compile.arithmetic import INT_MIN
from manjha.research.compile.kinds import (
    INT,
    KEPT,
    LINE,
    MARKET,
    NAMES,
    NONE,
    NUMBERS,
    SIDE,
    TEXT,
    THING,
    VERB,
    Value,
    as_kind,
    join,
    kind_of,
    literal,
)
from manjha.research.compile.source import Function, NotCompilable
from manjha.research.compile.words import COLUMNS

if TYPE_CHECKING:
    from manjha.research.compile.program import Program

INDENT = "    "
OUTSIDE = "is outside what can be compiled"
CONSTRUCTS: dict[type[ast.AST], str] = {
    ast.Dict: "a dict", ast.List: "a list", ast.Set: "a set", ast.Tuple: "a tuple", ast.Lambda: "a lambda",
    ast.ListComp: "a comprehension", ast.SetComp: "a comprehension", ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension", ast.JoinedStr: "an f-string", ast.NamedExpr: "an assignment in an expression",
    ast.Slice: "a slice", ast.Starred: "a star", ast.Yield: "a generator", ast.YieldFrom: "a generator",
    ast.Await: "await", ast.Try: "try", ast.Raise: "raise", ast.With: "with", ast.Assert: "assert",
    ast.Import: "an import", ast.ImportFrom: "an import", ast.FunctionDef: "a function in a function",
    ast.AsyncFunctionDef: "a function in a function", ast.ClassDef: "a class in a function", ast.Global: "global",
    ast.Nonlocal: "nonlocal", ast.Match: "match", ast.TryStar: "try", ast.AsyncFor: "await",
    ast.AsyncWith: "await",
}  # fmt: skip
"""What Python has and the subset has not, in words."""


class Thing(NamedTuple):
    """Something that is known while compiling; `path` leads to it from the strategy, where it does."""

    what: Any
    path: tuple[str | int, ...] | None = None


class Bound(NamedTuple):
    """A method of the context or of an instrument (whose number `market` is the text of), or one of the strategy."""

    name: str
    market: str | None = None
    function: Function | None = None


class Markets(NamedTuple):
    """`ctx.markets`, or what its `values` gives."""

    values: bool = False


class Listed(NamedTuple):
    """The `instrument` of an instrument of the run."""

    market: str


class Scope:
    """A function under translation.

    Attributes
    ----------
    kinds
        What each variable may hold, kept from one pass to the next.
    known
        Variables that surely have a value at this point.
    aliases
        Variables that stand for something known.
    returned
        The kind of what is returned; None where nothing was yet.
    """

    def __init__(self, program: "Program", function: Function, kinds: dict[str, str], *, is_entry: bool) -> None:
        self.program = program
        self.function = function
        self.kinds = kinds
        self.is_entry = is_entry
        self.known: set[str] = set()
        self.aliases: dict[str, Value] = {}
        self.lines: list[str] = []
        self.depth = 1
        self.temps = 0
        self.returned: str | None = None
        self.locals = _assigned(function.tree)

    def refused(self, where: ast.AST, what: str) -> NotCompilable:
        """Return the refusal of something in this function."""
        return self.function.refused(where, what)

    def refused_construct(self, node: ast.AST) -> NotCompilable:
        """Return the refusal of a construct that is not in the subset, by its name."""
        words = CONSTRUCTS.get(type(node), f"{type(node).__name__.lower()} here")
        return self.refused(node, f"{words} {OUTSIDE}")

    def write(self, text: str) -> None:
        """Add a line to the function."""
        self.lines.append(INDENT * self.depth + text)

    def temp(self, code: str) -> str:
        """Write a value into a name of its own, and return the name."""
        self.temps += 1
        self.write(f"t{self.temps} = {code}")
        return f"t{self.temps}"

    # ---- names

    def bind(self, name: str, value: Value, where: ast.AST) -> None:
        """Give a variable a value."""
        if value.kind == NONE:
            raise self.refused(where, f"{name} = None: None {OUTSIDE}; a flag or float('nan') can say the same")
        if isinstance(value.of, Bound | Listed):
            raise self.refused(where, f"a name for {NAMES[value.kind]} of an instrument or the strategy {OUTSIDE}")
        if value.kind == THING:
            before = self.aliases.get(name)
            if before is not None and before.of != value.of:
                raise self.refused(where, f"{name} stands for different things")
            self.aliases[name] = value
        elif value.kind == VERB:
            self.write(f"v_{name} = {value.code}")
            self.write(f"v_{name}_of = {value.of}")
        before_kind = self.kinds.get(name, value.kind)
        kind = join(before_kind, value.kind)
        if kind is None:
            raise self.refused(where, f"{name} is now {NAMES[before_kind]} and now {NAMES[value.kind]}")
        if self.kinds.get(name) != kind:
            self.kinds[name] = kind
            self.program.changed = True
        if kind in KEPT:
            self.write(f"v_{name} = {as_kind(value, kind, where.lineno)}")  # type: ignore[attr-defined]
        self.known.add(name)

    def look_up(self, node: ast.Name) -> Value:
        """Return what a name stands for."""
        name = node.id
        if name in self.locals:
            if name not in self.known:
                raise self.refused(node, f"{name} may have no value here")
            kind = self.kinds[name]
            if kind == THING:
                return self.aliases[name]
            return Value(kind, f"v_{name}", f"v_{name}_of" if kind == VERB else None)
        outside = self.function.written.__globals__
        if name in outside:
            self.program.rely_on(outside, name)
            return self.constant(outside[name], node)
        built_in = outside["__builtins__"]
        built_in = vars(built_in) if isinstance(built_in, ModuleType) else built_in
        if name in built_in:
            return Value(THING, of=Thing(built_in[name]))
        raise self.refused(node, f"the name {name} is not known")

    def constant(self, value: Any, where: ast.AST, path: tuple[str | int, ...] | None = None) -> Value:
        """Return what is known while compiling."""
        kind = kind_of(value)
        if kind == INT and not INT_MIN <= value < -INT_MIN:
            raise self.refused(where, "a whole number beyond 64 bits")
        if kind in NUMBERS:
            return Value(kind, literal(value))
        code = ""
        if kind == TEXT:
            return Value(TEXT, str(self.program.text(value)), value)
        if kind == SIDE:
            code = literal(int(value))
        elif kind == MARKET:
            code = str(self.market_number(value, where))
        elif kind == LINE:
            if path is None:
                raise self.refused(where, "a line that is no attribute of the strategy")
            code = f"column(k, {len(COLUMNS)}, {self.program.line(path)})"
        return Value(kind, code, Thing(value, path) if kind == THING else None)

    def market_number(self, market: Any, where: ast.AST) -> int:
        """Return the number of an instrument of the run."""
        for number, each in enumerate(self.program.ctx.markets.values()):
            if each is market:
                return number
        raise self.refused(where, "an instrument of another run")


def _assigned(tree: ast.FunctionDef) -> set[str]:
    """Return the names that are variables of a function."""
    names = {argument.arg for argument in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs)}
    stored = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return names | {node.id for node in stored}
