"""What the controls of an account remember, as values that a snapshot holds."""

from typing import Any

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.journal import Entry
from manjha.domain.kill import KillLevel, Scope
from manjha.domain.moments import TsNs
from manjha.domain.orders import OrderId, Side, StrategyId
from manjha.engine.journaling import entry_of, value_of
from manjha.market.bands import Band
from manjha.portfolio.positions import PositionKey
from manjha.risk.control_limits import ControlLimits
from manjha.risk.controls import Controls, Slices, Terms
from manjha.risk.governor import Governor, Waiting
from manjha.risk.protections import ClosedTrade, Pause


class KeptWaiting(msgspec.Struct, frozen=True):
    """A command that waits for its turn, as it would be journaled."""

    entry: Entry
    rank: int
    segment: str
    since_ns: int


class KeptGovernor(msgspec.Struct, frozen=True, kw_only=True):
    """Names as in `Governor`."""

    sent: dict[str, list[int]]
    today: dict[str, int]
    waiting: list[KeptWaiting]
    now_ns: int
    timer_ns: int


class KeptControls(msgspec.Struct, frozen=True, kw_only=True):
    """Names as in `Controls`; mappings whose keys are no texts as pairs."""

    limits: ControlLimits
    levels: list[tuple[Scope, KillLevel]]
    tripped: list[tuple[Scope, KillLevel]]
    pauses: list[Pause]
    bands: list[tuple[InstrumentId, Band]]
    good: dict[InstrumentId, tuple[int, int]]
    bad: dict[InstrumentId, int]
    watched: dict[InstrumentId, int]
    recent: list[tuple[int, Terms]]
    entries: list[tuple[tuple[StrategyId, InstrumentId], list[int]]]
    entry_ids: list[OrderId]
    modified: dict[OrderId, int]
    asked: dict[OrderId, list[int]]
    cancels_asked: list[OrderId]
    orders_today: int
    carried_for: int
    rejections: dict[StrategyId, int]
    rejected_at: list[tuple[tuple[StrategyId, InstrumentId, Side], int]]
    slices: Slices | None
    trades: list[ClosedTrade]
    running: list[tuple[PositionKey, tuple[int, int, int]]]
    peaks: dict[int, int]
    base: dict[StrategyId, int]
    governor: KeptGovernor | None


_PAIRS = ("levels", "tripped", "bands", "entries", "rejected_at", "running")
_SETS = ("entry_ids", "cancels_asked")
_MAPS = ("good", "bad", "watched", "modified", "asked", "rejections", "peaks", "base")
_LISTS = ("pauses", "recent", "trades")


def kept_controls(controls: Controls) -> KeptControls:
    """Return what controls remember between two events."""
    governor = controls.governor
    kept: dict[str, Any] = {name: list(getattr(controls, name).items()) for name in _PAIRS}
    kept |= {name: sorted(getattr(controls, name)) for name in _SETS}
    kept |= {name: getattr(controls, name) for name in (*_MAPS, *_LISTS)}
    return KeptControls(
        limits=controls.limits,
        orders_today=controls.orders_today,
        carried_for=controls.carried_for,
        slices=controls.slices,
        governor=None if governor is None else _kept_governor(governor),
        **kept,
    )


def put_back_controls(controls: Controls, kept: KeptControls) -> None:
    """Give new controls of the same limits the memory that others had."""
    for name in (*_PAIRS, *_MAPS, *_SETS):
        getattr(controls, name).update(getattr(kept, name))
    for name in _LISTS:
        getattr(controls, name)[:] = getattr(kept, name)
    controls.orders_today, controls.slices = kept.orders_today, kept.slices
    controls.carried_for = kept.carried_for
    governor, held = controls.governor, kept.governor
    if governor is None or held is None:
        return
    governor.sent.update(held.sent)
    governor.today.update(held.today)
    governor.now_ns, governor.timer_ns = held.now_ns, held.timer_ns
    for one in held.waiting:
        command: Any = value_of(one.entry)
        governor.waiting[one.rank].append(Waiting(command, one.rank, one.segment, one.since_ns))


def _kept_governor(governor: Governor) -> KeptGovernor:
    waiting = [
        KeptWaiting(entry_of(one.command, TsNs(one.since_ns)), one.rank, one.segment, one.since_ns)
        for one in governor.all_waiting()
    ]
    return KeptGovernor(
        sent=governor.sent, today=governor.today, waiting=waiting, now_ns=governor.now_ns, timer_ns=governor.timer_ns
    )
