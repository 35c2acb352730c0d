"""One combination evaluated: a spec goes in, a row comes out, and nothing larger is kept.

`evaluate` is the one door between searches and whatever runs a backtest: the compiled kernel where it does the run,
else the event engine, and no search knows which.
"""

import math
import zlib

import msgspec
import numpy as np

from manjha.domain.money import Cash
from manjha.domain.trials import PICO, ReturnMoments, TrialOutcome, TrialStatus
from manjha.research.backtest import BacktestSpec
from manjha.research.metrics.daily import Floats
from manjha.research.metrics.dispersion import deviation, shape
from manjha.research.metrics.ratios import sharpe
from manjha.research.metrics.sample import Sample
from manjha.research.search.ground import Ground
from manjha.research.search.objective import Objective

_LIMIT = 2**63


class Asked(msgspec.Struct, frozen=True):
    """What is wanted of an evaluation: values of the objectives, and the daily returns or not."""

    objectives: tuple[Objective, ...] = ()
    with_returns: bool = False


class RefusedOrders(msgspec.Struct, frozen=True):
    """How many orders risk refused, and the commonest reason."""

    count: int = 0
    reason: str = ""


class Summary(msgspec.Struct, frozen=True):
    """What is kept of a run. `values` are those of the objectives, NaN where one is not defined.

    `refused` is looked up only where no trade was closed, to say why.
    """

    values: tuple[float, ...]
    outcome: TrialOutcome
    refused: RefusedOrders = RefusedOrders()


def evaluate(spec: BacktestSpec, asked: Asked, ground: Ground | None = None) -> Summary:
    """Run a spec and return its row; `ground` keeps what runs over the same bars share.

    Where trading is held back to a moment, the row is of the time from then on. Raises what `run_backtest` raises.
    """
    return summarise((ground or Ground(spec)).run(spec), asked)


def summarise(run: Sample, asked: Asked) -> Summary:
    """Return the row of a run."""
    returns = run.returns
    outcome = TrialOutcome(
        status=TrialStatus.OK,
        moments=moments_of(returns),
        final=Cash(run.final),
        total_return=pico(run.final / run.initial - 1.0),
        max_drawdown=pico(run.max_drawdown),
        trades=run.trades,
        returns=pack_returns(returns) if asked.with_returns else b"",
    )
    values = tuple(float(objective.metric.of(run)) for objective in asked.objectives)
    return Summary(values, outcome) if run.trades else Summary(values, outcome, _refused(run))


def _refused(run: Sample) -> RefusedOrders:
    reasons = run.refusals
    return RefusedOrders(reasons.total(), str(reasons.most_common(1)[0][0])) if reasons else RefusedOrders()


def moments_of(returns: Floats) -> ReturnMoments:
    """Return the moments of daily returns as the ledger keeps them."""
    skewness, excess = shape(returns)
    return ReturnMoments(
        count=len(returns),
        mean=pico(float(returns.mean())) if len(returns) else None,
        deviation=pico(deviation(returns)),
        skewness=pico(skewness),
        kurtosis=pico(excess + 3.0),
        sharpe=pico(sharpe(returns, 0.0, 1)),
    )


def pico(value: float) -> int | None:
    """Return a number in 1e-12, rounded; None where it is not defined or beyond what a database holds."""
    if not math.isfinite(value) or abs(value) * PICO >= _LIMIT:
        return None
    return round(value * PICO)


def from_pico(value: int | None) -> float:
    """Return a number of the ledger; NaN where it is not defined."""
    return math.nan if value is None else value / PICO


def pack_returns(returns: Floats) -> bytes:
    """Return daily returns in few bytes: 32-bit floats, deflated. Seven digits are kept."""
    # What repeats in them are zeros; to look for more takes twice as long and finds nothing.
    return zlib.compress(returns.astype("<f4").tobytes(), zlib.Z_BEST_SPEED)


def unpack_returns(packed: bytes) -> Floats:
    """Return daily returns of a ledger's row, shape (days,); empty where none were kept."""
    return np.frombuffer(zlib.decompress(packed), "<f4").astype(np.float64) if packed else np.empty(0)
