"""The only door out: once each, in an order's order, or not at all."""

import pytest

from manjha.app.trading.outbox import DEADLINE_NS, Conditions, Outbox, order_of
from manjha.domain.commands import Approved, CancelOrder, SubmitOrder
from manjha.domain.errors import InvariantBroken
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Qty
from manjha.domain.orders import AccountId, Order, OrderId, OrderType, Origin, Product, Purpose, RunId, Side, StrategyId

ORIGIN = Origin(AccountId("A"), StrategyId("s"), RunId("r"))


def order(name: str, purpose: Purpose = Purpose.SIGNAL, tag: str = "") -> Approved[SubmitOrder]:
    made = Order(
        OrderId(name), ORIGIN, InstrumentId("NSE:ALPHA"), Side.BUY, Qty(1), OrderType.MARKET, Product.MIS, TsNs(0),
        purpose=purpose,
    )  # fmt: skip
    return Approved(SubmitOrder(made, tag or f"T{name}"))


def cancel(name: str) -> Approved[CancelOrder]:
    return Approved(CancelOrder(OrderId(name)))


class World:
    def __init__(self) -> None:
        self.owner = self.session = ""
        self.kill: dict[str, str] = {}
        self.numbers: dict[str, str] = {}
        self.entries: set[str] = set()
        self.box = Outbox(
            Conditions(
                owner=lambda: self.owner, session=lambda: self.session,
                kill=lambda command: self.kill.get(order_of(command), ""),
                number=lambda order_id: self.numbers.get(order_id, ""),
                opens=lambda command: order_of(command) in self.entries,
            )
        )  # fmt: skip

    def leave(self, now_ns: int = 0) -> tuple[list[str], list[str]]:
        leaving, vetoed = self.box.ready(now_ns, TsNs(0))
        return [type(one.command.command).__name__ for one in leaving], [one.reason for one in vetoed]


def test_an_order_leaves_once() -> None:
    world = World()
    world.box.put(order("1"), 0)
    assert world.leave() == (["SubmitOrder"], [])
    assert world.leave() == ([], [])
    assert (world.box.intended, world.box.sent) == (1, 1)


@pytest.mark.failure("F20")
def test_a_tag_never_leaves_twice() -> None:
    world = World()
    world.box.put(order("1", tag="SAME"), 0)
    world.leave()
    world.box.put(order("2", tag="SAME"), 0)
    with pytest.raises(InvariantBroken, match="a second time"):
        world.leave()


@pytest.mark.parametrize(("opens", "held_up_s", "leaves"), [(True, 9, False), (True, 5, True), (False, 9, True)])
def test_what_opens_does_not_leave_on_prices_of_long_ago(opens: bool, held_up_s: int, leaves: bool) -> None:
    world = World()
    world.box = Outbox(
        Conditions(
            owner=str, session=str, kill=lambda _: "", number=lambda _: "", opens=lambda _: opens,
            age=lambda _, now_ns: "decided on prices of long ago" if now_ns > 5 * SECOND_NS else "",
        )
    )  # fmt: skip
    world.box.put(order("1"), 0)
    # The engine is at the moment of the decision; it is told that it really is later.
    leaving, vetoed = world.box.ready(0, TsNs(0), held_up_s * SECOND_NS)
    assert bool(leaving) is leaves
    assert [one.reason for one in vetoed] == ([] if leaves else ["decided on prices of long ago"])


def test_commands_of_an_order_wait_for_each_other() -> None:
    world = World()
    world.numbers["1"] = "N1"
    world.box.put(order("1"), 0)
    world.leave()
    world.box.put(cancel("1"), 0)
    assert world.leave() == ([], [])
    world.box.answered(OrderId("1"))
    assert world.leave() == (["CancelOrder"], [])


def test_cancels_go_first() -> None:
    world = World()
    world.numbers["2"] = "N2"
    world.box.put(order("1"), 0)
    world.box.put(cancel("2"), 0)
    assert world.leave()[0] == ["CancelOrder", "SubmitOrder"]


@pytest.mark.failure("F47")
def test_what_was_held_up_does_not_leave() -> None:
    world = World()
    world.box.put(order("1"), 0)
    leaving, vetoed = world.leave(DEADLINE_NS + 1)
    assert leaving == []
    assert "it had to leave within 250" in vetoed[0]


@pytest.mark.failure("F76")
def test_a_kill_stops_what_it_forbids_and_lets_the_rest_go() -> None:
    world = World()
    world.kill = {"1": "the kill switch is on"}
    world.box.put(order("1"), 0)
    world.box.put(order("2", Purpose.STOP), 0)
    assert world.leave() == (["SubmitOrder"], ["the kill switch is on"])


@pytest.mark.failure("F57")
def test_who_ends_lets_go_what_does_not_open() -> None:
    world = World()
    world.entries, world.numbers["3"] = {"1"}, "N3"
    world.box.end()
    world.box.put(order("1"), 0)
    world.box.put(order("2"), 0)
    world.box.put(cancel("3"), 0)
    ends = "the trader is ending: only what closes or cancels still leaves"
    assert world.leave() == (["CancelOrder", "SubmitOrder"], [ends])


@pytest.mark.parametrize("name", ["owner", "session"])
def test_nothing_leaves_without_an_owner_or_a_session(name: str) -> None:
    world = World()
    setattr(world, name, "no")
    world.numbers["2"] = "N2"
    world.box.put(order("1", Purpose.STOP), 0)
    world.box.put(cancel("2"), 0)
    assert world.leave() == ([], ["no", "no"])


def test_a_cancel_without_a_number_comes_back() -> None:
    world = World()
    world.box.put(cancel("1"), 0)
    assert world.leave() == ([], ["the broker's number of the order is not known yet"])


@pytest.mark.failure("F47")
def test_an_order_that_is_held_up_on_its_way_to_the_network_is_looked_at_once_more() -> None:
    world = World()
    world.box.put(order("1"), 0)
    (leaving,), _ = world.box.ready(0, TsNs(0))
    assert leaving.objection(DEADLINE_NS) == ""
    assert leaving.objection(DEADLINE_NS + 10**6) == "decided 251 ms ago; it had to leave within 250"


@pytest.mark.failure("F47")
def test_a_cancel_that_is_held_up_on_its_way_goes_only_where_the_account_is_still_ours() -> None:
    world = World()
    world.numbers["1"] = "N1"
    world.box.put(cancel("1"), 0)
    (leaving,), _ = world.box.ready(0, TsNs(0))
    assert leaving.objection(DEADLINE_NS + 1) == ""
    world.owner = "another process has taken the account over"
    assert leaving.objection(DEADLINE_NS + 1) == world.owner
