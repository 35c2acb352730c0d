"""Logging in: request tokens, access tokens and how they end (fact sheet 1.2 and 1.5).

Tokens are drawn from the exchange's seed: the same run gives the same ones. They keep nobody out who can reach the
exchange, and are not meant to.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping

import msgspec

from manjha.domain.moments import DAY_NS, HOUR_NS, MINUTE_NS, TsNs, at, clock_ns, day_of
from manjha.exchange.accounts.users import App, User, profile
from manjha.exchange.errors import Kind, KiteError, bad_input, bad_token
from manjha.exchange.events import TokenEnded
from manjha.exchange.wire import stamp, text_of

DAY_STARTS = 6 * HOUR_NS
"""Access tokens die, and the order book is emptied, at 06:00 IST."""
REQUEST_LIFE_NS = 5 * MINUTE_NS
"""How long a request token may be exchanged."""


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request token that waits to be exchanged."""

    api_key: str
    user_id: str
    until_ns: TsNs


class Session(msgspec.Struct, frozen=True, gc=False):
    """A live session: one app acting for one user."""

    api_key: str
    user_id: str
    access_token: str
    refresh_token: str
    login_ns: TsNs
    until_ns: TsNs


class Sessions:
    """All sessions of the exchange. `ended` hears of each access token that dies."""

    def __init__(
        self, apps: Mapping[str, App], users: Mapping[str, User], seed: int, ended: Callable[[TokenEnded], None]
    ) -> None:
        self._apps = apps
        self._users = users
        self._seed = seed
        self._ended = ended
        self.asked: dict[str, Asked] = {}
        self.live: dict[str, Session] = {}
        self.refresh: dict[str, tuple[str, str]] = {}
        self.drawn = 0

    def app(self, api_key: str) -> App:
        """Return the app of a key. Raises `KiteError`."""
        found = self._apps.get(api_key)
        if found is None:
            raise bad_input("Invalid `api_key`." if api_key else "Missing `api_key`.")
        return found

    def log_in(self, api_key: str, user_id: str, now_ns: TsNs) -> str:
        """Let a user log in to an app; return the request token.

        Raises
        ------
        KiteError
            No such app, no such user, or the user is not enabled for the app.
        """
        app = self.app(api_key)
        if user_id not in self._users:
            raise KiteError(Kind.USER, f"Invalid `user_id`: the users here are {', '.join(self._users)}.")
        if app.users and user_id not in app.users:
            raise KiteError(Kind.PERMISSION, "The user is not enabled for the app.")
        token = self._draw("request")
        self.asked[token] = Asked(api_key, user_id, TsNs(now_ns + REQUEST_LIFE_NS))
        return token

    def exchange(self, form: Mapping[str, str], now_ns: TsNs) -> dict[str, object]:
        """Exchange a request token for a session, once. Raises `KiteError`."""
        app = self.app(text_of(form, "api_key"))
        token = text_of(form, "request_token")
        self._check(form, app, token)
        asked = self.asked.pop(token, None)
        if asked is None or asked.api_key != app.api_key or now_ns >= asked.until_ns:
            raise bad_token("Token is invalid or has expired.")
        session = self._begin(app, asked.user_id, now_ns)
        return {
            **profile(self._users[asked.user_id]),
            "api_key": app.api_key,
            "access_token": session.access_token,
            "public_token": self._draw("public"),
            "enctoken": "",
            "refresh_token": session.refresh_token,
            "silo": "",
            "login_time": stamp(now_ns),
        }

    def renew(self, form: Mapping[str, str], now_ns: TsNs) -> dict[str, object]:
        """Exchange a refresh token for a new session. Raises `KiteError`."""
        app = self.app(text_of(form, "api_key"))
        token = text_of(form, "refresh_token")
        self._check(form, app, token)
        owner = self.refresh.pop(token, None)
        if owner is None or owner[0] != app.api_key:
            raise bad_token("Token is invalid or has expired.")
        session = self._begin(app, owner[1], now_ns)
        return {
            "user_id": session.user_id,
            "access_token": session.access_token,
            "refresh_token": session.refresh_token,
        }

    def of_header(self, header: str, now_ns: TsNs) -> Session:
        """Return the session that an `Authorization` header names. Raises `KiteError`."""
        word, _, rest = header.partition(" ")
        api_key, colon, token = rest.strip().partition(":")
        if word.lower() != "token" or not api_key or not colon or not token:
            raise bad_input("Missing `api_key` or `access_token`.")
        return self.of_token(api_key, token, now_ns)

    def of_token(self, api_key: str, access_token: str, now_ns: TsNs) -> Session:
        """Return the live session of a key and a token. Raises `KiteError`."""
        session = self.live.get(access_token)
        if session is not None and now_ns >= session.until_ns:
            self.end(session, now_ns)
            session = None
        if session is None or session.api_key != api_key:
            raise bad_token()
        return session

    def log_out(self, query: Mapping[str, str], now_ns: TsNs) -> None:
        """End the session of an access token, or void a refresh token. Raises `KiteError`."""
        app = self.app(query.get("api_key", ""))
        if refresh := query.get("refresh_token", ""):
            if self.refresh.get(refresh, ("", ""))[0] != app.api_key:
                raise bad_token()
            del self.refresh[refresh]
            return
        self.end(self.of_token(app.api_key, query.get("access_token", ""), now_ns), now_ns)

    def end(self, session: Session, now_ns: TsNs) -> None:
        """End a session."""
        del self.live[session.access_token]
        self._ended(TokenEnded(session.api_key, session.user_id, session.access_token, now_ns))

    def end_all(self, now_ns: TsNs) -> int:
        """End every session, as a logout from all places would; return how many there were."""
        sessions = list(self.live.values())
        for session in sessions:
            self.end(session, now_ns)
        return len(sessions)

    def end_old(self, now_ns: TsNs) -> None:
        """End the sessions whose day is over, and forget request tokens that nobody exchanged."""
        for session in [one for one in self.live.values() if now_ns >= one.until_ns]:
            self.end(session, now_ns)
        self.asked = {token: asked for token, asked in self.asked.items() if now_ns < asked.until_ns}

    def _check(self, form: Mapping[str, str], app: App, token: str) -> None:
        wanted = hashlib.sha256(f"{app.api_key}{token}{app.api_secret}".encode()).hexdigest()
        if not hmac.compare_digest(wanted.encode(), form.get("checksum", "").encode()):
            raise bad_token("Invalid `checksum`.")

    def _begin(self, app: App, user_id: str, now_ns: TsNs) -> Session:
        """Begin a session; an earlier one of the same app and user ends."""
        for session in [one for one in self.live.values() if (one.api_key, one.user_id) == (app.api_key, user_id)]:
            self.end(session, now_ns)
        refresh = self._draw("refresh") if app.refreshes else ""
        session = Session(app.api_key, user_id, self._draw("access"), refresh, now_ns, ends_ns(now_ns))
        self.live[session.access_token] = session
        if refresh:
            self.refresh[refresh] = (app.api_key, user_id)
        return session

    def _draw(self, purpose: str) -> str:
        """Draw a token of 32 letters."""
        self.drawn += 1
        return hashlib.sha256(f"{self._seed} {purpose} {self.drawn}".encode()).hexdigest()[:32]


def ends_ns(login_ns: int) -> TsNs:
    """Return when a session ends that begins at a moment: at the next 06:00 IST."""
    day = day_of(login_ns)
    ends = at(day, DAY_STARTS)
    return ends if clock_ns(login_ns) < DAY_STARTS else TsNs(ends + DAY_NS)
