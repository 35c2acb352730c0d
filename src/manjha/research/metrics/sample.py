"""Everything that the metrics look at, made once from a result."""

import msgspec

from manjha.research.metrics.daily import Daily, Floats, Options, calendar_days, daily_equity, period_returns
from manjha.research.metrics.drawdown import Fall, deepest, falls, max_drawdown, underwater
from manjha.research.metrics.drawdown import ulcer_index as ulcer_of
from manjha.research.metrics.growth import cagr
from manjha.research.metrics.trading import Trips, nets
from manjha.research.result import BacktestResult, Int64s
from manjha.research.round_trips import RoundTrips, round_trips


class Sample(msgspec.Struct, frozen=True, eq=False):
    """A run as the metrics see it. `falls` are of the curve bar by bar, `below` is underwater at daily closes."""

    result: BacktestResult
    options: Options
    trips: RoundTrips
    daily: Daily
    months: Floats
    years: Floats
    falls: tuple[Fall, ...]
    below: Floats
    net: Floats

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
    def days(self) -> int:
        """Calendar days of the run."""
        return calendar_days(self.daily.day)

    @property
    def annual(self) -> float:
        """CAGR."""
        return cagr(self.result.initial, self.result.final, self.days)

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
    """Match the round trips and reduce the curve to days."""
    daily = daily_equity(result)
    trips = round_trips(result)
    return Sample(
        result=result,
        options=options or Options(),
        trips=trips,
        daily=daily,
        months=period_returns(daily.day, daily.returns, "month")[1],
        years=period_returns(daily.day, daily.returns, "year")[1],
        falls=tuple(falls(result.initial, result.curve.equity)),
        below=underwater(result.initial, daily.equity),
        net=nets(trips.closed),
    )
