"""Sessions: what strategies traded, and the one that trades now: started, paused, changed, stopped, ended."""

import secrets
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from manjha.api.asking import Done, signed, told
from manjha.api.auth import Reader, Trading
from manjha.api.idempotency import Once, TradingOnce, keyed
from manjha.api.paging import Cursor, Limit, Page, cursor_of, place_of
from manjha.api.parts import ApiParts, Parts
from manjha.api.problems import REFUSED, Problem
from manjha.api.routes.accounts import AccountView, TraderView, status_of, trader_view
from manjha.api.routes.instruments import named as named_instrument
from manjha.api.routes.strategies import Value, named
from manjha.api.trading_views import Account, AccountName, SessionName, StrategyName, Words, account_of
from manjha.api.words import AskedDay, InstrumentName, IntervalText, Moment
from manjha.domain.controls import AcceptDifference, Control, EndRun, SetParameters, StartTrading, StopTrading
from manjha.domain.errors import AccountHeld, UsageError
from manjha.domain.moments import TsNs, format_ts
from manjha.domain.orders import AccountId, RunId
from manjha.domain.records import Run
from manjha.ports.traders import SessionWords
from manjha.services.identity.caller import Scope
from manjha.strategy.params import bind, collect

router = APIRouter(prefix="/accounts/{account}", tags=["trading"])
SteppedUpOnce = Annotated[Once, keyed(Scope.TRADE, step_up=True)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 .:%,-]*$", max_length=40)]


class SessionView(BaseModel):
    """A run of a strategy: what it was, and what its journal tells of it."""

    id: SessionName
    account: Account
    strategy: StrategyName
    parameters: str = Field(examples=["{}"], description="As JSON, as far as they were recorded.")
    began: Moment
    ended: Moment | None = Field(description="When its end was written down; null while it may go on.")
    orders: int
    trades: int
    refusals: int
    first_seq: int
    last_seq: int


class SessionNow(BaseModel):
    """Who trades an account now, and how that stands; `status` is what the trader tells."""

    account: Account
    trader: TraderView | None
    status: dict[str, object] | None


class AskedSessions(BaseModel, extra="forbid"):
    """A page of sessions."""

    limit: Limit = 100
    cursor: Cursor = ""


class AskedSession(BaseModel, extra="forbid"):
    """What is to be traded, in the words of `manjha trade`."""

    strategy: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")] = Field(examples=["sma-cross"])
    instruments: list[InstrumentName] = Field(min_length=1, max_length=500, examples=[["NSE:PATANG"]])
    interval: IntervalText = Field(default="1d", examples=["5m"])
    parameters: dict[str, Value] = Field(default={}, max_length=100, examples=[{"fast": 10, "slow": 50}])
    cash: Word = Field(default="", examples=["10 lakh"], description="What the run begins with.")
    size: Word = Field(default="", examples=["qty:100"], description="As --size.")
    product: Word = Field(default="", examples=["MIS"])


class AskedPaperSession(AskedSession):
    """Days of stored bars to be traded on paper, `speed` times as fast as they were; 0 is as fast as it goes."""

    start: AskedDay = Field(alias="from", examples=["2025-12-30"])
    end: AskedDay = Field(alias="to", examples=["2025-12-30"])
    speed: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}(\.[0-9]{1,3})?$")] = Field(
        default="60", examples=["60"]
    )


class AskedLiveSession(AskedSession):
    """Today, with real money."""

    account_in_words: str = Field(max_length=64, examples=["AB1234"], description="The account's id once more.")


class AskedReason(BaseModel, extra="forbid"):
    """Why, for the journal."""

    reason: Words = ""


class AskedValues(BaseModel, extra="forbid"):
    """Values by the names of parameters of the strategy that trades now."""

    strategy: str = Field(max_length=100, examples=["sma-cross"])
    parameters: dict[str, Value] = Field(min_length=1, max_length=100, examples=[{"fast": 12}])


class AskedInstrument(BaseModel, extra="forbid"):
    """An instrument that is frozen."""

    instrument: InstrumentName


@router.get("/sessions", summary="All sessions, newest first")
def sessions(
    caller: Reader, parts: Parts, account: AccountName, asked: Annotated[AskedSessions, Query()]
) -> Page[SessionView]:
    """List the runs of an account."""
    del caller
    found = account_of(parts, account)
    parts.followed.follow(found)
    place = place_of(asked.cursor, tuple[int, str])
    before = None if place is None else Run(id=RunId(place[1]), account=found, started_ns=TsNs(place[0]))
    with parts.records.begin() as books:
        rows = books.runs.runs(found, before=before, limit=asked.limit + 1)
    page = rows[: asked.limit]
    more = cursor_of((page[-1].started_ns, page[-1].id)) if len(rows) > asked.limit else None
    return Page(items=[_view(run) for run in page], next=more)


@router.get("/sessions/current", summary="The session that trades now")
def current(caller: Reader, parts: Parts, account: AccountName) -> SessionNow:
    """Return who trades an account, and how that stands."""
    del caller
    found = account_of(parts, account)
    return SessionNow(
        account=found, trader=trader_view(parts.traders.holder(found)), status=status_of(parts, found)
    )  # fmt: skip


@router.post(
    "/sessions", summary="Start a session on paper", status_code=HTTPStatus.CREATED, response_model=AccountView
)
def start(once: TradingOnce, account: AccountName, asked: AskedPaperSession) -> Response:
    """Start a trader on paper, in a process of its own that outlives this server.

    Started again with the same words it goes on where its journal ends.
    """
    words = msgspec.structs.replace(
        _words(once.parts, account, asked), start=asked.start, end=asked.end, speed=asked.speed
    )
    return once(asked, lambda _own: _started(once.parts, words))


@router.post(
    "/sessions/live", summary="Start a session with real money", status_code=HTTPStatus.CREATED,
    response_model=AccountView,
)  # fmt: skip
def start_live(once: SteppedUpOnce, account: AccountName, asked: AskedLiveSession) -> Response:
    """Start a trader at the broker, for today; it needs a proof of who you are and the account's id in words."""
    if asked.account_in_words != account:
        raise Problem(
            HTTPStatus.CONFLICT, REFUSED, f"expected the id of the account, {account}, in words; nothing was sent",
            hint="Real money: give it in account_in_words, as it stands in the address.",
        )  # fmt: skip
    words = msgspec.structs.replace(_words(once.parts, account, asked), confirmed=account)
    once.parts.access.audit.note("live.asked", once.caller.name, "", account=account, strategy=asked.strategy)
    return once(asked, lambda _own: _started(once.parts, words))


@router.post("/sessions/current/pause", summary="Order nothing new")
def pause(caller: Trading, parts: Parts, account: AccountName, asked: AskedReason) -> Done:
    """Let the strategy order nothing new; exits and cancels go on."""
    return _done(parts, account, StopTrading(signed(caller, asked.reason)))


@router.post("/sessions/current/resume", summary="Let the strategy trade again", response_model=Done)
def resume(once: TradingOnce, account: AccountName, asked: AskedReason) -> Response:
    """Let the strategy trade again after a pause. What the kill switch forbids stays forbidden."""
    return _once(once, account, asked, StartTrading(signed(once.caller, asked.reason)))


@router.put("/sessions/current/parameters", summary="Change parameters while it runs", response_model=Done)
def parameters(once: TradingOnce, account: AccountName, asked: AskedValues) -> Response:
    """Change parameters of the strategy, from the next bar on."""
    values = tuple((name, str(value)) for name, value in asked.parameters.items())
    return _once(once, account, asked, SetParameters(asked.strategy, values))


@router.post("/sessions/current/accept-difference", summary="Thaw an instrument", response_model=Done)
def accept(once: TradingOnce, account: AccountName, asked: AskedInstrument) -> Response:
    """Let a frozen instrument be traded again: what the broker shows of it is right, and counts as external."""
    return _once(once, account, asked, AcceptDifference(asked.instrument))


@router.post("/sessions/current/stop", summary="Stop the trader", status_code=HTTPStatus.ACCEPTED)
def stop(caller: Trading, parts: Parts, account: AccountName) -> SessionNow:
    """Ask the trader's process to end in order, as an interrupt does. Its run goes on when it is started again."""
    del caller
    found = account_of(parts, account)
    if not parts.traders.stop(found):
        raise Problem(
            HTTPStatus.CONFLICT, "trader-away", f"no trader of {found} runs", hint="There is nothing to stop."
        )  # fmt: skip
    return SessionNow(account=found, trader=trader_view(parts.traders.holder(found)), status=None)


@router.post("/sessions/current/end", summary="End the run for good", response_model=Done)
def end(once: TradingOnce, account: AccountName, asked: AskedReason) -> Response:
    """End the run for good, which must hold nothing: the next one may have other terms. The trader stops with it."""
    return _once(once, account, asked, EndRun(signed(once.caller, asked.reason)))


def _done(parts: ApiParts, account: str, control: Control) -> Done:
    key = f"api-{parts.clock.now_ns()}-{secrets.token_hex(4)}"
    return told(parts, account_of(parts, account), control, key)[1]


def _once(once: Once, account: str, asked: BaseModel, control: Control) -> Response:
    found = account_of(once.parts, account)
    return once(asked, lambda own: told(once.parts, found, control, own))


def _words(parts: ApiParts, account: str, asked: AskedSession) -> SessionWords:
    """Return the words that start a session. Raises the problem of a strategy, parameter or instrument that is none."""
    chosen = named(parts, asked.strategy)
    bind(collect(chosen), asked.parameters, chosen.name)
    names = tuple(named_instrument(parts, name).display for name in asked.instruments)
    return SessionWords(
        account=account, strategy=asked.strategy, instruments=names, interval=asked.interval, cash=asked.cash,
        parameters=tuple((name, str(value)) for name, value in asked.parameters.items()), size=asked.size,
        product=asked.product,
    )  # fmt: skip


def _started(parts: ApiParts, words: SessionWords) -> tuple[int, AccountView]:
    try:
        parts.traders.start(words)
    except AccountHeld as held:
        raise Problem(HTTPStatus.CONFLICT, "account-held", held.message, hint=held.hint) from None
    except UsageError as error:
        # Not kept: what it lacked may be there when it is asked again.
        raise Problem(HTTPStatus.CONFLICT, "not-started", error.message, hint=error.hint) from None
    account = AccountId(words.account)
    found = AccountView(
        id=account, traded_at=parts.traders.traded_at(account), trader=trader_view(parts.traders.holder(account)),
        status=status_of(parts, account),
    )  # fmt: skip
    return HTTPStatus.CREATED, found


def _view(run: Run) -> SessionView:
    told_of, activity = run.strategy, run.activity
    return SessionView(
        id=run.id, account=run.account, strategy=told_of or (activity.strategy if activity else ""),
        parameters=run.parameters, began=format_ts(run.started_ns),
        ended=format_ts(activity.closed_ns) if activity and activity.closed_ns else None,
        orders=activity.orders if activity else 0, trades=activity.trades if activity else 0,
        refusals=activity.refusals if activity else 0, first_seq=activity.first_seq if activity else 0,
        last_seq=activity.last_seq if activity else 0,
    )  # fmt: skip
