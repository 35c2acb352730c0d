"""What the first bytes of a file say: its columns and its first row. Enough to recognise a format."""

import csv
import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

HEAD_BYTES = 64 * 1024
PARQUET_MAGIC = b"PAR1"
_DELIMITERS = (",", ";", "\t", "|")
_YFINANCE_FIRST = ("price", "close", "open", "high", "low", "volume", "adjclose", "")


class Sketch(msgspec.Struct, frozen=True):
    """Columns by token (see `token`) in file order, the first row by token, and how many lines come before the data."""

    columns: tuple[str, ...] = ()
    first: dict[str, str] = {}
    header_lines: int = 0
    delimiter: str = ","
    tickers: tuple[str, ...] = ()
    headerless: bool = False

    def has(self, *tokens: str) -> bool:
        """Tell whether all these columns are there."""
        return set(tokens) <= set(self.columns)


def token(name: str) -> str:
    """Reduce a column's name to what publishers agree on: "OPEN_INT*" and "Open Int" are both "openint"."""
    return re.sub(r"[^a-z0-9%]", "", name.lower())


def tokens(names: Iterable[str]) -> tuple[str, ...]:
    """Reduce the names of all columns; an empty or repeated one becomes a number, so that each is unique."""
    seen: dict[str, None] = {}
    for place, name in enumerate(names):
        key = token(name)
        seen[key if key and key not in seen else f"_{place}"] = None
    return tuple(seen)


def is_parquet(head: bytes) -> bool:
    """Tell whether a file is Parquet."""
    return head.startswith(PARQUET_MAGIC)


def is_json(head: bytes) -> bool:
    """Tell whether a file is JSON: an object or a list."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


@lru_cache(maxsize=4)
def sketch_of(head: bytes) -> Sketch:
    """Sketch delimited text; of anything else an empty sketch."""
    if is_parquet(head) or is_json(head) or b"\0" in head:
        return Sketch()
    text = head[:HEAD_BYTES].decode("utf-8-sig", errors="replace")
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if line.strip(" \r\t,;")), -1)
    if start < 0:
        return Sketch()
    delimiter = next((d for d in _DELIMITERS if d in lines[start]), ",")
    rows = [_cells(line, delimiter) for line in lines[start : start + 4]]
    if _is_headerless(rows[0]):
        return _headerless(rows, start)
    if len(rows) > 2 and _is_yfinance(rows):
        return _multi_header(rows, start, delimiter)
    columns = tokens(rows[0])
    data = next((row for row in rows[1:] if any(row)), [])
    return Sketch(columns, dict(zip(columns, data, strict=False)), start + 1, delimiter)


HEADERLESS = ("symbol", "date", "time", "open", "high", "low", "close", "volume", "oi")


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        row = next(csv.reader([line.strip("\r")], delimiter=delimiter), [])
    except csv.Error:
        row = line.split(delimiter)
    return [cell.strip() for cell in row]


def _is_headerless(row: list[str]) -> bool:
    return (
        len(row) >= 7
        and re.fullmatch(r"\d{8}", row[1]) is not None
        and re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", row[2]) is not None
        and all(re.fullmatch(r"-?\d+(\.\d+)?", cell) for cell in row[3:7])
    )


def _headerless(rows: list[list[str]], start: int) -> Sketch:
    columns = HEADERLESS[: len(rows[0])]
    return Sketch(columns, dict(zip(columns, rows[0], strict=False)), start, ",", headerless=True)


def _is_yfinance(rows: list[list[str]]) -> bool:
    """yf.download writes the fields, then the tickers, then a line that only names the index."""
    fields, tickers, index = rows[0], rows[1], rows[2]
    return (
        token(tickers[0] if tickers else "") in {"ticker", ""}
        and all(token(cell) in _YFINANCE_FIRST for cell in fields)
        and len(fields) > 4
        and bool(index)
        and token(index[0]) in {"date", "datetime"}
        and not any(index[1:])
    )


def _multi_header(rows: list[list[str]], start: int, delimiter: str) -> Sketch:
    fields, tickers = rows[0], rows[1]
    width = max(len(fields), len(tickers))
    names = [token(rows[2][0])]
    for place in range(1, width):
        field = token(fields[place]) if place < len(fields) else ""
        names.append(f"{field}@{tickers[place]}" if place < len(tickers) else f"_{place}")
    found = tuple(dict.fromkeys(ticker for ticker in tickers[1:] if ticker))
    first = dict(zip(names, rows[3], strict=False)) if len(rows) > 3 else {}
    return Sketch(tuple(names), first, start + 3, delimiter, found)
