"""Words of ordering: what we ask for, and the facts that come back. Data only; behaviour is in `orders/`."""

from enum import IntEnum, StrEnum
from typing import NewType

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, TsNs
from manjha.domain.money import Cash, Px, Qty

AccountId = NewType("AccountId", str)
StrategyId = NewType("StrategyId", str)
RunId = NewType("RunId", str)
OrderId = NewType("OrderId", str)
FillId = NewType("FillId", str)

EXTERNAL = StrategyId("EXTERNAL")
"""Whose order it is when no strategy of ours placed it."""
MANUAL = StrategyId("MANUAL")
"""Whose order it is when a person placed it through us."""


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Who acts: one value a run, shared by every order, fill and position of a strategy."""

    account: AccountId
    strategy: StrategyId
    run: RunId


class Side(IntEnum):
    """Buy or sell; the number is the sign of the quantity."""

    BUY = 1
    SELL = -1


class OrderType(StrEnum):
    """How it may be priced. `SL` is a stop with a limit, `SL_M` a stop that becomes a market order."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    SL = "SL"
    SL_M = "SL-M"


class Product(StrEnum):
    """CNC: delivery. MIS: intraday, squared off by the broker. NRML: carried derivatives. MTF: funded delivery."""

    CNC = "CNC"
    MIS = "MIS"
    NRML = "NRML"
    MTF = "MTF"


class Variety(StrEnum):
    """Kinds of order entry. All but REGULAR are declared and refused with their name until they are traded."""

    REGULAR = "regular"
    AMO = "amo"
    COVER = "co"
    ICEBERG = "iceberg"
    AUCTION = "auction"
    GTT = "gtt"


class Validity(StrEnum):
    """How long it rests. TTL (minutes) is declared and refused until it is traded."""

    DAY = "DAY"
    IOC = "IOC"
    TTL = "TTL"


class Purpose(StrEnum):
    """Why the order exists; a label for reports, never a branch of matching."""

    SIGNAL = "signal"
    STOP = "stop"
    TARGET = "target"
    TIME_EXIT = "time exit"
    SQUARE_OFF = "square-off"
    LEGS_END = "end of legs"


class Phase(StrEnum):
    """Where an order is in its life. The transitions are one table in `orders/lifecycle.py`.

    CHECKING: the broker was asked what it needs, and nothing of it has left. UNCONFIRMED: nobody knows yet whether it
    is at the broker. WRITTEN_OFF: it was looked for long enough and is watched to the day's end. UNSENT: it certainly
    never left.
    """

    CHECKING = "checking"
    SENT = "sent"
    WORKING = "working"
    UNCONFIRMED = "unconfirmed"
    WRITTEN_OFF = "written off"
    UNSENT = "unsent"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class Exits(msgspec.Struct, frozen=True, gc=False):
    """How a position opened by an order is to end: order semantics of every engine, not strategy code.

    Prices in 1e-4 rupee, zero meaning none. `stop` and `target` rest at the exchange as one-cancels-other
    from the first fill of the entry. `trail` keeps the stop that far behind the best close since entry.
    `exit_ns` closes at a moment.
    """

    stop: Px = Px(0)
    target: Px = Px(0)
    trail: Px = Px(0)
    exit_ns: TsNs = TsNs(0)


class Order(msgspec.Struct, frozen=True, gc=False):
    """One order intent, complete; never changed. Prices in 1e-4 rupee, zero meaning none; `qty` is positive.

    `parent` is the entry that this order protects, or the order that it is a slice of. `group` joins
    one-cancels-other siblings. `protection_bps` and `disclosed` are declared and refused until they are traded.
    """

    id: OrderId
    origin: Origin
    instrument: InstrumentId
    side: Side
    qty: Qty
    type: OrderType
    product: Product
    decided_ns: TsNs
    limit: Px = Px(0)
    trigger: Px = Px(0)
    exits: Exits | None = None
    purpose: Purpose = Purpose.SIGNAL
    parent: OrderId | None = None
    group: OrderId | None = None
    validity: Validity = Validity.DAY
    variety: Variety = Variety.REGULAR
    disclosed: Qty = Qty(0)
    protection_bps: int = 0
    tag: str = ""


class WorkingOrder(msgspec.Struct, frozen=True, gc=False):
    """An order that rests at the exchange, as its strategy sees it. `left` may still trade; prices in 1e-4 rupee."""

    id: OrderId
    side: Side
    type: OrderType
    left: Qty
    limit: Px
    trigger: Px
    purpose: Purpose
    tag: str


class Fill(msgspec.Struct, frozen=True, gc=False):
    """A fact from the exchange. `qty` is positive; `reference` is the price before slippage, for the cost report."""

    id: FillId
    order_id: OrderId
    origin: Origin
    instrument: InstrumentId
    side: Side
    qty: Qty
    px: Px
    reference: Px
    product: Product
    ts_ns: TsNs


class Leg(msgspec.Struct, frozen=True, gc=False):
    """One leg of a `LegGroup`: `ratio` lots of an instrument on a side, with exits of its own.

    `limit` in 1e-4 rupee; zero means at the market.
    """

    instrument: InstrumentId
    side: Side
    ratio: int
    exits: Exits | None = None
    limit: Px = Px(0)


class LegGroup(msgspec.Struct, frozen=True, tag=True):
    """Several legs traded as one, `units` times their ratios; `product` None is the strategy's own.

    `combined` are exits on the summed profit of one unit, judged at each close: `stop`, `target` and `trail` are
    amounts in 1e-4 rupee. `reentries` bounds how often a leg that its own stop ended may be opened again. `hedge_first`
    sells only after what is bought has filled, and buys back before it sells. `patience_ns` is how long what is bought,
    and then the rest, may take to fill.
    """

    legs: tuple[Leg, ...]
    units: int = 1
    product: Product | None = None
    combined: Exits | None = None
    reentries: int = 0
    hedge_first: bool = True
    patience_ns: int = MINUTE_NS
    tag: str = ""


class GroupPhase(StrEnum):
    """Where a group of legs is in its life. The transitions are one table in `orders/legs.py`.

    UNWINDING: it did not come to be, and what has filled is being closed. DONE: its legs ended one by one.
    """

    HEDGING = "hedging"
    ENTERING = "entering"
    HELD = "held"
    REENTERING = "entering again"
    UNWINDING = "unwinding"
    CLOSING = "closing"
    DONE = "done"
    UNWOUND = "unwound"
    CLOSED = "closed"


class HeldGroup(msgspec.Struct, frozen=True, gc=False):
    """A group of legs as its strategy sees it; `profit` of all of it at the last closes, in 1e-4 rupee, no charges."""

    id: OrderId
    tag: str
    phase: GroupPhase
    profit: Cash
    reason: str
