"""The daily login at Kite: a person logs in in a browser, and the token that comes back is caught on this machine.

There is no other way: the exchanges ask for one login by hand a day, and nothing here scripts it (KITE_CONNECT_V3
section 1.5).
"""

import asyncio
import hashlib
import html
import secrets
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from manjha.adapters.kite.listener import Listener
from manjha.adapters.kite.rest import UNREADABLE, VERSION, Envelope
from manjha.adapters.kite.transport import Request, Told, Transport
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.moments import HOUR_NS, TsNs, at, clock_ns, day_of
from manjha.domain.outcomes import OK
from manjha.domain.secret import Secret, same

LOGIN_PAGE = "https://kite.zerodha.com/connect/login"
EXPIRY_NS = 6 * HOUR_NS
"""Hour of the day, Indian time, at which a login ends (KITE_CONNECT_V3 section 1.5)."""
WAIT_S = 300.0
"""How long a person has to log in."""
_TOKEN_MAX = 64
_HEAD_MAX = 8_192
_READ_MAX = 1 << 16
"""Bytes of a request: a browser sends all the cookies that it has for this machine."""
_STATE = "manjha"


class AppKeys(NamedTuple):
    """An app of Kite Connect."""

    key: str
    secret: Secret

    def __repr__(self) -> str:
        return "AppKeys(…)"


class Session(msgspec.Struct, frozen=True):
    """A login: who, and what it lets us do. `expires_ns` is when it ends at the latest."""

    user_id: str
    user_name: str
    access_token: Secret
    expires_ns: TsNs
    exchanges: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Session(user_id={self.user_id!r}, …)"


class _Answered(msgspec.Struct):
    user_id: str
    access_token: str
    user_name: str = ""
    exchanges: tuple[str, ...] = ()
    products: tuple[str, ...] = ()


def new_state() -> str:
    """Return a word that only the browser which was sent to the login page can bring back."""
    return secrets.token_urlsafe(24)


def login_address(key: str, state: str, page: str = LOGIN_PAGE) -> str:
    """Return where a person logs in."""
    return f"{page}?{urlencode({'v': VERSION, 'api_key': key, 'redirect_params': urlencode({_STATE: state})})}"


def checksum(keys: AppKeys, request_token: str) -> str:
    """Return what proves that who exchanges a token knows the app's secret."""
    return hashlib.sha256(f"{keys.key}{request_token}{keys.secret.reveal()}".encode()).hexdigest()


def expiry_of(login_ns: TsNs) -> TsNs:
    """Return when a login ends: at six in the morning that follows."""
    day = day_of(login_ns)
    return at(day if clock_ns(login_ns) < EXPIRY_NS else day + 1, EXPIRY_NS)


async def exchanged(transport: Transport, keys: AppKeys, request_token: str, now_ns: TsNs) -> Session:
    """Exchange what the browser brought for a session. The token is good once, and for minutes.

    Raises
    ------
    SourceError
        Kite refuses, or does not answer: log in again.
    """
    fields = {"api_key": keys.key, "request_token": request_token, "checksum": checksum(keys, request_token)}
    told = await transport.ask(
        Request("POST", "/session/token", urlencode(fields).encode()), {"X-Kite-Version": VERSION}
    )
    answered = _session_of(told)
    return Session(
        answered.user_id, answered.user_name, Secret(answered.access_token), expiry_of(now_ns), answered.exchanges,
        answered.products,
    )  # fmt: skip


async def ended(transport: Transport, key: str, token: str) -> bool:
    """End a session at Kite; tell whether it took that."""
    query = urlencode({"api_key": key, "access_token": token})
    headers = {"X-Kite-Version": VERSION, "Authorization": f"token {key}:{token}"}
    told = await transport.ask(Request("DELETE", f"/session/token?{query}"), headers)
    return told.status == OK


def read_token(pasted: str) -> str:
    """Return the request token of what a person pastes: the token, or the whole address that the browser ended at."""
    text = pasted.strip()
    found = parse_qs(urlsplit(text).query).get("request_token", [text])[0]
    if not _is_token(found):
        raise UsageError("a request token of letters and digits was expected", hint="Paste the address you came to.")
    return found


class TokenCatcher:
    """A listener on this machine for the one request that brings the token. Use it as `async with`, then `caught`.

    The redirect address of the app must be `http://127.0.0.1:PORT/` with `port`.
    """

    def __init__(self, port: int, state: str) -> None:
        otherwise = "log in with `--paste` and the address that the browser ends at"
        self._listener = Listener(port, self._serve, otherwise, _READ_MAX)
        self._state = state
        self._found: asyncio.Future[str] | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._listener.port

    async def __aenter__(self) -> "TokenCatcher":
        self._found = asyncio.get_running_loop().create_future()
        await self._listener.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._listener.__aexit__(*error)

    async def caught(self, patience: float = WAIT_S) -> str:
        """Return the request token. Raises `SourceError` where none came in time, or the login failed."""
        if self._found is None:
            raise UsageError("the listener was not started")
        try:
            async with asyncio.timeout(patience):
                return await asyncio.shield(self._found)
        except TimeoutError:
            raise SourceError(
                f"nobody logged in within {patience:.0f} seconds", hint="Run `manjha login` again."
            ) from None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
            status, words = self._take(head[:_HEAD_MAX].decode("latin-1").partition("\r\n")[0])
            writer.write(_page(status, words))
            await writer.drain()
        except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError):
            return
        finally:
            writer.close()

    def _take(self, line: str) -> tuple[int, str]:
        """Take the first line of a request; return the status and the words of the answer."""
        method, _, rest = line.partition(" ")
        place = urlsplit(rest.partition(" ")[0])
        query = parse_qs(place.query)
        state, token = query.get(_STATE, [""])[0], query.get("request_token", [""])[0]
        if method != "GET" or place.path != "/" or self._found is None:
            return 404, "Nothing is here."
        if not same(self._state, state):
            return 403, "This login was not asked for from here. Run `manjha login` and use the page that it opens."
        if query.get("status", [""])[0] != "success" or not _is_token(token):
            return 400, "The login did not succeed. Run `manjha login` again."
        if not self._found.done():
            self._found.set_result(token)
        return 200, "You are logged in. This window can be closed."


def _session_of(told: Told) -> _Answered:
    try:
        envelope = msgspec.json.decode(told.body, type=Envelope) if told.body else Envelope()
        if told.status == OK and envelope.status == "success":
            return msgspec.json.decode(envelope.data, type=_Answered)
        why = told.words or envelope.message or f"status {told.status}"
    except UNREADABLE:
        why = f"an answer that cannot be read, status {told.status}"
    raise SourceError(
        f"Kite gives no session: {why}", hint="Run `manjha login` again; a token is good once, for minutes."
    )


def _is_token(text: str) -> bool:
    return 0 < len(text) <= _TOKEN_MAX and text.isascii() and text.isalnum()


_HEAD = (
    '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><title>Manjha</title>'
)


def _page(status: int, words: str) -> bytes:
    """Return an answer that no script, frame or cache can do anything with."""
    body = f"{_HEAD}<p>{html.escape(words)}</p>".encode()
    lines = (
        f"HTTP/1.1 {status} Answer", "Content-Type: text/html; charset=utf-8", f"Content-Length: {len(body)}",
        "Cache-Control: no-store", "Referrer-Policy: no-referrer", "Content-Security-Policy: default-src 'none'",
        "Connection: close", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode() + body
