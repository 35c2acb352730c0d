"""A timeline that grows bar by bar gives, to the last bit, the run over whole columns."""

from pathlib import Path

import msgspec
import pytest

from manjha.app.strategies import StrategyFiles
from manjha.engine.state import EngineState
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.conformance import synthetic_spec
from manjha.research.grown_drive import grown
from manjha.strategy import growing
from tests.fakes.grown_runs import outcome_of
from tests.fakes.market_rules import shipped_rules
from tests.fakes.random_runs import random_contracts, random_run
from tests.fakes.tick_runs import cut

BARS = 700
LIBRARY = {found.name: found for found in StrategyFiles(Path("nowhere")).all()}


def whole(spec: BacktestSpec) -> EngineState:
    states: list[EngineState] = []
    run_backtest(spec, watch=states.append)
    return states[0]


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_strategies_of_the_library_cannot_tell(name: str) -> None:
    made = synthetic_spec(LIBRARY[name], shipped_rules())
    # Whoever states columns is asked on all bars so far at every bar.
    spec = msgspec.structs.replace(made, bars=tuple(cut(columns, 0, BARS) for columns in made.bars))
    known = whole(spec)
    assert known.record_fills
    assert outcome_of(grown(msgspec.structs.replace(spec, strategy=LIBRARY[name]()))) == outcome_of(known)


@pytest.mark.parametrize("seed", range(24))
def test_strategies_of_columns_cannot_tell(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "ROOM", 1 + seed % 7)
    spec = (random_run if seed % 3 else random_contracts)(seed)
    known = whole(spec)
    assert outcome_of(grown(spec)) == outcome_of(known)
