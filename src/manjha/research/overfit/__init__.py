"""How much of a result is luck: pure functions over returns of trials, each with its source and a seed."""

from manjha.research.overfit.benchmark import Against, against_benchmark
from manjha.research.overfit.candles import Candles, resample_candles
from manjha.research.overfit.cscv import Overfitting, backtest_overfitting
from manjha.research.overfit.deflated import (
    Independence,
    average_correlation,
    deflated_sharpe,
    effective_trials,
    expected_maximum_sharpe,
    minimum_backtest_years,
)
from manjha.research.overfit.judgement import Context, Judgement, JudgeOptions, judge
from manjha.research.overfit.monte_carlo import Fan, fan_of, resample_returns, shuffle_trades
from manjha.research.overfit.plateau import Plateau, plateau
from manjha.research.overfit.random_entries import RandomEntries, random_entries
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
from manjha.research.overfit.verdict import Evidence, Likelihood, Thresholds, Verdict, verdict

__all__ = [
    "Against",
    "Candles",
    "Context",
    "Evidence",
    "Fan",
    "Independence",
    "JudgeOptions",
    "Judgement",
    "Likelihood",
    "Overfitting",
    "Plateau",
    "RandomEntries",
    "Superiority",
    "Thresholds",
    "TrackRecord",
    "Verdict",
    "against_benchmark",
    "annualised",
    "average_correlation",
    "backtest_overfitting",
    "block_length",
    "deflated_sharpe",
    "effective_trials",
    "expected_maximum_sharpe",
    "fan_of",
    "judge",
    "minimum_backtest_years",
    "minimum_track_record",
    "plateau",
    "probabilistic_sharpe",
    "random_entries",
    "resample_candles",
    "resample_returns",
    "sharpe_of_columns",
    "shuffle_trades",
    "stationary_rows",
    "superiority",
    "track_record",
    "verdict",
]
