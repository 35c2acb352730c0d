"""At which bars a run is cut and its future changed: around decisions, at the edges of sessions, and by chance.

A leak that moves a share `p` of the decisions of one sort, each only by the bars right after it, is missed by `n`
points at decisions of that sort with probability (1 − p)ⁿ; half of the points go to decisions, to each sort in turn,
rare ones first.
A leak that reaches further (a session, the whole sample) is seen by every point within its reach.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, MINUTE_NS
from manjha.research.bias.compare import TARGET
from manjha.research.bias.subjects import Trace
from manjha.research.bias.tape import Ints, Tape
from manjha.research.bias.watch import known_at, signature

FEW_VALUES = 12
"""A line with no more distinct values is a signal, and its changes are decisions."""
FRAMES = (5, 15, 30, 60)
"""Minutes of coarser bars that strategies make for themselves, counted from 09:15."""
OPEN_CLOCK_NS = (9 * 60 + 15) * MINUTE_NS


def points(whole: Trace, tape: Tape, count: int, seed: int) -> list[int]:
    """Return at most `count` positions in an order by chance; every bar where there are no more than that.

    No position lies before every series has begun and every indicator has a value, and one bar at least comes after.
    """
    first = max(whole.warmup, *(_first(whole.closes, track.close_ns) for track in tape if len(track.close_ns)))
    last = len(whole.closes) - 2
    if last < first:
        return []
    every = range(first, last + 1)
    rng = np.random.default_rng(seed)
    if len(every) <= count:
        return [int(position) for position in rng.permutation(every)]
    chosen: set[int] = set()
    deciding = [[p for p in sort if first <= p <= last] for sort in _sorts(whole)]
    _take(chosen, deciding, count // 2, rng)
    _take(chosen, _edges(whole.closes, tape, first, last), count - count // 6, rng)
    _take(chosen, [list(every)], count, rng)
    return [int(position) for position in rng.permutation(sorted(chosen))]


def _first(closes: Ints, track: Ints) -> int:
    return int(np.searchsorted(closes, track[0]))


def _take(chosen: set[int], sorts: Sequence[Sequence[int]], upto: int, rng: np.random.Generator) -> None:
    """Add positions until there are `upto`, from each sort in turn, the rarest first."""
    queues = [list(rng.permutation(np.unique(sort))) for sort in sorted(sorts, key=len) if len(sort)]
    while len(chosen) < upto and any(queues):
        for queue in queues:
            if queue and len(chosen) < upto:
                chosen.add(int(queue.pop()))


def _sorts(whole: Trace) -> list[list[int]]:
    """Return the positions of decisions, by what sort of decision it is."""
    found: dict[str, list[int]] = defaultdict(list)
    for decision in whole.decisions:
        found[signature(decision.asked)].append(known_at(decision))
    for name, values in whole.lines.items():
        for column in range(values.numbers.shape[1]):
            for value, rows in _signals(values.numbers[:, column], is_target=name.startswith(TARGET)):
                at = np.searchsorted(whole.closes, values.ts_ns[rows])
                found[f"{name} {column} {value}"] += at[at < len(whole.closes)].tolist()
    return list(found.values())


def _signals(line: np.ndarray[tuple[int], np.dtype[np.float64]], *, is_target: bool) -> list[tuple[str, Ints]]:
    """Return where a line takes each of its few values; of a target with many, where it is up, down or flat."""
    known = ~np.isnan(line)
    if np.count_nonzero(known) == 0:
        return []
    distinct = np.unique(line[known])
    if len(distinct) > FEW_VALUES:
        if not is_target:
            return []
        line, distinct = np.sign(line), np.unique(np.sign(line[known]))
    fresh = known & ~np.append(False, (line[1:] == line[:-1]) & ~np.isnan(line[:-1]))
    return [(f"{value:g}", np.flatnonzero(fresh & (line == value))) for value in distinct]


def _edges(closes: Ints, tape: Tape, first: int, last: int) -> list[list[int]]:
    """Return the last, the second and the first bars of sessions (of weeks and months for daily bars), and the bars
    before and at the boundaries of coarser bars."""
    day = (closes - 1 + IST_OFFSET_NS) // DAY_NS
    months = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    turns = [np.flatnonzero(np.diff(period)) for period in (day, (day + 3) // 7, months)]
    bars_a_day = len(day) / max(len(np.unique(day)), 1)
    ends = [turns[0]] if bars_a_day > 1.5 else turns[1:]
    sets = [shifted for end in ends for shifted in (end, end + 1, end - 1)]
    if bars_a_day > 1.5:
        minute = ((closes + IST_OFFSET_NS) % DAY_NS - OPEN_CLOCK_NS) // MINUTE_NS
        boundary = np.flatnonzero(np.any([minute % frame == 0 for frame in FRAMES], axis=0))
        sets += [boundary, boundary - 1]
    for track in tape:
        at = np.searchsorted(closes, track.close_ns)
        if 0 < len(at) < len(closes):
            sets += [at, at - 1]
    return [each[(each >= first) & (each <= last)].tolist() for each in sets]
