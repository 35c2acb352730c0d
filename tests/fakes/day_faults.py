"""A trading day's worth of mishaps for three accounts: a fault plan in which every kind of fault strikes."""

from typing import Any

FIRST, SECOND, THIRD = "ZZ0001", "ZZ0002", "ZZ0003"
PATIENCE_S = 7
"""How long a trader waits for an answer, in real seconds."""
LANDS_S = 83
"""How late an order lands that was seen to do so (RELIABILITY K3), in the exchange's time."""
PLACED = {"method": "POST", "path": "/orders/*"}
KINDS = ("silence", "delay", "error", "page", "cut", "reset", "heartbeat", "silent", "lose", "repeat", "swap")


def plan_of(seed: int, speed: float) -> dict[str, Any]:
    """Return the plan of a day that passes at this speed.

    Counts are of what an account does, so that a fault strikes whatever the market does; most of them strike early.
    """
    return {"seed": seed, "requests": [*_placed(speed), *_changed(), *_read()], "streams": _streams(speed)}


def moments_of(day: str) -> list[dict[str, str]]:
    """Return what happens at moments of a day: all logins end, and the broker's way to the exchange is cut."""
    return [
        {"what": "expire-tokens", "at": f"{day} 12:30"},
        {"what": "link-down", "at": f"{day} 13:40", "until": f"{day} 13:44"},
    ]


def _placed(speed: float) -> list[dict[str, Any]]:
    """New orders: lost on the way there, on the way back, late, refused, garbled."""
    late = round((PATIENCE_S + 1) * speed)
    faults: list[tuple[str, int, dict[str, Any]]] = [
        (FIRST, 2, {"what": "silence", "after": True}),
        (FIRST, 4, {"what": "delay", "seconds": LANDS_S}),
        (FIRST, 5, {"what": "page", "status": 502}),
        (FIRST, 7, {"what": "delay", "seconds": LANDS_S, "after": True}),
        (SECOND, 3, {"what": "delay", "seconds": late}),
        (SECOND, 5, {"what": "error", "status": 503}),
        (SECOND, 8, {"what": "error", "status": 504, "after": True}),
        (SECOND, 10, {"what": "silence"}),
        (THIRD, 3, {"what": "error", "status": 403}),
        (THIRD, 5, {"what": "cut"}),
        (THIRD, 7, {"what": "reset", "after": True}),
        (THIRD, 9, {"what": "error", "status": 429}),
        (THIRD, 10, {"what": "reset"}),
    ]
    return [{**PLACED, "account": account, "first": first, **fault} for account, first, fault in faults]


def _changed() -> list[dict[str, Any]]:
    """Changes and cancels of orders; the strategy of the second account has stops that it moves."""
    return [
        {"what": "cut", "method": "PUT", "path": "/orders/*", "account": SECOND, "first": 2},
        {"what": "error", "status": 503, "method": "PUT", "path": "/orders/*", "account": SECOND, "first": 4},
        {"what": "reset", "after": True, "method": "DELETE", "path": "/orders/*", "account": SECOND},
    ]


def _read() -> list[dict[str, Any]]:
    """What is read of the accounts, each a while after the open."""
    return [
        {"what": "cut", "method": "GET", "path": "/orders", "account": FIRST, "first": 12},
        {"what": "error", "status": 500, "method": "GET", "path": "/trades", "account": SECOND, "first": 20},
        {"what": "page", "status": 502, "method": "GET", "path": "/portfolio/positions", "account": THIRD, "first": 16},
        {"what": "error", "status": 429, "method": "GET", "path": "/orders", "account": THIRD, "first": 24},
        {"what": "silence", "method": "GET", "path": "/orders", "account": THIRD, "first": 30},
        {"what": "reset", "method": "GET", "path": "/orders", "first": 40, "times": 3, "chance": 0.1},
    ]


def _streams(speed: float) -> list[dict[str, Any]]:
    """Two tickers die two hours after they began, each in its way; messages are lost, doubled and out of order."""
    return [
        {"what": "heartbeat", "account": FIRST, "seconds": 9_000},
        {"what": "silent", "account": SECOND, "seconds": 9_000},
        {"what": "lose", "chance": 0.1, "times": 0},
        {"what": "repeat", "chance": 0.1, "times": 0},
        {"what": "swap", "chance": 0.1, "times": 0},
    ]
