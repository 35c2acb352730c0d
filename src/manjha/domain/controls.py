"""Controls: what a person or a program asks of a running trader, and what it answers."""

import msgspec

from manjha.domain.money import Px, Qty
from manjha.domain.orders import OrderType, Product, Side

KEY_LETTERS_MAX = 64
"""Of a request's key."""


class StartTrading(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="what"):
    """Let strategies trade."""

    reason: str = ""


class StopTrading(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="what"):
    """Let strategies order nothing new; exits and cancels go on."""

    reason: str = ""


class SetParameters(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="what"):
    """Change parameters of a strategy, each a name and its value as people write it."""

    strategy: str
    values: tuple[tuple[str, str], ...]


class ManualOrder(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="what"):
    """Place an order by hand; it passes the same gate as a strategy's.

    `instrument` as people write it, "NSE:RELIANCE". `qty` is positive, in units of the quoted price; prices in 1e-4
    rupee, zero meaning none. `strategy` is whose order it is; empty is the person's own (`MANUAL`).
    """

    instrument: str
    side: Side
    qty: Qty
    type: OrderType
    product: Product
    limit: Px = Px(0)
    trigger: Px = Px(0)
    stop: Px = Px(0)
    target: Px = Px(0)
    strategy: str = ""


class CancelByHand(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="what"):
    """Cancel an order of the run that is open, whoever placed it, by our id of it."""

    order: str


class ModifyByHand(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="what"):
    """Give an open order of the run other terms; those that are zero stay as they are. Prices in 1e-4 rupee."""

    order: str
    qty: Qty = Qty(0)
    limit: Px = Px(0)
    trigger: Px = Px(0)


class ThrowKill(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="what"):
    """Throw the kill switch: its level as people write it ("no-new"), for a strategy, an instrument, or everything."""

    level: str
    reason: str
    strategy: str = ""
    instrument: str = ""


class LiftKill(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="what"):
    """Lift the kill switch for a strategy, an instrument, or everything."""

    reason: str
    strategy: str = ""
    instrument: str = ""


class AcceptDifference(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="what"):
    """Let a frozen instrument be traded again; what the broker shows of it counts as external."""

    instrument: str


class EndRun(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="what"):
    """End the run for good, which must hold nothing: the next one may have other terms."""

    reason: str = ""


class AskStatus(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="what"):
    """Tell how things stand. Changes nothing and is not written down."""


class AskPrices(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="what"):
    """Tell the newest price of each instrument of the run, as the table `prices` of a status. Changes nothing."""


Control = (
    StartTrading
    | StopTrading
    | SetParameters
    | ManualOrder
    | CancelByHand
    | ModifyByHand
    | ThrowKill
    | LiftKill
    | AcceptDifference
    | EndRun
    | AskStatus
    | AskPrices
)
"""All that can be asked."""

Figure = str | int | bool
Status = dict[str, Figure | list[dict[str, Figure]]]
"""What a trader tells of itself: names and values, or small tables of them."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """One thing that is asked. Asked again under the same key it is done once, and answered the same.

    `key` is 1 to 64 letters that whoever asks has chosen; `by` is who asks, set by the inbox from what the system
    says, never from what is sent.
    """

    key: str
    control: Control
    by: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What became of a request: the journal's row in which it is written down, or why it was refused.

    `seq` is 0 for what is not written down: a status, and what was refused before it came to that. `later` tells that
    it was refused only because too much waits: asked again it may be done.
    """

    key: str
    seq: int = 0
    refused: str = ""
    status: Status = {}
    later: bool = False
