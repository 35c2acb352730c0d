"""Corporate actions in a compiled run, as `engine.handlers.settlement` and `engine.carried` have them take effect."""

from manjha.research.kernel.books import end_step, put_out
from manjha.research.kernel.exits import on_tick, rescale_protection
from manjha.research.kernel.gate import draft, place
from manjha.research.kernel.margins import value_of
from manjha.research.kernel.records import (
    BONUS,
    BOUND,
    CANCEL,
    CLOSING,
    CROWDED,
    DEMERGER,
    DIVIDEND,
    MALFORMED,
    OVERFLOW,
    PLAN_SIZE,
    RIGHTS,
    SIGNAL,
    SPECIAL_DIVIDEND,
    SPLIT,
)
from manjha.research.kernel.rows import action_at, holding, ints, kept_at, order_at, output, protection
from manjha.research.kernel.scalars import Rec, adjusted, entitlement, inline, njit, rescaled, rights_ratio
from manjha.research.kernel.trades import record_change
from manjha.research.kernel.venue import drain

MOST = 3 * 10**9
"""Largest quantity × new shares for which what is left of a share is computed."""
SAME_SYMBOL = 2


@njit
def actions_of_day(k: Rec, day: int, now_ns: int) -> None:
    """Let the day's actions take effect, before its session opens."""
    r = k
    r.matching = min(r.reached, r.count - 1)
    for at in range(r.actions):
        if action_at(k, at).day == day:
            _take_effect(k, action_at(k, at), now_ns)
            end_step(k, 0)
            drain(k, 0)
    r.matching = -1


@njit
def place_kept(k: Rec, now_ns: int) -> None:
    """At the open, place what was asked for before the actions of the day; the gate looks at it again."""
    for at in range(k.kept):
        kept = kept_at(k, at)
        asked = order_at(k, kept.order)
        k.tag = asked.tag
        draft(k, asked.instrument, kept.qty * asked.side, SIGNAL, asked.decided_ns)
        o = order_at(k, k.orders)
        o.type, o.limit, o.trigger, o.exit_ns, o.has_exits = (
            *(asked.type, kept.limit, kept.trigger),
            *(asked.exit_ns, asked.has_exits),
        )
        o.stop, o.target, o.trail = kept.stop, kept.target, kept.trail
        if place(k, CLOSING) >= 0:
            output(k, k.outputs - 1).now_ns = now_ns
    k.tag = 0
    k.kept = 0


@njit
def _take_effect(k: Rec, a: Rec, now_ns: int) -> None:
    """Change what is held of a share and of contracts on it, what waits, and the last price; pay dividends."""
    x = holding(k, a.instrument)
    numerator, denominator = _price_ratio(k, a, x)
    if a.kind != DIVIDEND:
        _take_over(k, a, numerator, denominator, now_ns)
    if x.qty:
        _adjust(k, a.instrument, a, now_ns)
    if a.kind != DIVIDEND:
        _rebase(k, x, numerator, denominator)
    if _scales(a):
        for ix in range(k.instruments):
            if ints(k.underlies_at, ix * k.instruments + a.instrument) & SAME_SYMBOL:
                _adjust_contract(k, ix, a, now_ns)


@inline
def _scales(a: Rec) -> bool:
    """Tell whether an action changes the number of shares without money: a split or a bonus."""
    return bool(a.kind in (SPLIT, BONUS))


@njit
def _price_ratio(k: Rec, a: Rec, x: Rec) -> tuple[int, int]:
    """Return what prices before the day are multiplied by, as `market.adjustment.price_ratio`."""
    if _scales(a):
        return int(a.old), int(a.new)
    if x.mark == 0 or a.kind == DIVIDEND:
        return 1, 1
    if a.kind == RIGHTS:
        return rights_ratio(x.mark, a.new, a.old, a.cash)
    if x.mark <= a.cash:
        k.status = MALFORMED
        return 1, 1
    return int(x.mark - a.cash), int(x.mark)


@inline
def _in_ratio(k: Rec, px: int, numerator: int, denominator: int) -> int:
    """Return a price times a ratio; beyond 64 bits the run is stopped."""
    if px > BOUND // numerator:
        k.status = OVERFLOW
        return int(px)
    return int(adjusted(px, numerator, denominator))


@njit
def _rebase(k: Rec, x: Rec, numerator: int, denominator: int) -> None:
    """Show the last close in the new basis until the next bar closes."""
    if x.mark:
        x.mark = x.rebased = _in_ratio(k, x.mark, numerator, denominator)
        x.rebased_row = x.row


@njit
def _take_over(k: Rec, a: Rec, numerator: int, denominator: int, now_ns: int) -> None:
    """Cancel the open orders of a share that changes, and keep what was asked for in its new terms for the open."""
    x = holding(k, a.instrument)
    for at in range(x.opens):
        order = x.open_ids[at]
        put_out(k, CANCEL, order, now_ns)
        o = order_at(k, order)
        if o.purpose != SIGNAL or x.mark == 0:
            continue
        left = o.qty - o.filled
        qty = left * a.new // a.old if _scales(a) else left
        if qty == 0:
            continue
        if k.kept == PLAN_SIZE:
            k.status = CROWDED
            return
        kept = kept_at(k, k.kept)
        k.kept += 1
        kept.order, kept.qty = order, qty
        kept.limit = on_tick(x, o.side, _in_ratio(k, o.limit, numerator, denominator))
        kept.trigger = on_tick(x, o.side, _in_ratio(k, o.trigger, numerator, denominator))
        kept.stop = on_tick(x, o.side, _in_ratio(k, o.stop, numerator, denominator))
        kept.target = on_tick(x, o.side, _in_ratio(k, o.target, numerator, denominator))
        kept.trail = on_tick(x, o.side, _in_ratio(k, o.trail, numerator, denominator))


@njit
def _adjust(k: Rec, ix: int, a: Rec, now_ns: int) -> None:
    """Change a position as `portfolio.corporate.adjust` does."""
    x = holding(k, ix)
    before, cash = x.qty, 0
    if a.kind in (DIVIDEND, SPECIAL_DIVIDEND, DEMERGER):
        cash = value_of(k, before, a.cash)
    elif a.kind == RIGHTS:
        cash = value_of(k, before, entitlement(x.mark, a.new, a.old, a.cash)) // a.new
    elif abs(before) * a.new > MOST:
        k.status = OVERFLOW
    else:
        x.qty, x.cost, cash = rescaled(before, x.cost, x.mark, a.new, a.old)
    k.cash += cash
    if x.qty != before:
        if k.paid:
            _rescale_holding(x, a)
        for at in range(k.protections):
            if order_at(k, protection(k, at).entry).instrument == ix:
                rescale_protection(k, at, a.new, a.old)
    record_change(k, ix, before, cash, (now_ns, a.kind))


@njit
def _rescale_holding(x: Rec, a: Rec) -> None:
    """Apply a split or bonus to shares by settlement; rests go to the settled."""
    x.holding_today = x.holding_today * a.new // a.old
    x.holding_settled = x.qty - x.holding_today
    for at in range(x.holding_waiting):
        x.waiting_qty[at] = x.waiting_qty[at] * a.new // a.old
        x.holding_settled -= x.waiting_qty[at]


@njit
def _adjust_contract(k: Rec, ix: int, a: Rec, now_ns: int) -> None:
    """Scale the lot of a contract on the share, what is held of it, and its last price, so that its value stays."""
    x = holding(k, ix)
    x.lot = x.lot * a.new // a.old
    if x.lot == 0:
        k.status, x.lot = MALFORMED, 1
    if x.qty:
        _adjust(k, ix, a, now_ns)
    _rebase(k, x, a.old, a.new)
