"""The kill switch's words: how much is forbidden, and for whom."""

from enum import IntEnum

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.orders import StrategyId


class KillLevel(IntEnum):
    """How much a kill switch forbids; each level forbids what the ones below it do (RELIABILITY A12).

    `REDUCE_ONLY`: nothing is opened. `NO_NEW`: strategies order nothing, exits that were set before go on.
    `CANCEL_ALL`: open orders are cancelled, nothing but cancels and square-offs leaves. `FLATTEN`: positions are closed
    as well.
    """

    OFF = 0
    REDUCE_ONLY = 1
    NO_NEW = 2
    CANCEL_ALL = 3
    FLATTEN = 4


class Scope(msgspec.Struct, frozen=True, gc=False):
    """Whom a switch or a pause is for: a strategy, an instrument, a strategy in an instrument; both empty is all."""

    strategy: StrategyId = StrategyId("")
    instrument: InstrumentId = InstrumentId("")

    def covers(self, strategy: str, instrument: str) -> bool:
        """Tell whether orders of a strategy in an instrument are meant."""
        return self.strategy in ("", strategy) and self.instrument in ("", instrument)

    @property
    def display(self) -> str:
        """What people read: "everything", "sma-cross", "NSE:ALPHA", "sma-cross in NSE:ALPHA"."""
        return " in ".join(part for part in (self.strategy, self.instrument) if part) or "everything"


EVERYTHING = Scope()
"""The whole account."""


def level_of(name: str) -> KillLevel | None:
    """Return the level of a name as people write it ("reduce-only", "FLATTEN"); None for no level."""
    return KillLevel.__members__.get(name.strip().upper().replace("-", "_"))


def level_name(level: KillLevel) -> str:
    """Write a level for people: "reduce-only"."""
    return level.name.lower().replace("_", "-")
