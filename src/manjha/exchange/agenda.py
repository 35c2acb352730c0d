"""What is to happen at a moment: a queue of plain values, so that it can be saved with the rest of the exchange."""

import heapq
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from manjha.domain.errors import UsageError
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


class Kept(msgspec.Struct, frozen=True):
    """An entry as it is saved: its value under the name of its kind."""

    ts_ns: int
    seq: int
    kind: str
    due: msgspec.Raw


class AgendaState(msgspec.Struct):
    """What is due, in its order, and how much has been put on the agenda so far."""

    seq: int
    entries: list[Kept]


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

    # ---- what is kept

    def state(self) -> AgendaState:
        """Return what a restored agenda goes on with."""
        return AgendaState(
            self.seq,
            [
                Kept(one.ts_ns, one.seq, type(one.due).__name__, msgspec.Raw(msgspec.json.encode(one.due)))
                for one in sorted(self.entries)
            ],
        )

    def restore(self, state: AgendaState) -> None:
        """Go on where an agenda stopped. Raises `UsageError` for what nobody here does."""
        kinds = {kind.__name__: kind for kind in self._does}
        if unknown := {one.kind for one in state.entries} - set(kinds):
            raise UsageError(
                f"nobody here does what is due in the saved state: {', '.join(sorted(unknown))}",
                hint="Serve it with the version and the options that it was saved with.",
            )
        self.seq = state.seq
        self.entries = [
            Entry(one.ts_ns, one.seq, msgspec.json.decode(one.due, type=kinds[one.kind])) for one in state.entries
        ]
