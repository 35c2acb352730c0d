"""The last hour of a market day that goes on whoever lives: its clock, its instruments and its ticks."""

import mmap
import random
import time
from pathlib import Path
from struct import Struct

from manjha.domain.instrument import Instrument
from manjha.domain.moments import SECOND_NS, TradingDay, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.ticks import Tick
from manjha.market.sessions import session
from tests.fakes.hand_made import FIRST_DAY, share_named
from tests.fakes.market_rules import shipped_rules

NAMES = ("ALPHA", "BETA", "GAMMA")
SHARES: tuple[Instrument, ...] = tuple(share_named(name) for name in NAMES)
DAY = TradingDay(FIRST_DAY + 1)
BAR_S, TICK_S = 15, 3
MINUTES = 60
AFTER_NS, LONGEST_NS = 420 * SECOND_NS, 840 * SECOND_NS
"""How long the account is watched after the close, at least and at most: a trader asks for a quarter of an hour."""
_HOURS = session(shipped_rules(), SHARES[0], DAY)
CLOSE_NS = TsNs(_HOURS.close_ns)
OPEN_NS = TsNs(CLOSE_NS - MINUTES * 60 * SECOND_NS)
END_NS, LATEST_NS = TsNs(CLOSE_NS + AFTER_NS), TsNs(CLOSE_NS + LONGEST_NS)
_FORM = Struct("=qqq")


class MarketClock:
    """The market's time, the same in every process: it goes `speed` times as fast as the machine's, from a file."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_FORM.size))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _FORM.size)

    @property
    def speed(self) -> int:
        return self._read()[2]

    def go(self, speed: int, from_ns: int = 0) -> None:
        """Go at another speed from now on; where `from_ns` is given, from that moment."""
        now_ns = from_ns or self.now_ns()
        self._shared[:] = _FORM.pack(time.monotonic_ns(), now_ns, speed)

    def now_ns(self) -> TsNs:
        began, from_ns, speed = self._read()
        return TsNs(from_ns + (time.monotonic_ns() - began) * speed)

    def _read(self) -> tuple[int, int, int]:
        while True:
            # Another process may be writing: what reads the same twice is whole.
            first, second = bytes(self._shared), bytes(self._shared)
            if first == second:
                return _FORM.unpack(first)


def ticks_of(seed: int) -> list[Tick]:
    """Return the ticks of all instruments, in the order of time; the same for the same seed."""
    rng = random.Random(seed)
    level = dict.fromkeys(NAMES, 500.0)
    found = []
    for ts_ns in range(OPEN_NS, CLOSE_NS, TICK_S * SECOND_NS):
        for share in SHARES:
            level[share.symbol] *= 1 + rng.gauss(0, 0.0004)
            px = Px(round(level[share.symbol] * 20) * 500)
            found.append(Tick(share.id, TsNs(ts_ns), px, Qty(100)))
    return found
