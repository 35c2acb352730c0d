"""Vital signs as files: the newest, whole or not there."""

import threading
from pathlib import Path

import msgspec
import pytest

from manjha.adapters.files.kill_writer import KillWriter
from manjha.adapters.files.vitals import VitalsFolder
from manjha.domain.broker import PositionSeen
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Qty
from manjha.domain.orders import Product
from manjha.domain.vitals import Heartbeat, LedgerCopy

BEAT = Heartbeat(7, TsNs(1_720_000_000_000_000_000), has_risk=True, reconciled_ns=TsNs(5))
LEDGER = LedgerCopy(TsNs(9), (PositionSeen(InstrumentId("NSE:INFY"), Product.MIS, Qty(-5)),), {"2407": 5})


def test_what_is_left_is_found(tmp_path: Path) -> None:
    trader, sentinel = VitalsFolder(tmp_path / "v"), VitalsFolder(tmp_path / "v")
    assert (sentinel.heartbeat(), sentinel.ledger()) == (None, None)
    trader.beat(BEAT)
    trader.copy(LEDGER)
    assert (sentinel.heartbeat(), sentinel.ledger()) == (BEAT, LEDGER)
    trader.beat(msgspec.structs.replace(BEAT, count=8))
    assert sentinel.heartbeat() == msgspec.structs.replace(BEAT, count=8)


@pytest.mark.parametrize("data", [b"", b"{", b'{"count": 1}', b"\xff"])
def test_what_cannot_be_read_is_not_there(tmp_path: Path, data: bytes) -> None:
    for name in ("heartbeat.json", "ledger.json"):
        (tmp_path / name).write_bytes(data)
    vitals = VitalsFolder(tmp_path)
    assert (vitals.heartbeat(), vitals.ledger()) == (None, None)


def test_a_reader_never_sees_half_of_one(tmp_path: Path) -> None:
    trader, sentinel = VitalsFolder(tmp_path), VitalsFolder(tmp_path)
    trader.beat(BEAT)
    done = threading.Event()

    def beats() -> None:
        for count in range(500):
            trader.beat(msgspec.structs.replace(BEAT, count=count))
        done.set()

    thread = threading.Thread(target=beats)
    thread.start()
    missed = 0
    while not done.is_set():
        missed += sentinel.heartbeat() is None
    thread.join()
    assert missed == 0


def lines_of(path: Path) -> list[dict[str, object]]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, list[dict[str, object]]])["switches"]


def test_the_sentinel_adds_a_line_to_the_kill_file(tmp_path: Path) -> None:
    path = tmp_path / "home" / "kill.json"
    KillWriter(path).throw("no-new", "they differ", 5)
    KillWriter(path).throw("cancel-all", "silent", 6)
    first, second = lines_of(path)
    assert first == {
        "level": "no-new", "strategy": "", "instrument": "", "reason": "they differ", "who": "sentinel", "ts_ns": 5,
    }  # fmt: skip
    assert second["level"] == "cancel-all"


def test_a_kill_file_that_cannot_be_read_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "kill.json"
    path.write_text("broken")
    KillWriter(path).throw("no-new", "they differ", 5)
    assert path.read_text() == "broken"


def test_a_stopped_writer_keeps_the_sentinel_not_waiting(tmp_path: Path) -> None:
    from manjha.adapters.files.durable import exclusive

    path = tmp_path / "kill.json"
    with exclusive(path.with_name("kill.json.lock")):
        KillWriter(path).throw("no-new", "they differ", 5)
    assert len(lines_of(path)) == 1
