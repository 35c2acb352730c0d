"""The exchange as one value: who there is, what the market does, the book, and what is due; time comes from outside."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from manjha.domain.bars import Bar
from manjha.domain.errors import UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs, at
from manjha.domain.ticks import Tick
from manjha.exchange.accounts.broker import Broker, BrokerState
from manjha.exchange.accounts.limits import RateLimits
from manjha.exchange.accounts.sessions import DAY_STARTS, Sessions
from manjha.exchange.accounts.users import App, User
from manjha.exchange.agenda import NEVER, Agenda, AuctionDue, CloseDue, DayDue
from manjha.exchange.events import DayBegan, Hearers, SessionClosed
from manjha.exchange.market.candles import Candles
from manjha.exchange.market.market import Market
from manjha.exchange.market.sources import DaySource
from manjha.exchange.orders.alerts import Alert, Alerts
from manjha.exchange.orders.book import DayBook
from manjha.exchange.orders.checks import Checks
from manjha.exchange.orders.desk import Desk
from manjha.exchange.orders.gtts import Gtt, Gtts
from manjha.exchange.orders.passage import Pace, Passage
from manjha.exchange.switches import Switches
from manjha.exchange.trouble.manual import ManualState, ManualTrader
from manjha.exchange.trouble.mishaps import Mishaps, MishapState
from manjha.exchange.trouble.rms import Rms, RmsState
from manjha.market.rules import MarketRules
from manjha.simulator.fills import FillRules

TickHearer: TypeAlias = Callable[[Tick], None]
Part: TypeAlias = Callable[["Exchange"], object]


class Keeper(NamedTuple):
    """How a part is saved with the exchange: the type of its state, what gives it, and what takes it back."""

    kind: type
    state: Callable[[], Any]
    restore: Callable[[Any], None]


class Founding(NamedTuple):
    """What an exchange is made of. `days` are the trading days that it lives through, ascending.

    `limits` switches the rate limits, `auto_login` lets a login need nobody who fills in its form. `fills` are the
    rules of matching (the book of `docs/fill-rules.md`).
    """

    rules: MarketRules
    source: DaySource
    days: Sequence[TradingDay]
    apps: Sequence[App]
    users: Sequence[User]
    seed: int = 1
    switches: Switches = Switches()
    pace: Pace = Pace()
    limits: bool = True
    auto_login: bool = False
    fills: FillRules | None = None


class Exchange:
    """All of the exchange, in one thread. `advance` brings it to a moment, everything else acts at the moment it is at.

    A further part is made with the exchange in hand: it adds itself to `hearers`, says on `agenda` who does its kinds
    of dues, adds to `passage.risk` what may refuse an order, and to `tick_hearers` what follows every tick.
    """

    def __init__(self, founding: Founding) -> None:
        if not founding.apps or not founding.users:
            raise UsageError(
                "an exchange needs an app and a user", hint="Give --user, or leave it out for the usual one."
            )
        self.founding = founding
        self.rules = founding.rules
        self.apps = {app.api_key: app for app in founding.apps}
        self.users = {user.user_id: user for user in founding.users}
        self.switches = founding.switches
        self.seed = founding.seed
        self.hearers = Hearers()
        self.agenda = Agenda()
        self.limits = RateLimits(on=founding.limits)
        self.sessions = Sessions(self.apps, self.users, founding.seed, self.hearers.tell)
        self.market = Market(founding.rules, founding.source, founding.fills)
        self.book = DayBook(self.hearers)
        self.checks = Checks(self.market, founding.switches)
        self.passage = Passage(self.market, self.book, self.agenda, self.hearers, self.checks, founding.pace)
        self.desk = Desk(self.market, self.book, self.passage, self.checks)
        self.mishaps = Mishaps(self.agenda, self.market, self.sessions, self.passage)
        self.manual = ManualTrader(self.agenda, self.market, self.book, self.desk)
        self.rms = Rms(self.agenda, self.market, self.book, self.passage)
        self.hearers.add(self.rms.hear)
        self.save: Callable[[], int] | None = None
        self.hearers.add(self.desk.varieties.hear)
        self.tick_hearers: list[TickHearer] = []
        self.now_ns = TsNs(0)
        self.leapt_ns = 0
        # How fast its time passes, in thousandths of real time; 0 where it stands or does not wait.
        self.thousandths = 0
        self.auto_login = founding.auto_login
        self.agenda.on(DayDue, self._day_begins)
        self.agenda.on(AuctionDue, self._auctions_end)
        self.agenda.on(CloseDue, self._instruments_close)
        self.broker = Broker(self)
        self.candles = Candles(self)
        self.gtts = Gtts(self)
        self.alerts = Alerts(self)
        self.keeps = self._kept()
        for day in founding.days:
            self.agenda.put(at(day, DAY_STARTS), DayDue(day))

    def _kept(self) -> dict[str, Keeper]:
        """Return what the parts have to say when everything is saved."""
        return {
            "mishaps": Keeper(MishapState, self.mishaps.state, self.mishaps.restore),
            "manual": Keeper(ManualState, self.manual.state, self.manual.restore),
            "rms": Keeper(RmsState, self.rms.state, self.rms.restore),
            "broker": Keeper(BrokerState, self.broker.state, self.broker.restore),
            "candles": Keeper(dict[InstrumentId, list[Bar]], self.candles.state, self.candles.restore),
            "gtts": Keeper(list[Gtt], self.gtts.state, self.gtts.restore),
            "alerts": Keeper(list[Alert], self.alerts.state, self.alerts.restore),
        }

    def advance(self, now_ns: TsNs) -> None:
        """Let everything happen that happens up to a moment, in the order of time; a moment in the past does nothing.

        What is due comes before a tick of the same moment.
        """
        market, agenda = self.market, self.agenda
        while True:
            due, tick = agenda.next_ns(), market.next_ns()
            if min(due, tick) > now_ns:
                break
            if due <= tick:
                self.now_ns = max(self.now_ns, TsNs(due))
                agenda.do_next()
            else:
                self.now_ns = max(self.now_ns, TsNs(tick))
                self._tick()
        self.now_ns = max(self.now_ns, now_ns)

    def leap(self, span_ns: int) -> None:
        """Let a span of time pass at once."""
        self.leapt_ns += span_ns
        self.advance(TsNs(self.now_ns + span_ns))

    def next_ns(self) -> int | None:
        """Return when the next thing happens; None where nothing is to come."""
        next_ns = min(self.agenda.next_ns(), self.market.next_ns())
        return next_ns if next_ns < NEVER else None

    def _tick(self) -> None:
        tick, events = self.market.take_tick()
        if events:
            self.passage.apply(events)
        if self.passage.stops:
            self.passage.see_triggers(tick.instrument, tick.ts_ns)
        for hear in self.tick_hearers:
            hear(tick)

    # ---- the day

    def _day_begins(self, due: DayDue, now_ns: TsNs) -> None:
        self.sessions.end_old(now_ns)
        self.book.new_day()
        self.passage.stops.clear()
        self.market.begin_day(due.day)
        for end_ns in self.market.venue.auction_ends():
            self.agenda.put(end_ns, AuctionDue(TsNs(end_ns)))
        for end_ns in self.market.ends():
            self.agenda.put(end_ns, CloseDue(TsNs(end_ns)))
        self.hearers.tell(DayBegan(due.day, now_ns))

    def _auctions_end(self, due: AuctionDue, now_ns: TsNs) -> None:
        del now_ns
        self.passage.apply(self.market.close_auctions(due.end_ns))

    def _instruments_close(self, due: CloseDue, now_ns: TsNs) -> None:
        names = self.market.ending(due.end_ns)
        self.passage.apply(self.market.close_day(names))
        listing = self.market.listing
        self.hearers.tell(SessionClosed(tuple(listing.by_id[name].token for name in names), now_ns))


def found(founding: Founding, start_ns: TsNs, parts: Iterable[Part] = ()) -> Exchange:
    """Make an exchange with its further parts, and bring it to the moment at which it begins."""
    exchange = Exchange(founding)
    for part in parts:
        part(exchange)
    exchange.advance(start_ns)
    return exchange
