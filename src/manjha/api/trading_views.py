"""How orders, trades, positions and runs are written in answers."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, Field

from manjha.api.parts import ApiParts
from manjha.api.problems import not_found
from manjha.api.words import Moment, Rupees
from manjha.domain.charges import ChargeLines
from manjha.domain.errors import UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import format_ts
from manjha.domain.money import format_cash, format_px
from manjha.domain.orders import AccountId, OrderType, Phase, Product, Side
from manjha.domain.read_models import OrderView, PositionView, TradeView
from manjha.orders.lifecycle import OPEN_PHASES

AccountName = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of the account.", examples=["PAPER"])
]
Words = Annotated[str, Field(max_length=500, examples=["morning routine"])]
Account = Annotated[str, Field(examples=["PAPER"])]
StrategyName = Annotated[str, Field(examples=["sma-cross"])]
InstrumentCode = Annotated[str, Field(examples=["NSE:INE002A01018"])]
TypedName = Annotated[str, Field(examples=["NSE:PATANG"])]
SessionName = Annotated[str, Field(examples=["PAPER-20251230"])]
OrderName = Annotated[str, Field(examples=["PAPER-20251230-1"])]
SideName = Annotated[str, Field(examples=["BUY"])]
"""Words of answers."""


class ChargesView(BaseModel):
    """The lines of a bill, each as booked; a cost is positive."""

    brokerage: Rupees
    stt: Rupees
    exchange: Rupees
    ipft: Rupees
    sebi: Rupees
    stamp: Rupees
    gst: Rupees
    dp: Rupees
    other: Rupees
    total: Rupees


class OrderTold(BaseModel):
    """An order and what became of it. `seq` is the journal's row that changed it last."""

    id: str = Field(examples=["PAPER-20251230-000001"])
    account: Account
    strategy: str = Field(examples=["sma-cross"], description="MANUAL by hand, EXTERNAL by others at the broker.")
    session: SessionName
    instrument: InstrumentCode
    name: TypedName = Field(examples=["NSE:PATANG"])
    side: SideName = Field(examples=["BUY"])
    qty: int
    filled: int
    type: OrderType
    product: Product
    limit: Rupees | None
    trigger: Rupees | None
    average: Rupees | None = Field(description="Of its fills, rounded down to 1e-4 rupee; null without any.")
    phase: Phase
    is_open: bool
    purpose: str = Field(examples=["signal"])
    parent: str | None
    reason: str = Field(
        examples=["prices look wrong"], description="Why it was rejected or cancelled, in the exchange's words."
    )
    broker_id: str = Field(examples=["151220000000000"])
    placed: Moment
    closed: Moment | None
    placed_seq: int
    seq: int


class TradeTold(BaseModel):
    """A fill, with its charges as booked; null where nobody knows them."""

    id: OrderName
    order: OrderName
    account: Account
    strategy: StrategyName
    session: SessionName
    instrument: InstrumentCode
    name: TypedName
    side: SideName
    qty: int
    price: Rupees
    product: Product
    time: Moment
    charges: ChargesView | None
    seq: int


class PositionTold(BaseModel):
    """What a strategy holds, or held. `qty` is negative where it is short; `cost` is of what is open."""

    account: Account
    strategy: StrategyName
    instrument: InstrumentCode
    name: TypedName
    product: Product
    qty: int
    cost: Rupees
    average: Rupees | None
    realised: Rupees = Field(description="Profit of what was closed, before charges.")
    price: Rupees | None = Field(default=None, description="The newest that the running trader has seen.")
    unrealised: Rupees | None = None
    changed: Moment
    seq: int


class Names:
    """From an id to what people type; the id itself where no import has brought the instrument."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts
        self._known: dict[str, str] = {}

    def __call__(self, instrument: InstrumentId) -> str:
        """Return what people call it."""
        if instrument not in self._known:
            try:
                self._known[instrument] = self._parts.instruments.find(instrument).display
            except UsageError:
                self._known[instrument] = instrument
        return self._known[instrument]


def account_of(parts: ApiParts, account: str) -> AccountId:
    """Return an account that is known. Raises the problem of one that is not."""
    if account not in parts.traders.accounts():
        raise not_found(f"there is no account {account!r} here", "GET /api/v1/accounts lists them.")
    return AccountId(account)


def charges_view(lines: ChargeLines) -> ChargesView:
    """Return charges as they are told."""
    held = {name: format_cash(getattr(lines, name)) for name in ChargesView.model_fields if name != "total"}
    return ChargesView(**held, total=format_cash(lines.total))


def order_told(view: OrderView, names: Names) -> OrderTold:
    """Return an order as it is told."""
    order = view.order
    return OrderTold(
        id=order.id, account=order.origin.account, strategy=order.origin.strategy, session=order.origin.run,
        instrument=order.instrument, name=names(order.instrument), side=order.side.name, qty=view.qty,
        filled=view.filled, type=order.type, product=order.product, limit=_px(view.limit), trigger=_px(view.trigger),
        average=format_px(view.turnover // view.filled) if view.filled else None, phase=view.phase,
        is_open=view.phase in OPEN_PHASES, purpose=order.purpose, parent=order.parent, reason=view.reason,
        broker_id=view.broker_id, placed=format_ts(order.decided_ns),
        closed=format_ts(view.closed_ns) if view.closed_ns else None, placed_seq=view.placed_seq, seq=view.changed_seq,
    )  # fmt: skip


def trade_told(view: TradeView, names: Names) -> TradeTold:
    """Return a fill as it is told."""
    fill = view.fill
    return TradeTold(
        id=fill.id, order=fill.order_id, account=fill.origin.account, strategy=fill.origin.strategy,
        session=fill.origin.run, instrument=fill.instrument, name=names(fill.instrument), side=Side(fill.side).name,
        qty=fill.qty, price=format_px(fill.px), product=fill.product, time=format_ts(fill.ts_ns),
        charges=None if view.charges is None else charges_view(view.charges), seq=view.seq,
    )  # fmt: skip


def position_told(view: PositionView, names: Names, px: int | None = None) -> PositionTold:
    """Return a position as it is told; `px` is the newest price, in 1e-4 rupee."""
    return PositionTold(
        account=view.account, strategy=view.strategy, instrument=view.instrument, name=names(view.instrument),
        product=view.product, qty=view.qty, cost=format_cash(view.cost),
        average=format_px(view.cost // view.qty) if view.qty else None, realised=format_cash(view.realised),
        price=None if px is None else format_px(px),
        unrealised=None if px is None or not view.qty else format_cash(view.qty * px - view.cost),
        changed=format_ts(view.changed_ns), seq=view.changed_seq,
    )  # fmt: skip


def _px(px: int) -> str | None:
    return format_px(px) if px else None
