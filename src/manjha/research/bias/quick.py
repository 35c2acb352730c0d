"""The cheap check of every backtest: would the run have begun in the same way without what came after?

The beginning is run again on a few bars, up to moments at which the run decided, and compared. It costs a small share
of the run (`docs/bias-check.md` has the measurement), sees only the beginning, and changes nothing but warnings.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from manjha.domain.sizing import NANO
from manjha.engine.state import EngineState
from manjha.research.backtest import BacktestSpec, Driver, run_backtest
from manjha.research.bias.compare import Difference, differences
from manjha.research.bias.subjects import Broken, StrategySubject, Trace, Values, attempted, kept
from manjha.research.bias.tape import Ints, cut
from manjha.research.bias.watch import Watch, known_at
from manjha.research.bias.words import quick_sentence, unchecked_sentence
from manjha.research.drive import Drive, Progress
from manjha.research.result import BacktestResult
from manjha.strategy.asked import TargetRequest
from manjha.strategy.interface import is_target_strategy

SHARE = 0.03
"""Bars that are run again, warm-up left out, as a share of the run's."""
BARS_MIN, BARS_MAX = 120, 3_000
"""At least and at most so many: a share of a short run would hold no decision, and more of a long one shows no more."""
LIMIT_MIN = 300
"""Bars that all cuts together may run again, warm-up included, where a tenth of the run is fewer."""
PARTS = (0.65, 0.35)
"""How the bars are divided among the cuts."""


def run_checked(spec: BacktestSpec, progress: Progress | None = None, driver: Driver = Drive) -> BacktestResult:
    """Run a backtest as `run_backtest` does, with a warning for what was decided otherwise when later bars are missing.

    The warnings are all that differs. Raises as `run_backtest` does.
    """
    check = _QuickCheck(spec)
    result = run_backtest(spec, progress, driver, check.attach)
    warnings = check.warnings()
    return msgspec.structs.replace(result, warnings=(*result.warnings, *warnings)) if warnings else result


class _QuickCheck:
    def __init__(self, spec: BacktestSpec) -> None:
        self.subject = StrategySubject(spec, anew=False)
        self.spec = spec
        self.watch = Watch()
        self.state: EngineState | None = None

    def attach(self, state: EngineState) -> None:
        self.state = state
        self.watch.attach(state)

    def warnings(self) -> list[str]:
        """Return at most one sentence for each item that differs."""
        self.watch.detach()
        state = self.state
        if state is None:
            return []
        closes = np.asarray(state.timeline.close_ns)
        whole = self._whole(state, closes)
        said: dict[str, str] = {}
        for point in cuts(whole, state.wakeups):
            found = self._differences(whole, point)
            if isinstance(found, Broken):
                said.setdefault("", unchecked_sentence(found.why, int(closes[point])))
                continue
            for one in found:
                said.setdefault(one.item, quick_sentence(one, int(closes[point])))
        return list(said.values())

    def _whole(self, state: EngineState, closes: Ints) -> Trace:
        lines, _ = kept(self.spec.strategy, closes)
        wakeups, wanted = state.wakeups, state.wanted
        driven = self.subject.decides_in_events(self.spec)
        if wakeups is not None and wanted is not None and is_target_strategy(self.spec.strategy):
            count = min(len(closes), state.ctx.warmup + _budget(len(closes)) + 1)
            targets = {i.id: np.full((count, 1), np.nan) for i in self.spec.instruments}
            for position in wakeups[: int(np.searchsorted(wakeups, count))]:
                for request in wanted(position):
                    if isinstance(request, TargetRequest):
                        targets[request.instrument][position] = request.value / NANO
            names = {f"target of {i.display}": Values(closes[:count], targets[i.id]) for i in self.spec.instruments}
            lines |= names
        decisions = self.watch.decisions if driven else []
        return Trace(closes, decisions, lines, {}, state.ctx.warmup)

    def _differences(self, whole: Trace, point: int) -> Sequence[Difference] | Broken:
        subject = self.subject
        if any(not track.known(int(whole.closes[point])) for track in subject.tape[: len(self.spec.bars)]):
            return ()
        trace = attempted(subject, cut(subject.tape, int(whole.closes[point])), point)
        if isinstance(trace, Broken):
            return trace
        upto = point if subject.cuts_decide else -1
        return tuple(differences(whole, trace, point, subject.display, cut=True, upto=upto))


def cuts(whole: Trace, wakeups: Sequence[int] | None) -> list[int]:
    """Return where to cut: the last decision within each part of the bars that may be run again; else its last bar."""
    count = len(whole.closes)
    deciding = wakeups if wakeups is not None else [known_at(one) for one in whole.decisions]
    if not len(deciding) and not whole.lines:
        return []
    found: set[int] = set()
    for part in PARTS:
        last = min(whole.warmup + int(_budget(count) * part), count - 2)
        at = int(np.searchsorted(deciding, last, side="right")) - 1
        point = int(deciding[at]) if at >= 0 else last
        if point >= whole.warmup:
            found.add(point)
    # With a long warm-up each cut costs its bars as well: as many cuts as fit, one at least.
    return [point for number, point in enumerate(sorted(found)) if not number or sum(found) <= _limit(count)]


def _limit(count: int) -> int:
    return max(count // 10, LIMIT_MIN)


def _budget(count: int) -> int:
    return min(max(int(count * SHARE), BARS_MIN), BARS_MAX)
