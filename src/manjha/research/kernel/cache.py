"""Compiled code on disk: one small file, written beside the cache, whose name says what it was made of.

numba keys its cache by the file of the function that is cached, and does not see that a function in another file has
changed. So only the entry is cached, and it stands in a generated file that is named by a hash of all kernel files,
the record layouts and the code of every wrapped rule: another rule, another file, nothing stale.
"""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import numba
import numpy as np

from manjha.research.kernel import records, scalars
from manjha.strategy.numba_start import defer_blas

PACKAGE = Path(__file__).parent
OnCompile = Callable[[str], None]
"""Called with a sentence before code is compiled, which takes some seconds."""
COMPILES = "compiling the backtest kernel, once for this version of it"

_SOURCE = '''"""Entry of the compiled backtest, written by manjha.research.kernel.cache; may be deleted."""

import numba

from manjha.research.kernel import loop, scalars


@numba.njit(cache=True, **scalars.OPTIONS)
def run(account, stop, how):
    k = account[0]
    if how == loop.STEP:
        loop.decide_now(k)
    loop.run_bars(k, stop)
    if how == loop.TO_THE_END and not k.status:
        loop.finish(k)
'''


def stamp(rules: dict[str, FunctionType] | None = None) -> str:
    """Return what the compiled code is made of, as a short hash; `rules` replaces wrapped rules by name, for a test."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    wrapped = {f"{rule.__module__}.{rule.__qualname__}": rule for rule in scalars.wrapped_rules()} | (rules or {})
    for name, rule in sorted(wrapped.items()):
        digest.update(name.encode() + _made_of(rule).encode())
    layouts = [str(value.descr) for value in vars(records).values() if isinstance(value, np.dtype)]
    digest.update("".join(layouts).encode())
    digest.update(f"{sys.version_info[:2]} {np.__version__} {numba.__version__} {_SOURCE}".encode())
    return digest.hexdigest()[:16]


def _made_of(rule: FunctionType) -> str:
    """Return the code of a rule and the values that it takes from its module, as text."""
    code: CodeType = rule.__code__
    names = [n for n in code.co_names if isinstance(rule.__globals__.get(n), int | float | str | tuple)]
    constants = [const for const in code.co_consts if const != rule.__doc__]
    return f"{code.co_code.hex()} {constants} {code.co_names} {[rule.__globals__[n] for n in names]}"


def folder() -> Path:
    """Return where generated files go: numba's own folder if it is set, else beside the kernel, else the user's."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return Path(given) / "manjha"
    if os.access(PACKAGE, os.W_OK):
        return PACKAGE / "__pycache__"
    from platformdirs import user_cache_path

    return user_cache_path("manjha") / "kernel"


def is_compiled(name: str) -> bool:
    """Tell whether the cache holds code of a generated file."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    places = Path(given) if given else folder()
    return next(places.rglob(f"{name}.run-*.nbi"), None) is not None


def generated(name: str, source: str) -> ModuleType:
    """Write a generated module, unless it is there already, and import it."""
    defer_blas()
    path = folder() / f"{name}.py"
    if not path.exists() or path.read_text(encoding="utf-8") != source:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(source, encoding="utf-8")
        part.replace(path)
    spec = importlib.util.spec_from_file_location(f"manjha_generated_{name}", path)
    assert spec is not None  # noqa: S101 - a path that ends in .py has a loader
    assert spec.loader is not None  # noqa: S101 - as above
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@cache
def entries() -> ModuleType:
    """Return the module with `run(account, stop, how)`, loaded once; `how` is one of `loop`."""
    return generated(entry_name(), _SOURCE)


@cache
def entry_name() -> str:
    """Return the name of the generated file of the kernel as it is."""
    return f"kernel_{stamp()}"


def warm(on_compile: OnCompile | None = None) -> None:
    """Have the kernel's code in the cache and in this process, so that no later run waits for it."""
    if on_compile is not None and not is_compiled(entry_name()):
        on_compile(COMPILES)
    done = np.zeros(1, records.ACCOUNT)
    done[0]["status"] = records.DONE
    entries().run(done, 0, 0)
