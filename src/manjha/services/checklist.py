"""The pre-open checklist: what must be so before a day is traded, each line ok, warn or refuse, with its remedy."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from manjha.domain.errors import SettingsError
from manjha.domain.events import Event, TradingSwitched
from manjha.domain.kill import level_name
from manjha.domain.moments import SECOND_NS, TradingDay, TsNs, day_of, format_day
from manjha.engine.freezing import all_frozen
from manjha.engine.journaling import value_of
from manjha.engine.state import EngineState
from manjha.market.calendar import is_trading_day, previous_trading_day
from manjha.ports.journal import Journal
from manjha.risk.control_limits import require_live_limits

REFUSED_DAY = "pre-open check: "
"""How the reason of a `TradingSwitched` begins that a checklist made; the next one that passes takes it back."""
DISK_WARN, DISK_REFUSE = 1 << 30, 100 << 20
"""Bytes that should be free where the journal lies, and that must be: a day of minutes takes some ten megabytes."""
DRIFT_NS = SECOND_NS
"""How far the clock may have been moved since the process began, against one that cannot be set."""


class Verdict(StrEnum):
    """What a line says of the day."""

    OK = "ok"
    WARN = "warn"
    REFUSE = "refuse"


BOOKS = "books"
"""Name of the line that changes while a day is traded."""


class Line(NamedTuple):
    """One line: of what, how it is, what was found, and what to do where it is not ok."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""

    @property
    def text(self) -> str:
        """The line in words."""
        return f"{self.verdict:6}  {self.name}: {self.found}" + (f". {self.remedy}" if self.remedy else "")


class Facts(NamedTuple):
    """What a checklist cannot see in the state: the owner's epoch, free bytes on the disk, how far the clock jumped.

    `needs_limits` tells that real money is traded, for which no limit may be missing.
    """

    epoch: int
    free_bytes: int
    clock_jump_ns: int
    needs_limits: bool = False


def checklist(state: EngineState, journal: Journal, facts: Facts, day: TradingDay) -> tuple[Line, ...]:
    """Look at everything that a day needs before it opens. Raises `JournalHalted` where the journal cannot be read."""
    return (
        _journal(journal, facts), _kill(state), _limits(state, facts), books(state), _instruments(state, day),
        _history(state, day), _warm_up(state), _disk(facts), _clock(facts),
    )  # fmt: skip


def refusals(lines: Iterable[Line]) -> str:
    """Return in one sentence what refuses the day; empty where nothing does."""
    return "; ".join(f"{one.name}: {one.found}" for one in lines if one.verdict is Verdict.REFUSE)


def switching(journal: Journal, lines: Sequence[Line], now_ns: TsNs, *, is_on: bool) -> list[Event]:
    """Return what lets strategies open nothing on a day that is refused, and again on the first one that is not.

    Only what a checklist has switched off is switched on by one: a person's stop stays.
    """
    why = refusals(lines)
    if why:
        return [TradingSwitched(on=False, ts_ns=now_ns, reason=REFUSED_DAY + why)] if is_on else []
    for row in journal.of_kind(TradingSwitched.__name__, newest_first=True) if not is_on else ():
        last = value_of(row.entry)
        if isinstance(last, TradingSwitched) and not last.on and last.reason.startswith(REFUSED_DAY):
            return [TradingSwitched(on=True, ts_ns=now_ns, reason=REFUSED_DAY + "nothing refuses the day any more")]
        break
    return []


def _journal(journal: Journal, facts: Facts) -> Line:
    head = journal.head()
    if head.epoch != facts.epoch:
        found = f"another process has begun epoch {head.epoch}, ours is {facts.epoch}"
        return Line("journal and leader", Verdict.REFUSE, found, "`manjha leader show` names who trades the account")
    return Line("journal and leader", Verdict.OK, f"durable, row {head.seq:,}, epoch {head.epoch} is ours")


def thrown(state: EngineState) -> str:
    """Say which levels of the kill switch hold, and those that a limit on profit has thrown for the day."""
    if state.controls is None:
        return "off"
    found = [f"{level_name(level)} for {scope.display}" for scope, level in state.controls.levels.items()]
    found += [
        f"{level_name(level)} for {scope.display} until the next session (profit of the day)"
        for scope, level in state.controls.tripped.items()
    ]
    return ", ".join(found) or "off"


def _kill(state: EngineState) -> Line:
    found = thrown(state)
    if found == "off":
        return Line("kill switch", Verdict.OK, found)
    return Line("kill switch", Verdict.WARN, found, "`manjha resume` lifts it")


def _limits(state: EngineState, facts: Facts) -> Line:
    limits = state.setup.controls
    if limits is None:
        verdict = Verdict.REFUSE if facts.needs_limits else Verdict.WARN
        return Line("limits", verdict, "this run has no controls", "Set [risk] in manjha.toml")
    try:
        require_live_limits(limits)
    except SettingsError as error:
        return Line("limits", Verdict.REFUSE if facts.needs_limits else Verdict.WARN, error.message, error.hint)
    return Line("limits", Verdict.OK, "all that real money needs are set")


def books(state: EngineState) -> Line:
    """Return the line of the books: it changes while a day is traded."""
    desk = state.desk
    if desk is not None and desk.is_compared:
        return Line(BOOKS, Verdict.OK, "they agree with the broker's")
    remedy = "Nothing opens until a whole read agrees; it is asked for by itself"
    return Line(BOOKS, Verdict.WARN, "not compared with the broker's yet", remedy)


def _instruments(state: EngineState, day: TradingDay) -> Line:
    gone = {
        one.display: "expired" if one.expiry is not None and one.expiry < day else "no session"
        for one in state.instruments.values()
        if (one.expiry is not None and one.expiry < day) or not is_trading_day(state.rules, day, one.exchange)
    }
    frozen = {state.instruments[name].display: "frozen" for name in all_frozen(state) if name in state.instruments}
    if not gone and not frozen:
        return Line("instruments", Verdict.OK, f"{len(state.instruments)} known and in session on {format_day(day)}")
    found = ", ".join(f"{name} {why}" for name, why in (gone | frozen).items())
    verdict = Verdict.REFUSE if len(gone) == len(state.instruments) else Verdict.WARN
    return Line("instruments", verdict, found, "Name others, or look (`manjha control accept`) at what is frozen")


def _history(state: EngineState, day: TradingDay) -> Line:
    """Look whether each instrument's newest bar is of the trading day before, or of today."""
    late = []
    for one in state.instruments.values():
        seen_ns = state.marks.seen_ns(one.id)
        if not seen_ns or day_of(TsNs(seen_ns - 1)) < previous_trading_day(state.rules, day, one.exchange):
            late.append(f"{one.display} ({format_day(day_of(TsNs(seen_ns - 1))) if seen_ns else 'none'})")
    if late:
        remedy = "Bring the missing days (`manjha data fetch`, `manjha data gaps`), or indicators go on from older bars"
        return Line("bars of the day before", Verdict.WARN, f"missing of {', '.join(late)}", remedy)
    return Line("bars of the day before", Verdict.OK, "there for every instrument")


def _warm_up(state: EngineState) -> Line:
    needed, seen = state.ctx.warmup + 1, len(state.timeline)
    if seen >= needed:
        return Line("warm-up", Verdict.OK, f"{seen:,} bars read, {needed:,} needed: indicators are ready")
    remedy = f"The strategy decides nothing for {needed - seen:,} bars more; give the store an earlier history"
    return Line("warm-up", Verdict.WARN, f"{seen:,} bars read, {needed:,} needed", remedy)


def _disk(facts: Facts) -> Line:
    found = f"{facts.free_bytes >> 20:,} MiB free"
    if facts.free_bytes >= DISK_WARN:
        return Line("disk", Verdict.OK, found)
    verdict = Verdict.REFUSE if facts.free_bytes < DISK_REFUSE else Verdict.WARN
    return Line("disk", verdict, found, "Make room where MANJHA_HOME lies: without it nothing can be written or sent")


def _clock(facts: Facts) -> Line:
    jump = abs(facts.clock_jump_ns)
    if jump < DRIFT_NS:
        return Line("clock", Verdict.OK, "not moved since the process began")
    found = f"moved by {jump // SECOND_NS:,} s since the process began"
    return Line("clock", Verdict.REFUSE, found, "Let the machine keep time (NTP), and start the trader again")
