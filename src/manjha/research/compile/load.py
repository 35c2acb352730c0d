"""The generated file of a strategy: written beside the kernel's cache, compiled once, and loaded from then on.

Its name is made of its text, of the kernel's files and of this package's, so that a changed strategy is another file
and an unchanged one is found again.
"""

import hashlib
import os
from functools import cache
from pathlib import Path
from types import ModuleType

from numba.core.errors import NumbaError

from manjha.research.compile.source import NotCompilable
from manjha.research.kernel import cache as kernel_cache

PACKAGE = Path(__file__).parent
COMPILES = "compiling {name}, once for this version of it"


@cache
def _stamp() -> str:
    """Return what every generated file depends on, as a hash."""
    digest = hashlib.sha256(kernel_cache.stamp().encode())
    for path in sorted(PACKAGE.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def name_of(source: str) -> str:
    """Return the name of a generated file."""
    return "on_bar_" + hashlib.sha256(f"{_stamp()} {source}".encode()).hexdigest()[:16]


def is_compiled(name: str) -> bool:
    """Tell whether the cache holds code of a generated file."""
    return next(places().rglob(f"{name}.act-*.nbi"), None) is not None


def places() -> Path:
    """Return the folder below which generated files and their code lie."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    return Path(given) if given else kernel_cache.folder()


_LOADED: dict[str, ModuleType] = {}


def loaded(source: str, title: str, on_compile: kernel_cache.OnCompile | None = None) -> ModuleType:
    """Return the module with `act`, compiled if it was not yet.

    Raises
    ------
    NotCompilable
        numba does not take it; the message is the first line of what it says.
    """
    name = name_of(source)
    found = _LOADED.get(name)
    if found is None:
        if on_compile is not None and not is_compiled(name):
            on_compile(COMPILES.format(name=title))
        try:
            found = _LOADED[name] = kernel_cache.generated(name, source)
        except NumbaError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            said = next((line for line in lines if not line.startswith("Failed in")), type(error).__name__)
            raise NotCompilable(f"numba does not compile it: {said}") from None
    return found
