"""Alerts on prices: simple ones tell, ATO ones place a basket of orders as well (2.13).

An alert is raised when its condition comes to hold, at most once until it does not hold again; an ATO is disabled by
it. That it is so, and the texts, are ours: the sources show the objects only.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.ticks import Tick
from manjha.exchange.accounts.sessions import Session
from manjha.exchange.errors import Kind, KiteError, bad_input
from manjha.exchange.market import quotes
from manjha.exchange.market.listing import Listed
from manjha.exchange.wire import price_of, rupees, stamp, text_of, whole_of

if TYPE_CHECKING:
    from manjha.exchange.exchange import Exchange

ACTIVE_MAX = 500
PAGE_SIZE = 100
ATTRIBUTE = "LastTradedPrice"
ENABLED, DISABLED, DELETED = "enabled", "disabled", "deleted"
_OPERATORS = {"<=": le, ">=": ge, "<": lt, ">": gt, "==": eq}
_NO_TIME = "0001-01-01 00:00:00"
_WHOLE = ("validity_ttl", "quantity", "disclosed_quantity")
_PRICES = ("price", "trigger_price", "squareoff", "stoploss", "trailing_stoploss")


class Operand(msgspec.Struct, frozen=True):
    """One side of a condition: an instrument's last price as it was named, or a constant (1e-4 rupee)."""

    listed: Listed | None
    exchange: str = ""
    constant: int = 0

    @property
    def text(self) -> str:
        """How the condition names it."""
        if self.listed is None:
            return str(rupees(self.constant))
        return f'{ATTRIBUTE}("{self.exchange}:{self.listed.symbol}")'


class Wanted(msgspec.Struct, frozen=True):
    """What an alert waits for, and the basket that an ATO places."""

    kind: str
    name: str
    left: Operand
    operator: str
    right: Operand
    items: tuple[dict[str, Any], ...] = ()

    @property
    def watched(self) -> tuple[InstrumentId, ...]:
        """The instruments whose ticks may raise it."""
        return tuple(dict.fromkeys(side.listed.id for side in (self.left, self.right) if side.listed is not None))


class Alert(msgspec.Struct):
    """An alert. `held` tells whether its condition held when it was looked at last."""

    uuid: str
    user_id: str
    api_key: str
    wanted: Wanted
    created_ns: TsNs
    updated_ns: TsNs
    status: str = ENABLED
    count: int = 0
    held: bool = False
    history: list[dict[str, Any]] = []

    def shown(self, *, basket: bool = True) -> dict[str, Any]:
        """Return the alert as the wire shows it; the answer to its creation has no basket."""
        wanted, right = self.wanted, self.wanted.right
        listed = right.listed
        row: dict[str, Any] = {
            "type": wanted.kind,
            "user_id": self.user_id,
            "uuid": self.uuid,
            "name": wanted.name,
            "status": self.status,
            "disabled_reason": "",
            "lhs_attribute": ATTRIBUTE,
            "lhs_exchange": wanted.left.exchange,
            "lhs_tradingsymbol": wanted.left.listed.symbol if wanted.left.listed is not None else "",
            "operator": wanted.operator,
            "rhs_type": "constant" if listed is None else "instrument",
            "rhs_attribute": "" if listed is None else ATTRIBUTE,
            "rhs_exchange": right.exchange,
            "rhs_tradingsymbol": "" if listed is None else listed.symbol,
            "rhs_constant": rupees(right.constant),
            "alert_count": self.count,
            "created_at": stamp(self.created_ns),
            "updated_at": stamp(self.updated_ns),
        }
        if basket and wanted.kind == "ato":
            row["basket"] = {"items": [dict(item) for item in wanted.items]}
        return row


class Alerts:
    """All alerts. It follows every tick; a part of the exchange (see the package)."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self.all: dict[str, Alert] = {}
        self._watching: dict[InstrumentId, list[str]] = {}
        exchange.tick_hearers.append(self.take)

    # ---- what is saved

    def state(self) -> list[Alert]:
        """Return what is restored: all alerts."""
        return list(self.all.values())

    def restore(self, state: list[Alert]) -> None:
        """Go on where alerts stopped."""
        self.all, self._watching = {one.uuid: one for one in state}, {}
        for one in state:
            if one.status == ENABLED:
                self._watch(one)

    # ---- what clients ask for

    def create(self, form: Mapping[str, str], session: Session, now_ns: TsNs) -> Alert:
        """Take a new alert. Raises `KiteError`."""
        self._check_room(session.user_id)
        wanted = self._read(form)
        digest = hashlib.sha256(f"{self._exchange.seed} alert {len(self.all)}".encode()).hexdigest()
        uuid = "-".join((digest[:8], digest[8:12], f"4{digest[13:16]}", f"a{digest[17:20]}", digest[20:32]))
        alert = Alert(uuid, session.user_id, session.api_key, wanted, now_ns, now_ns)
        self.all[uuid] = alert
        self._watch(alert)
        return alert

    def modify(self, uuid: str, form: Mapping[str, str], user_id: str, now_ns: TsNs) -> Alert:
        """Replace what an alert waits for, or enable and disable it by `status` alone. Raises `KiteError`."""
        alert = self._there(uuid, user_id)
        status = form.get("status") or ENABLED
        if status not in (ENABLED, DISABLED):
            raise bad_input("Invalid `status`: expected enabled or disabled.")
        if status == ENABLED and alert.status != ENABLED:
            self._check_room(user_id)
        wanted = self._read(form) if set(form) - {"status"} else alert.wanted
        self._end(alert, status)
        alert.wanted, alert.updated_ns, alert.held = wanted, now_ns, False
        if status == ENABLED:
            self._watch(alert)
        return alert

    def delete(self, uuids: Iterable[str], user_id: str, now_ns: TsNs) -> None:
        """Take alerts away, all or none of them. Raises `KiteError`."""
        gone = [self._there(uuid, user_id) for uuid in dict.fromkeys(uuids)]
        if not gone:
            raise bad_input("Missing or empty field `uuid`")
        for alert in gone:
            self._end(alert, DELETED)
            alert.updated_ns = now_ns

    def of(self, uuid: str, user_id: str) -> Alert:
        """Return a user's alert, a deleted one too. Raises `KiteError`."""
        alert = self.all.get(uuid)
        if alert is None or alert.user_id != user_id:
            raise KiteError(Kind.GENERAL, "The requested alert was not found.", 404)
        return alert

    def listed(self, user_id: str, status: str, page: int, size: int) -> Sequence[Alert]:
        """Return a page of a user's alerts, newest first; deleted ones where that status is asked for. Pages from 1."""
        found = [one for one in reversed(self.all.values()) if one.user_id == user_id and _is_asked(one, status)]
        return found[(page - 1) * size : page * size]

    def _there(self, uuid: str, user_id: str) -> Alert:
        alert = self.of(uuid, user_id)
        if alert.status == DELETED:
            raise KiteError(Kind.GENERAL, "The requested alert was not found.", 404)
        return alert

    def _check_room(self, user_id: str) -> None:
        if sum(one.user_id == user_id and one.status == ENABLED for one in self.all.values()) >= ACTIVE_MAX:
            raise bad_input(f"Maximum allowed active alerts exceeded: {ACTIVE_MAX} are allowed.")

    # ---- what happens

    def take(self, tick: Tick) -> None:
        """Raise the alerts whose condition comes to hold with a tick."""
        watching = self._watching.get(tick.instrument)
        if not watching:
            return
        for uuid in list(watching):
            alert = self.all[uuid]
            held, alert.held = alert.held, self._holds(alert.wanted)
            if alert.held and not held:
                self._raise(alert, tick.ts_ns)

    def _holds(self, wanted: Wanted) -> bool:
        left, right = self._value(wanted.left), self._value(wanted.right)
        return left > 0 and right > 0 and bool(_OPERATORS[wanted.operator](left, right))

    def _value(self, side: Operand) -> int:
        return side.constant if side.listed is None else self._exchange.market.standings[side.listed.id].last

    def _raise(self, alert: Alert, now_ns: TsNs) -> None:
        alert.count += 1
        alert.updated_ns = now_ns
        wanted = alert.wanted
        alert.history.append(
            {
                "uuid": alert.uuid,
                "type": wanted.kind,
                "meta": list(self._seen(wanted, now_ns)),
                "condition": f"{wanted.left.text} {wanted.operator} {wanted.right.text}",
                "created_at": stamp(now_ns),
                "order_meta": [self._placed(item, alert, now_ns) for item in wanted.items] or None,
            }
        )
        if wanted.kind == "ato":
            self._end(alert, DISABLED)

    def _seen(self, wanted: Wanted, now_ns: TsNs) -> Iterator[dict[str, Any]]:
        for side in (wanted.left, wanted.right):
            if side.listed is not None:
                quote = quotes.full(side.listed, self._exchange.market.standings[side.listed.id], now_ns)
                del quote["depth"]
                yield {
                    **quote, "tradingsymbol": side.listed.symbol, "exchange": side.exchange, "volume_tick": 0,
                    "last_trade_time": quote["last_trade_time"] or _NO_TIME,
                }  # fmt: skip

    def _placed(self, item: Mapping[str, Any], alert: Alert, now_ns: TsNs) -> dict[str, Any]:
        """Place one order of a basket; say what came of it."""
        params = item["params"]
        form = {name: str(value) for name, value in params.items() if not isinstance(value, dict | list)}
        form |= {"exchange": item["exchange"], "tradingsymbol": item["tradingsymbol"]}
        session = Session(alert.api_key, alert.user_id, "", "", now_ns, now_ns)
        told = {"id": item["id"], "order_id": "", "status": "success", "rejection_reason": ""}
        try:
            placed = self._exchange.desk.place(str(params["variety"]), form, session, now_ns)
            told["order_id"] = placed["order_id"]
        except KiteError as refused:
            told.update(status="failed", rejection_reason=refused.message)
        return told

    def _watch(self, alert: Alert) -> None:
        for name in alert.wanted.watched:
            self._watching.setdefault(name, []).append(alert.uuid)

    def _end(self, alert: Alert, status: str) -> None:
        """Let an alert watch no more."""
        if alert.status == ENABLED:
            for name in alert.wanted.watched:
                self._watching[name].remove(alert.uuid)
        alert.status = status

    # ---- reading

    def _read(self, form: Mapping[str, str]) -> Wanted:
        kind = text_of(form, "type")
        if kind not in ("simple", "ato"):
            raise bad_input("Invalid `type`: expected simple or ato.")
        operator = text_of(form, "operator")
        if operator not in _OPERATORS:
            raise bad_input(f"Invalid `operator`: expected one of {', '.join(_OPERATORS)}.")
        right_type = text_of(form, "rhs_type")
        if right_type not in ("constant", "instrument"):
            raise bad_input("Invalid `rhs_type`: expected constant or instrument.")
        right = self._operand(form, "rhs") if right_type == "instrument" else Operand(None, "", _constant(form))
        items = self._items(text_of(form, "basket")) if kind == "ato" else ()
        return Wanted(kind, text_of(form, "name"), self._operand(form, "lhs"), operator, right, items)

    def _operand(self, form: Mapping[str, str], side: str) -> Operand:
        exchange, symbol = text_of(form, f"{side}_exchange"), text_of(form, f"{side}_tradingsymbol")
        if text_of(form, f"{side}_attribute") != ATTRIBUTE:
            raise bad_input(f"Invalid `{side}_attribute`: expected {ATTRIBUTE}.")
        listed = quotes.named(self._exchange.market.listing, f"{exchange}:{symbol}")
        if listed is None:
            raise bad_input(f"Invalid `{side}_tradingsymbol`: it is not listed.")
        return Operand(listed, exchange)

    def _items(self, text: str) -> tuple[dict[str, Any], ...]:
        try:
            items = json.loads(text)["items"]
            return tuple(self._item(number, item, item["params"]) for number, item in enumerate(items, 1))
        except (ValueError, TypeError, KeyError, RecursionError):
            raise bad_input("Invalid `basket`: JSON with items that have params is expected.") from None

    def _item(self, number: int, item: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
        listed = self._exchange.market.listing.traded(item["exchange"], item["tradingsymbol"])
        gtt = params.get("gtt") or {}
        if gtt.get("target") or gtt.get("stoploss"):
            raise bad_input("Invalid `basket`: triggers that follow an order of an alert are not simulated.")
        shown: dict[str, Any] = {
            "validity": params.get("validity", "DAY"),
            "variety": params.get("variety", "regular"),
            "product": params["product"],
            "order_type": params["order_type"],
            "transaction_type": params["transaction_type"],
            **{name: params.get(name, 0) for name in (*_WHOLE, *_PRICES)},
            "gtt": {"target": 0, "stoploss": 0},
            "tags": list(params.get("tags") or []),
        }
        if params.get("market_protection"):
            shown["market_protection"] = params["market_protection"]
        return {
            "id": number,
            "tradingsymbol": listed.symbol,
            "exchange": listed.exchange,
            "instrument_token": listed.token,
            "weight": whole_of({"weight": str(item.get("weight", 0))}, "weight"),
            "params": shown,
        }


def _constant(form: Mapping[str, str]) -> int:
    text_of(form, "rhs_constant")
    return price_of(form, "rhs_constant")


def _is_asked(alert: Alert, status: str) -> bool:
    return alert.status == status if status else alert.status != DELETED
