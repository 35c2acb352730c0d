"""The strategy contract: one class that runs the same in backtest, paper and live.

A strategy declares parameters, makes its indicators in `init`, and then either acts in `on_bar` or states in `targets`
what it wants to hold. It never places an order on the exchange itself: it asks, and the engine sizes, checks and sends.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from manjha.domain.bars import Interval, format_interval
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import TradingDay
from manjha.domain.orders import Fill, Product
from manjha.domain.sizing import TargetUnit
from manjha.strategy.context import Context
from manjha.strategy.entries import Entries
from manjha.strategy.params import Param, Value, bind, collect
from manjha.strategy.terms import member
from manjha.strategy.turns import Changes
from manjha.strategy.views import Floats


class History(Protocol):
    """Whole columns for `targets`: float64 of shape (bars, instruments), oldest first, NaN before a first bar.

    Prices in rupees, continued over splits; volume in units. `ts_ns` and `day` have shape (bars,). What stands at row
    `i` was known when bar `i` closed; a target at row `i` may use rows up to and including `i`, never later ones.
    """

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The columns, in order."""
        ...

    @property
    def ts_ns(self) -> NDArray[np.int64]:
        """When each bar closed."""
        ...

    @property
    def day(self) -> NDArray[np.int64]:
        """The trading day of each bar."""
        ...

    def column(self, field: str) -> NDArray[np.float64]:
        """Return open, high, low, close, volume or oi of every instrument; copy it to write to it."""
        ...

    def at(self, field: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return some rows of a column; where they are few, the rest of it need not be made."""
        ...


class Strategy:
    """Base of every strategy. Subclass it, declare `param(...)`s, and write `on_bar` or `targets`.

    Class attributes
    ----------------
    product
        What positions are held as; MIS is squared off by the end of the day.
    unit
        What the numbers of `targets` mean.
    instruments_min, instruments_max
        How many instruments it needs and takes; 0 means any number.
    needs_volume
        Whether it computes with traded volume; refused on instruments that have none (an index).
    chosen_from
        The name under which the trials are recorded that this strategy was chosen from; they count with its own.
    changeable
        Parameters that `init` does not read, so that they may be changed while the strategy runs. One that states
        `targets` or `entries` and has no `init` takes changes of all of them without naming any.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    product: ClassVar[Product] = Product.CNC
    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT
    instruments_min: ClassVar[int] = 1
    instruments_max: ClassVar[int] = 1
    needs_volume: ClassVar[bool] = False
    chosen_from: ClassVar[str] = ""
    changeable: ClassVar[tuple[str, ...]] = ()
    params: ClassVar[dict[str, Param]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = _kebab(cls.__name__)
        if "title" not in vars(cls):
            cls.title = (cls.__doc__ or cls.__name__).strip().splitlines()[0]
        if not isinstance(cls.chosen_from, str):
            raise UsageError(
                f"chosen_from of {cls.name} must be the name of a strategy, was {cls.chosen_from!r}",
                hint='Write a name like "evolved", or leave it out where the strategy was not chosen by a search.',
            )
        cls.params = collect(cls)
        unknown = [name for name in cls.changeable if name not in cls.params]
        if unknown:
            raise UsageError(
                f"changeable of {cls.name} names {', '.join(unknown)}, expected parameters of it",
                hint=f"It has: {', '.join(cls.params) or 'none'}.",
            )
        cls.product = member(Product, cls.product, f"product of {cls.name}")
        cls.unit = member(TargetUnit, cls.unit, f"unit of {cls.name}")

    def __init__(self, **given: object) -> None:
        values = bind(self.params, given, self.name)
        for name, value in values.items():
            setattr(self, name, value)
        self.check_params()

    @property
    def values(self) -> dict[str, Value]:
        """The value of each parameter."""
        return {name: getattr(self, name) for name in self.params}

    def check_params(self) -> None:
        """Refuse combinations that make no sense by raising `UsageError`; called once when the strategy is made."""

    def init(self, ctx: Context) -> None:
        """Make indicators and set timers. Called once, before the first bar; nothing is visible yet."""

    def on_bar(self, ctx: Context) -> None:
        """Act on the bars that closed at this moment; called once a moment, whatever the number of instruments."""

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        """Act on one of our fills. The position is already changed."""

    def on_timer(self, ctx: Context, key: str) -> None:
        """Act on a timer set by `ctx.set_timer`."""

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        """Act on the opening of a trading day, before its first bar."""

    def targets(self, history: History) -> Floats | Changes:
        """Return what to hold: float64 of shape (bars, instruments) in `unit`; NaN means no change. Or only `Changes`.

        Must be causal: row `i` from rows up to `i`. The engine calls it once in a backtest and wakes only where a row
        holds a number; live it is called on the history so far and the last row counts.
        """
        raise NotImplementedError(f"{self.name} acts in on_bar")

    def entries(self, history: History) -> Entries:
        """Return when to enter, with which exits, and when to leave; see `Entries`. Causal like `targets`."""
        raise NotImplementedError(f"{self.name} states no entries")

    def history_needed(self) -> int:
        """Return how many bars `targets` or `entries` needs before it can say anything; 0 when any number will do.

        Indicators made with `ctx.indicator` are counted without it.
        """
        return 0

    def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Sequence[Instrument]:
        """Return in which of the instruments listed on a day positions may be opened. All by default.

        Called when each session opens, once before the first bar; `listed` have not expired and have data by that day.
        What leaves the universe is not sold by that: closing is always allowed, opening is refused by name.
        """
        del day
        return listed


def is_target_strategy(strategy: Strategy) -> bool:
    """Tell whether the strategy states targets instead of acting in `on_bar`."""
    return type(strategy).targets is not Strategy.targets


def is_entry_strategy(strategy: Strategy) -> bool:
    """Tell whether the strategy states entries and exits instead of acting in `on_bar`."""
    return type(strategy).entries is not Strategy.entries


def overrides(strategy: Strategy, method: str) -> bool:
    """Tell whether the strategy wrote this method itself, so that the engine need not call an empty one."""
    return getattr(type(strategy), method) is not getattr(Strategy, method)


def require_instruments(strategy: Strategy, count: int) -> None:
    """Raise `UsageError` when the strategy cannot run on this many instruments."""
    low, high = strategy.instruments_min, strategy.instruments_max
    if count < low or (high and count > high):
        wanted = f"{low}" if low == high else (f"{low} to {high}" if high else f"at least {low}")
        plural = "" if wanted == "1" else "s"
        raise UsageError(
            f"strategy {strategy.name} needs {wanted} instrument{plural}, was given {count}",
            hint="Repeat --instrument." if count < low else "Run it on each by itself, or choose another strategy.",
        )


def require_bars(strategy: Strategy, ctx: Context, longest: Interval) -> None:
    """Raise `UsageError` when the run's bars are longer than the strategy can decide on; for use in `init`."""
    if ctx.interval > longest:
        raise UsageError(
            f"strategy {strategy.name} needs bars of at most {format_interval(longest)}, was given "
            f"{format_interval(ctx.interval)}",
            hint="It decides within the day: give a shorter interval, like -i 5m.",
        )


def _kebab(name: str) -> str:
    parts = ["-" + letter.lower() if letter.isupper() else letter for letter in name]
    return "".join(parts).lstrip("-")


__all__ = [
    "Changes", "Entries", "Floats", "History", "Strategy", "is_entry_strategy", "is_target_strategy", "overrides",
    "require_bars", "require_instruments",
]  # fmt: skip
