"""From a wish to hold a quantity to the orders that get there: lots, slices, and what is already on its way."""

from manjha.domain.money import Qty


def to_lots(qty: int, lot: int) -> Qty:
    """Round a signed quantity towards zero to whole lots."""
    return Qty(qty // lot * lot if qty >= 0 else -(-qty // lot * lot))


def needed(target: int, position: int, working: int) -> Qty:
    """Return the signed quantity still to be ordered: target less position less what signed open entries will add."""
    return Qty(target - position - working)


def slice_size(qty: int, freeze: int, lot: int, slices_max: int) -> int:
    """Return the quantity of each slice but the last, which has the rest; 0 where `slices` is empty.

    Plain integers, so that the compiled kernel runs the same function.
    """
    if freeze == 0 or qty <= freeze:
        return qty
    largest = freeze // lot * lot
    if largest == 0 or (qty + largest - 1) // largest > slices_max:
        return 0
    return largest


def slices(qty: int, freeze: int, lot: int, slices_max: int) -> tuple[Qty, ...]:
    """Split a positive quantity into orders of at most the freeze quantity, each a multiple of the lot.

    The largest order is floor(freeze ÷ lot) × lot (INDIAN_MARKETS section 3.4); 0 freeze means no limit. Empty when
    not even one lot fits or more than `slices_max` orders would be needed: the caller refuses.
    """
    largest = slice_size(qty, freeze, lot, slices_max)
    if largest == 0:
        return ()
    whole, rest = divmod(qty, largest)
    return (Qty(largest),) * whole + ((Qty(rest),) if rest else ())
