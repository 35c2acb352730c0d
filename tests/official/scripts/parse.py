"""Parse frames as the official Python client does: hex frames in, its ticks out. It runs in its own environment."""

import json
import sys

from kiteconnect import KiteTicker

ticker = KiteTicker("key", "token")


def plain(value):
    return value if isinstance(value, int | float | str | bool | type(None)) else value.timestamp()


def parsed(frame):
    ticks = ticker._parse_binary(bytes.fromhex(frame))
    return [json.loads(json.dumps(tick, default=plain)) for tick in ticks]


json.dump([parsed(frame) for frame in json.load(sys.stdin)], sys.stdout)
