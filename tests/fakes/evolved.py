"""A market with an edge that a simple rule finds, plans to breed on it, and a wandering one without; found by name."""

import os
import signal
import sys
from collections.abc import Generator, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from manjha.adapters.files.study_journals import open_journal
from manjha.adapters.sql.database import Database
from manjha.adapters.sql.trial_ledger import SqlTrialLedger
from manjha.adapters.system.clock import SystemClock
from manjha.adapters.system.processes import InlineRunner
from manjha.domain.moments import parse_day
from manjha.ports.study_journals import StudyJournal
from manjha.ports.tasks import TaskRunner, Work
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


def evolving_of(**given: object) -> Evolving:
    terms: dict[str, object] = {"generations": 3, "population": 12, "seed": 7} | given
    return Evolving(**terms)  # type: ignore[arg-type]


class MemoryJournal:
    """Implements `ports.study_journals.StudyJournal`."""

    def __init__(self) -> None:
        self.held: list[bytes] = []

    def lines(self) -> list[bytes]:
        return list(self.held)

    def append(self, line: bytes) -> None:
        self.held.append(line)

    def clear(self) -> None:
        self.held.clear()


def evolved(
    runner: TaskRunner,
    objective: str = "sharpe",
    journal: StudyJournal | None = None,
    ledger: MemoryTrialLedger | None = None,
    **given: object,
) -> tuple[EvolutionReport, MemoryTrialLedger]:
    ledger = ledger or MemoryTrialLedger()
    plan = plan_of_evolution(objective)
    services = SearchServices(runner, ledger)
    return evolve(services, plan, evolving_of(**given), journal or MemoryJournal()), ledger


def ledger_in(folder: Path) -> SqlTrialLedger:
    return SqlTrialLedger(Database(f"sqlite:///{folder / 'trials.db'}"), SystemClock())


def evolved_in(folder: Path, runner: TaskRunner) -> EvolutionReport:
    """Breed with everything that is kept in a folder, as a process of its own does."""
    with open_journal(folder / "bred.journal") as journal:
        services = SearchServices(runner, ledger_in(folder))
        return evolve(services, plan_of_evolution(), evolving_of(), journal)


class Killing:
    """A crew whose process is killed at its n-th result, as by `kill -9`."""

    def __init__(self, at: int) -> None:
        self.left = at

    def hire(self, work: Work[Any, Any, Any]) -> "Killing":
        self.crew = InlineRunner().hire(work)
        return self

    def __enter__(self) -> "Killing":
        return self

    def __exit__(self, *of_error: object) -> None:
        return None

    def run(self, tasks: Iterable[Any]) -> Generator[Any, None, None]:
        for result in self.crew.run(tasks):
            self.left -= 1
            if self.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            yield result


if __name__ == "__main__":
    evolved_in(Path(sys.argv[1]), Killing(int(sys.argv[2])))
