"""Where secrets are: environment, keyring, Vault, sealed file, as the settings say; how the seal's key is changed."""

import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from manjha.adapters.files.durable import exclusive, write_private
from manjha.adapters.secrets.chained import ChainedSecrets
from manjha.adapters.secrets.environment import EnvironmentSecrets
from manjha.adapters.secrets.os_keyring import OsKeyring
from manjha.adapters.secrets.remembered import Memory, RememberedKeys, RememberedSecrets
from manjha.adapters.secrets.sealed import Disk, LocalKeys, SealedFile, new_key
from manjha.adapters.secrets.vault import TransitKey, VaultSecrets
from manjha.adapters.secrets.vault_link import VaultLink, VaultPlace
from manjha.app.settings import Settings
from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.moments import HOUR_NS, SECOND_NS
from manjha.domain.secret import Secret
from manjha.ports.secret_store import KeyWrap, SecretStore

SEAL_KEY = "MANJHA_SEAL_KEY"
"""The variable with the key of the sealed file; it is stored nowhere by us, least of all beside the file."""
SEAL_NAME = "seal.key"
"""The name of that key in the keyring."""
FILE = "secrets.sealed"
KEYS_MAX = 4
"""How many keys of the seal may be known at once: the newest, and those that are being left."""
_LINKS: dict[tuple[VaultPlace, int], VaultLink] = {}
"""A login at Vault is shared by the process: a wrapped secret_id opens only once. By place and environment."""


class Stores(NamedTuple):
    """The stores that the settings name, None where one is not used; `chain` asks all of them in this order."""

    environment: EnvironmentSecrets
    keyring: SecretStore | None
    vault: SecretStore | None
    file: SealedFile | None

    @property
    def chain(self) -> ChainedSecrets:
        """Return all of them as one."""
        return ChainedSecrets([store for store in self if store is not None])

    @property
    def last(self) -> SecretStore:
        """Return where a secret goes whose place is not named."""
        return [store for store in self if store is not None][-1]

    def named(self, place: str) -> SecretStore:
        """Return one by the word of `--in`. Raises `UsageError` where it is none, or not used."""
        if place not in ("keyring", "vault", "file"):
            raise UsageError(f"{place!r} is no store of secrets", hint="Known are keyring, vault and file.")
        found: SecretStore | None = getattr(self, place)
        if found is None:
            raise UsageError(f"{place} is not used", hint=_USED[place])
        return found


_USED = {
    "keyring": "Set secrets.keyring to true.",
    "vault": "Set secrets.vault_url.",
    "file": f"Set {SEAL_KEY}, or secrets.seal to keyring or vault.",
}


def secret_store(settings: Settings, environment: Mapping[str, str] | None = None) -> SecretStore:
    """Return where secrets are, one store after the other; what is put goes into the last.

    Raises
    ------
    SettingsError
        The settings of Vault are none, or Vault is to keep the seal's key and has no address.
    """
    return stores(settings, environment).chain


def stores(settings: Settings, environment: Mapping[str, str] | None = None) -> Stores:
    """Return the stores that the settings name. Raises as `secret_store`."""
    variables = os.environ if environment is None else environment
    brought, asked = EnvironmentSecrets(variables), settings.secrets
    keyring = RememberedSecrets(OsKeyring(settings.home, exclusive), _memory(settings)) if asked.keyring else None
    vault: SecretStore | None = None
    if asked.vault_url:
        link = _link(settings, variables, keyring)
        vault = RememberedSecrets(VaultSecrets(link, asked.vault_mount, asked.vault_path), _memory(settings))
    wrap = _wrap(settings, variables, keyring)
    return Stores(brought, keyring, vault, None if wrap is None else _file(settings, wrap))


def require_seal(settings: Settings, environment: Mapping[str, str] | None = None) -> None:
    """Raise `SettingsError`, with what to do, where nothing can be kept."""
    if isinstance(stores(settings, environment).last, EnvironmentSecrets):
        raise SettingsError(
            f"a login is kept sealed, and {SEAL_KEY}, its key, is not set",
            hint=f'Make one: export {SEAL_KEY}="$(manjha login --new-seal-key)"; keep it where your passwords are, '
            "never in MANJHA_HOME. Then the same command again: nothing was lost.",
        )


class Rotated(NamedTuple):
    """How many secrets were sealed anew; the new key where a person must keep it, None where a keeper does."""

    secrets: int
    key: Secret | None
    keeper: str


def rotate(
    settings: Settings, overlap_hours: int, show: Callable[[Secret], None], environment: Mapping[str, str] | None = None
) -> Rotated:
    """Make a new key of the seal and seal everything with it; the key before opens the file for `overlap_hours` more.

    `show` gives a new key to the person who must keep it, before the key before is let go of. Stopped at any moment,
    the key before still opens the file. Raises `UsageError` where there is no sealed file, else as the stores.
    """
    variables = os.environ if environment is None else environment
    found = stores(settings, variables)
    if found.file is None:
        raise UsageError("there is no sealed file whose key could be changed", hint=_USED["file"])
    # Without an overlap, the key before is let go of only when the new one is surely kept.
    overlap_ns = max(overlap_hours, 1) * HOUR_NS
    if settings.secrets.seal == "vault":
        key = _transit(settings, variables, found.keyring)
        key.turn()
        return Rotated(found.file.rotate(key, 0), None, key.name)
    fresh = Secret(new_key())
    if settings.secrets.seal == "keyring":
        return _rotated_in_keyring(settings, found, fresh, overlap_hours)
    count = found.file.rotate(LocalKeys(lambda: (fresh,), SEAL_KEY), overlap_ns)
    show(fresh)
    if not overlap_hours:
        found.file.retire()
    return Rotated(count, fresh, SEAL_KEY)


def _rotated_in_keyring(settings: Settings, found: Stores, fresh: Secret, overlap_hours: int) -> Rotated:
    keyring = found.named("keyring")
    before = _seal_keys(keyring)
    old = _file(settings, LocalKeys(lambda: before, "the keyring"))
    # Both are in the keyring before the file changes: whichever of them it needs is there.
    keyring.put(SEAL_NAME, _joined((fresh, *before)))
    count = old.rotate(LocalKeys(lambda: (fresh,), "the keyring"), max(overlap_hours, 1) * HOUR_NS)
    if not overlap_hours:
        old.retire()
        keyring.put(SEAL_NAME, fresh)
    return Rotated(count, None, keyring.name)


def _wrap(settings: Settings, variables: Mapping[str, str], keyring: SecretStore | None) -> KeyWrap | None:
    """Return who keeps the seal's key; None where nobody does."""
    match settings.secrets.seal:
        case "vault":
            return RememberedKeys(_transit(settings, variables, keyring), _memory(settings))
        case "keyring":
            if keyring is None:
                raise SettingsError("secrets.seal is keyring, but none is used", hint=_USED["keyring"])
            return LocalKeys(lambda: _made(keyring), keyring.name)
        case _:
            keys = keys_of(variables.get(SEAL_KEY, ""))
            return LocalKeys(lambda: keys, SEAL_KEY) if keys else None


def keys_of(text: str) -> tuple[Secret, ...]:
    """Return the seal's keys, the newest first: several are separated by blanks or commas."""
    return tuple(Secret(key) for key in text.replace(",", " ").split()[:KEYS_MAX])


def _seal_keys(keyring: SecretStore) -> tuple[Secret, ...]:
    found = keyring.get(SEAL_NAME)
    return () if found is None else keys_of(found.reveal())


def _made(keyring: SecretStore) -> tuple[Secret, ...]:
    """Return the keys in the keyring; the first is made when it is first needed."""
    keys = _seal_keys(keyring)
    if not keys:
        keys = (Secret(new_key()),)
        keyring.put(SEAL_NAME, keys[0])
    return keys


def _joined(keys: tuple[Secret, ...]) -> Secret:
    return Secret(" ".join(key.reveal() for key in keys[:KEYS_MAX]))


def _transit(settings: Settings, variables: Mapping[str, str], keyring: SecretStore | None) -> TransitKey:
    asked = settings.secrets
    return TransitKey(_link(settings, variables, keyring), asked.vault_transit_mount, asked.vault_transit_key)


def _link(settings: Settings, variables: Mapping[str, str], keyring: SecretStore | None) -> VaultLink:
    asked = settings.secrets
    if not asked.vault_url:
        raise SettingsError("secrets.seal is vault, and Vault's address is not known", hint=_USED["vault"])
    place = VaultPlace(
        asked.vault_url, asked.vault_auth, asked.vault_namespace or "", asked.vault_ca or "", asked.vault_timeout_s
    )
    before: list[SecretStore] = [EnvironmentSecrets(variables)]
    opens = ChainedSecrets(before if keyring is None else [*before, keyring])
    return _LINKS.setdefault((place, id(variables)), VaultLink(place, opens.get, time.monotonic_ns))


def _file(settings: Settings, wrap: KeyWrap) -> SealedFile:
    return SealedFile(settings.home / FILE, wrap, Disk(write_private, exclusive, time.time_ns))


def _memory(settings: Settings) -> Memory:
    return Memory(settings.secrets.outage_s * SECOND_NS, time.monotonic_ns)
