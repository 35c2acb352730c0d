"""The state digest: equal digests mean equal orders, positions, cash, risk and session.

It covers decisions and money, not sequence numbers, batching or float caches, so that a run fed bar by bar and a run
fed in long stretches have the same one.
"""

import hashlib
from itertools import islice

import msgspec
from msgspec.structs import astuple

from manjha.engine.state import EngineState

_ENCODER = msgspec.msgpack.Encoder(order="deterministic")


def digest(state: EngineState) -> str:
    """Return the SHA-256 of the state in hexadecimal."""
    ledger, sha = state.portfolio.ledger, hashlib.sha256()
    records = iter(state.book.records.values())
    # Some at a time: rows of all the orders of a run would be its largest piece of memory.
    while some := [
        (astuple(r.order), r.phase, r.qty, r.filled, r.turnover, r.limit, r.trigger) for r in islice(records, 500)
    ]:
        sha.update(_ENCODER.encode(some))
    content = {
        "orders": len(state.book.records),
        "positions": [
            (tuple(p.key), p.qty, p.cost, p.realised, p.margin)
            for p in sorted(state.portfolio.positions.values(), key=lambda p: p.key)
        ],
        "holdings": [
            (tuple(key), h.today, sorted(h.t1.items()), h.settled)
            for key, h in sorted(state.portfolio.holdings.items())
        ],
        "cash": (ledger.cash, ledger.margin, ledger.reserved, ledger.unsettled, ledger.charges()),
        "risk": (state.gate.trading_on, state.gate.day_start_equity),
        "session": state.day,
        "protections": [(entry_id, p.filled, p.stop_px, p.best) for entry_id, p in sorted(state.protections.items())],
        "refusals": state.record_refusals,
    }
    if state.controls is not None:
        content["controls"] = state.controls.memory()
    if state.given:
        content["parameters"] = sorted(state.given.items())
    if state.gate.closed:
        content["closed"] = sorted(state.gate.closed.items())
    if state.groups:
        content["legs"] = list(state.groups.values())
    if state.desk is not None:
        content["broker"] = state.desk.content()
    sha.update(_ENCODER.encode(content))
    return sha.hexdigest()
