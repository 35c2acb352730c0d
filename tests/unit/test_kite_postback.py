"""Postbacks: whose they are is proven, what they say is not believed."""

import hashlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manjha.adapters.kite.postback import BODY_MAX, REMEMBERED, KitePostback
from manjha.domain.secret import Secret

SECRET = "sec"  # noqa: S105
STAMP = "2022-03-03 09:24:25"
NUMBER = "220303000308932"
FORGERIES = 100_000


def signed(number: str = NUMBER, secret: str = SECRET, **changes: object) -> bytes:
    proof = hashlib.sha256(f"{number}{STAMP}{secret}".encode()).hexdigest()
    message = {
        "user_id": "AB1234", "order_id": number, "order_timestamp": STAMP, "checksum": proof, "status": "COMPLETE",
        "filled_quantity": 1,
    }  # fmt: skip
    return json.dumps(message | changes).encode()


def receiver() -> KitePostback:
    return KitePostback(Secret(SECRET), "AB1234")


def test_the_checksum_is_that_of_the_fact_sheet() -> None:
    known = "c2a9e9c8115e914a84ce33cd71177a943813a50f92d50d599b05132742827596"
    assert receiver().received(signed(checksum=known)) == NUMBER


def test_it_gives_the_number_once() -> None:
    one = receiver()
    assert one.received(signed(status="UPDATE")) == NUMBER
    assert one.received(signed(status="UPDATE")) is None
    assert one.received(signed(status="UPDATE", filled_quantity=2)) == NUMBER
    assert one.received(signed()) == NUMBER
    assert one.refused == {"heard before": 1}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (signed(secret="other"), "forged"),  # noqa: S106
        (signed(checksum=""), "forged"),
        (signed(checksum="é"), "forged"),
        (signed(order_id="1"), "forged"),
        (signed(user_id="ZZ9999"), "another account's"),
        (signed(order_id=7), "unreadable"),
        (b"", "unreadable"),
        (b"[" * 10_000, "unreadable"),
        (b"\xff" * 50, "unreadable"),
        (b"{}", "unreadable"),
        (b" " * (BODY_MAX + 1), "too large"),
    ],
)
def test_what_is_not_believed(body: bytes, why: str) -> None:
    one = receiver()
    assert one.received(body) is None
    assert one.refused == {why: 1}


def test_forged_and_replayed_messages_give_nothing() -> None:
    one, draw = receiver(), random.Random(7)
    true = signed()
    assert one.received(true) == NUMBER
    for _ in range(FORGERIES // 2):
        proof = f"{draw.getrandbits(256):064x}"
        assert one.received(signed(checksum=proof)) is None
        assert one.received(true) is None
    assert one.refused == {"forged": FORGERIES // 2, "heard before": FORGERIES // 2}


def test_what_it_remembers_is_bounded() -> None:
    one = receiver()
    for number in range(REMEMBERED + 10):
        assert one.received(signed(str(number))) == str(number)
    assert len(one._heard) == REMEMBERED


@given(st.binary(max_size=500))
def test_any_bytes_are_refused_without_harm(body: bytes) -> None:
    assert receiver().received(body) is None


@pytest.mark.shared
def test_the_brokers_own_sample_is_read(shared: Path) -> None:
    one = receiver()
    assert one.received((shared / "kite" / "mocks" / "postback.json").read_bytes()) is None
    assert one.refused == {"forged": 1}
