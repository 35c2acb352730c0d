"""Logging in to the exchange, and how a session ends."""

import hashlib

import pytest

from manjha.domain.moments import HOUR_NS, MINUTE_NS, TsNs, at, parse_clock, parse_day
from manjha.exchange.accounts.sessions import ends_ns
from manjha.exchange.errors import KiteError
from manjha.exchange.events import ExchangeEvent, TokenEnded
from manjha.exchange.exchange import Exchange
from tests.fakes.exchanges import APP, KEY, SECRET, an_exchange, replaced, session_of


def exchanged(exchange: Exchange, token: str, secret: str = SECRET) -> dict[str, object]:
    checksum = hashlib.sha256(f"{KEY}{token}{secret}".encode()).hexdigest()
    form = {"api_key": KEY, "request_token": token, "checksum": checksum}
    return exchange.sessions.exchange(form, exchange.now_ns)


def told(error: pytest.ExceptionInfo[KiteError]) -> tuple[str, int, str]:
    return str(error.value.kind), error.value.code, error.value.message


def test_checksum_is_that_of_the_fact_sheet() -> None:
    wanted = "7b47a9239417310c273435e60a7118c2e05174b9883bd2d839f4d39bea555557"
    exchange = an_exchange()
    exchange.sessions.asked["rt"] = exchange.sessions.asked[exchange.sessions.log_in(KEY, "AB1234", exchange.now_ns)]
    form = {"api_key": KEY, "request_token": "rt", "checksum": wanted}
    assert exchange.sessions.exchange(form, exchange.now_ns)["user_id"] == "AB1234"


def test_request_token_is_good_once() -> None:
    exchange = an_exchange()
    token = exchange.sessions.log_in(KEY, "AB1234", exchange.now_ns)
    assert len(token) == 32
    exchanged(exchange, token)
    with pytest.raises(KiteError) as error:
        exchanged(exchange, token)
    assert told(error) == ("TokenException", 403, "Token is invalid or has expired.")


def test_request_token_lives_five_minutes() -> None:
    exchange = an_exchange()
    token = exchange.sessions.log_in(KEY, "AB1234", exchange.now_ns)
    exchange.advance(TsNs(exchange.now_ns + 5 * MINUTE_NS))
    with pytest.raises(KiteError, match="invalid or has expired"):
        exchanged(exchange, token)


def test_wrong_secret_is_found_and_leaves_the_request_token_alone() -> None:
    exchange = an_exchange()
    token = exchange.sessions.log_in(KEY, "AB1234", exchange.now_ns)
    with pytest.raises(KiteError) as error:
        exchanged(exchange, token, "another")
    assert told(error) == ("TokenException", 403, "Invalid `checksum`.")
    assert exchanged(exchange, token)["api_key"] == KEY


def test_second_login_of_the_same_app_ends_the_first_session() -> None:
    exchange = an_exchange()
    heard: list[ExchangeEvent] = []
    exchange.hearers.add(heard.append)
    first, other, second = session_of(exchange), session_of(exchange, "CD5678"), session_of(exchange)
    with pytest.raises(KiteError) as error:
        exchange.sessions.of_token(KEY, first.access_token, exchange.now_ns)
    assert told(error) == ("TokenException", 403, "Incorrect `api_key` or `access_token`.")
    for live in (other, second):
        assert exchange.sessions.of_token(KEY, live.access_token, exchange.now_ns) == live
    assert [event.access_token for event in heard if isinstance(event, TokenEnded)] == [first.access_token]


@pytest.mark.parametrize(("login", "ends"), [("2026-11-26 15:00", "2026-11-27"), ("2026-11-27 05:59", "2026-11-27")])
def test_session_ends_at_six(login: str, ends: str) -> None:
    day, clock = login.split()
    assert ends_ns(at(parse_day(day), parse_clock(clock))) == at(parse_day(ends), 6 * HOUR_NS)


def test_session_of_yesterday_is_dead_and_said_to_be() -> None:
    exchange = an_exchange()
    heard: list[ExchangeEvent] = []
    session = session_of(exchange)
    exchange.hearers.add(heard.append)
    exchange.advance(TsNs(session.until_ns))
    assert [type(event) for event in heard].count(TokenEnded) == 1
    with pytest.raises(KiteError, match="Incorrect"):
        exchange.sessions.of_token(KEY, session.access_token, exchange.now_ns)


def test_token_works_with_its_own_key_only() -> None:
    exchange = an_exchange()
    session = session_of(exchange)
    with pytest.raises(KiteError, match="Incorrect"):
        exchange.sessions.of_header(f"token free:{session.access_token}", exchange.now_ns)


@pytest.mark.parametrize("header", ["", "token", "token key", "Bearer key:abc", "token :abc", "token key:"])
def test_missing_credentials_are_a_bad_input(header: str) -> None:
    exchange = an_exchange()
    with pytest.raises(KiteError) as error:
        exchange.sessions.of_header(header, exchange.now_ns)
    assert (error.value.kind, error.value.code) == ("InputException", 400)


def test_logout_ends_the_session() -> None:
    exchange = an_exchange()
    session = session_of(exchange)
    exchange.sessions.log_out({"api_key": KEY, "access_token": session.access_token}, exchange.now_ns)
    with pytest.raises(KiteError, match="Incorrect"):
        exchange.sessions.of_token(KEY, session.access_token, exchange.now_ns)


def test_user_who_is_not_enabled_cannot_log_in() -> None:
    exchange = an_exchange(apps=replaced(APP, users=("CD5678",)))
    with pytest.raises(KiteError) as error:
        exchange.sessions.log_in(KEY, "AB1234", exchange.now_ns)
    assert told(error) == ("PermissionException", 403, "The user is not enabled for the app.")


def test_refresh_token_renews_once_and_can_be_voided() -> None:
    exchange = an_exchange(apps=replaced(APP, refreshes=True))
    first = session_of(exchange)

    def renewed(refresh: str) -> dict[str, object]:
        checksum = hashlib.sha256(f"{KEY}{refresh}{SECRET}".encode()).hexdigest()
        form = {"api_key": KEY, "refresh_token": refresh, "checksum": checksum}
        return exchange.sessions.renew(form, exchange.now_ns)

    second = renewed(first.refresh_token)
    assert second["access_token"] != first.access_token
    with pytest.raises(KiteError, match="invalid or has expired"):
        renewed(first.refresh_token)
    exchange.sessions.log_out({"api_key": KEY, "refresh_token": str(second["refresh_token"])}, exchange.now_ns)
    with pytest.raises(KiteError, match="invalid or has expired"):
        renewed(str(second["refresh_token"]))


def test_ordinary_app_has_no_refresh_token() -> None:
    assert session_of(an_exchange()).refresh_token == ""


def test_same_seed_draws_the_same_tokens_and_another_seed_others() -> None:
    tokens = [session_of(an_exchange(seed=seed)).access_token for seed in (7, 7, 8)]
    assert tokens[0] == tokens[1] != tokens[2]
