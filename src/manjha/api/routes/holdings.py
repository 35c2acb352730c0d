"""What an account has traded, what it holds, what that cost and brought."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from manjha.api.asking import newest_prices
from manjha.api.auth import Reader
from manjha.api.paging import Cursor, Limit, Page, cursor_of, place_of
from manjha.api.parts import Parts
from manjha.api.trading_views import (
    Account,
    AccountName,
    ChargesView,
    Names,
    PositionTold,
    StrategyName,
    TradeTold,
    account_of,
    charges_view,
    position_told,
    trade_told,
)
from manjha.api.words import AskedDay, Day, Rupees, asked_day
from manjha.domain.moments import day_of, format_day
from manjha.domain.money import format_cash
from manjha.domain.orders import Product
from manjha.services.accounts.figures import (
    Bill,
    Profit,
    bills,
    every_note,
    every_trade,
    profits,
    realised_by_trades,
)

router = APIRouter(prefix="/accounts/{account}", tags=["trading"])


class AskedTrades(BaseModel, extra="forbid"):
    """A page of trades."""

    limit: Limit = 100
    cursor: Cursor = ""


class AskedPositions(BaseModel, extra="forbid"):
    """Which positions."""

    flat: bool = Field(default=False, description="Also those that are flat now.")


class AskedDays(BaseModel, extra="forbid"):
    """A span of days, both included."""

    start: AskedDay = Field(default="", alias="from")
    end: AskedDay = Field(default="", alias="to")


class BillView(BaseModel):
    """Charges of a strategy: booked with its trades, and what contract notes added."""

    strategy: StrategyName
    booked: ChargesView
    notes: ChargesView
    total: Rupees
    trades: int
    unknown: int = Field(description="Trades whose charges nobody knows: they are in no line.")


class ProfitView(BaseModel):
    """The profit of a strategy. `net` is realised and unrealised less charges; null where a price is not known."""

    strategy: StrategyName
    realised: Rupees
    unrealised: Rupees | None
    charges: Rupees
    net: Rupees | None
    realised_day: Rupees = Field(description="What trades of the day closed; expiries are in `realised` only.")
    charges_day: Rupees


class ProfitsView(BaseModel):
    """The profit of an account, strategy by strategy, and of a day."""

    account: Account
    day: Day
    strategies: list[ProfitView]
    realised: Rupees
    unrealised: Rupees | None
    charges: Rupees
    net: Rupees | None


@router.get("/trades", summary="Fills, oldest first")
def trades(
    caller: Reader, parts: Parts, account: AccountName, asked: Annotated[AskedTrades, Query()]
) -> Page[TradeTold]:
    """List an account's fills with their charges, page by page."""
    del caller
    found, names = account_of(parts, account), Names(parts)
    parts.followed.follow(found)
    with parts.records.begin() as books:
        page = books.read_models.trades(found, after=place_of(asked.cursor, int) or 0, limit=asked.limit)
    more = cursor_of(page[-1].seq) if len(page) >= asked.limit else None
    return Page(items=[trade_told(one, names) for one in page], next=more)


@router.get("/positions", summary="What strategies hold")
def positions(
    caller: Reader, parts: Parts, account: AccountName, asked: Annotated[AskedPositions, Query()]
) -> list[PositionTold]:
    """List positions by strategy, with the newest price where the account's trader runs."""
    del caller
    found = account_of(parts, account)
    parts.followed.follow(found)
    with parts.records.begin() as books:
        rows = [one for one in books.read_models.positions(found) if asked.flat or one.qty]
    prices, names = newest_prices(parts, found) if rows else {}, Names(parts)
    return [position_told(one, names, prices.get(one.instrument)) for one in rows]


@router.get("/holdings", summary="What is held for delivery")
def holdings(caller: Reader, parts: Parts, account: AccountName) -> list[PositionTold]:
    """List what is held as CNC or MTF, of strategies, by hand, and external."""
    return [
        one for one in positions(caller, parts, account, AskedPositions()) if one.product in (Product.CNC, Product.MTF)
    ]  # fmt: skip


@router.get("/charges", summary="Charges, line by line")
def charges(
    caller: Reader, parts: Parts, account: AccountName, asked: Annotated[AskedDays, Query()]
) -> list[BillView]:  # fmt: skip
    """Return the charges of a span of days by strategy, each line as it was booked."""
    del caller
    found = account_of(parts, account)
    parts.followed.follow(found)
    days = (asked_day(asked.start), asked_day(asked.end))
    with parts.records.begin() as books:
        models = books.read_models
        return [_bill(one) for one in bills(every_trade(models, found), every_note(models, found), days)]


@router.get("/pnl", summary="Profit and loss, by strategy")
def pnl(
    caller: Reader, parts: Parts, account: AccountName,
    day: Annotated[AskedDay, Query(description="Of which `realised_day` is; empty is today.")] = "",
) -> ProfitsView:  # fmt: skip
    """Return what each strategy made: realised, unrealised at the newest prices, charges, and of a day."""
    del caller
    found = account_of(parts, account)
    parts.followed.follow(found)
    chosen = asked_day(day) or day_of(parts.clock.now_ns())
    with parts.records.begin() as books:
        models = books.read_models
        held, fills, notes = models.positions(found), list(every_trade(models, found)), list(every_note(models, found))
    spent = bills(fills, notes, (None, None)), bills(fills, notes, (chosen, chosen))
    prices = newest_prices(parts, found) if any(one.qty for one in held) else {}
    each = profits(held, prices, spent, realised_by_trades(fills, chosen))
    unrealised = None if any(one.unrealised is None for one in each) else sum(one.unrealised or 0 for one in each)
    realised, cost = sum(one.realised for one in each), sum(one.charges for one in each)
    return ProfitsView(
        account=found, day=format_day(chosen), strategies=[_profit(one) for one in each],
        realised=format_cash(realised), charges=format_cash(cost),
        unrealised=None if unrealised is None else format_cash(unrealised),
        net=None if unrealised is None else format_cash(realised + unrealised - cost),
    )  # fmt: skip


def _bill(bill: Bill) -> BillView:
    return BillView(
        strategy=bill.strategy, booked=charges_view(bill.booked), notes=charges_view(bill.notes),
        total=format_cash(bill.booked.total + bill.notes.total), trades=bill.trades, unknown=bill.unknown,
    )  # fmt: skip


def _profit(one: Profit) -> ProfitView:
    open_ = one.unrealised
    return ProfitView(
        strategy=one.strategy, realised=format_cash(one.realised), charges=format_cash(one.charges),
        unrealised=None if open_ is None else format_cash(open_),
        net=None if open_ is None else format_cash(one.realised + open_ - one.charges),
        realised_day=format_cash(one.realised_day), charges_day=format_cash(one.charges_day),
    )  # fmt: skip
