"""The contract's workloads on our engine: the plain Python `on_bar`, with ledger, gate and dated events on.

W1: long 100 while SMA20 > SMA50, filled at the deciding close. W2: limit entry with stop and target. W3: fifty
instruments, one callback a minute, a daily rotation into the ten strongest in whole shares. Fee 0.03 % a side.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from benchmarks.contract_data import MINUTE_NS, Bars, Floats, Ints
from manjha.adapters.files.rule_tables import load_rules
from manjha.domain.bars import MINUTE, BarColumns
from manjha.domain.instrument import Asset, Exchange, Instrument, Kind, cash_id
from manjha.domain.money import RUPEE, Cash, Px, Qty
from manjha.domain.orders import Purpose
from manjha.domain.sizing import FixedQty, TargetUnit
from manjha.market.charges import BrokerageKind, RateCard
from manjha.research.backtest import BacktestSpec
from manjha.research.result import BacktestResult
from manjha.risk.limits import RiskLimits
from manjha.simulator.fills import FillRules, MarketFill
from manjha.strategy.context import Context
from manjha.strategy.indicators import sma
from manjha.strategy.interface import Changes, Entries, History, Strategy
from manjha.strategy.params import param
from manjha.strategy.turns import crossings_at

CAPITAL = Cash(10_000_000 * RUPEE)
FEE = RateCard(brokerage_kind=BrokerageKind.PCT, brokerage_rate=300_000)
EPS = 1e-7
DAY_BARS = 375

EXPECTED: Mapping[tuple[str, int], tuple[Any, ...]] = {
    ("W1", 20_000): ("9994378.637", 439),
    ("W1", 100_000): ("9929740.121", 2_242),
    ("W1", 1_000_000): ("9348590.20", 22_550),
    ("W2", 20_000): ("9999530.984", 76, 47, 28),
    ("W2", 100_000): ("9974194.635", 424, 283, 141),
    ("W2", 1_000_000): ("9745169.3765", 4_323, 2_876, 1_446),
}
"""Final equity in rupees and fills (W1), or entries, stops and targets (W2): five independent engines agree on them."""


class Cross(Strategy):
    """W1."""

    name: ClassVar[str] = "w1"

    def init(self, ctx: Context) -> None:
        """Make the averages."""
        self.fast = ctx.indicator(sma, "close", length=20)
        self.slow = ctx.indicator(sma, "close", length=50)

    def on_bar(self, ctx: Context) -> None:
        """Hold 100 while the fast one is above."""
        market = ctx.market
        if self.fast[-1] > self.slow[-1] + EPS:
            if not market.position:
                market.buy(100)
        elif market.position:
            market.sell(100)


class Bracket(Cross):
    """W2."""

    name: ClassVar[str] = "w2"

    def init(self, ctx: Context) -> None:
        """Make the averages."""
        super().init(ctx)
        self.before = False

    def on_bar(self, ctx: Context) -> None:
        """Ask for a bracket when the fast one crosses up, take it back when it crosses down."""
        up = self.fast[-1] > self.slow[-1] + EPS
        if up == self.before:
            return
        self.before = up
        market = ctx.market
        if up:
            if not market.position and not market.working:
                limit = round(market.close[-1] * 0.999 * 20) / 20
                market.buy(100, limit=limit, stop=round(limit * 0.995 * 20) / 20, target=round(limit * 1.01 * 20) / 20)
        elif not market.position:
            market.cancel()


class CrossColumns(Strategy):
    """W1 stated as targets: for the compiled backtest."""

    name: ClassVar[str] = "w1-columns"
    unit: ClassVar[TargetUnit] = TargetUnit.QTY

    def history_needed(self) -> int:
        """Return the bars before the first decision."""
        return 50

    def targets(self, history: History) -> Changes:
        """Hold 100 while the fast average is above, nothing otherwise."""
        close = history.column("close")[:, 0]
        return crossings_at(sma(close, 20), sma(close, 50), by=EPS, above=100.0)


class BracketColumns(Strategy):
    """W2 stated as entries: for the compiled backtest."""

    name: ClassVar[str] = "w2-columns"

    def history_needed(self) -> int:
        """Return the bars before the first decision."""
        return 50

    def entries(self, history: History) -> Entries:
        """Ask for a bracket when the fast average crosses up, take it back when it crosses down."""
        close = history.column("close")[:, 0]
        up = sma(close, 20) > sma(close, 50) + EPS
        turns = np.diff(up.astype(np.int8), prepend=0)
        side = np.where(turns > 0, 1.0, 0.0)
        limit = np.rint(close * 0.999 * 20) / 20
        stop, target = np.rint(limit * 0.995 * 20) / 20, np.rint(limit * 1.01 * 20) / 20
        return Entries(side=side, limit=limit, stop=stop, target=target, withdraw=turns < 0)


class Rotation(Strategy):
    """W3: at the last bar of each day from the seventh on, the ten strongest of five days, a tenth of equity each."""

    name: ClassVar[str] = "w3"
    instruments_max: ClassVar[int] = 0

    def init(self, ctx: Context) -> None:
        """Remember the lines; nothing to compute."""
        self.lines = [(market, market.close) for market in ctx.markets.values()]

    def on_bar(self, ctx: Context) -> None:
        """Called once a minute for all fifty."""
        at = ctx.position_index
        if at % 375 != 374 or at < 6 * 375 - 1:
            return
        gains = np.array([line[-1] / line[-1 - 5 * 375] - 1.0 for _, line in self.lines])
        top = set(np.argsort(-gains)[:10].tolist())
        for index, (market, _) in enumerate(self.lines):
            if index in top or market.position:
                market.target(0.1 if index in top else 0.0)


class RotationColumns(Strategy):
    """W3 stated as targets: for the compiled backtest."""

    name: ClassVar[str] = "w3-columns"
    instruments_max: ClassVar[int] = 0
    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT

    def history_needed(self) -> int:
        """Return the bars before the first decision."""
        return 6 * DAY_BARS

    def targets(self, history: History) -> Changes:
        """Each day a tenth of equity in each of the ten strongest of five days, nothing in the others."""
        rows = np.arange(6 * DAY_BARS - 1, len(history.ts_ns), DAY_BARS)
        gains = history.at("close", rows) / history.at("close", rows - 5 * DAY_BARS) - 1.0
        weights = np.zeros(gains.shape)
        np.put_along_axis(weights, np.argsort(-gains, axis=1)[:, :10], 0.1, axis=1)
        return Changes(rows, weights)


class PairColumns(Strategy):
    """W4: W1 over other lengths, as a sweep varies them."""

    name: ClassVar[str] = "w4-columns"
    unit: ClassVar[TargetUnit] = TargetUnit.QTY
    fast: int = param(20, low=2, high=500, help="bars of the fast average")
    slow: int = param(50, low=3, high=1000, help="bars of the slow average")

    def history_needed(self) -> int:
        """Return the bars before the first decision."""
        return self.slow

    def targets(self, history: History) -> Changes:
        """Hold 100 while the fast average is above, nothing otherwise."""
        close = history.column("close")[:, 0]
        return crossings_at(sma(close, self.fast), sma(close, self.slow), by=EPS, above=100.0)


def averages(close: Floats, lengths: Iterable[int], above: float = 0.0) -> dict[int, Floats]:
    """Return averages of closes by length, each moved up by the same."""
    return {length: sma(close, length) + above for length in lengths}


def _exact(rupees: Floats) -> Ints:
    scaled = rupees * RUPEE
    return np.round(scaled, out=scaled).astype(np.int64)


def columns_of(name: str, ts: Ints, data: Bars) -> BarColumns:
    """Return floats in rupees as bars."""
    opened, high, low, close = (_exact(column).data for column in data[:4])
    volume = data[4].astype(np.int64)
    return BarColumns(
        cash_id("NSE", name), MINUTE, ts.data, (ts + MINUTE_NS).data, opened, high, low, close, volume.data,
        np.zeros(len(ts), np.int64).data,
    )  # fmt: skip


def share(name: str) -> Instrument:
    """Return a share on a grid of 0.05."""
    return Instrument(
        id=cash_id("NSE", name), symbol=name, exchange=Exchange.NSE, kind=Kind.EQUITY, asset=Asset.EQUITY, tick=Px(500)
    )


def spec(strategy: Strategy, *bars: BarColumns) -> BacktestSpec:
    """Return a run by the contract: fills at the deciding close, orders rest until cancelled, the fee and no other."""
    return BacktestSpec(
        strategy=strategy,
        bars=bars,
        instruments=tuple(share(columns.instrument.split(":")[1]) for columns in bars),
        rules=load_rules(),
        initial=CAPITAL,
        sizing=FixedQty(Qty(100)),
        limits=RiskLimits(),
        fills=FillRules(market=MarketFill.DECIDING_CLOSE, orders_end_with_day=False, participation_ppm=0),
        sessions_from_data=True,
        rates=FEE,
        contract_notes=False,
    )


def outcome(name: str, result: BacktestResult) -> tuple[Any, ...]:
    """Return what the contract's table states, for comparison with `EXPECTED`."""
    from manjha.domain.money import format_cash

    purpose = {record.order.id: record.order.purpose for record in result.orders}
    kinds = [purpose[fill.order_id] for fill in result.fills]
    if name == "W1":
        return format_cash(result.final), len(kinds)
    counts = (kinds.count(kind) for kind in (Purpose.SIGNAL, Purpose.STOP, Purpose.TARGET))
    return format_cash(result.final), *counts
