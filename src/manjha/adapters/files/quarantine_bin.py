"""Rows that were not taken, one CSV file for each file that they came from."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from manjha.adapters.files.durable import write_whole
from manjha.ports.market_data import Quarantined


class QuarantineFolder:
    """Implements the `QuarantineBin` port in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, sha256: str, rows: Sequence[Quarantined]) -> str:
        """Write the rows of a file; see the port."""
        path = self._folder / f"{sha256}.csv"
        sink = io.StringIO()
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(("file", "row", "reason", "text"))
        writer.writerows((row.file, row.row, row.reason, row.text) for row in rows)
        write_whole(path, sink.getvalue().encode())
        return str(path)
