"""Binary frames of Kite's ticker, read into rows of integers (KITE_CONNECT_V3 section 5).

A frame comes from outside: it may be cut, or say more than it has. What is whole in it is read, the rest is counted,
and nothing is raised.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Bytes = NDArray[np.uint8]

TOKEN, LENGTH, LAST, LAST_QTY, AVERAGE, VOLUME, BUY, SELL = range(8)
OPEN, HIGH, LOW, CLOSE, LAST_TRADE_S, OI, OI_HIGH, OI_LOW, EXCHANGE_S = range(8, 17)
DEPTH = 17
"""First column of the depth: ten entries, five bids before five asks, best first, each of three columns."""
DEPTH_QTY, DEPTH_PX, DEPTH_ORDERS = range(3)
LEVELS = 5
FIELDS = DEPTH + 2 * LEVELS * 3

LTP, INDEX_QUOTE, INDEX_FULL, QUOTE, FULL = 8, 28, 32, 44, 184
"""Bytes of a packet: there is no other sign of what it is."""
CURRENCY, BSE_CURRENCY, INDICES, COMMODITIES = 3, 6, 9, 12
"""Segments, the lowest byte of a token, that are not as the others: CDS, BCD, indices, NCO."""
_PER_CURRENCY_UNIT = 1_000
"""Steps of a CDS price in 1e-4 rupee; elsewhere the price comes in paise, or in 1e-4 rupee."""
_FIRST_ROWS = 256
_LEAST = 10
"""The shortest packet with its length."""


class Packets(NamedTuple):
    """What a frame has: a row for each packet, in its order; the rows are valid until the next frame is read.

    Columns are named above. Prices are signed, in 1e-4 rupee; quantities are as on the wire, which counts lots on CDS,
    BCD and MCX; times are seconds since 1970 UTC; what a packet does not have is zero. `unknown` counts packets of a
    length that nobody knows. `is_cut` tells that the frame ends before, or goes on after, what it says.
    """

    rows: Rows
    unknown: int = 0
    is_cut: bool = False


class PacketReader:
    """Reads frames, one after the other, into the same memory."""

    def __init__(self) -> None:
        self._rows = np.empty((_FIRST_ROWS, FIELDS), np.int64)

    def read(self, frame: bytes) -> Packets:
        """Return the packets of a frame; none of a heartbeat, which is one byte."""
        data = np.frombuffer(frame, np.uint8)
        most = len(frame) // _LEAST + 1
        if most > len(self._rows):
            self._rows = np.empty((most, FIELDS), np.int64)
        count, unknown, is_cut = _read(data, self._rows)
        return Packets(self._rows[:count], unknown, is_cut)


def warm() -> None:
    """Compile, or load from the cache, before the first frame is waited for."""
    PacketReader().read(b"\x00")


def _loader(bits: int) -> Any:
    """Return the function that reads a big-endian number of some bits at any address: one load and one turn of bytes.

    By index each byte would be checked for a negative index, and put together one by one.
    """

    def typed(_context: Any, data: Any, _at: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            made: Any = cgutils.create_struct_proxy(signature.args[0])  # type: ignore[no-untyped-call]
            array = made(context, builder, arguments[0])
            number = ir.IntType(bits)
            place = builder.bitcast(builder.gep(array.data, [arguments[1]]), number.as_pointer())
            loaded = builder.load(place)
            loaded.align = 1
            return builder.zext(builder.bswap(loaded), ir.IntType(64))

        return types.int64(data, types.int64), code

    return intrinsic(typed)


_uint: Callable[[Bytes, int], int] = _loader(32)
_short: Callable[[Bytes, int], int] = _loader(16)


@numba.njit(cache=True, boundscheck=False)
def _px(data: Bytes, at: int, segment: int) -> int:  # pragma: no cover - compiled
    """Return a price in 1e-4 rupee. A spread or a rate may be below zero, so the sign counts."""
    raw = _uint(data, at)
    if raw >= 1 << 31:
        raw -= 1 << 32
    if segment == CURRENCY:
        # A price is on its tick and divides evenly; an average may lie between, and goes to the nearest.
        return (raw + _PER_CURRENCY_UNIT // 2) // _PER_CURRENCY_UNIT
    if segment in (BSE_CURRENCY, COMMODITIES):
        return raw
    return raw * 100


@numba.njit(cache=True, boundscheck=False)
def _index(data: Bytes, at: int, row: Rows, segment: int) -> None:  # pragma: no cover - compiled
    row[HIGH] = _px(data, at + 8, segment)
    row[LOW] = _px(data, at + 12, segment)
    row[OPEN] = _px(data, at + 16, segment)
    row[CLOSE] = _px(data, at + 20, segment)


@numba.njit(cache=True, boundscheck=False)
def _quote(data: Bytes, at: int, row: Rows, segment: int) -> None:  # pragma: no cover - compiled
    row[LAST_QTY] = _uint(data, at + 8)
    row[AVERAGE] = _px(data, at + 12, segment)
    row[VOLUME] = _uint(data, at + 16)
    row[BUY] = _uint(data, at + 20)
    row[SELL] = _uint(data, at + 24)
    row[OPEN] = _px(data, at + 28, segment)
    row[HIGH] = _px(data, at + 32, segment)
    row[LOW] = _px(data, at + 36, segment)
    row[CLOSE] = _px(data, at + 40, segment)


@numba.njit(cache=True, boundscheck=False)
def _full(data: Bytes, at: int, row: Rows, segment: int) -> None:  # pragma: no cover - compiled
    row[LAST_TRADE_S] = _uint(data, at + 44)
    row[OI] = _uint(data, at + 48)
    row[OI_HIGH] = _uint(data, at + 52)
    row[OI_LOW] = _uint(data, at + 56)
    row[EXCHANGE_S] = _uint(data, at + 60)
    for level in range(2 * LEVELS):
        entry, column = at + 64 + 12 * level, DEPTH + 3 * level
        row[column + DEPTH_QTY] = _uint(data, entry)
        row[column + DEPTH_PX] = _px(data, entry + 4, segment)
        row[column + DEPTH_ORDERS] = _short(data, entry + 8)


@numba.njit(cache=True, boundscheck=False)
def _packet(data: Bytes, at: int, length: int, row: Rows) -> None:  # pragma: no cover - compiled
    if length != FULL:
        row[:] = 0
    token = _uint(data, at)
    segment = token & 0xFF
    row[TOKEN] = token
    row[LENGTH] = length
    row[LAST] = _px(data, at + 4, segment)
    if length in (INDEX_QUOTE, INDEX_FULL):
        _index(data, at, row, segment)
        if length == INDEX_FULL:
            row[EXCHANGE_S] = _uint(data, at + 28)
    elif length in (QUOTE, FULL):
        _quote(data, at, row, segment)
        if length == FULL:
            _full(data, at, row, segment)


@numba.njit(cache=True, boundscheck=False)
def _read(data: Bytes, rows: Rows) -> tuple[int, int, bool]:  # pragma: no cover - compiled
    """Fill rows; return how many, how many packets have no known length, and whether the frame is not as it says."""
    size = len(data)
    count = unknown = 0
    if size < 4:
        return 0, 0, size > 1
    at = 2
    for _ in range(_short(data, 0)):
        if at + 2 > size:
            return count, unknown, True
        length = _short(data, at)
        at += 2
        if at + length > size:
            return count, unknown, True
        if length in (LTP, INDEX_QUOTE, INDEX_FULL, QUOTE, FULL):
            _packet(data, at, length, rows[count])
            count += 1
        else:
            unknown += 1
        at += length
    return count, unknown, at != size
