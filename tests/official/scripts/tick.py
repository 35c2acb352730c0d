"""Run the official Python ticker against a server: what it is to subscribe to in, all that its callbacks were told out.

It ends when it has had each instrument in its mode and as many order messages as it is told to wait for, or after its
time.
"""

import datetime
import json
import sys
import threading

from kiteconnect import KiteTicker
from twisted.internet import reactor

told = json.load(sys.stdin)
kws = KiteTicker(told["api_key"], told["access_token"], root=told["root"], reconnect=False)
heard = {"ticks": [], "orders": [], "errors": [], "closed": []}


# A subscription is answered in another mode first: what counts is each instrument in the mode that was asked for.
def enough():
    seen = {(tick["mode"], tick["instrument_token"]) for tick in heard["ticks"]}
    wanted = {(mode, token) for mode, tokens in told["modes"].items() for token in tokens}
    return wanted <= seen and len(heard["orders"]) >= told["orders"]


def end():
    if reactor.running:
        reactor.callFromThread(reactor.stop)


def on_connect(ws, response):
    for mode, tokens in told["modes"].items():
        ws.subscribe(tokens)
        ws.set_mode(mode, tokens)
    print("connected", file=sys.stderr, flush=True)


def on_ticks(ws, ticks):
    heard["ticks"] += ticks
    if enough():
        end()


def on_order_update(ws, data):
    heard["orders"].append(data)
    if enough():
        end()


def on_error(ws, code, reason):
    heard["errors"].append([code, str(reason)])


def on_close(ws, code, reason):
    heard["closed"].append([code, str(reason)])
    end()


kws.on_connect, kws.on_ticks, kws.on_order_update = on_connect, on_ticks, on_order_update
kws.on_error, kws.on_close = on_error, on_close
late = threading.Timer(told["seconds"], end)
late.daemon = True
late.start()
kws.connect()


def plain(value):
    return value.timestamp() if isinstance(value, datetime.datetime) else str(value)


json.dump(heard, sys.stdout, default=plain)
