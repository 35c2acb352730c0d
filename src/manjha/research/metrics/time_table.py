"""The metrics of the account over time: return, period, benchmark, risk, drawdown, ratios."""

from manjha.research.metrics import dispersion, drawdown, growth, ratios, relative
from manjha.research.metrics.metric import C, D, M, N, P, Row, T

_BUY_AND_HOLD = (
    "Π(1 + b) − 1 over the benchmark's daily returns b: a backtest buys its first instrument with the whole capital at "
    "the first close, in whole units, free of charges. Fraction. NaN without a benchmark."
)

RETURN: tuple[Row, ...] = (
    ("initial", "Initial capital", M, "Capital at the start.", lambda s: s.initial),
    ("final", "Final equity", M, "Cash plus positions at the last close.", lambda s: s.final),
    ("net_profit", "Net profit", M, "Final equity − initial capital.", lambda s: s.final - s.initial),
    ("total_return", "Total return", P, growth.total_return, lambda s: growth.total_return(s.initial, s.final)),
    ("cagr", "CAGR", P, growth.cagr, lambda s: s.annual),
    ("exposure_time", "Exposure time", P, growth.exposure_time, lambda s: growth.exposure_time(s.gross)),
    ("turnover", "Turnover", N, growth.turnover, lambda s: growth.turnover(s.traded, s.daily.equity)),
    ("max_gross", "Largest gross exposure", M, growth.largest, lambda s: growth.largest(s.gross)),
    ("max_net", "Largest net exposure", M, growth.largest, lambda s: growth.largest(s.result.curve.net)),
    ("max_leverage", "Largest leverage", N, growth.max_leverage, lambda s: growth.max_leverage(s.gross, s.equity)),
    (
        "peak_margin",
        "Peak margin used",
        M,
        "Largest margin blocked at any moment of the run, as the engine counted it.",
        lambda s: s.result.peak_margin,
    ),
)

PERIOD: tuple[Row, ...] = (
    ("start", "First bar", T, "Close of the first bar of the curve.", lambda s: drawdown.moment(s.ts, 0)),
    (
        "end",
        "Last bar",
        T,
        "Close of the last bar of the curve.",
        lambda s: drawdown.moment(s.ts, len(s.result.curve) - 1),
    ),
    ("days", "Calendar days", C, "From the first to the last day, both included.", lambda s: s.days),
    ("trading_days", "Trading days", C, "Days on which the curve has a row.", lambda s: len(s.daily)),
    ("mtd", "Month to date", P, growth.month_to_date, lambda s: growth.month_to_date(s.day, s.returns)),
    ("three_months", "3 months", P, growth.trailing_months, lambda s: growth.trailing_months(s.day, s.returns, 3)),
    ("six_months", "6 months", P, growth.trailing_months, lambda s: growth.trailing_months(s.day, s.returns, 6)),
    ("ytd", "Year to date", P, growth.year_to_date, lambda s: growth.year_to_date(s.day, s.returns)),
    ("one_year", "1 year", P, growth.trailing_months, lambda s: growth.trailing_months(s.day, s.returns, 12)),
    (
        "three_years",
        "3 years a year",
        P,
        growth.annualised_trailing,
        lambda s: growth.annualised_trailing(s.day, s.returns, 3),
    ),
    (
        "five_years",
        "5 years a year",
        P,
        growth.annualised_trailing,
        lambda s: growth.annualised_trailing(s.day, s.returns, 5),
    ),
    ("best_day", "Best day", P, growth.best, lambda s: growth.best(s.returns)),
    ("worst_day", "Worst day", P, growth.worst, lambda s: growth.worst(s.returns)),
    ("best_month", "Best month", P, growth.best, lambda s: growth.best(s.months)),
    ("worst_month", "Worst month", P, growth.worst, lambda s: growth.worst(s.months)),
    ("best_year", "Best year", P, growth.best, lambda s: growth.best(s.years)),
    ("worst_year", "Worst year", P, growth.worst, lambda s: growth.worst(s.years)),
    ("mean_day", "Average day", P, growth.mean_return, lambda s: growth.mean_return(s.returns)),
    ("mean_month", "Average month", P, growth.mean_return, lambda s: growth.mean_return(s.months)),
    ("positive_days", "Positive days", P, growth.positive_share, lambda s: growth.positive_share(s.returns)),
    ("positive_months", "Positive months", P, growth.positive_share, lambda s: growth.positive_share(s.months)),
)

BENCHMARK: tuple[Row, ...] = (
    ("buy_and_hold", "Buy and hold", P, _BUY_AND_HOLD, lambda s: growth.compound(s.benchmark)),
    ("alpha", "Alpha", P, relative.alpha, lambda s: relative.alpha(s.returns, s.benchmark, s.daily_rate, s.year)),
    ("beta", "Beta", N, relative.beta, lambda s: relative.beta(s.returns, s.benchmark)),
    (
        "correlation",
        "Correlation",
        N,
        relative.benchmark_correlation,
        lambda s: relative.benchmark_correlation(s.returns, s.benchmark),
    ),
    ("r_squared", "R²", N, relative.r_squared, lambda s: relative.r_squared(s.returns, s.benchmark)),
    (
        "tracking_error",
        "Tracking error",
        P,
        relative.tracking_error,
        lambda s: relative.tracking_error(s.returns, s.benchmark, s.year),
    ),
    (
        "information_ratio",
        "Information ratio",
        N,
        relative.information_ratio,
        lambda s: relative.information_ratio(s.returns, s.benchmark, s.year),
    ),
    (
        "treynor",
        "Treynor ratio",
        N,
        relative.treynor,
        lambda s: relative.treynor(s.annual, s.rate, relative.beta(s.returns, s.benchmark)),
    ),
    ("up_capture", "Up capture", P, relative.up_capture, lambda s: relative.up_capture(s.returns, s.benchmark)),
    ("down_capture", "Down capture", P, relative.down_capture, lambda s: relative.down_capture(s.returns, s.benchmark)),
)

RISK: tuple[Row, ...] = (
    ("volatility", "Volatility", P, dispersion.volatility, lambda s: dispersion.volatility(s.returns, s.year)),
    (
        "downside_deviation",
        "Downside deviation",
        P,
        dispersion.downside_deviation,
        lambda s: dispersion.downside_deviation(s.returns, s.daily_rate, s.year),
    ),
    ("var_95", "Daily VaR 95 %", P, dispersion.value_at_risk, lambda s: dispersion.value_at_risk(s.returns, 0.95)),
    ("var_99", "Daily VaR 99 %", P, dispersion.value_at_risk, lambda s: dispersion.value_at_risk(s.returns, 0.99)),
    (
        "cvar_95",
        "Daily CVaR 95 %",
        P,
        dispersion.expected_shortfall,
        lambda s: dispersion.expected_shortfall(s.returns, 0.95),
    ),
    (
        "cvar_99",
        "Daily CVaR 99 %",
        P,
        dispersion.expected_shortfall,
        lambda s: dispersion.expected_shortfall(s.returns, 0.99),
    ),
    ("skew", "Skewness", N, dispersion.skewness, lambda s: dispersion.skewness(s.returns)),
    ("kurtosis", "Excess kurtosis", N, dispersion.excess_kurtosis, lambda s: dispersion.excess_kurtosis(s.returns)),
    ("tail_ratio", "Tail ratio", N, dispersion.tail_ratio, lambda s: dispersion.tail_ratio(s.returns)),
    ("risk_of_ruin", "Risk of ruin", P, dispersion.risk_of_ruin, lambda s: dispersion.risk_of_ruin(s.net, s.initial)),
)

DRAWDOWN: tuple[Row, ...] = (
    ("max_drawdown", "Maximum drawdown", P, drawdown.max_drawdown, lambda s: s.max_drawdown),
    (
        "max_drawdown_cash",
        "Maximum drawdown in rupees",
        M,
        drawdown.max_drawdown_cash,
        lambda s: drawdown.max_drawdown_cash(s.initial, s.equity),
    ),
    (
        "drawdown_start",
        "Deepest: peak",
        T,
        "Bar of the peak before the deepest fall (first bar: initial capital). NaN where equity never fell.",
        lambda s: drawdown.moment(s.ts, s.deepest.peak if s.deepest else None),
    ),
    (
        "drawdown_valley",
        "Deepest: lowest",
        T,
        "Bar at which the deepest fall ended. NaN where equity never fell.",
        lambda s: drawdown.moment(s.ts, s.deepest.valley if s.deepest else None),
    ),
    (
        "drawdown_end",
        "Deepest: recovered",
        T,
        "First bar at or above the peak again. NaN where it has not recovered or never fell.",
        lambda s: drawdown.moment(s.ts, s.deepest.recovery if s.deepest else None),
    ),
    ("drawdown_days", "Deepest: duration", D, drawdown.fall_days, lambda s: drawdown.fall_days(s.ts, s.deepest)),
    (
        "recovery_days",
        "Deepest: recovery",
        D,
        drawdown.recovery_days,
        lambda s: drawdown.recovery_days(s.ts, s.deepest),
    ),
    (
        "drawdowns",
        "Drawdowns",
        C,
        "Falls from a peak, bar by bar, the unfinished one included.",
        lambda s: len(s.falls),
    ),
    (
        "average_drawdown",
        "Average drawdown",
        P,
        drawdown.average_drawdown,
        lambda s: drawdown.average_drawdown(list(s.falls)),
    ),
    (
        "average_drawdown_days",
        "Average drawdown duration",
        D,
        drawdown.average_fall_days,
        lambda s: drawdown.average_fall_days(s.ts, list(s.falls)),
    ),
    (
        "longest_underwater",
        "Longest under water",
        D,
        drawdown.longest_underwater,
        lambda s: drawdown.longest_underwater(s.ts, list(s.falls)),
    ),
    ("ulcer_index", "Ulcer index", P, drawdown.ulcer_index, lambda s: s.ulcer),
)

RATIOS: tuple[Row, ...] = (
    ("sharpe", "Sharpe ratio", N, ratios.sharpe, lambda s: ratios.sharpe(s.returns, s.daily_rate, s.year)),
    (
        "smart_sharpe",
        "Smart Sharpe ratio",
        N,
        ratios.smart_sharpe,
        lambda s: ratios.smart_sharpe(s.returns, s.daily_rate, s.year),
    ),
    (
        "psr",
        "Probabilistic Sharpe ratio",
        P,
        ratios.probabilistic_sharpe,
        lambda s: ratios.probabilistic_sharpe(s.returns, s.daily_rate),
    ),
    ("sortino", "Sortino ratio", N, ratios.sortino, lambda s: ratios.sortino(s.returns, s.daily_rate, s.year)),
    ("calmar", "Calmar ratio", N, ratios.calmar, lambda s: ratios.calmar(s.annual, s.max_drawdown)),
    ("omega", "Omega ratio", N, ratios.omega, lambda s: ratios.omega(s.returns, s.daily_rate)),
    ("martin", "Martin ratio", N, ratios.martin, lambda s: ratios.martin(s.annual, s.rate, s.ulcer)),
    ("serenity", "Serenity index", N, ratios.serenity, lambda s: ratios.serenity(s.returns, s.below, s.ulcer, s.rate)),
    ("gain_to_pain", "Gain to pain", N, ratios.gain_to_pain, lambda s: ratios.gain_to_pain(s.returns)),
    (
        "recovery_factor",
        "Recovery factor",
        N,
        ratios.recovery_factor,
        lambda s: ratios.recovery_factor(s.final - s.initial, drawdown.max_drawdown_cash(s.initial, s.equity)),
    ),
    ("common_sense", "Common-sense ratio", N, ratios.common_sense, lambda s: ratios.common_sense(s.returns)),
    ("stability", "Stability", N, ratios.stability, lambda s: ratios.stability(s.returns)),
)
