"""Markets written down by hand: minutes or days of one share as rows of (open, high, low, close) in rupees."""

from collections.abc import Sequence

import numpy as np

from manjha.domain.bars import DAY, BarColumns, Interval
from manjha.domain.instrument import Asset, Exchange, Instrument, Kind, cash_id
from manjha.domain.moments import SECOND_NS, TradingDay, parse_day
from manjha.domain.money import RUPEE, Cash, Px, Qty
from manjha.domain.sizing import FixedQty
from manjha.market.calendar import trading_days
from manjha.market.sessions import session
from manjha.research.backtest import BacktestSpec
from manjha.research.result import BacktestResult
from manjha.strategy.interface import Strategy
from tests.fakes.market_rules import shipped_rules

Row = tuple[float, float, float, float]
Volume = int | Sequence[int]
"""Of each bar, or the same for all."""
FIRST_DAY = parse_day("2024-01-01")


def share_named(symbol: str = "ALPHA", tick: int = 500) -> Instrument:
    """Return a share without derivatives."""
    return Instrument(
        id=cash_id("NSE", symbol), symbol=symbol, exchange=Exchange.NSE, kind=Kind.EQUITY, asset=Asset.EQUITY,
        tick=Px(tick),
    )  # fmt: skip


def days(
    instrument: Instrument, rows: Sequence[Row], *, first: TradingDay = FIRST_DAY, volume: Volume = 10**6
) -> BarColumns:
    """Return one bar a trading day."""
    rules = shipped_rules()
    hours = [
        session(rules, instrument, day)
        for day in list(trading_days(rules, first, TradingDay(min(first + 3 * len(rows) + 10, rules.last))))
    ]
    stamps = [(held.open_ns, held.day_close_ns) for held in hours[: len(rows)]]
    return _columns(instrument, DAY, stamps, rows, volume)


def minutes(
    instrument: Instrument,
    rows: Sequence[Row],
    *,
    day: TradingDay = FIRST_DAY,
    length: int = 300,
    volume: Volume = 10**6,
    auction: bool = False,
) -> BarColumns:
    """Return bars of `length` seconds from the open of a day; rows go on into the next trading day.

    With `auction` each day has one more bar: the last five minutes of its closing auction.
    """
    rules = shipped_rules()
    stamps: list[tuple[int, int]] = []
    for each in trading_days(rules, day, TradingDay(min(day + 3 * len(rows) + 10, rules.last))):
        held = session(rules, instrument, each)
        opens = range(held.open_ns, held.close_ns, length * SECOND_NS)
        stamps += [(opened, min(opened + length * SECOND_NS, held.close_ns)) for opened in opens]
        if auction:
            stamps.append((held.day_close_ns - 300 * SECOND_NS, held.day_close_ns))
        if len(stamps) >= len(rows):
            break
    return _columns(instrument, Interval(length), stamps[: len(rows)], rows, volume)


def spec_of(strategy: Strategy, *bars: BarColumns, **changes: object) -> BacktestSpec:
    """Return a run with ten lakh rupees, ten shares an order, no slippage."""
    instruments = tuple(share_named(columns.instrument.split(":")[1]) for columns in bars)
    given: dict[str, object] = {"sizing": FixedQty(Qty(10)), "initial": Cash(10 * 100_000 * RUPEE)} | changes
    return BacktestSpec(strategy=strategy, bars=bars, instruments=instruments, rules=shipped_rules(), **given)  # type: ignore[arg-type]


def fills_of(result: BacktestResult) -> list[tuple[int, str, int, float]]:
    """Return the fills as (bar that opens at or before the fill's moment, side, quantity, price in rupees).

    A fill inside a bar carries the bar's closing time, which in a gapless day is the next bar's open.
    """
    opens = np.asarray(result.bars[0].ts_open_ns)
    return [
        (int(np.searchsorted(opens, fill.ts_ns, side="right")) - 1, fill.side.name, fill.qty, fill.px / RUPEE)
        for fill in result.fills
    ]


def flat(close: float, *, up: float = 0.5) -> Row:
    """Return a quiet bar around a close."""
    return (close, close + up, close - up, close)


def _columns(
    instrument: Instrument, interval: Interval, stamps: Sequence[tuple[int, int]], rows: Sequence[Row], volume: Volume
) -> BarColumns:
    opens, closes = (np.array([stamp[i] for stamp in stamps], np.int64) for i in (0, 1))
    prices = np.round(np.array(rows, np.float64) * RUPEE).astype(np.int64)
    opened, high, low, close = (np.ascontiguousarray(prices[:, i]).data for i in range(4))
    traded, oi = np.full(len(rows), volume, np.int64), np.zeros(len(rows), np.int64)
    return BarColumns(instrument.id, interval, opens.data, closes.data, opened, high, low, close, traded.data, oi.data)
