"""What `manjha validate` says: one table for people, one document for programs, one page."""

import math
from typing import Any

from manjha.domain.moments import day_of, format_day
from manjha.domain.trials import tried_name
from manjha.research.overfit import Fan, Likelihood
from manjha.research.search.trial_table import span_of, values_of
from manjha.research.search_report import SearchPage, Table
from manjha.research.search_report import pictures as draw
from manjha.services.validation import Validation

SCHEMA = 1
"""Version of `validation_document`: it grows when a name changes its meaning or goes."""
YEAR = 252
HEADERS = ("", "", "meaning")
CARDS = (
    "Deflated Sharpe",
    "Sharpe ratio a year",
    "Best by luck alone",
    "Overfitting (PBO)",
    "Superiority (SPA)",
    "Plateau",
)


def rows_of(found: Validation) -> list[tuple[str, str, str]]:
    """Return name, value and meaning of each statistic that could be had."""
    one, root = found.judgement, math.sqrt(YEAR)
    rows = [
        ("Sharpe ratio a year", two(one.sharpe_year), f"over {one.record.count:,} days, after charges"),
        ("Above zero (PSR)", two(one.probabilistic), "if it were the only trial"),
        (
            "Best by luck alone",
            two(one.expected_maximum * root),
            f"a year, of {one.trials:,} trials without any skill",
        ),
        ("Deflated Sharpe", two(one.deflated), "probability of being above that"),
        ("Days to be above zero", _days(one.needed), "with 95 % confidence, if it were the only trial"),
        ("Days to be above luck", _days(one.needed_after_search), "with 95 % confidence, after the search"),
        (
            "Years for so many trials",
            two(one.backtest_years),
            f"below which such a best is luck; there were {one.years:.1f}",
        ),
    ]
    if one.overfitting is not None:
        rows.append(
            ("Overfitting (PBO)", two(one.overfitting.probability), f"{one.overfitting.loss:.0%} of the picks lost")
        )
    rows.append(
        (
            "Superiority (SPA)",
            two(one.superiority.consistent),
            f"p-value; White's reality check {two(one.superiority.white)}",
        )
    )
    if one.plateau is not None and not math.isnan(one.plateau.score):
        rows.append(("Plateau", two(one.plateau.score), f"of {one.plateau.neighbours} neighbours keep 80 % of it"))
    return rows + _bands(found) + _trades(found)


def _bands(found: Validation) -> list[tuple[str, str, str]]:
    bands = found.bands
    return [
        (
            "Return, 9 of 10",
            f"{percent(bands.final_return[0])} to {percent(bands.final_return[-1])}",
            "days drawn anew",
        ),
        ("Worst fall, 1 in 20", percent(bands.max_drawdown[0]), f"or more; it was {percent(bands.real_drawdown)}"),
    ]


def _trades(found: Validation) -> list[tuple[str, str, str]]:
    held = found.trades
    rows: list[tuple[str, str, str]] = []
    if held is None:
        return rows
    if held.shuffled is not None:
        fan = held.shuffled
        rows.append(
            (
                "Fall, trades shuffled",
                percent(fan.max_drawdown[2]),
                f"median of {held.closed:,} trades in other orders; it was {percent(fan.real_drawdown)}",
            )
        )
    if held.random is not None:
        luck = held.random
        rows.append(
            (
                "Random entries",
                two(luck.p_value),
                f"p-value; earned {percent(luck.real)}, they {percent(luck.mean)} before costs",
            )
        )
    if held.against is not None:
        other = held.against
        rows.append(
            (
                "Against holding",
                two(other.p_value),
                f"p-value; {percent(other.strategy)}, the benchmark {percent(other.benchmark)}",
            )
        )
    return rows


def heading(found: Validation) -> str:
    """Return what is judged, in a line."""
    trial, subject = found.trial, found.trial.subject
    values = ", ".join(f"{name}={value}" for name, value in values_of(trial).items())
    name = tried_name(subject.strategy, subject.chosen_from)
    return f"{name} on {subject.data_set}, {span_of(trial)}: {values}"


def validation_document(found: Validation) -> dict[str, Any]:
    """Return a validation as plain values; what is not defined is null, infinity the string "Infinity"."""
    one, trial = found.judgement, found.trial
    return {
        "schema": SCHEMA,
        "study": found.study,
        "strategy": trial.subject.strategy,
        "chosen_from": trial.subject.chosen_from,
        "data_set": trial.subject.data_set,
        "first": format_day(day_of(trial.subject.first_ns)),
        "last": format_day(day_of(trial.subject.last_ns)),
        "parameters": values_of(trial),
        "verdict": str(one.verdict.likelihood),
        "sentence": found.sentence,
        "reasons": list(one.verdict.reasons),
        "trials": one.trials,
        "compared": len(found.table.trials),
        "place": one.place,
        "statistics": plain_values(
            {
                "days": one.record.count,
                "sharpe_year": one.sharpe_year,
                "effective_trials": one.effective,
                "expected_maximum_year": one.expected_maximum * math.sqrt(YEAR),
                "probabilistic_sharpe": one.probabilistic,
                "deflated_sharpe": one.deflated,
                "days_needed": one.needed,
                "days_needed_after_search": one.needed_after_search,
                "backtest_years": one.backtest_years,
                "overfitting": one.overfitting.probability if one.overfitting else math.nan,
                "overfitting_loss": one.overfitting.loss if one.overfitting else math.nan,
                "white": one.superiority.white,
                "spa": one.superiority.consistent,
                "plateau": one.plateau.score if one.plateau else math.nan,
            }
        ),
        "days_drawn_anew": _fan(found.bands),
        "trades": _traded(found),
        "notes": list(found.notes),
    }


def validation_page(found: Validation) -> SearchPage:
    """Return the page of a validation."""
    one, table = found.judgement, found.table
    rows = rows_of(found)
    mine = [at for at, trial in enumerate(table.trials) if trial.subject == found.trial.subject]
    root = math.sqrt(YEAR)
    sharpes = table.returns.mean(axis=0) / _spread(table.returns.std(axis=0, ddof=1)) * root
    pictures = {
        "space": draw.space(
            [values_of(table.trials[at]) for at in mine], sharpes[mine], name="Sharpe a year", more_is_better=True
        ),
        "fan": draw.fan(found.bands, "days"),
        "shuffle": draw.fan(found.trades.shuffled, "trades") if found.trades and found.trades.shuffled else {},
        "logits": draw.logits(one.overfitting) if one.overfitting else {},
    }
    return SearchPage(
        kind="validation",
        strategy=found.trial.subject.strategy,
        data_set=found.trial.subject.data_set,
        meta=f"{span_of(found.trial)} · {one.trials:,} variants counted, {len(table.trials):,} compared day by day",
        sentence=found.sentence,
        likelihood=WORDS[one.verdict.likelihood],
        reasons=one.verdict.reasons,
        cards=tuple(row for row in rows if row[0] in CARDS),
        pictures={name: picture for name, picture in pictures.items() if picture},
        tables=(
            Table("Statistics", ("statistic", "value", "meaning"), tuple(rows), numbers=3),
            Table(
                "What was judged", ("parameter", "value"), tuple((k, str(v)) for k, v in values_of(found.trial).items())
            ),
        ),
        notes=found.notes,
    )


WORDS = {Likelihood.LUCK: "luck", Likelihood.UNPROVEN: "unproven", Likelihood.EDGE: "edge"}
"""How a page names a likelihood where it colours it."""


def _spread(values: Any) -> Any:
    """Return deviations; infinity where there is none, so that a ratio is 0."""
    values = values.copy()
    values[values <= 1e-12] = math.inf
    return values


def _fan(bands: Fan) -> dict[str, Any]:
    return {
        "levels": list(bands.levels),
        "return": bands.final_return.tolist(),
        "drawdown": bands.max_drawdown.tolist(),
        "loss": bands.loss,
        "ruin": bands.ruin,
        "worse_drawdown": bands.worse_drawdown,
    }


def _traded(found: Validation) -> dict[str, Any] | None:
    held = found.trades
    if held is None:
        return None
    luck, other = held.random, held.against
    return {
        "closed": held.closed,
        "shuffled": _fan(held.shuffled) if held.shuffled else None,
        "random_entries": plain_values({"real": luck.real, "mean": luck.mean, "p_value": luck.p_value})
        if luck
        else None,
        "benchmark": plain_values(
            {"strategy": other.strategy, "benchmark": other.benchmark, "beats": other.beats, "p_value": other.p_value}
        )
        if other
        else None,
    }


def plain_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return values for JSON: null for NaN, words for infinity."""
    return {
        name: None
        if isinstance(value, float) and math.isnan(value)
        else ("Infinity" if value > 0 else "-Infinity")
        if isinstance(value, float) and math.isinf(value)
        else value
        for name, value in values.items()
    }


def two(value: float) -> str:
    """Write two digits; a doubt is not rounded away."""
    if 0 < value < 0.005:
        return "< 0.01"
    return "–" if math.isnan(value) else "never" if math.isinf(value) else f"{value:.2f}".replace("-", "−")


def _days(value: float) -> str:
    return "–" if math.isnan(value) else "never" if math.isinf(value) else f"{math.ceil(value):,}"


def percent(value: float) -> str:
    """Write a fraction in percent."""
    return "–" if math.isnan(value) else f"{value * 100:.1f} %".replace("-", "−")
