"""Warm-up sensitivity: how long a line still depends on where its data begin. A warning, no look-ahead."""

from collections.abc import Callable, Iterator

import numpy as np

from manjha.research.bias.compare import is_stated, number
from manjha.research.bias.subjects import Broken, Subject, Trace, Values, attempted
from manjha.research.bias.tape import begun_later

CONVERGED = 1e-3
"""Two runs agree on a line when they are within a thousandth of its size from some bar on."""
STARTS = (0.25, 0.5)
"""Where the later runs begin, as shares of the bars."""
BARS_MIN = 20
"""Fewer bars after a start say nothing."""


def warmup_warnings(subject: Subject, whole: Trace, count: Callable[[], None]) -> Iterator[str]:
    """Yield a sentence for each line that depends on where the data begin beyond its warm-up; `count` hears of runs."""
    slowest: dict[str, tuple[int, int, str]] = {}
    for share in STARTS:
        start = int(len(whole.closes) * share)
        if len(whole.closes) - start < BARS_MIN:
            continue
        from_ns = int(whole.closes[start])
        count()
        later = attempted(subject, begun_later(subject.tape, from_ns), drive=False)
        if isinstance(later, Broken):
            continue
        for name, values in whole.lines.items():
            found = _settles(values, later.lines.get(name)) if not is_stated(name) else None
            if found is not None and found[1] > slowest.get(name, (0, -1, ""))[1]:
                slowest[name] = found
    for name, (warmup, bars, words) in slowest.items():
        yield _sentence(name, warmup, bars, words)


def _settles(values: Values, later: Values | None) -> tuple[int, int, str] | None:
    """Return the bars of warm-up, the bars until both agree (0: never), and how they differ; None where they agree."""
    if later is None or values.numbers.shape[1:] != later.numbers.shape[1:]:
        return None
    first = int(np.searchsorted(values.ts_ns, later.ts_ns[0])) if len(later.ts_ns) else len(values.ts_ns)
    whole = values.numbers[first : first + len(later.numbers)]
    count = min(len(whole), len(later.numbers))
    whole, other = whole[:count], later.numbers[:count]
    ready = ~np.isnan(other).any(axis=1) & ~np.isnan(whole).any(axis=1)
    if not ready.any():
        return None
    sizes = np.abs(whole[ready])
    scale = np.maximum(np.abs(whole), float(np.median(sizes)) or 1.0)
    apart = np.flatnonzero(ready & (np.abs(whole - other) > CONVERGED * scale).any(axis=1))
    if not len(apart):
        return None
    last = int(apart[-1])
    words = f"{number(whole, last)} or {number(other, last)}"
    return int(np.argmax(ready)), 0 if last >= count - 2 else last + 1, words


def _sentence(name: str, warmup: int, bars: int, words: str) -> str:
    begun = f"`{name}` depends on where the data begin"
    if not bars:
        return f"{begun}: at the last bar still {words}, by the start. A live run that starts later decides otherwise."
    return (
        f"{begun} for {bars} bars, though it has values after {warmup}: give a run, and live trading, "
        f"{bars} bars before the first decision (agreement within {CONVERGED:.1%})."
    )
