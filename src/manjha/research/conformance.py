"""What would trip a strategy later, found by running it on the synthetic market; `strategy.check` reads it."""

import msgspec
import numpy as np

from manjha.domain.bars import BarColumns, Interval
from manjha.domain.errors import ManjhaError
from manjha.domain.moments import day_of, parse_day
from manjha.domain.orders import Product
from manjha.engine.bars import daily, first_bars, resample
from manjha.engine.digest import digest
from manjha.market.rules import MarketRules
from manjha.research.backtest import BacktestSpec, first_position, run_backtest, timeline_of
from manjha.research.grown_drive import grown
from manjha.research.result import BacktestResult
from manjha.simulator.synthetic import default_spec, exchange_sessions, generate
from manjha.strategy.check import check_declaration
from manjha.strategy.interface import Strategy

SPAN = ("2023-01-02", "2024-06-28")
INTRADAY = Interval(900)
CUTS = (0.6, 0.8)
"""Where the run is cut short to see whether its past changes."""
GROWN = 150
"""How many bars are run as they close: whoever states columns is asked at each."""


def check_strategy(found: type[Strategy], rules: MarketRules, **given: object) -> list[str]:
    """Return what is wrong with a strategy, one sentence each; empty when nothing was found.

    Looks at its documentation and parameters, runs it on the synthetic market with the parameters given (else the
    defaults), twice, and cut short at two points: a decision that changes when later bars are missing has looked ahead.
    Its last bars are run once more with a timeline that grows, as in paper and live trading.
    """
    problems = check_declaration(found)
    try:
        spec = synthetic_spec(found, rules, **given)
        whole = run_backtest(spec)
        again = run_backtest(_anew(spec, spec.bars))
    except ManjhaError as error:
        return [*problems, f"does not run on the synthetic market: {error.message}"]
    if whole.state_digest != again.state_digest:
        problems.append("gives another result when it is run again: it uses chance, or state outside itself")
    for cut in CUTS:
        problems += _looks_ahead(spec, whole, cut)
    if found.product is Product.MIS:
        problems += _over_night(whole)
    return problems + _bar_by_bar(spec)


def synthetic_spec(found: type[Strategy], rules: MarketRules, **given: object) -> BacktestSpec:
    """Return a run of the strategy on as many synthetic shares as it takes: 15-minute bars for MIS, else days."""
    market = default_spec(11, parse_day(SPAN[0]), parse_day(SPAN[1]))
    bars = generate(market, exchange_sessions(rules, market))
    listed = [item.instrument for item in market.instruments if item.instrument.is_tradable]
    shares = [instrument for instrument in listed if not instrument.is_derivative]
    chosen = shares[: max(found.instruments_min, min(found.instruments_max or 5, 5))]
    made: list[BarColumns] = [
        resample(bars[i.id], INTRADAY) if found.product is Product.MIS else daily(bars[i.id]) for i in chosen
    ]
    return BacktestSpec(strategy=found(**given), bars=tuple(made), instruments=tuple(chosen), rules=rules, seed=11)


def _looks_ahead(spec: BacktestSpec, whole: BacktestResult, part: float) -> list[str]:
    cut = int(len(spec.bars[0]) * part)
    end_ns = spec.bars[0].ts_close_ns[cut - 1]
    short = run_backtest(_anew(spec, tuple(_until(columns, end_ns) for columns in spec.bars)))
    # The square-off after the last bar of a cut run is no decision of the strategy.
    before, cut_off = (
        [_decision(record.order) for record in run.orders if record.order.decided_ns <= end_ns]
        for run in (whole, short)
    )
    for index, (full, less) in enumerate(zip(before, cut_off, strict=False)):
        if full != less:
            return [f"looks ahead: order {index + 1} is {less} when later bars are missing, else {full}"]
    if len(before) != len(cut_off):
        return [f"looks ahead: {len(cut_off)} orders when later bars are missing, else {len(before)} up to there"]
    return []


def _over_night(whole: BacktestResult) -> list[str]:
    held = np.asarray(whole.curve.gross) > 0
    days = np.array([day_of(ts - 1) for ts in whole.curve.ts_ns.tolist()])
    last = np.flatnonzero(np.append(np.diff(days) != 0, False))
    nights = int(held[last].sum())
    return [f"holds an intraday position over {nights} nights"] if nights else []


def _decision(order: object) -> tuple[object, ...]:
    fields = ("instrument", "side", "qty", "type", "limit", "trigger", "decided_ns")
    return tuple(getattr(order, name) for name in fields)


def _anew(spec: BacktestSpec, bars: tuple[BarColumns, ...]) -> BacktestSpec:
    fresh = type(spec.strategy)(**spec.strategy.values)
    return msgspec.structs.replace(spec, strategy=fresh, bars=bars)


def _until(columns: BarColumns, end_ns: int) -> BarColumns:
    """Return the bars that close by a moment."""
    return first_bars(columns, int(np.searchsorted(np.asarray(columns.ts_close_ns), end_ns, side="right")))


def _bar_by_bar(spec: BacktestSpec) -> list[str]:
    """Run the last bars as paper and live trading would, nothing being known but what has closed."""
    opens = spec.bars[0].ts_open_ns
    last = msgspec.structs.replace(_anew(spec, spec.bars), trade_from_ns=opens[max(0, len(opens) - GROWN)])
    known = run_backtest(last).state_digest
    fresh = _anew(last, last.bars)
    try:
        state = grown(fresh, first_position(timeline_of(fresh), fresh.trade_from_ns))
    except ManjhaError as error:
        return [f"cannot trade on bars as they close: {error.message}"]
    if digest(state) != known:
        return [
            "decides otherwise on bars as they close than over whole columns: it cannot trade live as it was tested"
        ]
    return []
