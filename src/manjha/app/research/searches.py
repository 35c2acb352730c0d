"""A search from words: what `manjha sweep` and `manjha optimize` have in common."""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from manjha.app.bootstrap import backtest_services, strategy_source
from manjha.app.research.requests import make_request
from manjha.app.research.terms import parse_params
from manjha.app.settings import Settings
from manjha.research.backtest import BacktestSpec
from manjha.research.search.constraints import parse_constraint
from manjha.research.search.objective import Objective, parse_objective
from manjha.research.search.points import Candidates
from manjha.research.search.space import parse_space
from manjha.research.search.variants import subject_of
from manjha.services.backtests import plan_backtest
from manjha.services.searches import SearchPlan


class SearchWords(msgspec.Struct, frozen=True, kw_only=True):
    """What a user types. `terms` are those of a backtest, `ranges` are like "fast=5:50:5"."""

    strategy: str
    instruments: tuple[str, ...]
    terms: Mapping[str, Any]
    ranges: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ("sharpe",)
    with_returns: bool = True


def plan_search(settings: Settings, words: SearchWords, study: str = "", *, kind: str, ways: object) -> SearchPlan:
    """Return the plan that the words mean. Without a study's name it follows from words, data, `kind` and `ways`.

    Raises
    ------
    ManjhaError
        A word that means nothing, or data that is not there; the message says what is expected.
    """
    candidates, objectives = candidates_of(settings, words)
    load = partial(load_spec, settings, _from_anywhere(words.strategy), words.instruments, dict(words.terms))
    spec = load()
    decisive = [subject_of(spec), words.ranges, words.constraints, words.objectives, ways]
    mark = hashlib.sha256(msgspec.json.encode(decisive)).hexdigest()[:8]
    return SearchPlan(
        study=study or f"{kind}-{candidates.strategy.name}-{mark}",
        spec=spec,
        load=load,
        candidates=candidates,
        objectives=objectives,
        with_returns=words.with_returns,
    )


def candidates_of(settings: Settings, words: SearchWords) -> tuple[Candidates, tuple[Objective, ...]]:
    """Return what may be tried and by what it is judged, without any data. Raises `UsageError`."""
    found = strategy_source(settings).find(words.strategy)
    dimensions = parse_space(found.name, found.params, parse_params(words.ranges))
    constraints = tuple(parse_constraint(text, found.params) for text in words.constraints)
    objectives = tuple(dict.fromkeys(parse_objective(text) for text in words.objectives))
    return Candidates(found, dimensions, constraints), objectives


def _from_anywhere(strategy: str) -> str:
    """Return a path so that a worker in another folder finds it; a name stays as it is."""
    path, colon, name = strategy.partition(":")
    is_path = path.endswith(".py") or "/" in path
    return f"{Path(path).expanduser().absolute()}{colon}{name}" if is_path else strategy


def load_spec(
    settings: Settings, strategy: str, instruments: tuple[str, ...], terms: Mapping[str, Any]
) -> BacktestSpec:
    """Return the run with the strategy's defaults; a worker calls it once and varies the parameters."""
    made = strategy_source(settings).find(strategy)()
    return plan_backtest(backtest_services(settings), make_request(made, instruments, terms))
