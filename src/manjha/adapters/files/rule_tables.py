"""Loads the dated tables of the market, with a user's rows laid over them, into one `MarketRules` value.

The tables that ship lie in `manjha.market.tables`. A user's TOML file holds rows of the same shapes: a row whose key
columns equal those of a shipped row changes the columns it names, any other row is added. `[flat_fee] pct = "0.001"`
replaces all charges by one brokerage without cap; `[meta] to = "2027-12-31"` extends the calendar.
"""

import csv
import tomllib
from datetime import date, time
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from manjha.adapters.files.rule_fields import HOW_TO_WRITE, Fields
from manjha.adapters.files.rule_shapes import CHARGE_SEGMENTS, EXCHANGE_SEGMENTS, EXCHANGES, TABLES
from manjha.domain.errors import SettingsError
from manjha.domain.moments import TradingDay
from manjha.market.rules import MarketRules, sealed

_FORMAT = {"source": "user override", "confidence": "user"}
"""What a user's row rests on where it does not say."""
_FLAT = "user override: flat fee"
_ALWAYS = ("source", "confidence", "note")
_SINGLES = {"meta": ("from", "to", "as_of"), "flat_fee": ("pct",)}


class _Row(msgspec.Struct):
    """A row as it stands, and where it stands."""

    where: str
    cells: dict[str, object]


_Tables = dict[str, list[_Row]]


def load_rules(overrides: Path | None = None) -> MarketRules:
    """Return the rules that ship with the package, with the user's file laid over them.

    Raises
    ------
    SettingsError
        The file cannot be read, names a table or column that does not exist, or holds a value that is no such thing.
    """
    tables, meta = _shipped()
    if overrides is not None:
        _lay_over(tables, meta, _read_user_file(overrides), overrides.name)
    return _built(tables, meta)


def _shipped() -> tuple[_Tables, _Row]:
    folder = resources.files("manjha.market") / "tables"
    found: dict[str, list[dict[str, object]]] = {}
    for name in sorted({table.file for table in TABLES.values()}):
        text = (folder / name).read_text("utf-8")
        if name.endswith(".toml"):
            found |= tomllib.loads(text)
        else:
            found[name.removesuffix(".csv")] = list(csv.DictReader(text.splitlines()))
    meta = _Row("meta", tomllib.loads((folder / "meta.toml").read_text("utf-8"))["meta"])
    return {name: [_Row(f"{name}[{i}]", row) for i, row in enumerate(found[name])] for name in TABLES}, meta


def _read_user_file(path: Path) -> dict[str, Any]:
    try:
        # Floats stay text, so that 0.0003 written without quotes is exact as well.
        return tomllib.loads(path.read_text("utf-8"), parse_float=str)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"cannot read the rules file {path}: {error}", hint="Check the path and its rights."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name} is no TOML: {error}", hint=HOW_TO_WRITE) from error


def _lay_over(tables: _Tables, meta: _Row, user: dict[str, Any], file: str) -> None:
    # The flat fee first, so that rows of the same file still count.
    for name, value in sorted(user.items(), key=lambda item: item[0] not in _SINGLES):
        where = f"{file}: {name}"
        if name in _SINGLES:
            cells = _cells(value, where, _SINGLES[name])
            if name == "meta":
                meta.where, meta.cells = where, meta.cells | cells
            else:
                _charge_flat_fee(tables, _Row(where, cells))
        elif name in TABLES:
            if not isinstance(value, list):
                raise SettingsError(f"{where}: expected rows, written [[{name}]]", hint=HOW_TO_WRITE)
            for i, row in enumerate(value):
                _lay_row(tables[name], name, f"{where}[{i}]", row)
        else:
            raise _unknown(where, name, (*TABLES, *_SINGLES), "table")


def _lay_row(rows: list[_Row], name: str, where: str, value: object) -> None:
    table = TABLES[name]
    cells = _cells(value, where, (*table.key, *table.columns, *_ALWAYS))
    for column in table.key:
        if column not in cells and column != "underlyings":
            raise SettingsError(f"{where}.{column} is missing: it tells which row is meant", hint=HOW_TO_WRITE)
    key = [str(cells.get(column, "")) for column in table.key]
    for row in rows:
        if [str(row.cells.get(column, "")) for column in table.key] == key:
            row.where, row.cells = where, row.cells | _FORMAT | cells
            return
    rows.append(_Row(where, _FORMAT | cells))


def _cells(value: object, where: str, columns: tuple[str, ...]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise SettingsError(f"{where}: expected a row with columns {', '.join(columns)}", hint=HOW_TO_WRITE)
    for column in value:
        if column not in columns:
            raise _unknown(f"{where}.{column}", column, columns, "column")
    return {column: _plain(cell) for column, cell in value.items()}


def _plain(cell: object) -> object:
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, time):
        return cell.isoformat("minutes")
    return str(cell) if isinstance(cell, int) and not isinstance(cell, bool) else cell


def _unknown(where: str, name: str, known: tuple[str, ...], what: str) -> SettingsError:
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
    return SettingsError(f"{where}: no such {what}", hint=f"{hint} {HOW_TO_WRITE}")


def _charge_flat_fee(tables: _Tables, fee: _Row) -> None:
    """Replace all charges by one brokerage on each side, on all days."""
    ever = {"from": "1990-01-01", "to": "", **_FORMAT, "source": _FLAT}
    none = {"rate": "0", "ipft": "0", "agri_rate": "0", "amount": "0", "buy": "0", "sell": "0"}
    brokerage = {"kind": "pct", "pct": fee.cells.get("pct", "")}
    names = {str(row.cells["name"]) for row in tables["fee"]}
    rows: dict[str, list[dict[str, object]]] = {
        "brokerage": [{"segment": s, **ever, **brokerage} for s in CHARGE_SEGMENTS],
        "stt": [{"segment": s, **ever, **none} for s in CHARGE_SEGMENTS],
        "stamp": [{"segment": s, **ever, **none} for s in CHARGE_SEGMENTS],
        "stt_exercise": [{"segment": s, "base": "intrinsic", **ever, **none} for s in CHARGE_SEGMENTS],
        "exchange": [{"exchange": e, "segment": s, **ever, **none} for e in EXCHANGES for s in EXCHANGE_SEGMENTS],
        "bse_group": [],
        "sebi": [{**ever, **none}],
        "gst": [{"on_sebi": True, **ever, **none}],
        "dp": [{**ever, **none}],
        "fee": [{"name": name, **ever, **none} for name in sorted(names)],
    }
    for name, cells in rows.items():
        tables[name] = [_Row(fee.where, row) for row in cells]


def _built(tables: _Tables, meta: _Row) -> MarketRules:
    span = Fields(meta.where, meta.cells, TradingDay(0))
    first, last = span.day("from"), span.day("to")
    if last < first:
        raise span.wrong("to", "a date not before from", span.text("to"))
    made: dict[str, Any] = {
        name: tuple(table.make(Fields(row.where, row.cells, last)) for row in tables[name])
        for name, table in TABLES.items()
    }
    days = _trading_days(made, first, last)
    round_notes = all(row.basis.source != _FLAT for row in made["gst"])
    return sealed(MarketRules(first=first, last=last, trading_days=days, round_notes=round_notes, **made))


def _trading_days(made: dict[str, Any], first: int, last: int) -> tuple[TradingDay, ...]:
    closed = {row.day for row in made["holidays"]}
    special = {row.day for row in made["special_sessions"] if "NSE" in row.exchanges}
    # Day 0 was a Thursday, so that day + 3 counts from a Monday.
    weekdays = {day for day in range(first, last + 1) if (day + 3) % 7 < 5}
    return tuple(TradingDay(day) for day in sorted(weekdays - closed | special) if first <= day <= last)
