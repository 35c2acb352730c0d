"""Manjha: an algorithmic trading platform for Indian markets.

The names below are loaded when they are used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import Any

_API = {
    "Strategy": "manjha.app.api",
    "backtest": "manjha.app.api",
    "load_bars": "manjha.app.api",
    "param": "manjha.app.api",
    "report": "manjha.app.api",
    "summary": "manjha.app.api",
}
"""Names of the short Python API, and the module that each comes from."""

__all__ = ["Strategy", "__version__", "backtest", "load_bars", "param", "report", "summary"]


def __getattr__(name: str) -> Any:
    if name in _API:
        return getattr(import_module(_API[name]), name)
    if name == "__version__":
        return import_module("importlib.metadata").version("manjha")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
