"""A backtest over bars whose timeline grows by one bar at a time, under the same driver and venue.

Slower than over whole columns and to the same end: it shows that a strategy decides alike where nothing is known but
what has closed, as in paper and live trading.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from manjha.domain.bars import Bar, BarColumns
from manjha.domain.moments import day_of
from manjha.engine.bars import first_bars
from manjha.engine.state import EngineState
from manjha.research.backtest import BacktestSpec, engine_over, first_position, origin_of, timeline_of
from manjha.research.drive import Drive, Driven
from manjha.research.growing_run import asking
from manjha.simulator.fills import VenueModels
from manjha.simulator.venue import Venue
from manjha.strategy.growing import GrowingTimeline, Key


class GrownDrive(Drive):
    """Drives over the whole timeline of the venue, while the engine's grows as each bar closes.

    The first `history` positions stand on it before the run begins. Raises as `growing_run.prepare_growing`.
    """

    def __init__(self, spec: BacktestSpec, history: int = 0) -> None:
        whole = timeline_of(spec)
        from_ns = whole.open_ns[history] if history else 0
        cuts = {key: _closed_by(each.columns, from_ns) for key, each in whole.series.items()}
        self.growing = GrowingTimeline(
            [first_bars(columns, cuts[columns.instrument, columns.interval]) for columns in spec.bars],
            [first_bars(columns, cuts[columns.instrument, columns.interval]) for columns in spec.further],
            spec.actions,
            spec.strategy.name,
        )
        state = engine_over(spec, self.growing, origin_of(spec))
        self.growing.begin()
        self.ask = asking(state, self.growing)
        state.reached = history
        if spec.trade_from_ns:
            # What is decided begins later still; `research.backtest` holds it back in the same way.
            first = first_position(whole, spec.trade_from_ns)
            state.ctx.warmup, state.held_until = max(state.ctx.warmup, first), day_of(spec.trade_from_ns)
        models = VenueModels(rules=spec.fills, slippage=spec.slippage, latency_ns=spec.latency_ns, bands=spec.bands)
        venue = Venue(whole, spec.instruments, spec.bars[0].interval, models)
        self.closing = bars_by_moment((*spec.bars, *spec.further), from_ns)
        self.first_decided = first_position(whole, spec.trade_from_ns) if spec.trade_from_ns else 0
        super().__init__(state, venue, Driven(spec.actions, spec.contract_notes, stride=1))

    def _advance(self, first: int, last: int) -> None:
        assert last == first + 1  # noqa: S101 - the stride is one
        self.grow(self.timeline.close_ns[first])
        self.timeline.cursor.at = first
        super()._advance(first, last)

    def grow(self, ts_ns: int) -> None:
        """Let the bars close up to a moment."""
        while self.closing and self.closing[0][0] <= ts_ns:
            moment, bars = self.closing.pop(0)
            is_new = self.growing.append(moment, bars)
            ctx = self.state.ctx
            ctx.warmup = max(ctx.warmup, self.growing.warmup)
            at = len(self.growing) - 1
            if is_new and self.ask is not None and at >= self.first_decided:
                self.ask(at)


def grown(spec: BacktestSpec, history: int = 0) -> EngineState:
    """Run a backtest with a timeline that grows; the first `history` positions stand there before it begins."""
    drive = GrownDrive(spec, history)
    drive.run()
    return drive.state


def bars_by_moment(every: Sequence[BarColumns], from_ns: int) -> list[tuple[int, list[tuple[Key, Bar]]]]:
    """Return all bars that close after a moment, by the moment at which they close."""
    found: dict[int, list[tuple[Key, Bar]]] = defaultdict(list)
    for columns in every:
        for row in range(_closed_by(columns, from_ns), len(columns)):
            found[columns.ts_close_ns[row]].append(((columns.instrument, columns.interval), columns.bar(row)))
    return sorted(found.items())


def _closed_by(columns: BarColumns, ts_ns: int) -> int:
    return int(np.searchsorted(np.asarray(columns.ts_close_ns), ts_ns, side="right")) if ts_ns else 0
