"""What every source of history does. A new source is added to `SOURCES` with a way to make it."""

from collections.abc import Callable

import pytest

from manjha.domain.bars import DAY
from manjha.domain.errors import SourceError
from manjha.domain.moments import TradingDay, parse_day
from manjha.ports.market_data import FetchRequest, HistorySource
from tests.fakes.market_data import ScriptedSource, share

MONDAY = parse_day("2021-06-07")
REQUEST = FetchRequest(share(), DAY, MONDAY, TradingDay(MONDAY + 11))
SPANS = [(MONDAY, TradingDay(MONDAY + 1)), (TradingDay(MONDAY + 9), TradingDay(MONDAY + 11))]

Make = Callable[[int], HistorySource]
SOURCES: dict[str, Make] = {
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
