"""Today's login at Kite: where its secrets are, how it is made, kept, taken up by whoever trades, and ended."""

import os
from collections.abc import Callable, Mapping

import msgspec

from manjha.adapters.files.durable import exclusive, write_private
from manjha.adapters.kite.account import profile_of
from manjha.adapters.kite.login import AppKeys, Session, ended, exchanged
from manjha.adapters.kite.transport import Transport
from manjha.adapters.secrets.chained import ChainedSecrets
from manjha.adapters.secrets.environment import EnvironmentSecrets
from manjha.adapters.secrets.sealed import SealedFile
from manjha.app.settings import Settings
from manjha.domain.errors import SettingsError, SourceError, UsageError
from manjha.domain.moments import TsNs, format_ts
from manjha.ports.secret_store import SecretStore

API_KEY, API_SECRET, LOGIN = "kite.api_key", "kite.api_secret", "kite.access_token"
"""The names of the secrets."""
SEAL_KEY = "MANJHA_SEAL_KEY"
"""The variable with the key of the sealed file; it is stored nowhere by us, least of all beside the file."""
FILE = "secrets.sealed"
LOOK_AGAIN_NS = 1_000_000_000
"""How long a login that was read is believed before the store is asked again: a new one is taken up within it."""


class SavedLogin(msgspec.Struct, frozen=True):
    """A login as it is kept: one value, so that a token is never found with another's user or end.

    `expires_ns` is when it ends at the latest, 0 where nobody knows; `user_id` is empty where nobody knows it.
    """

    user_id: str
    access_token: str
    expires_ns: TsNs
    user_name: str = ""

    def __repr__(self) -> str:
        return f"SavedLogin(user_id={self.user_id!r}, …)"

    def is_over(self, now_ns: int) -> bool:
        """Tell whether it has ended for certain."""
        return bool(self.expires_ns) and now_ns >= self.expires_ns


def secret_store(settings: Settings, environment: Mapping[str, str] | None = None) -> SecretStore:
    """Return where secrets are: the environment, then the sealed file where its key is known.

    Raises
    ------
    SettingsError
        MANJHA_SEAL_KEY is no key.
    """
    variables = os.environ if environment is None else environment
    stores: list[SecretStore] = [EnvironmentSecrets(variables)]
    key = variables.get(SEAL_KEY, "")
    if key:
        stores.append(SealedFile(settings.home / FILE, (key,), write_private, exclusive))
    return ChainedSecrets(stores)


def require_seal(environment: Mapping[str, str] | None = None) -> None:
    """Raise `SettingsError`, with what to do, where nothing can be kept."""
    variables = os.environ if environment is None else environment
    if not variables.get(SEAL_KEY, ""):
        raise SettingsError(
            f"a login is kept sealed, and {SEAL_KEY}, its key, is not set",
            hint=f'Make one: export {SEAL_KEY}="$(manjha login --new-seal-key)"; keep it where your passwords are, '
            "never in MANJHA_HOME. Then the same command again: nothing was lost.",
        )


def app_keys(store: SecretStore) -> AppKeys:
    """Return the app's key and secret. Raises `SettingsError` naming what is missing."""
    found = {name: store.get(name) or "" for name in (API_KEY, API_SECRET)}
    missing = [name for name, value in found.items() if not value]
    if missing:
        variables = " and ".join(f"MANJHA_{name.upper().replace('.', '_')}" for name in missing)
        raise SettingsError(
            f"your app's {' and '.join(missing)} are not known",
            hint=f"Set {variables}, or let `manjha login` ask on a terminal; developers.kite.trade shows both.",
        )
    return AppKeys(found[API_KEY], found[API_SECRET])


def saved_login(store: SecretStore) -> SavedLogin | None:
    """Return the login that is kept; a bare token of the environment is one of which only the token is known."""
    text = store.get(LOGIN)
    if text is None:
        return None
    if not text.startswith("{"):
        return SavedLogin("", text, TsNs(0))
    try:
        return msgspec.json.decode(text, type=SavedLogin)
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
        seen = await profile_of(transport, keys.key, session.access_token)
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
    store.put(LOGIN, msgspec.json.encode(saved).decode())
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
        return login, await ended(transport, store.get(API_KEY) or "", login.access_token)
    finally:
        await transport.close()


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
        self.key = store.get(API_KEY) or ""

    def login(self) -> SavedLogin | None:
        """Return the login, None where there is none. What cannot be read leaves the one before in force."""
        now = self._mono_ns()
        if self._read_ns is None or now - self._read_ns > LOOK_AGAIN_NS:
            try:
                self._login = saved_login(self._store)
            except SettingsError:
                if self._read_ns is None:
                    raise
            self._read_ns = now
        return self._login

    def token(self) -> str:
        """Return today's access token; empty where there is none, or it is over."""
        login = self.login()
        return "" if login is None or login.is_over(self._now_ns()) else login.access_token

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
