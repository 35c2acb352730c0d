"""How much of a result is luck: pure functions over returns of trials, each with its source and a seed."""

from manjha.research.overfit.cscv import Overfitting, backtest_overfitting
from manjha.research.overfit.deflated import (
    Independence,
    average_correlation,
    deflated_sharpe,
    effective_trials,
    expected_maximum_sharpe,
    minimum_backtest_years,
)
from manjha.research.overfit.plateau import Plateau, plateau
from manjha.research.overfit.resampling import block_length, stationary_rows
from manjha.research.overfit.sharpe import (
    TrackRecord,
    annualised,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_of_columns,
    track_record,
)
from manjha.research.overfit.superiority import Superiority, superiority

__all__ = [
    "Independence",
    "Overfitting",
    "Plateau",
    "Superiority",
    "TrackRecord",
    "annualised",
    "average_correlation",
    "backtest_overfitting",
    "block_length",
    "deflated_sharpe",
    "effective_trials",
    "expected_maximum_sharpe",
    "minimum_backtest_years",
    "minimum_track_record",
    "plateau",
    "probabilistic_sharpe",
    "sharpe_of_columns",
    "stationary_rows",
    "superiority",
    "track_record",
]
