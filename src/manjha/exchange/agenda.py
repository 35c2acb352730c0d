"""What is to happen at a moment: a queue of plain values, so that it can be saved with the rest of the exchange."""

import heapq
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from manjha.domain.moments import TradingDay, TsNs

NEVER = TsNs(2**63 - 1)


class Stage(StrEnum):
    """How far an order has come on its way, or what becomes of it by itself."""

    VALIDATE = "validate"
    ARRIVE = "arrive"
    MODIFY_SENT = "modify sent"
    MODIFY_ARRIVE = "modify arrives"
    CANCEL_ARRIVE = "cancel arrives"
    RELEASE = "release"
    EXPIRE = "expire"


class OrderDue(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The next stage of an order."""

    stage: Stage
    order_id: str


class DayDue(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A day begins: the book is emptied, sessions end, the day's market is laid out."""

    day: TradingDay


class AuctionDue(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Closing auctions end."""

    end_ns: TsNs


class CloseDue(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Instruments close whose day ends now: what is left of their DAY orders is cancelled."""

    end_ns: TsNs


class Entry(msgspec.Struct, frozen=True, gc=False, order=True):
    """One thing due, in the order of time and then of coming."""

    ts_ns: int
    seq: int
    due: Any


class Agenda:
    """The queue, and who does what is due: a part of the exchange registers its kinds of value with `on`."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.seq = 0
        self._does: dict[type, Callable[[Any, TsNs], None]] = {}

    def on(self, kind: type, does: Callable[[Any, TsNs], None]) -> None:
        """Say who does a kind of value when its moment comes."""
        self._does[kind] = does

    def put(self, ts_ns: int, due: object) -> None:
        """Add what is due at a moment."""
        self.seq += 1
        heapq.heappush(self.entries, Entry(ts_ns, self.seq, due))

    def next_ns(self) -> int:
        """Return when the next thing is due, `NEVER` for none."""
        return self.entries[0].ts_ns if self.entries else NEVER

    def do_next(self) -> None:
        """Do what is due next."""
        entry = heapq.heappop(self.entries)
        self._does[type(entry.due)](entry.due, TsNs(entry.ts_ns))
