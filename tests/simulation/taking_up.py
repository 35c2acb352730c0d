"""How a process of a simulated day comes to its state: as the product does, from a snapshot and the rows after it.

On one day in `WHOLE` each process steps through all of the journal instead. At the end of every day all of it has to
give the state that the last process has (`checkers`, INV-17): what a snapshot has lost shows there at the latest.
"""

from typing import TYPE_CHECKING, NamedTuple

from manjha.app.trading.trader import restored
from manjha.domain.commands import SetTimer
from manjha.engine.remembered import StrategyMemory
from manjha.engine.snapshots import kept_in, put_back, snapshot_of
from manjha.engine.state import EngineState
from tests.simulation.disk import values_of

if TYPE_CHECKING:
    from tests.simulation.day import Day

WHOLE = 10


class Kept(NamedTuple):
    """A state after so many rows, the hash of the last of them, and the timers that stood."""

    rows: int
    hash: bytes
    body: bytes
    timers: tuple[SetTimer, ...]


def taken_up(day: "Day") -> tuple[EngineState, list[SetTimer]]:
    """Return the state at the end of the journal and the timers that stand; keep it for who comes next."""
    state = day.new_state()
    if day.seed % WHOLE == 0:
        return state, restored(state, values_of(day.shared))
    memory, rows, kept = StrategyMemory(state), day.shared.rows, day.kept
    after, standing = 0, tuple[SetTimer, ...]()
    # Where the disk has lost rows, a snapshot after them is of another journal.
    if kept is not None and kept.rows <= len(rows) and rows[kept.rows - 1].hash == kept.hash:
        put_back(state, memory, kept_in(kept.body))
        after, standing = kept.rows, kept.timers
    timers = restored(state, values_of(day.shared, after), standing)
    if rows:
        day.kept = Kept(len(rows), rows[-1].hash, snapshot_of(state, memory), tuple(timers))
    return state, timers
