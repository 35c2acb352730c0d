"""What comes due in a compiled run: the day's end or beginning, square-offs, exits by time, in order of time."""

from manjha.research.kernel.records import CROWDED, NEVER, PLAN_SIZE
from manjha.research.kernel.rows import day_at, timer
from manjha.research.kernel.scalars import Rec, inline, njit


@njit
def plan_timer(k: Rec, ts_ns: int, entry: int) -> None:
    """Carry out an entry's exit by time, or the square-off (-1), at a moment."""
    r = k
    if r.timers == PLAN_SIZE:
        r.status = CROWDED
        return
    t = timer(k, r.timers)
    r.seq += 1
    t.ts_ns, t.seq, t.entry = ts_ns, r.seq, entry
    r.timers += 1


@njit
def next_timer(k: Rec) -> int:
    """Return the row of the timer that comes first, -1 without any; of several at one moment the oldest."""
    best = -1
    for at in range(k.timers):
        if best < 0 or (
            timer(k, at).ts_ns < timer(k, best).ts_ns
            or (timer(k, at).ts_ns == timer(k, best).ts_ns and timer(k, at).seq < timer(k, best).seq)
        ):
            best = at
    return best


@njit
def take_timer(k: Rec, at: int) -> int:
    """Remove a timer; return the entry that it is for."""
    entry = timer(k, at).entry
    k.timers -= 1
    t, last = timer(k, at), timer(k, k.timers)
    t.ts_ns, t.seq, t.entry = last.ts_ns, last.seq, last.entry
    return int(entry)


@inline
def day_due(k: Rec) -> int:
    """Return when the day under way ends, or the next one begins; never after the last."""
    if k.next_day >= k.days:
        return NEVER
    d = day_at(k, k.next_day)
    return int(d.close_ns if k.day_open else d.open_ns)


@inline
def next_due(k: Rec) -> int:
    """Return when something comes due."""
    due = day_due(k)
    if k.timers:
        due = min(due, timer(k, next_timer(k)).ts_ns)
    return int(due)
