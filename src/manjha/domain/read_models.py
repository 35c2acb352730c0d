"""Read models: what a journal adds up to, as rows that can be asked for. They can be made anew from it at any time."""

import msgspec

from manjha.domain.broker import PositionSeen, Sight, TradeSeen
from manjha.domain.charges import ChargeLines
from manjha.domain.events import DayChargesSettled
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import AccountId, Fill, Order, Phase, Product, RunId, StrategyId

FORM = 2
"""Which fold has made the rows. One that came before did not know what a broker shows: its rows are made anew."""


class SentView(msgspec.Struct, frozen=True, gc=False):
    """What is known of an order at the broker, beside the order: needed to read the next rows of the journal.

    `tag` is what it went out with; `sight` is put together from all that was shown of it. `is_sought` tells that its
    outcome is unknown and it is being looked for, since `uncertain_ns`; `absent` counts the reads that have not shown
    it since that was long enough. `is_short` tells that the broker shows more filled than there are trades of.
    """

    tag: str = ""
    sight: Sight = Sight()
    uncertain_ns: int = 0
    absent: int = 0
    is_sought: bool = False
    is_short: bool = False


class OrderView(msgspec.Struct, frozen=True, gc=False):
    """An order and what became of it.

    `qty`, `limit` and `trigger` are the present terms; `order` has those it was placed with. `turnover` is Σ px × qty
    of its fills and prices are in 1e-4 rupee; `closed_ns` is 0 while it is open. `alarms` counts what it was told that
    could not be in its phase. `broker_id` is the broker's number, empty where there is none. `placed_seq` and
    `changed_seq` are the journal's rows that placed and last changed it. `sent` is None where no broker was asked.

    An order of strategy EXTERNAL is one that no intent of ours made, as the broker shows it last; its trades alone
    are counted as of ours. One of purpose SQUARE_OFF is the broker's own.
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
    sent: SentView | None = None


class TradeView(msgspec.Struct, frozen=True, gc=False):
    """A fill, the journal's row that tells it, and its charges as booked; None where they are not known.

    `number` counts the fills of a row from 0: a read of the broker may show several.
    """

    seq: int
    fill: Fill
    charges: ChargeLines | None = None
    number: int = 0


class NoteView(msgspec.Struct, frozen=True, gc=False):
    """What a contract note added to a day's charges, and the journal's row that tells it."""

    seq: int
    settled: DayChargesSettled


class PositionView(msgspec.Struct, frozen=True, gc=False):
    """What is held, or was, by strategy, instrument and product.

    `qty` is signed, in units; `cost` is Σ signed qty × px of what is open and `realised` the profit before charges, in
    1e-4 rupee. `changed_seq` is the journal's row that changed it last. Of what is EXTERNAL only the quantity is known:
    what it cost whoever bought it is not.
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

    `strategy` is what it began with, or that of its first order, empty before it. `closed_ns` is when its end was
    written down, 0 while it may go on.
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
    closed_ns: TsNs = TsNs(0)


class DeskView(msgspec.Struct, frozen=True):
    """What is known of an account's broker beside its orders: needed to read the next rows of the journal.

    `run` is whose orders are placed and `since` the row that began it: what was placed before is another run's.
    `epoch` is 0 where no broker is asked. `day` is the broker's and `day_seq` the row that began it: trades and
    external orders of before are another day's. `loose` are trades of orders that were not shown yet, `suspects`
    differences of positions that were seen once, `thawed` instruments whose difference a person has accepted.
    `was_compared` tells whether the books ever agreed.
    """

    run: RunId = RunId("")
    since: int = 0
    epoch: int = 0
    day: TradingDay = TradingDay(0)
    day_seq: int = 0
    was_compared: bool = False
    loose: tuple[TradeSeen, ...] = ()
    suspects: tuple[PositionSeen, ...] = ()
    thawed: tuple[InstrumentId, ...] = ()


class Reached(msgspec.Struct, frozen=True):
    """How far the read models of an account have come, and what is needed to go on from there.

    `seq` and `hash` are of the journal's last row in them (0 and nothing before the first). `day` is the session's;
    `strikes` are those that a corporate action has changed, in 1e-4 rupee. `form` is the fold's that made the rows.
    """

    account: AccountId
    seq: int = 0
    hash: bytes = b""
    day: TradingDay = TradingDay(0)
    strikes: dict[InstrumentId, Px] = {}
    desk: DeskView = DeskView()
    form: int = FORM


class Changed(msgspec.Struct, frozen=True):
    """The rows that some entries of a journal have made or changed, each in its newest form."""

    orders: tuple[OrderView, ...] = ()
    trades: tuple[TradeView, ...] = ()
    notes: tuple[NoteView, ...] = ()
    positions: tuple[PositionView, ...] = ()
    runs: tuple[RunActivity, ...] = ()
