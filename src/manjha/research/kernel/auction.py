"""The closing auction in a compiled run, as `simulator.auction` has it: one price at the day's end."""

from manjha.research.kernel.books import rests
from manjha.research.kernel.rows import ints
from manjha.research.kernel.scalars import Rec, inline, limit_at_open, njit


@inline
def is_after_trading(x: Rec) -> bool:
    """Tell whether the bar in hand opens after continuous trading, so that its range is no market to trade in."""
    return bool(x.has_today and x.close_ns <= x.ts_open < x.auction_end_ns)


@njit
def has_price(x: Rec) -> bool:
    """Tell whether the bar in hand has the auction's price: the day's last one that reaches into the auction phases."""
    if x.ts_close <= x.auction_start_ns:
        return False
    last = x.bar_row + 1 == x.rows
    return bool(last or ints(x.ts_open_at, x.bar_row + 1) >= x.auction_end_ns)


@njit
def takes_part(x: Rec, order: int, o: Rec) -> bool:
    """Tell whether an order that was in the book trades in the auction: stops do not, nor what came after trading."""
    allowed = o.venue_limit == 0 or limit_at_open(o.side, o.venue_limit, x.close, 0)
    early = o.since_ns < x.close_ns and not o.venue_trigger
    return bool(early and allowed and o.side != x.locked and rests(x, order))
