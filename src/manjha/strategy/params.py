"""Typed, ranged parameters: what a search may vary and what a user may type."""

import difflib
import math
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from manjha.domain.errors import UsageError

Value = int | float | bool | str
T = TypeVar("T", int, float, bool, str)


class Param(msgspec.Struct, frozen=True):
    """One parameter of a strategy. `low`, `high` are inclusive; `choices` is for text; `step` guides a grid."""

    name: str
    default: Value
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    help: str = ""

    @property
    def kind(self) -> type:
        """The type that a value must have."""
        return type(self.default)

    def check(self, value: object, strategy: str) -> Value:
        """Return the value in the parameter's type.

        Raises
        ------
        UsageError
            Not of the type, outside the range or not among the choices.
        """
        converted = _convert(value, self.kind)
        if converted is None:
            raise UsageError(f"parameter {self.name} of {strategy} expects {_wanted(self)}, was {value!r}")
        too_low = self.low is not None and not isinstance(converted, str) and converted < self.low
        too_high = self.high is not None and not isinstance(converted, str) and converted > self.high
        if too_low or too_high or (self.choices and converted not in self.choices):
            raise UsageError(f"parameter {self.name} of {strategy} expects {_wanted(self)}, was {value!r}")
        return converted


def param(
    default: T,
    *,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    choices: tuple[str, ...] = (),
    help: str = "",  # noqa: A002 - the word every command line uses
) -> T:
    """Declare a parameter in the body of a strategy class: `fast: int = param(20, low=2, high=200)`.

    The attribute of an instance is the plain value. The declared type is that of the default.
    """
    return cast("T", Param("", default, low, high, step, choices, help))


def collect(owner: type) -> dict[str, Param]:
    """Return the parameters that a class and its bases declare, in order of declaration."""
    found: dict[str, Param] = {}
    for base in reversed(owner.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, Param):
                found[name] = msgspec.structs.replace(value, name=name)
    return found


def bind(params: Mapping[str, Param], given: Mapping[str, object], strategy: str) -> dict[str, Value]:
    """Return every parameter's value, defaults filled in. Raises `UsageError` for an unknown name or bad value."""
    for name in given:
        if name not in params:
            close = difflib.get_close_matches(name, params, n=1)
            known = ", ".join(params) or "none"
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise UsageError(f"strategy {strategy} has no parameter {name!r}", hint=f"{hint}It has: {known}.")
    return {name: p.check(given.get(name, p.default), strategy) for name, p in params.items()}


_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _convert(value: object, kind: type) -> Value | None:
    if kind is str:
        return str(value)
    if kind is bool:
        return value if isinstance(value, bool) else _WORDS.get(str(value).lower())
    try:
        number = float("nan") if isinstance(value, bool) else float(cast("Any", value))
    except (TypeError, ValueError):
        return None
    if not math.isfinite(number) or (kind is int and number != int(number)):
        return None
    return kind(number)  # type: ignore[no-any-return]


def _wanted(p: Param) -> str:
    if p.choices:
        return "one of " + ", ".join(p.choices)
    what = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[p.kind]
    if p.low is not None and p.high is not None:
        return f"{what} from {p.low:g} to {p.high:g}"
    if p.low is not None:
        return f"{what} of at least {p.low:g}"
    return f"{what} of at most {p.high:g}" if p.high is not None else what
