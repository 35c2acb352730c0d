"""What is said about a file beside its bars: rows not taken, each with a reason, and notes."""

from collections import Counter

import polars as pl

from manjha.adapters.formats.tabular import LINE_MAX, Table
from manjha.domain.errors import DataError
from manjha.ports.market_data import Quarantined

LISTED_MAX = 100_000
"""Quarantined rows kept with their text; more are only counted, so that a bad file cannot eat the memory."""


class Findings:
    """Collects the notes and the quarantined rows of one file."""

    def __init__(self, table: Table, file: str) -> None:
        self.table = table
        self.file = file
        self.notes: list[str] = []
        self.reasons: Counter[str] = Counter()
        self._listed: list[Quarantined] = []

    @property
    def count(self) -> int:
        """How many rows were quarantined, listed or not."""
        return self.reasons.total()

    def note(self, text: str) -> None:
        """Add a sentence for the user, once."""
        if text not in self.notes:
            self.notes.append(text)

    def leave_out(self, count: int, what: str) -> None:
        """Note rows that are well formed but no bars ("113 rows of contracts without a trade")."""
        if count:
            self.note(f"{count:,} {what} left out")

    def split(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Quarantine the rows whose `reason` is not null; return the others without that column."""
        bad = frame.filter(pl.col("reason").is_not_null()).select("row", "reason")
        if not bad.height:
            return frame.drop("reason")
        for reason, count in bad["reason"].value_counts().iter_rows():
            self.reasons[reason] += count
        self._list(bad.sort("row").head(max(LISTED_MAX - len(self._listed), 0)))
        return frame.filter(pl.col("reason").is_null()).drop("reason")

    def refuse_if_mostly_bad(self, offered: int) -> None:
        """Raise `DataError` where more than half of the rows were quarantined: it is not the file that it seems."""
        if 2 * self.count <= offered or not offered:
            return
        reason, count = self.reasons.most_common(1)[0]
        example = min((one for one in self._listed if one.reason == reason), key=lambda one: one.row)
        raise DataError(
            f"{self.file}: refused, {self.count:,} of {offered:,} rows are bad; {count:,} times: {reason} "
            f"(first in row {example.row}: {example.text})",
            hint="The columns may be mislabelled or scaled; compare a row with the exchange's own file of that day.",
        )

    def result(self) -> tuple[Quarantined, ...]:
        """Return the listed rows by row number, and note it where not all are listed."""
        if self.count > len(self._listed):
            self.note(f"{self.count:,} rows quarantined; the first {len(self._listed):,} are listed")
        return tuple(sorted(self._listed, key=lambda one: one.row))

    def _list(self, bad: pl.DataFrame) -> None:
        rows = self.table.frame[(bad["row"] - 1).to_list()] if bad.height else self.table.frame.head(0)
        cells = [pl.col(name).cast(pl.String).str.strip_chars().fill_null("") for name in rows.columns]
        texts = rows.select(pl.concat_str(cells, separator=",").str.slice(0, LINE_MAX)).to_series()
        self._listed.extend(
            Quarantined(self.file, row, reason, text)
            for (row, reason), text in zip(bad.iter_rows(), texts, strict=True)
        )
