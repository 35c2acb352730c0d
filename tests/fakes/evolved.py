"""A market with an edge that a simple rule finds, plans to breed on it, and a wandering one without; found by name."""

from functools import partial

import numpy as np

from manjha.domain.moments import parse_day
from manjha.ports.tasks import TaskRunner
from manjha.research.backtest import BacktestSpec
from manjha.research.evolve.grammar import GrammarTerms
from manjha.research.evolve.parts import longest_of, part_spec
from manjha.research.evolve.source import Evolved
from manjha.research.search.objective import parse_objective
from manjha.services.evolution import EvolutionPlan, EvolutionReport, Evolving, evolve
from manjha.services.searches import SearchServices
from tests.fakes.hand_made import Row, days, share_named, spec_of
from tests.fakes.trials import MemoryTrialLedger

HOLDOUT = 0.25
FIRST = parse_day("2020-01-01")


def rows_that_return(count: int = 400, swing: float = 3.0, seed: int = 5) -> list[Row]:
    """Return days whose closes lie about 500 rupees, each by itself: what is cheap is dearer the next day."""
    closes = np.round(500 + np.random.default_rng(seed).normal(0, swing, count) * 5, 1)
    opens = np.concatenate([[500.0], closes[:-1]])
    return [
        (float(o), float(max(o, c)) + 1.0, float(min(o, c)) - 1.0, float(c)) for o, c in zip(opens, closes, strict=True)
    ]


def spec_that_returns(volume: int = 10**6) -> BacktestSpec:
    return spec_of(Evolved(), days(share_named(), rows_that_return(), first=FIRST, volume=volume))


def load_part(*, later: bool) -> BacktestSpec:
    return part_spec(spec_that_returns(), HOLDOUT, later=later)


def plan_of_evolution(objective: str = "sharpe") -> EvolutionPlan:
    inside, later = load_part(later=False), load_part(later=True)
    return EvolutionPlan(
        study="bred",
        spec=inside,
        later=later,
        load=partial(load_part, later=False),
        grammar=GrammarTerms(longest=longest_of(inside, later)),
        objective=parse_objective(objective),
    )


def evolved(
    runner: TaskRunner, objective: str = "sharpe", **given: object
) -> tuple[EvolutionReport, MemoryTrialLedger]:
    terms: dict[str, object] = {"generations": 3, "population": 12, "seed": 7} | given
    ledger = MemoryTrialLedger()
    plan = plan_of_evolution(objective)
    return evolve(SearchServices(runner, ledger), plan, Evolving(**terms)), ledger  # type: ignore[arg-type]
