"""The list of instruments changes over night (RELIABILITY F65)."""

import msgspec
import pytest

from manjha.adapters.kite.listing import Listing
from manjha.domain.events import DifferenceAccepted, InstrumentFrozen
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Purpose
from manjha.engine.freezing import why_frozen
from manjha.engine.journaling import value_of
from manjha.services.instrument_changes import changed_terms
from tests.fakes.hand_made import share_named
from tests.fakes.paper import Paper
from tests.fakes.tick_runs import random_tick_run


def overnight(paper: Paper, **changes: object) -> None:
    """Let the list say something else of every instrument of a paper account."""
    spec = paper.run.spec
    changed = tuple(msgspec.structs.replace(one, **changes) for one in spec.instruments)
    paper.run = paper.run._replace(spec=msgspec.structs.replace(spec, instruments=changed))


def account() -> tuple[Paper, int]:
    """Return a paper account that holds something, and how many ticks have come."""
    run = random_tick_run(3)
    paper = Paper(run._replace(spec=msgspec.structs.replace(run.spec, contract_notes=True, actions=())), "run")
    session = paper.start()
    for at, tick in enumerate(paper.ticks()):
        session.on_tick(tick, tick.ts_ns)
        if list(session.trader.state.portfolio.open_positions()) and at > 40:
            session.trader.rest()
            return paper, at + 1
    raise AssertionError("nothing was ever held")


@pytest.mark.failure("F65")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lot": Qty(7)}, "lot 1 is now 7"),
        ({"tick": Px(2_500)}, "tick 0.05 is now 0.25"),
        ({"multiplier": 10}, "multiplier 1 is now 10"),
    ],
)
def test_what_is_held_keeps_its_name_and_is_frozen_where_the_list_says_another_thing(
    changes: dict[str, object], words: str
) -> None:
    paper, done = account()
    before = paper.start(paper.ticks()[done - 1].ts_ns).trader.state
    held = {key: position.qty for key, position in before.portfolio.positions.items()}
    lots = {name: one.lot for name, one in before.instruments.items()}
    overnight(paper, **changes)
    paper.calls.clear()
    session = paper.start(paper.ticks()[done - 1].ts_ns)
    state = session.trader.state
    assert {key: position.qty for key, position in state.portfolio.positions.items()} == held
    assert {name: one.lot for name, one in state.instruments.items()} == lots
    for name in state.instruments:
        assert words in str(why_frozen(state, name))
    assert len([call for call in paper.calls if words in call.what]) == len(state.instruments)
    sent = len(paper.sent)
    for tick in paper.ticks()[done:]:
        session.on_tick(tick, tick.ts_ns)
    entries = [one.order for one in paper.sent[sent:] if one.order.purpose is Purpose.SIGNAL and one.order.exits]
    assert entries == []
    session.trader.rest()
    # A person's word holds while the process lives, not against what the list still says at the next start.
    frozen = [value for row in paper.shared.rows if isinstance(value := value_of(row.entry), InstrumentFrozen)]
    again = paper.start(session.pump.now_ns)
    assert len([v for r in paper.shared.rows if isinstance(v := value_of(r.entry), InstrumentFrozen)]) == len(frozen)
    for name in list(again.trader.state.instruments):
        again.pump.apply(DifferenceAccepted(name, "me", again.pump.now_ns))
        assert why_frozen(again.trader.state, name) is None
    again.trader.rest()
    last = paper.start(again.pump.now_ns)
    assert all(why_frozen(last.trader.state, name) for name in last.trader.state.instruments)


@pytest.mark.failure("F65")
def test_a_new_symbol_of_the_same_instrument_is_no_difference() -> None:
    paper, done = account()
    overnight(paper, symbol="RENAMED", name="Renamed Limited")
    paper.calls.clear()
    session = paper.start(paper.ticks()[done - 1].ts_ns)
    assert not session.trader.state.gate.closed
    assert not [call for call in paper.calls if "list of instruments" in call.what]


@pytest.mark.failure("F65")
def test_a_symbol_that_another_issuer_has_now_is_another_thing() -> None:
    one = share_named()
    known = msgspec.structs.replace(one, isin="INE002A01018")
    split = msgspec.structs.replace(one, isin="INE002A01026")
    other = msgspec.structs.replace(one, isin="INE999B01019")
    assert changed_terms({one.id: known}, [split]) == {}
    assert changed_terms({one.id: known}, [other]) == {
        one.id: "the list of instruments has changed: its ISIN INE002A01018 is now INE999B01019, of another issuer"
    }
    assert changed_terms({}, [other]) == {}


@pytest.mark.failure("F65")
def test_a_token_that_is_used_again_means_what_it_does_today() -> None:
    columns = "instrument_token,exchange_token,tradingsymbol,name,expiry,strike,instrument_type,segment\n"

    def listing(*rows: str) -> Listing:
        return Listing((columns + "\n".join(rows)).encode())

    one, other = share_named("ALPHA"), share_named("BETA")
    yesterday = listing("101,1,ALPHA,ALPHA,,0,EQ,NSE", "102,2,BETA,BETA,,0,EQ,NSE")
    today = listing("102,1,ALPHA,ALPHA,,0,EQ,NSE")
    assert (yesterday.token(one), yesterday.token(other)) == ("101", "102")
    assert (today.token(one), today.token(other)) == ("102", "")
