"""The table of `docs/failures.md`, made from the markers of tests; `python -m tests.failures.table` writes it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.failures.catalogue import FAILURES, LATER

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "failures.md"
BEGIN, END = "<!-- made from the tests -->", "<!-- end -->"


def marked() -> dict[str, list[str]]:
    """Return the tests of each failure, as path and name, sorted."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for number, name in _of(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(number, []).append(f"{path.relative_to(TESTS)}::{name}")
    return found


def _of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for each in node.decorator_list:
            if isinstance(each, ast.Call) and ast.unparse(each.func) == "pytest.mark.failure":
                for argument in each.args:
                    assert isinstance(argument, ast.Constant)
                    yield str(argument.value), node.name


def table() -> str:
    """Return the table."""
    found = marked()
    lines = ["| | failure | shown by |", "| --- | --- | --- |"]
    for number, what in FAILURES.items():
        shown = "<br>".join(f"`{name}`" for name in found.get(number, []))
        lines.append(f"| `{number}` | {what} | {shown or LATER.get(number, '—')} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page with its table as it should be."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    shown = len(set(marked()) & set(FAILURES))
    return f"{head}{BEGIN}\n\n{shown} of {len(FAILURES)} are shown.\n\n{table()}\n\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
