"""Implements `ports.downloads.Downloads` over HTTP: verified TLS, bounded retries, waits on the clock that is given."""

from collections.abc import Mapping

import httpx2

from manjha.domain.errors import SourceError
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.ports.clock import Clock
from manjha.ports.downloads import Reply

TRIES = 4
WAIT_MAX_S = 120
"""Longest wait between two tries, also where a server asks for more."""
TIMEOUT_S = 30.0


class HttpDownloads:
    """One client with its cookies. Waits 1, 2, 4 … seconds between tries, or what `Retry-After` says."""

    def __init__(self, clock: Clock, client: httpx2.Client | None = None) -> None:
        self._clock = clock
        self._client = client or httpx2.Client(timeout=TIMEOUT_S, follow_redirects=True)

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Return the reply. See the port. No header is ever part of a message."""
        problem = ""
        for attempt in range(TRIES):
            try:
                answer = self._client.get(url, headers=dict(headers))
            except httpx2.HTTPError as error:
                problem, asked = type(error).__name__, ""
            else:
                if answer.status_code == 200:
                    return Reply(200, answer.content)
                if answer.status_code == 404:
                    return Reply(404, b"")
                problem, asked = f"status {answer.status_code}", answer.headers.get("Retry-After", "")
                if answer.status_code != 429 and answer.status_code < 500:
                    break
            if attempt + 1 < TRIES:
                self._wait(asked, attempt)
        path = url.split("?", 1)[0]
        raise SourceError(f"{path} did not give what was asked: {problem}", hint=_hint(problem))

    def _wait(self, asked: str, attempt: int) -> None:
        seconds = min(int(asked), WAIT_MAX_S) if asked.isdigit() else 2**attempt
        self._clock.wait_until(TsNs(self._clock.now_ns() + seconds * SECOND_NS))


def _hint(problem: str) -> str:
    if problem in ("status 401", "status 403"):
        return "The source refuses: check the login or the access token, or try again later."
    return "What came before is stored; run the same command again later and it goes on."
