"""A trader of an account whose exchange is elsewhere, behind a gateway: everything but the exchange is as on paper."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from manjha.app.trading.far_exchange import FarGateway, FarMarket
from manjha.app.trading.paper_exchange import PaperExchange
from manjha.app.trading.remote import Pace, RemoteLink
from manjha.app.trading.session import Around, Exchange, Opened, Session, session_at
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs
from manjha.engine.pump import Surroundings
from manjha.engine.state import EngineState
from manjha.ports.gateway import Gateway
from manjha.ports.journal import Journal
from manjha.ports.margin_source import MarginSource
from manjha.ports.segments import MarketSegments
from manjha.risk.gate import DayRules
from manjha.services.live_runs import LivePlan, open_run
from manjha.simulator.fills import VenueModels
from manjha.simulator.tick_market import Clearing
from manjha.simulator.tick_venue import TickVenue


class RemoteMarket(Clearing):
    """What surrounds a trader whose exchange is elsewhere: the clearing side. Ticks trade nothing here."""

    def __init__(self, state: EngineState, link: RemoteLink) -> None:
        super().__init__(state)
        self._link = link

    def opened(self, today: Mapping[InstrumentId, DayRules]) -> Iterable[int]:
        """Begin the broker's book of the day; need no further moment."""
        self._link.opened(self.state.day)
        return super().opened(today)


class Broker(NamedTuple):
    """A broker that is elsewhere: the way to it, how long it is waited for, and what happens here by itself.

    `refuses` says why nothing need be sent there now (no login), empty for no reason. `margins` knows what orders need;
    None where nobody but our own model does.
    """

    gateway: Gateway
    pace: Pace = Pace()
    market: Callable[[EngineState, RemoteLink], Surroundings] = RemoteMarket
    refuses: Callable[[], str] = str
    margins: MarginSource | None = None


def remote_session(
    plan: LivePlan,
    broker: Broker,
    storage: tuple[Journal, MarketSegments],
    days: Iterable[TradingDay],
    now_ns: TsNs,
    around: Around,
) -> Session:
    """Take the account over that is behind a gateway, and get ready for the loop, which opens the way to it.

    Nothing is opened until a whole read of the broker agrees with the journal: at the start, after a crash and after a
    link was lost alike. `days` are the trading days to come, today's included. Raises as
    `services.live_runs.open_run`.
    """
    journal, segments = storage
    run = open_run(plan, journal, segments, now_ns)
    link = RemoteLink(broker.gateway, run.state, around.tell, around.mono_ns, broker.pace, broker.margins)
    market, asks = broker.market(run.state, link), broker.margins is not None
    exchange = Exchange(link, link, market, session=lambda: broker.refuses() or link.session(), asks_margin=asks)
    return session_at(exchange, Opened(plan, run, journal), days, now_ns, around)


def far_session(
    plan: LivePlan,
    models: VenueModels,
    storage: tuple[Journal, MarketSegments],
    days: Iterable[TradingDay],
    now_ns: TsNs,
    around: Around,
) -> Session:
    """Take the account over at the simulated exchange behind a gateway; else as `app.trading.paper.paper_session`."""
    exchange = PaperExchange(TickVenue(plan.spec.instruments, models))

    def time() -> TsNs:
        return session.pump.now_ns

    def market(state: EngineState, link: RemoteLink) -> FarMarket:
        return FarMarket(state, link, exchange)

    # In this process a read takes no time, and nobody counts requests.
    broker = Broker(FarGateway(exchange, time), Pace(read_gap_s=0.0), market)
    session = remote_session(plan, broker, storage, days, now_ns, around)
    if not session.is_new:
        exchange.rebuild(session.trader.state, session.pump.now_ns)
    return session
