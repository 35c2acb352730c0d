"""Several instruments whose bars do not close together, and bars of another interval beside the main one."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.bars import BarColumns, Interval
from manjha.domain.money import RUPEE, Cash
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import Row, minutes, share_named, spec_of

HOURS = 7
SLOTS = 3 * HOURS
"""Three days of hourly bars; each instrument has some of them."""
MONEY = Cash(10**8 * RUPEE)
NAMES = ("ALPHA", "BETA", "GAMMA")
QUARTER = Interval(900)


class Ask(NamedTuple):
    """A market or limit order asked for at the close of a slot, in any instrument, fresh or not."""

    slot: int
    name: str
    qty: int
    limit: float


class Asking(Strategy):
    """Ask by the moment, not by the count of bars."""

    instruments_max: ClassVar[int] = 0
    asks: ClassVar[Mapping[int, Sequence[Ask]]] = {}

    def on_bar(self, ctx: Context) -> None:
        """Ask for what is due at this close."""
        for ask in self.asks.get(ctx.now_ns, ()):
            terms = {"limit": ask.limit} if ask.limit else {}
            ctx[ask.name].buy(ask.qty, tag=f"{ask.slot}", **terms)


def rows_of(seed: int, count: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    ticks = 2000 + np.cumsum(rng.integers(-6, 7, 2 * count))
    spread = rng.integers(0, 5, 2 * count)
    opens, closes = ticks[::2], ticks[1::2]
    highs, lows = np.maximum(opens, closes) + spread[::2], np.minimum(opens, closes) - spread[1::2]
    return [
        (int(o) / 20, int(h) / 20, int(w) / 20, int(c) / 20)
        for o, h, w, c in zip(opens, highs, lows, closes, strict=True)
    ]


def some(columns: BarColumns, kept: Sequence[int]) -> BarColumns:
    """Return the bars at these places only."""
    fields = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
    parts = {field: np.ascontiguousarray(np.asarray(getattr(columns, field))[list(kept)]).data for field in fields}
    return msgspec.structs.replace(columns, **parts)


def placed(slots: int, least: int = 1) -> st.SearchStrategy[list[int]]:
    return st.sets(st.integers(0, slots - 1), min_size=least).map(sorted)


@st.composite
def markets(draw: st.DrawFn) -> dict[str, list[int]]:
    """Draw which slots each of two or three instruments has a bar in."""
    return {name: draw(placed(SLOTS)) for name in NAMES[: draw(st.integers(2, 3))]}


@st.composite
def runs(draw: st.DrawFn) -> tuple[int, dict[str, list[int]], list[Ask]]:
    held = draw(markets())
    moments = st.sampled_from(sorted(set().union(*held.values())))
    prices = st.sampled_from((0.0, 0.0, 99.0, 99.5, 100.0, 101.0))
    asks = st.builds(Ask, moments, st.sampled_from(sorted(held)), st.integers(1, 9), prices)
    return draw(st.integers(0, 999)), held, draw(st.lists(asks, max_size=6))


def grids(seed: int, held: Mapping[str, Sequence[int]]) -> dict[str, BarColumns]:
    return {name: minutes(share_named(name), rows_of(seed + at, SLOTS), length=3600) for at, name in enumerate(held)}


def play(grid: Mapping[str, BarColumns], held: Mapping[str, Sequence[int]], asks: Sequence[Ask]) -> BacktestResult:
    closes = grid[next(iter(grid))].ts_close_ns
    due: dict[int, list[Ask]] = {}
    for ask in asks:
        due.setdefault(closes[ask.slot], []).append(ask)
    strategy = type("Asked", (Asking,), {"__doc__": "Asked.", "asks": due})()
    bars = [some(grid[name], slots) for name, slots in held.items()]
    return run_backtest(spec_of(strategy, *bars, initial=MONEY, contract_notes=False))


def looked_up(ask: Ask, columns: BarColumns, slots: Sequence[int]) -> tuple[int, int] | None:
    """Return the moment and price at which an order trades, by looking through the instrument's own bars."""
    limit = round(ask.limit * RUPEE)
    if not limit and min(slots) > ask.slot:
        return None  # No price is known yet, so that risk cannot say what it costs.
    for slot in slots:
        # What is asked for at a day's last close is good for the next day.
        if slot <= ask.slot or slot // HOURS != (ask.slot + 1) // HOURS:
            continue
        if not limit or columns.open[slot] <= limit:
            return columns.ts_open_ns[slot], columns.open[slot]
        if columns.low[slot] <= limit:
            return columns.ts_close_ns[slot], limit
    return None


@settings(max_examples=60)
@given(runs())
def test_an_order_trades_in_the_own_bars_of_its_instrument(run: tuple[int, dict[str, list[int]], list[Ask]]) -> None:
    seed, held, asks = run
    grid = grids(seed, held)
    result = play(grid, held, asks)
    expected = [(looked_up(ask, grid[ask.name], held[ask.name]), ask.name, ask.qty) for ask in asks]
    found = [((fill.ts_ns, fill.px), fill.instrument.split(":")[1], fill.qty) for fill in result.fills]
    assert sorted(found) == sorted((when, *what) for when, *what in expected if when)


class Watching(Strategy):
    """Write down, at each close, what is seen of every series."""

    instruments_max: ClassVar[int] = 0
    beside: ClassVar[Sequence[Interval]] = ()

    def init(self, ctx: Context) -> None:
        """Take the lines."""
        self.seen: list[tuple[int, str, int, list[float], bool]] = []
        self.lines = {}
        for market in ctx.markets.values():
            for interval in (ctx.interval, *self.beside):
                series = market.bars(interval)
                self.lines[market.instrument.symbol, interval] = (
                    market,
                    series.line(series.floats("close"), price=True),
                )

    def on_bar(self, ctx: Context) -> None:
        """Write down."""
        for (symbol, interval), (market, line) in self.lines.items():
            fresh = market.is_fresh if interval == ctx.interval else False
            self.seen.append((ctx.now_ns, symbol, interval, line.tail(3).tolist(), fresh))


def fine(name: str, seed: int) -> BarColumns:
    return minutes(share_named(name), rows_of(seed + len(name), 75))


def coarse(name: str, seed: int) -> BarColumns:
    return minutes(share_named(name), rows_of(seed + 2 * len(name), 25), length=QUARTER)


def tail_by_hand(columns: BarColumns, now_ns: int) -> list[float]:
    closed = [px / RUPEE for px, ns in zip(columns.close, columns.ts_close_ns, strict=True) if ns <= now_ns]
    return closed[-3:]


@settings(max_examples=40)
@given(placed(75), placed(75), placed(25), placed(25), st.integers(0, 999))
def test_a_series_is_seen_up_to_its_own_last_close(
    first: list[int], second: list[int], quarters: list[int], others: list[int], seed: int
) -> None:
    main = [some(fine(name, seed), slots) for name, slots in (("ALPHA", first), ("BETA", second))]
    further = [some(coarse(name, seed), slots) for name, slots in (("ALPHA", quarters), ("BETA", others))]
    strategy: Any = type("Watched", (Watching,), {"__doc__": "Watched.", "beside": (QUARTER,)})()
    run_backtest(spec_of(strategy, *main, further=tuple(further)))
    series = {(columns.instrument.split(":")[1], columns.interval): columns for columns in (*main, *further)}
    moments = sorted({*main[0].ts_close_ns, *main[1].ts_close_ns})
    assert [seen[0] for seen in strategy.seen] == [ns for ns in moments for _ in series]
    for now_ns, symbol, interval, tail, fresh in strategy.seen:
        columns = series[symbol, interval]
        assert tail == tail_by_hand(columns, now_ns)
        assert fresh == (interval != QUARTER and now_ns in list(columns.ts_close_ns))


def test_a_quarter_is_not_seen_a_bar_before_it_closes() -> None:
    strategy: Any = type("Watched", (Watching,), {"__doc__": "Watched.", "beside": (QUARTER,)})()
    run_backtest(spec_of(strategy, fine("ALPHA", 7), further=(coarse("ALPHA", 7),)))
    quarters = [seen[3] for seen in strategy.seen if seen[2] == QUARTER]
    closes = [px / RUPEE for px in coarse("ALPHA", 7).close]
    assert quarters[:6] == [[], [], closes[:1], closes[:1], closes[:1], closes[:2]]
