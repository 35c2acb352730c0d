"""What a worker does for each kind of research: the command of that name, its output kept as files."""

from typing import Any

import msgspec

from manjha.app.jobs.workplace import REPORT, Workplace
from manjha.app.research.backtests import asked_backtest, run_backtest
from manjha.app.research.bias_runs import bias_request, run_bias_check
from manjha.app.research.search_runs import (
    Bench,
    Course,
    Route,
    run_optimisation,
    run_sweep,
    run_validation,
    run_walk,
)
from manjha.app.research.search_tables import best_rows, counted, search_document, search_page
from manjha.app.research.searches import SearchWords
from manjha.app.research.validation_tables import validation_document, validation_page
from manjha.app.research.validations import ValidationWords
from manjha.app.research.walk_tables import walk_document, walk_page
from manjha.domain.jobs import JobProblem
from manjha.research.bias.words import to_dict
from manjha.services.jobs.asked import (
    BacktestAsked,
    BiasCheckAsked,
    OptimisationAsked,
    SearchAsked,
    SweepAsked,
    Terms,
    ValidationAsked,
    WalkForwardAsked,
    as_pairs,
)
from manjha.services.jobs.attempt import Outcome
from manjha.services.searches import SearchReport

_HEADLINES = ("total_return", "cagr", "sharpe", "max_drawdown", "trades", "win_rate", "profit_factor")
_TRADE_MONEY = ("entry_price", "exit_price", "gross", "income", "charges", "net", "slippage", "mae", "mfe")
_TRADE = (
    *("instrument", "product", "strategy", "side", "qty", "entry", "exit"),
    *_TRADE_MONEY,
    *("bars", "entry_purpose", "exit_purpose", "tag", "open"),
)
_BIAS = ("subject", "biased", "checked", "points", "compared", "broken", "runs", "bars")
_WALK = (
    *("study", "strategy", "data_set", "objective", "verdict", "sentence", "combinations", "windows_planned"),
    *("efficiency", "return_year_inside", "return_year_outside", "sharpe_year_outside", "new_trials", "trials"),
)
_VALIDATION = ("study", "strategy", "data_set", "parameters", "verdict", "sentence", "trials", "compared", "statistics")


def words_of(terms: Terms) -> dict[str, Any]:
    """Return a backtest's terms by the names that requests have."""
    return msgspec.structs.asdict(terms)


def do_backtest(place: Workplace, asked: BacktestAsked) -> Outcome:
    """Run a backtest: result, report, round trips, equity by day."""
    extra = {"adjustment": asked.adjustment, "bias_check": asked.bias_check, "ticks": asked.ticks}
    request = asked_backtest(
        place.settings, asked.strategy, as_pairs(asked.params), asked.instruments, words_of(asked.terms) | extra
    )
    page = place.path(REPORT)
    ran = run_backtest(place.settings, request, page, place.tell, with_band=asked.band)
    place.keep(REPORT, "text/html", page.read_bytes())
    found = ran.document | {"report": REPORT}
    trips = [row | {"charges": row["charges"]["total"]} for row in found["round_trips"]]
    place.keep_rows("trades.csv", _TRADE, [[row[name] for name in _TRADE] for row in trips])
    place.keep_rows("equity.csv", ("day", "equity"), found["daily_equity"])
    metrics = {name: found["metrics"][name] for name in _HEADLINES if name in found["metrics"]}
    gist = {name: found[name] for name in ("run", "strategy", "instruments", "order_list_hash", "final", "trials")}
    problem = JobProblem(ran.failed.message, ran.failed.hint) if ran.failed else None
    return place.came_to(found, gist | {"metrics": metrics}, problem=problem)


def do_sweep(place: Workplace, asked: SweepAsked) -> Outcome:
    """Evaluate every combination, or a sample of them."""
    words = search_words(asked, (asked.objective,), with_returns=asked.returns)
    report = run_sweep(bench_of(place), words, asked.study, asked.sample, asked.seed)
    return _searched(place, report, asked.top, "sweep")


def do_optimisation(place: Workplace, asked: OptimisationAsked) -> Outcome:
    """Let a study propose combinations; what it has already is not evaluated again."""
    words = search_words(asked, asked.objectives, with_returns=asked.returns)
    report = run_optimisation(bench_of(place), words, asked.study, course_of(asked))
    return _searched(place, report, asked.top, "optimisation")


def do_walk_forward(place: Workplace, asked: WalkForwardAsked) -> Outcome:
    """Choose on the past, run on what came after."""
    words = search_words(asked, (asked.objective,), with_returns=False)
    found = run_walk(bench_of(place), words, asked.study, route_of(asked))
    if found.rows:
        place.keep_page(walk_page(found))
    document = walk_document(found) | {"report": REPORT if found.rows else None}
    place.keep_rows("equity.csv", ("day", "equity"), document["equity"])
    gist = {name: document[name] for name in _WALK}
    return place.came_to(document, gist, is_whole=not found.is_interrupted)


def do_validation(place: Workplace, asked: ValidationAsked) -> Outcome:
    """Judge the best of all trials by how many there were."""
    found = run_validation(place.settings, validation_words(asked), place.tell)
    place.keep_page(validation_page(found))
    document = validation_document(found) | {"report": REPORT}
    return place.came_to(document, {name: document[name] for name in _VALIDATION})


def do_bias_check(place: Workplace, asked: BiasCheckAsked) -> Outcome:
    """Cut a run short and change what comes after: what was decided before must stay. Bias found is a result."""
    request = bias_request(
        place.settings,
        (asked.strategy, asked.indicator),
        asked.instruments,
        bias_words(asked),
        [f"{name}={value}" for name, value in as_pairs(asked.params).items()],
    )
    document = to_dict(run_bias_check(place.settings, request, asked.points, asked.seed, place.tell))
    return place.came_to(document, {name: document[name] for name in _BIAS})


def bias_words(asked: BiasCheckAsked) -> dict[str, Any]:
    """Return the terms of a check by the names that requests have."""
    names = ("interval", "also", "start", "end", "adjustment", "size", "fill", "participation", "product")
    return {name: getattr(asked, name) for name in names} | {"index_proxy": asked.index_proxy}


def validation_words(asked: ValidationAsked) -> ValidationWords:
    """Return what is asked of the ledger."""
    held = {field: getattr(asked, field) for field in ValidationWords.__struct_fields__}
    return ValidationWords(**held | {"terms": words_of(asked.terms)})


def search_words(asked: SearchAsked, objectives: tuple[str, ...], *, with_returns: bool) -> SearchWords:
    """Return what is searched."""
    return SearchWords(
        strategy=asked.strategy,
        instruments=asked.instruments,
        terms=words_of(asked.terms),
        ranges=asked.ranges,
        constraints=asked.constraints,
        objectives=objectives,
        with_returns=with_returns,
    )


def course_of(asked: OptimisationAsked) -> Course:
    """Return how an optimisation goes."""
    names = [name for name in Course.__struct_fields__ if name != "storage"]
    return Course(**{name: getattr(asked, name) for name in names})


def route_of(asked: WalkForwardAsked) -> Route:
    """Return how a walk goes."""
    return Route(**{name: getattr(asked, name) for name in Route.__struct_fields__ if name != "trials"})


def bench_of(place: Workplace) -> Bench:
    """Return what searches are run with."""
    return Bench(place.settings, place.processes, place.tell, place.say)


def _searched(place: Workplace, report: SearchReport, top: int, kind: str) -> Outcome:
    best = best_rows(report, top)
    if report.rows:
        place.keep_page(search_page(report, best, kind))
    document = search_document(report, best) | {"report": REPORT if report.rows else None}
    names = list(report.rows[0].point) if report.rows else []
    headers = (*names, *(one.name for one in report.objectives), "status", "trades", "error")
    place.keep_rows(
        "rows.csv",
        headers,
        [
            (*row.point.values(), *row.values, row.outcome.status,
             row.outcome.trades, row.outcome.error)
            for row in report.rows
        ],
    )  # fmt: skip
    names = ["study", "strategy", "data_set", "evaluated", "planned", "failed", "pruned", "new_trials", "trials"]
    gist = {name: document[name] for name in (*names, "verdict", "sentence")}
    gist |= {"best": document["best"][:1], "counted": counted(report)}
    return place.came_to(document, gist, is_whole=not report.is_interrupted)
