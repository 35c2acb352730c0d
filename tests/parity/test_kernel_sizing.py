"""Sizing by volatility: the compiled run gives what the event engine gives, and stops where 64 bits end."""

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manjha.domain.moments import parse_day
from manjha.domain.money import RUPEE, Cash
from manjha.domain.orders import Product
from manjha.domain.sizing import NANO, TargetUnit, VolatilityTarget
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.fast import fast_backtest
from manjha.research.kernel.convert import divergence
from manjha.research.kernel.refusal import kernel_refusal
from manjha.research.kernel.run import KernelMarket, KernelRefused, run_kernel
from tests.fakes.both_ways import compiled, parted
from tests.fakes.hand_made import Row, days, flat, minutes, share_named, spec_of
from tests.fakes.random_runs import (
    NAMES,
    QUARTER,
    Stated,
    more_terms,
    pick,
    random_rows,
    random_terms,
    random_volatility,
)

POLICY = VolatilityTarget(NANO // 5, lookback=3)


def sized_run(seed: int) -> BacktestSpec:
    """Return a run of many days of signals, each sized by volatility; corporate actions inside it more often than not.

    The capital is in odd numbers and the price low, so that a quantity is off by one wherever a rounding is.
    """
    rng = np.random.default_rng(seed)
    daily = rng.random() < 0.5
    bars = []
    for name in NAMES[: pick(rng, [1, 1, 2])]:
        rows = random_rows(rng, pick(rng, [60, 150]), pick(rng, [20.0, 90.0, 700.0]))
        first = parse_day("2024-01-01")
        made = days(share_named(name), rows, first=first) if daily else minutes(share_named(name), rows, length=QUARTER)
        bars.append(made)
    moments = len(np.unique(np.concatenate([np.asarray(columns.ts_close_ns) for columns in bars])))
    wanted = rng.choice([np.nan, -1.0, 0.0, 0.37, 1.0], (moments, len(bars)))
    strategy = Stated(wanted, TargetUnit.SIGNAL, pick(rng, [Product.CNC, Product.MIS]))
    terms = random_terms(rng) | {
        "sizing": msgspec.structs.replace(random_volatility(rng), annual=int(rng.integers(NANO // 100, NANO // 2))),
        "initial": Cash(int(rng.integers(10**9, 10**12))),
    }
    return more_terms(rng, spec_of(strategy, *bars, **terms))


def part(seed: int) -> str:
    said = parted(sized_run(seed), sized_run(seed))
    return "" if "more than 64 open orders" in said else said  # the one thing that a random run may meet


@settings(max_examples=60, deadline=None)
@example(seed=0)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_runs_agree(seed: int) -> None:
    assert part(seed) == ""


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_many_random_runs_agree(seed: int) -> None:
    assert part(seed) == ""


def test_volatility_decides_most_quantities() -> None:
    """Else the tests above would say little: funds and limits decide some, but not most."""
    changed = 0
    for seed in range(40):
        spec = sized_run(seed)
        other = msgspec.structs.replace(spec.sizing, annual=NANO // 200)
        one, two = (run_kernel(each) for each in (spec, msgspec.structs.replace(spec, sizing=other)))
        changed += one.orders["qty"].tolist() != two.orders["qty"].tolist()
    assert changed > 24


def steady(rows: list[Row], **changes: object) -> BacktestSpec:
    wanted = np.full(len(rows), np.nan)
    wanted[-2] = 1.0
    strategy = Stated(wanted, TargetUnit.SIGNAL, Product.CNC)
    given = {"sizing": POLICY, "initial": Cash(10**12)} | changes
    return spec_of(strategy, days(share_named(), rows), **given)


def test_later_bars_change_nothing() -> None:
    rows = [flat(100 + at % 3) for at in range(12)]
    one = steady([*rows, flat(100.0)])
    other = steady([*rows, flat(180.0)])
    first, second = (run_kernel(spec).orders["qty"].tolist() for spec in (one, other))
    assert len(first) == 1
    assert first == second


def test_a_price_that_does_not_move_and_a_first_day_give_no_quantity() -> None:
    for rows in ([flat(100.0)] * 9, [flat(100.0), flat(101.0)]):
        assert parted(steady(rows), steady(rows)) == ""
        assert run_kernel(steady(rows)).count == 0


# ---- where 64 bits end


@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        # A day on which the price grew six hundredfold, twice: the square of its return.
        ([flat(1.0, up=0.5), flat(100.0), flat(99_000.0), flat(99_100.0)], {}),
        # A volatility of thousands of percent times the days of a year.
        ([flat(1.0, up=0.5), flat(60.0), flat(61.0), flat(60.0)], {"sizing": VolatilityTarget(NANO, 3, 10**6)}),
        # Hardly any volatility, against a lot of capital.
        (
            [flat(99_000_000.0), flat(99_000_100.0), flat(99_000_000.0), flat(99_000_100.0)],
            {"sizing": VolatilityTarget(9 * NANO, 3), "initial": Cash(9 * 10**16)},
        ),
    ],
)
def test_a_run_beyond_64_bits_stops_and_is_done_by_the_event_engine(
    rows: list[Row], changes: dict[str, object]
) -> None:
    with pytest.raises(KernelRefused, match="64-bit"):
        run_kernel(steady(rows, **changes))
    assert fast_backtest(steady(rows, **changes)).state_digest == run_backtest(steady(rows, **changes)).state_digest


def test_just_inside_of_64_bits_both_agree() -> None:
    rows = [flat(1.0, up=0.5), flat(590.0), flat(3_500.0), flat(3_600.0), flat(3_500.0)]
    spec = steady(rows, sizing=VolatilityTarget(9 * NANO, 3, 1), initial=Cash(9 * 10**16))
    assert run_kernel(spec).count == 1
    assert parted(spec, spec) == ""


@pytest.mark.parametrize(
    "policy",
    [
        VolatilityTarget(-1),
        VolatilityTarget(9 * NANO + 1),
        VolatilityTarget(NANO, lookback=0),
        VolatilityTarget(NANO, annual_days=0),
        VolatilityTarget(NANO, annual_days=10**6 + 1),
    ],
)
def test_a_policy_out_of_bounds_is_refused_by_name(policy: VolatilityTarget) -> None:
    said = kernel_refusal(steady([flat(100.0)] * 4, sizing=policy))
    assert said == "a quantity, fraction or number of days of the sizing outside what 64 bits hold"


def test_a_market_serves_runs_sized_otherwise() -> None:
    rows = [flat(100 + at % 5) for at in range(30)]
    by_volatility = steady(rows)
    market = KernelMarket(steady(rows, sizing=VolatilityTarget(NANO // 3)))
    result = compiled(by_volatility)
    assert run_kernel(by_volatility, market).equity.tolist() == result.curve.equity.tolist()
    assert divergence(run_backtest(steady(rows)), result) == ""
    assert result.fills[0].qty != 0
    assert result.initial == Cash(10**8 * RUPEE)
