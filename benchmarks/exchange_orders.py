"""Orders placed at the exchange server over HTTP by one client: `python -m benchmarks.exchange_orders [ORDERS]`.

The server runs in a process of its own, without rate limits; the client sends one order after the other over one
connection and reads each answer. Orders rest: each goes all its way to the exchange. The goal is 300 a second.
"""

import hashlib
import http.client
import json
import re
import subprocess
import sys
import time
from urllib.parse import urlencode

GOAL = 300
SERVE = ["-c", "from manjha.app.cli import main; main()", "exchange", "serve", "--port", "0", "--auto-login"]
TERMS = ["--day", "2026-11-26", "--at", "10:00", "--no-limits", "--rule", "orders-a-day=off", "--cash", "1000000000"]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def main(orders: str = "3000") -> int:
    """Measure and print; the exit code is 1 when an order was refused or the goal is missed."""
    command = [sys.executable, *SERVE, *TERMS]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            told = process.stderr.readline() if process.stderr else ""
            found = re.search(r"http://(\S+?);", told)
            assert found is not None, told
            rate = _rate(found[1], int(orders))
        finally:
            process.terminate()
    print(f"{orders} orders, one after the other over one connection: {rate:,.0f} a second (goal {GOAL})")
    return int(rate < GOAL)


def _rate(host: str, count: int) -> float:
    connection = http.client.HTTPConnection(host)
    headers = {**FORM, "Authorization": f"token simulated:{_logged_in(connection)}"}
    # Far below the market, inside the day's circuit limits.
    order = {
        "exchange": "NSE", "tradingsymbol": "MANJHA", "transaction_type": "BUY", "quantity": 1, "product": "CNC",
        "order_type": "LIMIT", "price": 1400, "validity": "DAY",
    }  # fmt: skip
    body = urlencode(order)
    began = time.perf_counter()
    for _ in range(count):
        connection.request("POST", "/orders/regular", body, headers)
        reply = connection.getresponse()
        told = reply.read()
        assert reply.status == 200, told
    return count / (time.perf_counter() - began)


def _logged_in(connection: http.client.HTTPConnection) -> str:
    connection.request("GET", "/connect/login?v=3&api_key=simulated")
    reply = connection.getresponse()
    reply.read()
    token = reply.headers["location"].partition("request_token=")[2]
    checksum = hashlib.sha256(f"simulated{token}simulated-secret".encode()).hexdigest()
    form = urlencode({"api_key": "simulated", "request_token": token, "checksum": checksum})
    connection.request("POST", "/session/token", form, FORM)
    return str(json.loads(connection.getresponse().read())["data"]["access_token"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
