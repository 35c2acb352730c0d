"""The API on a socket of this machine, over a home with a month of the synthetic market and a keen strategy."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import uvicorn

from manjha.api.application import create_api
from manjha.app.bootstrap import bar_store, instrument_book, market_rules
from manjha.app.cli.demo import INSTRUMENT
from manjha.app.serving.server import listening
from manjha.app.settings import Settings, load_settings
from manjha.domain.moments import parse_day
from manjha.services.synthetic_market import seed_store
from tests.fakes.api import ROOT, by, known_parts

KEYS = itertools.count()
DAY = "2024-01-31"
STRATEGY = '''
from manjha import Strategy, param

class Keen(Strategy):
    """Buys every few bars with a stop behind, and is out a few bars later."""

    every: int = param(4, low=2, high=20)

    def init(self, ctx):
        self.seen = 0

    def on_bar(self, ctx):
        self.seen += 1
        if self.seen % self.every == 0 and not ctx.position:
            ctx.buy(10, stop=ctx.close[-1] * 0.99)
        elif self.seen % self.every == 2 and ctx.position:
            ctx.close_position()
'''
SESSION = {
    "strategy": "keen", "instruments": [INSTRUMENT], "interval": "15m", "product": "MIS", "from": DAY, "to": DAY,
}  # fmt: skip


def furnish(settings: Settings) -> None:
    """Put a month of bars and the strategy into a home."""
    (settings.home / "strategies").mkdir(parents=True)
    (settings.home / "strategies" / "keen.py").write_text(STRATEGY, encoding="utf-8")
    span = (parse_day("2024-01-01"), parse_day(DAY))
    seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), 7, span)


class Served:
    """A client of a server; `scope` is whose token it sends unless told otherwise."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.http = httpx2.Client(base_url=root + ROOT, timeout=60)

    def __call__(
        self, method: str, path: str, scope: str = "trade", key: str | None = None, **words: Any
    ) -> httpx2.Response:
        """Ask, under a key of its own unless one is given."""
        headers = by(scope) | {"idempotency-key": key or f"key-{next(KEYS)}"}
        return self.http.request(method, path, headers=headers, **words)

    def get(self, path: str, **query: Any) -> Any:
        """Return what is there."""
        answer = self("GET", path, "read", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def served(settings: Settings | None = None, **parts: Any) -> Iterator[Served]:
    """Serve the API of a home on a free port until the end of the block."""
    app = create_api(msgspec.structs.replace(known_parts(settings or load_settings()), **parts))
    listener = listening("127.0.0.1", 0)
    config = uvicorn.Config(
        app, log_level="error", access_log=False, timeout_graceful_shutdown=1, lifespan="on", ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        client = Served(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with client.http:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def path_of(settings: Settings, account: str) -> Path:
    """Return an account's folder."""
    return settings.home / "accounts" / account
