"""The state of a compiled run: records of int64, one account, one row an instrument, order, fill, day.

Prices and money in 1e-4 rupee, quantities in units, moments in UTC nanoseconds; -1 stands for "none" where a row or an
order is named, 0 where a price, a moment or a quantity is. Rows of logs are never changed once written, except orders.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from manjha.market.charges import RateCard

BOOK_SIZE = 64
"""Open orders an instrument at most; a run that needs more is done by the event engine."""
WAITING = 8
"""Days for which shares or proceeds may wait for settlement at once."""
PLAN_SIZE = 512
"""Timers, entries with exits and outputs under way at most."""
SPARE = 2048
"""Free rows that each log must have before a bar is processed; with fewer the run stops and asks for larger ones."""
NONE = -(2**63)
"""A target that says nothing."""
BOUND = 4 * 10**17
"""Largest amount of money, and largest product of price and quantity, that the kernel computes with."""
NEVER = 2**63 - 1

# Status of a run.
RUNNING, DONE, FULL, OVERFLOW, CROWDED, AMBIGUOUS, BEYOND, UNLIKE, MALFORMED = range(9)
STATUS = {
    OVERFLOW: "an amount beyond 64-bit integers",
    CROWDED: f"more than {BOOK_SIZE} open orders in an instrument, or {PLAN_SIZE} timers or entries under way",
    AMBIGUOUS: "a contract note whose rounding needs larger integers",
    BEYOND: "a day outside the calendar",
    UNLIKE: "the strategy came to a value that Python treats otherwise",
    MALFORMED: "a corporate action that pays out more than the price, or leaves a contract without a lot",
}
"""Why a run cannot be finished by the kernel, in words."""

# Types, purposes, products of orders; refusals. The order is that of the lists in `outcome`.
MARKET, LIMIT, SL, SL_M = range(4)
SIGNAL, STOP, TARGET, TIME_EXIT, SQUARE_OFF = range(5)
REFUSED_QUANTITY, REFUSED_TICK, REFUSED_SQUARE_OFF, REFUSED_SESSION, REFUSED_OPEN_ORDERS = range(1, 6)
REFUSED_STOP_SIDE, REFUSED_NO_PRICE, REFUSED_SHORT, REFUSED_ORDER_VALUE, REFUSED_POSITION_VALUE = range(6, 11)
REFUSED_DAY_LOSS, REFUSED_MARGIN, REFUSED_FREEZE, REFUSED_PRODUCT, REFUSED_INDEX = range(11, 16)
REFUSED_PROTECTED, REFUSED_EXPIRED, REFUSED_UNIVERSE = range(16, 19)
# What is placed instead of a refused order (`engine.requests.Instead`).
NOTHING, CLOSING, AFFORDABLE = range(3)
# Outputs of a step.
SUBMIT, MODIFY, CANCEL, TIMER = range(4)
# What a compiled strategy asks for, and what it is called for.
ASK_ORDER, ASK_TARGET, ASK_CANCEL = range(3)
BARS, SESSION_OPENS = range(2)
# Reasons why an order ended.
ASKED_FOR, DAY_ENDED, OUTSIDE = range(1, 4)
# Reasons why a position changed without a trade.
EXPIRY, SPLIT, BONUS, DIVIDEND, SPECIAL_DIVIDEND, RIGHTS, DEMERGER = range(7)
# Phases of an order; one that is brief is filled.
WORKING, FILLED, CANCELLED, REJECTED, BRIEF = range(5)
# Units of targets; sizing policies; slippage models.
UNIT_SIGNAL, UNIT_WEIGHT, UNIT_LOTS, UNIT_QTY = range(4)
SIZE_FIXED, SIZE_FRACTION, SIZE_RISK, SIZE_VOLATILITY = range(4)
SLIP_NONE, SLIP_TICKS, SLIP_BPS, SLIP_VOLUME = range(4)


def _record(*fields: str, **arrays: int) -> np.dtype[Any]:
    names = [name for line in fields for name in line.split()]
    return np.dtype([(name, np.int64) for name in names] + [(name, np.int64, (size,)) for name, size in arrays.items()])


ACCOUNT = _record(
    "cash initial margin margin_peak reserved unsettled waiting",
    "at cursor reached matching round status next_day day_open next_due free seq paid intraday positions",
    "day day_row today_fills day_start_equity wakeup overnight",
    "orders fills steps notes refusals protections timers outputs outputs_from active trailing open_count order_seq",
    "carried dry count instruments days exchanges contracts bands changes actions kept auctions slices_max",
    "at_close penetrates worst participation end_with_day slip_kind slip_by latency",
    "size_kind size_by unit entries open_orders_max order_value_max position_value_max day_loss_max",
    "contract_notes paisa rupee plain lookback annual_days chooses",
    "holdings_at orders_at protections_at outputs_at timers_at fills_at steps_at notes_at refusals_at changes_at",
    "days_at sessions_at cards_at slabs_at underlies_at actions_at kept_at dailies_at day_ends_at universe_at",
    "end_at begin_at rows_at wakeups_at wanted_at mapped columns wakeup_count",
    "order_rows fill_rows step_rows note_rows refusal_rows",
    "acts_at acts_on_session warmup held_until own_at lines_at asked asked_at tag stopped",
    waiting_day=WAITING,
    waiting_amount=WAITING,
    day_lines=9,
)
"""The account, where the run stands, what decides it, and where its tables lie (addresses)."""

HOLDING = _record(
    "number rows lot tick exchange qty cost margin realised ever holding_today holding_settled holding_waiting",
    "mark row close_at open_ns close_ns square_off_ns has_today",
    "opened_at high_at low_at volume_at ts_open_at ts_close_at",
    "opened high low close volume ts_open ts_close bar_row",
    "used_row used touch_row below above opens rests matching_row matching_ns",
    "note_day bought sold value_bought value_sold back_bought back_sold",
    "brokerage_kind brokerage_rate brokerage_cap stt_buy stt_sell exchange_rate ipft sebi stamp_buy stamp_sell",
    "gst gst_on_sebi card nth_active nth_turns nth_traded",
    "freeze misfit group spot_from expiry delivers group_margin scan exposure slab slabs",
    "band band_low band_high locked venue_lot rebased rebased_row auction_start_ns auction_end_ns outside",
    waiting_day=WAITING,
    waiting_qty=WAITING,
    open_ids=BOOK_SIZE,
    rest_ids=BOOK_SIZE,
)
"""An instrument: its position and holding, its session of the day, the bar in hand, its open orders (ours, and those in
the exchange's book), today's rates. `opened_at` and the like are the addresses of its columns (`Columns`).

`band` is the daily band in 1e-9 (-1: none is known), `band_low` and `band_high` its prices today (0: none), `locked`
the side that the bar in hand has nobody for.

`auction_start_ns` and `auction_end_ns` bound today's closing auction (0: none).
`outside` is 1 where the strategy's universe of today does not name it.
`venue_lot` is the lot that orders trade in at the exchange, as before any action. `rebased` is the last close in the
basis of after a corporate action, as long as the bar is that of `rebased_row`.

`misfit` is why it cannot be ordered as the run's product (0: it can). `group` is the first future on the same
underlying (-1: it is no future), whose row has the margin of all of them, `spot_from` what tells the underlying's
price, `delivers` whether its expiry pays a delivery fee.
"""

ORDER_HEAD = "seq phase note_day note_back note_rest tag"
ORDER = _record(
    f"{ORDER_HEAD} instrument side qty type limit trigger purpose parent group decided_ns filled turnover reserved",
    "closed_ns reason asked_qty asked_trigger",
    "stop target trail exit_ns has_exits",
    "venue_qty left venue_limit venue_trigger since_ns rank row inside after_resting after_stop entry_type dry tried",
    "band_low band_high",
)
"""An order that was placed: as asked for, what became of it, and how the exchange has it; the band that a rejected
one is outside of. Of one in the phase `BRIEF` only `ORDER_HEAD` was written, which is all that a run asks of it; the
rest follows from its one fill, see `outcome.complete`."""

PROTECTION = _record("entry filled stop_order target_order stop target trail exit_ns best timed_out")
"""What protects an entry (`engine.state.Protection`)."""

OUTPUT = _record("kind order qty limit trigger now_ns")
PLANNED = _record("ts_ns seq entry")
"""A timer: of an entry's exit, or of the day's square-off (entry -1)."""

FILL = _record(
    "order instrument side qty px reference ts_ns brokerage stt exchange ipft sebi stamp gst"
)  # fmt: skip
STEP = _record("at cash instrument qty cost")
"""The account after something changed it (`EngineState.record_steps`); instrument -1 where only cash changed."""
NOTE = _record("day brokerage stt exchange ipft sebi stamp gst dp other")
REFUSAL = _record("seq instrument side qty type limit trigger reason ts_ns instead tag")

ACTION = _record("day instrument kind new old cash")
KEPT = _record("order qty limit trigger stop target trail")
"""An order that a corporate action has taken out of the book, in its new terms, to be placed at the open."""
CHANGE = _record("instrument ts_ns before after cash reason")
"""A position that changed without a trade (`engine.state.PositionChange`)."""

DAY = _record(
    "day open_ns close_ns settles next_day margin dp delivery_amount delivery_rate delivery_gst",
    "opens_before closes_before",
)
"""A day of the run; `opens_before` and `closes_before` are the first positions that close after those moments."""
SESSION = _record(
    "has_today open_ns close_ns square_off_ns card note_card intraday_card delivery_card scan exposure slab slabs"
    " auction_start_ns auction_end_ns"
)
"""An instrument's session of a day and the numbers of its rate cards: what is booked, and what notes bill; of a future
its margin rates in 1e-9 and its rows of limit price protection."""
SLAB = _record("above up_to fraction amount")
"""A row of limit price protection (`market.rows.PriceProtectionRow`)."""
CARD = _record(" ".join(RateCard.__struct_fields__))
ASKED = _record("side qty limit trigger stop target trail exit_ns kind instrument unit tag")
"""What a compiled `on_bar` asks for, carried out after it; a target's number is its `qty`."""
DAILY = _record("first count basis_at")
"""An instrument's days, for sizing by volatility: the rows of their last bars lie in `day_ends` from `first` on, the
address of its basis (`strategy.views.Series`) is 0 for none."""
LINE = _record("data_at rows_at basis_at")
"""A line that a compiled `on_bar` reads: addresses of its column, of its rows and of its basis; 0 for none."""

Records = NDArray[Any]
Ints = NDArray[np.int64]


class Columns(NamedTuple):
    """The bars of one instrument, as they were given: not copied."""

    opened: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    ts_open: Ints
    ts_close: Ints


class Bars(NamedTuple):
    """The bars of all instruments, and where their columns lie: `addresses` has shape (instruments, columns).

    `end` and `begin` are the timeline's: when a position closes and when its first bar opened. `rows` has shape
    (instruments, positions): the row closed last; empty where row is position.
    """

    columns: tuple[Columns, ...]
    addresses: Ints
    end: Ints
    begin: Ints
    rows: Ints
