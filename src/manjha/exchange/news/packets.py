"""Binary frames of the ticker, as the exchange writes them (fact sheet 5.3 and 5.4)."""

import struct
from collections.abc import Sequence
from enum import StrEnum

from manjha.domain.moments import SECOND_NS
from manjha.exchange.market.depth import depth_of
from manjha.exchange.market.listing import Listed
from manjha.exchange.market.market import Standing

HEARTBEAT = b"\x00"
VALUE_MAX = 2**31 - 1
"""Some clients read numbers as signed."""
_CDS, _BCD = 3, 6
_PACKETS_MAX = 2**16 - 1


class Detail(StrEnum):
    """How much of an instrument is streamed."""

    LTP = "ltp"
    QUOTE = "quote"
    FULL = "full"


def packet(listed: Listed, standing: Standing, stamp_ns: int, mode: Detail) -> bytes:
    """Return the packet of an instrument as it stands; `stamp_ns` is the exchange's stamp of a full one."""
    segment = listed.token & 0xFF
    last = _wire(standing.last or standing.close, segment)
    head = struct.pack(">Ii", listed.token, last)
    if mode is Detail.LTP:
        return head
    prices = (standing.open, standing.high, standing.low, standing.close)
    opened, high, low, close = (_wire(px, segment) for px in prices)
    if not listed.instrument.is_tradable:
        body = head + struct.pack(">5i", high, low, opened, close, last - close)
        return body if mode is Detail.QUOTE else body + struct.pack(">I", stamp_ns // SECOND_NS)
    return _traded(listed, standing, stamp_ns, mode, head + struct.pack(">4i", opened, high, low, close))


def frame(packets: Sequence[bytes]) -> bytes:
    """Return the frame of some packets, at most 65,535."""
    some = packets[:_PACKETS_MAX]
    return struct.pack(">H", len(some)) + b"".join(struct.pack(">H", len(one)) + one for one in some)


def _traded(listed: Listed, standing: Standing, stamp_ns: int, mode: Detail, prices: bytes) -> bytes:
    """Return a packet of something that trades; `prices` are its token and last, then open, high, low, close."""
    segment, unit = listed.token & 0xFF, listed.unit
    bids, offers = depth_of(listed.instrument, standing)
    average = _wire(standing.turnover // standing.volume, segment) if standing.volume else 0
    buys, sells = (_count(sum(level.qty for level in side), unit) for side in (bids, offers))
    quote = struct.pack(
        ">IiIII", _count(standing.last_qty, unit), average, _count(standing.volume, unit), buys, sells
    )  # fmt: skip
    body = prices[:8] + quote + prices[8:]
    if mode is Detail.QUOTE:
        return body
    # No open interest is simulated.
    stamps = struct.pack(">IIIII", standing.last_ns // SECOND_NS, 0, 0, 0, stamp_ns // SECOND_NS)
    depth = b"".join(
        struct.pack(">IiHH", _count(one.qty, unit), _wire(one.px, segment), one.orders, 0) for one in (*bids, *offers)
    )
    return body + stamps + depth


def _wire(px: int, segment: int) -> int:
    """Return a price as the wire has it: paise, or of currencies the steps of their exchange."""
    value = px * 1_000 if segment == _CDS else px if segment == _BCD else px // 100
    return min(value, VALUE_MAX)


def _count(qty: int, unit: int) -> int:
    return min(qty // unit, VALUE_MAX)
