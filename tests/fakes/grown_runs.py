"""What a run came to, to be compared with the same run on another way."""

from manjha.engine.digest import digest
from manjha.engine.state import EngineState


def outcome_of(state: EngineState) -> tuple[object, ...]:
    """Return what a run came to."""
    fills, refusals, changes = state.record_fills, state.record_refusals, state.record_changes
    return digest(state), fills, refusals, changes, bytes(state.record_charges), bytes(state.record_steps)
