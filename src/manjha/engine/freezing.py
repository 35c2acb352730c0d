"""Freezing an instrument: nothing is opened in it until a person has looked. The gate's list is the only one."""

from manjha.domain.commands import Output, RefusalReason
from manjha.domain.instrument import InstrumentId
from manjha.engine.desk import call
from manjha.engine.state import EngineState


def freeze(state: EngineState, instrument: str, why: str, now_ns: int, out: list[Output]) -> None:
    """Open nothing more in an instrument until a person has looked at it; the first reason stays."""
    if instrument in state.instruments and why_frozen(state, instrument) is None:
        state.gate.close(instrument, RefusalReason.FROZEN, why)
    if state.desk is not None:
        call(instrument, why, now_ns, out)


def thaw(state: EngineState, instrument: InstrumentId) -> None:
    """Let an instrument be opened again; what was thought of its prices begins anew."""
    state.gate.reopen(instrument)
    if state.controls is not None:
        state.controls.bad.pop(instrument, None)
        state.controls.good.pop(instrument, None)


def why_frozen(state: EngineState, instrument: str) -> str | None:
    """Return why an instrument is frozen; None where it is not."""
    found = state.gate.closed.get(instrument)
    return found[1] if found is not None and found[0] is RefusalReason.FROZEN else None


def all_frozen(state: EngineState) -> list[InstrumentId]:
    """Return the instruments that are frozen, in the order of the run."""
    return [name for name in state.instruments if why_frozen(state, name) is not None]
