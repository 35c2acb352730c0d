"""Which combinations are tried: the whole grid, or a Latin hypercube of it; always the same ones for the same seed."""

from collections.abc import Iterator
from itertools import product

import msgspec
import numpy as np

from manjha.domain.errors import UsageError
from manjha.research.search.constraints import Constraint
from manjha.research.search.space import Dimension, Point, size_of
from manjha.strategy.interface import Strategy
from manjha.strategy.params import Value

GRID_MAX = 200_000
"""Combinations of a grid, those that a condition leaves out included; each one tried is a row in memory, about 2 kB."""
SCOUTS = 100
"""Points of each hypercube that looks whether there is any combination at all."""
ROUNDS = 50
"""Hypercubes that are drawn to find as many combinations as asked for; what conditions leave may be little."""


class Candidates(msgspec.Struct, frozen=True):
    """What a search chooses from: a strategy, the dimensions, the conditions."""

    strategy: type[Strategy]
    dimensions: tuple[Dimension, ...]
    constraints: tuple[Constraint, ...] = ()

    def against(self, point: Point) -> str:
        """Return why a combination cannot be tried: the condition it does not meet, or the strategy's refusal."""
        values = {name: param.default for name, param in self.strategy.params.items()} | point
        for constraint in self.constraints:
            if not constraint.holds(values):
                return constraint.text
        try:
            self.strategy(**point)
        except UsageError as error:
            return error.message
        return ""


class Chosen(msgspec.Struct):
    """How a choice went, known once it is used up: how many were left out, and why the last of them."""

    left_out: int = 0
    why: str = ""


def grid(candidates: Candidates, chosen: Chosen) -> Iterator[Point]:
    """Yield every combination that can be tried; the last dimension turns fastest.

    Raises
    ------
    UsageError
        A dimension without steps, or too many combinations.
    """
    size = size_of(candidates.dimensions)
    if size is None:
        name = next(one.name for one in candidates.dimensions if one.is_continuous)
        raise UsageError(
            f"a grid needs a step for {name}", hint=f"Give -p {name}=low:high:step, or draw some: --sample lhs:500."
        )
    if size > GRID_MAX:
        raise UsageError(
            f"the grid has {size:,} combinations, at most {GRID_MAX:,}",
            hint="Draw some of them: --sample lhs:2000; or let `manjha optimize` look for the good ones.",
        )
    names = [one.name for one in candidates.dimensions]
    for values in product(*(one.values for one in candidates.dimensions)):
        point = dict(zip(names, values, strict=True))
        if _is_taken(candidates, point, chosen):
            yield point


def latin_hypercube(candidates: Candidates, count: int, seed: int, chosen: Chosen) -> list[Point]:
    """Return up to `count` distinct combinations, spread evenly over every dimension.

    One hypercube is drawn; what it holds twice or cannot be tried is made up for from further ones, until there are
    enough or `ROUNDS` found no more.
    """
    from scipy.stats import qmc

    sampler = qmc.LatinHypercube(len(candidates.dimensions), rng=np.random.default_rng(seed))
    found: dict[tuple[object, ...], Point] = {}
    refused: set[tuple[object, ...]] = set()
    for _ in range(ROUNDS):
        for row in sampler.random(count).tolist():
            point = {one.name: _at(one, share) for one, share in zip(candidates.dimensions, row, strict=True)}
            key = tuple(point.values())
            if key in found or key in refused:
                continue
            if _is_taken(candidates, point, chosen):
                found[key] = point
            else:
                refused.add(key)
            if len(found) == count:
                return list(found.values())
    return list(found.values())


def require_point(candidates: Candidates) -> None:
    """Raise `UsageError` where no combination can be tried, judged by the grid, or by a sample of what has no end."""
    chosen = Chosen()
    size = size_of(candidates.dimensions)
    if size is not None and size <= GRID_MAX:
        found = next(grid(candidates, chosen), None) is not None
    else:
        found = any(latin_hypercube(candidates, SCOUTS, 0, chosen))
    if not found:
        raise nothing_left(chosen)


def nothing_left(chosen: Chosen) -> UsageError:
    """Return the error of a search without a combination."""
    return UsageError(
        f"no combination can be tried: all {chosen.left_out:,} are ruled out, the last by: {chosen.why}",
        hint="Widen the ranges, or change the conditions.",
    )


def _is_taken(candidates: Candidates, point: Point, chosen: Chosen) -> bool:
    if why := candidates.against(point):
        chosen.left_out += 1
        chosen.why = why
    return not why


def _at(dimension: Dimension, share: float) -> Value:
    """Return the value at a share, from 0 up to 1, of a dimension."""
    if dimension.low is not None and dimension.high is not None and dimension.is_continuous:
        return dimension.low + share * (dimension.high - dimension.low)
    return dimension.values[int(share * len(dimension.values))]
