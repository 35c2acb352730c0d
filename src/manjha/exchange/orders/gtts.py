"""Triggers that the broker keeps for up to a year, and that place a LIMIT order when a price is met (2.12)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from manjha.domain.errors import DataError
from manjha.domain.instrument import Asset, InstrumentId
from manjha.domain.moments import DAY_NS, TsNs, at
from manjha.domain.money import Px, parse_px
from manjha.domain.orders import Product, Side
from manjha.domain.ticks import Tick
from manjha.exchange.accounts.sessions import Session
from manjha.exchange.errors import Kind, KiteError, bad_input
from manjha.exchange.market.listing import Listed
from manjha.exchange.orders import asked
from manjha.exchange.wire import rupees, stamp, text_of, whole_of

if TYPE_CHECKING:
    from manjha.exchange.exchange import Exchange

ACTIVE_MAX = 500
LIFE_DAYS = 365
LISTED_DAYS = 7
"""How long triggers that are over are listed; by its id one of any age is found."""
_FIRST_ID = 100_000
_PRODUCTS = (Product.CNC, Product.NRML, Product.MTF)


class State(StrEnum):
    """Where a trigger is in its life; only an active one can fire."""

    ACTIVE = "active"
    TRIGGERED = "triggered"
    EXPIRED = "expired"
    DELETED = "deleted"


class Leg(msgspec.Struct):
    """One order of a trigger; `result` is what came of it, None until it fires. Prices in 1e-4 rupee."""

    side: Side
    product: Product
    qty: int
    px: int
    trigger: int
    result: dict[str, Any] | None = None


class Gtt(msgspec.Struct, kw_only=True):
    """A trigger. `last` is the price that its owner saw: it says from which side a single one is met."""

    number: int
    user_id: str
    api_key: str
    kind: str
    listed: Listed
    last: int
    legs: list[Leg]
    created_ns: TsNs
    updated_ns: TsNs
    expires_ns: TsNs
    state: State = State.ACTIVE
    reason: str = ""

    def met(self, px: int) -> int | None:
        """Return which leg a price meets, None for none; a gap beyond the trigger meets it too."""
        for number, leg in enumerate(self.legs):
            if px <= leg.trigger if leg.trigger < self.last else px >= leg.trigger:
                return number
        return None

    def shown(self) -> dict[str, Any]:
        """Return the trigger as the wire shows it."""
        return {
            "id": self.number,
            "user_id": self.user_id,
            "parent_trigger": None,
            "type": self.kind,
            "created_at": stamp(self.created_ns),
            "updated_at": stamp(self.updated_ns),
            "expires_at": stamp(self.expires_ns),
            "status": str(self.state),
            "condition": {
                "exchange": self.listed.exchange,
                "last_price": rupees(self.last),
                "tradingsymbol": self.listed.symbol,
                "trigger_values": [rupees(leg.trigger) for leg in self.legs],
                "instrument_token": self.listed.token,
            },
            "orders": [{**_order(leg, self.listed), "result": leg.result} for leg in self.legs],
            "meta": {"rejection_reason": self.reason} if self.reason else {},
        }


class GttDue(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A trigger's time is over."""

    number: int


class Gtts:
    """All triggers. It follows every tick; a part of the exchange (see the package)."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self.all: dict[int, Gtt] = {}
        self._armed: dict[InstrumentId, list[int]] = {}
        exchange.tick_hearers.append(self.take)
        exchange.agenda.on(GttDue, self._expire)

    # ---- what is saved

    def state(self) -> list[Gtt]:
        """Return what is restored: all triggers; when they end is on the agenda."""
        return list(self.all.values())

    def restore(self, state: list[Gtt]) -> None:
        """Go on where triggers stopped."""
        self.all, self._armed = {one.number: one for one in state}, {}
        for one in state:
            if one.state is State.ACTIVE:
                self._armed.setdefault(one.listed.id, []).append(one.number)

    # ---- what clients ask for

    def create(self, form: Mapping[str, str], session: Session, now_ns: TsNs) -> int:
        """Take a new trigger; return its id. Raises `KiteError`."""
        active = sum(one.user_id == session.user_id and one.state is State.ACTIVE for one in self.all.values())
        if active >= ACTIVE_MAX:
            raise bad_input(f"Maximum allowed active triggers exceeded: {ACTIVE_MAX} are allowed.")
        kind, listed, last, legs = self._read(form)
        number = _FIRST_ID + len(self.all) + 1
        one = Gtt(
            number=number, user_id=session.user_id, api_key=session.api_key, kind=kind, listed=listed, last=last,
            legs=legs, created_ns=now_ns, updated_ns=now_ns, expires_ns=_expires_ns(listed, now_ns),
        )  # fmt: skip
        self.all[number] = one
        self._arm(one)
        return number

    def modify(self, number: int, form: Mapping[str, str], user_id: str, now_ns: TsNs) -> None:
        """Replace what a trigger waits for and places. Raises `KiteError`."""
        one = self._active(number, user_id, "modified")
        kind, listed, last, legs = self._read(form)
        self._disarm(one)
        one.kind, one.listed, one.last, one.legs = kind, listed, last, legs
        one.updated_ns, one.expires_ns = now_ns, _expires_ns(listed, now_ns)
        self._arm(one)

    def delete(self, number: int, user_id: str, now_ns: TsNs) -> None:
        """Take a trigger away. Raises `KiteError`."""
        self._end(self._active(number, user_id, "deleted"), State.DELETED, now_ns)

    def of(self, number: int, user_id: str) -> Gtt:
        """Return a user's trigger. Raises `KiteError`."""
        one = self.all.get(number)
        if one is None or one.user_id != user_id:
            raise KiteError(Kind.GENERAL, "The requested trigger was not found.", 404)
        return one

    def listed(self, user_id: str, now_ns: TsNs) -> Iterator[Gtt]:
        """Return a user's triggers, newest first: active ones, and those that ended lately."""
        for one in reversed(self.all.values()):
            is_late = one.state is not State.ACTIVE and now_ns - one.updated_ns > LISTED_DAYS * DAY_NS
            if one.user_id == user_id and not is_late:
                yield one

    def _active(self, number: int, user_id: str, done: str) -> Gtt:
        one = self.of(number, user_id)
        if one.state is not State.ACTIVE:
            raise bad_input(f"Trigger cannot be {done} as it is {one.state}.")
        return one

    # ---- what happens

    def take(self, tick: Tick) -> None:
        """Let the triggers fire that a tick meets."""
        armed = self._armed.get(tick.instrument)
        if not armed:
            return
        for number in list(armed):
            one = self.all[number]
            met = one.met(tick.px)
            if met is not None:
                self._fire(one, one.legs[met], tick)

    def _fire(self, one: Gtt, leg: Leg, tick: Tick) -> None:
        """Place a leg's order; what becomes of it does not change the trigger."""
        self._end(one, State.TRIGGERED, tick.ts_ns)
        exchange, listed = self._exchange, one.listed
        order = {**_order(leg, listed), "validity": "DAY"}
        form = {name: str(value) for name, value in order.items()}
        session = Session(one.api_key, one.user_id, "", "", tick.ts_ns, tick.ts_ns)
        outcome = {"status": "success", "order_id": "", "rejection_reason": ""}
        try:
            outcome["order_id"] = exchange.desk.place("regular", form, session, tick.ts_ns)["order_id"]
        except KiteError as refused:
            outcome.update(status="failed", rejection_reason=refused.message)
        leg.result = {
            "account_id": one.user_id,
            **order,
            "meta": json.dumps({"app_id": exchange.apps[one.api_key].number, "gtt": one.number}, separators=(",", ":")),
            "timestamp": stamp(tick.ts_ns),
            "triggered_at": rupees(tick.px),
            "order_result": outcome,
        }

    def _expire(self, due: GttDue, now_ns: TsNs) -> None:
        one = self.all[due.number]
        # Changed, it may have got a later end, which is due by itself.
        if one.state is State.ACTIVE and one.expires_ns <= now_ns:
            self._end(one, State.EXPIRED, now_ns)

    def _end(self, one: Gtt, state: State, now_ns: TsNs) -> None:
        self._disarm(one)
        one.state, one.updated_ns = state, now_ns

    def _arm(self, one: Gtt) -> None:
        self._armed.setdefault(one.listed.id, []).append(one.number)
        self._exchange.agenda.put(one.expires_ns, GttDue(one.number))

    def _disarm(self, one: Gtt) -> None:
        self._armed[one.listed.id].remove(one.number)

    # ---- reading

    def _read(self, form: Mapping[str, str]) -> tuple[str, Listed, int, list[Leg]]:
        kind = text_of(form, "type")
        if kind not in ("single", "two-leg"):
            raise bad_input("Invalid `type`: expected single or two-leg.")
        condition, orders = _json(form, "condition"), _json(form, "orders")
        if not isinstance(condition, dict) or not isinstance(orders, list):
            raise bad_input("Invalid `condition` or `orders`: an object and a list are expected.")
        listed = self._exchange.market.listing.traded(
            str(condition.get("exchange")), str(condition.get("tradingsymbol"))
        )
        values, last = condition.get("trigger_values"), _px(condition.get("last_price"), "last_price")
        wanted = 1 if kind == "single" else 2
        if not isinstance(values, list) or len(values) != wanted or len(orders) != wanted:
            raise bad_input(f"A {kind} trigger needs {wanted} of `trigger_values` and of `orders`.")
        triggers = [_px(value, "trigger_values") for value in values]
        legs = [_leg(order, listed, trigger) for order, trigger in zip(orders, triggers, strict=True)]
        _check(kind, listed, last, legs)
        return kind, listed, last, legs


def _check(kind: str, listed: Listed, last: int, legs: Sequence[Leg]) -> None:
    """Raise `KiteError` for triggers on the wrong sides of the last price, and for what a trigger may not hold."""
    one = listed.instrument
    if any(leg.trigger == last for leg in legs):
        raise bad_input("Trigger cannot be created with one of the trigger values equal to the last price.")
    if kind == "two-leg":
        low, high = legs[0].trigger, legs[1].trigger
        if low > last:
            raise bad_input("Trigger cannot be created with the first trigger price more than the last price.")
        if high < last:
            raise bad_input("Trigger cannot be created with the second trigger price less than the last price.")
        if any(leg.side is Side.BUY for leg in legs) and not one.is_derivative:
            raise bad_input("Two-leg triggers that buy are allowed for derivatives only.")
    for leg in legs:
        if leg.trigger % one.tick or leg.px % one.tick:
            raise bad_input("Trigger cannot be created: prices must be multiples of the tick size.")
        if leg.product not in _PRODUCTS or (leg.product is Product.NRML) is not one.is_derivative:
            raise bad_input(f"Invalid `product`: triggers of {listed.exchange} do not take {leg.product}.")
        if kind == "two-leg" and one.asset is Asset.INDEX and leg.product is not Product.NRML:
            raise bad_input("Invalid `product`: two-leg triggers of index derivatives are NRML.")


def _leg(order: Any, listed: Listed, trigger: int) -> Leg:
    if not isinstance(order, dict):
        raise bad_input("Invalid `orders`: a list of objects is expected.")
    form = {name: str(value) for name, value in order.items() if value is not None}
    if form.get("order_type", "LIMIT") != "LIMIT":
        raise bad_input("Invalid `order_type`: triggers place LIMIT orders.")
    named = form.get("exchange", listed.exchange), form.get("tradingsymbol", listed.symbol)
    if named != (listed.exchange, listed.symbol):
        raise bad_input("Invalid `orders`: they must be in the instrument of the condition.")
    side = text_of(form, "transaction_type")
    if side not in Side.__members__:
        raise bad_input("Invalid `transaction_type`.")
    px = _px(order.get("price"), "price")
    product = asked.one_of(Product, text_of(form, "product"), "product")
    qty = whole_of(form, "quantity")
    if qty <= 0 or qty * listed.unit % listed.instrument.lot:
        raise bad_input("Invalid `quantity`: it must be a positive multiple of the lot size.")
    return Leg(Side[side], product, qty * listed.unit, px, trigger)


def _order(leg: Leg, listed: Listed) -> dict[str, Any]:
    return {
        "exchange": listed.exchange,
        "tradingsymbol": listed.symbol,
        "product": str(leg.product),
        "order_type": "LIMIT",
        "transaction_type": leg.side.name,
        "quantity": leg.qty // listed.unit,
        "price": rupees(leg.px),
    }


def _json(form: Mapping[str, str], name: str) -> Any:
    try:
        return json.loads(text_of(form, name), parse_float=str)
    except (ValueError, RecursionError):
        raise bad_input(f"Invalid `{name}`: JSON is expected.") from None


def _px(value: Any, name: str) -> Px:
    """Read a price of a JSON text exactly. Raises `KiteError`."""
    try:
        px = parse_px(str(value))
    except DataError:
        px = Px(0)
    if px <= 0:
        raise bad_input(f"Invalid `{name}`: a price above zero is expected, was {value!r}")
    return px


def _expires_ns(listed: Listed, now_ns: TsNs) -> TsNs:
    year = TsNs(now_ns + LIFE_DAYS * DAY_NS)
    expiry = listed.instrument.expiry
    return year if expiry is None else min(year, at(expiry, DAY_NS))
