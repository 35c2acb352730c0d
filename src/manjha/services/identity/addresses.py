"""Who is at the other end: the address of a client, whatever stands between, and networks that one may come from."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from manjha.domain.errors import UsageError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_HOUSE_V6 = 64
"""Bits of an IPv6 address that a house has; whoever lives there has all the rest."""
_HOPS_MAX = 32


def client_address(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """Return the address of a client.

    Parameters
    ----------
    peer
        Who holds the other end of the connection.
    forwarded
        The values of every header X-Forwarded-For, in the order in which they came. They count only as far as they
        were written by a proxy of ours: from the right, up to the first address that is none.
    proxies
        The networks of the proxies that were declared.
    """
    at = _read(peer)
    if at is None or not _within(at, proxies):
        return str(at) if at else ""
    hops = [hop.strip() for value in forwarded for hop in value.split(",")]
    for hop in reversed(hops[-_HOPS_MAX:]):
        found = _read(hop)
        if found is None:
            break
        at = found
        if not _within(at, proxies):
            break
    return str(at)


def is_proxy(peer: str, proxies: Sequence[Network]) -> bool:
    """Tell whether a peer is a proxy that was declared."""
    at = _read(peer)
    return at is not None and _within(at, proxies)


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on is reached from this machine only."""
    at = _read(host)
    return host == "localhost" or (at is not None and at.is_loopback)


def house_of(address: str) -> str:
    """Return what counts as one place: an IPv4 address, or the network of an IPv6 house."""
    at = _read(address)
    if isinstance(at, IPv6Address):
        return str(ip_network((at, _HOUSE_V6), strict=False))
    return str(at) if at else "unknown"


def lies_in(address: str, networks: tuple[str, ...]) -> bool:
    """Tell whether an address is within one of some networks; any is where none are named."""
    at = _read(address)
    return not networks or (at is not None and _within(at, _networks(networks)))


def read_networks(texts: Iterable[str], what: str) -> tuple[Network, ...]:
    """Read networks, like 10.0.0.0/8, or single addresses. Raises `UsageError` naming what they are for."""
    found = []
    for text in texts:
        try:
            found.append(ip_network(text.strip(), strict=False))
        except ValueError:
            raise UsageError(
                f"{what} expects addresses or networks like 10.0.0.0/8, was {text!r}", hint="Correct it there."
            ) from None
    return tuple(found)


@lru_cache(maxsize=256)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return read_networks(texts, "the addresses of a token")


def _within(at: Address, networks: Sequence[Network]) -> bool:
    return any(at.version == network.version and at in network for network in networks)


@lru_cache(maxsize=1024)
def _read(text: str) -> Address | None:
    """Read an address. One of IPv4 in the clothes of IPv6 is one of IPv4; a zone is left out."""
    try:
        at = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return (at.ipv4_mapped or at) if isinstance(at, IPv6Address) else at
