"""Implements `ports.downloads.Downloads` over HTTP: verified TLS, bounded retries, waits on the clock that is given."""

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

import httpx2
import msgspec

from manjha.domain.errors import SourceError
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.ports.clock import Clock
from manjha.ports.downloads import Reply

WAITS_S = (1, 2, 4, 8)
"""Seconds between tries where the server names none: 15 in all, a little more than a burst limit lasts."""
WAIT_MAX_S = 120
"""Longest wait that a server is granted; asked for more, the job ends with a message and goes on another time."""
TIMEOUT_S = 30.0
SIZE_MAX = 512 * 1024 * 1024
"""Bytes that a reply may unpack to; the largest file asked for is about 20 MB."""


class _Passing(msgspec.Struct, frozen=True):
    """A failure that may pass. `wait_s` is what the server asked for, None where it did not."""

    words: str
    wait_s: int | None = None


class HttpDownloads:
    """One client with its cookies. `pace` is called before every request, also before one that is tried again."""

    def __init__(self, clock: Clock, pace: Callable[[], None], client: httpx2.Client | None = None) -> None:
        self._clock = clock
        self._pace = pace
        self._client = client or httpx2.Client(timeout=TIMEOUT_S, follow_redirects=True)

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Return the reply. See the port."""
        address = url.split("?", 1)[0]
        for wait_s in (*WAITS_S, None):
            self._pace()
            answer = self._once(url, address, headers)
            if isinstance(answer, Reply):
                return answer
            asked = wait_s if answer.wait_s is None else answer.wait_s
            if asked is None or wait_s is None:
                raise SourceError(f"{address}: {answer.words}, {len(WAITS_S) + 1} times", hint=_LATER)
            if asked > WAIT_MAX_S:
                hint = f"Run the same command again in {asked} seconds; it goes on from there."
                raise SourceError(f"{address}: {answer.words}, and asks for a wait of {asked} s", hint=hint)
            self._clock.wait_until(TsNs(self._clock.now_ns() + asked * SECOND_NS))
        raise AssertionError

    def _once(self, url: str, address: str, headers: Mapping[str, str]) -> Reply | _Passing:
        try:
            with self._client.stream("GET", url, headers=dict(headers)) as answer:
                status = answer.status_code
                if status == 429 or status >= 500:
                    return _Passing(f"status {status}", self._asked(answer.headers.get("Retry-After", "")))
                return Reply(status, _body(answer, address))
        except httpx2.TooManyRedirects:
            raise SourceError(f"{address}: sends from one address to the next for ever", hint=_LATER) from None
        except httpx2.TransportError as error:
            return _Passing(_CAUSES.get(type(error), type(error).__name__))
        except httpx2.DecodingError:
            return _Passing("the reply cannot be unpacked")

    def _asked(self, text: str) -> int | None:
        """Return the seconds of a Retry-After, which may be a date; None where it says neither."""
        if text.strip().isdigit():
            return int(text)
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0, int(moment.timestamp()) - self._clock.now_ns() // SECOND_NS)


_LATER = "What came before is stored; run the same command again later and it goes on."
_CAUSES = {
    httpx2.ConnectError: "no connection",
    httpx2.ConnectTimeout: "no connection in time",
    httpx2.ReadTimeout: "no answer in time",
    httpx2.RemoteProtocolError: "the answer is cut off",
    httpx2.ReadError: "the connection broke",
}


def _body(answer: httpx2.Response, address: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in answer.iter_bytes():
        size += len(part)
        if size > SIZE_MAX:
            raise SourceError(
                f"{address}: unpacks to more than {SIZE_MAX:,} bytes, which nothing asked for has",
                hint="Check the address in `[fetch]` of manjha.toml.",
            )
        parts.append(part)
    return b"".join(parts)
