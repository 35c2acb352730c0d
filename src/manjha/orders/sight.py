"""What is known of an order at the broker, put together from sights that come twice, late, and in any order.

`joined` is a join: the order and number of sights makes no difference (commutative, associative, idempotent), so that a
postback after the book read, or the same message twice, changes nothing. Rule: RELIABILITY section 5.1.
"""

from typing import NamedTuple

from manjha.domain.broker import ENDED, BrokerStatus, OrderSeen

_ORDER = {status: number for number, status in enumerate(BrokerStatus)}


class Sight(NamedTuple):
    """What is known: the largest quantity filled, and of all else what the most trusted sight says.

    One that ends the order is trusted before one that does not, then the later by the exchange's time, then the better
    source, then by status, terms and words, so that no two different ones are tied.
    """

    is_over: bool = False
    exchange_ns: int = 0
    source: int = -1
    status: BrokerStatus = BrokerStatus.PENDING
    terms: tuple[int, int, int] = (0, 0, 0)
    reason: str = ""
    filled: int = 0

    @property
    def trust(self) -> tuple[bool, int, int, int, tuple[int, int, int], str]:
        """What sights are ranked by."""
        return self.is_over, self.exchange_ns, self.source, _ORDER[self.status], self.terms, self.reason


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
