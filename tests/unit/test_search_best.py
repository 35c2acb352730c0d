"""The best of a search judged from its rows, and what its page draws."""

import math

import numpy as np
import pytest

from manjha.adapters.system.processes import InlineRunner
from manjha.app.research.search_tables import best_rows, counted, judged, search_document, search_page, sentence
from manjha.domain.trials import ReturnMoments
from manjha.research.overfit import Likelihood, TrackRecord, annualised, deflated_sharpe, track_record
from manjha.research.search.best import judge_best
from manjha.research.search.summary import moments_of
from manjha.research.search_report import pictures as draw
from manjha.services.searches import SearchReport
from manjha.services.sweeps import Sampling, sweep
from tests.fakes.searches import plan_of, services_of


def swept(*ranges: str, objectives: tuple[str, ...] = ("sharpe",)) -> SearchReport:
    return sweep(services_of(InlineRunner())[0], plan_of(*ranges, objectives=objectives), Sampling())


def test_the_best_is_deflated_by_how_many_there_were() -> None:
    returns = np.random.default_rng(5).normal(0.001, 0.01, (250, 30))
    moments = [moments_of(column) for column in returns.T]
    sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    best = int(np.argmax(sharpes))
    points = [{"a": n} for n in range(30)]
    known = [one.sharpe for one in moments] + [None] * 70
    found = judge_best(points, sharpes, moments, best, known)
    record = track_record(returns[:, best])
    variance = float(np.var([*sharpes, *[0.0] * 70], ddof=1))
    assert found.deflated == pytest.approx(deflated_sharpe(record, variance=variance, trials=100))
    assert found.sharpe == pytest.approx(annualised(record.sharpe, 252), abs=1e-6)
    assert judge_best(points, sharpes, moments, best, known * 100).deflated < found.deflated
    assert found.verdict.sentence.startswith("the best of 100 trials has a deflated Sharpe of ")


def test_a_trial_that_never_traded_counts_with_zero() -> None:
    moments = [ReturnMoments(250, sharpe=10**11, skewness=0, kurtosis=3 * 10**12), ReturnMoments(250)]
    found = judge_best([{"a": 1}, {"a": 2}], np.array([1.0, math.nan]), moments, 0, [10**11, None])
    record = TrackRecord(250, 0.1)
    assert found.deflated == pytest.approx(deflated_sharpe(record, variance=0.1**2 / 2, trials=2))


def test_ends_of_ranges_are_named_and_words_have_none() -> None:
    points = [{"a": n, "word": "xy"[n % 2]} for n in range(10)]
    goodness = np.arange(10.0)
    found = judge_best(points, goodness, [ReturnMoments(250, sharpe=10**10)] * 10, 9, [10**10] * 10)
    assert found.edges == ("a",)


def test_without_a_best_there_is_nothing_to_judge() -> None:
    report = SearchReport(
        study="s",
        strategy="waves",
        instruments="NSE:ALPHA",
        data_set="d",
        objectives=plan_of("length=2:3").objectives,
        rows=(),
        planned=3,
        left_out=0,
        new_trials=0,
        sharpes=(),
        is_interrupted=True,
    )
    assert judged(report) is None
    assert sentence(None) == "There is no best one to judge."
    assert counted(report) == "Interrupted: 0 of 3 combinations evaluated."
    assert search_page(report, [], "sweep").tables == ()


def test_the_page_says_what_the_table_says() -> None:
    report = swept("length=2:12", "lots=1,3")
    page = search_page(report, best_rows(report, 4), "sweep")
    assert page.sentence == search_document(report, [])["sentence"]
    assert page.likelihood in ("luck", "unproven", "edge")
    assert len(page.tables[0].rows) == 4
    assert page.pictures["space"]["all"] == 22
    assert "front" not in page.pictures
    assert judged(report).verdict.likelihood in set(Likelihood)  # type: ignore[union-attr]  # there is a best


def test_several_objectives_have_a_front_in_percent() -> None:
    report = swept("length=1:12", "lots=1,3", objectives=("total_return", "max_drawdown"))
    page = search_page(report, best_rows(report, 10), "optimisation")
    front = page.pictures["front"]
    assert front["names"] == ["total_return, %", "max_drawdown, %"]
    assert len(front["front"]) == len(report.pareto()) == len(page.tables[0].rows)
    assert len(front["front"]) + len(front["others"]) == 24
    assert max(row[0] for row in front["front"]) == pytest.approx(report.pareto()[0].values[0] * 100, rel=1e-5)


def test_a_front_leaves_out_what_is_not_defined() -> None:
    points = [{"a": n} for n in range(3)]
    values = np.array([[1.0, 2.0], [math.nan, 1.0], [0.0, 0.0]])
    found = draw.front(points, values, [True, True, False], names=("x", "y"))
    assert (found["front"], found["others"]) == ([[1.0, 2.0, "a 0"]], [[0.0, 0.0, "a 2"]])
    assert draw.front(points, np.full((3, 2), math.nan), [True] * 3, names=("x", "y")) == {}


def test_a_narrow_second_search_does_not_make_luck_an_edge() -> None:
    services, _ = services_of(InlineRunner())
    wide = sweep(services, plan_of("length=2:12"), Sampling())
    first = wide.best(1)[0].point["length"]
    for again in (f"length={first}", f"length={first},{'3' if first == 2 else '2'}"):
        narrow = sweep(services, plan_of(again), Sampling())
        assert judged(narrow).deflated == judged(wide).deflated  # type: ignore[union-attr]  # there is a best


def test_the_best_of_a_poor_search_is_not_called_the_best_of_all() -> None:
    services, _ = services_of(InlineRunner())
    wide = sweep(services, plan_of("length=2:11"), Sampling())
    last = wide.best(10)[-1].point["length"]
    narrow = sweep(services, plan_of(f"length={last}"), Sampling())
    assert sentence(judged(narrow)).startswith("Number 10 of 10 trials has a deflated Sharpe of ")
