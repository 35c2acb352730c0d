"""What packets of Kite's ticker observe: trades as ticks, with stamps and traded quantities that can be believed.

Kite sends snapshots, not trades (KITE_CONNECT_V3 section 5.6): a packet comes when anything changed, the depth
included, with the day's volume so far. Where nothing traded there is no tick.
"""

from collections.abc import Iterable, Mapping

import msgspec

from manjha.adapters.kite.packets import EXCHANGE_S, LAST, TOKEN, VOLUME, Packets
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TradingDay, TsNs, day_of
from manjha.domain.money import Px, Qty
from manjha.domain.ticks import Tick

STALE_NS = 15 * SECOND_NS
"""How old the first packet after a subscription may be. Kite sends the last one that it has, of yesterday too."""
_WRAP = 1 << 32


class Watched(msgspec.Struct, frozen=True):
    """Whose ticks a token brings today; `multiplier`: how many units a lot has where Kite counts lots, 1 elsewhere."""

    instrument: InstrumentId
    multiplier: int = 1


class Counts(msgspec.Struct):
    """What came and gave no tick. `stale`: first packets of long ago; `foreign`: tokens that nobody asked for;
    `behind`: snapshots older than one before; `broken`: frames that were cut or counted wrongly, and unknown packets.
    """

    packets: int = 0
    stale: int = 0
    foreign: int = 0
    behind: int = 0
    broken: int = 0


class _Last(msgspec.Struct):
    """The last snapshot of an instrument; `is_fresh` tells that none came since it was subscribed."""

    px: int = 0
    volume: int = -1
    day: TradingDay = TradingDay(0)
    is_fresh: bool = True


class Observer:
    """Makes ticks of packets. Tokens hold for a day: they are given anew each morning."""

    def __init__(self, watched: Mapping[int, Watched]) -> None:
        self._watched = watched
        self._last = {token: _Last() for token in watched}
        self.counts = Counts()

    def subscribed(self, tokens: Iterable[int]) -> None:
        """Be told that the next packet of some tokens may be an old one: they were subscribed just now."""
        for token in tokens:
            self._last[token].is_fresh = True

    def ticks(self, packets: Packets, now_ns: TsNs) -> list[Tick]:
        """Return the ticks of a frame, in its order; `now_ns` is when it came, by our clock.

        The stamp is the exchange's, to the second, or the moment of arrival where the packet has none.
        """
        counts = self.counts
        counts.packets += len(packets.rows)
        counts.broken += packets.unknown + packets.is_cut
        found = []
        # Plain numbers: to take them out of the array one by one costs more than all the rest.
        columns = [packets.rows[:, column].tolist() for column in (TOKEN, LAST, VOLUME, EXCHANGE_S)]
        for token, px, volume, stamp_s in zip(*columns, strict=True):
            watched = self._watched.get(token)
            if watched is None:
                counts.foreign += 1
                continue
            ts_ns = TsNs(stamp_s * SECOND_NS) if stamp_s else now_ns
            traded = self._traded(self._last[token], px, volume, (ts_ns, now_ns))
            if traded >= 0:
                found.append(Tick(watched.instrument, ts_ns, Px(px), Qty(traded * watched.multiplier)))
        return found

    def _traded(self, last: _Last, px: int, volume: int, when: tuple[TsNs, TsNs]) -> int:
        """Return the quantity since the snapshot before, and remember this one; below zero where it is no tick."""
        ts_ns, now_ns = when
        day = day_of(ts_ns)
        is_first, before = last.is_fresh, last.volume
        traded = 0
        if before >= 0 and day == last.day:
            traded = (volume - before) % _WRAP
            if traded >= _WRAP // 2:
                self.counts.behind += 1
                return -1
        elif before >= 0 and not is_first:
            # The first trades of a day, seen over the night by a link that held.
            traded = volume
        is_news = px != last.px or traded > 0
        last.px, last.volume, last.day, last.is_fresh = px, volume, day, False
        if is_first and now_ns - ts_ns > STALE_NS:
            self.counts.stale += 1
            return -1
        return traded if is_news and (px or volume) else -1
