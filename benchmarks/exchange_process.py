"""An exchange server in a process of its own, and logins at it, for benchmarks that go over a socket."""

import hashlib
import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlencode

KEY, SECRET = "simulated", "simulated-secret"
DAY = "2026-11-26"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SERVE = ["-c", "from manjha.app.cli import main; main()", "exchange", "serve", "--port", "0", "--auto-login"]
TERMS = ["--day", DAY, "--at", "10:00", "--no-limits", "--rule", "orders-a-day=off", "--cash", "1000000000"]
RESTING = {
    "exchange": "NSE", "tradingsymbol": "MANJHA", "transaction_type": "BUY", "quantity": 1, "product": "CNC",
    "order_type": "LIMIT", "price": 1400, "validity": "DAY",
}  # fmt: skip
"""An order far below the market, inside the day's circuit limits: it goes all its way to the exchange, and rests."""


class Served(NamedTuple):
    """Where an exchange listens, `host:port`, and its process."""

    host: str
    pid: int


@contextmanager
def exchange_process(further: Sequence[str] = (), command: Sequence[str] = (*SERVE, *TERMS)) -> Iterator[Served]:
    """Serve an exchange until the end of the block."""
    with subprocess.Popen([sys.executable, *command, *further], stderr=subprocess.PIPE, text=True) as process:
        try:
            told = process.stderr.readline() if process.stderr else ""
            found = re.search(r"http://(\S+?);", told)
            assert found is not None, told
            yield Served(found[1], process.pid)
        finally:
            process.terminate()


def logged_in(host: str, user: str = "", key: str = KEY, secret: str = SECRET) -> str:
    """Log a user in, the first one unless named, and return the access token."""
    connection = http.client.HTTPConnection(host)
    connection.request("GET", f"/connect/login?{urlencode({'v': 3, 'api_key': key, 'user_id': user})}")
    reply = connection.getresponse()
    reply.read()
    token = reply.headers["location"].partition("request_token=")[2].partition("&")[0]
    checksum = hashlib.sha256(f"{key}{token}{secret}".encode()).hexdigest()
    form = urlencode({"api_key": key, "request_token": token, "checksum": checksum})
    connection.request("POST", "/session/token", form, FORM)
    found = json.loads(connection.getresponse().read())
    connection.close()
    return str(found["data"]["access_token"])
