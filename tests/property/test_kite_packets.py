"""Frames of the ticker, by chance: as the official client reads them, and any bytes at all."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manjha.adapters.kite import packets
from manjha.adapters.kite.packets import PacketReader
from tests.fakes.kite_packets import CDS, NCO, frame, random_body
from tests.official.clients import asked_python

FRAMES = 60
_SCALE = {CDS: 1e7, 6: 1e4, NCO: 1e4}


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    draw = random.Random(20_261_130)
    return [frame([random_body(draw) for _ in range(draw.randrange(40))]) for _ in range(FRAMES)]


def rupees(row: packets.Rows, column: int) -> float:
    return int(row[column]) / 10_000


def near(row: packets.Rows, column: int, said: float) -> bool:
    """Tell whether a price is what the client says, to the half of a step that a rounded average may be off."""
    return abs(rupees(row, column) - said) <= 0.000_050_1


def agrees(row: packets.Rows, tick: dict[str, Any]) -> bool:
    """Compare a row with the official client's tick, field by field."""
    assert int(row[packets.TOKEN]) == tick["instrument_token"]
    assert near(row, packets.LAST, tick["last_price"])
    for column, name in enumerate(("open", "high", "low", "close"), packets.OPEN):
        assert near(row, column, tick.get("ohlc", {}).get(name, 0.0))
    for column, name in (
        (packets.LAST_QTY, "last_traded_quantity"), (packets.VOLUME, "volume_traded"), (packets.OI, "oi"),
        (packets.BUY, "total_buy_quantity"), (packets.SELL, "total_sell_quantity"), (packets.OI_HIGH, "oi_day_high"),
        (packets.OI_LOW, "oi_day_low"), (packets.LAST_TRADE_S, "last_trade_time"),
        (packets.EXCHANGE_S, "exchange_timestamp"),
    ):  # fmt: skip
        assert int(row[column]) == int(tick.get(name, 0)), name
    assert near(row, packets.AVERAGE, tick.get("average_traded_price", 0.0))
    if "depth" in tick:
        levels = row[packets.DEPTH :].reshape(10, 3)
        for level, said in zip(levels, tick["depth"]["buy"] + tick["depth"]["sell"], strict=True):
            assert (int(level[0]), int(level[2])) == (said["quantity"], said["orders"])
            assert near(level, 1, said["price"])
    return True


def test_frames_are_read_as_the_official_client_reads_them(frames: list[bytes]) -> None:
    said = asked_python("parse.py", [one.hex() for one in frames])
    reader = PacketReader()
    compared = 0
    for data, ticks in zip(frames, said, strict=True):
        rows = reader.read(data).rows
        compared += sum(agrees(row, tick) for row, tick in zip(rows, ticks, strict=True))
    assert compared > 500


@given(st.binary(max_size=600))
def test_any_bytes_are_read_without_harm(data: bytes) -> None:
    found = PacketReader().read(data)
    assert len(found.rows) * 10 <= len(data)
    assert set(found.rows[:, packets.LENGTH]) <= {8, 28, 32, 44, 184}


@given(st.integers(0, 2**32), st.data())
def test_what_is_cut_off_changes_nothing_of_what_stands_before(seed: int, data: st.DataObject) -> None:
    draw = random.Random(seed)
    whole = frame([random_body(draw) for _ in range(draw.randrange(1, 12))])
    cut = data.draw(st.integers(0, len(whole)))
    rows = PacketReader().read(whole).rows
    found = PacketReader().read(whole[:cut])
    assert found.is_cut == (1 < cut < len(whole))
    np.testing.assert_array_equal(found.rows, rows[: len(found.rows)])


@given(st.integers(0, 2**32))
def test_a_reader_that_is_used_again_reads_the_same(seed: int) -> None:
    draw = random.Random(seed)
    first, second = (frame([random_body(draw) for _ in range(draw.randrange(400))]) for _ in range(2))
    reader = PacketReader()
    reader.read(first)
    np.testing.assert_array_equal(reader.read(second).rows, PacketReader().read(second).rows)
