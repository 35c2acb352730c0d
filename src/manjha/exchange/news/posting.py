"""Sends postbacks: each once, to whoever listens. What is not taken is lost, as with the broker (6.3)."""

import asyncio
from collections import Counter

import httpx2

from manjha.exchange.news.postbox import Letter, Postbox

SENDERS = 4
"""How many are on their way at once: an app that answers slowly does not hold up all others."""
ANSWER_S = 5.0
"""How long an app may take to answer."""


class Posting:
    """The chore that empties a postbox. `told` counts by what came of it: an HTTP code, or the name of an error."""

    def __init__(self, box: Postbox) -> None:
        self._box = box
        self._stirred = asyncio.Event()
        self.told: Counter[str] = Counter()
        box.stirs = self._stirred.set

    async def send(self) -> None:
        """Send what gathers, again and again. No proxy is asked: where it goes is usually this machine."""
        async with httpx2.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
            await asyncio.gather(*(self._one_after_another(client) for _ in range(SENDERS)))

    async def _one_after_another(self, client: httpx2.AsyncClient) -> None:
        while True:
            letter = self._box.taken()
            if letter is None:
                self._stirred.clear()
                await self._stirred.wait()
            else:
                self.told[await _sent(client, letter)] += 1


async def _sent(client: httpx2.AsyncClient, letter: Letter) -> str:
    try:
        answer = await client.post(letter.url, content=letter.body, headers={"content-type": "application/json"})
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return type(error).__name__
    return str(answer.status_code)
