"""Compares what an exchange says of a day with a trader's journal, tables and report, by code of its own.

Everything comes as JSON or SQL rows and is reckoned in fractions: nothing of the product is asked what it means or
costs. Amounts are in rupees where they come from the exchange, in 1e-4 rupee where they come from a trader.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

Row = Mapping[str, Any]
E4 = 10_000
OVER = ("COMPLETE", "CANCELLED", "REJECTED")
RATES = {
    "delivery": {"brokerage": "0", "cap": "0", "BUY": ("0.001", "0.00015"), "SELL": ("0.001", "0")},
    "intraday": {"brokerage": "0.0003", "cap": "20", "BUY": ("0", "0.00003"), "SELL": ("0.00025", "0")},
}
"""Shares on NSE at a discount broker, November 2026: brokerage, and by side transaction tax and stamp duty."""
TURNOVER, PROTECTION, REGULATOR, TAX = map(Fraction, ("0.000030699", "0.000000001", "0.000001", "0.18"))
TICK = Fraction("0.05")
DEPOSITORY = Fraction("15.34")
"""For each share of which more was sold for delivery than bought, tax included."""


class Evidence(NamedTuple):
    """What is known of an account's day from both sides.

    `orders`, `trades`, `positions` (net) and `holdings` are as the exchange's REST interface gives them in the evening;
    `cash` is what the account had there on this morning and the next one. `journal` are the exported rows of the day,
    `tables` the rows of the read models, `report` is what the trader printed; `earlier` are the trades of the same run
    on days before, `capital` is what it began with. `alone` tells that nobody trades in the account by hand: then what
    the broker squares off was the trader's.
    """

    orders: list[Row]
    trades: list[Row]
    positions: list[Row]
    holdings: list[Row]
    cash: tuple[Fraction, Fraction]
    journal: list[Row]
    tables: Mapping[str, list[Row]]
    report: Row
    earlier: list[list[Row]]
    capital: int
    alone: bool


def faults_of(case: Evidence) -> list[str]:
    """Return all that is lost, doubled, untracked or different, in words; nothing where all is well."""
    return [*_orders(case), *_trades(case), *_tables(case), *_held(case), *_money(case), *_funds(case), *_calm(case)]


def ours(case: Evidence) -> dict[str, Row]:
    """Return the program's orders at the exchange, by number: those with a tag."""
    return {one["order_id"]: one for one in case.orders if one["tag"]}


def traded_by(case: Evidence) -> list[Row]:
    """Return the trades of the day that are the strategy's: by its orders, and by whoever squares its positions off."""
    squared = {one["order_id"] for one in case.orders if case.alone and one["placed_by"] == "RMS"}
    return [one for one in case.trades if one["order_id"] in ours(case).keys() | squared]


# ---- orders


def _orders(case: Evidence) -> list[str]:
    """Each intent is written down once, and is at most once at the exchange; what is there has an intent before it."""
    intents = _of(case, "Approved.SubmitOrder")
    written = Counter(one["tag"] for one in intents)
    there = Counter(one["tag"] for one in ours(case).values())
    found = [f"DOUBLED: tag {tag} is written down {n} times" for tag, n in written.items() if n > 1]
    found += [f"DOUBLED: {n} orders with tag {tag} are at the exchange" for tag, n in there.items() if n > 1]
    found += [f"UNTRACKED: tag {tag} is at the exchange and not in the journal" for tag in there if tag not in written]
    off = _called_off(case)
    for one in intents:
        number = one["order"]["id"]
        if one["tag"] not in there and number not in off:
            found.append(f"LOST: {number} ({one['tag']}) is neither at the exchange nor known not to be")
        if one["tag"] in there and off.get(number, "written off") != "written off":
            found.append(f"LOST: {number} ({one['tag']}) was called {off[number]} and is at the exchange")
    found += [f"OPEN: order {one['order_id']} is {one['status']}" for one in case.orders if one["status"] not in OVER]
    return found


def _called_off(case: Evidence) -> dict[str, str]:
    """Return the orders of which the journal says that they are not at the exchange, and how."""
    found = {}
    for one in _of(case, "SubmitAnswered"):
        if one["outcome"]["type"] in ("Unsent", "Turned"):
            found[one["order_id"]] = one["outcome"]["type"]
    found |= {one["order_id"]: "vetoed" for one in _of(case, "SendVetoed") if one["is_order"]}
    for one in _of(case, "CallPerson"):
        if one["what"].startswith("written off"):
            found[one["about"]] = "written off"
    return found


# ---- trades and what is held


def _trades(case: Evidence) -> list[str]:
    """Each trade of the exchange, whoever's, is in the journal once, to the unit and the paisa; and nothing else is."""
    there = {one["trade_id"]: _trade(one) for one in case.trades}
    here: dict[str, tuple[str, str, int, int]] = {}
    for read in _of(case, "BrokerRead"):
        for one in read["trades"]:
            side = "BUY" if one["side"] > 0 else "SELL"
            here[one["id"].split("-")[1]] = (one["broker_id"], side, one["qty"], one["px"])
    return [f"TRADES: {one} is in one book only" for one in sorted(set(there.items()) ^ set(here.items()))]


def _tables(case: Evidence) -> list[str]:
    """The read models have the same trades, each at its order, and the sums that the orders say were filled."""
    there = {(one["trade_id"], *_trade(one)) for one in case.trades}
    number = {one["id"]: one["broker_id"] for one in case.tables["orders"]}
    here = set()
    for one in case.tables["trades"]:
        _, name, order = one["id"].split("-")
        # What the broker squares off of a strategy's position has no order of ours.
        at = number[one["order_id"]] or order
        here.add((name, at, "BUY" if one["side"] > 0 else "SELL", one["qty"], one["px"]))
    found = [f"TABLES: trade {one} is in one book only" for one in sorted(there ^ here)]
    filled = {one["broker_id"]: one["filled"] for one in case.tables["orders"]}
    found += [
        f"TABLES: order {one['order_id']} has {filled.get(one['order_id'])} filled, {one['filled_quantity']} there"
        for one in case.orders
        if one["filled_quantity"] != filled.get(one["order_id"])
    ]
    return found


def _held(case: Evidence) -> list[str]:
    """What is held is the exchange's, to the unit: in its own rows, by its trades, and in the read models."""
    there, here, shown = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for one in case.holdings:
        there[one["tradingsymbol"], "CNC"] += one["quantity"] + one["t1_quantity"]
    for one in case.trades:
        name = (one["tradingsymbol"], one["product"])
        there[name] += _sign(one) * one["quantity"]
        shown[name] += _sign(one) * one["quantity"]
    for one in case.positions:
        shown[one["tradingsymbol"], one["product"]] -= one["quantity"] - one["overnight_quantity"]
    for one in case.tables["positions"]:
        here[one["instrument"].split(":")[1], one["product"]] += one["qty"]
    found = [
        f"HELD: the exchange's rows of {name} are off by {qty} from its trades" for name, qty in shown.items() if qty
    ]
    names = here.keys() | there.keys()
    return found + [f"HELD: {one}: {here[one]} here, {there[one]} there" for one in names if here[one] != there[one]]


# ---- money


def _money(case: Evidence) -> list[str]:
    """What the trader says that it made and paid is what its trades at the exchange brought, and cost by the notes."""
    days = [*case.earlier, traded_by(case)]
    mine = [one for day in days for one in day]
    paid = sum((_sign(one) * one["quantity"] * _px(one) for one in mine), Fraction(0))
    held = Counter[str]()
    for one in mine:
        held[one["tradingsymbol"]] += _sign(one) * one["quantity"]
    equity, charges = (Fraction(case.report[name], E4) for name in ("equity", "charges"))
    worth, bill = equity + charges - (case.capital - paid), sum(map(billed, days), Fraction(0))
    found = []
    if not _is_worth(case, {name: qty for name, qty in held.items() if qty}, worth):
        found.append(f"MONEY: {float(worth):.4f} is more than its trades have left the trader")
    if charges != bill:
        found.append(f"MONEY: {float(charges):.4f} were charged, {float(bill):.4f} by the notes")
    rows = [one for table in ("trades", "contract_notes") for one in case.tables[table]]
    booked, today = sum(one[line] or 0 for one in rows for line in _LINES), billed(days[-1])
    if Fraction(booked, E4) != today:
        found.append(f"MONEY: {booked / E4:.4f} of charges are in the tables, {float(today):.4f} by the note")
    return found


def _is_worth(case: Evidence, held: dict[str, int], worth: Fraction) -> bool:
    """Tell whether an amount is what shares are worth at the price that a trader saw last; nothing where none are held.

    It sees a price every quarter of a second, a minute or two of the exchange's time: the last one may be another.
    """
    if len(held) != 1:
        return not held and not worth
    ((name, qty),) = held.items()
    rows = [one for one in (*case.holdings, *case.positions) if one["tradingsymbol"] == name]
    last, px = Fraction(str(rows[0]["last_price"])), worth / qty
    return px % TICK == 0 and abs(px - last) < last / 50


_LINES = ("brokerage", "stt", "exchange", "ipft", "sebi", "stamp", "gst", "dp", "other")


def _funds(case: Evidence) -> list[str]:
    """The exchange's cash went down by what all trades of the account cost, and by the bill of all of them."""
    before, after = case.cash
    paid = sum((_sign(one) * one["quantity"] * _px(one) for one in case.trades), Fraction(0))
    expected = before - paid - billed(case.trades)
    return [] if after == expected else [f"FUNDS: {float(after):.4f} the next morning, {float(expected):.4f} by trades"]


def billed(trades: Iterable[Row]) -> Fraction:
    """Return the charges of a day in rupees, as its contract note has them: share by share, each line rounded once."""
    shares = defaultdict[str, list[Row]](list)
    for one in trades:
        shares[one["tradingsymbol"]].append(one)
    orders = defaultdict[tuple[str, str], Fraction](Fraction)
    turnover = stamp = depository = Fraction(0)
    tax = {"delivery": Fraction(0), "intraday": Fraction(0)}
    for of_share in shares.values():
        for order, kind, value in _parts(of_share):
            orders[order, kind] += value
            turnover += value
        for kind, duty, due in _taxes(of_share):
            tax[kind] += due
            stamp += duty
        sold = -sum(_sign(one) * one["quantity"] for one in of_share if one["product"] == "CNC")
        depository += DEPOSITORY if sold > 0 else 0
    brokerage = _paisa(sum((_half_up(_brokerage(kind, value), E4) for (_, kind), value in orders.items()), Fraction(0)))
    exchange, regulator = _paisa(turnover * TURNOVER), _paisa(turnover * REGULATOR)
    gst = _paisa((brokerage + exchange + regulator) * TAX)
    stt = sum((_half_up(due, 1) for due in tax.values()), Fraction(0))
    fund = _paisa(turnover * PROTECTION)
    return brokerage + stt + exchange + fund + regulator + _half_up(stamp, 1) + gst + depository


def _brokerage(kind: str, value: Fraction) -> Fraction:
    return min(value * Fraction(str(RATES[kind]["brokerage"])), Fraction(str(RATES[kind]["cap"])))


def _parts(trades: list[Row]) -> Iterable[tuple[str, str, Fraction]]:
    """Yield order, kind and value: delivery bought and sold on the same day is intraday, first trades first."""
    cnc = Counter[str]()
    for one in trades:
        if one["product"] == "CNC":
            cnc[one["transaction_type"]] += one["quantity"]
    left = dict.fromkeys(("BUY", "SELL"), min(cnc["BUY"], cnc["SELL"]))
    for one in trades:
        side, qty = one["transaction_type"], one["quantity"]
        back = min(left[side], qty) if one["product"] == "CNC" else qty
        if one["product"] == "CNC":
            left[side] -= back
        if back:
            yield one["order_id"], "intraday", back * _px(one)
        if qty > back:
            yield one["order_id"], "delivery", (qty - back) * _px(one)


def _taxes(trades: list[Row]) -> Iterable[tuple[str, Fraction, Fraction]]:
    """Yield kind, stamp duty and transaction tax of a share: the tax on its average price, the duty on each side's."""
    qty, value = Counter[str](), defaultdict[str, Fraction](Fraction)
    for one in trades:
        qty[one["transaction_type"]] += one["quantity"]
        value[one["transaction_type"]] += one["quantity"] * _px(one)
    average = sum(value.values(), Fraction(0)) / sum(qty.values())
    both = min(qty["BUY"], qty["SELL"])
    for kind, units in (("intraday", {"BUY": both, "SELL": both}), ("delivery", {s: qty[s] - both for s in qty})):
        for side, count in units.items():
            if count:
                tax, duty = (Fraction(text) for text in RATES[kind][side])
                yield kind, value[side] * count / qty[side] * duty, average * count * tax


def _paisa(amount: Fraction) -> Fraction:
    return _half_up(amount, 100)


def _half_up(amount: Fraction, parts: int) -> Fraction:
    """Round half up to one part of so many of a rupee."""
    return Fraction((amount * parts * 2 + 1).__floor__() // 2, parts)


# ---- the end


def _calm(case: Evidence) -> list[str]:
    """At the end nothing is in doubt: no order unconfirmed in the read models, and the day is settled."""
    found = [
        f"DOUBT: order {one['id']} is {one['phase']}"
        for one in case.tables["orders"]
        if one["phase"] not in ("filled", "cancelled", "rejected", "unsent", "written off")
    ]
    if not _of(case, "DayChargesSettled") and case.trades:
        found.append("DOUBT: the day was not settled")
    return found


def _of(case: Evidence, kind: str) -> list[Row]:
    return [row["value"] for row in case.journal if row["kind"] == kind]


def _sign(one: Row) -> int:
    return 1 if one["transaction_type"] == "BUY" else -1


def _px(one: Row) -> Fraction:
    return Fraction(str(one["average_price"]))


def _trade(one: Row) -> tuple[str, str, int, int]:
    return one["order_id"], one["transaction_type"], one["quantity"], int(_px(one) * E4)
