"""A paper trader put together: its exchange is simulated in this process and answers at once."""

from collections.abc import Iterable

from manjha.app.trading.loopback import PaperBroker, PaperMarket
from manjha.app.trading.paper_exchange import PaperExchange
from manjha.app.trading.session import Around, AtOnce, Exchange, Opened, Session, session_at
from manjha.domain.moments import TradingDay, TsNs
from manjha.ports.journal import Journal
from manjha.ports.segments import MarketSegments
from manjha.services.live_runs import LivePlan, open_run
from manjha.simulator.fills import VenueModels
from manjha.simulator.tick_venue import TickVenue


def paper_session(
    plan: LivePlan,
    models: VenueModels,
    storage: tuple[Journal, MarketSegments],
    days: Iterable[TradingDay],
    now_ns: TsNs,
    around: Around,
) -> Session:
    """Take the account over at the simulated exchange, and get ready for the first tick.

    `days` are the trading days to come, today's included. Raises as `services.live_runs.open_run`.
    """
    journal, segments = storage
    run = open_run(plan, journal, segments, now_ns)
    venue = PaperExchange(TickVenue(plan.spec.instruments, models))
    if not run.is_new:
        venue.rebuild(run.state, run.now_ns)
    broker = PaperBroker(venue, around.tell)
    exchange = Exchange(broker, AtOnce(), PaperMarket(run.state, venue, broker), lambda: "")
    return session_at(exchange, Opened(plan, run, journal), days, now_ns, around)
