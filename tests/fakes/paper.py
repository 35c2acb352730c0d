"""Paper trading by hand: a session over random ticks, journal and segments in memory, processes that come and go."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from manjha.app.trading.paper import paper_session
from manjha.app.trading.session import Around, Session
from manjha.domain.commands import Approved, CallPerson, SubmitOrder
from manjha.domain.events import Event, KillSwitched
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TradingDay, TsNs, day_of
from manjha.domain.orders import AccountId, Origin, RunId, StrategyId
from manjha.domain.ticks import Tick
from manjha.market.calendar import trading_days
from manjha.ports.journal import Journal
from manjha.ports.segments import MarketSegments
from manjha.research.tick_drive import Screened, each_tick, screen
from manjha.services.live_runs import LivePlan
from manjha.simulator.fills import VenueModels
from tests.fakes.journals import MemoryJournal, SharedMemory
from tests.fakes.segments import MemorySegments
from tests.fakes.tick_runs import TickRun

if TYPE_CHECKING:
    from manjha.engine.state import EngineState

ACCOUNT = AccountId("PAPER")

Begin = Callable[..., Session]
"""How an account is taken over: as by `paper_session`."""


class Paper:
    """A paper account over the ticks of a run."""

    def __init__(self, run: TickRun, run_id: str, begin: Begin = paper_session) -> None:
        self.run = run
        self.begin = begin
        self.shared = SharedMemory(ACCOUNT)
        self.stored: dict[int, bytes] = {}
        self.screened: Screened = screen(run.fresh(), run.ticks)
        self.run_id = RunId(run_id)
        self.calls: list[CallPerson] = []
        self.sent: list[SubmitOrder] = []
        self.mono = 0
        self.snapshot_every = 10_000
        self.thrown: list[KillSwitched] = []
        self.look: Callable[[EngineState, Journal, int, TradingDay, TsNs], list[Event]] | None = None

    def start(self, now_ns: int = 0) -> Session:
        """Start a process: it takes the account over."""
        spec = self.run.fresh()
        origin = Origin(ACCOUNT, StrategyId(spec.strategy.name), self.run_id)
        first, last = (day_of(int(self.screened.ts_ns[at])) for at in (0, -1))
        from_ns = TsNs(first * DAY_NS - IST_OFFSET_NS)
        plan = LivePlan(spec, origin, "strategy", from_ns, self.snapshot_every)
        models = VenueModels(rules=spec.fills, slippage=spec.slippage, latency_ns=spec.latency_ns, bands=spec.bands)
        days = list(trading_days(spec.rules, first, last))
        around = Around(self._mono, self.calls.append, lambda: self.thrown, self._seen, self.look)
        return self.begin(plan, models, self.storage(), days, TsNs(now_ns or from_ns), around)

    def storage(self) -> tuple[Journal, MarketSegments]:
        """Return where it is written down."""
        return MemoryJournal(self.shared), MemorySegments(ACCOUNT, self.stored)

    def ticks(self) -> list[Tick]:
        """Return the ticks, in order."""
        return list(each_tick(self.screened, self.run.spec.instruments))

    def _mono(self) -> int:
        return self.mono

    def _seen(self, event: Event, outputs: Iterable[object]) -> None:
        del event
        self.sent += [o.command for o in outputs if isinstance(o, Approved) and isinstance(o.command, SubmitOrder)]
