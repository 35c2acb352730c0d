"""Laws of the Parquet store: what goes in comes out, once, however it was cut into batches."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.adapters.files.bar_store import ParquetBarStore
from manjha.adapters.files.rows import merge, no_rows
from manjha.domain.bars import DAY, MINUTE, Bar, Interval
from manjha.domain.instrument import Instrument
from manjha.domain.moments import MINUTE_NS, TsNs, at, parse_day
from manjha.domain.money import Px, Qty
from manjha.ports.market_data import WriteReport
from tests.fakes.market_data import RAW, MemoryBarStore, batch, listed, share

EVER = (0, 2**62)
SHARES = [share(f"S{i}", f"INE00{i}A01010") for i in range(3)]
START = at(parse_day("2020-12-30"), 0)
Rows = list[tuple[int, Bar]]

px = st.integers(1, 10**12)
amount = st.integers(0, 2**53)


@st.composite
def bars(draw: st.DrawFn, least: int = 1) -> Rows:
    """Bars of up to three shares around a turn of the year, each key once."""
    keys = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), min_size=least, max_size=30, unique=True))
    return [(code, draw(bar_at(slot))) for code, slot in keys]


@st.composite
def bar_at(draw: st.DrawFn, slot: int) -> Bar:
    opened = START + slot * 180 * MINUTE_NS
    close = draw(st.sampled_from([opened + MINUTE_NS, opened + 180 * MINUTE_NS]))
    opening, high, low, last = (Px(draw(px)) for _ in range(4))
    return Bar(TsNs(opened), TsNs(close), opening, high, low, last, Qty(draw(amount)), Qty(draw(amount)))


def write(
    store: ParquetBarStore | MemoryBarStore, rows: Rows, interval: Interval, *, replace: bool = False
) -> WriteReport:
    by_share = dict[Instrument, list[Bar]]((one, []) for one in SHARES)
    for code, bar in sorted(rows, key=lambda pair: pair[1].ts_open_ns):
        by_share[SHARES[code]].append(bar)
    return store.write(batch(by_share, interval), RAW, replace=replace)


def content(store: ParquetBarStore | MemoryBarStore, interval: Interval) -> list[list[Bar]]:
    return [listed(columns) for columns in store.read_many([one.id for one in SHARES], interval, *EVER)]


def files(folder: str) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*.parquet")}


@settings(max_examples=25)
@given(bars(), st.sampled_from([MINUTE, DAY]))
def test_reading_gives_back_what_was_written(rows: Rows, interval: Interval) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = ParquetBarStore(Path(folder))
        assert write(store, rows, interval).added == len(rows)
        expected = [[bar for c, bar in sorted(rows, key=lambda r: r[1].ts_open_ns) if c == code] for code in range(3)]
        assert content(store, interval) == expected
        assert content(store, interval) == expected  # The second time from mapped columns.
        assert store.verify() == []


@settings(max_examples=25)
@given(bars(), st.sampled_from([MINUTE, DAY]))
def test_writing_twice_leaves_the_same_files(rows: Rows, interval: Interval) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = ParquetBarStore(Path(folder))
        write(store, rows, interval)
        before = files(folder)
        assert write(store, rows, interval).unchanged == len(rows)
        assert files(folder) == before


@settings(max_examples=25)
@given(st.data(), bars(least=4), st.sampled_from([MINUTE, DAY]))
def test_any_cut_into_batches_gives_the_same_files(data: st.DataObject, rows: Rows, interval: Interval) -> None:
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(1, len(rows) - 1))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        write(ParquetBarStore(Path(one)), rows, interval)
        pieces = ParquetBarStore(Path(two))
        write(pieces, shuffled[:cut], interval)
        write(pieces, shuffled[cut:], interval)
        assert {Path(name).relative_to(one): data for name, data in files(one).items()} == {
            Path(name).relative_to(two): data for name, data in files(two).items()
        }


@settings(max_examples=40)
@given(bars(), bars(), st.booleans())
def test_parquet_and_memory_agree_on_every_count(first: Rows, second: Rows, replace: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        parquet, memory = ParquetBarStore(Path(folder)), MemoryBarStore()
        for rows in (first, second):
            reports = [write(store, rows, MINUTE, replace=replace) for store in (parquet, memory)]
            counts = [(r.added, r.unchanged, r.conflicting, r.replaced) for r in reports]
            assert counts[0] == counts[1]
            assert sum(counts[0]) == len(rows)
        assert content(parquet, MINUTE) == content(memory, MINUTE)


def test_merging_nothing_gives_nothing() -> None:
    merged = merge(no_rows(), no_rows(), replace=False, limit=10)
    assert (len(merged.rows), merged.added, merged.conflicting) == (0, 0, 0)
