"""What the sentinel decides: is the trader alive, and does it believe what the broker shows?

Plain functions from what was seen to what is to be done. They share nothing with the engine, the order book and risk:
a mistake there must not be made here as well (RELIABILITY section 6, A9 and A13).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from manjha.domain.broker import ENDED, OrderSeen, PositionSeen, TradeSeen
from manjha.domain.moments import SECOND_NS
from manjha.domain.vitals import Heartbeat, LedgerCopy

SILENT_NS = 30 * SECOND_NS
"""How long a trader's loop may stand still while it has open risk."""
LOOK_NS = 60 * SECOND_NS
"""From one comparison with the broker to the next."""

TAG_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
TAG_DIGITS = str.maketrans(TAG_LETTERS, "0123456789ABCDEFGHIJKLMNOPQRSTUV")
TAG_CHECK = 1021


class Alarm(StrEnum):
    """What became of a trader. The value is for people."""

    SILENT = "the trader's loop stands still while it has open risk"
    BACK = "the trader's loop moves again; the kill switch stays on until a person lifts it"
    LEFT = "the trader ended and left open risk behind"


class Pulse(msgspec.Struct, frozen=True):
    """What was felt of a trader: its newest heartbeat, and when that was first seen by a clock that does not jump."""

    last: Heartbeat | None = None
    since_ns: int = 0
    is_silent: bool = False


def felt(pulse: Pulse, beat: Heartbeat | None, now_ns: int, *, in_session: bool) -> tuple[Pulse, Alarm | None]:
    """Return the pulse after a look, and an alarm where one is due.

    A heartbeat that cannot be read is one that does not move. The time of day within a heartbeat is not believed: what
    counts is how long `count` has been standing, by `now_ns` of the sentinel's own clock.
    """
    last = pulse.last
    if beat is not None and (last is None or (beat.count, beat.ts_ns) != (last.count, last.ts_ns)):
        moved = Pulse(beat, now_ns)
        if beat.ended:
            return moved, Alarm.LEFT if beat.has_risk and in_session and last is not None else None
        return moved, Alarm.BACK if pulse.is_silent else None
    if last is None or last.ended or pulse.is_silent or not last.has_risk or not in_session:
        return pulse, None
    if now_ns - pulse.since_ns <= SILENT_NS:
        return pulse, None
    return msgspec.structs.replace(pulse, is_silent=True), Alarm.SILENT


class Difference(msgspec.Struct, frozen=True):
    """Where broker and trader do not agree. One that lasts has the same `about` and `gap` at the next look."""

    about: str
    gap: int
    words: str


def differences(
    ledger: LedgerCopy | None, positions: Iterable[PositionSeen], trades: Iterable[TradeSeen]
) -> tuple[Difference, ...]:
    """Return where what the broker shows differs from what the trader believes, in a fixed order.

    By order: units traded. By instrument and product: the position. For an order the gap does not matter: within a
    minute every fill is booked, however quick the next one comes.
    """
    if ledger is None:
        return (Difference("ledger", 0, "the trader leaves no copy of its ledger that can be read"),)
    traded: Counter[str] = Counter()
    for trade in trades:
        traded[trade.broker_id] += trade.qty
    found = [
        Difference(f"order {name}", 0, f"order {name}: the broker traded {there}, the trader booked {here}")
        for name, there, here in _unequal(traded, ledger.filled)
    ]
    there, here = _held(positions), _held(ledger.positions)
    found += [
        Difference(name, theirs - ours, f"{name}: the broker shows {theirs}, the trader {ours}")
        for name, theirs, ours in _unequal(there, here)
    ]
    return tuple(found)


def lasting(before: Iterable[Difference], now: Iterable[Difference]) -> tuple[Difference, ...]:
    """Return the differences of this look that were there at the look before: what is only late is gone by then."""
    known = {(one.about, one.gap) for one in before}
    return tuple(one for one in now if (one.about, one.gap) in known)


def own_open(orders: Iterable[OrderSeen]) -> tuple[OrderSeen, ...]:
    """Return the orders that may still trade and carry a tag of ours."""
    return tuple(one for one in orders if one.status not in ENDED and is_own_tag(one.tag))


def is_own_tag(tag: str) -> bool:
    """Tell whether a tag is one that a trader of ours gave: `K`, 17 letters, and a check of two (RELIABILITY A6)."""
    if len(tag) != 20 or not tag.startswith("K") or set(tag) - set(TAG_LETTERS):
        return False
    digits = tag.translate(TAG_DIGITS)
    return int(digits[:18], 32) % TAG_CHECK == int(digits[18:], 32)


def _held(positions: Iterable[PositionSeen]) -> Counter[str]:
    out: Counter[str] = Counter()
    for one in positions:
        out[f"{one.instrument} {one.product}"] += one.qty
    return out


def _unequal(there: Mapping[str, int], here: Mapping[str, int]) -> list[tuple[str, int, int]]:
    names = sorted(there.keys() | here.keys())
    pairs = ((name, there.get(name, 0), here.get(name, 0)) for name in names)
    return [pair for pair in pairs if pair[1] != pair[2]]
