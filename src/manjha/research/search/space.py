"""What may be varied: dimensions from a strategy's parameters and a user's words."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from math import prod

import msgspec

from manjha.domain.errors import UsageError
from manjha.strategy.params import Param, Value, bind

VALUES_MAX = 100_000
"""Values of one dimension; more is a mistake in the step."""
DECLARED = "*"
"""The word for the range that the strategy declares."""


class Dimension(msgspec.Struct, frozen=True):
    """One parameter and what it may be. `values` are all of them, or none of a range without steps.

    `low`, `high`, `step` state a range of numbers, both ends included (`high` is on the step); None for a list.
    """

    name: str
    values: tuple[Value, ...] = ()
    low: float | None = None
    high: float | None = None
    step: float | None = None

    @property
    def is_continuous(self) -> bool:
        """Tell whether it has values beyond counting."""
        return not self.values

    @property
    def is_whole(self) -> bool:
        """Tell whether it counts in whole numbers."""
        return bool(self.values) and type(self.values[0]) is int


Point = dict[str, Value]
"""A value for each dimension, in the order of the dimensions."""


def parse_space(strategy: str, params: Mapping[str, Param], words: Mapping[str, str]) -> tuple[Dimension, ...]:
    """Read what a user wants varied: "5:50:5" (both ends included), "20,50,100", "0.5:2" (any number), "*", "7".

    A range without a step counts by the parameter's own step, whole numbers by one. "*" is the declared range.

    Raises
    ------
    UsageError
        Nothing to vary, an unknown parameter, an empty or endless range, a value that the parameter does not take.
    """
    if set(words) - set(params):
        bind(params, dict.fromkeys(words), strategy)
    if not words:
        known = "; ".join(f"{p.name} ({_range_of(p)})" for p in params.values())
        raise UsageError(
            f"there is nothing to vary: no parameter of {strategy} was given a range",
            hint=f"Give -p name=low:high:step or -p name=a,b,c. It has: {known or 'none'}.",
        )
    return tuple(_dimension(strategy, params[name], text.strip()) for name, text in words.items())


def size_of(dimensions: tuple[Dimension, ...]) -> int | None:
    """Return how many combinations there are; None where there is no end of them."""
    if any(one.is_continuous for one in dimensions):
        return None
    return prod(len(one.values) for one in dimensions)


def _dimension(strategy: str, param: Param, text: str) -> Dimension:
    if text == DECLARED:
        return _declared(strategy, param)
    if ":" in text and param.kind in (int, float):
        return _range(strategy, param, text)
    values = [param.check(word.strip(), strategy) for word in text.split(",") if word.strip()]
    if not values:
        raise UsageError(
            f"parameter {param.name} has no value to try in {text!r}", hint=f"Give -p {param.name}=5:50:5 or 5,10,20."
        )
    return Dimension(param.name, tuple(dict.fromkeys(values)))


def _declared(strategy: str, param: Param) -> Dimension:
    if param.kind is bool:
        return Dimension(param.name, (False, True))
    if param.choices:
        return Dimension(param.name, param.choices)
    if param.low is None or param.high is None:
        raise UsageError(
            f"{strategy} declares no range for {param.name}", hint=f"Give one: -p {param.name}=low:high:step."
        )
    return _range(strategy, param, f"{param.low:g}:{param.high:g}")


def _range(strategy: str, param: Param, text: str) -> Dimension:
    parts = text.split(":")
    try:
        numbers = [Decimal(part) for part in parts]
    except InvalidOperation:
        numbers = []
    if len(numbers) not in (2, 3) or not all(number.is_finite() for number in numbers):
        raise UsageError(
            f"parameter {param.name} expects low:high or low:high:step, was {text!r}",
            hint=f"For example -p {param.name}=5:50:5.",
        )
    low, high = numbers[:2]
    step = numbers[2] if len(numbers) == 3 else _own_step(param)
    if low > high:
        raise UsageError(f"the range {text} of {param.name} is empty", hint=f"Swap its ends: {high}:{low}.")
    if step is None:
        ends = [float(param.check(str(end), strategy)) for end in (low, high)]
        return Dimension(param.name, (), *ends)
    if step <= 0:
        raise UsageError(f"the step of {param.name} must be above zero, was {step}")
    count = int((high - low) / step) + 1
    if count > VALUES_MAX:
        raise UsageError(
            f"the range {text} of {param.name} has {count:,} values, at most {VALUES_MAX:,}", hint="Take a wider step."
        )
    values = tuple(param.check(str(low + step * index), strategy) for index in range(count))
    return Dimension(param.name, values, float(low), float(values[-1]), float(step))


def _own_step(param: Param) -> Decimal | None:
    if param.step is not None:
        return Decimal(str(param.step))
    return Decimal(1) if param.kind is int else None


def _range_of(param: Param) -> str:
    if param.choices:
        return ", ".join(param.choices)
    if param.low is None or param.high is None:
        return param.kind.__name__
    return f"{param.low:g} to {param.high:g}"
