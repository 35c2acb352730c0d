"""Kite's candles: tokens of the day, pieces, what is said, and where the key goes."""

import gzip
from pathlib import Path

import msgspec
import pytest

from manjha.adapters.formats.registry import import_bytes
from manjha.adapters.kite.history import KiteHistory
from manjha.adapters.kite.listing import Listing
from manjha.domain.bars import DAY, MINUTE, Interval
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import Exchange, Instrument, Right
from manjha.domain.moments import TradingDay, at, parse_day
from manjha.ports.market_data import Fetched, FetchRequest
from tests.fakes import history_replies
from tests.fakes.history_replies import kite_error
from tests.fakes.history_servers import Answer, Answers, Asked, downloads, serving
from tests.fakes.market_data import JumpingClock, share
from tests.fakes.market_rules import future, index, option

DAY_ONE = parse_day("2024-08-01")
KEYS = ("key", "hush")


def source(base: str) -> KiteHistory:
    clock = JumpingClock(at(parse_day("2024-09-02"), 0))
    return KiteHistory(base, KEYS, downloads(clock), clock)


def got(base: str, instrument: Instrument, interval: Interval = DAY, days: int = 1) -> list[Fetched]:
    span = (DAY_ONE, TradingDay(DAY_ONE + days - 1))
    return list(source(base).fetch(FetchRequest(instrument, interval, *span), [span]))


@pytest.mark.parametrize(
    ("instrument", "token"),
    [
        (share(), "738561"),
        (share("CENTRALBK", ""), ""),
        (index(), "256265"),
        (index("RELIANCE"), ""),
    ],
)
def test_cash_and_indices_are_found_by_symbol(instrument: Instrument, token: str) -> None:
    assert Listing(history_replies.DUMP.encode()).token(instrument) == token


def test_a_share_of_another_series_is_found_behind_its_dash() -> None:
    besides = msgspec.structs.replace(share("CENTRALBK", ""), series="BE")
    assert Listing(history_replies.DUMP.encode()).token(besides) == "3813889"


@pytest.mark.parametrize(
    ("instrument", "token"),
    [
        (future(expiry="2026-08-25"), "14866434"),
        (option(strike="24350", expiry="2026-08-18"), "11546626"),
        (option(strike="24350", right=Right.PUT, expiry="2026-08-18"), ""),
        (option(strike="24350", expiry="2026-08-25"), ""),
    ],
)
def test_contracts_are_found_by_what_they_are(instrument: Instrument, token: str) -> None:
    assert Listing(history_replies.CONTRACTS.encode()).token(instrument) == token


def test_a_list_without_its_columns_is_refused() -> None:
    with pytest.raises(SourceError, match="lacks"):
        Listing(b"<html>maintenance</html>")


def test_every_contract_of_a_real_list_is_found(shared: Path) -> None:
    dump = gzip.decompress((shared / "data/kite/instruments_nfo_bfo_2026-08.csv.gz").read_bytes())
    read = import_bytes(dump, "dump.csv")
    listing = Listing(dump)
    assert len(read.instruments) > 30_000
    assert [one.id for one in read.instruments if not listing.token(one)] == []


def test_the_list_comes_first_and_the_key_goes_into_a_header_only() -> None:
    seen: list[str] = []

    def answers(asked: Asked) -> Answer:
        seen.append(asked.headers.get("authorization", "") + asked.headers.get("x-kite-version", ""))
        return history_replies.kite(asked)

    with serving(answers) as (base, asked):
        pieces = got(base, share())
    assert [piece.format for piece in pieces] == ["kite-instruments", ""]
    assert set(seen) == {"token key:hush3"}
    want = "/instruments/historical/738561/day?from=2024-08-01+00:00:00&to=2024-08-01+23:59:59&continuous=0&oi=1"
    assert asked == ["/instruments/NSE", want]
    assert not any("hush" in str(piece) for piece in pieces)


@pytest.mark.parametrize(
    ("interval", "days", "pieces"),
    [(MINUTE, 61, 2), (Interval(180), 100, 1), (Interval(900), 201, 2), (Interval(3600), 400, 1), (DAY, 2001, 2)],
)
def test_pieces_are_no_longer_than_kite_gives(interval: Interval, days: int, pieces: int) -> None:
    span = (DAY_ONE, TradingDay(DAY_ONE + days - 1))
    planned = source("http://127.0.0.1:9").plan(FetchRequest(share(), interval, *span), [span])
    assert planned == pieces + 1


def refusing(answer: Answer) -> Answers:
    return lambda asked: answer if "historical" in asked.path else history_replies.kite(asked)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            kite_error(403, "TokenException", "Incorrect `api_key` or `access_token`."),
            "TokenException: Incorrect",
            "manjha login",
        ),
        (kite_error(403, "PermissionException", "Insufficient permission"), "PermissionException", "historical data"),
        (kite_error(400, "InputException", "invalid token"), "InputException: invalid token", "MANJHA_KITE_API_KEY"),
        (Answer(b"<html>", status=404), "status 404", "again later"),
    ],
)
def test_a_refusal_is_said_by_its_type(answer: Answer, words: str, hint: str) -> None:
    with serving(refusing(answer)) as (base, _), pytest.raises(SourceError, match=words) as caught:
        got(base, share())
    assert hint in caught.value.hint
    assert "?" not in caught.value.message


def test_a_secret_that_kite_says_is_not_said_again() -> None:
    echo = refusing(kite_error(400, "InputException", "token hush of key"))
    with serving(echo) as (base, _), pytest.raises(SourceError) as caught:
        got(base, share())
    assert "hush" not in str(caught.value)


def test_too_many_requests_end_with_a_source_error() -> None:
    busy = kite_error(429, "NetworkException", "Too many requests")
    with serving(refusing(busy)) as (base, asked), pytest.raises(SourceError, match="status 429"):
        got(base, share())
    assert len(asked) == 6


def test_no_candles_are_noted() -> None:
    with serving(refusing(Answer(history_replies.kite_candles([])))) as (base, _):
        pieces = got(base, share())
    assert "no candles of 2024-08-01" in pieces[1].note


def test_a_contract_that_is_gone_is_refused_with_where_it_is() -> None:
    with serving(history_replies.kite) as (base, _), pytest.raises(UsageError, match="2024-08-29") as caught:
        got(base, future(expiry="2024-08-29"))
    assert "--source nse" in caught.value.hint


@pytest.mark.parametrize(
    ("instrument", "interval", "words"),
    [(share(), Interval(420), "no candles of 7m"), (future("GOLD", exchange=Exchange.MCX), DAY, "in lots")],
)
def test_what_kite_cannot_give_is_refused_before_anything_is_asked(
    instrument: Instrument, interval: Interval, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        source("http://127.0.0.1:9").plan(FetchRequest(instrument, interval, DAY_ONE, DAY_ONE), [(DAY_ONE, DAY_ONE)])


@pytest.mark.parametrize("keys", [("", ""), ("key", ""), ("", "hush")])
def test_without_credentials_it_says_which(keys: tuple[str, str]) -> None:
    clock = JumpingClock(0)
    with pytest.raises(UsageError) as caught:
        KiteHistory("https://x", keys, downloads(clock), clock)
    assert "MANJHA_KITE_ACCESS_TOKEN" in caught.value.hint


def test_a_key_is_not_sent_over_the_network_in_the_clear() -> None:
    clock = JumpingClock(0)
    with pytest.raises(UsageError, match="not https"):
        KiteHistory("http://api.example", KEYS, downloads(clock), clock)


@pytest.mark.parametrize("name", ["historical_minute", "historical_oi"])
def test_real_replies_come_through(name: str, shared: Path) -> None:
    reply = Answer((shared / f"data/kite/kiteconnect-mocks/{name}.json").read_bytes())
    with serving(refusing(reply)) as (base, _):
        piece = got(base, share(), MINUTE)[1]
    read = import_bytes(piece.data, piece.file, piece.hints)
    assert (read.format, read.bad_rows, read.rows > 1) == ("kite-json", 0, True)
