"""Finds strategies: the library by name, a user's folder, and files by path.

It lives in `app` because it hands classes of `strategy` to whoever asks, which no adapter may know.
"""

import difflib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType

from manjha.domain.errors import UsageError
from manjha.strategy import library
from manjha.strategy.interface import Strategy

TEMPLATE = Path(__file__).parent / "strategy_template.txt"


class StrategyFiles:
    """Implements `ports.strategies.StrategySource` over the library and a folder of the user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str) -> type[Strategy]:
        """Return a strategy by name or path. See the port."""
        if name.endswith(".py") or ".py:" in name or "/" in name:
            path, _, chosen = name.partition(":")
            return _one(_load(Path(path).expanduser()), path, chosen)
        found = {strategy.name: strategy for strategy in self.all()}
        wanted = name.strip().lower().replace("_", "-")
        if wanted in found:
            return found[wanted]
        close = difflib.get_close_matches(wanted, found, n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise UsageError(f"unknown strategy {name!r}", hint=f"{hint}`manjha strategy list` shows all of them.")

    def all(self) -> Sequence[type[Strategy]]:
        """Return the library's strategies and those of the user's folder, by name; a user's own wins."""
        found: dict[str, type[Strategy]] = {}
        for info in pkgutil.iter_modules(library.__path__):
            for strategy in _strategies(import_module(f"{library.__name__}.{info.name}")):
                found[strategy.name] = strategy
        for path in sorted(self._folder.glob("*.py")):
            for strategy in _strategies(_load(path)):
                found[strategy.name] = strategy
        return [found[name] for name in sorted(found)]


def template() -> str:
    """Return the commented example that `manjha strategy new` writes."""
    return TEMPLATE.read_text(encoding="utf-8")


def _strategies(module: ModuleType) -> list[type[Strategy]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]


def _one(module: ModuleType, path: str, chosen: str) -> type[Strategy]:
    found = {strategy.__name__: strategy for strategy in _strategies(module)}
    if chosen:
        if chosen in found:
            return found[chosen]
        raise UsageError(f"{path} has no strategy {chosen!r}", hint=f"It has: {', '.join(found) or 'none'}.")
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise UsageError(
            f"{path} has no strategy", hint="Write a class that inherits from manjha.Strategy (manjha strategy new)."
        )
    raise UsageError(f"{path} has several strategies", hint=f"Name one: {path}:{next(iter(found))}.")


def _load(path: Path) -> ModuleType:
    """Run a user's file as a module of its own. Raises `UsageError` with file and line instead of a traceback."""
    if not path.is_file():
        raise UsageError(f"no strategy file {path}", hint="Check the path; `manjha strategy new FILE` writes one.")
    name = f"manjha_user_{sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a user's file may raise anything; it is told, not hidden
        sys.modules.pop(name, None)
        raise UsageError(
            f"{path} cannot be used: {_where(error, path)}", hint="Correct the file and run again."
        ) from error
    return module


def _where(error: Exception, path: Path) -> str:
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    if line is None:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
        line = frames[-1].lineno if frames else None
    at = f" in line {line}" if line else ""
    return f"{type(error).__name__}{at}: {error.msg if isinstance(error, SyntaxError) else error}"
