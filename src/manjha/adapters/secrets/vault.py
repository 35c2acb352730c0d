"""What Vault keeps for us: secrets in its engine KV (version 2), the key of the sealed file in its engine Transit."""

import base64
import re
from typing import Any

from manjha.adapters.secrets.vault_link import VaultLink
from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.secret import Secret
from manjha.ports.secret_store import require_name

_PATH = re.compile(r"[\w-]+(?:/[\w-]+)*")
_FIELD = "value"
"""Each secret is an entry of its own with this one field, so that each has its own policy and versions."""


class VaultSecrets:
    """Implements `ports.secret_store.SecretStore` with KV v2: `kite.api_key` is the entry `PATH/kite.api_key`."""

    def __init__(self, link: VaultLink, mount: str, path: str) -> None:
        self._link, self._mount, self._path = link, _require_path(mount), _require_path(path)

    @property
    def name(self) -> str:
        """Return what people call it."""
        return f"Vault at {self._link.place.url}"

    def get(self, name: str) -> Secret | None:
        """Return a secret in its newest version; one whose newest version was deleted is none."""
        path = self._entry(name)

        def read(client: Any) -> Secret:
            kv = client.secrets.kv.v2
            found = kv.read_secret_version(path=path, mount_point=self._mount, raise_on_deleted_version=True)
            value = found["data"]["data"][_FIELD]
            if not isinstance(value, str):
                raise SettingsError(f"{name} in Vault is no text", hint=f"Its field {_FIELD} must be one.")
            return Secret(value)

        found: Secret | None = self._link.ask(read, f"read {self._mount}/data/{path}")
        return found

    def put(self, name: str, value: Secret) -> None:
        """Keep a secret as a new version; Vault keeps some of those before, by its own setting."""
        if not value:
            raise UsageError(f"{require_name(name)} needs a value", hint="Nothing was changed.")
        path = self._entry(name)

        def write(client: Any) -> bool:
            kv = client.secrets.kv.v2
            kv.create_or_update_secret(path=path, secret={_FIELD: value.reveal()}, mount_point=self._mount)
            return True

        if self._link.ask(write, f"write {self._mount}/data/{path}") is None:
            raise SettingsError(f"Vault has no KV engine at {self._mount}", hint="Correct secrets.vault_mount.")

    def delete(self, name: str) -> bool:
        """Forget a secret in all its versions."""
        if self.get(name) is None:
            return False
        path = self._entry(name)

        def forget(client: Any) -> bool:
            client.secrets.kv.v2.delete_metadata_and_all_versions(path=path, mount_point=self._mount)
            return True

        return bool(self._link.ask(forget, f"delete {self._mount}/metadata/{path}"))

    def names(self) -> list[str]:
        """Return the names."""

        def listed(client: Any) -> list[str]:
            found = client.secrets.kv.v2.list_secrets(path=self._path, mount_point=self._mount)
            return sorted(str(key) for key in found["data"]["keys"] if not str(key).endswith("/"))

        return self._link.ask(listed, f"list {self._mount}/metadata/{self._path}") or []

    def _entry(self, name: str) -> str:
        return f"{self._path}/{require_name(name)}"


class TransitKey:
    """Implements `ports.secret_store.KeyWrap` with a key that never leaves Vault."""

    def __init__(self, link: VaultLink, mount: str, key: str) -> None:
        self._link, self._mount, self._key = link, _require_path(mount), _require_path(key)

    @property
    def name(self) -> str:
        """Return what people call it."""
        return f"Vault's key {self._mount}/{self._key}"

    def wrap(self, key: bytes) -> str:
        """Return the key sealed with the newest version of Vault's."""
        plain = base64.b64encode(key).decode()

        def encrypt(client: Any) -> str:
            asked = client.secrets.transit.encrypt_data(name=self._key, plaintext=plain, mount_point=self._mount)
            return str(asked["data"]["ciphertext"])

        return self._there(self._link.ask(encrypt, f"encrypt with {self._mount}/{self._key}"))

    def unwrap(self, wrapped: str) -> bytes:
        """Return what any version of the key that Vault still lets decrypt has sealed."""

        def decrypt(client: Any) -> str:
            asked = client.secrets.transit.decrypt_data(name=self._key, ciphertext=wrapped, mount_point=self._mount)
            return str(asked["data"]["plaintext"])

        return base64.b64decode(self._there(self._link.ask(decrypt, f"decrypt with {self._mount}/{self._key}")))

    def turn(self) -> None:
        """Let Vault make a new version of the key; it still opens what those before have sealed."""

        def rotate(client: Any) -> str:
            client.secrets.transit.rotate_key(name=self._key, mount_point=self._mount)
            return self._key

        self._there(self._link.ask(rotate, f"rotate {self._mount}/{self._key}"))

    def _there(self, found: Any) -> str:
        if found is None:
            raise SettingsError(
                f"Vault has no key {self._mount}/{self._key}",
                hint=f"Make it: vault write -f {self._mount}/keys/{self._key}",
            )
        return str(found)


def _require_path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise SettingsError(f"{path!r} is no path in Vault", hint="Letters, digits, _ and -, in parts joined by /.")
    return path
