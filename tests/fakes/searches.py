"""A small market, a strategy that can be told to misbehave, and plans to search it; workers find all of it by name."""

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from manjha.domain.errors import UsageError
from manjha.domain.sizing import TargetUnit
from manjha.ports.tasks import TaskRunner
from manjha.research.backtest import BacktestSpec
from manjha.research.search.constraints import parse_constraint
from manjha.research.search.objective import parse_objective
from manjha.research.search.points import Candidates
from manjha.research.search.space import parse_space
from manjha.services.handfuls import MOST
from manjha.services.searches import SearchPlan, SearchServices
from manjha.strategy.interface import Floats, History, Strategy
from manjha.strategy.params import param
from tests.fakes.hand_made import days, share_named, spec_of
from tests.fakes.trials import MemoryTrialLedger

DAYS = 60
FAILING = 13


class Waves(Strategy):
    """Hold every other stretch of days; `length` 13 raises."""

    unit: ClassVar[TargetUnit] = TargetUnit.QTY
    length: int = param(5, low=1, high=40, help="days of a stretch")
    lots: float = param(1.0, low=0.0, high=5.0, help="ten shares each")
    mode: str = param("long", choices=("long", "flat"), help="flat never trades")

    def check_params(self) -> None:
        """Refuse what makes no sense."""
        if self.length > 30:
            raise UsageError("waves: length must be at most 30")

    def targets(self, history: History) -> Floats:
        """State a quantity at each turn."""
        if self.length == FAILING:
            raise ZeroDivisionError("unlucky")
        at = np.arange(len(history.ts_ns))
        held = np.where((at // self.length) % 2 == 0, round(10 * self.lots), 0.0)
        held[at % self.length != 0] = np.nan
        if self.mode == "flat":
            held[:] = np.nan
        return held.reshape(-1, 1)


def load_waves(count: int = DAYS) -> BacktestSpec:
    """Return a run on a share that wanders about 500 rupees."""
    steps = np.random.default_rng(7).integers(-100, 102, count)
    closes = 500 + np.cumsum(steps) * 0.05
    rows = [(float(c), float(c) + 1.0, float(c) - 1.0, float(c)) for c in np.round(closes, 2)]
    return spec_of(Waves(), days(share_named(), rows))


def candidates_of(*ranges: str, constraints: tuple[str, ...] = ()) -> Candidates:
    words = dict(text.split("=", 1) for text in ranges)
    return Candidates(
        Waves,
        parse_space(Waves.name, Waves.params, words),
        tuple(parse_constraint(text, Waves.params) for text in constraints),
    )


def plan_of(
    *ranges: str,
    constraints: tuple[str, ...] = (),
    objectives: tuple[str, ...] = ("total_return",),
    load: Callable[[], BacktestSpec] = load_waves,
) -> SearchPlan:
    return SearchPlan(
        study="waves",
        spec=load(),
        load=load,
        candidates=candidates_of(*ranges, constraints=constraints),
        objectives=tuple(parse_objective(text) for text in objectives),
    )


def services_of(runner: TaskRunner, handful: int = MOST) -> tuple[SearchServices, MemoryTrialLedger]:
    ledger = MemoryTrialLedger()
    return SearchServices(runner, ledger, handful=handful), ledger
