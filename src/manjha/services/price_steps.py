"""Unexplained steps: raw prices that jump overnight as only a split, a bonus or a mistake makes them jump."""

from collections.abc import Sequence
from typing import Protocol

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.bars import BarColumns, Interval
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TradingDay, day_of
from manjha.domain.money import Px
from manjha.ports.market_data import BarStore, CorporateActionSource, InstrumentSource
from manjha.services.reports import Step

LEAST = 1250
"""The smallest step that is said, larger over smaller price in 1/1000: 20 % down, or 25 % up."""

SMALLEST = 1000
"""What is no step at any ratio, in 1e-4 rupee: two ticks of five paise, which is much of a price of 20 paise."""

Series = tuple[Interval, InstrumentId]

_NEIGHBOUR_NS = 30 * DAY_NS
_LONGEST_NIGHT = 10
# Days between two bars: over the longest holidays, no more. Across a hole in the data any move can be real.
# What splits and bonuses make of a price, in 1/1000, and how far (1/100) a market moves in the same night.
_USUAL = {
    1250: "a bonus of 1 for 4",
    1333: "a bonus of 1 for 3",
    1500: "a bonus of 1 for 2",
    2000: "a split or bonus, 2 shares for 1",
    3000: "a bonus, 3 shares for 1",
    4000: "a split or bonus, 4 shares for 1",
    5000: "a split, 5 shares for 1",
    10_000: "a split, 10 shares for 1",
    20_000: "a split, 20 shares for 1",
    100_000: "a price in paise among rupees",
}
_NEAR = 6


class Span(Protocol):
    """Series that were changed, with their first and last changed bar."""

    first: dict[Series, int]
    last: dict[Series, int]


def find_steps(
    store: BarStore, instruments: InstrumentSource, actions: CorporateActionSource, changed: Span
) -> tuple[Step, ...]:
    """Return the steps in or next to what changed, by instrument and day; one a night, whichever bars show it."""
    found: dict[tuple[InstrumentId, TradingDay], Step] = {}
    for interval in sorted({interval for interval, _ in changed.first}, reverse=True):
        series = sorted(key for key in changed.first if key[0] == interval)
        start = min(changed.first[key] for key in series) - _NEIGHBOUR_NS
        end = max(changed.last[key] for key in series) + _NEIGHBOUR_NS
        for bars in store.read_many([name for _, name in series], interval, start, end, adjustment="raw"):
            jumps = [step for step in steps_of(bars, bars.instrument) if _concerns(step, bars, changed)]
            for step in unexplained(jumps, actions) if jumps else ():
                name = instruments.get(bars.instrument).display
                found.setdefault((step.instrument, step.day), _named(step, name))
    return tuple(found[key] for key in sorted(found))


def unexplained(steps: Sequence[Step], actions: CorporateActionSource) -> list[Step]:
    """Return the steps of one instrument that no known corporate action accounts for."""
    known = actions.actions(steps[0].instrument) if steps else ()
    return [step for step in steps if not _explained(step, known)]


def steps_of(bars: BarColumns, name: str) -> list[Step]:
    """Return each night in which a series steps by `LEAST` or more, whatever the reason."""
    import numpy as np

    if len(bars) < 2:
        return []
    before, after = np.asarray(bars.close)[:-1], np.asarray(bars.open)[1:]
    larger, smaller = np.maximum(before, after), np.minimum(before, after)
    nights = np.diff((np.asarray(bars.ts_open_ns) + IST_OFFSET_NS) // DAY_NS)
    steps = (larger * 1000 >= smaller * LEAST) & (larger - smaller > SMALLEST)
    steps &= (nights >= 1) & (nights <= _LONGEST_NIGHT)
    return [_step(bars, index + 1, name) for index in np.flatnonzero(steps).tolist()]


def _step(bars: BarColumns, index: int, name: str) -> Step:
    before, after = bars.close[index - 1], bars.open[index]
    ratio = max(before, after) * 1000 // max(min(before, after), 1)
    return Step(
        bars.instrument,
        name,
        day_of(bars.ts_open_ns[index]),
        Px(before),
        Px(after),
        ratio,
        _guess(ratio, fell=after < before),
    )


def _guess(ratio: int, *, fell: bool) -> str:
    for usual, what in _USUAL.items():
        if abs(ratio - usual) * 100 <= usual * _NEAR:
            return what if fell else f"{what}, undone (a consolidation, or adjusted and raw prices mixed)"
    return ""


def _named(step: Step, name: str) -> Step:
    return Step(step.instrument, name, step.day, step.close_before, step.open_after, step.ratio, step.guess)


def _concerns(step: Step, bars: BarColumns, changed: Span) -> bool:
    # A step belongs to an import if either of its days came with it; 30 days cover a suspension in between.
    key = (bars.interval, bars.instrument)
    first, last = day_of(changed.first[key]), day_of(changed.last[key])
    return first <= step.day <= last + _NEIGHBOUR_NS // DAY_NS


def _explained(step: Step, actions: Sequence[CorporateAction]) -> bool:
    """Tell whether known actions account for a step: effective that day, or in the week before it.

    Splits and bonuses tell how far the price steps; what else is no dividend may account for any step.
    """
    before, after = int(step.close_before), int(step.open_after)
    is_told = False
    for action in actions:
        if step.day - 7 < action.ex_day <= step.day and action.kind is not ActionKind.DIVIDEND:
            if action.kind not in _RATIOS:
                return True
            before, after, is_told = before * action.old_shares, after * action.new_shares, True
    return is_told and max(before, after) * 1000 < min(before, after) * LEAST


_RATIOS = (ActionKind.SPLIT, ActionKind.BONUS)
