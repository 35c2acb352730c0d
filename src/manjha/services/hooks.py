"""Signals from programs outside: proved to be from whom they say, new, and within what their hook may order."""

import hashlib
import hmac
import secrets
import threading
from collections import deque
from http import HTTPStatus
from typing import Literal, NamedTuple

import msgspec

from manjha.domain.controls import ManualOrder
from manjha.domain.errors import DataError, UsageError
from manjha.domain.hooks import Hook, Proof
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TsNs
from manjha.domain.money import Px, Qty, parse_px
from manjha.domain.orders import OrderType, Side
from manjha.domain.secret import Secret, same
from manjha.ports.clock import Clock
from manjha.ports.secret_store import SecretStore
from manjha.ports.unit_of_work import UnitOfWork

WINDOW_NS = 60 * SECOND_NS
"""How far the time of a message may be from ours."""
KEPT_NS = 4 * WINDOW_NS
"""How long the words of a message are known; when they are forgotten, its time has long passed."""
OVERLAP_NS = 60 * MINUTE_NS
"""How long the secret before still holds after a new one was made."""
SECRET_BYTES = 32
NONCE_MIN, NONCE_MAX = 8, 64
_NOBODY = secrets.token_urlsafe(SECRET_BYTES)
"""What messages of hooks that there are not are compared with: it takes as long, and never fits."""


class Secrets(msgspec.Struct, frozen=True):
    """A hook's secrets as they are kept. `before` holds until a moment, after another one was made."""

    now: str
    before: str = ""
    until_ns: int = 0

    def __repr__(self) -> str:
        return "Secrets(…)"


class Message(NamedTuple):
    """A message as it came: raw bytes, and the headers that prove it; empty where they are not there."""

    body: bytes
    time: str = ""
    nonce: str = ""
    signature: str = ""


class Signal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a message asks for. `secret` and `time` (UTC seconds) are there where the proof is in the body."""

    instrument: str
    side: Literal["BUY", "SELL"]
    qty: int
    limit: str = ""
    stop: str = ""
    target: str = ""
    secret: str = ""
    time: str = ""


class Verdict(NamedTuple):
    """What became of a message: the status that it is answered with, and what is ordered where that is accepted."""

    status: int
    hook: Hook | None = None
    order: ManualOrder | None = None
    key: str = ""


_FORBIDDEN = Verdict(HTTPStatus.FORBIDDEN)


class Hooks:
    """Knows the hooks, judges their messages. Any thread may ask."""

    def __init__(self, records: UnitOfWork, store: SecretStore, clock: Clock) -> None:
        self._records, self._store, self._clock = records, store, clock
        self._came: dict[str, deque[int]] = {}
        self._guard = threading.Lock()

    def all(self) -> list[Hook]:
        """Return all hooks, by the moment they were made."""
        with self._records.begin() as books:
            return list(books.hooks.hooks())

    def make(self, hook: Hook) -> str:
        """Keep a new hook and return its secret: the only time that it can be seen. Raises as the book and store."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        self._keep(hook.id, Secrets(secret))
        try:
            with self._records.begin() as books:
                books.hooks.add(hook)
        except UsageError:
            self._store.delete(_name(hook.id))
            raise
        return secret

    def change(self, hook: Hook) -> None:
        """Put a hook in place of itself. Raises as the book."""
        with self._records.begin() as books:
            books.hooks.change(hook)

    def rotate(self, hook_id: str) -> str:
        """Make a new secret and return it; the one before holds for an hour more. Raises `UsageError` for none."""
        held = self._secrets(hook_id)
        if held is None:
            raise UsageError(f"there is no hook {hook_id}", hint="GET /api/v1/hooks lists them.")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        self._keep(hook_id, Secrets(secret, held.now, self._clock.now_ns() + OVERLAP_NS))
        return secret

    def remove(self, hook_id: str) -> bool:
        """Take a hook out, with its secrets; tell whether there was one."""
        self._store.delete(_name(hook_id))
        with self._records.begin() as books:
            return books.hooks.remove(hook_id)

    def judge(self, hook_id: str, message: Message) -> Verdict:
        """Judge a message. Whoever sent it learns a status, and nothing of why.

        403: not proved, too old, heard before, or not allowed. 422: proved, and no order can be made of it. 429: too
        many. What is accepted (202) is to be put before the trader's gate under `key`.
        """
        now_ns = self._clock.now_ns()
        with self._records.begin() as books:
            hook = books.hooks.find(hook_id)
        held = (self._secrets(hook_id) if hook is not None else None) or Secrets(_NOBODY)
        known = [held.now] + ([held.before] if held.before and now_ns < held.until_ns else [])
        signal = _signal(message.body)
        in_body = hook is not None and hook.proof is Proof.SECRET_IN_BODY
        if in_body:
            said, word = (signal.time, signal.secret) if signal is not None else ("", ""), _digest(message.body)
            is_proved = sum(same(each, said[1]) for each in known) > 0
        else:
            said, word = (message.time, message.nonce), message.nonce
            is_proved = sum(_is_signed(message, each) for each in known) > 0
        if hook is None or not is_proved or not hook.is_on or not _is_now(said[0], now_ns):
            return _FORBIDDEN
        if not self._is_within_rate(hook, now_ns):
            return Verdict(HTTPStatus.TOO_MANY_REQUESTS, hook)
        with self._records.begin() as books:
            books.hooks.forget_words(now_ns)
            if not books.hooks.first_time(hook.id, word, TsNs(now_ns + KEPT_NS)):
                return _FORBIDDEN
        order = None if signal is None else _order(hook, signal)
        if order is None:
            return Verdict(HTTPStatus.UNPROCESSABLE_ENTITY, hook)
        return Verdict(HTTPStatus.ACCEPTED, hook, order, f"hook-{_digest(f'{hook.id} {word}'.encode())[:32]}")

    def _is_within_rate(self, hook: Hook, now_ns: int) -> bool:
        with self._guard:
            came = self._came.setdefault(hook.id, deque())
            while came and came[0] <= now_ns - MINUTE_NS:
                came.popleft()
            if len(came) >= hook.per_minute:
                return False
            came.append(now_ns)
            return True

    def _secrets(self, hook_id: str) -> Secrets | None:
        text = self._store.get(_name(hook_id))
        return None if text is None else msgspec.json.decode(text.reveal(), type=Secrets)

    def _keep(self, hook_id: str, held: Secrets) -> None:
        self._store.put(_name(hook_id), Secret(msgspec.json.encode(held).decode()))


def signature_of(secret: str, time: str, nonce: str, body: bytes) -> str:
    """Return what a message is signed with: HMAC-SHA256 over time, nonce and raw body, parted by dots, as hex."""
    return hmac.new(secret.encode(), f"{time}.{nonce}.".encode() + body, hashlib.sha256).hexdigest()


def _is_signed(message: Message, secret: str) -> bool:
    made = signature_of(secret, message.time, message.nonce, message.body)
    is_sized = NONCE_MIN <= len(message.nonce) <= NONCE_MAX and message.nonce.isascii()
    return same(made, message.signature) and is_sized


def _is_now(text: str, now_ns: int) -> bool:
    is_number = text.isascii() and text.isdecimal() and len(text) <= 12
    return is_number and abs(int(text) * SECOND_NS - now_ns) <= WINDOW_NS


def _signal(body: bytes) -> Signal | None:
    try:
        return msgspec.json.decode(body, type=Signal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _order(hook: Hook, signal: Signal) -> ManualOrder | None:
    """Return the order of a signal; None where the hook may not, or no order can be made of it."""
    if signal.instrument not in hook.instruments or not 1 <= signal.qty <= hook.qty_max:
        return None
    try:
        limit, stop, target = (parse_px(text) if text else Px(0) for text in (signal.limit, signal.stop, signal.target))
    except DataError:
        return None
    if min(limit, stop, target) < 0:
        return None
    kind = OrderType.LIMIT if limit else OrderType.MARKET
    return ManualOrder(
        signal.instrument, Side[signal.side], Qty(signal.qty), kind, hook.product, limit, Px(0), stop, target,
        hook.strategy,
    )  # fmt: skip


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _name(hook_id: str) -> str:
    return f"hook.{hook_id}"
