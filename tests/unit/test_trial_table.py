"""Which trials of a ledger are compared, and what is said where there is nothing to compare."""

from typing import Any

import msgspec
import numpy as np
import pytest

from manjha.domain.errors import UsageError
from manjha.domain.trials import Trial, TrialOutcome, TrialStatus
from manjha.research.overfit import Context, judge
from manjha.research.search.summary import moments_of, pack_returns
from manjha.research.search.trial_table import Chosen, trial_table
from tests.fakes.trials import FAILED, SUBJECT


def tried(number: int, *, mean: float = 0.0, days: int = 60, data: str = "d", source: str = "5") -> Trial:
    returns = np.random.default_rng(number).normal(mean, 0.01, days)
    outcome = TrialOutcome(status=TrialStatus.OK, moments=moments_of(returns), returns=pack_returns(returns), trades=5)
    subject = msgspec.structs.replace(SUBJECT, data_hash=data * 64, source_hash=source * 64)
    return Trial(subject, f'{{"fast":{number},"mode":"{"ab"[number % 2]}"}}', outcome)


def without_returns(trial: Trial) -> Trial:
    return msgspec.structs.replace(trial, outcome=msgspec.structs.replace(trial.outcome, returns=b""))


GOOD = tried(3, mean=0.01)
FOUR = [tried(1), tried(2), GOOD, tried(4)]


def test_the_best_of_the_trials_is_judged() -> None:
    table = trial_table(FOUR, Chosen())
    assert (table.judged, table.returns.shape, len(table.sharpes)) == (GOOD, (60, 4), 4)
    assert table.sharpes[table.row] == table.sharpes.max()


def test_a_variant_is_judged_on_demand() -> None:
    assert trial_table(FOUR, Chosen(variant={"fast": "2.0", "mode": "A"})).judged == FOUR[1]
    with pytest.raises(UsageError, match=r"no trial on .* has fast=9"):
        trial_table(FOUR, Chosen(variant={"fast": "9"}))


def test_every_variant_counts_but_only_the_same_days_are_compared() -> None:
    table = trial_table([*FOUR, tried(5, data="e"), tried(1, data="e"), without_returns(tried(6))], Chosen())
    assert (table.returns.shape[1], len(table.sharpes)) == (4, 6)
    assert table.notes == ("3 further trials on other days, given up early or without daily returns",)


def moved(trial: Trial, **changes: Any) -> Trial:
    """Return a trial as it is on 5-minute bars of the same days."""
    finer = {"data_set": "NSE:ALPHA 5m", "interval": 300, "data_hash": "a" * 64}
    return msgspec.structs.replace(trial, subject=msgspec.structs.replace(trial.subject, **(finer | changes)))


def test_a_search_moved_to_another_interval_counts_on_and_is_not_compared() -> None:
    finer = [moved(tried(number)) for number in range(1, 9)]
    table = trial_table(FOUR, Chosen(), lambda scope: [one for one in [*FOUR, *finer] if scope.has(one.subject)])
    alone = trial_table(FOUR, Chosen())
    assert (table.returns.shape[1], len(table.sharpes), len(alone.sharpes)) == (4, 12, 4)
    assert table.judged == alone.judged == GOOD
    assert int(table.peers.sum()) == 4
    found, before = (
        judge(one.returns, one.column, seed=1, context=Context(sharpes=one.sharpes, row=one.row))
        for one in (table, alone)
    )
    assert (found.trials, before.trials) == (12, 4)
    assert found.deflated < before.deflated
    assert repr((found.overfitting, found.superiority)) == repr((before.overfitting, before.superiority))


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy": "other"},
        {"instruments": "NSE:BETA", "data_set": "NSE:BETA 5m"},
        {"first_ns": SUBJECT.last_ns, "last_ns": SUBJECT.last_ns + 1},
        {"first_ns": SUBJECT.first_ns - 9, "last_ns": SUBJECT.first_ns},
    ],
)
def test_what_is_of_something_else_does_not_count(changes: dict[str, Any]) -> None:
    others = [moved(tried(number), **changes) for number in range(1, 9)]
    table = trial_table(FOUR, Chosen(), lambda scope: [one for one in [*FOUR, *others] if scope.has(one.subject)])
    assert len(table.sharpes) == 4


def test_a_study_restricts_what_is_compared_not_what_is_counted() -> None:
    table = trial_table(FOUR, Chosen(study=frozenset(one.key for one in FOUR[:2])))
    assert (len(table.trials), len(table.sharpes)) == (2, 4)


def test_failed_trials_do_not_count_and_idle_ones_do() -> None:
    idle = Trial(
        SUBJECT, '{"fast":7,"mode":"a"}', TrialOutcome(status=TrialStatus.OK, returns=pack_returns(np.zeros(60)))
    )
    failed = Trial(SUBJECT, '{"fast":8,"mode":"a"}', FAILED)
    table = trial_table([*FOUR, idle, failed], Chosen())
    assert (len(table.sharpes), table.sharpes[-1]) == (5, 0.0)


def test_those_under_the_same_code_and_settings_are_judged_first() -> None:
    older = [tried(one.outcome.trades + at, source="6") for at, one in enumerate(FOUR)]
    kin = ("6" * 64, SUBJECT.settings_hash)
    table = trial_table([*FOUR, *older], Chosen(kin=kin))
    assert table.judged in older
    assert int(table.peers.sum()) == 4


def test_parameters_are_numbers_and_words_are_numbered() -> None:
    table = trial_table(FOUR, Chosen())
    assert table.names == ("fast", "mode")
    assert table.parameters.tolist() == [[1, 1], [2, 0], [3, 1], [4, 0]]
    assert table.is_grid


@pytest.mark.parametrize(
    ("trials", "chosen", "message"),
    [
        ([], Chosen(), "there are no trials to judge"),
        ([Trial(SUBJECT, "{}", FAILED)], Chosen(), "there are no trials to judge: all 1 failed"),
        (FOUR, Chosen(data_hash="f" * 64), "none of the trials is on the bars of this span"),
        ([without_returns(one) for one in FOUR], Chosen(), "none of the 4 trials kept its daily returns"),
        (FOUR[:1], Chosen(), "one trial with daily returns"),
        ([tried(1, days=19), tried(2, days=19)], Chosen(), "19 days of returns are too few"),
    ],
)
def test_what_cannot_be_judged_is_told(trials: list[Trial], chosen: Chosen, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        trial_table(trials, chosen)
