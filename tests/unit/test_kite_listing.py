"""Kite's list of the day: name and token of an instrument, and no answer rather than a wrong one."""

import msgspec
import pytest

from manjha.adapters.kite.listing import NOT_LISTED, Listing, Row
from manjha.domain.errors import SourceError
from manjha.exchange.market.listing import Listing as ExchangeListing
from tests.fakes.exchanges import an_exchange


def exchange_listing() -> ExchangeListing:
    return an_exchange().market.listing


def test_each_instrument_has_its_own_name_and_token() -> None:
    theirs = exchange_listing()
    ours = Listing(theirs.dump().encode())
    for one in theirs.all:
        assert ours.row(one.instrument) == Row(str(one.token), one.symbol)
    assert len(ours) >= len(theirs.all)


def test_a_share_of_another_series_is_found_by_the_name_that_it_has() -> None:
    share = next(one.instrument for one in exchange_listing().all if one.symbol == "MANJHA")
    moved = msgspec.structs.replace(share, series="BE")
    head, _, rows = exchange_listing().dump("NSE").partition("\r\n")
    dump = f"{head}\r\n{rows.replace(',MANJHA,', ',MANJHA-BE,', 1)}"
    assert Listing(dump.encode()).row(moved).symbol == "MANJHA-BE"
    assert Listing(f"{head}\r\n".encode()).row(share) == NOT_LISTED


def test_a_list_without_a_column_is_refused() -> None:
    with pytest.raises(SourceError, match="lacks"):
        Listing(b"instrument_token,name\r\n1,A\r\n")
