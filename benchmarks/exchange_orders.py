"""Orders placed at the exchange server over HTTP by one client: `python -m benchmarks.exchange_orders [ORDERS]`.

The server runs in a process of its own, without rate limits; the client sends one order after the other over one
connection and reads each answer. Orders rest: each goes all its way to the exchange. The goal is 300 a second.
"""

import http.client
import sys
import time
from urllib.parse import urlencode

from benchmarks.exchange_process import FORM, KEY, RESTING, exchange_process, logged_in

GOAL = 300


def main(orders: str = "3000") -> int:
    """Measure and print; the exit code is 1 when an order was refused or the goal is missed."""
    with exchange_process() as served:
        rate = orders_a_second(served.host, int(orders))
    print(f"{orders} orders, one after the other over one connection: {rate:,.0f} a second (goal {GOAL})")
    return int(rate < GOAL)


def orders_a_second(host: str, count: int) -> float:
    """Place orders one after the other, and return how many a second were answered."""
    connection = http.client.HTTPConnection(host)
    headers = {**FORM, "Authorization": f"token {KEY}:{logged_in(host)}"}
    body = urlencode(RESTING)
    began = time.perf_counter()
    for _ in range(count):
        connection.request("POST", "/orders/regular", body, headers)
        reply = connection.getresponse()
        told = reply.read()
        assert reply.status == 200, told
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
