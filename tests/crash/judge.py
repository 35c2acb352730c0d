"""Compares the broker's log, the broker's book, the journal's rows and what the trader believes, by code of its own.

Rows are read from the database and their bytes taken apart as they are: nothing of the core is asked what they mean.
"""

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

OVER = {"filled", "cancelled", "rejected", "unsent", "written off"}


class Row(NamedTuple):
    """A row of the journal: its number, its epoch, what it is, and its payload taken apart."""

    seq: int
    epoch: int
    kind: str
    said: Any


class Case(NamedTuple):
    """All the evidence of one campaign. Amounts in 1e-4 rupee."""

    log: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    trades: list[dict[str, Any]]
    positions: list[dict[str, Any]]
    rows: list[Row]
    report: dict[str, Any]


def rows_of(where: str, account: str) -> list[Row]:
    """Return the rows of a journal, as its database holds them."""
    words = "SELECT seq, epoch, kind, payload FROM journal WHERE account = {} ORDER BY seq"
    if "://" in where:
        import psycopg

        with psycopg.connect(where) as connection:
            found: list[Any] = list(connection.execute(words.format("%s").encode(), (account,)).fetchall())
    else:
        raw = sqlite3.connect(f"file:{where}?mode=ro", uri=True)
        try:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found = raw.execute(words.format("?"), (account,)).fetchall()
        finally:
            raw.close()
    return [Row(seq, epoch, kind, msgspec.msgpack.decode(bytes(payload))) for seq, epoch, kind, payload in found]


def log_of(path: Path) -> list[dict[str, Any]]:
    """Return what the broker received, in its order."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def faults_of(case: Case) -> list[str]:
    """Return all that is lost, doubled, untracked or different, in words; nothing where all is well."""
    intents = {row.said["tag"]: row for row in case.rows if row.kind == "Approved.SubmitOrder"}
    return [
        *_sent_once(case, intents),
        *_tracked(case, intents),
        *_never_there(case, intents),
        *_accounted_for(case, intents),
        *_fills(case),
        *_held(case),
        *_money(case),
        *_calm(case),
    ]


def _sent_once(case: Case, intents: dict[str, Row]) -> list[str]:
    """An intent is written down once, before it is sent, and sent once, by who owned the account."""
    found = []
    written = Counter(row.said["tag"] for row in case.rows if row.kind == "Approved.SubmitOrder")
    found += [f"DUPLICATE: tag {tag} is written down {count} times" for tag, count in written.items() if count > 1]
    sent = [line for line in case.log if line["do"] == "place"]
    found += [f"DUPLICATE: tag {tag} was sent {n} times" for tag, n in Counter(x["tag"] for x in sent).items() if n > 1]
    for line in sent:
        if line["tag"] not in intents:
            found.append(f"UNTRACKED: tag {line['tag']} was sent and is not in the journal")
        elif not line["journaled"]:
            found.append(f"UNTRACKED: tag {line['tag']} came to the broker before it was in the journal")
        elif intents[line["tag"]].epoch != line["epoch"]:
            found.append(f"STALE: tag {line['tag']} of epoch {intents[line['tag']].epoch} was sent in {line['epoch']}")
    return found


def _tracked(case: Case, intents: dict[str, Row]) -> list[str]:
    """Every order at the broker has one intent, written down before anything that speaks of it, and one record."""
    found = []
    tags = Counter(one["tag"] for one in case.orders)
    found += [f"DUPLICATE: {count} orders with tag {tag} at the broker" for tag, count in tags.items() if count > 1]
    spoken: dict[str, int] = {}
    for row in case.rows:
        if row.kind == "BrokerRead":
            for one in row.said["orders"]:
                spoken.setdefault(one["tag"], row.seq)
    believed = {one["tag"]: one for one in case.report["orders"]}
    for one in case.orders:
        tag = one["tag"]
        if tag not in intents:
            found.append(f"UNTRACKED: order {one['broker_id']} of tag {tag} has no intent")
            continue
        if spoken.get(tag, 2**62) < intents[tag].seq:
            found.append(
                f"UNTRACKED: tag {tag} is spoken of in row {spoken[tag]}, its intent is row {intents[tag].seq}"
            )
        if believed.get(tag, {}).get("number") != one["broker_id"]:
            found.append(f"UNTRACKED: order {one['broker_id']} of tag {tag} is {believed.get(tag)} to the trader")
    return found


def _never_there(case: Case, intents: dict[str, Row]) -> list[str]:
    """What was called unsent or refused is not at the broker."""
    tags = {row.said["order"]["id"]: tag for tag, row in intents.items()}
    there = {one["tag"] for one in case.orders}
    return [
        f"LOST: tag {tag} was called {how} and is at the broker"
        for order_id, how in _called_off(case.rows).items()
        if (tag := tags.get(order_id)) in there and how != "written off"
    ]


def _accounted_for(case: Case, intents: dict[str, Row]) -> list[str]:
    """Every intent is at the broker, or is known not to be."""
    there, off = {one["tag"] for one in case.orders}, _called_off(case.rows)
    return [
        f"LOST: tag {tag}, order {row.said['order']['id']}, is neither at the broker nor known not to be"
        for tag, row in intents.items()
        if tag not in there and row.said["order"]["id"] not in off
    ]


def _called_off(rows: list[Row]) -> dict[str, str]:
    """Return the orders of which the journal says that they are not at the broker, and how it says so."""
    found: dict[str, str] = {}
    for row in rows:
        said = row.said
        if row.kind == "SubmitAnswered" and said["outcome"]["type"] in ("Unsent", "Turned"):
            found[said["order_id"]] = said["outcome"]["type"].lower()
        elif row.kind == "SendVetoed" and said["is_order"]:
            found[said["order_id"]] = "vetoed"
        elif row.kind == "CallPerson" and said["what"].startswith("written off"):
            found[said["about"]] = "written off"
    return found


def _fills(case: Case) -> list[str]:
    """Fills are the broker's, to the unit, in the journal and in the trader's book; what is over there is over here."""
    found = []
    numbers = {one["broker_id"] for one in case.orders}
    written = {
        trade["id"]: (trade["broker_id"], trade["qty"], trade["px"])
        for row in case.rows
        if row.kind == "BrokerRead"
        for trade in row.said["trades"]
    }
    really = {
        one["id"]: (one["broker_id"], one["qty"], one["px"]) for one in case.trades if one["broker_id"] in numbers
    }
    if written != really:
        found.append(
            f"FILLS: the journal differs from the broker in {sorted(set(written.items()) ^ set(really.items()))}"
        )
    traded, turnover = Counter[str](), Counter[str]()
    for one in case.trades:
        traded[one["broker_id"]] += one["qty"]
        turnover[one["broker_id"]] += one["qty"] * one["px"]
    for one in case.report["orders"]:
        if (one["filled"], one["turnover"]) != (traded[one["number"]], turnover[one["number"]]):
            found.append(f"FILLS: order {one['id']} is booked with {one['filled']}, was {traded[one['number']]}")
        if one["phase"] not in OVER:
            found.append(f"OPEN: order {one['id']} is {one['phase']} after the market has closed")
    return found


def _held(case: Case) -> list[str]:
    """Positions are the broker's, to the unit."""
    here, there = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for name, product, qty, *_ in case.report["positions"]:
        here[name, product] += qty
    for name, product, qty in case.report["external"]:
        here[name, product] += qty
    for one in case.positions:
        there[one["instrument"], one["product"]] += one["qty"]
    return [
        f"POSITIONS: {key}: {here[key]} here, {there[key]} there" for key in here | there if here[key] != there[key]
    ]


def _money(case: Case) -> list[str]:
    """Cash is what was there, less what was paid for what was traded, to the ten-thousandth of a rupee."""
    paid, found = Counter[str](), []
    for one in case.trades:
        paid[one["instrument"]] += one["side"] * one["qty"] * one["px"]
    for name, _, _, cost, realised in case.report["positions"]:
        if realised - cost != -paid[name]:
            found.append(f"MONEY: {name} has brought {realised} and holds {cost}, {paid[name]} was paid")
    report = case.report
    if report["cash"] + report["charges"] != report["initial"] + sum(one[4] for one in report["positions"]):
        found.append(f"MONEY: cash {report['cash']} and charges {report['charges']} are not what was there and came in")
    return found


def _calm(case: Case) -> list[str]:
    """Nothing is in doubt at the end."""
    found = [f"DOUBT: order {order_id} is unconfirmed at the end" for order_id in case.report["unconfirmed"]]
    if not case.report["compared"]:
        found.append("DOUBT: the books are not compared at the end")
    return found
