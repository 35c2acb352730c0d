"""An evolution of rules from words, and its survivors as files."""

import hashlib
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from manjha.app.bootstrap import backtest_services
from manjha.app.requests import make_request
from manjha.app.settings import Settings
from manjha.domain.bars import DAY, format_interval
from manjha.domain.errors import UsageError
from manjha.domain.moments import day_of, format_day
from manjha.domain.orders import Product
from manjha.research.backtest import BacktestSpec
from manjha.research.evolve.grammar import GrammarTerms
from manjha.research.evolve.parts import longest_of, part_spec
from manjha.research.evolve.source import Evolved, Written, mark_of, source_of
from manjha.research.metrics.analysis import written as shown
from manjha.research.search.objective import parse_objective
from manjha.research.search.summary import from_pico
from manjha.research.search.variants import subject_of
from manjha.services.backtests import plan_backtest
from manjha.services.evolution import EvolutionPlan, EvolutionReport, Evolving, Survivor, grammar_of


class EvolutionWords(msgspec.Struct, frozen=True, kw_only=True):
    """What a user types. `terms` are those of a backtest."""

    instrument: str
    terms: Mapping[str, Any]
    objective: str = "sharpe"
    holdout: float = 0.25
    has_short: bool = False


def plan_evolution(settings: Settings, words: EvolutionWords, evolving: Evolving, study: str = "") -> EvolutionPlan:
    """Return the plan that the words mean.

    Raises
    ------
    ManjhaError
        A word that means nothing, or data that is not there or too little; the message says what is expected.
    """
    objective = parse_objective(words.objective)
    terms = dict(words.terms)
    if words.has_short and not terms.get("product"):
        terms["product"] = "MIS"
    inside, later = (
        load_part(settings, words.instrument, terms, words.holdout, later=later) for later in (False, True)
    )
    product, bars = inside.strategy.product, inside.bars[0]
    if words.has_short and product is Product.CNC:
        raise UsageError("shares for delivery cannot be sold short", hint="Give --product MIS, or leave --short out.")
    if product is Product.MIS and bars.interval >= DAY:
        raise UsageError(
            "a position that ends with the day needs bars within the day, was 1d",
            hint="Give -i 15m or the like, or hold for delivery: long only, without --product MIS.",
        )
    has_volume = all(np.asarray(part.bars[0].volume).any() for part in (inside, later))
    grammar = GrammarTerms(
        has_volume=has_volume,
        has_short=words.has_short,
        has_clock=bars.interval < DAY,
        longest=longest_of(inside, later),
    )
    subject = subject_of(inside)
    mark = hashlib.sha256(msgspec.json.encode([subject, words.objective, words.holdout, evolving])).hexdigest()[:8]
    name = inside.instruments[0].display
    return EvolutionPlan(
        study=study or f"evolve-{mark}",
        spec=inside,
        later=later,
        load=partial(load_part, settings, words.instrument, terms, words.holdout, later=False),
        grammar=grammar,
        objective=objective,
        notes=() if has_volume else (f"{name} has no volume: indicators that need it are left out.",),
    )


def load_part(
    settings: Settings, instrument: str, terms: Mapping[str, Any], holdout: float, *, later: bool
) -> BacktestSpec:
    """Return one part of the run, with a stand-in as its strategy; a worker calls it once, for the first part."""
    spec = plan_backtest(backtest_services(settings), make_request(Evolved(), (instrument,), terms))
    return part_spec(spec, holdout, later=later)


def require_free(folder: Path) -> None:
    """Raise `UsageError` unless survivors can be written there without touching anything that is there."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists():
        what = "a folder with other files" if folder.is_dir() else "a file"
        raise UsageError(
            f"--out {folder} is {what}; nothing is overwritten", hint="Give another folder, which will be made."
        )
    above = next(one for one in folder.absolute().parents if one.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(
            f"--out {folder} cannot be made: {above} is no folder that may be written",
            hint="Give another folder, which will be made.",
        )


def write_survivors(plan: EvolutionPlan, evolving: Evolving, report: EvolutionReport, folder: Path) -> list[Path]:
    """Write each survivor as a strategy file and return where, in the order of the report."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for survivor in report.survivors:
        text = survivor.row.text
        title = (
            f"Evolved rule {mark_of(text)}: generation {survivor.row.generation}, seed {evolving.seed}, "
            f"on {report.data_set}."
        )
        told = Written(plan.spec.strategy.product, title, tuple(story_of(plan, report, survivor)))
        path = folder / f"evolved_{mark_of(text)}.py"
        with path.open("x", encoding="utf-8") as file:
            file.write(source_of(text, grammar_of(plan.grammar), told))
        paths.append(path)
    return paths


def story_of(plan: EvolutionPlan, report: EvolutionReport, survivor: Survivor) -> list[str]:
    """Return where a rule comes from and what it is worth, one line a sentence."""
    later = survivor.later
    objective = report.objective.name
    after = f"hold-out could not be run: {survivor.error}"
    if later is not None:
        after = f"{objective} {_value(report, later.values[0])}, return {_return(later.outcome.total_return)}, "
        after += f"{later.outcome.trades} trades"
    row = survivor.row
    return [
        f"In sample, {span_of(plan.spec)}: {objective} {_value(report, row.value)}, "
        f"return {_return(row.outcome.total_return)}, {row.outcome.trades} trades.",
        f"Held out, {span_of(plan.later)}: {after}.",
        f"Chosen from {report.trials} rules that were tried on {report.data_set}: most of what looks good among so "
        f"many is luck. Bars of {format_interval(plan.spec.bars[0].interval)}; the rule is yours to edit.",
    ]


def span_of(spec: BacktestSpec) -> str:
    """Return the days of a run in words."""
    bars = spec.bars[0]
    return f"{format_day(day_of(bars.ts_open_ns[0]))} to {format_day(day_of(bars.ts_open_ns[len(bars) - 1]))}"


def _value(report: EvolutionReport, value: float) -> str:
    return shown(report.objective.metric, value)


def _return(pico: int | None) -> str:
    return f"{from_pico(pico):.2%}"
