"""Implements `ports.read_models.ReadModels` over SQL."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Table, delete, insert, select, update

from manjha.adapters.sql.read_model_tables import NOTES, ORDERS, POSITIONS, PROJECTIONS, TRADES
from manjha.adapters.sql.record_tables import BACKTESTS, RUNS
from manjha.adapters.sql.rows import KEYS_AT_ONCE, columns_of, inserting, put_rows
from manjha.domain.charges import LINES, ChargeLines
from manjha.domain.errors import UsageError
from manjha.domain.events import DayChargesSettled
from manjha.domain.instrument import InstrumentId
from manjha.domain.money import Px
from manjha.domain.orders import (
    AccountId,
    Exits,
    Fill,
    Order,
    OrderId,
    OrderType,
    Origin,
    Phase,
    Product,
    Purpose,
    RunId,
    Side,
    Validity,
    Variety,
)
from manjha.domain.read_models import Changed, NoteView, OrderView, PositionView, Reached, RunActivity, TradeView

OPEN = (Phase.SENT, Phase.WORKING, Phase.UNCONFIRMED)
_EXITS = Exits.__struct_fields__
_STRIKES = msgspec.json.Decoder(dict[str, int])


class SqlReadModels:
    """Orders, trades, contract notes, positions and runs within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def reached(self, account: AccountId) -> Reached:
        """Return how far an account's rows have come. See the port."""
        found = self._connection.execute(select(PROJECTIONS).where(PROJECTIONS.c.account == account)).first()
        if found is None:
            return Reached(account)
        strikes = {InstrumentId(name): Px(strike) for name, strike in _STRIKES.decode(found.strikes).items()}
        return Reached(account, found.seq, bytes(found.hash), found.day, strikes)

    def write(self, before: Reached, after: Reached, changes: Changed) -> None:
        """Write what changed. See the port."""
        self._move(before, after)
        account = after.account
        put_rows(self._connection, ORDERS, [_order_columns(account, order) for order in changes.orders])
        self._add(TRADES, [_trade_columns(account, trade) for trade in changes.trades])
        self._add(NOTES, [_note_columns(account, note) for note in changes.notes])
        put_rows(self._connection, POSITIONS, [msgspec.structs.asdict(position) for position in changes.positions])
        for run in changes.runs:
            self._note_run(run)

    def forget(self, account: AccountId) -> None:
        """Take out what was made of an account's journal. See the port."""
        for table in (TRADES, ORDERS, NOTES, POSITIONS, PROJECTIONS):
            self._connection.execute(delete(table).where(table.c.account == account))
        used = select(BACKTESTS.c.run).where(BACKTESTS.c.account == account)
        unrecorded = (RUNS.c.account == account) & (RUNS.c.recorded == 0) & RUNS.c.id.not_in(used)
        self._connection.execute(delete(RUNS).where(unrecorded))
        nothing = dict.fromkeys(("first_seq", "last_seq", "first_ns", "last_ns", "orders", "trades", "refusals"), 0)
        self._connection.execute(update(RUNS).where(RUNS.c.account == account).values(active_strategy="", **nothing))

    def orders(self, account: AccountId, *, after: int = 0, limit: int = 100) -> list[OrderView]:
        """Return orders by the row that placed them. See the port."""
        return self._orders(_orders_of(account).where(ORDERS.c.placed_seq > after).limit(limit))

    def orders_named(self, account: AccountId, ids: Collection[OrderId]) -> list[OrderView]:
        """Return the orders of these ids. See the port."""
        wanted, found = sorted(ids), list[OrderView]()
        for at in range(0, len(wanted), KEYS_AT_ONCE):
            found += self._orders(_orders_of(account).where(ORDERS.c.id.in_(wanted[at : at + KEYS_AT_ONCE])))
        return sorted(found, key=lambda order: order.placed_seq)

    def open_orders(self, account: AccountId) -> list[OrderView]:
        """Return the orders that may still trade. See the port."""
        return self._orders(_orders_of(account).where(ORDERS.c.phase.in_(OPEN)))

    def trades(
        self, account: AccountId, *, after: int = 0, limit: int = 100, run: RunId | None = None
    ) -> list[TradeView]:
        """Return fills by the row that tells them. See the port."""
        asked = select(TRADES).where(TRADES.c.account == account, TRADES.c.seq > after)
        if run is not None:
            asked = asked.where(TRADES.c.run == run)
        return [_trade(columns_of(row)) for row in self._connection.execute(asked.order_by(TRADES.c.seq).limit(limit))]

    def notes(self, account: AccountId, *, after: int = 0, limit: int = 100) -> list[NoteView]:
        """Return what contract notes added. See the port."""
        asked = select(NOTES).where(NOTES.c.account == account, NOTES.c.seq > after).order_by(NOTES.c.seq).limit(limit)
        return [
            NoteView(row.seq, DayChargesSettled(row.day, row.strategy, _lines(columns_of(row)), row.ts_ns))
            for row in self._connection.execute(asked)
        ]

    def activity(self, account: AccountId, run: RunId) -> RunActivity | None:
        """Return what the journal tells of a run. See the port."""
        found = self._connection.execute(select(RUNS).where(RUNS.c.account == account, RUNS.c.id == run)).first()
        return None if found is None else activity_of(columns_of(found))

    def positions(self, account: AccountId) -> list[PositionView]:
        """Return positions. See the port."""
        table = POSITIONS.c
        found = self._connection.execute(select(POSITIONS).where(table.account == account))
        positions = [PositionView(**{**columns_of(row), "product": Product(row.product)}) for row in found]
        # Not by the database: what comes first among letters is another question in each locale.
        return sorted(positions, key=lambda one: (one.strategy, one.instrument, one.product))

    def _move(self, before: Reached, after: Reached) -> None:
        """Move the mark from one row of the journal to another, if it is still there."""
        values = {"seq": after.seq, "hash": after.hash, "day": after.day}
        values["strikes"] = msgspec.json.encode(dict(sorted(after.strikes.items()))).decode()
        move: Any
        if before.seq == 0:
            move = inserting(self._connection, PROJECTIONS).on_conflict_do_nothing()
            move = move.values(account=after.account, **values)
        else:
            held = (PROJECTIONS.c.account == before.account) & (PROJECTIONS.c.seq == before.seq)
            move = update(PROJECTIONS).where(held, PROJECTIONS.c.hash == before.hash).values(**values)
        if self._connection.execute(move.returning(PROJECTIONS.c.account)).first() is None:
            raise UsageError(
                f"the read models of {after.account} are no longer at row {before.seq} of the journal",
                hint="Another process writes them: let one of the two go on alone.",
            )

    def _add(self, table: Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(insert(table), rows)

    def _note_run(self, activity: RunActivity) -> None:
        """Write what the journal tells of a run beside what is recorded of it; a run that is not gets a row."""
        told = msgspec.structs.asdict(activity)
        key = {"account": told.pop("account"), "id": told.pop("run")}
        told["active_strategy"] = told.pop("strategy")
        unknown = {"mode": "", "strategy": "", "parameters": "{}", "code_version": "", "rules_hash": "", "exit": ""}
        unrecorded = {**unknown, "started_ns": activity.first_ns, "recorded": 0}
        put = inserting(self._connection, RUNS).values(**key, **unrecorded, **told)
        self._connection.execute(put.on_conflict_do_update(index_elements=["account", "id"], set_=told))

    def _orders(self, asked: Select[Any]) -> list[OrderView]:
        return [_order(columns_of(row)) for row in self._connection.execute(asked)]


def activity_of(row: Mapping[str, Any]) -> RunActivity | None:
    """Return what a row of the runs says of the journal; None where there is nothing of it in the journal."""
    if not row["last_seq"]:
        return None
    same = ("account", "first_seq", "last_seq", "first_ns", "last_ns", "orders", "trades", "refusals")
    return RunActivity(run=row["id"], strategy=row["active_strategy"], **{name: row[name] for name in same})


def _orders_of(account: AccountId) -> Select[Any]:
    return select(ORDERS).where(ORDERS.c.account == account).order_by(ORDERS.c.placed_seq, ORDERS.c.id)


def _order_columns(account: AccountId, view: OrderView) -> dict[str, Any]:
    order, exits = view.order, view.order.exits
    held = {name: getattr(order, name) for name in _ORDER}
    left = {name: getattr(view, name) for name in _VIEW}
    asked = {"asked_qty": order.qty, "asked_limit": order.limit, "asked_trigger": order.trigger}
    ends = dict.fromkeys(_EXITS) if exits is None else msgspec.structs.asdict(exits)
    whose = {"account": account, "strategy": order.origin.strategy, "run": order.origin.run}
    # PostgreSQL takes no zero byte in a text, and a broker's words may hold anything.
    left["reason"] = view.reason.replace("\0", "�")
    return {**held, **left, **asked, **ends, **whose, "side": int(order.side)}


_ORDER = (
    "id", "instrument", "type", "product", "variety", "validity", "purpose", "decided_ns", "parent", "group",
    "disclosed", "protection_bps", "tag",
)  # fmt: skip
_VIEW = tuple(name for name in OrderView.__struct_fields__ if name != "order")
_ENUMS = {"type": OrderType, "product": Product, "variety": Variety, "validity": Validity, "purpose": Purpose}


def _order(row: Mapping[str, Any]) -> OrderView:
    held = {name: row[name] for name in _ORDER} | {name: kind(row[name]) for name, kind in _ENUMS.items()}
    exits = None if row["stop"] is None else Exits(*(row[name] for name in _EXITS))
    terms = {"qty": row["asked_qty"], "limit": row["asked_limit"], "trigger": row["asked_trigger"]}
    order = Order(origin=_origin(row), side=Side(row["side"]), exits=exits, **terms, **held)
    left = {name: row[name] for name in _VIEW} | {"phase": Phase(row["phase"])}
    return OrderView(order=order, **left)


def _trade_columns(account: AccountId, trade: TradeView) -> dict[str, Any]:
    fill = msgspec.structs.asdict(trade.fill)
    origin = fill.pop("origin")
    lines: Mapping[str, int | None] = (
        dict.fromkeys(LINES) if trade.charges is None else msgspec.structs.asdict(trade.charges)
    )
    whose = {"account": account, "strategy": origin.strategy, "run": origin.run}
    return {**fill, **lines, **whose, "side": int(trade.fill.side), "seq": trade.seq}


def _trade(row: Mapping[str, Any]) -> TradeView:
    same = ("id", "order_id", "instrument", "qty", "px", "reference", "ts_ns")
    held = {name: row[name] for name in same}
    fill = Fill(origin=_origin(row), side=Side(row["side"]), product=Product(row["product"]), **held)
    return TradeView(row["seq"], fill, None if row["brokerage"] is None else _lines(row))


def _note_columns(account: AccountId, note: NoteView) -> dict[str, Any]:
    settled = note.settled
    when = {"day": settled.day, "strategy": settled.strategy, "ts_ns": settled.ts_ns}
    return {"account": account, "seq": note.seq, **when, **msgspec.structs.asdict(settled.adjustment)}


def _lines(row: Mapping[str, Any]) -> ChargeLines:
    return ChargeLines(**{line: row[line] for line in LINES})


def _origin(row: Mapping[str, Any]) -> Origin:
    return Origin(row["account"], row["strategy"], RunId(row["run"]))
