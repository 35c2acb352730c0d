"""Days of a compiled run: they begin, square off and end as in `engine.handlers.session` and `research.drive`."""

from manjha.research.kernel.account import equity, receive_shares, release_proceeds, shares_of_today_wait
from manjha.research.kernel.actions import actions_of_day, place_kept
from manjha.research.kernel.asked import act, carry_out_asked
from manjha.research.kernel.books import end_step, put_out
from manjha.research.kernel.circuits import set_bands
from manjha.research.kernel.clearing import expire
from manjha.research.kernel.contract_notes import settle_day
from manjha.research.kernel.exits import exit_by_time, rearm
from manjha.research.kernel.gate import EVERYTHING, cancel_open, market
from manjha.research.kernel.records import BEYOND, NEVER, NOTHING, SESSION_OPENS, SQUARE_OFF, TIMER
from manjha.research.kernel.rows import card_at, day_at, holding, ints, output, session_at, timer
from manjha.research.kernel.scalars import Rec, njit
from manjha.research.kernel.timers import day_due, next_timer, take_timer
from manjha.research.kernel.venue import drain, sweep


@njit
def fire(k: Rec, before_ns: int) -> None:
    """Carry out what is due before a moment, in order of time; days begin and end before timers of the same moment."""
    while True:
        due, at = day_due(k), next_timer(k)
        timed = timer(k, at).ts_ns if at >= 0 else NEVER
        if min(due, timed) >= before_ns or k.status:
            return
        if due <= timed:
            if k.day_open:
                _close_day(k)
            else:
                _open_day(k, due)
            continue
        entry = take_timer(k, at)
        if entry >= 0:
            exit_by_time(k, entry, timed)
        else:
            _square_off(k, timed)
        end_step(k, 0)
        drain(k, 0)


@njit
def _open_day(k: Rec, now_ns: int) -> None:
    """Begin a day: what settles, its sessions and rates, square-off, protection put back."""
    r = k
    row, r.day_open = r.next_day, 1
    day = day_at(k, row).day
    if r.actions:
        actions_of_day(k, day, now_ns)
    if r.bands:
        set_bands(k)
    release_proceeds(k, day)
    receive_shares(k, day)
    r.day, r.day_row, r.today_fills = day, row, r.fills
    for i in range(r.instruments):
        _take_session(k, i, row)
        if r.chooses:
            holding(k, i).outside = 1 - ints(r.universe_at, row * r.instruments + i)
    r.day_start_equity = equity(k)
    if r.kept:
        place_kept(k, now_ns)
    if r.intraday:
        _plan_square_offs(k, now_ns)
        for at in range(r.positions):
            if holding(k, holding(k, at).nth_traded).qty:
                r.carried += 1
                _close_out(k, holding(k, at).nth_traded, now_ns)
    rearm(k, now_ns)
    if r.acts_on_session and day >= r.held_until:
        act(k, SESSION_OPENS, day, now_ns)
        carry_out_asked(k, now_ns)
    end_step(k, 0)
    drain(k, 0)


@njit
def _take_session(k: Rec, i: int, row: int) -> None:
    s, x = session_at(k, row * k.instruments + i), holding(k, i)
    x.has_today, x.open_ns, x.close_ns, x.square_off_ns = s.has_today, s.open_ns, s.close_ns, s.square_off_ns
    x.auction_start_ns, x.auction_end_ns = s.auction_start_ns, s.auction_end_ns
    if x.group >= 0:
        x.scan, x.exposure, x.slab, x.slabs = s.scan, s.exposure, s.slab, s.slabs
    if x.card == s.card:
        return
    c = card_at(k, s.card)
    x.card = s.card
    x.brokerage_kind, x.brokerage_rate, x.brokerage_cap = c.brokerage_kind, c.brokerage_rate, c.brokerage_cap
    x.stt_buy, x.stt_sell, x.exchange_rate, x.ipft, x.sebi = c.stt_buy, c.stt_sell, c.exchange, c.ipft, c.sebi
    x.stamp_buy, x.stamp_sell, x.gst, x.gst_on_sebi = c.stamp_buy, c.stamp_sell, c.gst, c.gst_on_sebi


@njit
def _plan_square_offs(k: Rec, now_ns: int) -> None:
    """Set a timer at each of the day's square-off times, in order of time."""
    last = -NEVER
    while True:
        nearest = NEVER
        for i in range(k.instruments):
            x = holding(k, i)
            if x.has_today and last < x.square_off_ns < nearest:
                nearest = x.square_off_ns
        if nearest == NEVER:
            return
        output(k, put_out(k, TIMER, -1, now_ns)).qty = nearest
        last = nearest


@njit
def _square_off(k: Rec, now_ns: int) -> None:
    for i in range(k.instruments):
        if holding(k, i).has_today and holding(k, i).square_off_ns <= now_ns:
            _close_out(k, i, now_ns)


@njit
def _close_out(k: Rec, ix: int, now_ns: int) -> None:
    """Cancel everything open in a position and close it at the market."""
    cancel_open(k, ix, now_ns, EVERYTHING)
    market(k, ix, -holding(k, ix).qty, SQUARE_OFF, now_ns, NOTHING)


@njit
def _close_day(k: Rec) -> None:
    """End a day: orders that end with it, the contract note, shares bought today."""
    r = k
    d = day_at(k, r.day_row)
    if r.end_with_day:
        sweep(k)
    if r.contracts:
        expire(k)
    if r.contract_notes and r.fills > r.today_fills:
        settle_day(k)
    waits = False
    for i in range(r.instruments):
        waits = waits or holding(k, i).holding_today > 0
    if waits:
        if d.settles < 0:
            r.status = BEYOND
        shares_of_today_wait(k, d.settles)
    for at in range(7):
        r.day_lines[at] = 0
    r.next_day += 1
    r.day_open = 0
