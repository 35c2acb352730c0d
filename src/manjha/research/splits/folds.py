"""K-fold cross-validation for series, with what overlaps a test taken out of training."""

from manjha.domain.errors import UsageError
from manjha.research.splits.ranges import Range, Split, at_least, equal_groups, purged


def purged_folds(count: int, *, folds: int, horizon: int = 0, embargo: int = 0) -> tuple[Split, ...]:
    """Return K splits whose tests are consecutive, cover every bar once and are as equal as can be.

    Parameters
    ----------
    count
        Number of bars.
    folds
        K, at least 2.
    horizon
        Bars that a label or a held position looks ahead: the outcome of bar i uses bars i … i + horizon. Training rows
        whose bars overlap with those of the test are dropped on both sides.
    embargo
        Rows dropped after each test beyond those, against serial correlation.

    Raises
    ------
    UsageError
        Fewer than two folds, a negative length, fewer bars than folds, or a fold that would learn from no row.

    Notes
    -----
    M. López de Prado, *Advances in Financial Machine Learning*, 2018, section 7.4. There the embargo begins at the
    test's last row; here it begins where purging ends, so that it always has an effect.
    """
    at_least("folds", folds, 2)
    at_least("horizon", horizon, 0)
    at_least("embargo", embargo, 0)
    return tuple(tested(count, (group,), horizon=horizon, embargo=embargo) for group in equal_groups(count, folds))


def tested(count: int, test: tuple[Range, ...], *, horizon: int, embargo: int) -> Split:
    """Return the split with these tests and everything else that may be learned from.

    Raises
    ------
    UsageError
        Nothing is left to learn from.
    """
    train = purged(count, test, horizon=horizon, embargo=embargo)
    if not train:
        raise UsageError(
            f"a horizon of {horizon} and an embargo of {embargo} bars leave no training beside a test of "
            f"{sum(map(len, test))} of {count} bars",
            hint="Take shorter ones, more groups or a longer period.",
        )
    return Split(train, test)
