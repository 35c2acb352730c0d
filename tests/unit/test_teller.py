"""What a trader says on the screen."""

from manjha.app.trading.teller import Teller
from manjha.domain.commands import CancelOrder, ModifyOrder, RefusalReason, Refused, SubmitOrder
from manjha.domain.events import TimerFired
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import AccountId, Order, OrderId, OrderType, Origin, Product, RunId, Side, StrategyId
from manjha.strategy.library.buy_and_hold import BuyAndHold
from tests.fakes.hand_made import minutes, share_named, spec_of
from tests.fakes.notifiers import KeptNotes

SHARE = share_named("ALPHA")
BARS = minutes(SHARE, [(100.0, 101.0, 99.0, 100.0)])
NOW = TsNs(1_796_098_500_000_000_000)
ORDER = Order(
    OrderId("R-1"), Origin(AccountId("A"), StrategyId("s"), RunId("R")), SHARE.id, Side.BUY, Qty(661),
    OrderType.MARKET, Product.MIS, NOW,
)  # fmt: skip


def test_a_refused_order_is_on_the_screen_with_its_limit_and_figure() -> None:
    said: list[str] = []
    notes = KeptNotes()
    teller = Teller(AccountId("A"), spec_of(BuyAndHold(), BARS), said.append, notes)
    refused = Refused(SubmitOrder(ORDER), RefusalReason.ORDER_VALUE, "949605.90 > 500000.00", NOW)
    teller.saw(TimerFired("t", NOW), [refused])
    (line,) = said
    assert line.endswith(
        "REFUSED order BUY 661 NSE:ALPHA MARKET (signal): the order's value is above the limit: 949605.90 > 500000.00"
    )


def test_whatever_is_refused_is_named() -> None:
    subjects: dict[str, ModifyOrder | CancelOrder] = {
        "change of order R-1": ModifyOrder(OrderId("R-1"), Qty(1), Px(0), Px(0)),
        "cancel of order R-1": CancelOrder(OrderId("R-1")),
    }
    for words, subject in subjects.items():
        said: list[str] = []
        teller = Teller(AccountId("A"), spec_of(BuyAndHold(), BARS), said.append, KeptNotes())
        teller.saw(TimerFired("t", NOW), [Refused(subject, RefusalReason.ORDER_VALUE, "", NOW)])
        assert [line[10:] for line in said] == [f"REFUSED {words}: the order's value is above the limit"]
