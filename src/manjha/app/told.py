"""What a person tells a running trader that is written down as an event of its run, and how it is answered."""

from manjha.app.paper import Session
from manjha.domain.controls import Answer, ManualOrder, Request
from manjha.domain.moments import TsNs
from manjha.services.asked import answered, order_asked


def placed_by_hand(session: Session, control: ManualOrder, request: Request, now_ns: TsNs) -> Answer:
    """Let the engine see an order that a person asks for, once; answer when it is durable what became of it."""
    state = session.trader.state
    asked = order_asked(control, request, state.instruments.values(), now_ns)
    if isinstance(asked, str):
        return Answer(request.key, refused=asked)
    session.trader.rest()
    found = answered(session.journal, asked)
    if found is None:
        session.pump.apply(asked)
        session.trader.rest()
        found = answered(session.journal, asked)
    return found or Answer(request.key, refused="the journal does not show it")
