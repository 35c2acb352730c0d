"""Frames of the ticker: the vectors of the broker's fact sheet, and what a frame that lies is read as."""

import base64
from pathlib import Path

import pytest

from manjha.adapters.kite import packets
from manjha.adapters.kite.packets import PacketReader
from tests.fakes.kite_packets import CDS, MCX, NCO, NSE, frame, full_body, index_body, token_of

NUMBERS = {
    "last": 150_025, "last_qty": 7, "average": 150_000, "volume": 90, "buy": 11, "sell": 12, "open": 149_000,
    "high": 151_000, "low": 148_000, "close": 149_500, "last_trade_s": 1_700_000_000, "oi": 21, "oi_high": 22,
    "oi_low": 20, "exchange_s": 1_700_000_001,
}  # fmt: skip
DEPTH = [(10 * level, 150_000 - level, level + 1) for level in range(10)]


def read(data: bytes) -> packets.Packets:
    return PacketReader().read(data)


def test_a_packet_with_a_price_only() -> None:
    found = read(bytes.fromhex("0001000800063a01000266ba"))
    assert (len(found.rows), found.unknown, found.is_cut) == (1, 0, False)
    row = found.rows[0]
    assert (row[packets.TOKEN], row[packets.LENGTH], row[packets.LAST]) == (408065, packets.LTP, 15_737_000)
    assert not row[packets.LAST + 1 :].any()


@pytest.mark.parametrize("data", [b"", b"\x00"])
def test_a_heartbeat_has_no_packets(data: bytes) -> None:
    found = read(data)
    assert (len(found.rows), found.unknown, found.is_cut) == (0, 0, False)


def test_an_index_comes_high_low_open_close() -> None:
    body = bytes.fromhex("0003e9090023b74d0023c50300238bfb00239eed00237fd500003778")
    for packet, stamp in ((body, 0), (body + bytes.fromhex("60e2947f"), 1625461887)):
        row = read(frame([packet])).rows[0]
        names = (packets.LAST, packets.HIGH, packets.LOW, packets.OPEN, packets.CLOSE)
        assert [int(row[name]) for name in names] == [234_068_500, 234_419_500, 232_959_500, 233_444_500, 232_648_500]
        assert row[packets.EXCHANGE_S] == stamp


@pytest.mark.parametrize(("body", "px"), [("00064c032b5d8830", 727_550), ("0004d206000cb426", 832_550)])
def test_currencies_have_steps_of_their_own(body: str, px: int) -> None:
    assert read(frame([bytes.fromhex(body)])).rows[0][packets.LAST] == px


def test_an_average_between_two_steps_goes_to_the_nearest() -> None:
    token = token_of(7, CDS)
    body = full_body(token, NUMBERS | {"average": 835_012_499}, DEPTH)
    assert read(frame([body])).rows[0][packets.AVERAGE] == 835_012
    body = full_body(token, NUMBERS | {"average": 835_012_500}, DEPTH)
    assert read(frame([body])).rows[0][packets.AVERAGE] == 835_013


def test_a_full_packet_with_its_depth() -> None:
    row = read(frame([full_body(token_of(1594, NSE), NUMBERS, DEPTH)])).rows[0]
    assert row[packets.LAST] == NUMBERS["last"] * 100
    assert [int(row[at]) for at in range(packets.LAST_TRADE_S, packets.DEPTH)] == [
        NUMBERS[name] for name in ("last_trade_s", "oi", "oi_high", "oi_low", "exchange_s")
    ]
    depth = row[packets.DEPTH :].reshape(10, 3)
    assert [tuple(int(one) for one in level) for level in depth] == [(q, px * 100, n) for q, px, n in DEPTH]


def test_a_price_below_zero_keeps_its_sign() -> None:
    body = full_body(token_of(9, MCX), NUMBERS | {"last": -3_763, "low": -4_032}, DEPTH)
    row = read(frame([body])).rows[0]
    assert (row[packets.LAST], row[packets.LOW]) == (-376_300, -403_200)


def test_the_new_commodity_segment_has_four_places() -> None:
    assert read(frame([full_body(token_of(9, NCO), NUMBERS, DEPTH)])).rows[0][packets.LAST] == NUMBERS["last"]


def test_quantities_do_not_turn_negative() -> None:
    body = full_body(token_of(9, NSE), NUMBERS | {"volume": 2**32 - 1}, DEPTH)
    assert read(frame([body])).rows[0][packets.VOLUME] == 2**32 - 1


def test_a_packet_of_a_length_that_nobody_knows_is_passed_over() -> None:
    known = full_body(token_of(1594, NSE), NUMBERS, DEPTH)
    found = read(frame([known[:8], b"\x00" * 20, known]))
    assert [int(row[packets.LENGTH]) for row in found.rows] == [8, 184]
    assert (found.unknown, found.is_cut) == (1, False)


def test_a_frame_that_is_cut_gives_what_was_whole() -> None:
    bodies = [index_body(token_of(1, 9), 5, (1, 2, 3, 4), 9), full_body(token_of(1594, NSE), NUMBERS, DEPTH)]
    found = read(frame(bodies)[:-1])
    assert (len(found.rows), found.is_cut) == (1, True)


@pytest.mark.parametrize("count", [0, 2, 65_535])
def test_a_frame_that_counts_wrongly_says_so(count: int) -> None:
    body = frame([full_body(token_of(1594, NSE), NUMBERS, DEPTH)])
    found = read(count.to_bytes(2, "big") + body[2:])
    assert (len(found.rows), found.is_cut) == (min(count, 1), True)


def test_a_row_does_not_keep_what_was_there_before() -> None:
    reader = PacketReader()
    reader.read(frame([full_body(token_of(1594, NSE), NUMBERS, DEPTH)]))
    row = reader.read(bytes.fromhex("0001000800063a01000266ba")).rows[0]
    assert not row[packets.LAST + 1 :].any()


@pytest.mark.shared
def test_the_brokers_own_samples(shared: Path) -> None:
    folder = shared / "kite" / "mocks"
    bodies = [base64.b64decode((folder / f"ticker_{name}.packet").read_text()) for name in ("quote", "full")]
    quote, full = read(frame(bodies)).rows
    assert (quote[packets.LAST], quote[packets.VOLUME]) == (15_731_500, 1_175_986)
    assert (full[packets.LAST], full[packets.AVERAGE], full[packets.VOLUME]) == (15_737_000, 15_703_700, 1_192_471)
    depth = full[packets.DEPTH :].reshape(10, 3)
    assert [int(one) for one in depth[0]] == [5, 15_734_000, 1]
    assert [int(one) for one in depth[5]] == [172, 15_737_000, 3]
