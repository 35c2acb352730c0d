"""What an indicator is: inputs, ranged parameters, outputs, warm-up, and where its compiled arithmetic lies."""

from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import pairwise
from math import isfinite
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from manjha.domain.errors import UsageError
from manjha.domain.money import RUPEE
from manjha.strategy.indicators.memo import memo_in_place

FloatArray = NDArray[np.float64]
State = tuple[NDArray[np.float64], NDArray[np.int64]]

LENGTH_MAX = 5_000
"""Longest window: sums of so many prices of at most `PX_MAX` stay below 2**53, where float64 counts exactly."""

PRICES = frozenset({"open", "high", "low", "close", "x"})
"""Inputs in money (`x` is any one series). The others are `volume` in units and `day`, a `TradingDay`."""


class Parameter(msgspec.Struct, frozen=True):
    """One number that a user may choose, from `low` to `high`, both included."""

    name: str
    default: int | float
    low: int | float
    high: int | float
    integer: bool = True

    def check(self, value: object, owner: str) -> int | float:
        """Return the value in its type. Raises `UsageError` naming value and range."""
        is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        number = float(value) if is_number else float("nan")  # type: ignore[arg-type]  # is_number says so
        if isfinite(number) and self.low <= number <= self.high and (not self.integer or number == int(number)):
            return int(number) if self.integer else number
        kind = "a whole number" if self.integer else "a number"
        raise UsageError(
            f"{owner}: {self.name} must be {kind} from {self.low} to {self.high}, was {value!r}",
            hint=f"The usual value is {self.default}.",
        )


def window(default: int, name: str = "length", *, low: int = 1, high: int = LENGTH_MAX) -> Parameter:
    """Return the parameter for a number of bars."""
    return Parameter(name, default, low, high)


def width(default: float) -> Parameter:
    """Return the parameter for how many deviations or ranges a band is away."""
    return Parameter("width", default, 0.01, 100.0, integer=False)


class Indicator(msgspec.Struct, frozen=True):
    """One indicator of the registry.

    `inputs` name the columns in order. `warmup` gives the number of leading values that are NaN, from the parameters in
    order. `kernel` is "module:name", where `name_init`, `name_update` and `name_fold` lie (see `kernels`).
    `formula` and `source` are for the table in the documentation. `rising` names parameters that must rise strictly.
    """

    name: str
    title: str
    inputs: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    outputs: tuple[str, ...]
    warmup: Callable[..., int]
    kernel: str
    formula: str
    source: str
    rising: tuple[str, ...] = ()

    def values(self, chosen: Mapping[str, object]) -> tuple[int | float, ...]:
        """Return all parameters in order, defaults filled in. Raises `UsageError`."""
        unknown = sorted(chosen.keys() - {parameter.name for parameter in self.parameters})
        if unknown:
            known = ", ".join(parameter.name for parameter in self.parameters) or "none"
            raise UsageError(f"{self.name}: no parameter {unknown[0]!r}", hint=f"It takes: {known}.")
        values = tuple(p.check(chosen.get(p.name, p.default), self.name) for p in self.parameters)
        ordered = [v for p, v in zip(self.parameters, values, strict=True) if p.name in self.rising]
        if any(left >= right for left, right in pairwise(ordered)):
            raise UsageError(f"{self.name}: {' must be below '.join(self.rising)}, were {ordered}")
        return values

    def warmup_bars(self, **parameters: object) -> int:
        """Return how many bars give NaN before the first value."""
        return self.warmup(*self.values(parameters))

    def init(self, scale: float, **parameters: object) -> State:
        """Return a new state. `scale` is the number of input units in one rupee: 10,000 for `Px`."""
        state: State = self._function("init")(scale, *self.values(parameters))
        return state

    @property
    def update(self) -> Callable[..., Any]:
        """Return the compiled `update(f, i, x, ...)`; all inputs are floats, the result a float or a tuple of them."""
        return self._function("update")

    @property
    def fill(self) -> Callable[..., None]:
        """Return the compiled `fold(f, i, column, ..., out)`; `out` is a float64 array, or a tuple of several."""
        return self._function("fold")

    def of(self, *columns: ArrayLike, **parameters: object) -> "Asked":
        """Return the indicator with columns and parameters, for `bundle`. Raises as `arrays`."""
        values = self.values(parameters)
        ready, scale = self._columns(columns)
        return Asked(self, tuple(ready), scale, {p.name: v for p, v in zip(self.parameters, values, strict=True)})

    def fold(self, f: NDArray[np.float64], i: NDArray[np.int64], *columns: NDArray[Any]) -> tuple[FloatArray, ...]:
        """Return the outputs for every row of int64 or float64 columns, continuing from the state, which moves on."""
        out = tuple(np.empty(len(columns[0])) for _ in self.outputs)
        self.fill(f, i, *columns, out if len(out) > 1 else out[0])
        return out

    def stream(self, *, in_rupees: bool = False, **parameters: object) -> "Stream":
        """Return the indicator bar by bar; prices are `Px` unless `in_rupees`."""
        return Stream(self, 1.0 if in_rupees else float(RUPEE), parameters)

    def arrays(self, *columns: ArrayLike, **parameters: object) -> tuple[FloatArray, ...]:
        """Return the outputs over whole columns, each float64 of the columns' length.

        int64 price columns count 1e-4 rupee, float64 ones are taken as they are.

        Raises
        ------
        UsageError
            A parameter out of range, or columns of unequal length, of mixed units or not numeric.
        """
        values = self.values(parameters)
        memo = memo_in_place()
        key = None if memo is None else memo.key(self.kernel, values, columns)
        if memo is None or key is None:
            return self._computed(values, columns)
        return memo.find(key) or memo.keep(key, self._computed(values, columns))

    def _computed(self, values: tuple[int | float, ...], columns: tuple[ArrayLike, ...]) -> tuple[FloatArray, ...]:
        ready, scale = self._columns(columns)
        f, i = self._function("init")(scale, *values)
        return self.fold(f, i, *ready)

    def _function(self, suffix: str) -> Callable[..., Any]:
        module, _, name = self.kernel.partition(":")
        function: Callable[..., Any] = getattr(import_module(module), f"{name}_{suffix}")
        return function

    def _columns(self, columns: tuple[ArrayLike, ...]) -> tuple[list[NDArray[Any]], float]:
        if len(columns) != len(self.inputs):
            raise UsageError(f"{self.name}: expected {', '.join(self.inputs)}, was {len(columns)} columns")
        arrays = [_column(column, f"{self.name}: {name}") for name, column in zip(self.inputs, columns, strict=True)]
        if len({len(array) for array in arrays}) > 1:
            lengths = ", ".join(f"{name} {len(array)}" for name, array in zip(self.inputs, arrays, strict=True))
            raise UsageError(f"{self.name}: columns must be of equal length, were {lengths}")
        kinds = {array.dtype for name, array in zip(self.inputs, arrays, strict=True) if name in PRICES}
        if len(kinds) > 1:
            raise UsageError(
                f"{self.name}: price columns are partly int64, partly float64",
                hint="Give them all in 1e-4 rupee (int64) or all in rupees (float64).",
            )
        return [np.ascontiguousarray(array) for array in arrays], float(RUPEE) if np.dtype(np.int64) in kinds else 1.0


class Asked(NamedTuple):
    """An indicator over certain columns: int64 or float64, contiguous; `scale` is the units of a price in one rupee."""

    indicator: Indicator
    columns: tuple[NDArray[Any], ...]
    scale: float
    parameters: dict[str, int | float]


class Stream:
    """An indicator bar by bar, equal to the array form to the last bit.

    `value` is the latest value: a float, or a tuple in the order of `outputs`; NaN during warm-up and before any bar.
    """

    def __init__(self, indicator: Indicator, scale: float, parameters: Mapping[str, object]) -> None:
        self.indicator = indicator
        self.state = indicator.init(scale, **parameters)
        self._update = indicator.update
        nothing = (float("nan"),) * len(indicator.outputs)
        self.value: float | tuple[float, ...] = nothing if len(nothing) > 1 else nothing[0]

    def update(self, *inputs: float) -> float | tuple[float, ...]:
        """Take one bar's inputs in the order of `indicator.inputs` and return the new value."""
        self.value = self._update(*self.state, *map(float, inputs))
        return self.value


def _column(column: ArrayLike, what: str) -> NDArray[Any]:
    array = np.asarray(column)
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise UsageError(f"{what} must be one column of numbers, was {array.dtype} of shape {array.shape}")
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64, copy=False)
