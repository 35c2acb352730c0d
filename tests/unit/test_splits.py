"""Splits by hand, against skfolio, and what they say when they cannot be."""

import numpy as np
import pytest
from skfolio.model_selection import CombinatorialPurgedCV, WalkForward

from manjha.domain.errors import UsageError
from manjha.research.splits import Range, Split, combinatorial, purged_folds, walk_forward, walk_forward_in


def test_rolling_windows_by_hand() -> None:
    assert walk_forward(10, train=4, test=2) == (
        Split((Range(0, 4),), (Range(4, 6),)),
        Split((Range(2, 6),), (Range(6, 8),)),
        Split((Range(4, 8),), (Range(8, 10),)),
    )


def test_anchored_windows_learn_from_the_first_bar_and_leave_the_gap() -> None:
    assert walk_forward(10, train=4, test=2, gap=1, anchored=True) == (
        Split((Range(0, 4),), (Range(5, 7),)),
        Split((Range(0, 6),), (Range(7, 9),)),
    )


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("gap", [0, 3])
def test_walk_forward_is_that_of_skfolio(gap: int, anchored: bool) -> None:
    ours = walk_forward(200, train=40, test=15, gap=gap, anchored=anchored)
    theirs = list(
        WalkForward(test_size=15, train_size=40, purged_size=gap, expand_train=anchored).split(np.zeros((200, 1)))
    )
    assert [split.test_rows.tolist() for split in ours] == [test.tolist() for _, test in theirs]
    assert len(ours) > 9
    assert [split.train_rows.tolist() for split in ours] == [train.tolist() for train, _ in theirs]


@pytest.mark.parametrize("tests", [2, 3])
@pytest.mark.parametrize(("horizon", "embargo"), [(0, 0), (3, 0), (0, 2), (3, 2)])
def test_combinatorial_is_that_of_skfolio(tests: int, horizon: int, embargo: int) -> None:
    ours = combinatorial(120, groups=6, tests=tests, horizon=horizon, embargo=embargo)
    oracle = CombinatorialPurgedCV(6, tests, purged_size=horizon, embargo_size=embargo)
    theirs = list(oracle.split(np.zeros((120, 1))))
    assert [split.train_rows.tolist() for split in ours.splits] == [train.tolist() for train, _ in theirs]
    assert [split.test_rows.tolist() for split in ours.splits] == [np.concatenate(test).tolist() for _, test in theirs]
    assert np.array_equal(np.array(ours.paths).T, oracle.recombined_paths)


def test_the_book_has_fifteen_splits_and_five_paths() -> None:
    """López de Prado 2018, figure 12.1: six groups, two tested."""
    found = combinatorial(60, groups=6, tests=2)
    assert (len(found.splits), len(found.paths)) == (15, 5)


def test_twenty_windows_use_the_data_to_the_end() -> None:
    splits = walk_forward_in(100_000, windows=20, ratio=4.0, gap=10)
    assert len(splits) == 20
    assert splits[-1].test[0].end == 100_000
    assert {len(split.test[0]) for split in splits} == {4166}
    assert {len(split.train[0]) for split in splits} == {16664}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: walk_forward(100, train=90, test=20), "110 in all; there are 100"),
        (lambda: walk_forward(100, train=0, test=20), "train must be at least 1, got 0"),
        (lambda: walk_forward(100, train=10, test=20, gap=-1), "gap must be at least 0"),
        (lambda: walk_forward_in(10, windows=20), "longer than the data of 10 bars"),
        (lambda: walk_forward_in(10, windows=2, ratio=float("nan")), "positive number"),
        (lambda: purged_folds(3, folds=5), "5 groups need at least 5 bars, there are 3"),
        (lambda: purged_folds(30, folds=1), "folds must be at least 2"),
        (lambda: purged_folds(30, folds=3, horizon=20), "leave no training"),
        (lambda: combinatorial(30, groups=4, tests=4), "1 to 3 can be tested"),
        (lambda: combinatorial(1000, groups=20, tests=10), "184,756 splits"),
    ],
)
def test_what_cannot_be_is_said(call: object, said: str) -> None:
    assert callable(call)
    with pytest.raises(UsageError, match=said):
        call()
