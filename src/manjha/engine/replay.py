"""A journal's rows through the engine once more: are decisions and state still those that were recorded?"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from manjha.domain.errors import JournalHalted, ManjhaError
from manjha.domain.events import BarsFilled, MarketAdvanced
from manjha.domain.journal import Entry, Row
from manjha.domain.moments import TsNs
from manjha.engine.digest import digest
from manjha.engine.journaling import EVENT_KINDS, OUTPUT_KINDS, entry_of, value_of
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.engine.terms import MatchingMoved, RunEnded

NOTHING = "nothing"


class Difference(msgspec.Struct, frozen=True):
    """The first event after which a replay is not what was recorded: its row, moment, and both in words."""

    seq: int
    ts_ns: TsNs
    event: str
    recorded: str
    came_out: str


class Replayed(msgspec.Struct, frozen=True):
    """What a replay gave. `digest` is of the state at the end, or at the first difference.

    `decisions` counts the commands, timers and refusals that were compared, `digests` the states; `has_ended` tells
    whether the rows hold the run's end.
    """

    digest: str
    events: int
    decisions: int
    digests: int
    has_ended: bool
    difference: Difference | None


def replayed(state: EngineState, rows: Iterable[Row], digests: Mapping[int, str]) -> Replayed:
    """Step through a run's rows from the one after its beginning (or after a snapshot, for a state put back to it).

    Ends at the first difference. `digests` are those recorded, by the row after which the state had them.

    Raises
    ------
    JournalHalted
        A row that cannot be read.
    """
    fold = _Fold(state, digests)
    found: Difference | None = None
    for row in rows:
        found = fold.take(row)
        if found is not None or fold.has_ended:
            break
    return Replayed(digest(state), fold.events, fold.decisions, fold.compared, fold.has_ended, found)


class _Fold:
    """The walk: what the last event gave, and how much of it the rows have shown."""

    def __init__(self, state: EngineState, digests: Mapping[int, str]) -> None:
        self.state = state
        self.digests = digests
        self.events = self.decisions = self.compared = 0
        self.has_ended = False
        self.outputs: list[Any] = []
        self.shown = 0
        self.row: Row | None = None

    def take(self, row: Row) -> Difference | None:
        kind = row.entry.kind
        if kind in EVENT_KINDS:
            found = self._left_out() or self._event(row)
        elif kind in OUTPUT_KINDS:
            found = self._output(row)
        else:
            found = self._left_out() or self._note(row)
        if found is None and row.seq in self.digests:
            found = self._same_state(row, self.digests[row.seq])
        return found

    def _event(self, row: Row) -> Difference | None:
        event: Any = value_of(row.entry)
        if isinstance(event, MarketAdvanced | BarsFilled) and event.first != self.state.reached:
            return self._differs(f"bars up to position {event.first}", f"bars up to position {self.state.reached}")
        self.row, self.shown = row, 0
        self.events += 1
        try:
            self.outputs = step(self.state, event)
        except ManjhaError as error:
            return self._differs("no error", f"{type(error).__name__}: {error.message}")
        return None

    def _output(self, row: Row) -> Difference | None:
        if self.shown == len(self.outputs):
            return self._differs(in_words(row.entry), NOTHING)
        came_out = entry_of(self.outputs[self.shown], row.entry.ts_ns)
        if came_out != row.entry:
            return self._differs(in_words(row.entry), in_words(came_out))
        self.shown += 1
        self.decisions += 1
        return None

    def _left_out(self) -> Difference | None:
        if self.shown == len(self.outputs):
            return None
        return self._differs(NOTHING, in_words(entry_of(self.outputs[self.shown], TsNs(0))))

    def _note(self, row: Row) -> Difference | None:
        note = value_of(row.entry)
        if type(note) is MatchingMoved:
            self.state.matching = note.position
        elif type(note) is RunEnded:
            self.has_ended = True
            return self._same_state(row, note.digest)
        return None

    def _same_state(self, row: Row, recorded: str) -> Difference | None:
        came_out = digest(self.state)
        self.compared += 1
        if came_out == recorded:
            return None
        return Difference(row.seq, row.entry.ts_ns, "the state after it", f"state {recorded}", f"state {came_out}")

    def _differs(self, recorded: str, came_out: str) -> Difference:
        row = self.row
        if row is None:
            return Difference(0, TsNs(0), "the beginning", recorded, came_out)
        return Difference(row.seq, row.entry.ts_ns, in_words(row.entry), recorded, came_out)


def in_words(entry: Entry) -> str:
    """Return an entry's kind and value for people: JSON with exact integers."""
    try:
        value: Any = value_of(entry)
    except JournalHalted:
        return f"{entry.kind} {entry.payload.hex()}"
    return f"{entry.kind} {msgspec.json.encode(getattr(value, 'command', value)).decode()}"


def parts_that_differ(difference: Difference) -> list[tuple[str, str, str]]:
    """Return which parts of a decision are other ones: the part's path, what was recorded, and what came out.

    None where one of both is nothing, a state or an error, or they are of different kinds: then all of it differs.
    """
    kind, _, recorded = difference.recorded.partition(" ")
    other_kind, _, came_out = difference.came_out.partition(" ")
    if kind != other_kind:
        return []
    try:
        before, after = (dict(_parts("", msgspec.json.decode(words))) for words in (recorded, came_out))
    except msgspec.DecodeError:
        return []
    paths = [path for path in {**before, **after} if before.get(path, NOTHING) != after.get(path, NOTHING)]
    return [(path, before.get(path, NOTHING), after.get(path, NOTHING)) for path in paths]


def _parts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the parts of a value, each by its path."""
    if isinstance(value, dict) and value:
        for name, held in value.items():
            yield from _parts(f"{path}.{name}" if path else name, held)
    else:
        yield path, msgspec.json.encode(value).decode()
