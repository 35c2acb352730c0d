"""One GET request over the network, with everything that makes it dependable behind it."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Reply(msgspec.Struct, frozen=True):
    """What a server answered: 200 with the body decompressed, or 404 with an empty one."""

    status: int
    body: bytes


class Downloads(Protocol):
    """Fetches; retries what may pass; waits as the server asks."""

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Return the reply to a GET. Raises `SourceError` for any status but 200 and 404, and when nothing answers."""
        ...
