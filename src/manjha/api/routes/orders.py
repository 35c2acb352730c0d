"""Orders: those of the journal, and orders by hand, which pass the same gate as a strategy's."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from manjha.api.asking import Done, told
from manjha.api.auth import Reader
from manjha.api.idempotency import TradingOnce
from manjha.api.paging import Cursor, Limit, Page, cursor_of, place_of
from manjha.api.parts import Parts
from manjha.api.problems import not_found
from manjha.api.trading_views import (
    AccountName,
    Names,
    OrderTold,
    TradeTold,
    account_of,
    order_told,
    trade_told,
)
from manjha.api.words import AskedRupees, InstrumentName
from manjha.domain.controls import CancelByHand, ManualOrder, ModifyByHand
from manjha.domain.money import QTY_MAX, Px, Qty, parse_px
from manjha.domain.orders import OrderId, OrderType, Product, Side

router = APIRouter(prefix="/accounts/{account}/orders", tags=["trading"])
OrderPath = Annotated[str, Path(max_length=64, examples=["PAPER-20251230-1"])]
AskedPrice = Annotated[AskedRupees, Field(pattern=r"^[0-9]")] | None
AskedQty = Annotated[int, Field(ge=1, le=QTY_MAX, strict=True, description="In units of the quoted price.")]
_TYPES = {
    (False, False): OrderType.MARKET, (True, False): OrderType.LIMIT,
    (False, True): OrderType.SL_M, (True, True): OrderType.SL,
}  # fmt: skip


class AskedOrders(BaseModel, extra="forbid"):
    """A page of orders."""

    only_open: bool = Field(default=False, description="Those that may still trade, all in one page.")
    limit: Limit = 100
    cursor: Cursor = ""


class AskedOrder(BaseModel, extra="forbid"):
    """An order by hand. Its type follows from the prices: both are a stop with a limit, none is at the market."""

    instrument: InstrumentName
    side: Literal["BUY", "SELL"] = Field(examples=["BUY"])
    qty: AskedQty = Field(examples=[10])
    product: Product = Field(examples=["MIS"])
    limit: AskedPrice = Field(default=None, examples=["1500.05"])
    trigger: AskedPrice = Field(default=None, examples=[None])
    stop: AskedPrice = Field(default=None, examples=["1490.00"], description="Of what it fills.")
    target: AskedPrice = Field(default=None, examples=[None], description="Of what it fills.")


class AskedChange(BaseModel, extra="forbid"):
    """New terms of an order; what is left out stays."""

    qty: AskedQty | None = Field(default=None, examples=[10])
    limit: AskedPrice = Field(default=None, examples=["1501.00"])
    trigger: AskedPrice = Field(default=None, examples=[None])


class OrderAndTrades(BaseModel):
    """An order and its fills."""

    order: OrderTold
    trades: list[TradeTold]


@router.get("", summary="Orders, in the order in which they were placed")
def orders(
    caller: Reader, parts: Parts, account: AccountName, asked: Annotated[AskedOrders, Query()]
) -> Page[OrderTold]:
    """List an account's orders, page by page, oldest first; or those that may still trade."""
    del caller
    found, names = account_of(parts, account), Names(parts)
    parts.followed.follow(found)
    with parts.records.begin() as books:
        if asked.only_open:
            return Page(items=[order_told(one, names) for one in books.read_models.open_orders(found)])
        page = books.read_models.orders(found, after=place_of(asked.cursor, int) or 0, limit=asked.limit)
    more = cursor_of(page[-1].placed_seq) if len(page) >= asked.limit else None
    return Page(items=[order_told(one, names) for one in page], next=more)


@router.get("/{order}", summary="One order and its fills")
def one(caller: Reader, parts: Parts, account: AccountName, order: OrderPath) -> OrderAndTrades:
    """Return an order by its id."""
    del caller
    found, names = account_of(parts, account), Names(parts)
    parts.followed.follow(found)
    with parts.records.begin() as books:
        views = books.read_models.orders_named(found, [OrderId(order)])
        trades = books.read_models.trades_of(found, OrderId(order))
    if not views:
        raise not_found(f"there is no order {order!r} of {found}", f"GET /api/v1/accounts/{found}/orders")
    return OrderAndTrades(order=order_told(views[0], names), trades=[trade_told(one, names) for one in trades])


@router.post("", summary="Place an order by hand", status_code=HTTPStatus.CREATED, response_model=Done)
def place(once: TradingOnce, account: AccountName, asked: AskedOrder) -> Response:
    """Place an order by hand. It passes the same gate as a strategy's; the answer is its row of the journal."""
    found = account_of(once.parts, account)
    kind = _TYPES[asked.limit is not None, asked.trigger is not None]
    limit, trigger, stop, target = (_px(text) for text in (asked.limit, asked.trigger, asked.stop, asked.target))
    control = ManualOrder(
        asked.instrument, Side[asked.side], Qty(asked.qty), kind, asked.product, limit, trigger, stop, target
    )

    def placed(own: str) -> tuple[int, Done]:
        return HTTPStatus.CREATED, told(once.parts, found, control, own)[1]

    return once(asked, placed)


@router.patch("/{order}", summary="Change an order that is open", response_model=Done)
def modify(once: TradingOnce, account: AccountName, order: OrderPath, asked: AskedChange) -> Response:
    """Change quantity or prices of an order that is open; it passes the gate again."""
    found = account_of(once.parts, account)
    qty = Qty(asked.qty or 0)
    control = ModifyByHand(order, qty, _px(asked.limit), _px(asked.trigger))
    return once(asked, lambda own: told(once.parts, found, control, own))


@router.delete("/{order}", summary="Cancel an order that is open", response_model=Done)
def cancel(once: TradingOnce, account: AccountName, order: OrderPath) -> Response:
    """Ask for an order to be cancelled; the stream tells when it is."""
    found = account_of(once.parts, account)
    return once(None, lambda own: told(once.parts, found, CancelByHand(order), own))


def _px(text: str | None) -> Px:
    return Px(0) if text is None else parse_px(text)
