"""The judge of the crash tests finds what is wrong: a case in which all is well, and each way to spoil it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.crash.judge import Case, Row, faults_of

INSTRUMENT, PRODUCT = "NSE:ALPHA", "MIS"


def intent(seq: int, name: str, tag: str, epoch: int = 1) -> Row:
    return Row(seq, epoch, "Approved.SubmitOrder", {"order": {"id": name}, "tag": tag})


def answered(seq: int, name: str, outcome: str) -> Row:
    return Row(seq, 1, "SubmitAnswered", {"order_id": name, "outcome": {"type": outcome}})


def placed(tag: str, epoch: int = 1) -> dict[str, Any]:
    return {"do": "place", "tag": tag, "journaled": True, "epoch": epoch}


def good() -> Case:
    """One order that was filled in two parts, one that never left, one refused, and one that was written off."""
    trades = [
        {"id": "T1", "broker_id": "1", "instrument": INSTRUMENT, "side": 1, "qty": 4, "px": 5_000_000},
        {"id": "T2", "broker_id": "1", "instrument": INSTRUMENT, "side": 1, "qty": 6, "px": 5_000_500},
    ]
    turnover = 4 * 5_000_000 + 6 * 5_000_500
    rows = [
        intent(1, "o1", "A"),
        answered(2, "o1", "Sent"),
        Row(3, 1, "BrokerRead", {"orders": [{"tag": "A"}], "trades": trades}),
        intent(4, "o2", "B"),
        Row(5, 1, "SendVetoed", {"order_id": "o2", "is_order": True}),
        intent(6, "o3", "C"),
        answered(7, "o3", "Turned"),
        intent(8, "o4", "D"),
        answered(9, "o4", "OutcomeUnknown"),
        Row(10, 1, "CallPerson", {"about": "o4", "what": "written off: not found at the broker"}),
    ]
    report: dict[str, Any] = {
        "orders": [
            {"id": "o1", "tag": "A", "number": "1", "phase": "filled", "filled": 10, "turnover": turnover},
            {"id": "o2", "tag": "B", "number": "", "phase": "unsent", "filled": 0, "turnover": 0},
            {"id": "o3", "tag": "C", "number": "", "phase": "rejected", "filled": 0, "turnover": 0},
            {"id": "o4", "tag": "D", "number": "", "phase": "written off", "filled": 0, "turnover": 0},
        ],
        "positions": [[INSTRUMENT, PRODUCT, 10, turnover, 0]],
        "external": [], "initial": 10**9, "cash": 10**9 - 77, "charges": 77, "unconfirmed": [], "compared": True,
    }  # fmt: skip
    held = [{"instrument": INSTRUMENT, "product": PRODUCT, "qty": 10}]
    orders = [{"broker_id": "1", "tag": "A"}]
    return Case([placed("A"), placed("C"), placed("D")], orders, trades, held, rows, report)


def test_nothing_is_said_of_a_case_in_which_all_is_well() -> None:
    assert faults_of(good()) == []


SPOILT: dict[str, tuple[str, Callable[[Case], object]]] = {
    "sent twice": ("DUPLICATE", lambda case: case.log.append(placed("A"))),
    "two orders of a tag": ("DUPLICATE", lambda case: case.orders.append({"broker_id": "2", "tag": "A"})),
    "a tag given twice": ("DUPLICATE", lambda case: case.rows.append(intent(11, "o5", "A"))),
    "an order without an intent": ("UNTRACKED", lambda case: case.orders.append({"broker_id": "2", "tag": "Z"})),
    "sent without an intent": ("UNTRACKED", lambda case: case.log.append(placed("Z"))),
    "sent before the intent": ("UNTRACKED", lambda case: case.log[0].update(journaled=False)),
    "an intent after its order": ("UNTRACKED", lambda case: case.rows.append(case.rows.pop(0)._replace(seq=11))),
    "an order that nobody knows": ("UNTRACKED", lambda case: case.report["orders"][0].update(number="")),
    "sent in another's epoch": ("STALE", lambda case: case.log[0].update(epoch=2)),
    "an intent that nothing is known of": ("LOST", lambda case: case.rows.append(intent(11, "o5", "E"))),
    "refused, but there": ("LOST", lambda case: case.orders.append({"broker_id": "2", "tag": "C"})),
    "vetoed, but there": ("LOST", lambda case: case.orders.append({"broker_id": "2", "tag": "B"})),
    "a fill that was not read": ("FILLS", lambda case: case.rows[2].said["trades"].pop()),
    "a fill that was not booked": ("FILLS", lambda case: case.report["orders"][0].update(filled=4)),
    "a fill at another price": ("FILLS", lambda case: case.report["orders"][0].update(turnover=50_002_999)),
    "an order left open": ("OPEN", lambda case: case.report["orders"][0].update(phase="working")),
    "another position": ("POSITIONS", lambda case: case.positions[0].update(qty=11)),
    "a position that is not seen": ("POSITIONS", lambda case: case.report["positions"].clear()),
    "another cost": ("MONEY", lambda case: case.report["positions"][0].__setitem__(3, 1)),
    "cash that is gone": ("MONEY", lambda case: case.report.update(cash=10**9 - 78)),
    "an order in doubt": ("DOUBT", lambda case: case.report.update(unconfirmed=["o4"])),
    "books that were not compared": ("DOUBT", lambda case: case.report.update(compared=False)),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_is_wrong_is_named(how: str) -> None:
    word, spoil = SPOILT[how]
    case = deepcopy(good())
    spoil(case)
    assert word in {fault.partition(":")[0] for fault in faults_of(case)}
