"""What happens to positions without a trade in a compiled run, as `engine.handlers.settlement`: expiry."""

from manjha.research.kernel.books import end_step
from manjha.research.kernel.gate import EVERYTHING, cancel_open
from manjha.research.kernel.margins import hold, value_of
from manjha.research.kernel.records import EXPIRY
from manjha.research.kernel.rows import day_at, holding, ints, note
from manjha.research.kernel.scalars import Rec, fee_amount, njit, traded
from manjha.research.kernel.trades import record_change, record_step
from manjha.research.kernel.venue import drain

SETTLES = 1


@njit
def expire(k: Rec) -> None:
    """At the end of a day, settle the futures that expire."""
    for ix in range(k.instruments):
        if holding(k, ix).expiry == k.day:
            _expire(k, ix, day_at(k, k.day_row).close_ns)
            end_step(k, 0)
            drain(k, 0)


@njit
def _expire(k: Rec, ix: int, now_ns: int) -> None:
    """Close a future in cash at its final price; one on a share pays the broker's delivery fee."""
    x = holding(k, ix)
    cancel_open(k, ix, now_ns, EVERYTHING)
    if x.qty == 0:
        return
    before, px = x.qty, _settlement(k, ix)
    worth = value_of(k, before, px)
    x.qty, x.cost, gain = traded(x.qty, x.cost, -before, px)
    x.realised += gain
    k.cash += gain
    hold(k, ix)
    record_change(k, ix, before, worth, (now_ns, EXPIRY))
    d = day_at(k, k.day_row)
    fee = fee_amount(abs(worth), d.delivery_amount, d.delivery_rate, d.delivery_gst) if x.delivers and px else 0
    if fee:
        n = note(k, k.notes)
        n.brokerage = n.stt = n.exchange = n.ipft = n.sebi = n.stamp = n.gst = n.dp = 0
        n.day, n.other = k.day, fee
        k.notes += 1
        k.cash -= fee
        record_step(k, -1, 0, 0)


@njit
def _settlement(k: Rec, ix: int) -> int:
    """Return the last price of the underlying where it is part of the run, else the future's own."""
    for other in range(k.instruments):
        if ints(k.underlies_at, ix * k.instruments + other) & SETTLES and holding(k, other).mark:
            return int(holding(k, other).mark)
    return int(holding(k, ix).mark)
