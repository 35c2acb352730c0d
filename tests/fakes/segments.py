"""Segments of market data in memory: pass the contract suite of the real ones."""

from collections.abc import Sequence

from msgspec.structs import replace

from manjha.domain.errors import JournalHalted
from manjha.domain.orders import AccountId
from manjha.domain.segments import OPENING, Frame, MarketWritten, SegmentChain, with_tail


class MemorySegments:
    """Implements `ports.segments.MarketSegments`. `held` is what several objects look at, as they do at a folder."""

    def __init__(
        self,
        account: AccountId,
        held: dict[int, bytes] | None = None,
        *,
        segment_bytes: int = 1 << 26,
        tail_bytes: int = 1 << 14,
    ) -> None:
        self._account = account
        self.held = {} if held is None else held
        self._segment_bytes = segment_bytes
        self._tail_bytes = tail_bytes
        self._durable = 0
        self._chain: SegmentChain | None = None
        self._last: MarketWritten | None = None
        self._is_open = False

    def resume(self, last: MarketWritten | None) -> int:
        if last is not None:
            self._mend(last)
        before = sum(map(len, self.held.values()))
        for number in self.numbers():
            if last is None or number > last.segment:
                del self.held[number]
            elif number == last.segment:
                self.held[number] = self.held[number][: last.offset]
        self._chain, self._last, self._is_open = None, last, True
        return before - sum(map(len, self.held.values()))

    def _mend(self, last: MarketWritten) -> None:
        if last.segment not in self.held or len(self.held[last.segment]) < last.durable:
            raise JournalHalted(f"segment {last.segment} has lost its end")
        self.held[last.segment] = with_tail(self.held[last.segment], last)

    def append(self, frames: Sequence[Frame]) -> None:
        if not self._is_open:
            raise JournalHalted("resume was not called")
        if not frames:
            return
        if self._chain is None or (self._chain.offset >= self._segment_bytes and self._chain.written() == self._last):
            number = self._last.segment + 1 if self._last is not None else 1
            self._chain = SegmentChain(self._account, number, self._last.hash if self._last is not None else "")
            self.held[number] = OPENING
            self._durable = 0
        self.held[self._chain.number] += b"".join(map(self._chain.framed, frames))

    def sync(self) -> MarketWritten | None:
        if self._chain is not None:
            self._last = self._chain.written()
            self._durable = self._last.offset
        return self._last

    def stated(self) -> MarketWritten | None:
        if self._chain is None or not 0 < self._chain.offset - self._durable <= self._tail_bytes:
            return self.sync()
        self._last = self._chain.written()
        return replace(self._last, tail=self.held[self._last.segment][self._durable :])

    def read(self, number: int) -> bytes:
        return self.held.get(number, b"")

    def numbers(self) -> Sequence[int]:
        return sorted(self.held)

    def close(self) -> None:
        self._is_open = False
