"""The verdict in words, and the judge that collects the evidence."""

import math

import numpy as np
import pytest

from manjha.domain.errors import DataError, UsageError
from manjha.research.overfit import (
    Context,
    Evidence,
    Independence,
    JudgeOptions,
    Likelihood,
    Thresholds,
    deflated_sharpe,
    judge,
    sharpe_of_columns,
    track_record,
    verdict,
)
from manjha.research.overfit.inputs import Floats

QUICK = JudgeOptions(samples=200, blocks=10)


def noise(seed: int, rows: int = 500, columns: int = 40) -> Floats:
    return np.random.default_rng(seed).normal(0, 0.01, (rows, columns))


def best_of(table: Floats) -> int:
    return int(np.argmax(sharpe_of_columns(table)))


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        (Evidence(400, 1, 0.31), "the best of 400 trials has a deflated Sharpe of 0.31: likely luck"),
        (Evidence(1200, 7, 0.8), "number 7 of 1,200 trials has a deflated Sharpe of 0.80: not proven"),
        (
            Evidence(400, 1, 0.999, overfitting=0.02, loss=0.01, superiority=0.001),
            "the best of 400 trials has a deflated Sharpe of more than 0.99: unlikely to be luck alone",
        ),
        (
            Evidence(400, 1, 0.97, overfitting=0.62, loss=0.5),
            "the best of 400 trials has a deflated Sharpe of 0.97, but a probability of backtest overfitting of 0.62: "
            "likely luck",
        ),
        (
            Evidence(400, 1, 0.97, overfitting=0.01, loss=0.0, superiority=0.01, plateau=0.1),
            "the best of 400 trials has a deflated Sharpe of 0.97, but only 0.10 of its neighbours as good: not proven",
        ),
        (Evidence(1, 1, 0.5), "the only trial has a probabilistic Sharpe of 0.50: not proven"),
        (Evidence(9, 1, math.nan), "the best of 9 trials has no Sharpe ratio: there is nothing to judge"),
    ],
)
def test_the_sentence(evidence: Evidence, sentence: str) -> None:
    assert verdict(evidence).sentence == sentence


def test_picking_among_good_trials_is_no_overfitting() -> None:
    assert verdict(Evidence(40, 1, 0.99, overfitting=0.6, loss=0.0)).likelihood is Likelihood.EDGE


def test_thresholds_can_be_set_and_each_number_has_its_say() -> None:
    found = verdict(Evidence(40, 1, 0.9, superiority=0.2), Thresholds(deflated_edge=0.9, superiority_edge=0.2))
    assert found.likelihood is Likelihood.EDGE
    assert [reason.split(": ")[1] for reason in found.reasons] == [Likelihood.EDGE] * 2


def test_noise_is_hardly_ever_called_an_edge() -> None:
    found = [judge(table, best_of(table), seed=1, options=QUICK) for table in map(noise, range(40))]
    said = [one.verdict.likelihood for one in found]
    assert said.count(Likelihood.EDGE) <= 1
    assert said.count(Likelihood.LUCK) >= 15


def test_a_planted_edge_is_called_one() -> None:
    table = noise(1, 1000)
    table[:, 3] += 0.0025
    found = judge(table, best_of(table), seed=1, options=QUICK)
    assert found.verdict.likelihood is Likelihood.EDGE
    assert found.needed < found.needed_after_search < 1000
    assert found.backtest_years < found.years == pytest.approx(1000 / 252)
    assert found.notes == ()


def test_the_numbers_are_those_of_the_functions() -> None:
    table = noise(2)
    found = judge(table, 5, seed=1, options=QUICK)
    variance = float(np.var(sharpe_of_columns(table), ddof=1))
    assert found.deflated == deflated_sharpe(track_record(table[:, 5]), variance=variance, trials=40)
    assert found.place == 1 + int(np.sum(sharpe_of_columns(table) > sharpe_of_columns(table)[5]))
    assert found.overfitting is not None
    assert found.overfitting.blocks == 10
    again = judge(table, 5, seed=1, options=QUICK)
    assert (again.superiority, again.verdict) == (found.superiority, found.verdict)


def test_trials_whose_returns_were_not_kept_count() -> None:
    table = noise(3)
    best = best_of(table)
    kept = sharpe_of_columns(table)
    every = np.concatenate([kept, np.random.default_rng(9).normal(0, kept.std(), 4000), [math.nan] * 3])
    few, many = (
        judge(table, best, seed=1, options=QUICK, context=Context(sharpes=sharpes, row=best))
        for sharpes in (kept, every)
    )
    assert (few.trials, many.trials) == (40, 4040)
    assert many.deflated < few.deflated
    assert many.notes == ("3 trials without a Sharpe ratio are not counted",)


def test_alike_trials_deflate_less_if_asked() -> None:
    table = noise(4, 500, 1) + noise(5) * 0.1
    options = JudgeOptions(samples=200, blocks=10, independence=Independence.CORRELATION)
    apart, together = (judge(table, 0, seed=1, options=how) for how in (QUICK, options))
    assert apart.effective == 40
    assert together.effective < 2
    assert together.expected_maximum < apart.expected_maximum


def test_what_could_not_be_had_is_said() -> None:
    alone = judge(noise(6, 100, 1), 0, seed=1, options=QUICK)
    assert alone.overfitting is None
    assert alone.deflated == alone.probabilistic
    assert "one trial has no probability" in alone.notes[0]
    short = judge(noise(6, 30), 0, seed=1, options=QUICK)
    assert "which needs 40" in short.notes[0]
    idle = judge(np.zeros((100, 3)), 1, seed=1, options=QUICK)
    assert idle.verdict.sentence.endswith("there is nothing to judge")


def test_a_plateau_and_a_benchmark_have_their_say() -> None:
    table = noise(7, 500, 9)
    table[:, 4] += 0.004
    grid = np.array([[fast, slow] for fast in (5, 10, 20) for slow in (50, 100, 200)], np.float64)
    lonely = judge(table, 4, seed=1, options=QUICK, context=Context(parameters=grid))
    assert lonely.plateau is not None
    assert lonely.plateau.score == 0.0
    assert lonely.verdict.likelihood is Likelihood.UNPROVEN
    beaten = judge(table, 4, seed=1, options=QUICK, context=Context(benchmark=table[:, 4] + 0.001))
    assert beaten.superiority.consistent > 0.5
    edge = judge(table, 4, seed=1, options=QUICK, context=Context(parameters=np.arange(9.0)[::-1, None] * [1.0, 0.0]))
    assert edge.plateau is not None
    assert edge.plateau.edges == ()
    corner = judge(table, 0, seed=1, options=QUICK, context=Context(parameters=grid))
    assert corner.notes[-1].startswith("the parameters lie at the edge")


def test_bad_input_is_named() -> None:
    table = noise(8)
    with pytest.raises(UsageError, match="trials 0 to 39, not 40"):
        judge(table, 40, seed=1)
    with pytest.raises(UsageError, match="must be one of rows 0 to 39"):
        judge(table, 4, seed=1, context=Context(sharpes=sharpe_of_columns(table)))
    with pytest.raises(DataError, match="at least 40, got shape"):
        judge(table, 4, seed=1, context=Context(sharpes=np.zeros(3), row=1))
    with pytest.raises(DataError, match="500 returns cannot be compared with 3"):
        judge(table, 4, seed=1, context=Context(benchmark=np.zeros(3)), options=QUICK)
    with pytest.raises(DataError, match="row 2, column 1"):
        judge(np.where(np.arange(120).reshape(3, 40) == 81, math.nan, 0.0), 0, seed=1)
