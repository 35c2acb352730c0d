"""Ticks through the gate and the pump, and what a bar costs that joins the timeline: `python -m benchmarks.ticks`.

Synthetic ticks of some days and shares, one-minute bars made of them, a strategy with two averages and a range on each
that turns with them. A tick is made from its numbers first, as a feed does. Times are of the processor.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

from manjha.adapters.files.rule_tables import load_rules
from manjha.domain.bars import MINUTE, Bar, BarColumns
from manjha.domain.moments import TsNs, parse_day
from manjha.domain.money import Qty
from manjha.domain.orders import HeldGroup, Origin, Product, RunId, StrategyId
from manjha.domain.sizing import FixedQty
from manjha.domain.ticks import Tick
from manjha.engine.bars import empty_bars
from manjha.engine.closing import tick_hours
from manjha.engine.pump import Pump
from manjha.engine.tick_gate import TickGate
from manjha.research.backtest import BACKTEST, BacktestSpec
from manjha.research.growing_run import prepare_growing
from manjha.research.tick_drive import Screened, each_tick, run_tick_backtest, screen
from manjha.simulator.fills import VenueModels
from manjha.simulator.synthetic import default_spec, exchange_sessions, generate
from manjha.simulator.synthetic_ticks import ticks_within
from manjha.simulator.tick_market import TickMarket, answers_of
from manjha.simulator.tick_venue import TickVenue
from manjha.strategy.context import Context
from manjha.strategy.growing import GrowingTimeline
from manjha.strategy.indicators import atr, ema
from manjha.strategy.interface import Strategy

SPAN = ("2024-01-01", "2024-01-03")
PER_BAR = 30


class Turns(Strategy):
    """Turns with two averages, intraday, with a stop."""

    product: ClassVar[Product] = Product.MIS
    instruments_max: ClassVar[int] = 0

    def init(self, ctx: Context) -> None:
        """Make the lines of each instrument."""
        self.lines = {
            market: (
                ctx.indicator(ema, "close", market=market, length=9),
                ctx.indicator(ema, "close", market=market, length=21),
                ctx.indicator(atr, "high", "low", "close", market=market, length=14),
            )
            for market in ctx.markets.values()
        }

    def on_bar(self, ctx: Context) -> None:
        """Enter above, leave below."""
        del ctx
        for market, (quick, slow, unit) in self.lines.items():
            if quick[-1] > slow[-1] and not market.position and not market.working:
                market.buy(10, stop=market.close[-1] - 3 * unit[-1])
            elif quick[-1] < slow[-1] and market.position:
                market.close_position()


class Told(NamedTuple):
    """What a run through the pump took."""

    seconds: float
    fills: int
    bars: int


def main(shares: int = 3) -> None:
    """Measure and print one row."""
    market = default_spec(11, *map(parse_day, SPAN))
    rules = load_rules()
    made = generate(market, exchange_sessions(rules, market))
    listed = [item.instrument for item in market.instruments if item.instrument.is_tradable]
    chosen = tuple(one for one in listed if not one.is_derivative)[:shares]
    ticks = [ticks_within(made[one.id], 11, PER_BAR) for one in chosen]
    spec = BacktestSpec(
        strategy=Turns(),
        bars=tuple(empty_bars(one.id, MINUTE) for one in chosen),
        instruments=chosen,
        rules=rules,
        sizing=FixedQty(Qty(10)),
    )
    _pumped(spec, screen(spec, ticks))
    screened = screen(spec, ticks)
    count = len(screened.ts_ns)
    told = min((_pumped(spec, screened) for _ in range(3)), key=lambda one: one.seconds)
    began = time.process_time()
    run_tick_backtest(spec, ticks)
    backtest = time.process_time() - began
    row: dict[str, Any] = {"workload": "ticks", "shares": len(chosen), "ticks": count, "bars": told.bars}
    row |= {"fills": told.fills, "pump_ticks_s": count / told.seconds, "backtest_ticks_s": count / backtest}
    row["append_us"] = _append([made[one.id] for one in chosen], spec) * 1e6
    print(json.dumps(row))


def _pumped(spec: BacktestSpec, screened: Screened) -> Told:
    """Run once: numbers to tick, gate, bars, engine, simulated exchange."""
    state, bars = prepare_growing(spec, Origin(BACKTEST, StrategyId(spec.strategy.name), RunId("bench")))
    venue = TickVenue(spec.instruments, VenueModels())
    days = state.sessions.days(int(screened.ts_ns[0]), int(screened.ts_ns[-1]))
    pump = Pump(state, bars, TickMarket(state, venue), days, answers_of(venue))
    gate = TickGate(tick_hours(spec.rules, spec.instruments))
    began = time.process_time()
    for tick in each_tick(screened, spec.instruments):
        admitted = gate.admit(tick, tick.ts_ns)
        if type(admitted) is Tick:
            pump.on_tick(admitted)
    pump.finish()
    return Told(time.process_time() - began, len(state.record_fills), len(state.timeline))


def _append(bars: Sequence[BarColumns], spec: BacktestSpec) -> float:
    """Return the seconds that a bar takes to join a timeline with three indicators an instrument."""
    timeline = GrowingTimeline(spec.bars)
    ctx = Context(timeline, spec.instruments, MINUTE, Product.MIS, _Nobody())
    Turns().init(ctx)
    timeline.begin()
    moments = list(_moments(bars))
    began = time.process_time()
    for ts_ns, closed in moments:
        timeline.append(ts_ns, closed)
    return (time.process_time() - began) / sum(len(closed) for _, closed in moments)


def _moments(bars: Sequence[BarColumns]) -> Iterator[tuple[TsNs, list[tuple[tuple[Any, int], Bar]]]]:
    for row in range(min(map(len, bars))):
        yield (
            TsNs(bars[0].ts_close_ns[row]),
            [((each.instrument, each.interval), each.bar(row)) for each in bars],
        )


class _Nobody:
    """An account without anything."""

    def equity(self) -> Any:
        return 0

    def working_orders(self, instrument: Any) -> Any:
        return iter(())

    def held_groups(self) -> tuple[HeldGroup, ...]:
        return ()

    def resting(self, instrument: Any) -> Any:
        return ()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
