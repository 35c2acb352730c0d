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
    new, old = action.new_shares, action.old_shares
    if action.kind is ActionKind.RIGHTS:
        return Adjusted(Qty(qty), cost, Cash(qty * entitlement(last_px, new, old, action.cash) // new))
    held, kept, cash = rescaled(qty, cost, last_px, new, old)
    return Adjusted(Qty(held), kept, Cash(cash))


def rescaled(qty: int, cost: int, last_px: int, new: int, old: int) -> tuple[int, int, int]:
    """Return quantity, cost and cash for the fraction of a share after a split or bonus, `new` shares for `old`.

    Plain integers, so that the compiled kernel runs the same function; inside int64 while qty × new is below 3e9.
    """
    scaled = qty * new
    sign = 1 if qty >= 0 else -1
    whole = abs(scaled) // old * sign
    fraction = scaled - whole * old
    # The fraction counts in 1/old_shares of a new share, which is worth last_px × old ÷ new.
    cash = fraction * last_px // new
    if fraction == 0:
        return whole, cost, cash
    # Cost × whole × old ÷ scaled by wholes and rest, so that no product leaves int64.
    each = cost // scaled
    return whole, each * whole * old + (cost - each * scaled) * (whole * old) // scaled, cash


def entitlement(last_px: int, new: int, old: int, cash: int) -> int:
    """Return what the rights of `new` old shares are worth: cum price less theoretical ex-rights price, not negative.

    `new` counts all shares after subscription for `old`, so the issue is new − old at `cash` each.
    """
    return max(0, last_px * new - (last_px * old + cash * (new - old)))
