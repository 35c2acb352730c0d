"""Today's login at Kite: how it is made, kept, taken up by whoever trades, and ended."""

from collections.abc import Callable

import msgspec

from manjha.adapters.kite.account import profile_of
from manjha.adapters.kite.login import AppKeys, Session, ended, exchanged
from manjha.adapters.kite.transport import Transport
from manjha.domain.errors import SettingsError, SourceError, UsageError
from manjha.domain.moments import TsNs, format_ts
from manjha.domain.secret import Secret
from manjha.ports.secret_store import SecretStore

API_KEY, API_SECRET, LOGIN = "kite.api_key", "kite.api_secret", "kite.access_token"
"""The names of the secrets."""
LOOK_AGAIN_NS = 1_000_000_000
"""How long a login that was read is believed before the store is asked again: a new one is taken up within it."""


class SavedLogin(msgspec.Struct, frozen=True):
    """A login as it is kept: one value, so that a token is never found with another's user or end.

    `expires_ns` is when it ends at the latest, 0 where nobody knows; `user_id` is empty where nobody knows it.
    """

    user_id: str
    access_token: Secret
    expires_ns: TsNs
    user_name: str = ""

    def __repr__(self) -> str:
        return f"SavedLogin(user_id={self.user_id!r}, …)"

    def is_over(self, now_ns: int) -> bool:
        """Tell whether it has ended for certain."""
        return bool(self.expires_ns) and now_ns >= self.expires_ns


def app_keys(store: SecretStore) -> AppKeys:
    """Return the app's key and secret. Raises `SettingsError` naming what is missing."""
    key, secret = store.get(API_KEY), store.get(API_SECRET)
    missing = [name for name, value in ((API_KEY, key), (API_SECRET, secret)) if value is None]
    if key is None or secret is None:
        variables = " and ".join(f"MANJHA_{name.upper().replace('.', '_')}" for name in missing)
        raise SettingsError(
            f"your app's {' and '.join(missing)} are not known",
            hint=f"Set {variables}, or let `manjha login` ask on a terminal; developers.kite.trade shows both.",
        )
    return AppKeys(key.reveal(), secret)


def saved_login(store: SecretStore) -> SavedLogin | None:
    """Return the login that is kept; a bare token of the environment is one of which only the token is known."""
    found = store.get(LOGIN)
    if found is None:
        return None
    if not found.reveal().startswith("{"):
        return SavedLogin("", found, TsNs(0))
    try:
        return msgspec.json.decode(found.reveal(), type=SavedLogin, dec_hook=lambda _type, text: Secret(str(text)))
    except msgspec.MsgspecError:
        raise SettingsError("the login that is kept cannot be read", hint="Run `manjha login` again.") from None


async def log_in(url: str, keys: AppKeys, request_token: str, now_ns: TsNs) -> Session:
    """Exchange what the browser brought, and see that Kite knows whom it has let in.

    Raises
    ------
    SourceError
        Kite gives no session, or says afterwards that it is another's.
    """
    transport = Transport(url)
    try:
        session = await exchanged(transport, keys, request_token, now_ns)
        seen = await profile_of(transport, keys.key, session.access_token.reveal())
    finally:
        await transport.close()
    if seen.user_id != session.user_id:
        raise SourceError(
            f"the session is for {session.user_id}, but Kite shows the profile of {seen.user_id}",
            hint="Nothing was kept. Log out of Kite in the browser, then run `manjha login` again.",
        )
    return session


def keep(store: SecretStore, session: Session) -> SavedLogin:
    """Keep a session, in place of the one before. Raises as the store."""
    saved = SavedLogin(session.user_id, session.access_token, session.expires_ns, session.user_name)
    # The one place where a login becomes text; it goes into the store.
    text = msgspec.json.encode(saved, enc_hook=lambda secret: secret.reveal()).decode()
    store.put(LOGIN, Secret(text))
    return saved


async def log_out(url: str, store: SecretStore) -> tuple[SavedLogin, bool]:
    """Forget the login that is kept and end it at Kite; return it, and whether Kite took that.

    It is forgotten first: whatever Kite answers, nothing here goes on with it. Raises `UsageError` where there is none.
    """
    login = saved_login(store)
    if login is None:
        raise UsageError("nobody is logged in", hint="`manjha login` logs in.")
    store.delete(LOGIN)
    transport = Transport(url)
    try:
        return login, await ended(transport, revealed(store.get(API_KEY)), login.access_token.reveal())
    finally:
        await transport.close()


def revealed(found: Secret | None) -> str:
    """Return a secret's value; empty where there is none."""
    return "" if found is None else found.reveal()


class LoginNow:
    """The login as it is now: read anew after a while, so that a new one needs no restart of who trades.

    Parameters
    ----------
    now_ns
        The time of day by which a login ends.
    mono_ns
        A clock that never jumps, for how long an answer is believed.
    """

    def __init__(self, store: SecretStore, now_ns: Callable[[], TsNs], mono_ns: Callable[[], int]) -> None:
        self._store, self._now_ns, self._mono_ns = store, now_ns, mono_ns
        self._login: SavedLogin | None = None
        self._read_ns: int | None = None
        self.key = revealed(store.get(API_KEY))

    def login(self) -> SavedLogin | None:
        """Return the login, None where there is none. What cannot be read leaves the one before in force."""
        now = self._mono_ns()
        if self._read_ns is None or now - self._read_ns > LOOK_AGAIN_NS:
            try:
                self._login = saved_login(self._store)
            except (SettingsError, SourceError):
                if self._read_ns is None:
                    raise
            self._read_ns = now
        return self._login

    def token(self) -> str:
        """Return today's access token; empty where there is none, or it is over."""
        login = self.login()
        return "" if login is None or login.is_over(self._now_ns()) else login.access_token.reveal()

    def why_not(self) -> str:
        """Say why nothing can be asked of Kite; empty where a login holds as far as is known here."""
        login = self.login()
        if login is None:
            return "nobody is logged in at Kite"
        if login.is_over(self._now_ns()):
            return f"the login at Kite ended at {format_ts(login.expires_ns)[:16].replace('T', ' ')}"
        return ""

    def credentials(self) -> tuple[str, str]:
        """Return the app's key and today's token, for the ticker."""
        return self.key, self.token()
