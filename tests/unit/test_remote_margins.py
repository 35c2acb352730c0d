"""A broker is asked what entries need, a network away: it answers, hangs, fails or breaks, in virtual time."""

import asyncio

import msgspec
import pytest

from manjha.app.trading.loop import Loop
from manjha.app.trading.session import Session
from manjha.domain.broker import MarginSeen
from manjha.domain.commands import AskMargin, MarginAssumed
from manjha.domain.errors import SourceError
from manjha.domain.events import MarginAnswered, MarginUnavailable
from manjha.domain.moments import SECOND_NS
from manjha.domain.money import RUPEE, Cash
from manjha.domain.orders import Order, Phase
from manjha.engine.digest import digest
from manjha.risk.control_limits import NO_LIMITS
from manjha.risk.governor import RateLimits
from manjha.services.replays import Replays, recorded_runs
from tests.fakes.journals import MemoryJournal
from tests.fakes.remote import ACCOUNT, Remote, played
from tests.fakes.segments import MemorySegments
from tests.parity.test_paper import again
from tests.unit.test_remote import at_minute, buy, phases, sound, told

pytestmark = pytest.mark.slow
RICH = MarginSeen(Cash(RUPEE), Cash(10**12))
POOR = MarginSeen(Cash(10**12), Cash(RUPEE))


class Margins:
    """Implements `ports.margin_source.MarginSource`: answers after some seconds, or ends with an error."""

    def __init__(self, after_s: float, ends: MarginSeen | Exception = RICH) -> None:
        self.after_s, self.ends = after_s, ends
        self.asked: list[Order] = []

    async def margin(self, order: Order) -> MarginSeen:
        self.asked.append(order)
        await asyncio.sleep(self.after_s)
        if isinstance(self.ends, Exception):
            raise self.ends
        return self.ends


def asking(margins: Margins) -> Remote:
    """Return an account in which one entry with a stop is bought at the close of the third minute."""
    run = played({3: buy(stop=490.0)})
    controls = msgspec.structs.replace(NO_LIMITS, rate=RateLimits())
    remote = Remote(run._replace(spec=msgspec.structs.replace(run.spec, controls=controls)))
    remote.margins = margins
    return remote


def replayed(remote: Remote, session: Session) -> None:
    """See that the journal steps through to the same decisions and the same state, with the answers that it has."""
    last = digest(session.trader.state)
    session.tape.recorder.ended(last, session.pump.now_ns)
    journal, segments = MemoryJournal(remote.shared), MemorySegments(ACCOUNT, remote.stored)
    replays = Replays(journal, segments, lambda _name: again(remote.run), remote.spec.rules)
    found = replays.replay(recorded_runs(journal)[-1])
    assert found.found.difference is None
    assert found.found.digest == last


def test_an_entry_leaves_when_the_broker_has_the_money_and_its_stop_is_not_asked_about() -> None:
    remote = asking(Margins(0.3))
    session, _ = remote.live()
    assert len(told(remote, AskMargin)) == len(told(remote, MarginAnswered)) == 1
    assert told(remote, MarginAssumed) == []
    entry, stop = remote.exchange.placed
    assert entry.order.qty == stop.order.qty == 10
    sound(remote, session)
    replayed(remote, session)


def test_an_entry_without_money_never_leaves() -> None:
    remote = asking(Margins(0.3, POOR))
    session, _ = remote.live()
    assert phases(session) == [Phase.CANCELLED]
    assert remote.exchange.placed == []
    replayed(remote, session)


@pytest.mark.parametrize(
    ("margins", "why"),
    [
        (Margins(3.0), "no answer within 1 s"),
        (Margins(3.0, POOR), "no answer within 1 s"),
        (Margins(600.0), "no answer within 1 s"),
        (Margins(0.1, SourceError("Kite refuses /margins/orders: status 503")), "status 503"),
        (Margins(0.1, RuntimeError("broken")), "the source of margins broke: RuntimeError('broken')"),
    ],
    ids=["late", "late and poor", "never", "fails", "breaks"],
)
def test_without_an_answer_it_goes_on_our_model(margins: Margins, why: str) -> None:
    remote = asking(margins)
    session, _ = remote.live()
    (assumed,) = told(remote, MarginAssumed)
    assert isinstance(assumed, MarginAssumed)
    assert why in assumed.reason
    assert len(remote.exchange.placed) == 2
    sound(remote, session)
    replayed(remote, session)
    assert bool([call for call in remote.calls if "broke" in call.what]) is isinstance(margins.ends, RuntimeError)


@pytest.mark.parametrize("after_s", [0.02, 0.3, 0.9])
def test_a_process_that_ends_while_it_asks_leaves_nothing_to_the_next_one(after_s: float) -> None:
    remote = asking(Margins(30.0, POOR))
    first, _ = remote.live((at_minute(remote, 3) + int(after_s * SECOND_NS), Loop.stop))
    assert phases(first) == [Phase.CHECKING]
    session, _ = remote.live()
    assert remote.exchange.placed == []
    assert phases(session)[0] is Phase.CANCELLED
    assert len(told(remote, AskMargin)) == 1
    assert told(remote, MarginUnavailable) == told(remote, MarginAssumed) == []
    replayed(remote, session)
