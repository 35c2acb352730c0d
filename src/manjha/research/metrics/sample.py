"""Everything that the metrics look at, made from a result where it is first asked for."""

from collections import Counter
from collections.abc import Callable
from functools import cached_property

from manjha.domain.commands import RefusalReason, SubmitOrder
from manjha.domain.orders import LegGroup
from manjha.research.metrics.daily import Daily, Floats, Options, calendar_days, daily_equity, period_returns
from manjha.research.metrics.drawdown import Fall, deepest, falls, max_drawdown, underwater
from manjha.research.metrics.drawdown import ulcer_index as ulcer_of
from manjha.research.metrics.growth import cagr
from manjha.research.metrics.trading import Trips, nets
from manjha.research.result import BacktestResult, Int64s
from manjha.research.round_trips import RoundTrips, round_trips


class Sample:
    """A run as the metrics see it: whoever looks at the curve only pays for no trades.

    A way of running that knows parts of it without a whole result gives those itself, see `research.search.compiled`.
    """

    def __init__(self, make: Callable[[], BacktestResult], options: Options | None = None) -> None:
        self._make = make
        self.options = options or Options()

    @cached_property
    def result(self) -> BacktestResult:
        """The run."""
        return self._make()

    @cached_property
    def trips(self) -> RoundTrips:
        """Round trips."""
        return round_trips(self.result)

    @cached_property
    def daily(self) -> Daily:
        """The curve reduced to days."""
        return daily_equity(self.result)

    @cached_property
    def months(self) -> Floats:
        """Returns of calendar months."""
        return period_returns(self.day, self.returns, "month")[1]

    @cached_property
    def years(self) -> Floats:
        """Returns of calendar years."""
        return period_returns(self.day, self.returns, "year")[1]

    @cached_property
    def falls(self) -> tuple[Fall, ...]:
        """Falls of the curve, bar by bar."""
        return tuple(falls(self.initial, self.equity))

    @cached_property
    def below(self) -> Floats:
        """Underwater at daily closes."""
        return underwater(self.initial, self.daily.equity)

    @cached_property
    def net(self) -> Floats:
        """Net of each closed round trip."""
        return nets(self.closed)

    @property
    def initial(self) -> int:
        """Initial capital."""
        return self.result.initial

    @property
    def final(self) -> int:
        """Final equity."""
        return self.result.final

    @property
    def ts(self) -> Int64s:
        """Bar timestamps."""
        return self.result.curve.ts_ns

    @property
    def equity(self) -> Int64s:
        """Equity, bar by bar."""
        return self.result.curve.equity

    @property
    def gross(self) -> Int64s:
        """Gross exposure, bar by bar."""
        return self.result.curve.gross

    @property
    def day(self) -> Int64s:
        """Trading days."""
        return self.daily.day

    @property
    def returns(self) -> Floats:
        """Daily returns."""
        return self.daily.returns

    @property
    def benchmark(self) -> Floats:
        """Daily returns of the benchmark."""
        return self.daily.benchmark

    @property
    def rate(self) -> float:
        """Risk-free rate of a year."""
        return self.options.risk_free

    @property
    def daily_rate(self) -> float:
        """Risk-free rate of a trading day."""
        return self.options.daily_risk_free

    @property
    def year(self) -> int:
        """Trading days of a year."""
        return self.options.year_days

    @property
    def closed(self) -> Trips:
        """Closed round trips by exit time."""
        return self.trips.closed

    @property
    def trades(self) -> int:
        """Number of closed round trips."""
        return len(self.closed)

    @property
    def refusals(self) -> Counter[RefusalReason]:
        """Orders that risk refused, by reason."""
        refused = self.result.refusals
        return Counter(one.reason for one in refused if isinstance(one.subject, SubmitOrder | LegGroup))

    @property
    def days(self) -> int:
        """Calendar days of the run."""
        return calendar_days(self.day)

    @property
    def annual(self) -> float:
        """CAGR."""
        return cagr(self.initial, self.final, self.days)

    @property
    def deepest(self) -> Fall | None:
        """The deepest fall."""
        return deepest(list(self.falls))

    @property
    def max_drawdown(self) -> float:
        """Depth of the deepest fall."""
        return max_drawdown(list(self.falls))

    @property
    def ulcer(self) -> float:
        """Ulcer index of daily closes."""
        return ulcer_of(self.below)

    @property
    def traded(self) -> int:
        """Value of all fills."""
        return sum(fill.px * fill.qty for fill in self.result.fills)


def sample(result: BacktestResult, options: Options | None = None) -> Sample:
    """Return a result as the metrics see it."""
    return Sample(lambda: result, options)
