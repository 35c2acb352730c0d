"""Frames of Kite's ticker, written by hand from KITE_CONNECT_V3 section 5.4: it shares no code with who reads them."""

import random
import struct
from collections.abc import Mapping, Sequence

NSE, NFO, CDS, BSE, BFO, BCD, MCX, INDICES, NCO = 1, 2, 3, 4, 5, 6, 7, 9, 12
SEGMENTS = (NSE, NFO, CDS, BSE, BFO, BCD, MCX, INDICES, NCO)
LENGTHS = (8, 44, 184)
INDEX_LENGTHS = (8, 28, 32)
FAR = 2**31 - 1


def frame(bodies: Sequence[bytes]) -> bytes:
    """Return a frame of packets."""
    return struct.pack(">H", len(bodies)) + b"".join(struct.pack(">H", len(body)) + body for body in bodies)


def token_of(number: int, segment: int) -> int:
    return number << 8 | segment


def index_body(token: int, last: int, ohlc: tuple[int, int, int, int], stamp: int | None = None) -> bytes:
    opened, high, low, close = ohlc
    body = struct.pack(">I5ii", token, last, high, low, opened, close, last - close)
    return body if stamp is None else body + struct.pack(">I", stamp)


def full_body(token: int, numbers: Mapping[str, int], depth: Sequence[tuple[int, int, int]]) -> bytes:
    """Return a packet of 184 bytes; its first 44 are the quote. Prices are raw, as on the wire."""
    n = numbers
    head = struct.pack(
        ">IiIiIIIiiii", token, n["last"], n["last_qty"], n["average"], n["volume"], n["buy"], n["sell"], n["open"],
        n["high"], n["low"], n["close"],
    )  # fmt: skip
    tail = struct.pack(">5I", n["last_trade_s"], n["oi"], n["oi_high"], n["oi_low"], n["exchange_s"])
    levels = b"".join(struct.pack(">IiHH", qty, px, orders, 0) for qty, px, orders in depth)
    return head + tail + levels


def random_body(draw: random.Random) -> bytes:
    """Return a packet of any known kind, with values that clients of all languages read alike (below 2**31)."""
    segment = draw.choice(SEGMENTS)
    token = token_of(draw.randrange(1, 2**20), segment)

    def any_number() -> int:
        return draw.choice((0, 1, draw.randrange(100_000), draw.randrange(FAR), FAR))

    if segment == INDICES:
        length = draw.choice(INDEX_LENGTHS)
        ohlc = (any_number(), any_number(), any_number(), any_number())
        # The change of the day is a signed 32-bit difference.
        body = index_body(token, any_number() // 2, ohlc, draw.randrange(FAR))
    else:
        length = draw.choice(LENGTHS)
        names = (
            "last", "last_qty", "average", "volume", "buy", "sell", "open", "high", "low", "close", "last_trade_s",
            "oi", "oi_high", "oi_low", "exchange_s",
        )  # fmt: skip
        depth = [(any_number(), any_number(), draw.randrange(65_536)) for _ in range(10)]
        body = full_body(token, {name: any_number() for name in names}, depth)
    return body[:length]
