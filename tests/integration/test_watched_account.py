"""An account as its sentinel sees it, at an exchange on a socket: names, logins, and who it is that is seen."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from manjha.app.bootstrap import instrument_book
from manjha.app.cli.errors import OK
from manjha.app.kite.account import near_kite
from manjha.app.kite.watched_account import WatchedAccount
from manjha.app.settings import load_settings
from manjha.app.trading.account_parts import places
from manjha.app.trading.traded_where import KITE, PAPER, SIMULATED_KITE, claim
from manjha.domain.errors import SourceError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TradingDay, TsNs, parse_day
from manjha.domain.vitals import LedgerCopy
from tests.fakes.exchanges import DAY, Trader, run
from tests.fakes.hand_made import share_named
from tests.fakes.kite_desk import ACCOUNT, Desk, a_desk

T = TypeVar("T")
TRADED = msgspec.structs.replace(share_named("MANJHA"), id=InstrumentId("NSE:INE0MANJHA01"))
GONE = share_named("GONE")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    with a_desk(tmp_path, monkeypatch, capfd) as made:
        yield made


def seen(case: Callable[[WatchedAccount], Awaitable[T]], *instruments: str, account: str = ACCOUNT) -> T:
    """Look at the account beside a trader of these instruments."""
    settings = load_settings()
    ledger = LedgerCopy(TsNs(1), (), {}, tuple(InstrumentId(one) for one in instruments))

    async def lived() -> T:
        async with near_kite(settings) as kite:
            return await case(WatchedAccount(settings, account, kite, lambda: ledger))

    return asyncio.run(lived())


def know(*instruments: Instrument) -> None:
    instrument_book(load_settings()).put(instruments, TradingDay(parse_day(DAY) - 10))


async def names(account: WatchedAccount) -> list[str]:
    return sorted(str(one.instrument) for one in await account.positions())


def bought(desk: Desk, symbol: str) -> None:
    trader = Trader(desk.exchange, ACCOUNT, symbol)
    trader.place(order_type="MARKET", product="MIS", market_protection="-1", quantity=5)
    run(desk.exchange, 120)


def test_what_the_trader_does_not_trade_goes_by_the_brokers_name_and_so_does_what_is_not_listed(desk: Desk) -> None:
    bought(desk, "MANJHA")
    bought(desk, "PATANG")
    know(TRADED, GONE)
    assert desk("login") == OK
    assert seen(names, TRADED.id, GONE.id, "NSE:NEVER-HEARD-OF") == [TRADED.id, "NSE:PATANG"]
    assert seen(names) == ["NSE:MANJHA", "NSE:PATANG"]


def test_a_login_is_taken_up_and_another_persons_shows_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manjha.app.kite.login.LOOK_AGAIN_NS", -1)

    async def before_and_after(account: WatchedAccount) -> list[str]:
        with pytest.raises(SourceError, match="nobody is logged in at Kite"):
            await account.orders()
        assert await asyncio.to_thread(desk, "login") == OK
        return [one.broker_id for one in await account.orders()]

    assert seen(before_and_after) == []
    with pytest.raises(SourceError, match=f"the login at Kite is {ACCOUNT}'s, the account to be traded is ZZ9999"):
        seen(names, account="ZZ9999")


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (PAPER, "it is traded on paper, whose exchange lives in the trader"),
        (KITE, "it is traded at kite, and kite.url .* is a simulated exchange"),
    ],
)
def test_an_account_that_is_traded_elsewhere_is_not_seen_here(desk: Desk, where: str, why: str) -> None:
    assert desk("login") == OK
    folder = places(load_settings(), ACCOUNT).folder
    folder.mkdir(parents=True)
    claim(folder, where)
    with pytest.raises(SourceError, match=why):
        seen(names)


def test_an_account_that_is_traded_here_is_seen(desk: Desk) -> None:
    assert desk("login") == OK
    folder = places(load_settings(), ACCOUNT).folder
    folder.mkdir(parents=True)
    claim(folder, SIMULATED_KITE)
    assert seen(names) == []


def test_a_list_that_comes_late_is_there_at_the_next_look(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bought(desk, "MANJHA")
    know(TRADED)
    assert desk("login") == OK

    async def impatient_then_patient(account: WatchedAccount) -> list[str]:
        gate = asyncio.Event()
        rest = account._kite.rest
        whole = rest.dump

        async def late(path: str) -> bytes:
            await gate.wait()
            return await whole(path)

        monkeypatch.setattr(rest, "dump", late)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await account.positions()
        gate.set()
        return await names(account)

    assert seen(impatient_then_patient, TRADED.id) == [TRADED.id]
