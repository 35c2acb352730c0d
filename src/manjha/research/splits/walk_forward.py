"""Walk-forward windows: choose on the past, judge on what came next, move on."""

from manjha.domain.errors import UsageError
from manjha.research.splits.ranges import Range, Split, at_least


def walk_forward(
    count: int, *, train: int, test: int, step: int = 0, gap: int = 0, anchored: bool = False
) -> tuple[Split, ...]:
    """Return windows over `count` bars, in the order of time.

    Window k tests the `test` bars from train + gap + k × step on, and learns from the bars that end `gap` before it:
    the last `train` of them (rolling), or all from the first bar (anchored). What is left at the end and is shorter
    than `test` is tested by nobody.

    Parameters
    ----------
    count
        Number of bars.
    train, test
        Lengths in bars. For anchored windows `train` is that of the first window.
    step
        Bars from one test to the next; 0 means `test`, so that each bar after the first window is tested once.
    gap
        Bars between training and test that neither uses: the holding or label horizon, plus an embargo if wanted.
    anchored
        Learn from everything before the gap instead of the last `train` bars.

    Raises
    ------
    UsageError
        A length is not positive, or one window is longer than the data.

    Notes
    -----
    R. Pardo, *The Evaluation and Optimization of Trading Strategies*, 2nd ed. 2008, chapter 11.
    """
    at_least("train", train, 1)
    at_least("test", test, 1)
    at_least("step", step, 0)
    at_least("gap", gap, 0)
    needed = train + gap + test
    if needed > count:
        raise UsageError(
            f"one window needs {train} bars of training, {gap} of gap and {test} of test, {needed} in all; "
            f"there are {count}",
            hint="Shorten the windows or load a longer period.",
        )
    starts = range(train + gap, count - test + 1, step or test)
    return tuple(
        Split((Range(0 if anchored else start - gap - train, start - gap),), (Range(start, start + test),))
        for start in starts
    )


def walk_forward_in(
    count: int, *, windows: int, ratio: float = 4.0, gap: int = 0, anchored: bool = False, unit: str = "bars"
) -> tuple[Split, ...]:
    """Return this many windows that use `count` bars up to the last one.

    The test is the longest T with round(ratio × T) + gap + windows × T ≤ count, training round(ratio × T) bars; bars
    that do not come out even are given to no window, and they are the oldest where windows roll, or train the first
    and all later windows where they are anchored. `unit` is what is counted, for the words of an error.

    Raises
    ------
    UsageError
        `windows` is not positive, `ratio` not a positive number, or the windows are longer than the data.
    """
    at_least("windows", windows, 1)
    at_least("gap", gap, 0)
    if not 0.0 < ratio < float("inf"):
        raise UsageError(f"ratio of training to test must be a positive number, got {ratio}")
    test = max(int((count - gap) / (ratio + windows)) + 1, 1)
    while test and max(round(ratio * test), 1) + gap + windows * test > count:
        test -= 1
    if not test:
        raise UsageError(
            f"{windows} windows with {ratio:g} times as much training as test and a gap of {gap} are longer than "
            f"the data of {count} {unit}",
            hint="Take fewer windows, a smaller ratio or a longer period.",
        )
    train = max(round(ratio * test), 1)
    spare = count - (train + gap + windows * test)
    if anchored:
        return walk_forward(count, train=train + spare, test=test, gap=gap, anchored=True)
    return tuple(_shifted(one, spare) for one in walk_forward(count - spare, train=train, test=test, gap=gap))


def _shifted(split: Split, by: int) -> Split:
    def moved(ranges: tuple[Range, ...]) -> tuple[Range, ...]:
        return tuple(Range(one.first + by, one.end + by) for one in ranges)

    return Split(moved(split.train), moved(split.test))
