"""The main loop of a compiled run, as `research.drive`: bars, timers and days in the order of time."""

from manjha.research.kernel.asked import carry_out_asked, turns_to
from manjha.research.kernel.books import end_step
from manjha.research.kernel.decide import AHEAD, decide, decide_plainly
from manjha.research.kernel.exits import count_trailing, move_trailing_stops
from manjha.research.kernel.records import DONE, FULL, NEVER, SPARE
from manjha.research.kernel.rows import day_at, fetch_ahead, holding, ints
from manjha.research.kernel.scalars import Rec, inline, njit
from manjha.research.kernel.scan import next_position
from manjha.research.kernel.sessions import fire
from manjha.research.kernel.timers import day_due, next_due
from manjha.research.kernel.venue import OPEN, RANGE, drain, match

ADVANCE, STEP, TO_THE_END = range(3)
"""How far an entry goes: some bars, some bars after a decision, or all and the last day's end."""


@njit
def run_bars(k: Rec, stop: int) -> None:
    """Process the bars before a position; the run may stop earlier, its status says why."""
    r = k
    while r.reached < stop and not r.status:
        if _is_full(k):
            r.status = FULL
            return
        at, due = r.reached, next_due(k)
        if due != r.next_due:
            r.next_due = due
            r.free = _first_after(k, at, due)
        if at < r.free:
            quiet = min(r.free, stop)
            decide_plainly(k, quiet)
            if r.reached > at:
                continue
            if r.active:
                quiet = next_position(k, at, quiet)
            if quiet > at:
                _advance(k, at, quiet)
            else:
                _one_bar(k, at)
        elif due <= ints(k.begin_at, at):
            fire(k, ints(k.begin_at, at) + 1)
        else:
            _one_bar(k, at)


@njit
def _first_after(k: Rec, first: int, ts_ns: int) -> int:
    """Return the first position from `first` on that closes after a moment, at which something comes due."""
    if day_due(k) == ts_ns:
        if k.next_day >= k.days:
            return int(k.count)
        d = day_at(k, k.next_day)
        return max(first, int(d.closes_before if k.day_open else d.opens_before))
    last = k.count
    while first < last:
        middle = (first + last) // 2
        if ints(k.end_at, middle) > ts_ns:
            last = middle
        else:
            first = middle + 1
    return first


@njit
def finish(k: Rec) -> None:
    """Carry out what comes due after the last bar, and end the last day."""
    fire(k, NEVER)
    if not k.status:
        k.status = DONE


@njit
def decide_now(k: Rec) -> None:
    """Carry out what is wanted at the last close."""
    if k.reached and not k.status:
        decide(k, 0, ints(k.end_at, k.reached - 1))
        carry_out(k)


@njit
def carry_out(k: Rec) -> None:
    """Send what was asked for at the last close."""
    end_step(k, 0)
    drain(k, 0)


@njit
def _is_full(k: Rec) -> bool:
    full: bool = k.fills + SPARE > k.fill_rows or k.steps + SPARE > k.step_rows or k.orders + SPARE > k.order_rows
    return full or k.notes + SPARE > k.note_rows or k.refusals + SPARE > k.refusal_rows


@njit
def _one_bar(k: Rec, at: int) -> None:
    """Process one bar in which something may trade: its open, what comes due inside, its range, its close."""
    r = k
    r.matching = at
    match(k, at, OPEN, _turns(k))
    if next_due(k) < ints(k.end_at, at):
        fire(k, ints(k.end_at, at))
    match(k, at, RANGE, _turns(k))
    r.matching = -1
    _advance(k, at, at + 1)


@inline
def _turns(k: Rec) -> int:
    """Note whose turn it is to be matched; return how many."""
    for at in range(k.active):
        holding(k, at).nth_turns = holding(k, at).nth_active
    return int(k.active)


@njit
def _advance(k: Rec, first: int, last: int) -> None:
    """Let bars close, up to the first at which the strategy says something; with a trailing stop, one."""
    r = k
    trails = r.protections and count_trailing(k) > 0
    if trails:
        last = first + 1
    while r.wakeup < r.wakeup_count and ints(r.wakeups_at, r.wakeup) < first:
        r.wakeup += 1
    wakes = r.wakeup < r.wakeup_count and ints(r.wakeups_at, r.wakeup) < last
    at = ints(r.wakeups_at, r.wakeup) if wakes else last - 1
    if wakes and r.wakeup + AHEAD < r.wakeup_count:
        later = ints(r.wakeups_at, r.wakeup + AHEAD)
        fetch_ahead(r.end_at, later)
        fetch_ahead(holding(k, 0).close_at, later)
    if r.acts_at:
        at = turns_to(k, first, last)
        wakes = r.asked > 0
    r.cursor, r.reached = at, at + 1
    _mark(k, at)
    if trails:
        move_trailing_stops(k)
    if wakes and r.acts_at:
        carry_out_asked(k, ints(k.end_at, at))
    elif wakes:
        r.wakeup += 1
        decide(k, r.wakeup - 1, ints(k.end_at, at))
    if r.outputs:
        carry_out(k)


@inline
def _mark(k: Rec, at: int) -> None:
    """Take over the last close of every instrument at a position."""
    mapped, acted = k.mapped, k.actions
    for i in range(k.instruments):
        x = holding(k, i)
        x.row = ints(k.rows_at, i * k.count + at) if mapped else at
        if x.row >= 0:
            x.mark = x.rebased if acted and x.row == x.rebased_row else ints(x.close_at, x.row)
