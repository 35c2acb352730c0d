"""What is checked: a strategy in its run, or a function of columns. Each gives a trace of itself on any tape."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from manjha.domain.bars import format_interval
from manjha.domain.errors import UsageError
from manjha.domain.instrument import InstrumentId
from manjha.engine.state import EngineState
from manjha.research.backtest import BacktestSpec, prepare
from manjha.research.bias.fresh import fresh_class
from manjha.research.bias.tape import Ints, Tape, Track, bars_of, track_of
from manjha.research.bias.watch import Decision, Watch
from manjha.research.drive import Drive, Driven, Progress
from manjha.research.targets import ENTRY_FIELDS
from manjha.simulator.fills import MarketFill, VenueModels
from manjha.simulator.venue import Venue
from manjha.strategy.interface import Entries, Strategy, is_entry_strategy, is_target_strategy
from manjha.strategy.turns import Changes
from manjha.strategy.views import Line

NEVER_NS = 2**63 - 1
ENTRY_FLAGS = ("leave", "withdraw")


class Values(msgspec.Struct, frozen=True, eq=False):
    """Numbers over time: `numbers` of shape (rows, columns); row `i` is known at `ts_ns[i]`, which never decreases."""

    ts_ns: Ints
    numbers: NDArray[np.float64]


class Trace(msgspec.Struct, frozen=True, eq=False):
    """What a subject decided and computed on a tape.

    `lines` are promised to be causal: the strategy's lines, its targets or entries, a function's
    result. `arrays` are columns that
    the strategy keeps for itself; they are no evidence, but may explain some. `stopped` is the error that ended the run
    early, in words.
    """

    closes: Ints
    decisions: list[Decision]
    lines: dict[str, Values]
    arrays: dict[str, Values]
    warmup: int = 0
    stopped: str = ""


class Broken(msgspec.Struct, frozen=True):
    """A run that came to nothing, and why: nothing can be compared with it."""

    why: str


class Subject(Protocol):
    """Something that can be run on any tape. `fills_at_close` tells that market orders fill at the deciding close."""

    name: str
    tape: Tape
    fills_at_close: bool
    has_state: bool
    cuts_decide: bool

    def trace(self, tape: Tape, until: int | None = None, *, drive: bool = True) -> Trace:
        """Run on a tape, at least to a position of its timeline (None: to the end); without `drive`, `init` only."""
        ...

    def forget(self) -> None:
        """Begin as if nothing had run before."""
        ...

    def display(self, instrument: InstrumentId) -> str:
        """Return an instrument's name for people."""
        ...


class _Reached(Exception):  # noqa: N818 - no error: the run went as far as it was needed
    """The run has come to where it was to stop."""


class StrategySubject:
    """A strategy in a run. Each trace is of a new strategy with the same parameters; `anew` reads its file again."""

    def __init__(self, spec: BacktestSpec, *, anew: bool = True) -> None:
        self.spec = spec
        self.name = spec.strategy.name
        self.has_state = False
        self.cuts_decide = not spec.sessions_from_data
        self.fills_at_close = spec.fills.market is MarketFill.DECIDING_CLOSE
        self._names = {instrument.id: instrument.display for instrument in spec.instruments}
        self._like = (*spec.bars, *spec.further)
        self.tape: Tape = tuple(track_of(bars, self._names[bars.instrument]) for bars in self._like)
        self._found = fresh_class(type(spec.strategy)) if anew else type(spec.strategy)

    def forget(self) -> None:
        """Read the strategy's file anew."""
        self._found = fresh_class(type(self.spec.strategy))

    def display(self, instrument: InstrumentId) -> str:
        """Return an instrument's name for people."""
        return self._names.get(instrument, instrument)

    def trace(self, tape: Tape, until: int | None = None, *, drive: bool = True) -> Trace:
        """Run on a tape. See `Subject`."""
        spec = self._spec(tape)
        watch, stated = Watch(), _Stated(spec.strategy)
        with quietly():
            state = prepare(spec)
            watch.attach(state)
            stopped = self._drive(spec, state, until) if drive and self.decides_in_events(spec) else ""
        watch.detach()
        closes = np.asarray(state.timeline.close_ns)
        lines, arrays = kept(spec.strategy, closes)
        if stated.array is not None:
            lines |= self._targets(spec, stated.array, closes)
        if stated.entries is not None:
            lines |= self._entries(spec, stated.entries, closes)
        return Trace(closes, watch.decisions, lines, arrays, state.ctx.warmup, stopped)

    def _spec(self, tape: Tape) -> BacktestSpec:
        if self.has_state:
            self.forget()
        strategy = self._found(**self.spec.strategy.values)
        vars(strategy)["product"] = self.spec.strategy.product
        bars = [bars_of(track, like) for track, like in zip(tape, self._like, strict=True)]
        count = len(self.spec.bars)
        return msgspec.structs.replace(
            self.spec, strategy=strategy, bars=tuple(bars[:count]), further=tuple(bars[count:])
        )

    def decides_in_events(self, spec: BacktestSpec) -> bool:
        """Tell whether its decisions show only when bars are driven through the engine."""
        return not is_target_strategy(spec.strategy) or type(spec.strategy).universe is not Strategy.universe

    def _drive(self, spec: BacktestSpec, state: EngineState, until: int | None) -> str:
        models = VenueModels(rules=spec.fills, slippage=spec.slippage, latency_ns=spec.latency_ns, bands=spec.bands)
        venue = Venue(state.timeline, spec.instruments, spec.bars[0].interval, models)
        driven = Driven(spec.actions, spec.contract_notes, spec.stride)
        if until is None:
            Drive(state, venue, driven).run()
            return ""
        return drive_to(Drive(state, venue, driven, stop_at(until, len(state.timeline))))

    def _targets(self, spec: BacktestSpec, array: NDArray[np.float64], closes: Ints) -> dict[str, Values]:
        shaped = array[:, None] if array.ndim == 1 else array
        return {
            f"target of {instrument.display}": Values(closes, shaped[:, [index]])
            for index, instrument in enumerate(spec.instruments)
        }

    def _entries(self, spec: BacktestSpec, entries: Entries, closes: Ints) -> dict[str, Values]:
        """Return each column of entries an instrument; what an entry is like counts only where there is one."""
        shape = (len(closes), len(spec.instruments))
        given = {name: getattr(entries, name) for name in (*ENTRY_FIELDS, *ENTRY_FLAGS)}
        columns = {
            name: np.array(column, dtype=np.float64).reshape(shape)
            for name, column in given.items()
            if column is not None
        }
        enters = np.nan_to_num(columns["side"]) != 0
        for name, column in columns.items():
            column[np.isnan(column) if name in ("side", *ENTRY_FLAGS) else ~enters] = 0.0
        return {
            f"entry's {name} of {instrument.display}": Values(closes, column[:, [index]])
            for name, column in columns.items()
            for index, instrument in enumerate(spec.instruments)
        }


class FunctionSubject:
    """A function of columns: an indicator, or a feature.

    `call` gets the columns by name and returns one array of a row each, a tuple of them, or a mapping of names to them.
    """

    has_state = False
    fills_at_close = False
    cuts_decide = True

    def __init__(self, name: str, call: Callable[[Mapping[str, NDArray[Any]]], Any], track: Track) -> None:
        self.name = name
        self.tape: Tape = (track,)
        self._call = call

    def forget(self) -> None:
        """Do nothing: a function is not read anew."""

    def display(self, instrument: InstrumentId) -> str:
        """Return an instrument's name for people."""
        return instrument

    def trace(self, tape: Tape, until: int | None = None, *, drive: bool = True) -> Trace:
        """Compute on a tape. See `Subject`. Raises `UsageError` for a result that is not a number a row."""
        del until, drive
        closes = tape[0].close_ns
        with quietly():
            out = self._call(dict(tape[0].columns))
        lines = {}
        for name, each in self._named(out):
            numbers = np.asarray(each, dtype=np.float64)
            if numbers.shape[:1] != closes.shape or numbers.ndim > 2:
                raise UsageError(f"{self.name} gave an array of shape {numbers.shape} for {len(closes)} bars")
            lines[name] = Values(closes, numbers.reshape(len(closes), -1))
        ready = [~np.isnan(values.numbers).all(axis=1) for values in lines.values()]
        warmup = min((int(np.argmax(each)) if each.any() else len(closes) for each in ready), default=0)
        return Trace(closes, [], lines, {}, warmup)

    def _named(self, out: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(out, Mapping):
            yield from ((str(name), each) for name, each in out.items())
        elif isinstance(out, tuple):
            names: Sequence[str] = getattr(out, "_fields", ()) or [f"{self.name}[{i}]" for i in range(len(out))]
            yield from zip(names, out, strict=True)
        else:
            yield self.name, out


def attempted(subject: Subject, tape: Tape, until: int | None = None, *, drive: bool = True) -> Trace | Broken:
    """Return a trace, or why the subject cannot be run on data that were cut short or changed."""
    try:
        return subject.trace(tape, until, drive=drive)
    except Exception as error:  # noqa: BLE001 - a strategy may raise anything on a few bars, or on bars that never were
        return Broken(in_short(error))


def in_short(error: Exception) -> str:
    """Return an error as one line of text."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def drive_to(drive: Drive) -> str:
    """Run until the driver's progress says to stop; return the strategy's own error, if one ended it, in words."""
    try:
        drive.run()
    except _Reached:
        return ""
    except Exception as error:  # noqa: BLE001 - a strategy may raise anything when its data end or change
        return in_short(error)
    return ""


def stop_at(position: int, count: int) -> Progress:
    """Return a progress that stops the run after the bar that follows a position, or after the last one."""
    last = min(position + 2, count)

    def stop(reached: int, _count: int) -> None:
        if reached >= last:
            raise _Reached

    return stop


@contextmanager
def quietly() -> Iterator[None]:
    """Let arithmetic on changed data warn of nothing."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _whole(out: Changes, history: Any) -> NDArray[np.float64]:
    """Return what is stated at few bars as a number for every bar and instrument, NaN where nothing is said."""
    found = np.full((len(history.ts_ns), len(history.instruments)), np.nan)
    values = np.asarray(out.values, dtype=np.float64)
    found[np.asarray(out.rows, dtype=np.int64)] = values[:, None] if values.ndim == 1 else values
    return found


class _Stated:
    """Keeps the array that a strategy returns from `targets`, or what it returns from `entries`."""

    def __init__(self, strategy: Strategy) -> None:
        self.array: NDArray[np.float64] | None = None
        self.entries: Entries | None = None
        if is_target_strategy(strategy):
            call = strategy.targets

            def targets(history: Any) -> Any:
                out = call(history)
                self.array = _whole(out, history) if isinstance(out, Changes) else np.array(out, dtype=np.float64)
                vars(strategy).pop("targets", None)
                return out

            vars(strategy)["targets"] = targets
        elif is_entry_strategy(strategy):
            ask = strategy.entries

            def entries(history: Any) -> Entries:
                out = ask(history)
                self.entries = out
                vars(strategy).pop("entries", None)
                return out

            vars(strategy)["entries"] = entries


def kept(strategy: Strategy, closes: Ints) -> tuple[dict[str, Values], dict[str, Values]]:
    """Return the lines that a strategy keeps by the name of its attribute, and its arrays of a number a bar."""
    lines: dict[str, Values] = {}
    arrays: dict[str, Values] = {}
    for name, value in _opened(vars(strategy)):
        if isinstance(value, Line):
            numbers, seen = value.whole()
            lines[name] = Values(_known(closes, seen, len(numbers)), numbers[:, None])
        elif isinstance(value, np.ndarray) and _is_a_number_a_bar(value, len(closes)):
            arrays[name] = Values(closes, value.astype(np.float64).reshape(len(closes), -1))
    return lines, arrays


def _is_a_number_a_bar(value: NDArray[Any], bars: int) -> bool:
    return value.ndim in (1, 2) and len(value) == bars and value.dtype.kind in "fiub"


def _opened(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield attributes, and what lies in tuples, lists and mappings, with a name for each."""
    for name, value in attributes.items():
        if isinstance(value, tuple | list) and len(value) <= 64:
            fields = [f".{field}" for field in getattr(value, "_fields", ())] or [f"[{i}]" for i in range(len(value))]
            yield from ((name + field, each) for field, each in zip(fields, value, strict=True))
        elif isinstance(value, dict) and len(value) <= 64:
            yield from ((f"{name}[{key}]", each) for key, each in value.items())
        else:
            yield name, value


def _known(closes: Ints, rows: Ints | None, count: int) -> Ints:
    """Return when each row of a line becomes visible."""
    if rows is None:
        return closes
    at = np.searchsorted(rows, np.arange(count))
    return np.append(closes, NEVER_NS)[at]


def interval_words(track: Track) -> str:
    """Return a track's interval as people type it; empty for none."""
    return format_interval(track.interval) if track.interval else ""
