"""A snapshot between any two events has the groups of legs in it: what follows is the same from there on."""

from manjha.domain.broker import OutcomeUnknown
from manjha.domain.orders import GroupPhase
from manjha.engine.digest import digest
from manjha.engine.remembered import StrategyMemory
from manjha.engine.snapshots import kept_in, put_back, snapshot_of
from manjha.engine.step import step
from manjha.research.backtest import prepare
from tests.unit.test_legs_at_a_broker import Account, late, orders


def lived() -> Account:
    """Return an account whose first group was in doubt, found, filled, and ended."""
    account = Account(sold={"stop": 120}, combined={"stop": 10})
    (hedge,) = orders(account.ask())
    account.answer(hedge, OutcomeUnknown("read timed out"))
    account.wait(60, late(account))
    (sold,) = orders(account.fills(hedge))
    account.answer(sold)
    (stop,) = orders(account.fills(sold))
    account.answer(stop)
    account.bar(2)
    (rest,) = orders(account.fills(stop))
    account.answer(rest)
    account.fills(rest)
    return account


def test_a_run_goes_on_from_a_snapshot_at_any_event() -> None:
    account = lived()
    assert account.phase() is GroupPhase.CLOSED
    met: set[GroupPhase] = set()
    for cut in range(1, len(account.events)):
        first = prepare(account.spec)
        for event in account.events[:cut]:
            step(first, event)
        met |= {saga.phase for saga in first.groups.values()}
        second = prepare(account.spec)
        put_back(second, StrategyMemory(second), kept_in(snapshot_of(first, StrategyMemory(first))))
        assert digest(second) == digest(first)
        assert [id(saga) for saga in second.sagas.values()] == [id(second.groups[name]) for name in second.sagas]
        for event in account.events[cut:]:
            assert step(second, event) == step(first, event)
        assert digest(second) == digest(account.state)
    assert met >= {GroupPhase.HEDGING, GroupPhase.ENTERING, GroupPhase.HELD, GroupPhase.CLOSING}
