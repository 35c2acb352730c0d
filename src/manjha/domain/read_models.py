"""Read models: what a journal adds up to, as rows that can be asked for. They can be made anew from it at any time."""

import msgspec

from manjha.domain.charges import ChargeLines
from manjha.domain.events import DayChargesSettled
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import AccountId, Fill, Order, Phase, Product, RunId, StrategyId


class OrderView(msgspec.Struct, frozen=True, gc=False):
    """An order and what became of it.

    `qty`, `limit` and `trigger` are the present terms; `order` has those it was placed with. `turnover` is Σ px × qty
    of its fills and prices are in 1e-4 rupee; `closed_ns` is 0 while it is open. `alarms` counts what it was told that
    could not be in its phase. `broker_id` is the broker's number, empty where there is none. `placed_seq` and
    `changed_seq` are the journal's rows that placed and last changed it.
    """

    order: Order
    qty: Qty
    limit: Px
    trigger: Px
    placed_seq: int
    changed_seq: int
    phase: Phase = Phase.SENT
    filled: int = 0
    turnover: int = 0
    reason: str = ""
    closed_ns: TsNs = TsNs(0)
    alarms: int = 0
    broker_id: str = ""


class TradeView(msgspec.Struct, frozen=True, gc=False):
    """A fill, the journal's row that tells it, and its charges as booked; None where they are not known."""

    seq: int
    fill: Fill
    charges: ChargeLines | None = None


class NoteView(msgspec.Struct, frozen=True, gc=False):
    """What a contract note added to a day's charges, and the journal's row that tells it."""

    seq: int
    settled: DayChargesSettled


class PositionView(msgspec.Struct, frozen=True, gc=False):
    """What is held, or was, by strategy, instrument and product.

    `qty` is signed, in units; `cost` is Σ signed qty × px of what is open and `realised` the profit before charges, in
    1e-4 rupee. `changed_seq` is the journal's row that changed it last.
    """

    account: AccountId
    strategy: StrategyId
    instrument: InstrumentId
    product: Product
    qty: int = 0
    cost: int = 0
    realised: int = 0
    changed_ns: TsNs = TsNs(0)
    changed_seq: int = 0


class RunActivity(msgspec.Struct, frozen=True, gc=False):
    """What a journal tells of a run: its first and last row and their moments, and how much it did.

    `strategy` is that of its first order, empty before it.
    """

    account: AccountId
    run: RunId
    first_seq: int
    last_seq: int
    first_ns: TsNs
    last_ns: TsNs
    strategy: StrategyId = StrategyId("")
    orders: int = 0
    trades: int = 0
    refusals: int = 0


class Reached(msgspec.Struct, frozen=True):
    """How far the read models of an account have come, and what is needed to go on from there.

    `seq` and `hash` are of the journal's last row in them (0 and nothing before the first). `day` is the session's;
    `strikes` are those that a corporate action has changed, in 1e-4 rupee.
    """

    account: AccountId
    seq: int = 0
    hash: bytes = b""
    day: TradingDay = TradingDay(0)
    strikes: dict[InstrumentId, Px] = {}


class Changed(msgspec.Struct, frozen=True):
    """The rows that some entries of a journal have made or changed, each in its newest form."""

    orders: tuple[OrderView, ...] = ()
    trades: tuple[TradeView, ...] = ()
    notes: tuple[NoteView, ...] = ()
    positions: tuple[PositionView, ...] = ()
    runs: tuple[RunActivity, ...] = ()
