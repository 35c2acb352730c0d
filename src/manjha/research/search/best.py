"""What the best of a search's own rows is worth, before anything else is asked: deflated by how many were tried."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from manjha.domain.trials import ReturnMoments
from manjha.research.metrics.daily import Floats
from manjha.research.overfit import (
    Evidence,
    Plateau,
    TrackRecord,
    Verdict,
    annualised,
    deflated_sharpe,
    expected_maximum_sharpe,
    plateau,
    verdict,
)
from manjha.research.search.summary import from_pico
from manjha.research.search.trial_table import SHARE, is_grid, numbers_of

YEAR = 252.0


class Best(msgspec.Struct, frozen=True):
    """The best row judged. Ratios are a year's; what is not defined is NaN.

    `expected_maximum` is what the best of as many trials without skill shows, `deflated` the probability of being
    above it. `edges` are parameters whose range ends there.
    """

    sharpe: float
    expected_maximum: float
    deflated: float
    plateau: Plateau | None
    edges: tuple[str, ...]
    verdict: Verdict


def judge_best(
    points: Sequence[Mapping[str, Any]],
    goodness: Floats,
    moments: Sequence[ReturnMoments],
    chosen: int,
    sharpes: Sequence[int | None],
) -> Best:
    """Judge one of the rows of a search.

    Parameters
    ----------
    points, goodness, moments
        Of each row: parameters, a number of which more is better (NaN where it is not defined), moments of returns.
    chosen
        The row that is judged.
    sharpes
        Of each variant that was ever tried on the data, these rows among them, in 1e-12: how many there are, and how
        much they differ. A search among a few that are alike would else say that there is no luck in its best.
    """
    trials = len(sharpes)
    # As in the ledger's table: a trial without trades earned and risked nothing, and was a trial.
    known = np.nan_to_num([from_pico(one) for one in sharpes])
    variance = float(np.var(known, ddof=1)) if trials > 1 else 0.0
    mine = moments[chosen]
    record = TrackRecord(mine.count, from_pico(mine.sharpe), from_pico(mine.skewness), from_pico(mine.kurtosis))
    place = 1 + int((known > record.sharpe).sum())
    deflated = deflated_sharpe(record, variance=variance, trials=trials)
    names, numbers = numbers_of(points)
    around = None
    if names and math.isfinite(goodness[chosen]):
        around = plateau(numbers, goodness, chosen, radius=None if is_grid(numbers) else SHARE)
    ends = [names[at] for at in around.edges] if around is not None else []
    score = around.score if around is not None else math.nan
    return Best(
        sharpe=annualised(record.sharpe, YEAR),
        expected_maximum=annualised(expected_maximum_sharpe(variance, trials), YEAR),
        deflated=deflated,
        plateau=around,
        edges=tuple(name for name in ends if not isinstance(points[chosen][name], bool | str)),
        verdict=verdict(Evidence(trials=trials, place=place, deflated=deflated, plateau=score)),
    )
