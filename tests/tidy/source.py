"""What the tidy rules read: parsed Python files and the text files that git would carry."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PYTHON_FOLDERS = ("src", "tests", "benchmarks")


@dataclass(frozen=True)
class Source:
    """One parsed Python file. `name` is its path from the root, with slashes."""

    name: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """The package of ours that the file belongs to: "domain" for src/manjha/domain/money.py."""
        parts = self.name.split("/")
        if parts[:2] != ["src", "manjha"]:
            return ""
        return parts[2].removesuffix(".py") if len(parts) > 2 else ""

    @property
    def inside(self) -> str:
        """The path from src/manjha: "domain/money.py"."""
        return self.name.removeprefix("src/manjha/")

    @property
    def module(self) -> str:
        """The dotted name that imports it: "manjha.domain.money"."""
        dotted = self.name.removeprefix("src/").removesuffix(".py").replace("/", ".")
        return dotted.removesuffix(".__init__")

    def at(self, node: ast.AST, message: str) -> str:
        """Return a finding that an editor can jump to."""
        return f"{self.name}:{getattr(node, 'lineno', 1)}: {message}"


@cache
def tracked(root: Path) -> tuple[Path, ...]:
    """Return the files that git carries or would carry; everything below the root where there is no git."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        names = {name for name in listed.split("\0") if name}
        return tuple(path for name in sorted(names) if (path := root / name).is_file())
    return tuple(sorted(path for path in root.rglob("*") if path.is_file()))


@cache
def sources(root: Path) -> tuple[Source, ...]:
    """Return every Python file of ours below the root."""
    return tuple(_parsed(root, path) for path in tracked(root) if _is_ours(path.relative_to(root)))


def product(root: Path, *packages: str) -> Iterator[Source]:
    """Yield the files of the product itself, of the named packages only where there are names."""
    for source in sources(root):
        if source.name.startswith("src/manjha/") and (not packages or source.package in packages):
            yield source


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of each file that is text."""
    for path in tracked(root):
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue
        try:
            yield path.relative_to(root).as_posix(), data.decode()
        except UnicodeDecodeError:
            continue


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function, nested ones as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _is_ours(path: Path) -> bool:
    return path.suffix == ".py" and path.parts[0] in PYTHON_FOLDERS and path.parts[:2] != ("benchmarks", "peers")


def _parsed(root: Path, path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path.relative_to(root).as_posix(), text, ast.parse(text, filename=str(path)))
