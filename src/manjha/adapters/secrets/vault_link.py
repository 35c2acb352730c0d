"""A way to HashiCorp Vault: log in (AppRole or a token), renew, say what it answers in our words. By the library hvac.

The interface is Vault's HTTP API: auth/approle/login, auth/token/lookup-self and renew-self, sys/wrapping/lookup and
unwrap. Its errors are 400 for a request it does not understand, 403 for what it does not allow, 404 for what is not
there, 503 while it is sealed.
"""

import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from manjha.domain.errors import SettingsError, SourceError
from manjha.domain.secret import Secret

TOKEN, ROLE_ID = "vault.token", "vault.role_id"
SECRET_ID, WRAPPED_SECRET_ID = "vault.secret_id", "vault.wrapped_secret_id"
"""The names of the secrets that open Vault; they are looked for in the stores before it."""
TTL_MAX_S = 3_600
"""How long a token may live without being renewed: a stolen one is worth that much."""
_LATER = "What was read before is used for a while (secrets.outage_s)."
_NOBODY = ""
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError)

Credentials = Callable[[str], Secret | None]


class VaultPlace(NamedTuple):
    """Where Vault is and how one logs in: `auth` is approle or token, `ca` a file of certificates, empty for none."""

    url: str
    auth: str = "approle"
    namespace: str = ""
    ca: str = ""
    timeout_s: int = 5


class _Lease(NamedTuple):
    begun_ns: int
    ttl_s: int
    can_renew: bool

    def is_over(self, now_ns: int) -> bool:
        return now_ns - self.begun_ns >= self.ttl_s * 1_000_000_000

    def is_due(self, now_ns: int) -> bool:
        """Tell whether two thirds have passed: a renewal that fails may then be tried again."""
        return 3 * (now_ns - self.begun_ns) >= 2 * self.ttl_s * 1_000_000_000


class VaultLink:
    """One login, shared by whoever asks in this process; it is renewed, and made anew when Vault ends it.

    Parameters
    ----------
    credentials
        Gives a secret by name from the stores before Vault. Asked at each login, so that a new one needs no restart.
    mono_ns
        A clock that never jumps, for how long a login lives.

    Raises
    ------
    SettingsError
        The address is none, or one of another machine without TLS.
    """

    def __init__(self, place: VaultPlace, credentials: Credentials, mono_ns: Callable[[], int]) -> None:
        self.place = place
        self._credentials, self._mono_ns = credentials, mono_ns
        self._lock = threading.Lock()
        self._client: Any = None
        self._lease: _Lease | None = None
        self._unwrapped: Secret | None = None
        _require_tls(place.url)

    def ask(self, call: Callable[[Any], Any], what: str) -> Any:
        """Return what a call of a client of hvac gives; None where Vault knows nothing of that path.

        Raises
        ------
        SettingsError
            Vault does not let us in, or does not allow this, after a new login too. `what` says what was asked.
        SourceError
            It is sealed, does not answer in time, or answers what cannot be read.
        """
        with self._lock:
            return self._said(lambda: self._allowed(call), what)

    def _allowed(self, call: Callable[[Any], Any]) -> Any:
        from hvac.exceptions import Forbidden

        client = self._logged_in()
        try:
            return call(client)
        except Forbidden:
            # A token that was revoked looks like one that may not: only a new login tells.
            self._lease = None
            return call(self._logged_in())

    def _said(self, call: Callable[[], Any], what: str) -> Any:
        from hvac import exceptions

        try:
            return call()
        except exceptions.InvalidPath:
            return None
        except (exceptions.Forbidden, exceptions.Unauthorized):
            raise SettingsError(
                f"Vault does not allow to {what}", hint="docs/secrets.md has the policy that it needs."
            ) from None
        except (exceptions.InvalidRequest, exceptions.ParamValidationError):
            raise SettingsError(
                f"Vault does not accept the request to {what}", hint="Check secrets.vault_mount and the names."
            ) from None
        except exceptions.VaultDown:
            raise SourceError("Vault is sealed or stands by", hint=f"Unseal it. {_LATER}") from None
        except exceptions.VaultError as error:
            raise SourceError(f"Vault answers with {type(error).__name__}", hint=f"Look at it. {_LATER}") from None
        except OSError as error:
            # All that requests raises; its words hold addresses, which are nobody's business.
            raise _unreached(error, self.place) from None
        except _UNREADABLE:
            raise SourceError(
                "Vault answers what cannot be read", hint=f"Is secrets.vault_url Vault's? {_LATER}"
            ) from None

    def _logged_in(self) -> Any:
        now = self._mono_ns()
        if self._client is None:
            self._client = self._new_client()
        if self._lease is not None and self._lease.can_renew and self._lease.is_due(now):
            self._renew(now)
        if self._lease is None or self._lease.is_over(now):
            self._lease = None
            self._lease = self._token_login(now) if self.place.auth == "token" else self._approle_login(now)
        return self._client

    def _new_client(self) -> Any:
        try:
            import hvac
        except ImportError:
            raise SettingsError(
                "secrets.vault_url is set, but hvac is not installed", hint="Install it: pip install 'manjha[secrets]'."
            ) from None
        place = self.place
        client = hvac.Client(
            url=place.url, token=_NOBODY, verify=place.ca or True, timeout=place.timeout_s, allow_redirects=False,
            namespace=place.namespace or None,
        )  # fmt: skip
        # No proxy, .netrc or bundle of certificates that a variable names: only what the settings say.
        client.session.trust_env = False
        return client

    def _renew(self, now: int) -> None:
        from hvac.exceptions import VaultError

        try:
            self._lease = _lease_of(self._client.auth.token.renew_self()["auth"], now)
        except (VaultError, OSError, SettingsError, *_UNREADABLE):
            # It lives on to its end; then, or when Vault refuses it, a new login is made.
            return

    def _token_login(self, now: int) -> _Lease:
        self._client.token = self._needed(TOKEN).reveal()
        found = self._client.auth.token.lookup_self()["data"]
        if "root" in found.get("policies", ()):
            raise SettingsError(
                "the token for Vault is a root token, which may do everything", hint="Make one with the policy alone."
            )
        return _lease_of({"lease_duration": found["ttl"], "renewable": found.get("renewable", False)}, now)

    def _approle_login(self, now: int) -> _Lease:
        from hvac.exceptions import InvalidRequest

        role, secret = self._needed(ROLE_ID), self._secret_id()
        self._client.token = _NOBODY
        try:
            answered = self._client.auth.approle.login(role.reveal(), secret.reveal(), use_token=False)["auth"]
        except InvalidRequest:
            raise SettingsError(
                "Vault does not know this role_id and secret_id",
                hint="It may be used up or over: issue a new secret_id.",
            ) from None
        self._client.token = answered["client_token"]
        return _lease_of(answered, now)

    def _secret_id(self) -> Secret:
        """Return the secret_id; a wrapped one is opened once and kept in memory, as its wrapping opens only once."""
        if self._unwrapped is not None:
            return self._unwrapped
        wrapped = self._credentials(WRAPPED_SECRET_ID)
        if wrapped is None:
            return self._needed(SECRET_ID)
        self._unwrapped = self._opened(wrapped)
        return self._unwrapped

    def _opened(self, wrapped: Secret) -> Secret:
        from hvac.exceptions import Forbidden, InvalidRequest

        stolen = SettingsError(
            "ALARM: the wrapped secret_id was opened before, is over, or is not from this role",
            hint="Unless you opened it yourself, take the secret_id for stolen: destroy it in Vault, look in the audit "
            "log who opened it, then issue a new one.",
        )
        self._client.token = _NOBODY
        try:
            origin = self._client.adapter.post("/v1/sys/wrapping/lookup", json={"token": wrapped.reveal()})["data"]
            if not str(origin["creation_path"]).startswith("auth/approle/role/"):
                raise stolen
            self._client.token = wrapped.reveal()
            return Secret(self._client.sys.unwrap()["data"]["secret_id"])
        except (InvalidRequest, Forbidden):
            raise stolen from None
        finally:
            self._client.token = _NOBODY

    def _needed(self, name: str) -> Secret:
        found = self._credentials(name)
        if found is None:
            variable = "MANJHA_" + name.upper().replace(".", "_")
            raise SettingsError(
                f"Vault needs {name}, which is not known", hint=f"Set {variable}, or keep it in the keyring."
            )
        return found


def _lease_of(answered: dict[str, Any], now: int) -> _Lease:
    ttl = int(answered["lease_duration"])
    if not 0 < ttl <= TTL_MAX_S:
        lives = f"{ttl:,} s" if ttl else "without end"
        raise SettingsError(
            f"Vault's token lives {lives}, at most {TTL_MAX_S:,} s are allowed",
            hint="Set token_ttl=1h, or a period of it.",
        )
    return _Lease(now, ttl, bool(answered.get("renewable")))


def _unreached(error: OSError, place: VaultPlace) -> SourceError:
    if "SSLError" in type(error).__name__:
        return SourceError(
            f"the certificate of {urlsplit(place.url).netloc} is not one to trust, so nothing was sent",
            hint=f"Set secrets.vault_ca to its authority's file. {_LATER}",
        )
    return SourceError(
        f"Vault at {urlsplit(place.url).netloc} does not answer ({type(error).__name__})",
        hint=f"Is it running, and can it be reached? {_LATER}",
    )


def _require_tls(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise SettingsError("secrets.vault_url is no address of a Vault", hint="Like https://vault.example.com:8200.")
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise SettingsError(
            f"secrets.vault_url sends secrets to {parts.hostname} for all to read", hint="Begin it with https://."
        )


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
