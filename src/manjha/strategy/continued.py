"""Indicators that go on: from their state by one compiled update a bar, or asked anew where they have none."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.strategy import indicators
from manjha.strategy.indicators.entry import Indicator
from manjha.strategy.views import Floats, first_number, in_tuple


class Column:
    """A float64 column with room to spare; a larger array may take the place of `data`."""

    __slots__ = ("data",)

    def __init__(self, data: Floats) -> None:
        self.data = data


class Bars(Protocol):
    """The bars so far, as indicators take them."""

    def value(self, name: str, at: int) -> float:
        """Return one row of a column."""
        ...

    def input(self, name: str) -> NDArray[Any]:
        """Return a column so far."""
        ...


class Continued:
    """One indicator of a growing series. `out` are its values; `ready_row` is the first row with all, −1 before it."""

    def __init__(self, out: Sequence[Column], count: int) -> None:
        self.out = out
        firsts = [first_number(each.data[:count]) for each in out]
        self._known = [first < count for first in firsts]
        self.ready_row = max(firsts, default=0) if all(self._known) else -1

    def go_on(self, bars: Bars, at: int) -> None:
        """Take the bar at a row, the next one."""
        values = self.next_values(bars, at)
        for column, value in zip(self.out, values, strict=True):
            column.data[at] = value
        if self.ready_row < 0:
            self._known = [known or value == value for known, value in zip(self._known, values, strict=True)]  # noqa: PLR0124 - NaN is unequal to itself
            if all(self._known):
                self.ready_row = at

    def next_values(self, bars: Bars, at: int) -> tuple[float, ...]:
        """Return the values at a row."""
        raise NotImplementedError


class _Folded(Continued):
    """An indicator of the registry: its state stands behind the last bar."""

    def __init__(
        self,
        indicator: Indicator,
        inputs: tuple[str, ...],
        params: dict[str, Any],
        columns: Sequence[NDArray[Any]],
        held: tuple[Sequence[Column], int],
    ) -> None:
        super().__init__(*held)
        self._inputs = inputs
        # The session's average takes moments and reckons in days.
        self._by_day = indicator.inputs[0] == "day"
        taken = list(columns)
        if self._by_day:
            taken[0] = (np.asarray(taken[0], dtype=np.int64) + IST_OFFSET_NS) // DAY_NS
        asked = indicator.of(*taken, **params)
        self._state = indicator.init(asked.scale, **asked.parameters)
        if held[1]:
            indicator.fold(*self._state, *asked.columns)
        self._update = indicator.update

    def next_values(self, bars: Bars, at: int) -> tuple[float, ...]:
        values = [bars.value(name, at) for name in self._inputs]
        if self._by_day:
            values[0] = float((int(bars.input(self._inputs[0])[at]) + IST_OFFSET_NS) // DAY_NS)
        made = self._update(*self._state, *values)
        return made if isinstance(made, tuple) else (made,)


class _Anew(Continued):
    """Any other function: asked over all bars so far, each time."""

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: tuple[str, ...],
        params: dict[str, Any],
        held: tuple[Sequence[Column], int],
    ) -> None:
        super().__init__(*held)
        self._ask = function
        self._inputs, self._params = inputs, params

    def next_values(self, bars: Bars, at: int) -> tuple[float, ...]:
        out = self._ask(*[bars.input(name) for name in self._inputs], **self._params)
        return tuple(float(np.asarray(each)[at]) for each in in_tuple(out))


def is_registered(function: Callable[..., Any]) -> bool:
    """Tell whether a function is the array form of an indicator of the registry."""
    name = getattr(function, "__name__", "")
    return name in indicators.INDICATORS and getattr(indicators, name, None) is function


def continued(
    function: Callable[..., Any],
    inputs: tuple[str, ...],
    params: dict[str, Any],
    columns: Sequence[NDArray[Any]],
    held: tuple[Sequence[Column], int],
) -> Continued:
    """Return an indicator that stands behind the bars of `columns`; `held` are its values so far and their number."""
    if is_registered(function):
        return _Folded(indicators.INDICATORS[function.__name__], inputs, params, columns, held)
    return _Anew(function, inputs, params, held)
