"""The metrics of trading: trades, costs, orders."""

from manjha.domain.charges import LINES
from manjha.domain.commands import RefusalReason
from manjha.domain.orders import Phase, Side
from manjha.research.metrics import costs, growth, trading
from manjha.research.metrics.metric import B, C, H, M, N, P, Row

TRADES: tuple[Row, ...] = (
    ("trades", "Closed trades", C, "Closed round trips (see `round_trips`).", lambda s: s.trades),
    ("open_trades", "Open trades", C, "Round trips still open, marked to the last close.", lambda s: len(s.trips.open)),
    ("wins", "Wins", C, trading.wins, lambda s: trading.wins(s.closed)),
    ("draws", "Draws", C, trading.draws, lambda s: trading.draws(s.closed)),
    ("losses", "Losses", C, trading.losses, lambda s: trading.losses(s.closed)),
    ("win_rate", "Win rate", P, trading.win_rate, lambda s: trading.win_rate(s.closed)),
    ("long_trades", "Long trades", C, trading.of_side, lambda s: len(trading.of_side(s.closed, Side.BUY))),
    ("short_trades", "Short trades", C, trading.of_side, lambda s: len(trading.of_side(s.closed, Side.SELL))),
    (
        "win_rate_long",
        "Win rate, long",
        P,
        trading.win_rate,
        lambda s: trading.win_rate(trading.of_side(s.closed, Side.BUY)),
    ),
    (
        "win_rate_short",
        "Win rate, short",
        P,
        trading.win_rate,
        lambda s: trading.win_rate(trading.of_side(s.closed, Side.SELL)),
    ),
    ("expectancy", "Expectancy a trade", M, trading.average_net, lambda s: trading.average_net(s.closed)),
    ("average_return", "Average trade", P, trading.average_return, lambda s: trading.average_return(s.closed)),
    ("average_win", "Average win", M, trading.average_win, lambda s: trading.average_win(s.closed)),
    ("average_loss", "Average loss", M, trading.average_loss, lambda s: trading.average_loss(s.closed)),
    ("best_trade", "Best trade", M, growth.best, lambda s: growth.best(s.net)),
    ("worst_trade", "Worst trade", M, growth.worst, lambda s: growth.worst(s.net)),
    ("gross_profit", "Sum of wins", M, trading.gross_profit, lambda s: trading.gross_profit(s.closed)),
    ("gross_loss", "Sum of losses", M, trading.gross_loss, lambda s: trading.gross_loss(s.closed)),
    ("payoff", "Payoff ratio", N, trading.payoff, lambda s: trading.payoff(s.closed)),
    ("profit_factor", "Profit factor", N, trading.profit_factor, lambda s: trading.profit_factor(s.closed)),
    ("sqn", "System quality number", N, trading.system_quality, lambda s: trading.system_quality(s.net)),
    ("kelly", "Kelly stake", P, trading.kelly, lambda s: trading.kelly(s.closed)),
    ("p_value", "p-value of mean profit", N, trading.p_value, lambda s: trading.p_value(s.net)),
    (
        "win_streak",
        "Longest winning streak",
        C,
        trading.longest_streak,
        lambda s: trading.longest_streak(s.closed, lambda net: net > 0),
    ),
    (
        "loss_streak",
        "Longest losing streak",
        C,
        trading.longest_streak,
        lambda s: trading.longest_streak(s.closed, lambda net: net < 0),
    ),
    ("average_holding", "Average time held", H, trading.average_holding, lambda s: trading.average_holding(s.closed)),
    ("median_holding", "Median time held", H, trading.median_holding, lambda s: trading.median_holding(s.closed)),
    (
        "average_holding_win",
        "Average time held, wins",
        H,
        trading.average_holding,
        lambda s: trading.average_holding([trip for trip in s.closed if trip.net > 0]),
    ),
    (
        "average_holding_loss",
        "Average time held, losses",
        H,
        trading.average_holding,
        lambda s: trading.average_holding([trip for trip in s.closed if trip.net < 0]),
    ),
    ("average_bars", "Average bars held", N, trading.average_bars, lambda s: trading.average_bars(s.closed)),
    (
        "average_mae",
        "Average adverse excursion",
        M,
        trading.average_adverse,
        lambda s: trading.average_adverse(s.closed),
    ),
    (
        "average_mfe",
        "Average favourable excursion",
        M,
        trading.average_favourable,
        lambda s: trading.average_favourable(s.closed),
    ),
    ("end_drawdown", "Average end-trade drawdown", M, trading.end_drawdown, lambda s: trading.end_drawdown(s.closed)),
    (
        "trades_per_day",
        "Trades a trading day",
        N,
        trading.per_trading_day,
        lambda s: trading.per_trading_day(s.trades, len(s.daily)),
    ),
    (
        "trades_per_week",
        "Trades a week",
        N,
        "Closed trips ÷ trading days × 5. NaN without days.",
        lambda s: 5 * trading.per_trading_day(s.trades, len(s.daily)),
    ),
    (
        "trades_per_month",
        "Trades a month",
        N,
        "Closed trips ÷ trading days × 21. NaN without days.",
        lambda s: 21 * trading.per_trading_day(s.trades, len(s.daily)),
    ),
)


def _line(line: str) -> Row:
    title = {"stt": "STT / CTT", "ipft": "IPFT", "sebi": "SEBI fee", "gst": "GST", "dp": "DP fee"}
    return (
        f"charges_{line}",
        f"Charges: {title.get(line, line)}",
        M,
        f"Σ of the line `{line}` over all fills and contract notes.",
        lambda s: getattr(s.result.charges, line),
    )


COSTS: tuple[Row, ...] = (
    ("charges", "Charges", M, "Σ of all lines over all fills and contract notes.", lambda s: s.result.charges.total),
    *map(_line, LINES),
    (
        "charges_share",
        "Charges of gross profit",
        P,
        costs.charges_share,
        lambda s: costs.charges_share(s.result, s.trips),
    ),
    ("traded_value", "Value traded", M, "Σ price × quantity of all fills.", lambda s: s.traded),
    (
        "charges_bps",
        "Charges of value traded",
        B,
        costs.in_bps,
        lambda s: costs.in_bps(s.result.charges.total, s.traded),
    ),
    ("slippage", "Slippage", M, costs.slippage, lambda s: s.result.slippage),
    ("slippage_bps", "Slippage of value traded", B, costs.in_bps, lambda s: costs.in_bps(s.result.slippage, s.traded)),
    (
        "tax_estimate",
        "Income tax, estimated",
        M,
        costs.tax_total,
        lambda s: costs.tax_total(s.result, s.closed, s.options.slab),
    ),
)

ORDERS: tuple[Row, ...] = (
    ("orders", "Orders", C, "Orders that went to the exchange.", lambda s: len(s.result.orders)),
    ("orders_filled", "Filled", C, "Orders filled completely.", lambda s: costs.in_phase(s.result, Phase.FILLED)),
    (
        "orders_cancelled",
        "Cancelled",
        C,
        "Orders cancelled, swept or expired; part of them may have filled.",
        lambda s: costs.in_phase(s.result, Phase.CANCELLED),
    ),
    (
        "orders_rejected",
        "Rejected",
        C,
        "Orders that the exchange or broker rejected.",
        lambda s: costs.in_phase(s.result, Phase.REJECTED),
    ),
    (
        "refusals",
        "Refused by risk",
        C,
        "Orders that the risk gate refused; changes of orders are not counted.",
        lambda s: costs.refused(s.result),
    ),
    (
        "refusals_margin",
        "Refused for margin",
        C,
        "Of these, for want of funds.",
        lambda s: costs.refused(s.result, RefusalReason.MARGIN),
    ),
    ("fills", "Fills", C, "Trades at the exchange; an order may have several.", lambda s: len(s.result.fills)),
)
