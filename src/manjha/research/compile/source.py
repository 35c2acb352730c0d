"""The source of a strategy's functions, as trees, and the refusal that names a line of it."""

import ast
import inspect
from types import CodeType, FunctionType

from manjha.strategy.interface import Strategy

FREE = ("__class__",)
"""What a method may take from outside besides its module: the cell that `super()` uses."""


class NotCompilable(Exception):  # noqa: N818 - named by what it says of a strategy
    """Something in a strategy is outside what can be compiled; the message names the function, the line and it."""


class Function:
    """A function as it was written.

    Attributes
    ----------
    written
        The Python function.
    name, tree
        Its name, and its tree with the line numbers of its file.
    owner
        The class that it is a method of, None for one of a module.
    """

    def __init__(self, written: FunctionType, owner: type | None = None) -> None:
        self.written = written
        self.owner = owner
        self.name = written.__name__
        self.tree = _tree_of(written)

    def refused(self, where: ast.AST | int, what: str) -> NotCompilable:
        """Return the refusal of something in this function."""
        line = where if isinstance(where, int) else getattr(where, "lineno", self.tree.lineno)
        return NotCompilable(f"{self.name} line {line}: {what}")


def method_of(found: type, name: str) -> Function | None:
    """Return a method of a class by name, None where it has none or only the empty one of `Strategy`.

    Raises
    ------
    NotCompilable
        It is no plain function, or its source is not there or is not what runs.
    """
    for owner in found.__mro__:
        if name in vars(owner):
            written = vars(owner)[name]
            if owner is Strategy:
                return None
            if not isinstance(written, FunctionType):
                raise NotCompilable(f"{name} is no plain method (a property, a class or static method, or decorated)")
            return Function(written, owner)
    return None


def _tree_of(written: FunctionType) -> ast.FunctionDef:
    """Return a function's tree.

    The tree is compiled again and compared with what runs: source that has changed since is not taken for it.
    """
    name = written.__name__
    outside = [free for free in written.__code__.co_freevars if free not in FREE]
    if outside:
        raise NotCompilable(f"{name} takes {outside[0]} from the function around it")
    module, codes = _read(written)
    line = written.__code__.co_firstlineno
    found = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef) and node.name == name]
    if any(each.lineno == line for node in found for each in node.decorator_list):
        raise NotCompilable(f"{name} line {line}: a decorator is outside what can be compiled")
    tree = next((node for node in found if node.lineno == line), None)
    same = [code for code in codes if code.co_name == name and code.co_firstlineno == line]
    if tree is None or not any(_is_same(code, written.__code__) for code in same):
        raise NotCompilable(f"the source of {name} is not what was loaded; start anew")
    return tree


def _read(written: FunctionType) -> tuple[ast.Module, list[CodeType]]:
    """Return the tree of the file that a function is from, and the codes that it makes."""
    try:
        lines, _ = inspect.findsource(written)
        text = "".join(lines)
        return ast.parse(text), _codes(compile(text, "<strategy>", "exec", dont_inherit=True))
    except (OSError, TypeError, SyntaxError, ValueError):
        raise NotCompilable(f"the source of {written.__name__} cannot be read") from None


def _codes(code: CodeType) -> list[CodeType]:
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return inner + [found for one in inner for found in _codes(one)]


def _is_same(one: CodeType, other: CodeType) -> bool:
    """Tell whether two codes do the same."""
    constants = [[repr(const) for const in code.co_consts if not isinstance(const, CodeType)] for code in (one, other)]
    names = (one.co_names, one.co_varnames) == (other.co_names, other.co_varnames)
    return one.co_code == other.co_code and names and constants[0] == constants[1]
