"""A search that is moved to bars of another length goes on to be counted, with ratios in the same unit."""

import msgspec
import numpy as np
import pytest

from manjha.domain.bars import BarColumns
from manjha.domain.errors import UsageError
from manjha.domain.moments import parse_day
from manjha.domain.trials import PICO, Trial
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.search.variants import subject_of
from manjha.services.trial_records import count_again, record_run, trial_of
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param
from tests.fakes.hand_made import Row, minutes, share_named, spec_of
from tests.fakes.trials import MemoryTrialLedger, done

DAYS, FIVES = 30, 75


class Holds(Strategy):
    """Buy once."""

    lots: int = param(50, low=1, high=900)

    def on_bar(self, ctx: Context) -> None:
        """Buy once."""
        if not ctx.position and not ctx.working:
            ctx.buy(self.lots)


def bars_of(length: int, symbol: str, first: str) -> BarColumns:
    """Return the same wandering days in bars of 5 minutes or a multiple."""
    closes = 500 + np.cumsum(np.random.default_rng(3).integers(-40, 44, DAYS * FIVES)) * 0.05
    opens = np.concatenate([[500.0], closes[:-1]])
    step = length // 300
    groups = [slice(at, at + step) for at in range(0, len(closes), step)]
    rows: list[Row] = [
        (opens[at][0], max(opens[at].max(), closes[at].max()), min(opens[at].min(), closes[at].min()), closes[at][-1])
        for at in groups
    ]
    return minutes(share_named(symbol), rows, day=parse_day(first), length=length)


def spec_at(length: int, *, lots: int = 50, symbol: str = "ALPHA", first: str = "2024-01-02") -> BacktestSpec:
    return spec_of(Holds(lots=lots), bars_of(length, symbol, first))


def test_another_interval_raises_the_count() -> None:
    ledger = MemoryTrialLedger()
    counts = []
    for length in (900, 300):
        for lots in (50, 60):
            spec = spec_at(length, lots=lots)
            counts.append(record_run(ledger, trial_of(spec, run_backtest(spec))).trials)
    assert counts == [1, 2, 3, 4]
    spec = spec_at(900)
    result = run_backtest(spec)
    assert record_run(ledger, trial_of(spec, result)).words == "4 variants of holds tried on NSE:ALPHA so far"
    assert count_again(ledger, result).trials == 4


@pytest.mark.parametrize(("symbol", "first"), [("BETA", "2024-01-02"), ("ALPHA", "2024-06-03")])
def test_other_instruments_and_other_days_do_not(symbol: str, first: str) -> None:
    ledger = MemoryTrialLedger()
    spec = spec_at(900)
    record_run(ledger, trial_of(spec, run_backtest(spec)))
    other = spec_at(300, symbol=symbol, first=first)
    assert record_run(ledger, trial_of(other, run_backtest(other))).trials == 1


class Chosen(Holds):
    """Buy once, as a search has found best."""

    chosen_from = "evolved"


def test_what_it_was_chosen_from_counts_in_runs_and_their_pages() -> None:
    ledger = MemoryTrialLedger()
    bred = msgspec.structs.replace(subject_of(spec_at(900)), strategy="evolved")
    ledger.record("bred", [Trial(bred, f'{{"rule":"r{number}"}}', done()) for number in range(3)])
    spec = msgspec.structs.replace(spec_at(300), strategy=Chosen())
    result = run_backtest(spec)
    counted = record_run(ledger, trial_of(spec, result))
    assert counted.words == "4 variants of chosen (chosen from evolved) tried on NSE:ALPHA so far"
    assert count_again(ledger, result) == counted
    assert counted.sentence == "One of 4 variants of chosen (chosen from evolved) tried on NSE:ALPHA so far."


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="chosen_from of wrong must be the name of a strategy, was 3"):
        type("Wrong", (Strategy,), {"__doc__": "Wrong.", "chosen_from": 3})


def test_ratios_of_different_intervals_are_of_a_day() -> None:
    ledger = MemoryTrialLedger()
    for length in (900, 300):
        spec = spec_at(length)
        record_run(ledger, trial_of(spec, run_backtest(spec)))
    one, other = ledger.rows.values()
    assert one.outcome.moments.count == other.outcome.moments.count == DAYS
    ratios = [int(row.outcome.moments.sharpe or 0) / PICO for row in (one, other)]
    assert abs(ratios[0]) > 0.02
    assert ratios[0] == pytest.approx(ratios[1], rel=0.1)
