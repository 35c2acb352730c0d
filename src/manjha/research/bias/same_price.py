"""Orders that fill at the close which decided them: an assumption, and a bias where that very close decides.

Whoever trades at the close cannot know it. A decision by the calendar, by earlier bars or by the open is possible; one
that is another when only the deciding bar's close is another has seen its own price.
"""

from collections.abc import Callable

import numpy as np

from manjha.domain.moments import TsNs
from manjha.domain.orders import OrderType
from manjha.research.bias.compare import TARGET, number
from manjha.research.bias.findings import Cause, Finding, FindingKind
from manjha.research.bias.subjects import Broken, Subject, Trace, attempted, interval_words
from manjha.research.bias.tape import Change, Column, Kind, Tape, Track
from manjha.research.bias.watch import Decision, Place, describe
from manjha.strategy.asked import OrderRequest, TargetRequest

STEPS = (1.25, 0.8)
"""What the close is multiplied by."""


def same_price(subject: Subject, whole: Trace, chosen: list[int], count: Callable[[], None]) -> list[Finding]:
    """Return the finding that the strategy decides by the close it fills at, if it does at any of the points."""
    at: list[int] = []
    shown: tuple[str, str] = ("", "")
    for point in chosen:
        before = _market(subject, whole, point)
        for step in STEPS:
            count()
            trace = attempted(subject, _other_close(subject.tape, int(whole.closes[point]), step), point)
            after = before if isinstance(trace, Broken) else _market(subject, trace, point)
            if after != before:
                shown = shown if at else (before or "nothing", after or "nothing")
                at.append(point)
                break
    if not at:
        return []
    ts_ns = TsNs(int(whole.closes[at[0]]))
    main = subject.tape[0]
    cause = Cause((main.label,), interval_words(main), ("close",), ts_ns, ts_ns)
    how = str(Change(Kind.COLUMN, 0, "close").kind)
    return [Finding(FindingKind.SAME_PRICE, "orders", ts_ns, *shown, cause, len(at), (), how)]


def _market(subject: Subject, trace: Trace, point: int) -> str:
    """Return in words what fills at the close of a position: market orders and targets decided there."""
    asked = [describe(one.asked, subject.display) for one in trace.decisions if _fills_there(one, point)]
    for name, values in trace.lines.items():
        if name.startswith(TARGET) and not np.isnan(values.numbers[point]).all():
            asked.append(f"{name}: {number(values.numbers, point)}")
    return ", ".join(asked)


def _fills_there(one: Decision, point: int) -> bool:
    if one.position != point or one.place is not Place.CLOSE:
        return False
    asked = one.asked
    return isinstance(asked, TargetRequest) or (isinstance(asked, OrderRequest) and asked.type is OrderType.MARKET)


def _other_close(tape: Tape, ts_ns: int, step: float) -> Tape:
    return tuple(_with_close(track, ts_ns, step) for track in tape)


def _with_close(track: Track, ts_ns: int, step: float) -> Track:
    row = track.known(ts_ns) - 1
    if row < 0 or track.close_ns[row] != ts_ns or "close" not in track.columns:
        return track
    close: Column = track.columns["close"].copy()
    close[row] = close[row] * step
    return Track(track.label, track.interval, track.open_ns, track.close_ns, {**track.columns, "close": close})
