"""However questions, answers and orders cross each other: what leaves on the broker's word is paid for."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.broker import Sent
from manjha.domain.money import RUPEE
from manjha.domain.orders import OrderId
from manjha.engine.digest import digest
from manjha.engine.margins import WAIT_NS
from tests.fakes.account import buy
from tests.unit.test_margins_asked import Asking

MONEY = 3_000 * RUPEE
ASK, LOOK, TELL, ARRIVE, ANSWER = "ask", "look", "tell", "arrive", "answer"
"""What can happen to one order: it is asked about, its funds are read there, that is told, it arrives, is answered."""
STEPS = (ASK, LOOK, TELL, ARRIVE, ANSWER)
NEEDS = st.lists(st.integers(500, 2_500), min_size=2, max_size=4)
TURNS = st.lists(st.integers(0, 3), min_size=6, max_size=30)


class Crossing:
    """Several entries of which each is anywhere between question and answer; the broker knows what has arrived."""

    def __init__(self, needs: Sequence[int]) -> None:
        self.account = Asking()
        self.needs = [need * RUPEE for need in needs]
        self.at = [0] * len(needs)
        self.shown = [0] * len(needs)
        self.there: set[int] = set()

    @property
    def available(self) -> int:
        """What the broker has left for orders that have not arrived."""
        return MONEY - sum(self.needs[one] for one in self.there)

    def sent(self, one: int) -> bool:
        return any(command.order.qty == one + 1 for command in self.account.sent())

    def turn(self, one: int) -> None:
        """Let the next thing happen to an order; what never left does not arrive."""
        step, account = STEPS[self.at[one]], self.account
        if step == ASK:
            account.bar(buy(one + 1))
        elif step == LOOK:
            self.shown[one] = self.available
        elif step == TELL:
            account.told(self.asked(one), self.needs[one], self.shown[one])
        elif self.sent(one):
            command = next(command for command in account.sent() if command.order.qty == one + 1)
            if step == ARRIVE:
                account.land(command)
                self.there.add(one)
            else:
                number = next(name for name, shown in account.shown.items() if shown.seen.tag == command.tag)
                account.answer(command.order.id, Sent(number))
        self.at[one] += 1

    def asked(self, one: int) -> OrderId:
        records = self.account.state.book.records
        return next(name for name, record in records.items() if record.order.qty == one + 1)

    def live(self, turns: Sequence[int]) -> None:
        for turn in turns:
            if turn < len(self.needs) and self.at[turn] < len(STEPS):
                self.turn(turn)


@given(NEEDS, TURNS)
def test_what_leaves_on_the_brokers_word_is_never_more_than_there_is(needs: list[int], turns: list[int]) -> None:
    crossing = Crossing(needs)
    crossing.live(turns)
    left = [need for one, need in enumerate(crossing.needs) if crossing.sent(one)]
    assert sum(left) <= MONEY
    assert crossing.account.assumed == []
    # Margin is held for nothing but what is open.
    open_orders = crossing.account.state.book.open_orders()
    assert crossing.account.reserved == sum(record.reserved for record in open_orders)


@given(NEEDS)
def test_one_after_the_other_all_leave_that_there_is_money_for(needs: list[int]) -> None:
    crossing = Crossing(needs)
    spent = 0
    for one, need in enumerate(crossing.needs):
        crossing.live([one] * len(STEPS))
        goes = spent + need <= MONEY
        assert crossing.sent(one) is goes
        spent += need if goes else 0


@given(NEEDS, TURNS)
def test_what_nobody_answers_leaves_on_our_model_and_answers_afterwards_change_nothing(
    needs: list[int], turns: list[int]
) -> None:
    crossing = Crossing(needs)
    crossing.live(turns)
    account = crossing.account
    waiting = account.checking
    account.wait(WAIT_NS / 1e9)
    assert account.checking == []
    assert [one.order_id for one in account.assumed] == waiting
    before = digest(account.state)
    for name in waiting:
        account.told(name, MONEY, 0)
    assert digest(account.state) == before
