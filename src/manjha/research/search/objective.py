"""What makes one result better than another: a metric and a direction."""

import difflib
import math
from collections.abc import Sequence

import msgspec

from manjha.domain.errors import UsageError
from manjha.research.metrics.metric import Metric, Unit
from manjha.research.metrics.registry import METRICS

LESS_IS_BETTER = frozenset(
    {
        *("volatility", "downside_deviation", "ulcer_index", "tracking_error", "risk_of_ruin", "p_value"),
        *("drawdown_days", "recovery_days", "average_drawdown_days", "longest_underwater", "drawdowns"),
        *("turnover", "max_gross", "max_leverage", "peak_margin", "exposure_time", "losses", "loss_streak"),
        *("charges_share", "charges_bps", "slippage", "slippage_bps", "tax_estimate", "refusals", "refusals_margin"),
    }
)
"""Metrics of which less is better, beside everything that begins with "charges". Losses and falls are negative numbers,
of which more is better."""
_METRICS = {metric.name: metric for metric in METRICS if metric.unit is not Unit.MOMENT}


class Objective(msgspec.Struct, frozen=True):
    """One metric and whether more of it is better."""

    name: str
    more_is_better: bool

    @property
    def metric(self) -> Metric:
        """The metric."""
        return _METRICS[self.name]

    @property
    def direction(self) -> str:
        """The direction in a word."""
        return "maximize" if self.more_is_better else "minimize"

    def loss(self, value: float) -> float:
        """Return a number of which less is better; infinity where the value is not defined."""
        if math.isnan(value):
            return math.inf
        return -value if self.more_is_better else value


def parse_objective(text: str) -> Objective:
    """Read "sharpe", "max:trades" or "min:volatility". Raises `UsageError` with a "did you mean"."""
    direction, _, name = text.rpartition(":")
    name = name.strip().lower().replace("-", "_")
    if name not in _METRICS or direction not in ("", "min", "max"):
        close = difflib.get_close_matches(name, _METRICS, n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise UsageError(
            f"unknown objective {text!r}",
            hint=f"{hint}It is a metric of docs/metrics.md, like sharpe or min:volatility.",
        )
    less = direction == "min" or (not direction and (name in LESS_IS_BETTER or name.startswith("charges")))
    return Objective(name, not less)


def dominates(one: Sequence[float], other: Sequence[float], objectives: Sequence[Objective]) -> bool:
    """Tell whether values are nowhere worse than others, and somewhere better."""
    pairs = [(objective.loss(a), objective.loss(b)) for objective, a, b in zip(objectives, one, other, strict=True)]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
