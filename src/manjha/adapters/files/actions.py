"""Corporate actions in one CSV file that a person can read and a spreadsheet can write."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from manjha.adapters.files.durable import exclusive, write_whole
from manjha.domain.actions import SHARES_MAX, ActionKind, CorporateAction
from manjha.domain.errors import DataError, ManjhaError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import format_day, parse_day
from manjha.domain.money import format_px, parse_px

COLUMNS = ("instrument", "ex_day", "kind", "new_shares", "old_shares", "cash", "known_day", "source")
"""Columns of the file. Only the first three must be there; `cash` is in rupees per old share."""

_REQUIRED = COLUMNS[:3]


class ActionFile:
    """Implements the `CorporateActionSource` port in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def actions(self, instrument: InstrumentId) -> list[CorporateAction]:
        """Return the actions of one instrument by ex-day; see the port."""
        return [action for action in self.all() if action.instrument == instrument]

    def all(self) -> list[CorporateAction]:
        """Return every action, by instrument and ex-day."""
        if not self._path.exists():
            return []
        return list(read_actions(self._path.read_text(encoding="utf-8"), str(self._path), InstrumentId))

    def put(self, actions: Sequence[CorporateAction]) -> int:
        """Record actions; see the port.

        One that names instrument, ex-day and kind of a known one takes its place: ratios and amounts get corrected.
        """
        if not actions:
            return 0
        with exclusive(self._path.with_name(self._path.name + ".lock")):
            stored = self.all()
            known = {_key(action): action for action in stored}
            news = [action for action in actions if known.get(_key(action)) != action]
            if not news:
                return 0
            known.update((_key(action), action) for action in news)
            write_whole(self._path, _text([known[key] for key in sorted(known)]).encode())
            return len(known) - len(stored)


def read_actions(text: str, file: str, resolve: Callable[[str], InstrumentId]) -> Iterator[CorporateAction]:
    """Read actions from CSV; `resolve` makes an id of what stands in the column `instrument`.

    Raises
    ------
    DataError
        A column is missing, or a row cannot be understood; the message names file, row and value.
    """
    reader = csv.DictReader(io.StringIO(text))
    names = tuple(name.strip().lower() for name in reader.fieldnames or ())
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise DataError(
            f"{file}: expected columns {', '.join(_REQUIRED)}, found {', '.join(names) or 'none'}",
            hint=f"Add {', '.join(missing)}; further columns may be {', '.join(COLUMNS[3:])}.",
        )
    for number, row in enumerate(reader, start=1):
        cells = {name: (value or "").strip() for name, value in zip(names, row.values(), strict=False)}
        try:
            yield _action(cells, resolve)
        except (ManjhaError, ValueError) as error:
            message = error.message if isinstance(error, ManjhaError) else str(error)
            hint = error.hint if isinstance(error, ManjhaError) else f"Kinds are {', '.join(ActionKind)}."
            raise DataError(f"{file}: row {number}: {message}", hint=hint) from error


def _action(cells: dict[str, str], resolve: Callable[[str], InstrumentId]) -> CorporateAction:
    new, old = int(cells.get("new_shares") or 1), int(cells.get("old_shares") or 1)
    if not (1 <= new <= SHARES_MAX and 1 <= old <= SHARES_MAX):
        raise DataError(f"expected a ratio of whole shares from 1 to {SHARES_MAX:,}, was {new} for {old}")
    return CorporateAction(
        instrument=resolve(cells["instrument"]),
        ex_day=parse_day(cells["ex_day"]),
        kind=ActionKind(cells["kind"].lower()),
        new_shares=new,
        old_shares=old,
        cash=parse_px(cells.get("cash") or "0"),
        known_day=parse_day(cells["known_day"]) if cells.get("known_day") else None,
        source=cells.get("source", ""),
    )


def _key(action: CorporateAction) -> tuple[str, int, str]:
    return action.instrument, action.ex_day, action.kind


def _text(actions: Sequence[CorporateAction]) -> str:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(COLUMNS)
    for action in actions:
        writer.writerow(
            (
                action.instrument,
                format_day(action.ex_day),
                action.kind,
                action.new_shares,
                action.old_shares,
                format_px(action.cash),
                "" if action.known_day is None else format_day(action.known_day),
                action.source,
            )
        )
    return sink.getvalue()
