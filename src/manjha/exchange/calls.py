"""A request to the exchange and its answer as plain values, and the table of what can be asked."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from manjha.exchange.accounts.limits import RateClass
from manjha.exchange.accounts.sessions import Session
from manjha.exchange.accounts.users import Plan
from manjha.exchange.errors import Kind, KiteError, bad_input
from manjha.exchange.exchange import Exchange
from manjha.exchange.switches import Rule


class Call(msgspec.Struct, frozen=True):
    """One request. `query` has every value of a name, `form` the last one; `body` is all that was sent.

    `path` are the variable parts of the address. `address` is where it came from; `mono_ns` is the caller's time.
    """

    method: str
    path: Mapping[str, str] = {}
    query: Mapping[str, Sequence[str]] = {}
    form: Mapping[str, str] = {}
    body: bytes = b""
    authorization: str = ""
    address: str = ""
    mono_ns: int = 0
    session: Session | None = None

    def asked(self, name: str) -> str:
        """Return the last value of a query parameter, "" where it is absent."""
        values = self.query.get(name, ())
        return values[-1] if values else ""

    @property
    def owner(self) -> Session:
        """The session of a call that needs one."""
        assert self.session is not None  # noqa: S101 - routes that ask for it are not reached without
        return self.session


class Answer(msgspec.Struct, frozen=True):
    """An answer that is not `{"status": "success", "data": …}`: a page, a table, a redirect."""

    body: bytes
    content_type: str
    code: int = 200
    headers: Mapping[str, str] = {}


Handler: TypeAlias = Callable[[Exchange, Call], Any]
"""Answers a call with the `data` of a success, or an `Answer`; raises `KiteError`."""


class Route(msgspec.Struct, frozen=True):
    """What answers a method and a path (variable parts in braces).

    `needs_session` false is for calls before a login. `plan` is what the app must have. `places` marks calls that may
    come from registered addresses only.
    """

    method: str
    path: str
    handler: Handler
    rate: RateClass = RateClass.OTHER
    needs_session: bool = True
    plan: Plan = Plan.PERSONAL
    places: bool = False


def answered(exchange: Exchange, route: Route, call: Call) -> Any:
    """Let a route answer a call, as the exchange stands: session first, then limits, plan and address (3.5).

    Raises
    ------
    KiteError
        What the answer is then.
    """
    if route.needs_session:
        session = exchange.sessions.of_header(call.authorization, exchange.now_ns)
        exchange.limits.take(route.rate, session.api_key, session.user_id, call.mono_ns)
        app = exchange.apps[session.api_key]
        if route.plan is Plan.CONNECT and app.plan is not Plan.CONNECT:
            raise KiteError(Kind.PERMISSION, "Insufficient permission for that call.")
        if route.places:
            check_address(exchange, app.addresses, call.address)
        call = msgspec.structs.replace(call, session=session)
    return route.handler(exchange, call)


def check_address(exchange: Exchange, addresses: Sequence[str], address: str) -> None:
    """Raise `KiteError` where orders may not come from an address (1.7)."""
    if not exchange.switches.holds(Rule.STATIC_IP, exchange.market.day):
        return
    if not addresses:
        raise KiteError(Kind.PERMISSION, "No IPs configured for this app. Add allowed IPs on the developer console.")
    if address not in addresses:
        raise KiteError(Kind.PERMISSION, f"IP ({address}) is not allowed to place orders for this app.")


def success(data: Any) -> dict[str, Any]:
    """Return the body of a success."""
    return {"status": "success", "data": data}


def json_body(call: Call) -> Any:
    """Return what a JSON body holds. Raises `KiteError`."""
    try:
        return msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise bad_input("Couldn't parse the JSON body.") from None
