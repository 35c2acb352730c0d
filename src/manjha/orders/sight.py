"""What is known of an order at the broker, put together from sights that come twice, late, and in any order.

`joined` is a join: the order and number of sights makes no difference (commutative, associative, idempotent), so that a
postback after the book read, or the same message twice, changes nothing. Rule: RELIABILITY section 5.1.
"""

from manjha.domain.broker import ENDED, OrderSeen, Sight

NOTHING_SEEN = Sight()


def sight_of(seen: OrderSeen) -> Sight:
    """Return one sight of an order."""
    return Sight(
        seen.status in ENDED,
        seen.exchange_ns,
        int(seen.source),
        seen.status,
        (seen.qty, seen.limit, seen.trigger),
        seen.reason,
        seen.filled,
    )


def joined(one: Sight, other: Sight) -> Sight:
    """Return what both sights say together."""
    trusted = one if one.trust >= other.trust else other
    filled = max(one.filled, other.filled)
    return trusted if trusted.filled == filled else trusted._replace(filled=filled)
