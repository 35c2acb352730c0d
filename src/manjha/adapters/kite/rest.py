"""Kite's REST interface: requests with a login, answers decoded, errors in words that say what to do."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import quote_plus, urlencode

import msgspec

from manjha.adapters.kite.limits import Limits, RateClass
from manjha.adapters.kite.transport import Request, Told, Transport
from manjha.domain.errors import SourceError
from manjha.domain.outcomes import OK, TOO_MANY, Answer
from manjha.ports.gateway import LastLook

T = TypeVar("T")
Fields = Mapping[str, str]
VERSION = "3"
TRIES = 3
"""How often something is read that the broker refuses for the rate: a trader, its sentinel and people share a key."""
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What bytes raise that are no JSON of the kind that is expected: the last is of JSON nested without end."""


class Envelope(msgspec.Struct):
    """What every JSON answer is (KITE_CONNECT_V3 sections 2.0 and 3.5)."""

    status: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    message: str | None = ""
    error_type: str | None = ""


class _Placed(msgspec.Struct):
    order_id: str


_ENVELOPES = msgspec.json.Decoder(Envelope)
_PLACED = msgspec.json.Decoder(_Placed)


class Login(NamedTuple):
    """Who asks: the app's key, and what gives today's access token, which a new login changes."""

    key: str
    token: Callable[[], str]

    def headers(self) -> dict[str, str]:
        """Return what every request carries. Raises `SourceError` where nobody has logged in today."""
        token = self.token()
        if not self.key or not token:
            raise SourceError("Kite needs an api key and today's access token", hint="Run `manjha login`.")
        return {"X-Kite-Version": VERSION, "Authorization": f"token {self.key}:{token}"}


class Sending(NamedTuple):
    """What places, changes or cancels an order: a method, a path, a form, and who is asked right before it leaves."""

    method: str
    path: str
    fields: Fields
    last_look: LastLook


class KiteRest:
    """One app and one user. Orders have connections of their own: a long read is not in their way."""

    def __init__(self, orders: Transport, reads: Transport, login: Login, limits: Limits) -> None:
        self._orders = orders
        self._reads = reads
        self._login = login
        self._limits = limits

    async def order(self, sending: Sending) -> Answer:
        """Send what places, changes or cancels an order, once, and return what came of it. Raises nothing."""
        method, path, fields, last_look = sending
        try:
            headers = self._login.headers()
        except SourceError as error:
            return Answer(written=0, words=error.message)
        full = self._limits.order()
        if full:
            return Answer(written=0, words=full)
        form = _form(fields)
        is_form = method != "DELETE"
        target = path if is_form or not form else f"{path}?{form}"
        request = Request(method, target, form.encode() if is_form else b"")
        told = await self._orders.ask(request, headers, last_look=last_look)
        return _answer(told, self._secrets())

    async def get(self, path: str, kind: RateClass, found: type[T], query: str = "") -> T:
        """Read something.

        Raises
        ------
        SourceError
            No answer, a refusal, or an answer that is not what it should be.
        """
        told = await self._ask(Request("GET", f"{path}?{query}" if query else path), kind)
        return self._decoded(path, told, found)

    async def put_form(self, path: str, fields: Fields, found: type[T], method: str = "POST") -> T:
        """Send a form that places no order (a GTT, a conversion), and return the answer's data. Raises as `get`."""
        request = Request(method, path, urlencode(fields).encode())
        return self._decoded(path, await self._ask(request, RateClass.OTHER), found)

    async def post_json(self, path: str, value: object, found: type[T], query: str = "") -> T:
        """Ask a calculator, which takes JSON. Raises as `get`."""
        target = f"{path}?{query}" if query else path
        request = Request("POST", target, msgspec.json.encode(value), "application/json")
        return self._decoded(path, await self._ask(request, RateClass.OTHER), found)

    async def dump(self, path: str) -> bytes:
        """Read a list of instruments, which is CSV. Raises as `get`."""
        told = await self._ask(Request("GET", path), RateClass.OTHER, wait=120.0)
        if told.status != OK:
            raise self._refused(path, told)
        return told.body

    async def date(self) -> str:
        """Return the broker's time, as the header `Date` of a cheap answer has it. Raises as `get`."""
        told = await self._ask(Request("GET", "/user/profile"), RateClass.OTHER)
        if told.status == 0:
            raise self._refused("/user/profile", told)
        return told.date

    async def _ask(self, request: Request, kind: RateClass, wait: float = 0.0) -> Told:
        headers = self._login.headers()
        for left in reversed(range(TRIES if request.method == "GET" else 1)):
            await self._limits.read(kind)
            told = await self._reads.ask(request, headers, wait=wait)
            if told.status != TOO_MANY or not left:
                break
            await self._limits.refused()
        return told

    def _decoded(self, path: str, told: Told, found: type[T]) -> T:
        if told.status != OK:
            raise self._refused(path, told)
        try:
            envelope = _ENVELOPES.decode(told.body)
            if envelope.status != "success":
                raise self._refused(path, told)
            return msgspec.json.decode(envelope.data, type=found)
        except UNREADABLE as error:
            raise SourceError(f"Kite's answer to {path} is not what it should be: {error}", hint=_LATER) from None

    def _refused(self, path: str, told: Told) -> SourceError:
        """Say what Kite says, by its type of error, without key and token."""
        if told.status == 0:
            return SourceError(f"no answer of Kite to {path}: {told.words}", hint=_LATER)
        answer = _answer(told, self._secrets())
        what = ": ".join(part for part in (f"status {told.status}", answer.kind, answer.words) if part)
        return SourceError(f"Kite refuses {path}: {what.rstrip('.')}", hint=_HINTS.get(answer.kind, _LATER))

    def _secrets(self) -> tuple[str, str]:
        return self._login.key, self._login.token()


def _form(fields: Fields) -> str:
    """Return fields as `urlencode` does, which looks at each letter of words that are mostly plain."""
    return "&".join(
        f"{name}={one if one.isascii() and one.isalnum() else quote_plus(one)}" for name, one in fields.items()
    )


def _answer(told: Told, secrets: tuple[str, str]) -> Answer:
    """Return what an answer says; of one that is no JSON of Kite's only the status is told."""
    kind = words = number = ""
    if told.status == 0:
        return Answer(written=told.written, words=told.words)
    try:
        envelope = _ENVELOPES.decode(told.body)
        kind, words = envelope.error_type or "", envelope.message or ""
        if told.status == OK and envelope.status == "success":
            number = _PLACED.decode(envelope.data).order_id
    except UNREADABLE:
        words = words or "an answer that cannot be read"
    for secret in secrets:
        words = words.replace(secret, "…") if secret else words
    return Answer(written=told.written, status=told.status, kind=kind, words=words, broker_id=number)


_LATER = "Try again later; nothing was changed."
_HINTS = {
    "TokenException": "A login lasts until about 6 in the morning: run `manjha login`.",
    "PermissionException": "The app's plan must include this, and its static IP must be this machine's.",
    "InputException": "Check the api key, the instrument and the values.",
    "NetworkException": "Kite is busy or cannot reach the exchange; it is asked again.",
}
