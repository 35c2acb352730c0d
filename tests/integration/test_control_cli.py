"""`manjha control` against a trader that listens."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from manjha.adapters.system import control_socket
from manjha.app.cli import main
from manjha.app.settings import load_settings
from manjha.app.trading.account_parts import places
from manjha.domain.controls import (
    AcceptDifference,
    Control,
    ManualOrder,
    SetParameters,
    StartTrading,
    StopTrading,
)
from manjha.domain.money import Px, Qty
from manjha.domain.orders import OrderType, Product, Side
from tests.fakes.answering_trader import AnsweringTrader

Said = tuple[int, str, str]
ACCOUNT = ("--account", "AB1234")


@pytest.fixture
def trader() -> Iterator[AnsweringTrader]:
    made = AnsweringTrader(places(load_settings(), "AB1234").control)
    thread = threading.Thread(target=made.run)
    thread.start()
    assert made.is_open.wait(20)
    yield made
    made.end()
    thread.join()


def said(capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    with pytest.raises(SystemExit) as ended:
        main(["control", *words])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


ORDER = "order --instrument NSE:INFY --side buy --qty 5 --product MIS"
NONE = Px(0)


@pytest.mark.parametrize(
    ("line", "control"),
    [
        ("start --reason morning", StartTrading("morning")),
        ("stop", StopTrading()),
        ("set -s sma-cross -p fast=9 -p slow=21", SetParameters("sma-cross", (("fast", "9"), ("slow", "21")))),
        (ORDER, ManualOrder("NSE:INFY", Side.BUY, Qty(5), OrderType.MARKET, Product.MIS)),
        (
            f"{ORDER} --limit 1500.05 --stop 1490",
            ManualOrder(
                "NSE:INFY", Side.BUY, Qty(5), OrderType.LIMIT, Product.MIS, Px(15_000_500), NONE, Px(14_900_000)
            ),
        ),
        (
            f"{ORDER} --limit 1500 --trigger 1499",
            ManualOrder("NSE:INFY", Side.BUY, Qty(5), OrderType.SL, Product.MIS, Px(15_000_000), Px(14_990_000)),
        ),
        ("accept --instrument NSE:INFY", AcceptDifference("NSE:INFY")),
    ],
)
def test_what_is_typed_arrives(
    trader: AnsweringTrader, capsys: pytest.CaptureFixture[str], line: str, control: Control
) -> None:
    assert said(capsys, *line.split(), *ACCOUNT) == (0, "Done: row 1 of the journal.\n", "")
    assert trader.seen[0].control == control
    assert trader.seen[0].key.endswith(f"-{os.getpid()}")


def test_a_key_makes_it_once(trader: AnsweringTrader, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        code, out, _err = said(capsys, "stop", *ACCOUNT, "--key", "k1", "--json")
        assert (code, json.loads(out)) == (0, {"key": "k1", "seq": 1, "refused": ""})
    assert len(trader.seen) == 1
    assert said(capsys, "start", *ACCOUNT, "--key", "k1") == (
        1,
        "",
        "refused: this key was used for something else: take a new one\n",
    )


def test_the_status_is_a_table_or_json(trader: AnsweringTrader, capsys: pytest.CaptureFixture[str]) -> None:
    trader.status = {"trading": True, "equity": 5, "held": [{"what": "INFY", "qty": 1_200}], "frozen": []}
    _, out, _ = said(capsys, "status", *ACCOUNT)
    assert [line.split() for line in out.splitlines()] == [
        ["what", "is"],
        ["trading", "True"],
        ["equity", "5"],
        [],
        ["held:", "1"],
        ["what", "qty"],
        ["INFY", "1,200"],
        [],
        ["frozen:", "none"],
    ]
    _, out, _ = said(capsys, "status", *ACCOUNT, "--json")
    assert json.loads(out) == trader.status


def test_a_status_that_is_refused_is_said(
    trader: AnsweringTrader, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "CONNECTIONS_MAX", 0)
    assert said(capsys, "status", *ACCOUNT) == (1, "", "refused: 0 connections ask already: ask later\n")


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "status", *ACCOUNT)
    assert (code, "no trader listens at" in err) == (3, True)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (ORDER.replace("buy", "hold"), "--side expects one of BUY, SELL, was 'hold'"),
        (ORDER.replace("MIS", "XYZ"), "--product expects one of CNC, MIS, NRML, MTF, was 'XYZ'"),
        (f"{ORDER} --limit cheap", "cheap"),
    ],
)
def test_what_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], line: str, words: str) -> None:
    code, _, err = said(capsys, *line.split(), *ACCOUNT)
    assert (code, words in err) == (2, True)


def test_an_account_is_no_path(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = said(capsys, "status", "--account", "../x")
    assert (code, "an account cannot be named '../x'" in err) == (2, True)
    assert msgspec.json.encode(list(tmp_path.iterdir())) == b"[]"
