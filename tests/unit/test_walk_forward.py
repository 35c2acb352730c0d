"""Walk-forward by hand: windows, history that does not trade, the verdict over the tests."""

import math
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from manjha.adapters.system.processes import InlineRunner
from manjha.app.research.walk_tables import window_rows
from manjha.domain.errors import UsageError
from manjha.research.backtest import run_backtest
from manjha.research.overfit import Likelihood
from manjha.research.search.ground import Ground, Ready
from manjha.research.search.summary import Asked, Summary
from manjha.research.search.variants import vary
from manjha.research.walk_forward import cut_before, days_of, forward, part_of, stability, start_of, windows_of
from manjha.services import handfuls
from manjha.services.handfuls import row_of_run
from manjha.services.walk_forward import Walk, walk
from tests.fakes.searches import FAILING, load_waves, plan_of, services_of

DAYS = days_of(load_waves())


def test_each_test_comes_after_its_training_and_before_the_next() -> None:
    found = windows_of(DAYS, windows=5, ratio=4, gap=2, anchored=False)
    assert len(found) == 5
    assert all(one.train[1] < one.test[0] for one in found)
    assert all(one.test[1] < later.test[0] for one, later in pairwise(found))
    assert found[-1].test[1] == DAYS[-1]


def test_windows_longer_than_the_data_are_told() -> None:
    with pytest.raises(UsageError, match="are longer than the data of 60 days"):
        windows_of(DAYS, windows=60, ratio=4, gap=0, anchored=False)


def test_history_is_seen_and_not_traded() -> None:
    spec = vary(load_waves(), {"length": 3})
    first, last, start = int(DAYS[0]), int(DAYS[39]), int(DAYS[20])
    part = part_of(spec, first, last, start)
    result = run_backtest(part)
    assert len(part.bars[0]) == 40
    assert result.fills
    assert min(fill.ts_ns for fill in result.fills) > part.trade_from_ns
    cut = cut_before(result, start_of(start))
    assert len(cut.curve) == 20
    assert cut.final == result.final


def test_the_walk_stitches_the_tests_and_counts_every_variant() -> None:
    services, ledger = services_of(InlineRunner())
    plan = plan_of("length=2:9")
    found = walk(services, plan, Walk(windows=4, ratio=3))
    assert [row.point is not None for row in found.rows] == [True] * 4
    assert len(found.days) == len(found.returns) == sum(len(row.returns) for row in found.rows)
    assert list(found.days) == sorted(set(found.days))
    assert (found.trials, len(ledger.rows)) == (8, 32)
    assert all(one.subject.last_ns < load_waves().bars[0].ts_close_ns[-1] for one in ledger.rows.values())


def test_what_is_chosen_was_the_best_of_its_training() -> None:
    plan = plan_of("length=2:9")
    row = walk(services_of(InlineRunner())[0], plan, Walk(windows=3, ratio=2)).rows[1]
    values = {
        length: run_backtest(part_of(vary(load_waves(), {"length": length}), *row.window.train)).final
        for length in range(2, 10)
    }
    assert row.point is not None
    assert values[int(row.point["length"])] == max(values.values())


def test_later_prices_change_no_earlier_window() -> None:
    whole = walk(services_of(InlineRunner())[0], plan_of("length=2:9"), Walk(windows=4, ratio=3))
    last = whole.rows[1].window
    train, test = (int(np.sum((ends[0] <= DAYS) & (ends[1] >= DAYS))) for ends in (last.train, last.test))
    shorter = part_of(load_waves(), last.train[0], last.test[1])
    plan = msgspec.structs.replace(plan_of("length=2:9"), spec=shorter, load=lambda: shorter)
    again = walk(services_of(InlineRunner())[0], plan, Walk(windows=1, ratio=train / test))
    assert again.rows[0].window == last
    assert again.rows[0].returns == whole.rows[1].returns


def test_one_that_raises_is_counted_as_failed_and_the_others_go_on() -> None:
    found = walk(services_of(InlineRunner())[0], plan_of(f"length={FAILING},4"), Walk(windows=3, ratio=2))
    assert [row.failed for row in found.rows] == [1, 1, 1]
    assert [row.point for row in found.rows] == [{"length": 4}] * 3


def test_an_objective_without_bound_is_defined_and_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_bound(ready: Ready, asked: Asked, ground: Ground) -> Summary:
        came = row_of_run(ready, asked, ground)
        is_five = ready.spec.strategy.values["length"] == 5
        return msgspec.structs.replace(came, values=(math.inf,)) if is_five else came

    monkeypatch.setattr(handfuls, "row_of_run", without_bound)
    found = walk(services_of(InlineRunner())[0], plan_of("length=3:6", objectives=("profit_factor",)), Walk(windows=2))
    assert [(row.point, row.inside) for row in found.rows] == [({"length": 5}, math.inf)] * 2
    assert [row[2] for row in window_rows(found)[1]] == ["∞"] * 2


def test_an_objective_that_is_never_defined_is_told() -> None:
    plan = plan_of("length=3:5", "mode=flat", objectives=("win_rate",))
    with pytest.raises(UsageError, match="the objective win_rate is not defined for any combination"):
        walk(services_of(InlineRunner())[0], plan, Walk(windows=3, ratio=2))


def test_the_verdict_asks_for_sureness_efficiency_and_most_windows() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, 500)
    good = forward([0.002] * 4, [0.0018] * 4, noise + 0.002)
    assert good.likelihood is Likelihood.EDGE
    assert good.efficiency == pytest.approx(0.9)
    assert forward([0.01] * 4, [0.0018] * 4, noise + 0.002).likelihood is Likelihood.UNPROVEN
    assert forward([0.002] * 4, [-0.001] * 4, noise - 0.001).likelihood is Likelihood.LUCK
    assert math.isnan(forward([-0.002] * 2, [0.001] * 2, noise + 0.002).efficiency)


def test_how_steady_the_choices_were() -> None:
    (fast,) = stability([{"fast": 5}, {"fast": 5}, {"fast": 9}, {"fast": 7}])
    assert (fast.least, fast.middle, fast.most, fast.distinct) == ("5", "7", "9", 3)
    assert fast.kept == pytest.approx(1 / 3)
