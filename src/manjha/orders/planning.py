"""From a wish to hold a quantity to the orders that get there: lots, slices, and what is already on its way."""

from manjha.domain.money import Qty


def to_lots(qty: int, lot: int) -> Qty:
    """Round a signed quantity towards zero to whole lots."""
    return Qty(qty // lot * lot if qty >= 0 else -(-qty // lot * lot))


def needed(target: int, position: int, working: int) -> Qty:
    """Return the signed quantity still to be ordered: target less position less what signed open entries will add."""
    return Qty(target - position - working)


def slices(qty: int, freeze: int, lot: int, slices_max: int) -> tuple[Qty, ...]:
    """Split a positive quantity into orders of at most the freeze quantity, each a multiple of the lot.

    The largest order is floor(freeze ÷ lot) × lot (INDIAN_MARKETS section 3.4); 0 freeze means no limit. Empty when
    not even one lot fits or more than `slices_max` orders would be needed: the caller refuses.
    """
    if freeze == 0 or qty <= freeze:
        return (Qty(qty),)
    largest = freeze // lot * lot
    if largest == 0:
        return ()
    whole, rest = divmod(qty, largest)
    count = whole + (1 if rest else 0)
    if count > slices_max:
        return ()
    return (Qty(largest),) * whole + ((Qty(rest),) if rest else ())
