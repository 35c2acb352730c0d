"""One GET request over the network, with everything that makes it dependable behind it."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Reply(msgspec.Struct, frozen=True):
    """What a server answered for good: 200 with the whole body, decompressed, or a status of 4xx and what it says."""

    status: int
    body: bytes


class Downloads(Protocol):
    """Fetches; keeps a pace; retries what may pass; waits as the server asks."""

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Return the reply to a GET.

        Raises `SourceError` where there is none in the end: nothing answers, 429, 5xx, a body that is cut off. Its
        message names the address without its query, and no header.
        """
        ...
