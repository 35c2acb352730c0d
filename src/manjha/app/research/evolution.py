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
from manjha.app.research.requests import make_request
from manjha.app.settings import Settings
from manjha.domain.bars import DAY, format_interval
from manjha.domain.errors import UsageError
from manjha.domain.moments import day_of, format_day
from manjha.domain.orders import Product
from manjha.ports.study_journals import StudyJournal
from manjha.research.backtest import BacktestSpec
from manjha.research.evolve.grammar import GrammarTerms
from manjha.research.evolve.parts import longest_of, part_spec
from manjha.research.evolve.record import Wrote, read_files, write
from manjha.research.evolve.source import Evolved, Written, mark_of, source_of
from manjha.research.metrics.analysis import written as shown
from manjha.research.search.objective import parse_objective
from manjha.research.search.summary import from_pico
from manjha.research.search.variants import subject_of
from manjha.services.backtests import plan_backtest
from manjha.services.evolution import EvolutionPlan, EvolutionReport, Evolving, Survivor, grammar_of

DRAFT = ".tmp"
"""How a file ends that is not whole yet."""


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
    # How long is bred and how many are shown is no part of it: the study goes on with more generations.
    course = msgspec.structs.replace(evolving, generations=0, top=0)
    mark = hashlib.sha256(msgspec.json.encode([subject, words.objective, words.holdout, course])).hexdigest()[:8]
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


def require_free(folder: Path, study: str, journal: StudyJournal) -> None:
    """Raise `UsageError` unless survivors can be written there without touching anything that the study did not write.

    Files that an earlier run of the study wrote there and that are as they were written will be replaced.
    """
    if folder.is_dir():
        ours = _written(folder, study, journal)
        others = [path for path in sorted(folder.iterdir()) if not _is_as_written(path, ours)]
        if not others:
            return
        if others[0].name in ours:
            raise UsageError(
                f"{others[0]} was changed since the study wrote it; nothing of yours is overwritten",
                hint="Move it away, or give another folder as --out.",
            )
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


def write_survivors(
    plan: EvolutionPlan, evolving: Evolving, report: EvolutionReport, folder: Path, journal: StudyJournal
) -> list[Path]:
    """Write each survivor as a strategy file and return where, in the order of the report.

    The files of an earlier run of the study in this folder go, see `require_free`.
    """
    # What was written before may have been edited while rules were bred.
    require_free(folder, plan.study, journal)
    texts = {f"evolved_{mark_of(one.row.text)}.py": _file_of(plan, evolving, report, one) for one in report.survivors}
    before = _written(folder, plan.study, journal)
    journal.append(write(Wrote(str(folder.absolute()), {name: _hash(text.encode()) for name, text in texts.items()})))
    folder.mkdir(parents=True, exist_ok=True)
    for name in before:
        (folder / name).unlink(missing_ok=True)
        (folder / name).with_suffix(DRAFT).unlink(missing_ok=True)
    for name, text in texts.items():
        draft = (folder / name).with_suffix(DRAFT)
        draft.write_text(text, encoding="utf-8")
        draft.replace(folder / name)
    return [folder / name for name in texts]


def _file_of(plan: EvolutionPlan, evolving: Evolving, report: EvolutionReport, survivor: Survivor) -> str:
    text = survivor.row.text
    title = (
        f"Evolved rule {mark_of(text)}: generation {survivor.row.generation}, seed {evolving.seed}, "
        f"on {report.data_set}."
    )
    told = Written(plan.spec.strategy.product, title, tuple(story_of(plan, report, survivor)))
    return source_of(text, grammar_of(plan.grammar), told)


def _written(folder: Path, study: str, journal: StudyJournal) -> dict[str, set[str]]:
    """Return the hashes that each file had which the study ever wrote to a folder."""
    found: dict[str, set[str]] = {}
    for line in read_files(journal.lines(), study):
        for name, mark in line.files.items() if line.folder == str(folder.absolute()) else ():
            found.setdefault(name, set()).add(mark)
    return found


def _is_as_written(path: Path, ours: Mapping[str, set[str]]) -> bool:
    if path.suffix == DRAFT and path.with_suffix(".py").name in ours:
        return True
    return path.is_file() and _hash(path.read_bytes()) in ours.get(path.name, ())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


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
        f"Chosen from {report.trials} rules that were tried on {report.instruments}: most of what looks good among so "
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
