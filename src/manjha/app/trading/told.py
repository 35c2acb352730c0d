"""What a person tells a running trader that is written down as an event of its run, and how it is answered."""

from collections.abc import Iterable

from manjha.app.trading.session import Session
from manjha.domain.controls import Answer, Figure, LiftKill, Request, Status, ThrowKill
from manjha.domain.events import DifferenceAccepted, TradingSwitched
from manjha.domain.instrument import InstrumentId
from manjha.domain.kill import Scope
from manjha.domain.moments import TsNs
from manjha.domain.orders import MANUAL, StrategyId
from manjha.engine.freezing import all_frozen
from manjha.engine.state import EngineState
from manjha.services.asked import Wish, answered, asked_of, known_as


def done_once(session: Session, request: Request, control: Wish, now_ns: TsNs) -> Answer:
    """Let the engine see what a person asks for, once; answer when it is durable what became of it."""
    asked = asked_of(session.trader.state, request, control, now_ns, session.tape.newest)
    if isinstance(asked, str):
        return Answer(request.key, refused=asked)
    session.trader.rest()
    found = answered(session.journal, asked)
    if found is None:
        session.pump.apply(asked)
        session.trader.rest()
        found = answered(session.journal, asked)
    return found or Answer(request.key, refused="the journal does not show it")


def accepted(session: Session, instrument: str, by: str, now_ns: TsNs) -> str:
    """Thaw an instrument; return why not: one that is not frozen would be taken as it is before a person has looked."""
    state = session.trader.state
    known, frozen = known_as(state.instruments.values(), instrument), all_frozen(state)
    if known is None or known not in frozen:
        names = ", ".join(state.instruments[one].display for one in frozen) or "none"
        return f"{instrument} is not frozen; frozen are: {names}"
    session.pump.apply(DifferenceAccepted(known, by, now_ns))
    return ""


def scope_of(state: EngineState, control: ThrowKill | LiftKill, standing: Iterable[Scope]) -> Scope | str:
    """Return whom a person's kill or lift is for, or why it would be for nobody: a name that the run does not know.

    `standing` are the scopes that are thrown: those can be lifted, whether the run knows them or not.
    """
    thrown = list(standing) if isinstance(control, LiftKill) else []
    strategies = {state.origin.strategy, MANUAL, *(one.key.strategy for one in state.portfolio.open_positions())}
    if control.strategy and control.strategy not in strategies | {one.strategy for one in thrown}:
        return f"no strategy {control.strategy!r} trades in this run; it has {', '.join(sorted(strategies))}"
    instruments = list(state.instruments.values())
    found: InstrumentId | None = InstrumentId(control.instrument)
    if control.instrument and control.instrument not in {one.instrument for one in thrown}:
        found = known_as(instruments, control.instrument)
    if found is None:
        names = ", ".join(one.display for one in instruments)
        return f"{control.instrument} is not in this run; the run has {names}"
    return Scope(StrategyId(control.strategy), found)


def ended(session: Session, request: Request, reason: str, now_ns: TsNs) -> Answer:
    """End the run for good, where nothing is held and nothing open; who wanted it stands in the row before."""
    why = session.still_has
    if why:
        hint = "close it first (`manjha kill --level flatten`), or only stop the trader"
        return Answer(request.key, refused=f"the run still has {why}: {hint}")
    session.pump.apply(TradingSwitched(on=False, ts_ns=now_ns, reason=f"{request.by} ends the run: {reason}"))
    return Answer(request.key, seq=session.end())


def newest_prices(session: Session) -> Status:
    """Return the newest tick of each instrument that has one: price in 1e-4 rupee, quantity of the tick, UTC ns."""
    rows: list[dict[str, Figure]] = [
        {"instrument": tick.instrument, "px": tick.px, "volume": tick.volume, "ts_ns": tick.ts_ns}
        for tick in session.tape.newest.values()
    ]
    return {"prices": rows}
