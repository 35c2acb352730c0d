"""Kite's dump of instruments: today's token of each, found by what names it for good."""

import csv
import io
from typing import NamedTuple

from manjha.domain.errors import SourceError
from manjha.domain.instrument import Instrument, Kind
from manjha.domain.moments import format_day
from manjha.domain.money import RUPEE

Key = tuple[str, ...]


class Row(NamedTuple):
    """An instrument on Kite's list: its token and its trading symbol of today."""

    token: str
    symbol: str


NOT_LISTED = Row("", "")


class Listing:
    """The tokens of one exchange today. They are never kept longer: Kite uses them again after expiry."""

    def __init__(self, dump: bytes) -> None:
        rows = csv.DictReader(io.StringIO(dump.decode("utf-8-sig", "replace")))
        absent = {"instrument_token", "tradingsymbol", "segment", "name", "expiry", "strike"} - set(
            rows.fieldnames or ()
        )
        if absent:
            raise SourceError(
                f"Kite's list of instruments lacks {', '.join(sorted(absent))}",
                hint="Run the same command again later.",
            )
        self._rows: dict[Key, Row] = {}
        for row in rows:
            found = Row(row["instrument_token"] or "", row["tradingsymbol"] or "")
            for key in _keys(row):
                self._rows[key] = found

    def __len__(self) -> int:
        return len(self._rows)

    def token(self, instrument: Instrument) -> str:
        """Return the token of an instrument, empty where Kite does not list it today."""
        return self.row(instrument).token

    def row(self, instrument: Instrument) -> Row:
        """Return the row of an instrument; `NOT_LISTED` where Kite does not list it today."""
        wanted: list[Key]
        if instrument.expiry is not None:
            strike = "" if instrument.strike is None else str(int(instrument.strike))
            kind = str(instrument.right or "FUT")
            wanted = [(instrument.underlying, format_day(instrument.expiry), kind, strike)]
        elif instrument.kind is Kind.INDEX:
            wanted = [("INDICES", instrument.symbol)]
        else:
            # NSE writes a series other than EQ behind the symbol.
            wanted = [("", instrument.symbol), ("", f"{instrument.symbol}-{instrument.series}")]
        return next((self._rows[key] for key in wanted if key in self._rows), NOT_LISTED)


def _keys(row: dict[str, str]) -> list[Key]:
    """Return the keys that a row is found by; a row that no key fits is none of ours."""
    kind = row.get("instrument_type", "")
    if kind in ("FUT", "CE", "PE"):
        try:
            strike = "" if kind == "FUT" else str(round(float(row["strike"]) * RUPEE))
        except ValueError:
            return []
        return [(row["name"].strip('"').upper(), row["expiry"], kind, strike)]
    return [("INDICES" if row["segment"] == "INDICES" else "", row["tradingsymbol"])]
