"""Where ticks come from while a session runs."""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from manjha.domain.moments import TsNs
from manjha.domain.ticks import Tick


class FeedHealth(msgspec.Struct, frozen=True):
    """How a feed is doing.

    `last_ns` is the exchange's stamp of the last tick and `arrived_ns` when it came by our clock, 0 before the first;
    `interruptions` counts how often the link was lost; `note` is for people, empty where there is nothing to say.
    `silent_ns` is how long not even a sign of life has come over a link that is up, in real time; 0 where nobody can
    tell.
    """

    is_connected: bool
    ticks: int
    last_ns: TsNs
    arrived_ns: TsNs
    interruptions: int = 0
    note: str = ""
    silent_ns: int = 0


class Feed(Protocol):
    """Ticks of the instruments of a run, as they come: late, wrong or double ones too, which `TickGate` screens."""

    def ticks(self) -> AsyncIterator[Tick]:
        """Yield ticks in the order of arrival; ends when the feed does. To be asked for once.

        A link that is lost is taken up again inside; ticks of the time between are missing, and `health` counts it.
        """
        ...

    def health(self) -> FeedHealth:
        """Return how the feed is doing now."""
        ...

    async def close(self) -> None:
        """Let go of the source; `ticks` ends. May be called again."""
        ...
