"""The library on real minutes of shares (2016) and of an index (2021), read from the files as they are."""

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from manjha.app.strategies import StrategyFiles
from manjha.domain.bars import MINUTE, BarColumns, Interval
from manjha.domain.errors import DataError
from manjha.domain.moments import day_of
from manjha.domain.money import RUPEE
from manjha.domain.orders import OrderId, Product, Purpose, Side
from manjha.engine.bars import column, resample, sessions_of
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.simulator.fills import FillRules
from manjha.strategy.interface import Strategy
from manjha.strategy.library.nifty_intraday_trend import NiftyIntradayTrend
from manjha.strategy.library.vwap_reversion import VwapReversion
from tests.fakes.hand_made import share_named, spec_of
from tests.fakes.market_rules import shipped_rules

SHARES = ("INFY", "RELIANCE", "TCS", "HDFCBANK")
NAMES = sorted(found.name for found in StrategyFiles(Path("nowhere")).all())
SHORTER: dict[str, dict[str, object]] = {
    "momentum-rotation": {"lookback": 3, "top": 1, "every": "week"},
    "rsi-mean-reversion": {"trend": 20},
}


def read(path: Path, symbol: str, interval: int) -> BarColumns:
    """Return bars of one symbol; the files hold minutes in rupees with naive or Indian stamps of their opens."""
    rows = pl.read_parquet(path).filter(pl.col("symbol") == symbol).sort("ts")
    stamps = pl.col("ts") if rows.schema["ts"].time_zone else pl.col("ts").dt.replace_time_zone("Asia/Kolkata")  # type: ignore[attr-defined]
    opens = rows.select(stamps.dt.convert_time_zone("UTC").dt.epoch("ns")).to_series().to_numpy()
    opened, high, low, close = (
        column(np.round(rows[name].to_numpy() * RUPEE).astype(np.int64)) for name in ("open", "high", "low", "close")
    )
    volume, oi = column(rows["volume"].to_numpy().astype(np.int64)), column(np.zeros(len(opens), np.int64))
    begun, ended = column(opens), column(opens + 60 * 10**9)
    made = BarColumns(share_named(symbol).id, MINUTE, begun, ended, opened, high, low, close, volume, oi)
    days = sessions_of(shipped_rules(), share_named(symbol), day_of(int(opens[0])), day_of(int(opens[-1])))
    return resample(made, Interval(interval), days)


def run(strategy: Strategy, *bars: BarColumns) -> BacktestResult:
    return run_backtest(spec_of(strategy, *bars))


def purpose(result: BacktestResult, order_id: OrderId) -> Purpose:
    return next(record.order.purpose for record in result.orders if record.order.id == order_id)


def over_night(result: BacktestResult) -> int:
    """Return how many days end with a position, by the fills alone."""
    held: Counter[tuple[int, str]] = Counter()
    for fill in result.fills:
        held[day_of(fill.ts_ns - 1), fill.instrument] += int(fill.side) * fill.qty
    return sum(qty != 0 for qty in held.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_strategy_on_the_minutes_of_2016(name: str, shared: Path) -> None:
    found = StrategyFiles(Path("nowhere")).find(name)
    path = shared / "data/minute/stocks_2016/equities_1m_2016-08-16_2016-09-09.parquet"
    chosen = SHARES[: max(found.instruments_min, min(found.instruments_max or 3, 3))]
    result = run(found(**SHORTER.get(name, {})), *(read(path, symbol, 900) for symbol in chosen))
    assert result.fills
    assert not [r for r in result.orders if str(r.phase) == "rejected"]
    if found.product is Product.MIS:
        assert over_night(result) == 0


def test_the_index_of_2021_trends_and_is_flat_each_evening(shared: Path) -> None:
    path = shared / "data/minute/index/NIFTY50_1m_2021-01_2022-06.parquet"
    bars = read(path, "NIFTY 50", 300)
    # An index has no volume; as its stand-in does, any quantity is taken.
    result = run_backtest(spec_of(NiftyIntradayTrend(), bars, fills=FillRules(participation_ppm=0)))
    assert len({day_of(fill.ts_ns - 1) for fill in result.fills}) > 200
    assert {fill.side for fill in result.fills if purpose(result, fill.order_id) is Purpose.SIGNAL} == set(Side)
    assert over_night(result) == 0


def test_an_index_has_no_vwap(shared: Path) -> None:
    bars = read(shared / "data/minute/index/NIFTY50_1m_2021-01_2022-06.parquet", "NIFTY 50", 300)
    with pytest.raises(DataError, match="computes with volume"):
        run(VwapReversion(), bars)
