"""Vital signs: what a trader shows, beside everything else, to whoever watches whether it lives and counts right."""

import msgspec

from manjha.domain.broker import PositionSeen
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """One turn of a trader's loop: proof of progress, not only of being there.

    `count` grows with each, `ts_ns` is the time of day, `reconciled_ns` when the account was last compared with the
    broker's (0: not yet). `has_risk` tells of positions, or orders that may trade; `ended`, that it ended by itself.
    """

    count: int
    ts_ns: TsNs
    has_risk: bool
    reconciled_ns: TsNs = TsNs(0)
    ended: bool = False


class LedgerCopy(msgspec.Struct, frozen=True):
    """What a trader believes of its account: parts of `positions`, which add up, and units filled by order.

    Both have everything that it knows of, what others traded included. `filled` has the broker's numbers of orders that
    its book of the day may show. `instruments` are those that it trades: they go by our ids and count our units, all
    others go by the broker's names.
    """

    ts_ns: TsNs
    positions: tuple[PositionSeen, ...]
    filled: dict[str, int]
    instruments: tuple[InstrumentId, ...] = ()
