"""Reward over risk, from daily returns. Numbers; annualised where said.

Where nothing was risked (no spread, no loss, no fall) a ratio is not defined and NaN, except that gains over losses are
+infinity when there were gains and no loss.
"""

import math

import numpy as np

from manjha.research.metrics.daily import Floats
from manjha.research.metrics.dispersion import (
    FLAT,
    deviation,
    downside_deviation,
    excess_kurtosis,
    skewness,
    tail_ratio,
)

NAN = math.nan


def sharpe(returns: Floats, daily_risk_free: float, year_days: int) -> float:
    """mean(r − rf) ÷ sample deviation(r − rf) × √(trading days of a year). NaN for fewer than two or equal returns."""
    spread = deviation(returns)
    if not spread > FLAT:
        return NAN
    return float(returns.mean() - daily_risk_free) / spread * math.sqrt(year_days)


def smart_sharpe(returns: Floats, daily_risk_free: float, year_days: int) -> float:
    """Sharpe ÷ √(1 + 2 Σₖ (n − k)/n × |ρ|^k), k = 1 … n − 1, ρ the correlation of each return with the one before.

    The penalty for returns that follow each other. NaN for fewer than three, or where ρ is not defined.
    """
    n = len(returns)
    if n < 3:
        return NAN
    rho = abs(correlation(returns[:-1], returns[1:]))
    k = np.arange(1, n)
    penalty = math.sqrt(1.0 + 2.0 * float(np.sum((n - k) / n * rho**k)))
    return sharpe(returns, daily_risk_free, year_days) / penalty


def sortino(returns: Floats, daily_risk_free: float, year_days: int) -> float:
    """mean(r − rf) × trading days of a year ÷ downside deviation a year. NaN where no return was below rf."""
    below = downside_deviation(returns, daily_risk_free, year_days)
    return float(returns.mean() - daily_risk_free) * year_days / below if below > FLAT else NAN


def calmar(annual: float, max_drawdown: float) -> float:
    """CAGR ÷ |maximum drawdown|. NaN where equity never fell or CAGR is not defined."""
    return annual / abs(max_drawdown) if max_drawdown else NAN


def omega(returns: Floats, daily_risk_free: float) -> float:
    """Σ max(r − rf, 0) ÷ Σ max(rf − r, 0), daily. NaN without gain or loss; +infinity without loss."""
    excess = returns - daily_risk_free
    return gain_over_loss(float(excess[excess > 0].sum()), float(-excess[excess < 0].sum()))


def martin(annual: float, risk_free: float, ulcer: float) -> float:
    """(CAGR − rf) ÷ ulcer index (ulcer performance index). NaN where equity never fell or CAGR is not defined."""
    return (annual - risk_free) / ulcer if ulcer > FLAT else NAN


def serenity(returns: Floats, below: Floats, ulcer: float, risk_free: float) -> float:
    """(Σr − rf) ÷ (ulcer index × pitfall); pitfall = |CVaR 95 % of daily underwater values| ÷ sample deviation(r).

    Σr is the plain sum over the run, rf the annual rate, as the index is usually given. NaN where equity never fell.
    """
    spread = deviation(returns)
    if not spread > FLAT or not ulcer > FLAT:
        return NAN
    worst = below[below <= np.quantile(below, 0.05) + FLAT]
    pitfall = abs(float(worst.mean())) / spread
    return (float(returns.sum()) - risk_free) / (ulcer * pitfall) if pitfall > FLAT else NAN


def gain_to_pain(returns: Floats) -> float:
    """Σr ÷ Σ|r < 0|, daily (Schwager). NaN without gain or loss; +infinity without loss."""
    pain = float(-returns[returns < 0].sum())
    return gain_over_loss(float(returns.sum()), pain)


def recovery_factor(net_profit: int, max_drawdown_cash: int) -> float:
    """Net profit ÷ |maximum drawdown in rupees|. NaN where equity never fell."""
    return net_profit / abs(max_drawdown_cash) if max_drawdown_cash else NAN


def common_sense(returns: Floats) -> float:
    """(Σ gains ÷ Σ losses of daily returns) × tail ratio. NaN where either is not defined."""
    gains, losses = float(returns[returns > 0].sum()), float(-returns[returns < 0].sum())
    return gain_over_loss(gains, losses) * tail_ratio(returns)


def probabilistic_sharpe(returns: Floats, daily_risk_free: float) -> float:
    """Φ(s√(n − 1) ÷ √(1 − γ₃s + (γ₄ − 1)s²/4)), the probability that the true Sharpe ratio is above 0.

    s is the daily Sharpe ratio, not annualised; γ₃ skewness, γ₄ kurtosis (3 for a normal distribution). Bailey and
    López de Prado, 2012. NaN for fewer than three or equal returns.
    """
    n = len(returns)
    daily = sharpe(returns, daily_risk_free, 1)
    if n < 3 or math.isnan(daily):
        return NAN
    variance = 1.0 - skewness(returns) * daily + (excess_kurtosis(returns) + 2.0) / 4.0 * daily**2
    if variance <= 0:
        return NAN
    return 0.5 * math.erfc(-daily * math.sqrt(n - 1) / math.sqrt(variance) / math.sqrt(2.0))


def stability(returns: Floats) -> float:
    """R² of a straight line through Σ ln(1 + r) over the days. 0 … 1. NaN for fewer than three, or a flat line."""
    if len(returns) < 3 or (returns <= -1.0).any():
        return NAN
    growth = np.cumsum(np.log1p(returns))
    return correlation(np.arange(len(growth), dtype=np.float64), growth) ** 2


def correlation(a: Floats, b: Floats) -> float:
    """Pearson's: Σ(a − ā)(b − b̄) ÷ √(Σ(a − ā)² Σ(b − b̄)²). −1 … 1. NaN where one does not vary."""
    if len(a) < 2:
        return NAN
    x, y = a - a.mean(), b - b.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / scale if scale > FLAT**2 else NAN


def rolling_sharpe(returns: Floats, window: int, year_days: int) -> Floats:
    """Sharpe ratio (rf = 0) of each day's last `window` returns; NaN before there are as many, or if they are equal."""
    result = np.full(len(returns), NAN)
    if len(returns) >= window > 1:
        views = np.lib.stride_tricks.sliding_window_view(returns, window)
        spread = views.std(axis=1, ddof=1)
        spread[spread <= FLAT] = NAN
        result[window - 1 :] = views.mean(axis=1) / spread * math.sqrt(year_days)
    return result


def gain_over_loss(gain: float, loss: float) -> float:
    """gain ÷ loss, both sums; +infinity for gain without loss; NaN for neither."""
    if loss > 0:
        return gain / loss
    return math.inf if gain > 0 else NAN
