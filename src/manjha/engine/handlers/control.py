"""Somebody intervenes: the kill switch is thrown or lifted, an instrument is frozen, the exchange moves a band."""

from manjha.domain.commands import Output
from manjha.domain.events import BandChanged, InstrumentFrozen, KillSwitched, SendsCarried
from manjha.domain.kill import KillLevel, level_name
from manjha.engine.desk import call
from manjha.engine.freezing import freeze, thaw
from manjha.engine.halting import carry_out_level
from manjha.engine.state import EngineState
from manjha.market.bands import Band


def kill_switched(state: EngineState, event: KillSwitched, out: list[Output]) -> None:
    """Throw or lift the kill switch, and do at once what its level says."""
    state.control().switch(event)
    carry_out_level(state, event.level, event.scope, event.ts_ns, out)
    if state.desk is not None:
        done = "lifted" if event.level is KillLevel.OFF else f"thrown, level {level_name(event.level)}"
        call("kill switch", f"{done} for {event.scope.display} by {event.who}: {event.reason}", event.ts_ns, out)


def instrument_frozen(state: EngineState, event: InstrumentFrozen, out: list[Output]) -> None:
    """Let nothing be opened in an instrument, or again."""
    state.control()
    if event.on:
        freeze(state, event.instrument, event.reason, event.ts_ns, out)
    else:
        thaw(state, event.instrument)


def band_changed(state: EngineState, event: BandChanged, out: list[Output]) -> None:
    """Take over the exchange's band of an instrument."""
    del out
    state.control().bands[event.instrument] = Band(event.low, event.high)


def sends_carried(state: EngineState, event: SendsCarried, out: list[Output]) -> None:
    """Count what the account sent before this run began, also when its day opens once more."""
    del out
    controls = state.control()
    controls.orders_today, controls.carried_for = event.orders, event.day
    if controls.governor is not None:
        controls.governor.carry(dict(event.sent), dict(event.today))
