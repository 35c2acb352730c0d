"""Futures and freeze quantities in the compiled backtest: as the event engine has them, to the last 1e-4 rupee."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manjha.domain.bars import BarColumns
from manjha.domain.commands import RefusalReason
from manjha.domain.instrument import Asset, Exchange, Instrument
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TradingDay, date_from_day, day_of, parse_day
from manjha.domain.money import RUPEE, Cash, Px, Qty
from manjha.domain.orders import Product
from manjha.domain.sizing import FixedQty, TargetUnit
from manjha.market.contracts import lot_size, monthly_expiry
from manjha.market.margin_rules import derivative_margin, futures_requirement
from manjha.pricing.margin import DerivativeLeg, MarginParams, derivatives_requirement, years_between
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.kernel.convert import divergence, result_of
from manjha.research.kernel.run import KernelMarket, KernelRefused, run_kernel
from manjha.research.result import BacktestResult
from manjha.risk.limits import RiskLimits
from manjha.strategy.interface import Entries, History
from tests.fakes.hand_made import days, flat, minutes, share_named, spec_of
from tests.fakes.market_rules import future, index, share, shipped_rules
from tests.fakes.random_runs import Stated, StatedEntries, random_contracts
from tests.integration.test_library_real import read

RICH = Cash(10**8 * RUPEE)
MONDAY, EXPIRY = parse_day("2024-02-26"), "2024-02-29"
NEAR, FAR = future(expiry=EXPIRY, lot=50), future(expiry="2024-03-28", lot=75)
NO = np.nan


def both(spec: BacktestSpec) -> BacktestResult:
    """Return the kernel's result, which must be the engine's."""
    market = KernelMarket(spec)
    made = result_of(spec, market, run_kernel(spec, market))
    assert divergence(run_backtest(spec), made) == ""
    return made


def spec_over(
    contracts: dict[Instrument, list[float]],
    wanted: list[list[float]],
    unit: TargetUnit = TargetUnit.QTY,
    **terms: object,
) -> BacktestSpec:
    """Return a run over days from Monday on, given as closes, with what is wanted at each."""
    bars = [days(one, [flat(px) for px in closes], first=MONDAY) for one, closes in contracts.items()]
    strategy = Stated(np.array(wanted, float), unit, Product.NRML)
    spec = spec_of(strategy, *bars, **({"initial": RICH} | terms))
    return msgspec.structs.replace(spec, instruments=tuple(contracts))


def agree(spec: BacktestSpec) -> None:
    try:
        both(spec)
    except KernelRefused as refused:
        assert "more than 64 open orders" in refused.message  # noqa: PT017 - the one thing that a random run may meet


@settings(max_examples=60, deadline=None)
@example(seed=0)
@example(seed=727)  # A price of nearly nothing: quantities beyond 32 bits.
@given(seed=st.integers(0, 2**32 - 1))
def test_random_runs_of_futures_agree(seed: int) -> None:
    agree(random_contracts(seed))


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_many_random_runs_of_futures_agree(seed: int) -> None:
    agree(random_contracts(seed))


def endless(spec: BacktestSpec) -> BacktestSpec:
    """Return a run over the same bars of futures without expiry, as an index is traded as its future."""
    kept = {one.id: msgspec.structs.replace(one, expiry=None) for one in spec.instruments if one.is_derivative}
    return msgspec.structs.replace(spec, instruments=tuple(kept.get(one.id, one) for one in spec.instruments))


@settings(max_examples=40, deadline=None)
@example(seed=0)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_runs_of_futures_without_expiry_agree(seed: int) -> None:
    agree(endless(random_contracts(seed)))


def test_a_future_without_expiry_is_margined_and_taxed_as_a_future() -> None:
    held = future(expiry="2024-12-26", lot=75)
    rows = [(22_000.0, 22_000.0, 22_000.0, 22_000.0), *[flat(px) for px in (22_000.0, 21_000.0, 22_500.0, 22_500.0)]]
    wanted = np.array([[75.0], [0], [75], [np.nan], [np.nan]])
    bars = minutes(held, rows, day=MONDAY)
    for cash, fills in ((RICH, 3), (Cash(10_000 * RUPEE), 0)):
        spec = spec_of(Stated(wanted, TargetUnit.QTY, Product.NRML), bars, initial=cash)
        made = both(endless(msgspec.structs.replace(spec, instruments=(held,))))
        assert (len(made.fills), made.peak_margin > 0) == (fills, fills > 0)
        assert all(one.reason is RefusalReason.MARGIN for one in made.refusals)


def test_random_runs_of_futures_meet_what_they_are_for() -> None:
    met, expired, paid = set[RefusalReason](), 0, 0
    for seed in range(150):
        result = run_backtest(random_contracts(seed))
        met |= {refusal.reason for refusal in result.refusals}
        expired += len(result.adjustments)
        paid += sum(row.adjustment.other > 0 for row in result.day_charges)
    expected = "NOT_TRADABLE PRODUCT EXPIRED ABOVE_FREEZE MARGIN PRICE_BAND AFTER_SQUARE_OFF SESSION_CLOSED"
    assert {RefusalReason[name] for name in expected.split()} <= met
    assert min(expired, paid) > 5


# ---- by hand


def test_a_future_is_margined_and_settles_at_its_index() -> None:
    index_closes = [22_000.0, 22_000, 22_050, 22_150, 22_300]
    made = both(
        spec_over({index(): index_closes, NEAR: [22_010.0, 22_020, 22_060, 22_170]}, [[NO, 100]] + [[NO, NO]] * 4)
    )
    row = derivative_margin(shipped_rules(), "index", MONDAY)
    assert made.peak_margin == futures_requirement(100 * 220_100_000, row.scan_range, row.exposure)
    (ended,) = made.adjustments
    assert (ended.qty_before, ended.qty_after, ended.reason) == (100, 0, "expiry")
    charges = int(made.fill_charges.sum()) + sum(note.adjustment.total for note in made.day_charges)
    assert made.final - made.initial + charges == 100 * (22_150 - 22_020) * RUPEE


def test_a_calendar_spread_needs_what_the_scan_says() -> None:
    prices = {index(): [22_000.0] * 3, NEAR: [22_010.0] * 3, FAR: [22_110.0] * 3}
    made = both(spec_over(prices, [[NO, NO, -150], [NO, 150, NO], [NO, NO, NO]]))
    day = TradingDay(MONDAY + 2)
    row = derivative_margin(shipped_rules(), "index", day)
    params = MarginParams(Px(22_000 * RUPEE), row.scan_range, row.exposure)
    legs = [
        DerivativeLeg(Qty(qty), Px(int(px * RUPEE)), years_between(day, parse_day(expiry)))
        for qty, px, expiry in ((-150, 22_110, "2024-03-28"), (150, 22_010, EXPIRY))
    ]
    found = derivatives_requirement(legs, params)
    market = KernelMarket(spec := spec_over(prices, [[NO, NO, -150], [NO, 150, NO], [NO, NO, NO]]))
    assert int(run_kernel(spec, market).account["margin"]) == found.span + found.exposure
    assert made.peak_margin == futures_requirement(150 * 221_100_000, row.scan_range, row.exposure)


def test_rolling_trades_both_contracts_with_their_own_lots() -> None:
    prices = {NEAR: [22_010.0] * 4, FAR: [22_110.0] * 6}
    made = both(spec_over(prices, [[3, NO], [NO, NO], [0, 2], *[[NO, NO]] * 3], TargetUnit.LOTS))
    assert [(fill.instrument, int(fill.side) * fill.qty) for fill in made.fills] == [
        (NEAR.id, 150),
        (NEAR.id, -150),
        (FAR.id, 150),
    ]


def test_an_intraday_future_is_squared_off_at_the_hour_of_its_market() -> None:
    rows = [flat(22_000.0 + at) for at in range(80)]
    bars = minutes(NEAR, rows, day=MONDAY)
    wanted = np.full(80, NO)
    wanted[3] = 50
    spec = spec_of(Stated(wanted, TargetUnit.QTY, Product.MIS), bars, initial=RICH)
    made = both(msgspec.structs.replace(spec, instruments=(NEAR,)))
    off = (made.fills[1].ts_ns + IST_OFFSET_NS) % DAY_NS // 60_000_000_000
    assert 15 * 60 + 20 <= off <= 15 * 60 + 25


def test_the_expiry_of_a_future_on_a_share_costs_the_delivery_fee_once() -> None:
    held = future("SBIN", EXPIRY, asset=Asset.EQUITY, lot=150)
    made = both(spec_over({share(): [100.0] * 4, held: [100.0] * 4}, [[NO, NO], [NO, NO], [NO, 150], [NO, NO]]))
    fees = [row.adjustment.other for row in made.day_charges]
    assert sum(fees) == max(fees) > 0


def test_an_order_above_the_freeze_quantity_goes_in_slices() -> None:
    frozen = msgspec.structs.replace(NEAR, freeze=Qty(120))
    made = both(spec_over({frozen: [22_000.0] * 4}, [[250], [0], [5_000], [NO]]))
    assert [fill.qty for fill in made.fills] == [100, 100, 50, 100, 100, 50]
    assert [(refusal.reason, refusal.subject.order.qty) for refusal in made.refusals] == [  # type: ignore[union-attr]
        (RefusalReason.ABOVE_FREEZE, 5_000)
    ]


def test_an_entry_above_the_freeze_quantity_is_protected_slice_by_slice() -> None:
    frozen = msgspec.structs.replace(share_named(), freeze=Qty(7))
    bars = minutes(frozen, [flat(100.0), flat(100.0), flat(100.0), (100.0, 100.2, 90.0, 91.0), flat(91.0)])

    def make(history: History) -> Entries:
        close = history.column("close")
        side = np.zeros(close.shape)
        side[0] = 1
        return Entries(side=side, stop=close - 5, exit_ns=None)

    spec = spec_of(StatedEntries(make, Product.CNC), bars, sizing=FixedQty(Qty(20)))
    made = both(msgspec.structs.replace(spec, instruments=(frozen,)))
    assert [int(fill.side) * fill.qty for fill in made.fills] == [7, 7, 6, -7, -7, -6]


def test_an_index_and_a_share_cannot_be_held_as_futures_are() -> None:
    prices = {index(): [22_000.0] * 3, share(): [100.0] * 3, NEAR: [22_000.0] * 3}
    made = both(spec_over(prices, [[50, 50, 50], *[[NO] * 3] * 2]))
    assert [refusal.reason.name for refusal in made.refusals] == ["NOT_TRADABLE", "PRODUCT"]
    assert [fill.instrument for fill in made.fills] == [NEAR.id]


def test_limits_keep_futures_as_they_keep_shares() -> None:
    spec = spec_over({NEAR: [22_000.0, 21_000, 20_000, 20_000]}, [[50], [100], [150], [NO]])
    made = both(msgspec.structs.replace(spec, limits=RiskLimits(day_loss_max=Cash(10_000 * RUPEE))))
    assert "DAY_LOSS" in {refusal.reason.name for refusal in made.refusals}


# ---- real prices


def test_monthly_futures_rolled_over_the_real_index_agree(shared: Path) -> None:
    """The index's own minutes as each month's contract, with the lot of its expiry, rolled on its last day."""
    spot = read(shared / "data/minute/index/NIFTY50_1m_2021-01_2022-06.parquet", "NIFTY 50", 900)
    first, last = day_of(spot.ts_open_ns[0]), day_of(spot.ts_open_ns[-1])
    months = [(date_from_day(first).year + at // 12, at % 12 + 1) for at in range(18)]
    rules = shipped_rules()
    expiries = [monthly_expiry(rules, Exchange.NFO, "NIFTY", *month) for month in months]
    contracts = [
        msgspec.structs.replace(
            future(expiry=str(date_from_day(day))), lot=lot_size(rules, Exchange.NFO, "NIFTY", day), freeze=Qty(200)
        )
        for day in expiries
        if day <= last
    ]
    opens = np.asarray(spot.ts_open_ns)
    starts = [
        int(np.searchsorted(opens, (first if at == 0 else expiries[at - 1]) * DAY_NS - IST_OFFSET_NS))
        for at in range(len(contracts))
    ]
    ends = [int(np.searchsorted(opens, (day + 1) * DAY_NS - IST_OFFSET_NS)) for day in expiries[: len(contracts)]]
    bars = [_named(spot, contract, start, end) for contract, start, end in zip(contracts, starts, ends, strict=True)]
    wanted = np.full((ends[-1], len(contracts)), NO)
    rng = np.random.default_rng(11)
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        front = starts[number + 1] if number + 1 < len(starts) else end
        asked = rng.choice(np.arange(start, front), 60, replace=False)
        wanted[asked, number] = rng.integers(-9, 10, 60)
        wanted[end - 9, number] = 0 if number % 2 else NO
    strategy = Stated(wanted, TargetUnit.LOTS, Product.NRML)
    spec = spec_of(strategy, *bars, initial=Cash(20_000_000 * RUPEE))
    made = both(msgspec.structs.replace(spec, instruments=tuple(contracts)))
    assert len({contract.lot for contract in contracts}) > 1
    assert len(made.fills) > 500
    assert len(made.adjustments) > 3


def _named(spot: BarColumns, contract: Instrument, start: int, end: int) -> BarColumns:
    """Return some of the index's bars as a contract's, with volume."""
    names = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "oi")
    held = {name: getattr(spot, name)[start:end] for name in names}
    for name in ("open", "high", "low", "close"):
        held[name] = np.ascontiguousarray(np.asarray(held[name]) // 500 * 500).data
    volume = np.full(end - start, 50_000, np.int64).data
    return BarColumns(contract.id, spot.interval, volume=volume, **held)
