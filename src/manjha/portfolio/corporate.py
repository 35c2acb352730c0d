"""What a corporate action does to what is held. Exact; fractions of a share are paid in cash.

Rules: INDIAN_MARKETS section 6. Rights are assumed not subscribed: the holder keeps the shares and receives the value
of the entitlement in cash, which is what selling it would bring. A demerged part is paid out at its stated value.
"""

from typing import NamedTuple

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.money import Cash, Qty


class Adjusted(NamedTuple):
    """A position after an action: signed quantity, what its cost becomes, and cash received (negative: paid)."""

    qty: Qty
    cost: int
    cash: Cash


def adjust(action: CorporateAction, qty: int, cost: int, last_px: int) -> Adjusted:
    """Return a signed position after an action. `last_px` is the last price before the ex-day, in 1e-4 rupee.

    A short pays what a long receives. The cost of a fraction paid out goes with it; its proceeds are worth the
    last price in the new basis.
    """
    if action.kind in (ActionKind.DIVIDEND, ActionKind.SPECIAL_DIVIDEND, ActionKind.DEMERGER):
        return Adjusted(Qty(qty), cost, Cash(qty * action.cash))
    if action.kind is ActionKind.RIGHTS:
        return Adjusted(Qty(qty), cost, Cash(_rights_value(action, qty, last_px)))
    scaled = qty * action.new_shares
    sign = 1 if qty >= 0 else -1
    whole = abs(scaled) // action.old_shares * sign
    fraction = scaled - whole * action.old_shares
    # The fraction counts in 1/old_shares of a new share, which is worth last_px × old ÷ new.
    cash = fraction * last_px // action.new_shares
    kept = cost if not fraction else cost * whole * action.old_shares // scaled
    return Adjusted(Qty(whole), kept, Cash(cash))


def _rights_value(action: CorporateAction, qty: int, last_px: int) -> int:
    """Return the entitlement's value: old shares × (cum price − theoretical ex-rights price), never negative.

    `new_shares` counts all shares after subscription for `old_shares`, so the issue is new − old at `cash` each.
    """
    issued = action.new_shares - action.old_shares
    ex_numerator = last_px * action.old_shares + action.cash * issued
    drop_numerator = last_px * action.new_shares - ex_numerator
    return qty * max(0, drop_numerator) // action.new_shares
