"""What every source of history does. A new source is added to `SOURCES` with a way to make it."""

from collections.abc import Callable, Mapping

import pytest

from manjha.adapters.exchanges.history import DailyFiles, bse_path, nse_path
from manjha.adapters.kite.history import KiteHistory
from manjha.adapters.yahoo.history import YahooHistory
from manjha.domain.bars import DAY
from manjha.domain.errors import SourceError
from manjha.domain.moments import TradingDay, parse_day
from manjha.ports.downloads import Reply
from manjha.ports.market_data import FetchRequest, HistorySource
from tests.fakes.market_data import ScriptedSource, share

MONDAY = parse_day("2021-06-07")
REQUEST = FetchRequest(share(), DAY, MONDAY, TradingDay(MONDAY + 11))
SPANS = [(MONDAY, TradingDay(MONDAY + 1)), (TradingDay(MONDAY + 9), TradingDay(MONDAY + 11))]

Make = Callable[[int], HistorySource]


class Answering:
    """`Downloads` that answers every request with a body, and fails at one."""

    def __init__(self, body: bytes, fail_at: int) -> None:
        self.body, self.left = body, fail_at

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        if "/instruments/NSE" in url:
            return Reply(200, b"instrument_token,tradingsymbol\n1," + share().symbol.encode() + b"\n")
        if not self.left:
            raise SourceError(f"{url} did not answer", hint="Try again later.")
        self.left -= 1
        return Reply(200, self.body)


SOURCES: dict[str, Make] = {
    "nse": lambda fail_at: DailyFiles("nse", "http://x", nse_path, Answering(b"a", fail_at), lambda _day: True),
    "bse": lambda fail_at: DailyFiles("bse", "http://x", bse_path, Answering(b"a", fail_at), lambda _day: True),
    "yahoo": lambda fail_at: YahooHistory("http://x", Answering(b"a", fail_at)),
    "kite": lambda fail_at: KiteHistory("http://x", "key", "token", Answering(b"a", fail_at)),
    "scripted": lambda fail_at: ScriptedSource(lambda _request, start, end: f"{start} {end}".encode(), fail_at),
}
"""How to make each source; it fails at the request with the given number, counted from 0."""

NEVER = 1_000


@pytest.fixture(params=sorted(SOURCES))
def make(request: pytest.FixtureRequest) -> Make:
    return SOURCES[request.param]


def test_it_has_a_name(make: Make) -> None:
    assert make(NEVER).name.isidentifier()


def test_it_makes_as_many_requests_as_it_planned(make: Make) -> None:
    source = make(NEVER)
    assert len(list(source.fetch(REQUEST, SPANS))) == source.plan(REQUEST, SPANS) > 0


def test_nothing_missing_is_nothing_to_do(make: Make) -> None:
    source = make(NEVER)
    assert source.plan(REQUEST, []) == 0
    assert list(source.fetch(REQUEST, [])) == []


def test_every_piece_has_a_name_of_its_own_and_content(make: Make) -> None:
    pieces = list(make(NEVER).fetch(REQUEST, SPANS))
    assert len({piece.file for piece in pieces}) == len(pieces)
    assert all(piece.data for piece in pieces)


def test_what_came_before_a_failure_was_given(make: Make) -> None:
    pieces = make(1).fetch(REQUEST, SPANS)
    assert next(pieces).data
    with pytest.raises(SourceError) as caught:
        list(pieces)
    assert caught.value.hint
