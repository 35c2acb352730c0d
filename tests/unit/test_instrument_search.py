"""Instruments are found by part of their names, the nearest first, whole and once however small the pages are."""

from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.instrument import Exchange, Instrument, Kind
from manjha.services.instrument_search import FRESH_NS, InstrumentSearch, Rank, Wanted
from tests.fakes.market_data import JumpingClock, share

SYMBOLS = ("RELIANCE", "RELIANCEPP", "NRELC", "TCS", "REL")
LISTED = [share(symbol, f"INE{number:09}") for number, symbol in enumerate(SYMBOLS)]
LISTED += [share("TCS", "INE900000000", Exchange.BSE)]


class Book:
    """Instruments that may become more."""

    def __init__(self) -> None:
        self.listed = list(LISTED)

    def all(self) -> list[Instrument]:
        """Return them all."""
        return self.listed


def searched(clock: JumpingClock | None = None, book: Book | None = None) -> InstrumentSearch:
    return InstrumentSearch(book or Book(), clock or JumpingClock(0))  # type: ignore[arg-type]


def names(found: tuple[list[Instrument], Rank | None]) -> list[str]:
    return [one.symbol for one in found[0]]


def test_the_symbol_itself_comes_first_then_what_begins_with_it() -> None:
    assert names(searched().page(Wanted("rel"), None, 10)) == ["REL", "RELIANCE", "RELIANCEPP", "NRELC"]
    assert names(searched().page(Wanted("bse:tcs"), None, 10)) == ["TCS"]


def test_an_exchange_and_a_kind_narrow_it() -> None:
    assert names(searched().page(Wanted("TCS", Exchange.BSE), None, 10)) == ["TCS"]
    assert names(searched().page(Wanted("", None, Kind.INDEX), None, 10)) == []


@given(text=st.sampled_from(["", "R", "REL", "tcs", "NSE", "nothing"]), limit=st.integers(1, 7))
def test_pages_are_the_whole_list_in_order_and_each_once(text: str, limit: int) -> None:
    search = searched()
    whole, _ = search.page(Wanted(text), None, 1000)
    seen, after = list[Instrument](), None
    for _ in range(len(LISTED) + 1):
        page, after = search.page(Wanted(text), after, limit)
        seen += page
        if after is None:
            break
    assert seen == whole
    assert {one.id for one in whole} == {
        one.id for one in LISTED if text.upper() in f"{one.display}\n{one.name}".upper()
    }


def test_what_is_imported_shows_after_a_moment() -> None:
    clock, book = JumpingClock(0), Book()
    search = searched(clock, book)
    assert names(search.page(Wanted("NEW"), None, 10)) == []
    book.listed.append(share("NEW", "INE999999999"))
    assert names(search.page(Wanted("NEW"), None, 10)) == []
    clock.now = FRESH_NS
    assert names(search.page(Wanted("NEW"), None, 10)) == ["NEW"]
