"""Combinatorial purged cross-validation: many histories out of one."""

from itertools import combinations
from math import comb

import msgspec

from manjha.domain.errors import UsageError
from manjha.research.splits.folds import tested
from manjha.research.splits.ranges import Range, Split, at_least, equal_groups

SPLITS_MAX = 20_000
"""Most splits that are made: each asks for a search of its own, so more is a slip of the pen."""


class Combinatorial(msgspec.Struct, frozen=True):
    """All splits of N groups with k of them tested, and the histories that the tests make up.

    `splits` are in lexicographic order of their tested groups. `paths[p][g]` is the number of the split that tests
    group g on path p; a path therefore covers every bar once, each by a model that has not seen it. There are
    C(N, k) splits and C(N − 1, k − 1) paths, and each test of each split is in exactly one path.
    """

    groups: tuple[Range, ...]
    splits: tuple[Split, ...]
    paths: tuple[tuple[int, ...], ...]


def combinatorial(count: int, *, groups: int, tests: int = 2, horizon: int = 0, embargo: int = 0) -> Combinatorial:
    """Return the splits and paths of combinatorial purged cross-validation.

    Parameters
    ----------
    count
        Number of bars, cut into `groups` consecutive groups as equal as can be.
    groups
        N, at least 2.
    tests
        k, groups tested at a time, 1 … N − 1.
    horizon, embargo
        As in `purged_folds`.

    Raises
    ------
    UsageError
        A number out of range, more than 20,000 splits, fewer bars than groups, or a split that would learn from no row.

    Notes
    -----
    M. López de Prado, *Advances in Financial Machine Learning*, 2018, sections 12.3 and 12.4.
    """
    at_least("groups", groups, 2)
    at_least("horizon", horizon, 0)
    at_least("embargo", embargo, 0)
    if not 1 <= tests < groups:
        raise UsageError(f"of {groups} groups 1 to {groups - 1} can be tested at a time, got {tests}")
    number = comb(groups, tests)
    if number > SPLITS_MAX:
        raise UsageError(
            f"{groups} groups, {tests} tested at a time, make {number:,} splits, more than {SPLITS_MAX:,}",
            hint="Take fewer groups.",
        )
    parts = equal_groups(count, groups)
    chosen = list(combinations(range(groups), tests))
    splits = tuple(
        tested(count, tuple(parts[group] for group in picks), horizon=horizon, embargo=embargo) for picks in chosen
    )
    testers = [[at for at, picks in enumerate(chosen) if group in picks] for group in range(groups)]
    return Combinatorial(parts, splits, tuple(zip(*testers, strict=True)))
