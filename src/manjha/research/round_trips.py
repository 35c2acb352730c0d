"""Round trips: which exit closed which entry, and what was earned, to the last 1e-4 rupee.

Fills are matched first in, first out within (instrument, product, strategy). The pieces that the same entry order and
the same exit order have in common are one round trip, so partial fills and slices do not multiply trades. An order that
turns a position closes one trip and opens the next. What is left at the end is an open trip, marked to the last close.

Nothing is lost: the net of all trips, plus what belongs to no trip, is final equity minus initial capital exactly.
Charges are split by quantity with the remainder carried on, so that the pieces of a fill add up to the fill.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field

import msgspec
import numpy as np

from manjha.domain.bars import BarColumns
from manjha.domain.charges import ChargeLines
from manjha.domain.errors import UsageError, invariant
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash, Px, Qty, divide
from manjha.domain.orders import Fill, Order, OrderId, OrderType, Product, Side, StrategyId
from manjha.research.note_lines import charges_with_notes
from manjha.research.result import BacktestResult, PositionAdjusted

SETTLEMENT = "settlement"
"""Purpose of an entry or exit that no order of the run explains: expiry, or a corporate action."""


class RoundTrip(msgspec.Struct, frozen=True):
    """One entry and its exit. Money in 1e-4 rupee.

    `side` is the entry's. `entry_px` and `exit_px` are means, half up, in units after any split in between. `gross` is
    the exact price difference, `income` cash from corporate actions, `slippage` a part of `gross` already.
    `bars` counts the run's timestamps after the entry up to the exit. `mae` ≤ 0 ≤ `mfe` are the worst and best `gross`
    in between: entry and exit prices and the highs and lows of bars wholly between the two; None without bars. The bar
    inside which a resting order ended the trip is not one of them: its extremes may have come afterwards.
    `exit_ns` and `exit_px` of an open trip are those of the last mark.
    """

    instrument: InstrumentId
    product: Product
    strategy: StrategyId
    side: Side
    qty: Qty
    entry_ns: TsNs
    exit_ns: TsNs
    entry_px: Px
    exit_px: Px
    gross: Cash
    income: Cash
    charges: ChargeLines
    slippage: Cash
    bars: int
    mae: Cash | None
    mfe: Cash | None
    entry_purpose: str
    exit_purpose: str
    tag: str
    is_open: bool = False

    @property
    def net(self) -> Cash:
        """What it earned after charges."""
        return Cash(self.gross + self.income - self.charges.total)

    @property
    def turnover(self) -> Cash:
        """Value of the entry."""
        return Cash(self.entry_px * self.qty)


class RoundTrips(msgspec.Struct, frozen=True):
    """Closed trips by exit time, open trips by entry time, and what belongs to no trip.

    `unassigned` are contract-note lines of days without a fill, `income` cash of actions on no position.
    """

    closed: tuple[RoundTrip, ...]
    open: tuple[RoundTrip, ...]
    unassigned: ChargeLines = ChargeLines()
    income: Cash = Cash(0)

    @property
    def net(self) -> Cash:
        """Final equity minus initial capital."""
        trips = sum(trip.net for trip in (*self.closed, *self.open))
        return Cash(trips + self.income - self.unassigned.total)


@dataclass(slots=True)
class _Lot:
    """A part of a position still open. `cost` is signed like a payment for a long: px × qty, whatever the side."""

    side: int
    qty: int
    cost: int
    charges: list[int]
    slippage: int
    order: OrderId
    ts_ns: int
    income: int = 0
    steps: list[tuple[int, int, int]] = field(default_factory=list)
    """Quantity changes without a trade: (moment, quantity before, quantity after)."""


@dataclass(slots=True)
class _Draft:
    """A round trip in the making."""

    lot: _Lot
    key: tuple[InstrumentId, Product, StrategyId]
    exit_order: OrderId
    exit_ns: int
    proceeds: int
    reference: int = 0
    """Price before slippage of the last exit."""
    is_open: bool = False


def round_trips(result: BacktestResult) -> RoundTrips:
    """Match the fills of a run. Raises `InvariantBroken` where adjustments contradict the fills."""
    orders = {record.order.id: record.order for record in result.orders}
    charges, unassigned = charges_with_notes(result)
    matcher = _Matcher({order_id: _root(orders, order_id) for order_id in orders})
    events: list[tuple[int, int, int]] = [(row.ts_ns, 0, at) for at, row in enumerate(result.adjustments)]
    events += [(fill.ts_ns, 1, at) for at, fill in enumerate(result.fills)]
    # Actions take effect before the open, so at the same moment they come first; sorting is stable otherwise.
    for _, is_fill, at in sorted(events):
        if is_fill:
            matcher.fill(result.fills[at], charges[at])
        else:
            matcher.adjust(result.adjustments[at])
    drafts = matcher.finish(dict(result.marks), result.curve.ts_ns)
    shaper = _Shaper(result, orders)
    trips = [shaper.trip(draft) for draft in drafts]
    closed = sorted((trip for trip in trips if not trip.is_open), key=lambda trip: (trip.exit_ns, trip.entry_ns))
    still = sorted((trip for trip in trips if trip.is_open), key=lambda trip: trip.entry_ns)
    return RoundTrips(tuple(closed), tuple(still), unassigned, Cash(matcher.income))


class _Matcher:
    """First in, first out, for all keys at once."""

    def __init__(self, roots: dict[OrderId, OrderId]) -> None:
        self._roots = roots
        self._lots: dict[tuple[InstrumentId, Product, StrategyId], deque[_Lot]] = defaultdict(deque)
        self._drafts: list[_Draft] = []
        self._joined: dict[tuple[object, ...], _Draft] = {}
        self.income = 0

    def fill(self, fill: Fill, charges: list[int]) -> None:
        key = (fill.instrument, fill.product, fill.origin.strategy)
        lots = self._lots[key]
        order = self._roots.get(fill.order_id, fill.order_id)
        slippage = int(fill.side) * (fill.px - fill.reference) * fill.qty
        piece = _Lot(int(fill.side), fill.qty, fill.px * fill.qty, list(charges), slippage, order, fill.ts_ns)
        while piece.qty and lots and lots[0].side != piece.side:
            qty = min(piece.qty, lots[0].qty)
            entry, leaving = _take(lots[0], qty), _take(piece, qty)
            entry.charges = [a + b for a, b in zip(entry.charges, leaving.charges, strict=True)]
            entry.slippage += leaving.slippage
            self._join(_Draft(entry, key, order, fill.ts_ns, leaving.cost, fill.reference))
            if not lots[0].qty:
                lots.popleft()
        if piece.qty:
            lots.append(piece)

    def adjust(self, row: PositionAdjusted) -> None:
        key = (row.instrument, row.product, row.strategy)
        lots = self._lots[key]
        held = sum(lot.side * lot.qty for lot in lots)
        invariant(held == row.qty_before, f"an adjustment of {row.instrument} says {row.qty_before}, fills say {held}")
        if not held:
            self.income += row.cash
            return
        total, after = abs(held), abs(row.qty_after)
        seen = given = kept = 0
        for lot in lots:
            seen += lot.qty
            income = row.cash * seen // total - given
            qty = after * seen // total - kept
            lot.income, given, kept = lot.income + income, given + income, kept + qty
            if qty != lot.qty:
                lot.steps.append((row.ts_ns, lot.qty, qty))
            lot.qty = qty
        for lot in [lot for lot in lots if not lot.qty]:
            self._drafts.append(_Draft(lot, key, OrderId(""), row.ts_ns, 0))
        self._lots[key] = deque(lot for lot in lots if lot.qty)

    def finish(self, marks: dict[InstrumentId, Px], ts_ns: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[_Draft]:
        for key, lots in self._lots.items():
            if lots and key[0] not in marks:
                raise UsageError(f"{key[0]} is held at the end, but the result has no mark for it")
            for lot in lots:
                last = max(int(ts_ns[-1]) if len(ts_ns) else lot.ts_ns, lot.ts_ns)
                self._join(_Draft(lot, key, OrderId(""), last, marks[key[0]] * lot.qty, is_open=True))
        return self._drafts

    def _join(self, draft: _Draft) -> None:
        """Add to the trip of the same two orders, or begin one."""
        lot = draft.lot
        pair = (*draft.key, lot.order, draft.exit_order, draft.is_open, tuple(step[0] for step in lot.steps))
        known = self._joined.get(pair)
        if known is None:
            self._joined[pair] = draft
            self._drafts.append(draft)
            return
        whole = known.lot
        whole.steps = [
            (at, before + more[1], after + more[2])
            for (at, before, after), more in zip(whole.steps, lot.steps, strict=True)
        ]
        whole.qty, whole.cost, whole.income = whole.qty + lot.qty, whole.cost + lot.cost, whole.income + lot.income
        whole.charges = [a + b for a, b in zip(whole.charges, lot.charges, strict=True)]
        whole.slippage += lot.slippage
        known.proceeds += draft.proceeds
        known.exit_ns = max(known.exit_ns, draft.exit_ns)
        known.reference = draft.reference


def _take(lot: _Lot, qty: int) -> _Lot:
    """Cut a piece off a lot; what is left keeps the remainders."""
    whole = lot.qty
    part = _Lot(
        lot.side,
        qty,
        divide(lot.cost * qty, whole),
        [divide(line * qty, whole) for line in lot.charges],
        divide(lot.slippage * qty, whole),
        lot.order,
        lot.ts_ns,
        divide(lot.income * qty, whole),
        list(lot.steps),
    )
    lot.qty -= qty
    lot.cost -= part.cost
    lot.charges = [line - taken for line, taken in zip(lot.charges, part.charges, strict=True)]
    lot.slippage -= part.slippage
    lot.income -= part.income
    return part


def _root(orders: dict[OrderId, Order], order_id: OrderId) -> OrderId:
    """Follow slices to the order they were cut from: a parent of the same side. A protective order trades opposite."""
    order = orders[order_id]
    parent = orders.get(order.parent) if order.parent else None
    return parent.id if parent is not None and parent.side == order.side else order_id


class _Shaper:
    """Makes finished trips of drafts: purposes, bars held, excursions."""

    def __init__(self, result: BacktestResult, orders: dict[OrderId, Order]) -> None:
        self._orders = orders
        self._ts = result.curve.ts_ns
        # The finest interval tells most about what happened in between.
        columns = sorted(result.bars, key=lambda bars: -bars.interval)
        self._bars = {bars.instrument: _Extremes(bars) for bars in columns}

    def trip(self, draft: _Draft) -> RoundTrip:
        lot, (instrument, product, strategy) = draft.lot, draft.key
        entry = self._orders.get(lot.order)
        leaving = self._orders.get(draft.exit_order)
        exit_purpose = "open" if draft.is_open else str(leaving.purpose) if leaving else SETTLEMENT
        rested = leaving is not None and leaving.type is not OrderType.MARKET
        mae, mfe = self._excursions(draft, rested=rested)
        first, last = np.searchsorted(self._ts, [lot.ts_ns, draft.exit_ns], side="right")
        qty = lot.qty or 1
        return RoundTrip(
            *(instrument, product, strategy, Side(lot.side), Qty(lot.qty), TsNs(lot.ts_ns), TsNs(draft.exit_ns)),
            entry_px=Px(divide(lot.cost, qty)),
            exit_px=Px(divide(draft.proceeds, qty)),
            gross=Cash(lot.side * (draft.proceeds - lot.cost)),
            income=Cash(lot.income),
            charges=ChargeLines(*map(Cash, lot.charges)),
            slippage=Cash(lot.slippage),
            bars=int(last - first),
            mae=mae,
            mfe=mfe,
            entry_purpose=str(entry.purpose) if entry else SETTLEMENT,
            exit_purpose=exit_purpose,
            tag=entry.tag if entry else "",
            is_open=draft.is_open,
        )

    def _excursions(self, draft: _Draft, *, rested: bool) -> tuple[Cash | None, Cash | None]:
        """Return the worst and best gross profit on the way. `rested`: the exit was no market order."""
        extremes = self._bars.get(draft.key[0])
        if extremes is None:
            return None, None
        lot = draft.lot
        # The quantity in force between one change and the next; the trip's own at the end.
        starts = [lot.ts_ns, *(step[0] for step in lot.steps)]
        # One bar closes when the next one opens; only an exit at that open has seen the whole of the first.
        inside = rested and not extremes.opens_with(draft.exit_ns, draft.reference)
        ends = [*(step[0] for step in lot.steps), draft.exit_ns - 1 if inside else draft.exit_ns]
        qtys = [*(step[1] for step in lot.steps), lot.qty]
        # A partial exit after the last change cut the lot: earlier quantities shrink in the same proportion.
        cut = lot.steps[-1][2] if lot.steps else 0
        values = [0, draft.proceeds - lot.cost]
        for start, end, qty in zip(starts, ends, qtys, strict=True):
            part = divide(qty * lot.qty, cut) if cut and start < starts[-1] else qty
            values += [px * part - lot.cost for px in extremes.between(start, end)]
        signed = [lot.side * value for value in values]
        return Cash(min(signed)), Cash(max(signed))


class _Extremes:
    """Lowest and highest price of the bars wholly inside a span of time."""

    def __init__(self, bars: BarColumns) -> None:
        self._opens = np.asarray(bars.ts_open_ns)
        self._closes = np.asarray(bars.ts_close_ns)
        self._open = np.asarray(bars.open)
        self._low = np.asarray(bars.low)
        self._high = np.asarray(bars.high)

    def opens_with(self, ts_ns: int, px: int) -> bool:
        """Tell whether a bar opens at a moment with a price."""
        at = int(np.searchsorted(self._opens, ts_ns))
        return at < len(self._opens) and int(self._opens[at]) == ts_ns and int(self._open[at]) == px

    def between(self, start_ns: int, end_ns: int) -> tuple[int, ...]:
        first = int(np.searchsorted(self._opens, start_ns, side="left"))
        last = int(np.searchsorted(self._closes, end_ns, side="right"))
        if first >= last:
            return ()
        return int(self._low[first:last].min()), int(self._high[first:last].max())
