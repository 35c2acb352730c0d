"""The kinds of what a rule is made of. A price meets prices only, an oscillator only levels of its own scale."""

from zlib import crc32


class Kind(type):
    """The class of kinds. DEAP asks whether one kind is a subclass of another, and keeps kinds in sets.

    A class is else hashed by its address, and the order of a set, with it the course of a search, would change from run
    to run. So a kind is hashed by its name.
    """

    def __hash__(cls) -> int:
        return crc32(cls.__name__.encode())


class Rule(metaclass=Kind):
    """A whole strategy: when to enter, when to leave, and what protects."""


class Condition(metaclass=Kind):
    """True or false at a bar's close."""


class Price(metaclass=Kind):
    """Rupees: a column, an average, a band."""


class Column(Price):
    """A column of the bars: what indicators are computed of."""


class Distance(metaclass=Kind):
    """A difference of prices, above or below zero."""


class Range(metaclass=Kind):
    """How far prices move: a distance that is never negative."""


class Volatility(metaclass=Kind):
    """Deviation of returns."""


class Percent(metaclass=Kind):
    """An oscillator from 0 to 100 that is mostly around 50."""


class Strength(metaclass=Kind):
    """An oscillator from 0 to 100 that is mostly below 50: the lines of ADX."""


class Williams(metaclass=Kind):
    """An oscillator from −100 to 0."""


class Deviations(metaclass=Kind):
    """A number of deviations from the mean."""


class Commodity(metaclass=Kind):
    """The scale of CCI: mostly within ±200."""


class Change(metaclass=Kind):
    """A change in per cent."""


class Amount(metaclass=Kind):
    """Traded units."""


class Flow(metaclass=Kind):
    """A running sum that means something by its course only."""


class PercentLevel(metaclass=Kind):
    """A level of `Percent`."""


class StrengthLevel(metaclass=Kind):
    """A level of `Strength`."""


class WilliamsLevel(metaclass=Kind):
    """A level of `Williams`."""


class DeviationsLevel(metaclass=Kind):
    """A level of `Deviations`."""


class CommodityLevel(metaclass=Kind):
    """A level of `Commodity`."""


class ChangeLevel(metaclass=Kind):
    """A level of `Change`."""


class Length(metaclass=Kind):
    """Bars of an indicator."""


class Width(metaclass=Kind):
    """How many deviations or ranges a band is away."""


class Shift(metaclass=Kind):
    """How many bars ago."""


class Multiple(metaclass=Kind):
    """A positive factor."""


class Clock(metaclass=Kind):
    """Minutes since midnight IST."""


class Stop(metaclass=Kind):
    """Distance of a stop in ATR, or none."""


class Target(metaclass=Kind):
    """Distance of a target in ATR, or none."""


SCALES: dict[str, tuple[Kind, Kind]] = {
    "percent": (Percent, PercentLevel),
    "strength": (Strength, StrengthLevel),
    "williams": (Williams, WilliamsLevel),
    "deviations": (Deviations, DeviationsLevel),
    "commodity": (Commodity, CommodityLevel),
    "change": (Change, ChangeLevel),
}
"""Oscillators and the levels that they are compared with."""
LENGTHS = (2, 3, 5, 8, 10, 14, 20, 30, 50, 75, 100, 150, 200)
CONSTANTS: dict[Kind, tuple[int | float, ...]] = {
    PercentLevel: tuple(range(5, 100, 5)),
    StrengthLevel: tuple(range(10, 55, 5)),
    WilliamsLevel: tuple(range(-95, 0, 5)),
    DeviationsLevel: tuple(number / 4 for number in range(-12, 13)),
    CommodityLevel: tuple(range(-250, 275, 25)),
    ChangeLevel: tuple(number / 2 for number in range(-20, 21)),
    Length: LENGTHS,
    Width: (1.0, 1.5, 2.0, 2.5, 3.0),
    Shift: (1, 2, 3, 5, 10),
    Multiple: (0.5, 1.0, 1.5, 2.0, 3.0),
    Clock: tuple(range(9 * 60 + 30, 15 * 60 + 30, 15)),
    Stop: (1.0, 1.5, 2.0, 3.0, 4.0),
    Target: (1.0, 1.5, 2.0, 3.0, 4.0, 6.0),
}
"""What a constant of each kind may be."""
SPREADS: dict[Kind, tuple[float, float, float]] = {
    PercentLevel: (0, 100, 5),
    StrengthLevel: (5, 60, 5),
    WilliamsLevel: (-100, 0, 5),
    DeviationsLevel: (-4, 4, 0.25),
    CommodityLevel: (-300, 300, 25),
    ChangeLevel: (-15, 15, 0.5),
    Length: (2, 200, 1),
    Width: (0.5, 4, 0.25),
    Shift: (1, 50, 1),
    Multiple: (0.25, 4, 0.25),
    Clock: (9 * 60 + 15, 15 * 60 + 30, 15),
    Stop: (0.5, 8, 0.5),
    Target: (0.5, 12, 0.5),
}
"""From, to and step of the parameter that a constant becomes in a strategy file; every constant is on a step."""
