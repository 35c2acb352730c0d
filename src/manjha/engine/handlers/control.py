"""Somebody intervenes: the kill switch is thrown or lifted, an instrument is frozen, the exchange moves a band."""

from manjha.domain.commands import Output
from manjha.domain.events import BandChanged, InstrumentFrozen, KillSwitched
from manjha.engine.halting import carry_out_level
from manjha.engine.state import EngineState
from manjha.market.bands import Band


def kill_switched(state: EngineState, event: KillSwitched, out: list[Output]) -> None:
    """Throw or lift the kill switch, and do at once what its level says."""
    state.control().switch(event)
    carry_out_level(state, event.level, event.scope, event.ts_ns, out)


def instrument_frozen(state: EngineState, event: InstrumentFrozen, out: list[Output]) -> None:
    """Let nothing be opened in an instrument, or again."""
    del out
    controls = state.control()
    if event.on:
        controls.frozen[event.instrument] = event.reason
    else:
        controls.frozen.pop(event.instrument, None)
        controls.bad.pop(event.instrument, None)
        controls.good.pop(event.instrument, None)


def band_changed(state: EngineState, event: BandChanged, out: list[Output]) -> None:
    """Take over the exchange's band of an instrument."""
    del out
    state.control().bands[event.instrument] = Band(event.low, event.high)
