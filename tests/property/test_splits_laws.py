"""What every split keeps, whatever its lengths."""

from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from manjha.domain.errors import UsageError
from manjha.research.splits import Split, combinatorial, purged_folds, walk_forward, walk_forward_in

COUNTS = st.integers(20, 300)
SMALL = st.integers(0, 6)


def bars_of(rows: list[int], horizon: int) -> set[int]:
    """Return every bar that the outcome of a row looks at."""
    return {row + ahead for row in rows for ahead in range(horizon + 1)}


def assert_apart(split: Split, horizon: int, embargo: int) -> None:
    train, test = split.train_rows.tolist(), split.test_rows.tolist()
    assert not bars_of(train, horizon) & bars_of(test, horizon)
    embargoed = {one.end + horizon + after for one in split.test for after in range(embargo)}
    assert not embargoed & set(train)


@given(COUNTS, st.integers(2, 10), SMALL, SMALL)
def test_folds_test_every_bar_once_and_never_touch(count: int, folds: int, horizon: int, embargo: int) -> None:
    try:
        splits = purged_folds(count, folds=folds, horizon=horizon, embargo=embargo)
    except UsageError:
        assume(False)
    assert sorted(row for split in splits for row in split.test_rows.tolist()) == list(range(count))
    for split in splits:
        assert_apart(split, horizon, embargo)


@given(COUNTS, st.integers(3, 7), st.integers(1, 3), SMALL, SMALL)
def test_paths_cover_every_bar_once(count: int, groups: int, tests: int, horizon: int, embargo: int) -> None:
    try:
        found = combinatorial(count, groups=groups, tests=tests, horizon=horizon, embargo=embargo)
    except UsageError:
        assume(False)
    for split in found.splits:
        assert_apart(split, horizon, embargo)
    used = Counter((group, at) for path in found.paths for group, at in enumerate(path))
    assert set(used.values()) == {1}
    assert all(found.groups[group] in found.splits[at].test for group, at in used)
    assert len(used) == len(found.splits) * tests


@given(COUNTS, st.integers(1, 60), st.integers(1, 30), st.integers(0, 10), st.booleans())
def test_windows_never_learn_from_what_comes_later(count: int, train: int, test: int, gap: int, anchored: bool) -> None:
    if train + gap + test > count:
        with pytest.raises(UsageError):
            walk_forward(count, train=train, test=test, gap=gap, anchored=anchored)
        return
    splits = walk_forward(count, train=train, test=test, gap=gap, anchored=anchored)
    assert all(split.train[0].end + gap == split.test[0].first for split in splits)
    tested = [row for split in splits for row in split.test_rows.tolist()]
    assert tested == list(range(train + gap, train + gap + len(splits) * test))
    assert count - test < tested[-1] + 1 <= count


@given(COUNTS, st.integers(1, 12), st.floats(0.2, 8), st.integers(0, 5), st.booleans())
def test_asked_for_windows_are_given_and_reach_the_end(
    count: int, windows: int, ratio: float, gap: int, anchored: bool
) -> None:
    try:
        splits = walk_forward_in(count, windows=windows, ratio=ratio, gap=gap, anchored=anchored)
    except UsageError:
        assume(False)
    assert len(splits) == windows
    assert splits[-1].test[0].end == count
    assert splits[0].train[0].first >= 0
