"""Finds strategies: the library by name, a user's folder, and files by path.

It lives in `app` because it hands classes of `strategy` to whoever asks, which no adapter may know.
"""

import difflib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from manjha.domain.errors import UsageError
from manjha.strategy import library
from manjha.strategy.indicators import Indicator, get
from manjha.strategy.interface import Strategy

TEMPLATE = Path(__file__).parent / "strategy_template.txt"
USER_MODULE = "manjha_user_"
"""How the names of the modules begin that are made of users' files."""


class StrategyFiles:
    """Implements `ports.strategies.StrategySource` over the library and a folder of the user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str) -> type[Strategy]:
        """Return a strategy by name or path. See the port."""
        if name.endswith(".py") or ".py:" in name or "/" in name:
            path, _, chosen = name.partition(":")
            return _one(_load(Path(path).expanduser()), path, chosen)
        wanted = name.strip().lower().replace("_", "-")
        shipped = _library()
        if wanted in shipped and not self._mentions(wanted, shipped[wanted].__name__):
            # A file of the user that cannot be read is no reason to refuse a strategy that it does not touch.
            return shipped[wanted]
        found = {strategy.name: strategy for strategy in self.all()}
        if wanted in found:
            return found[wanted]
        close = difflib.get_close_matches(wanted, found, n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise UsageError(f"unknown strategy {name!r}", hint=f"{hint}`manjha strategy list` shows all of them.")

    def all(self) -> Sequence[type[Strategy]]:
        """Return the library's strategies and those of the user's folder, by name; a user's own wins."""
        own: dict[str, type[Strategy]] = {}
        files: dict[str, Path] = {}
        for path in sorted(self._folder.glob("*.py")):
            for strategy in _strategies(_load(path)):
                name = strategy.name
                if name in own:
                    both = path.name if files[name] == path else f"{files[name].name} and {path.name}"
                    raise UsageError(
                        f"two strategies are named {name!r}, in {both}", hint=f"Rename one of them; see {self._folder}."
                    )
                own[name], files[name] = strategy, path
        found = _library() | own
        return [found[name] for name in sorted(found)]

    def _mentions(self, *words: str) -> bool:
        """Tell whether a file of the user's folder may hold a strategy of this name, judged by its text."""
        texts = (path.read_text(encoding="utf-8", errors="replace") for path in self._folder.glob("*.py"))
        return any(word in text for text in texts for word in words)


def find_function(name: str) -> Indicator | Callable[..., Any]:
    """Return an indicator of the registry by name, or a function by FILE.py:name.

    Raises `UsageError` naming what there is.
    """
    if ".py" not in name:
        return get(name)
    path, _, chosen = name.partition(":")
    module = _load(Path(path).expanduser())
    own: dict[str, Callable[..., Any]] = {
        key: value
        for key, value in vars(module).items()
        if callable(value) and not isinstance(value, type) and getattr(value, "__module__", "") == module.__name__
    }
    if chosen in own:
        return own[chosen]
    names = ", ".join(own) or "none"
    raise UsageError(
        f"{path} has no function {chosen!r}" if chosen else f"{path}: which function?",
        hint=f"Give one as FILE.py:function. It has: {names}.",
    )


def template() -> str:
    """Return the commented example that `manjha strategy new` writes."""
    return TEMPLATE.read_text(encoding="utf-8")


def _library() -> dict[str, type[Strategy]]:
    """Return the library's strategies by name."""
    found = {}
    for info in pkgutil.iter_modules(library.__path__):
        for strategy in _strategies(import_module(f"{library.__name__}.{info.name}")):
            found[strategy.name] = strategy
    return found


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
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="Give one of its files, like folder/my_strategy.py.")
    if not path.is_file():
        raise UsageError(f"no strategy file {path}", hint="Check the path; `manjha strategy new FILE` writes one.")
    name = f"{USER_MODULE}{sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a user's file may raise anything; it is told, not hidden
        sys.modules.pop(name, None)
        raise UsageError(
            f"{path} cannot be used: {_where(error, path)}", hint="Correct the file and run again."
        ) from error
    return module


def _where(error: BaseException, path: Path) -> str:
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    if line is None:
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path.absolute()
        ]
        line = frames[-1].lineno if frames else None
    at = f" in line {line}" if line else ""
    return f"{type(error).__name__}{at}: {error.msg if isinstance(error, SyntaxError) else error}"
