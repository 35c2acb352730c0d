"""From where the API may be reached: this machine, or others by TLS or through a proxy that was declared."""

from pathlib import Path

import msgspec

from manjha.domain.errors import SettingsError
from manjha.services.identity.addresses import Network, is_loopback, read_networks


class Reach(msgspec.Struct, frozen=True):
    """Where it listens, with which certificate, and which proxies stand before it."""

    host: str
    certificate: Path | None = None
    key: Path | None = None
    proxies: tuple[Network, ...] = ()

    @property
    def scheme(self) -> str:
        """How it is asked."""
        return "http" if self.certificate is None else "https"


def reach_of(host: str, certificate: Path | None, key: Path | None, proxies: tuple[str, ...]) -> Reach:
    """Return from where the API may be reached.

    Raises
    ------
    SettingsError
        Others than this machine could reach it, and tokens would go over the wire in the open.
    """
    if (certificate is None) is not (key is None):
        raise SettingsError("--tls-cert and --tls-key go together", hint="Give both files, or none.")
    for file in (certificate, key):
        if file is not None and not file.is_file():
            raise SettingsError(f"there is no file {file}", hint="Give the certificate and its key as PEM files.")
    declared = read_networks(proxies, "--proxy")
    if not is_loopback(host) and certificate is None and not declared:
        raise SettingsError(
            f"on {host} others than this machine could reach the API, and tokens would be sent in the open",
            hint="Give --tls-cert and --tls-key, or name the proxy that does TLS, like --proxy 10.0.0.2; or stay here.",
        )
    return Reach(host, certificate, key, declared)
