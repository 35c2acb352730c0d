"""Corporate actions that a person wrote down: one row an action, in the columns that the store keeps too."""

from manjha.adapters.formats.reading import Reading, TableFormat
from manjha.adapters.formats.sketch import Sketch
from manjha.domain.actions import SHARES_MAX, ActionKind, CorporateAction
from manjha.domain.errors import DataError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import format_day, parse_day
from manjha.domain.money import Px, parse_px
from manjha.ports.market_data import Imported

_REQUIRED = ("instrument", "exday", "kind")
_OPTIONAL = ("newshares", "oldshares", "cash", "knownday", "source")
_RATIOS = (ActionKind.SPLIT, ActionKind.BONUS, ActionKind.RIGHTS)
_AMOUNTS = (ActionKind.DIVIDEND, ActionKind.SPECIAL_DIVIDEND, ActionKind.RIGHTS, ActionKind.DEMERGER)


def _recognise(sketch: Sketch) -> bool:
    return sketch.has(*_REQUIRED)


def _read(reading: Reading) -> Imported:
    """Read every row or none: an action that was left out would falsify every run across it."""
    names = [name for name in (*_REQUIRED, *_OPTIONAL) if reading.table.has(name)]
    columns = {name: reading.table.text(name).to_list() for name in names}
    actions: list[CorporateAction] = []
    for row in range(reading.table.rows):
        cells = {name: column[row] for name, column in columns.items()}
        try:
            actions.append(_action(cells))
        except (DataError, ValueError) as error:
            raise DataError(
                f"{reading.file}: row {row + 1}: {error}",
                hint="Correct it; nothing of the file was taken. docs/formats.md says what each column holds.",
            ) from None
    return reading.imported((), (), actions=actions)


def _action(cells: dict[str, str]) -> CorporateAction:
    try:
        kind = ActionKind(cells["kind"].lower())
    except ValueError:
        raise DataError(f"expected a kind of {', '.join(ActionKind)}, was {cells['kind']!r}") from None
    new, old = _shares(cells.get("newshares", "")), _shares(cells.get("oldshares", ""))
    cash = parse_px(cells["cash"]) if cells.get("cash") else Px(0)
    if kind in _RATIOS and new == old:
        raise DataError(f"expected new_shares other than old_shares for a {kind}, was {new} for {old}")
    if kind in _AMOUNTS and cash <= 0:
        raise DataError(f"expected an amount of cash a share for a {kind}, was {cells.get('cash', '') or 'none'}")
    ex_day = parse_day(cells["exday"])
    known = parse_day(cells["knownday"]) if cells.get("knownday") else None
    if known is not None and known > ex_day:
        raise DataError(f"expected a known_day on or before the ex_day {format_day(ex_day)}, was {format_day(known)}")
    if not cells["instrument"]:
        raise DataError("expected an instrument, was none")
    return CorporateAction(
        # As people type it; who stores it knows the id.
        instrument=InstrumentId(cells["instrument"]),
        ex_day=ex_day,
        kind=kind,
        new_shares=new,
        old_shares=old,
        cash=cash,
        known_day=known,
        source=cells.get("source", "") or "user",
    )


def _shares(text: str) -> int:
    if not text:
        return 1
    if not text.isdecimal() or not 1 <= int(text[:20]) <= SHARES_MAX:
        raise DataError(f"expected a whole number of shares from 1 to {SHARES_MAX:,}, was {text!r}")
    return int(text)


FORMATS = (TableFormat("corporate-actions", _recognise, _read),)
