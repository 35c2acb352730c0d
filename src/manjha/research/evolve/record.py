"""What an evolution leaves behind, line by line, so that it can go on: rules as text, plain JSON, nothing executed.

The first line says what is bred. Then come the rules that were evaluated, in their order, and after each generation the
state that the next one is bred from. Rules of a generation that is not whole stand there too, and are not evaluated
again.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from manjha.domain.errors import UsageError
from manjha.domain.trials import TrialOutcome

FORMAT = 1
"""Grows when lines mean something else."""


class RuleRow(msgspec.Struct, frozen=True):
    """A rule, the generation that it came up in, and what came of it; NaN where the objective is not defined."""

    text: str
    size: int
    generation: int
    value: float
    outcome: TrialOutcome


class Began(msgspec.Struct, frozen=True, tag="began"):
    """What is bred: what decides the course, by the words that a user knows it by."""

    terms: dict[str, str]
    format: int = FORMAT


class KeptRow(msgspec.Struct, frozen=True):
    """A row; the value as text, because JSON knows neither NaN nor infinity."""

    text: str
    size: int
    value: str
    outcome: TrialOutcome


class Tried(msgspec.Struct, frozen=True, tag="tried"):
    """Rules of one generation that were evaluated and recorded; `new` of them the ledger had not seen."""

    generation: int
    rows: tuple[KeptRow, ...]
    new: int


class HerdState(msgspec.Struct, frozen=True):
    """The trees of a generation as DEAP's text, and the state of the generator that the next one is bred with."""

    trees: tuple[str, ...]
    chance: tuple[int, ...]


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """A generation that is evaluated whole: its mean size, how many of it had come up before, and its herd."""

    generation: int
    mean_size: float
    repeated: int
    herd: HerdState


class Wrote(msgspec.Struct, frozen=True, tag="wrote"):
    """The strategy files that are about to be written to a folder: name to SHA-256 (hex)."""

    folder: str
    files: dict[str, str]


Line = Began | Tried | Finished | Wrote


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal says of an evolution. `terms` is None where nothing was begun, `tried` has a row once."""

    terms: dict[str, str] | None = None
    tried: tuple[Tried, ...] = ()
    finished: tuple[Finished, ...] = ()

    def until(self, generation: int) -> "Past":
        """Return what an evolution of so many generations would have left by now."""
        tried = tuple(line for line in self.tried if line.generation <= generation)
        return msgspec.structs.replace(self, tried=tried, finished=self.finished[:generation])

    @property
    def rows(self) -> list[RuleRow]:
        """The rules that were evaluated, in their order."""
        return [
            RuleRow(row.text, row.size, line.generation, float(row.value), row.outcome)
            for line in self.tried
            for row in line.rows
        ]

    @property
    def new(self) -> int:
        """How many of them the ledger had not seen before."""
        return sum(line.new for line in self.tried)


def tried(generation: int, rows: Sequence[RuleRow], new: int) -> Tried:
    """Return the line of some rows of a generation."""
    return Tried(generation, tuple(KeptRow(r.text, r.size, repr(float(r.value)), r.outcome) for r in rows), new)


def write(line: Line) -> bytes:
    """Return a line as JSON."""
    return msgspec.json.encode(line)


def read(lines: Sequence[bytes], study: str) -> Past:
    """Return what a journal says.

    Raises
    ------
    UsageError
        It is no journal of an evolution, or of another version of Manjha.
    """
    past = Past()
    found: list[Tried] = []
    finished: list[Finished] = []
    _require_ours(lines, study)
    try:
        for number, text in enumerate(lines):
            line = msgspec.json.decode(text, type=Line)
            _hold((number == 0) is isinstance(line, Began), number)
            match line:
                case Began():
                    _hold(line.format == FORMAT, number)
                    past = Past(terms=line.terms)
                case Tried():
                    _hold(line.generation == len(finished) + 1, number)
                    found.append(line)
                case Finished():
                    _hold(line.generation == len(finished) + 1, number)
                    finished.append(line)
                case Wrote():
                    pass
    except ValueError as error:  # what msgspec raises is one too
        raise UsageError(
            f"the study {study} cannot be read: expected the journal of an evolution, {error}",
            hint="Give --study another name, or --fresh to begin it anew.",
        ) from error
    return msgspec.structs.replace(past, tried=tuple(found), finished=tuple(finished))


def read_files(lines: Sequence[bytes], study: str) -> list[Wrote]:
    """Return only which files were written, of a journal that may be of another version otherwise.

    Raises
    ------
    UsageError
        It is the journal of something else.
    """
    _require_ours(lines, study)
    found = []
    for text in lines:
        with suppress(ValueError):
            found.append(msgspec.json.decode(text, type=Wrote))
    return found


def _require_ours(lines: Sequence[bytes], study: str) -> None:
    if lines and not lines[0].startswith(b'{"type":"began"'):
        raise UsageError(f"the study {study} is none of bred rules", hint="Give --study another name.")


def _hold(is_right: bool, number: int) -> None:  # noqa: FBT001 - reads as an assertion
    if not is_right:
        raise ValueError(f"line {number + 1} is out of place, or of another version")


def require_same(was: Mapping[str, str], now: Mapping[str, str], study: str) -> None:
    """Raise `UsageError` where a study was begun with other terms; the first that differs is named."""
    for name in {**was, **now}:
        one, other = was.get(name, "none"), now.get(name, "none")
        if one != other:
            raise UsageError(
                f"the study {study} was begun with {name} {one}, now it is {other}",
                hint="Repeat the command that it was begun with, give --study another name, or --fresh to begin anew.",
            )
