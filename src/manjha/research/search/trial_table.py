"""Trials of a ledger as the table that statistics of luck are made from: on the same bars, with daily returns."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from manjha.domain.errors import UsageError
from manjha.domain.moments import day_of, format_day
from manjha.domain.trials import Trial, TrialScope, TrialStatus
from manjha.research.metrics.daily import Floats
from manjha.research.search.summary import from_pico, unpack_returns

FEWEST_TRIALS = 2
"""The best of one is no choice."""
FEWEST_DAYS = 20
"""A month: fewer returns say nothing."""
DENSE = 2
"""A search is a grid where at least one in so many combinations of the values tried was tried."""
SHARE = 0.1
"""Neighbours of a search that is none lie within this share of each parameter's range."""


class Chosen(msgspec.Struct, frozen=True):
    """Which trials, and which of them: all empty is all, and the best.

    `study` restricts the table, not the count. `data_hash` is that of the bars. `kin` is source and settings hash:
    trials under others are judged only where there is none under these. `variant` are parameters, as texts.
    """

    study: frozenset[str] | None = None
    data_hash: str = ""
    kin: tuple[str, str] = ("", "")
    variant: Mapping[str, str] = {}


class TrialTable(msgspec.Struct, frozen=True, eq=False):
    """N trials on the same T days, and the M variants ever evaluated in their scope, at any interval, those N included.

    `returns` (T, N) belong to `trials`, of which `column` is judged. `sharpes` (M,) are of a day, whatever the length
    of the bars, 0 for a variant that never traded; `row` is the judged one's. `parameters` (M, P) are numbers, words
    numbered in order, of the parameters `names` that vary; `peers` (M,) those with the judged one's source, settings,
    seed and bars. `is_grid` tells whether their values make a grid.
    """

    trials: tuple[Trial, ...]
    column: int
    returns: Floats
    sharpes: Floats
    row: int
    names: tuple[str, ...]
    parameters: Floats
    peers: NDArray[np.bool_]
    is_grid: bool
    notes: tuple[str, ...]

    @property
    def judged(self) -> Trial:
        """The trial that is judged."""
        return self.trials[self.column]


def trial_table(
    trials: Sequence[Trial], chosen: Chosen, counted: Callable[[TrialScope], Sequence[Trial]] | None = None
) -> TrialTable:
    """Make the table of all trials of a strategy on a data set.

    `counted` gives the trials that count in the scope of the judged one; without it, they are among `trials`.

    Raises
    ------
    UsageError
        None of the trials is on these bars, kept its returns or is the variant; or they, or their days, are too few.
    """
    among = [one for one in trials if chosen.study is None or one.key in chosen.study]
    asked = [one for one in among if one.outcome.status is not TrialStatus.FAILED]
    if not asked:
        failed = f": all {len(among):,} failed" if among else ""
        raise UsageError(
            f"there are no trials to judge{failed}",
            hint="Make some with `manjha sweep` or `manjha optimize`, on the same instruments and interval.",
        )
    columns, returns, notes = _columns(asked, chosen)
    column = _judged(columns, returns, chosen)
    judged = columns[column]
    scope = judged.subject.scope
    evaluated = _counted(trials, scope) if counted is None else counted(scope)
    # Each variant once: on these bars where it was tried on them, else as it was tried last.
    variants = {one.variant: one for one in evaluated} | {one.variant: one for one in columns}
    rows = list(variants.values())
    names, parameters = numbers_of([values_of(one) for one in rows])
    subject = judged.subject
    peers = np.array([one.subject == subject for one in rows])
    return TrialTable(
        trials=tuple(columns),
        column=column,
        returns=returns,
        sharpes=np.array([_sharpe(one) for one in rows]),
        row=list(variants).index(judged.variant),
        names=names,
        parameters=parameters,
        peers=peers,
        is_grid=is_grid(parameters[peers]),
        notes=notes,
    )


def _counted(trials: Sequence[Trial], scope: TrialScope) -> list[Trial]:
    return [one for one in trials if one.outcome.status is not TrialStatus.FAILED and scope.has(one.subject)]


def values_of(trial: Trial) -> dict[str, Any]:
    """Return the parameters of a trial."""
    return dict(msgspec.json.decode(trial.parameters))


def span_of(trial: Trial) -> str:
    """Return the first and the last day of a trial's bars, for people."""
    return f"{format_day(day_of(trial.subject.first_ns))} to {format_day(day_of(trial.subject.last_ns))}"


def _columns(asked: Sequence[Trial], chosen: Chosen) -> tuple[list[Trial], Floats, tuple[str, ...]]:
    """Return the trials with returns on the bars asked for, else on those with most; all of the commonest length."""
    on_bars = [one for one in asked if chosen.data_hash in ("", one.subject.data_hash)]
    if not on_bars:
        spans = Counter(span_of(one) for one in asked)
        listed = ", ".join(f"{span} ({count:,})" for span, count in spans.most_common(3))
        raise UsageError(
            "none of the trials is on the bars of this span",
            hint=f"Give --from and --to as they were tried, or try it on this span. There are: {listed}.",
        )
    kept = [one for one in on_bars if one.outcome.returns and one.outcome.status is TrialStatus.OK]
    if not kept:
        raise UsageError(
            f"none of the {len(on_bars):,} trials kept its daily returns",
            hint="Repeat the search without --no-returns. Windows of a walk-forward keep none.",
        )
    most = Counter(one.subject.data_hash for one in reversed(kept)).most_common(1)[0][0]
    kept = [one for one in kept if one.subject.data_hash == most]
    tables = [unpack_returns(one.outcome.returns) for one in kept]
    days = Counter(map(len, tables)).most_common(1)[0][0]
    pairs = [(one, table) for one, table in zip(kept, tables, strict=True) if len(table) == days]
    if len(pairs) < FEWEST_TRIALS:
        raise UsageError(
            f"one trial with daily returns on {span_of(kept[0])}: nothing was chosen, so there is nothing to judge",
            hint="Try more variants with `manjha sweep` or `manjha optimize`.",
        )
    if days < FEWEST_DAYS:
        raise UsageError(
            f"{days} days of returns are too few to judge, at least {FEWEST_DAYS} are needed",
            hint="Try the variants on a longer span.",
        )
    others = len(on_bars) - len(pairs)
    notes = (f"{others:,} further trials on other days, given up early or without daily returns",) if others else ()
    return [one for one, _ in pairs], np.stack([table for _, table in pairs], axis=1), notes


def _judged(columns: Sequence[Trial], returns: Floats, chosen: Chosen) -> int:
    """Return the column with the best Sharpe ratio among those that are asked for."""
    wanted = [at for at, one in enumerate(columns) if _is_variant(values_of(one), chosen.variant)]
    if not wanted:
        known = ", ".join(f"{name}={value}" for name, value in values_of(columns[0]).items())
        raise UsageError(
            f"no trial on {span_of(columns[0])} has {', '.join(f'{k}={v}' for k, v in chosen.variant.items())}",
            hint=f"One of them has {known}.",
        )
    kin = [at for at in wanted if (columns[at].subject.source_hash, columns[at].subject.settings_hash) == chosen.kin]
    return max(kin or wanted, key=lambda at: (_sharpe(columns[at]), float(returns[:, at].sum()), -at))


def _is_variant(values: Mapping[str, Any], asked: Mapping[str, str]) -> bool:
    return all(name in values and _same(values[name], text) for name, text in asked.items())


def _same(value: object, text: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).lower() == text.strip().lower()
    try:
        return float(text) == float(value)
    except ValueError:
        return False


def _sharpe(trial: Trial) -> float:
    """Return the Sharpe ratio of a day; 0 where returns did not vary, because it was a trial."""
    found = from_pico(trial.outcome.moments.sharpe)
    return 0.0 if math.isnan(found) else found


def numbers_of(values: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], Floats]:
    """Return the parameters that vary, and their values as numbers, shape (N, P).

    Words are numbered in order; a parameter that a trial has not is its smallest value.
    """
    names = dict.fromkeys(name for one in values for name in one)
    held: list[str] = []
    columns: list[list[float]] = []
    for name in names:
        found = [one.get(name) for one in values]
        words = sorted({value for value in found if isinstance(value, str)})
        column = [float(words.index(v)) if isinstance(v, str) else math.nan if v is None else float(v) for v in found]
        least = min(value for value in column if not math.isnan(value))
        column = [least if math.isnan(value) else value for value in column]
        if len(set(column)) > 1:
            held.append(name)
            columns.append(column)
    return tuple(held), np.array(columns, np.float64).T.reshape(len(values), len(held))


def is_grid(parameters: Floats) -> bool:
    """Tell whether parameters, shape (N, P), were tried as a grid, or as points here and there."""
    cells = math.prod(len(np.unique(parameters[:, at])) for at in range(parameters.shape[1]))
    return cells <= DENSE * len(parameters)
