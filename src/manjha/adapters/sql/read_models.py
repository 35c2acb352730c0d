"""Implements `ports.read_models.ReadModels` over SQL."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Select, Table, delete, insert, or_, select, update

from manjha.adapters.sql.read_model_tables import NOTES, ORDERS, POSITIONS, PROJECTIONS, TRADES
from manjha.adapters.sql.record_tables import BACKTESTS, RUNS
from manjha.adapters.sql.rows import KEYS_AT_ONCE, columns_of, inserting, put_rows
from manjha.domain.broker import BrokerStatus, Sight
from manjha.domain.charges import LINES, ChargeLines
from manjha.domain.errors import UsageError
from manjha.domain.events import DayChargesSettled
from manjha.domain.instrument import InstrumentId
from manjha.domain.money import Px
from manjha.domain.orders import (
    AccountId,
    Exits,
    Fill,
    FillId,
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
from manjha.domain.read_models import (
    Changed,
    DeskView,
    NoteView,
    OrderView,
    PositionView,
    Reached,
    RunActivity,
    SentView,
    TradeView,
)

OPEN = (Phase.CHECKING, Phase.SENT, Phase.WORKING, Phase.UNCONFIRMED)
_EXITS = Exits.__struct_fields__
_TOLD = ("first_seq", "last_seq", "first_ns", "last_ns", "orders", "trades", "refusals", "closed_ns")
"""Columns of a run that the journal tells, as numbers."""
_STRIKES = msgspec.json.Decoder(dict[str, int])
_DESK = msgspec.json.Decoder(DeskView)


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
        desk = _DESK.decode(found.desk)
        return Reached(account, found.seq, bytes(found.hash), found.day, strikes, desk, found.form)

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
        nothing = dict.fromkeys(
            ("first_seq", "last_seq", "first_ns", "last_ns", "orders", "trades", "refusals", "closed_ns"), 0
        )
        self._connection.execute(update(RUNS).where(RUNS.c.account == account).values(active_strategy="", **nothing))

    def orders(self, account: AccountId, *, after: int = 0, limit: int = 100) -> list[OrderView]:
        """Return orders by the row that placed them. See the port."""
        asked = _orders_of(account).where(ORDERS.c.placed_seq > after)
        found = self._orders(asked.limit(limit))
        if len(found) == limit:
            last = found[-1]
            rest = (ORDERS.c.placed_seq == last.placed_seq) & (ORDERS.c.id > last.order.id)
            found += self._orders(_orders_of(account).where(rest))
        return found

    def orders_named(self, account: AccountId, ids: Collection[OrderId]) -> list[OrderView]:
        """Return the orders of these ids. See the port."""
        return _in_order(self._by_keys(account, ORDERS.c.id, ids))

    def orders_at_broker(self, account: AccountId, tags: Collection[str], numbers: Collection[str]) -> list[OrderView]:
        """Return orders that a read of the broker may change. See the port."""
        in_doubt = or_(ORDERS.c.phase.in_(OPEN), ORDERS.c.is_sought == 1, ORDERS.c.is_short == 1)
        found = self._orders(_orders_of(account).where(in_doubt))
        found += self._by_keys(account, ORDERS.c.sent_tag, tags)
        found += self._by_keys(account, ORDERS.c.broker_id, numbers)
        return _in_order({view.order.id: view for view in found}.values())

    def changed_orders(self, account: AccountId, *, after: int, limit: int = 100) -> list[OrderView]:
        """Return orders by the row that changed them last. See the port."""
        asked = select(ORDERS).where(ORDERS.c.account == account).order_by(ORDERS.c.changed_seq, ORDERS.c.id)
        found = self._orders(asked.where(ORDERS.c.changed_seq > after).limit(limit))
        if len(found) == limit:
            last = found[-1]
            found += self._orders(asked.where(ORDERS.c.changed_seq == last.changed_seq, ORDERS.c.id > last.order.id))
        return found

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
        found = self._trades(asked.limit(limit))
        if len(found) == limit:
            last = found[-1]
            found += self._trades(asked.where(TRADES.c.seq == last.seq, TRADES.c.number > last.number))
        return found

    def trades_of(self, account: AccountId, order: OrderId) -> list[TradeView]:
        """Return the fills of an order. See the port."""
        return self._trades(select(TRADES).where(TRADES.c.account == account, TRADES.c.order_id == order))

    def trades_named(self, account: AccountId, ids: Collection[FillId], *, after: int) -> set[FillId]:
        """Return those that are booked. See the port."""
        wanted, found = sorted(ids), set[FillId]()
        for at in range(0, len(wanted), KEYS_AT_ONCE):
            some = TRADES.c.id.in_(wanted[at : at + KEYS_AT_ONCE])
            asked = select(TRADES.c.id).where(TRADES.c.account == account, TRADES.c.seq > after, some)
            found.update(self._connection.scalars(asked))
        return found

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
        values |= {"desk": msgspec.json.encode(after.desk).decode(), "form": after.form}
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

    def _by_keys(self, account: AccountId, column: Column[Any], keys: Collection[str]) -> list[OrderView]:
        wanted, found = sorted(keys), list[OrderView]()
        for at in range(0, len(wanted), KEYS_AT_ONCE):
            found += self._orders(_orders_of(account).where(column.in_(wanted[at : at + KEYS_AT_ONCE])))
        return found

    def _trades(self, asked: Select[Any]) -> list[TradeView]:
        ordered = asked.order_by(TRADES.c.seq, TRADES.c.number)
        return [_trade(columns_of(row)) for row in self._connection.execute(ordered)]


def activity_of(row: Mapping[str, Any]) -> RunActivity | None:
    """Return what a row of the runs says of the journal; None where there is nothing of it in the journal."""
    if not row["last_seq"]:
        return None
    told = {name: row[name] for name in _TOLD}
    return RunActivity(account=row["account"], run=row["id"], strategy=row["active_strategy"], **told)


def _orders_of(account: AccountId) -> Select[Any]:
    return select(ORDERS).where(ORDERS.c.account == account).order_by(ORDERS.c.placed_seq, ORDERS.c.id)


def _order_columns(account: AccountId, view: OrderView) -> dict[str, Any]:
    order, exits = view.order, view.order.exits
    held = {name: getattr(order, name) for name in _ORDER}
    left = {name: getattr(view, name) for name in _VIEW}
    asked = {"asked_qty": order.qty, "asked_limit": order.limit, "asked_trigger": order.trigger}
    ends = dict.fromkeys(_EXITS) if exits is None else msgspec.structs.asdict(exits)
    whose = {"account": account, "strategy": order.origin.strategy, "run": order.origin.run}
    left["reason"] = _text(view.reason)
    return {**held, **left, **asked, **ends, **whose, **_sent_columns(view.sent), "side": int(order.side)}


def _sent_columns(sent: SentView | None) -> dict[str, Any]:
    if sent is None:
        return dict.fromkeys((*_SENT, *_SEEN, "sent_tag", "seen_qty", "seen_limit", "seen_trigger"))
    sight = sent.sight
    left: dict[str, Any] = {name: int(getattr(sent, name)) for name in _SENT} | {"sent_tag": sent.tag}
    seen = {column: getattr(sight, name) for column, name in _SEEN.items()}
    seen["seen_over"], seen["seen_reason"] = int(sight.is_over), _text(sight.reason)
    return left | seen | dict(zip(("seen_qty", "seen_limit", "seen_trigger"), sight.terms, strict=True))


def _sent(row: Mapping[str, Any]) -> SentView | None:
    if row["sent_tag"] is None:
        return None
    seen = {name: row[column] for column, name in _SEEN.items()}
    terms = (row["seen_qty"], row["seen_limit"], row["seen_trigger"])
    seen |= {"is_over": bool(row["seen_over"]), "status": BrokerStatus(row["seen_status"]), "terms": terms}
    left = {name: row[name] for name in _SENT} | {name: bool(row[name]) for name in ("is_sought", "is_short")}
    return SentView(tag=row["sent_tag"], sight=Sight(**seen), **left)


def _text(words: str) -> str:
    """Return what a broker said as every database takes it: PostgreSQL has no zero byte in a text."""
    return words.replace("\0", "�")


def _in_order(views: Iterable[OrderView]) -> list[OrderView]:
    return sorted(views, key=lambda view: (view.placed_seq, view.order.id))


_ORDER = (
    "id", "instrument", "type", "product", "variety", "validity", "purpose", "decided_ns", "parent", "group",
    "disclosed", "protection_bps", "tag",
)  # fmt: skip
_VIEW = tuple(name for name in OrderView.__struct_fields__ if name not in ("order", "sent"))
_SENT = ("uncertain_ns", "absent", "is_sought", "is_short")
_SEEN = {
    "seen_over": "is_over", "seen_ns": "exchange_ns", "seen_source": "source", "seen_status": "status",
    "seen_reason": "reason", "seen_filled": "filled",
}  # fmt: skip
"""Columns of what was seen, and the names of a sight; its terms have a column each."""
_ENUMS = {"type": OrderType, "product": Product, "variety": Variety, "validity": Validity, "purpose": Purpose}


def _order(row: Mapping[str, Any]) -> OrderView:
    held = {name: row[name] for name in _ORDER} | {name: kind(row[name]) for name, kind in _ENUMS.items()}
    exits = None if row["stop"] is None else Exits(*(row[name] for name in _EXITS))
    terms = {"qty": row["asked_qty"], "limit": row["asked_limit"], "trigger": row["asked_trigger"]}
    order = Order(origin=_origin(row), side=Side(row["side"]), exits=exits, **terms, **held)
    left = {name: row[name] for name in _VIEW} | {"phase": Phase(row["phase"])}
    return OrderView(order=order, sent=_sent(row), **left)


def _trade_columns(account: AccountId, trade: TradeView) -> dict[str, Any]:
    fill = msgspec.structs.asdict(trade.fill)
    origin = fill.pop("origin")
    lines: Mapping[str, int | None] = (
        dict.fromkeys(LINES) if trade.charges is None else msgspec.structs.asdict(trade.charges)
    )
    whose = {"account": account, "strategy": origin.strategy, "run": origin.run}
    return {**fill, **lines, **whose, "side": int(trade.fill.side), "seq": trade.seq, "number": trade.number}


def _trade(row: Mapping[str, Any]) -> TradeView:
    same = ("id", "order_id", "instrument", "qty", "px", "reference", "ts_ns")
    held = {name: row[name] for name in same}
    fill = Fill(origin=_origin(row), side=Side(row["side"]), product=Product(row["product"]), **held)
    return TradeView(row["seq"], fill, None if row["brokerage"] is None else _lines(row), row["number"])


def _note_columns(account: AccountId, note: NoteView) -> dict[str, Any]:
    settled = note.settled
    when = {"day": settled.day, "strategy": settled.strategy, "ts_ns": settled.ts_ns}
    return {"account": account, "seq": note.seq, **when, **msgspec.structs.asdict(settled.adjustment)}


def _lines(row: Mapping[str, Any]) -> ChargeLines:
    return ChargeLines(**{line: row[line] for line in LINES})


def _origin(row: Mapping[str, Any]) -> Origin:
    return Origin(row["account"], row["strategy"], RunId(row["run"]))
