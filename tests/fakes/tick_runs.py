"""Runs over ticks, made by chance: markets, histories and strategies, and the two ways to go through them."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np

from manjha.domain.bars import DAY, BarColumns, Interval
from manjha.domain.commands import Output
from manjha.domain.events import Event
from manjha.domain.moments import MINUTE_NS, TradingDay, TsNs, parse_day
from manjha.domain.orders import Fill, Product
from manjha.domain.ticks import Tick, TickColumns
from manjha.engine.bars import column, empty_bars, resample, sessions_of
from manjha.engine.digest import digest
from manjha.engine.pump import Pump
from manjha.engine.state import EngineState
from manjha.research.backtest import BacktestSpec, origin_of
from manjha.research.growing_run import prepare_growing
from manjha.research.tick_drive import each_tick, screen, with_bars_of
from manjha.simulator.fills import VenueModels
from manjha.simulator.synthetic_ticks import ticks_within
from manjha.simulator.tick_market import TickMarket, answers_of
from manjha.simulator.tick_venue import TickVenue
from manjha.strategy.context import Context, Market
from manjha.strategy.indicators import atr, bollinger, ema, sma, vwap
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import minutes, share_named
from tests.fakes.market_rules import shipped_rules
from tests.fakes.random_runs import AUCTION_DAY, Generator, pick, random_rows, random_terms

FIVE, QUARTER = Interval(300), Interval(900)
NAMES = ("ALPHA", "BETA", "GAMMA", "DELTA")


class Chance(Strategy):
    """Asks for orders of every kind by chance, sets timers, answers fills, and writes down what it sees."""

    name: ClassVar[str] = "chance"
    instruments_max: ClassVar[int] = 0

    def __init__(self, seed: int, product: Product, intervals: tuple[Interval, ...] = ()) -> None:
        super().__init__()
        self.seed, self.intervals = seed, intervals
        vars(self).update(product=product)
        self.seen: list[str] = []

    def init(self, ctx: Context) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.lines: dict[str, Any] = {
            "sma": ctx.indicator(sma, "close", length=5),
            "bands": ctx.indicator(bollinger, "close", length=7).upper,
            "atr": ctx.indicator(atr, "high", "low", "close", length=4),
            "vwap": ctx.indicator(vwap, "ts", "high", "low", "close", "volume"),
            "volume": ctx.indicator(ema, "volume", price=False, length=3),
        }
        for market in list(ctx.markets.values())[1:]:
            self.lines[market.instrument.symbol] = ctx.indicator(ema, "close", market=market, length=3)
        for interval in self.intervals:
            self.lines[f"{interval}s"] = ctx.indicator(sma, "high", interval=interval, length=2)
            self.lines[f"{interval}s close"] = ctx.market.bars(interval).field_line("close", price=True)
        self.timers = 0

    def on_bar(self, ctx: Context) -> None:
        self.look(ctx, "bar")
        for market in ctx.markets.values():
            if self.rng.random() < 0.3 and market.close[-1] > 0:
                self.act(market, market.close[-1], int(self.rng.integers(12)))
        if self.rng.random() < 0.1:
            self.timers += 1
            ctx.set_timer(f"t{self.timers}", ctx.now_ns + int(self.rng.integers(1, 9)) * MINUTE_NS)

    def act(self, market: Market, close: float, draw: int) -> None:
        close = max(close, 5.0)
        sign = 1 if draw % 2 else -1
        side: Callable[..., None] = market.buy if draw % 2 else market.sell
        if draw < 2:
            side(1 + int(self.rng.integers(20)))
        elif draw < 4:
            side(5, stop=close - 1.5 * sign, target=close + 2 * sign)
        elif draw < 6:
            side(4, limit=close - 0.5 * sign, stop=close - 3 * sign, trail=1.0, validity=pick(self.rng, ["DAY", "IOC"]))
        elif draw < 8:
            side(3, trigger=close + 0.5 * sign, stop=close - 2 * sign)
        elif draw == 8:
            side(2, trigger=close - 0.5, limit=close - 0.4)
        elif draw == 9:
            market.close_position()
        elif draw == 10:
            market.cancel()
        else:
            for order in market.orders():
                market.modify(order, qty=order.left + 1)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self.look(ctx, f"fill {fill.px}")
        if self.rng.random() < 0.2:
            ctx.markets[fill.instrument].sell(1) if fill.side > 0 else ctx.markets[fill.instrument].buy(1)

    def on_timer(self, ctx: Context, key: str) -> None:
        self.look(ctx, key)
        if self.rng.random() < 0.5:
            ctx.market.buy(2, exit_ns=ctx.now_ns + 7 * MINUTE_NS)

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        self.look(ctx, f"day {day}")

    def look(self, ctx: Context, what: str) -> None:
        values = [f"{name} {line[-1]!r} {line[-2]!r} {line.tail(3).tolist()!r}" for name, line in self.lines.items()]
        held = [
            f"{m.position} {m.working} {m.cost_e4} {m.is_fresh} {m.opened_ns} {m.close[-1]!r} {m.volume[-1]!r}"
            for m in ctx.markets.values()
        ]
        self.seen.append(f"{ctx.now_ns} {ctx.position_index} {ctx.equity!r} {what} {values} {held}")


class TickRun(NamedTuple):
    """A run over ticks; `make` gives a strategy that has seen nothing yet."""

    spec: BacktestSpec
    ticks: list[TickColumns]
    make: Callable[[], Strategy]

    def fresh(self) -> BacktestSpec:
        return msgspec.structs.replace(self.spec, strategy=self.make())


class Gone(NamedTuple):
    """What a run over ticks gave."""

    state: EngineState
    outputs: list[tuple[TsNs, Output]]

    @property
    def outcome(self) -> tuple[object, ...]:
        state = self.state
        charges = bytes(state.record_charges)
        return digest(state), state.record_fills, state.record_refusals, charges, self.outputs


def random_tick_run(
    seed: int, make: Callable[[Generator, Product], Callable[[], Strategy]] | None = None, *, many: int = 0
) -> TickRun:
    """Return a run over the ticks of some days, with or without history, terms drawn by chance; `many` instruments."""
    rng = np.random.default_rng(seed)
    first = parse_day(pick(rng, ["2024-01-01", "2025-03-12", AUCTION_DAY]))
    a_day = 72 if first == parse_day(AUCTION_DAY) else 75
    drawn, past, coming = pick(rng, [1, 2, 3]), pick(rng, [0, 1, 2]) * a_day, pick(rng, [30, a_day, 160])
    product = pick(rng, [Product.MIS, Product.MIS, Product.CNC])
    rules = shipped_rules()
    histories, further, ticks, instruments = [], [], [], []
    intervals = pick(rng, [(), (QUARTER,), (QUARTER, DAY) if past > a_day else (QUARTER,)])
    for name in NAMES[: many or drawn]:
        one = msgspec.structs.replace(share_named(name), has_derivatives=first == parse_day(AUCTION_DAY))
        rows = random_rows(rng, past + coming, pick(rng, [40.0, 100.0, 900.0]))
        volume = pick(rng, [10**5, 40, rng.choice([0, 10, 100, 1000], past + coming).tolist()])
        whole = minutes(one, rows, day=first, length=FIVE, volume=volume)
        histories.append(cut(whole, 0, past))
        held = sessions_of(rules, one, first, first + 20)
        further += [resample(cut(whole, 0, past), interval, held) for interval in intervals]
        ticks.append(thinned(rng, ticks_within(cut(whole, past, past + coming), seed, pick(rng, [4, 7, 12]))))
        instruments.append(one)
    terms = random_terms(rng) | {"sessions_from_data": False}
    terms["fills"] = msgspec.structs.replace(terms["fills"], market="next open")
    if rng.random() < 0.3:
        terms["bands"] = {one.id: pick(rng, [20_000_000, 50_000_000]) for one in instruments}
    made = (lambda: Chance(seed, product, intervals)) if make is None else make(rng, product)
    spec = BacktestSpec(
        strategy=made(), bars=tuple(histories), further=tuple(further), instruments=tuple(instruments), rules=rules,
        **terms,
    )  # fmt: skip
    return TickRun(spec, ticks, made)


def pumped(run: TickRun, clock: Callable[[Pump, Tick], None] | None = None) -> Gone:
    """Go through a run as a loop would: the timeline grows, bars are made tick by tick. `clock` may move time on."""
    spec = run.fresh()
    screened = screen(spec, run.ticks)
    state, bars = prepare_growing(spec, origin_of(with_bars_of(spec, screened)))
    venue = TickVenue(spec.instruments, VenueModels(
        rules=spec.fills, slippage=spec.slippage, latency_ns=spec.latency_ns, bands=spec.bands
    ))  # fmt: skip
    around = TickMarket(state, venue, spec.actions, has_notes=spec.contract_notes)
    days = state.sessions.days(int(screened.ts_ns[0]), int(screened.ts_ns[-1]))
    outputs: list[tuple[TsNs, Output]] = []
    exchange = answers_of(venue)

    def answer(output: Output, now_ns: TsNs) -> Iterator[Event]:
        outputs.append((now_ns, output))
        yield from exchange(output, now_ns)

    pump = Pump(state, bars, around, days, answer)
    for tick in each_tick(screened, spec.instruments):
        if clock is not None:
            clock(pump, tick)
        pump.on_tick(tick)
    pump.finish()
    return Gone(state, outputs)


def cut(columns: BarColumns, first: int, last: int) -> BarColumns:
    if first == last:
        return empty_bars(columns.instrument, columns.interval)
    names = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
    held = {name: column(np.asarray(getattr(columns, name))[first:last]) for name in names}
    return BarColumns(columns.instrument, columns.interval, **held)


def thinned(rng: Generator, ticks: TickColumns) -> TickColumns:
    """Return the ticks with some left out, in stretches, so that bars are missing."""
    keep = np.repeat(rng.random(len(ticks) // 8 + 1) < 0.85, 8)[: len(ticks)]
    keep[:1] = True
    return TickColumns(ticks.instrument, *[column(np.asarray(c)[keep]) for c in (ticks.ts_ns, ticks.px, ticks.volume)])


def thinned_bars(rng: Generator, columns: BarColumns) -> BarColumns:
    """Return the bars with a fifth of them left out, never the first."""
    names = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
    keep = rng.random(len(columns)) < 0.8
    keep[:1] = True
    held = {name: column(np.asarray(getattr(columns, name))[keep]) for name in names}
    return BarColumns(columns.instrument, columns.interval, **held)
