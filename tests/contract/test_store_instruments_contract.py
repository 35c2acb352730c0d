"""What every source of instruments does."""

from pathlib import Path

import msgspec
import pytest

from manjha.adapters.files.instruments import InstrumentBook
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Exchange, InstrumentId
from manjha.domain.moments import TradingDay, parse_day
from manjha.ports.market_data import InstrumentSource
from tests.fakes.market_data import MemoryInstruments, share

DAY = parse_day("2021-06-01")
RELIANCE = share()


@pytest.fixture(params=["book", "memory"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> InstrumentSource:
    return InstrumentBook(tmp_path) if request.param == "book" else MemoryInstruments()


def test_what_was_put_is_found_by_id_and_by_name(book: InstrumentSource) -> None:
    assert book.put([RELIANCE], DAY) == 1
    assert book.get(RELIANCE.id) == RELIANCE
    for name in ("NSE:RELIANCE", "nse:reliance", "Reliance", RELIANCE.id):
        assert book.find(name) == RELIANCE


def test_the_same_again_is_no_news(book: InstrumentSource) -> None:
    book.put([RELIANCE], DAY)
    assert book.put([RELIANCE], DAY) == 0
    assert list(book.all()) == [RELIANCE]


def test_a_bare_symbol_means_nse_first(book: InstrumentSource) -> None:
    other = share(exchange=Exchange.BSE)
    book.put([other, RELIANCE], DAY)
    assert book.find("reliance") == RELIANCE
    assert book.find("BSE:RELIANCE") == other


def test_unknown_names_are_refused(book: InstrumentSource) -> None:
    book.put([RELIANCE], DAY)
    for unknown in ("RELIANSE", "NSE:NOSUCH", "", ":", "../etc"):
        with pytest.raises(UsageError, match="unknown instrument"):
            book.find(unknown)
    with pytest.raises(UsageError, match="NSE:NOSUCH"):
        book.get(InstrumentId("NSE:NOSUCH"))


def test_an_id_by_symbol_joins_the_isin(book: InstrumentSource) -> None:
    by_symbol = msgspec.structs.replace(RELIANCE, id=InstrumentId("NSE:RELIANCE"), isin="")
    book.put([by_symbol], DAY)
    book.put([RELIANCE], TradingDay(DAY + 1))
    assert dict(book.joins()) == {by_symbol.id: RELIANCE.id}
    assert book.get(by_symbol.id).id == RELIANCE.id
    assert [one.id for one in book.all()] == [RELIANCE.id]
