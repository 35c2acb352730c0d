"""Expression trees as text: read, written, and brought into the one form that equal rules share."""

import ast
from collections.abc import Iterator

import msgspec

from manjha.domain.errors import DataError

SWAPPED = frozenset({"both", "either"})
"""Words whose two parts may change places."""


class Node(msgspec.Struct, frozen=True):
    """A word with its parts, or a constant: then `value` is set and `word` is empty."""

    word: str = ""
    parts: tuple["Node", ...] = ()
    value: int | float | None = None

    def __iter__(self) -> Iterator["Node"]:
        """Yield the node and everything below it."""
        yield self
        for part in self.parts:
            yield from part

    @property
    def size(self) -> int:
        """How many words and constants it has."""
        return sum(1 for _ in self)

    @property
    def text(self) -> str:
        """The tree as `parse` reads it."""
        if self.value is not None:
            return repr(self.value)
        return f"{self.word}({', '.join(part.text for part in self.parts)})" if self.parts else self.word


def parse(text: str) -> Node:
    """Read a tree like "above(close, sma(close, 20))". Raises `DataError` for anything else."""
    try:
        return _node(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise DataError(f"no expression tree: {text[:80]!r}") from error


def canonical(node: Node) -> Node:
    """Return the form that equal rules share: no double negation, `both` and `either` in order, without repeats."""
    parts = tuple(canonical(part) for part in node.parts)
    if node.word == "negation" and parts[0].word == "negation":
        return parts[0].parts[0]
    if node.word in SWAPPED:
        one, other = sorted(parts, key=lambda part: part.text)
        return one if one == other else Node(node.word, (one, other))
    return Node(node.word, parts, node.value)


def _node(found: ast.expr) -> Node:
    match found:
        case ast.Call(func=ast.Name(id=word), args=args, keywords=[]) if args:
            return Node(word, tuple(_node(one) for one in args))
        case ast.Name(id=word):
            return Node(word)
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return Node(value=value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return Node(value=-value)
    raise ValueError(ast.dump(found))
