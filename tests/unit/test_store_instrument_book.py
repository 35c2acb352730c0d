"""The instrument book: versions by day, joins, names."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manjha.adapters.files.instrument_shelf import Version, in_force, settle
from manjha.adapters.files.instruments import InstrumentBook
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import Asset, Exchange, Instrument, InstrumentId, Kind, Right, index_id, option_id
from manjha.domain.moments import TradingDay, parse_day
from manjha.domain.money import Px, Qty
from tests.fakes.market_data import share

DAY = parse_day("2021-06-01")
RELIANCE = share()
FINER = msgspec.structs.replace(RELIANCE, tick=Px(100))


def contract(expiry: str, strike: int = 150_000_000, lot: int = 75) -> Instrument:
    ends = parse_day(expiry)
    return Instrument(
        id=option_id("NFO", "NIFTY", ends, Right.CALL, strike),
        symbol=f"NIFTY{expiry}{strike}CE",
        exchange=Exchange.NFO,
        kind=Kind.OPTION,
        asset=Asset.INDEX,
        tick=Px(500),
        lot=Qty(lot),
        underlying="NIFTY",
        expiry=ends,
        strike=Px(strike),
        right=Right.CALL,
    )


def test_a_changed_tick_begins_a_version(tmp_path: Path) -> None:
    book = InstrumentBook(tmp_path)
    book.put([RELIANCE], DAY)
    assert book.put([FINER], TradingDay(DAY + 10)) == 1
    assert [book.get(RELIANCE.id, TradingDay(day)).tick for day in (DAY - 5, DAY + 9, DAY + 10)] == [500, 500, 100]
    assert InstrumentBook(tmp_path).get(RELIANCE.id).tick == 100


def day(number: int) -> TradingDay:
    return TradingDay(DAY + number)


def seen(*accounts: tuple[int, Instrument]) -> list[Version]:
    versions: list[Version] = []
    for number, instrument in accounts:
        versions = settle(versions, instrument, day(number))
    return versions


def test_an_older_file_moves_a_version_back_or_begins_one() -> None:
    assert seen((0, FINER), (-5, FINER)) == [Version(day(-5), DAY, FINER)]
    assert seen((0, FINER), (-5, RELIANCE)) == [Version(day(-5), day(-5), RELIANCE), Version(DAY, DAY, FINER)]


def test_a_change_seen_earlier_moves_the_change() -> None:
    versions = seen((0, RELIANCE), (10, FINER), (4, FINER))
    assert versions == [Version(DAY, DAY, RELIANCE), Version(day(4), day(10), FINER)]


def test_of_one_day_the_later_import_counts() -> None:
    assert seen((0, RELIANCE), (0, FINER)) == [Version(DAY, DAY, FINER)]


def test_what_a_source_does_not_know_is_no_news() -> None:
    named = msgspec.structs.replace(RELIANCE, name="Reliance Industries", freeze=Qty(1800))
    assert seen((0, named), (1, RELIANCE)) == [Version(DAY, day(1), named)]
    assert seen((0, RELIANCE), (1, named)) == [Version(DAY, day(1), named)]


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([100, 500])), unique_by=lambda pair: pair[0], min_size=1))
def test_every_day_that_was_seen_keeps_its_account_in_any_order(accounts: list[tuple[int, int]]) -> None:
    rows = [(number, msgspec.structs.replace(RELIANCE, tick=Px(tick))) for number, tick in accounts]
    versions = seen(*rows)
    for number, instrument in rows:
        assert in_force(versions, day(number)) == instrument
        assert settle(versions, instrument, day(number)) == versions


def test_a_new_isin_of_the_issuer_joins_the_first(tmp_path: Path) -> None:
    book = InstrumentBook(tmp_path)
    after_split = share(isin="INE002A01026")
    book.put([RELIANCE], DAY)
    book.put([after_split], TradingDay(DAY + 10))
    assert book.joins() == {after_split.id: RELIANCE.id}
    assert book.get(after_split.id).id == RELIANCE.id
    assert [book.find("RELIANCE", TradingDay(DAY + n)).isin for n in (0, 10)] == [RELIANCE.isin, after_split.isin]


def test_another_issuer_with_the_symbol_stays_apart(tmp_path: Path) -> None:
    book = InstrumentBook(tmp_path)
    stranger = share(isin="INE999Z01010")
    book.put([RELIANCE, stranger], DAY)
    assert book.joins() == {}
    assert book.get(stranger.id).id == stranger.id


def test_a_symbol_without_isin_means_the_known_isin(tmp_path: Path) -> None:
    book = InstrumentBook(tmp_path)
    book.put([RELIANCE], DAY)
    book.put([share(isin="")], DAY)
    assert book.joins() == {InstrumentId("NSE:RELIANCE"): RELIANCE.id}


def test_a_former_symbol_is_still_found(tmp_path: Path) -> None:
    book = InstrumentBook(tmp_path)
    book.put([msgspec.structs.replace(RELIANCE, symbol="RIL")], DAY)
    book.put([RELIANCE], TradingDay(DAY + 10))
    assert book.find("ril").symbol == "RELIANCE"
    assert book.find("ril", DAY).symbol == "RIL"


def test_contracts_are_found_over_all_months(tmp_path: Path) -> None:
    book = InstrumentBook(tmp_path)
    near, far = contract("2021-06-24"), contract("2021-12-30")
    assert book.put([near, far], DAY) == 2
    assert {path.name for path in tmp_path.glob("*.parquet")} == {"NFO-2021-06.parquet", "NFO-2021-12.parquet"}
    assert book.find(f"nfo:{far.symbol.lower()}") == far
    assert InstrumentBook(tmp_path).get(near.id) == near


def test_an_index_is_found_as_people_write_it(tmp_path: Path) -> None:
    book = InstrumentBook(tmp_path)
    nifty = Instrument(
        id=index_id("NSE", "NIFTY 50"),
        symbol="NIFTY 50",
        exchange=Exchange.NSE,
        kind=Kind.INDEX,
        asset=Asset.INDEX,
        tick=Px(500),
    )
    book.put([nifty], DAY)
    assert book.find("nifty  50") == book.find("NSE:NIFTY 50") == book.find("NSE:#NIFTY 50") == nifty


def test_close_names_are_offered(tmp_path: Path) -> None:
    book = InstrumentBook(tmp_path)
    book.put([RELIANCE], DAY)
    with pytest.raises(UsageError) as caught:
        book.find("RELIANSE")
    assert caught.value.hint == "Did you mean NSE:RELIANCE?"
    with pytest.raises(UsageError, match="unknown") as caught:
        InstrumentBook(tmp_path / "none").find("X")
    assert "manjha data import" in caught.value.hint


def test_a_second_process_sees_what_the_first_put(tmp_path: Path) -> None:
    one, two = InstrumentBook(tmp_path), InstrumentBook(tmp_path)
    one.put([RELIANCE], DAY)
    assert two.get(RELIANCE.id) == RELIANCE
    one.put([FINER], TradingDay(DAY + 1))
    assert two.get(RELIANCE.id) == FINER


@pytest.mark.parametrize("name", ["NSE.parquet", "joins.json"])
def test_a_damaged_file_of_instruments_is_told_by_its_name(tmp_path: Path, name: str) -> None:
    InstrumentBook(tmp_path).put([RELIANCE], DAY)
    (tmp_path / name).write_text("something else")
    with pytest.raises(DataError, match=name) as caught:
        InstrumentBook(tmp_path).find("RELIANCE")
    assert "move it away" in caught.value.hint


def test_a_damaged_file_of_contracts_is_told_where_all_are_looked_through(tmp_path: Path) -> None:
    (tmp_path / "NFO-2021-06.parquet").write_text("something else")
    with pytest.raises(DataError, match="cannot be read"):
        InstrumentBook(tmp_path).find("NFO:NIFTY21JUNFUT")
