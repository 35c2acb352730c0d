"""A compiled run bar by bar: reset, then step with what is wanted now. For agents that learn, later."""

from collections.abc import Sequence

import numpy as np

from manjha.domain.errors import UsageError
from manjha.domain.money import Cash
from manjha.research.backtest import BacktestSpec, first_position
from manjha.research.kernel import cache, loop
from manjha.research.kernel import records as s
from manjha.research.kernel.outcome import KernelOutcome
from manjha.research.kernel.refusal import acts_on_bar
from manjha.research.kernel.run import KernelMarket, KernelRefused, check_kernel, new_tables
from manjha.research.targets import SAYS_NOTHING, Stated
from manjha.strategy.interface import overrides


class KernelSteps:
    """One account over one market, moved on by `step`. The strategy of the spec gives unit and product, no decisions.

    What is wanted at a step is decided at the last close and trades by the run's fill rules; a sequence of steps gives
    what a strategy gives that states the same targets: before the spec's `trade_from_ns` nothing is decided.
    """

    def __init__(self, spec: BacktestSpec, market: KernelMarket | None = None) -> None:
        if acts_on_bar(spec.strategy):
            raise KernelRefused(
                "steps are decided from outside: give a strategy that states targets, not one of on_bar"
            )
        if overrides(spec.strategy, "universe"):
            raise KernelRefused("steps are decided from outside: give a strategy that chooses no universe")
        if market is None:
            check_kernel(spec)
            market = KernelMarket(spec)
        self.spec = spec
        self.market = market
        self.width = len(spec.instruments)
        self._first = first_position(market.timeline, spec.trade_from_ns)
        self.reset()

    def reset(self) -> int:
        """Begin anew: process the first bar, and return its position, 0."""
        nothing = Stated(np.zeros(0, np.int64), np.zeros((0, self.width), np.int64))
        self._tables = new_tables(self.spec, self.market, nothing)
        self._wanted = np.full((1, self.width), SAYS_NOTHING, np.int64)
        self._tables.take("wanted", self._wanted)
        self._go(1)
        return 0

    def step(self, wanted: Sequence[int], bars: int = 1) -> int:
        """Want this of each instrument at the last close, process some bars, and return the position reached.

        Parameters
        ----------
        wanted
            Integers of 1e-9 of the strategy's unit, one an instrument; `SAYS_NOTHING` leaves one as it is.
        bars
            How many bars to process; fewer at the end, after which the last day has ended and `is_done` is true.

        Raises
        ------
        UsageError
            The wrong number of targets, or a step after the end.
        KernelRefused
            The run needs what the kernel does not do.
        """
        if len(wanted) != self.width or self.is_done or bars < 1:
            raise UsageError(f"expected {self.width} targets and at least one bar, before the end of the run")
        self._wanted[0] = wanted if self.position >= self._first else SAYS_NOTHING
        self._go(self.position + 1 + bars)
        return self.position

    @property
    def position(self) -> int:
        """The bar that closed last."""
        return int(self._tables.account[0]["reached"]) - 1

    @property
    def is_done(self) -> bool:
        """Whether the last bar has closed and the last day ended."""
        return bool(self._tables.account[0]["status"] == s.DONE)

    @property
    def equity(self) -> Cash:
        """Cash and positions at the last close, in 1e-4 rupee."""
        return self.outcome().final

    @property
    def held(self) -> s.Ints:
        """Signed quantity of each instrument."""
        return self._tables.arrays["holdings"]["qty"].copy()

    def outcome(self) -> KernelOutcome:
        """Return what has happened so far; valid until the next step."""
        return KernelOutcome(self._tables)

    def _go(self, stop: int) -> None:
        account, run = self._tables.account, cache.entries().run
        last = int(account[0]["count"])
        # A step decides once, however often its logs have to grow.
        how = loop.STEP
        while True:
            run(account, min(stop, last), how)
            if account[0]["status"] != s.FULL:
                break
            self._tables.grow()
            how = loop.ADVANCE
        if account[0]["status"] == s.RUNNING and account[0]["reached"] == last:
            run(account, last, loop.TO_THE_END)
        if account[0]["status"] not in (s.RUNNING, s.DONE):
            raise KernelRefused(f"the kernel does not do this: {s.STATUS[int(account[0]['status'])]}")
