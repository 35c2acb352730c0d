"""One combination evaluated, and the hashes that say what was tried on what."""

import math

import msgspec
import numpy as np
import pytest

from manjha.domain.errors import DataError, UsageError
from manjha.domain.money import Cash
from manjha.domain.trials import PICO, ReturnMoments
from manjha.research.backtest import run_backtest
from manjha.research.metrics.analysis import analyse
from manjha.research.search.objective import parse_objective
from manjha.research.search.summary import Asked, evaluate, from_pico, moments_of, pack_returns, pico, unpack_returns
from manjha.research.search.variants import (
    data_hash,
    data_set_of,
    first_part,
    settings_hash,
    source_hash,
    subject_of,
    vary,
)
from manjha.strategy.interface import Strategy
from manjha.strategy.library.ema_cross import EmaCross
from manjha.strategy.library.sma_cross import SmaCross
from tests.fakes.hand_made import days, flat, share_named, spec_of
from tests.fakes.searches import Waves, load_waves


def test_a_summary_is_what_the_analysis_says() -> None:
    spec = vary(load_waves(), {"length": 4})
    objectives = (parse_objective("sharpe"), parse_objective("charges"))
    summary = evaluate(spec, Asked(objectives, with_returns=True))
    analysis = analyse(run_backtest(vary(spec, {"length": 4})))
    outcome = summary.outcome
    assert summary.values == (analysis.values["sharpe"], analysis.values["charges"])
    assert outcome.final == analysis.values["final"]
    assert outcome.trades == analysis.values["trades"] > 3
    assert from_pico(outcome.max_drawdown) == pytest.approx(analysis.values["max_drawdown"], abs=1e-12)
    assert from_pico(outcome.moments.sharpe) * math.sqrt(252) == pytest.approx(analysis.values["sharpe"], abs=1e-9)
    assert unpack_returns(outcome.returns) == pytest.approx(analysis.run.returns, rel=1e-6)


def test_moments_by_hand() -> None:
    returns = np.array([0.01, -0.01, 0.03, 0.01])
    assert moments_of(returns) == ReturnMoments(
        count=4,
        mean=PICO // 100,
        deviation=round(PICO * math.sqrt(8e-4 / 3)),
        skewness=0,
        kurtosis=2 * PICO,
        sharpe=round(PICO * 0.01 / math.sqrt(8e-4 / 3)),
    )


def test_what_is_not_defined_is_none() -> None:
    assert moments_of(np.empty(0)) == ReturnMoments()
    assert moments_of(np.zeros(5)) == ReturnMoments(5, 0, 0)
    assert [pico(value) for value in (math.nan, math.inf, 1e7)] == [None] * 3
    assert math.isnan(from_pico(None))


def test_no_returns_are_no_bytes() -> None:
    assert len(unpack_returns(b"")) == 0
    assert len(unpack_returns(pack_returns(np.empty(0)))) == 0


def test_a_first_part_ends_with_a_day_and_looks_no_further() -> None:
    spec = load_waves()
    part = first_part(spec, (1, 4))
    assert len(part.bars[0]) == 15
    assert part.bars[0].close.tolist() == spec.bars[0].close.tolist()[:15]
    assert first_part(spec, (1, 1)) is spec
    with pytest.raises(DataError, match="less than a day"):
        first_part(spec, (1, 100))


def test_other_bars_are_other_data_of_the_same_set() -> None:
    spec, longer = load_waves(), load_waves(61)
    assert data_hash(spec) == data_hash(load_waves()) != data_hash(longer)
    assert subject_of(spec).data_set == subject_of(longer).data_set == "NSE:ALPHA 1d"


def test_settings_decide_and_parameters_do_not() -> None:
    spec = load_waves()
    assert settings_hash(spec) == settings_hash(vary(spec, {"length": 9}))
    assert settings_hash(spec) != settings_hash(msgspec.structs.replace(spec, initial=Cash(1)))


def test_many_instruments_have_a_short_name() -> None:
    bars = [days(share_named(f"SHARE{number:03}"), [flat(100.0)]) for number in range(60)]
    name = data_set_of(spec_of(Waves(), *bars))
    assert name.startswith("60 instruments from NSE:SHARE000 to NSE:SHARE059 1d #")
    assert len(name) < 200


def test_source_is_that_of_the_strategy_and_what_it_inherits() -> None:
    assert len({source_hash(SmaCross), source_hash(EmaCross), source_hash(Waves)}) == 3


def test_a_strategy_of_a_session_is_known_by_its_code() -> None:
    def made(text: str) -> type[Strategy]:
        names: dict[str, type[Strategy]] = {"Strategy": Strategy}
        exec(f"class Typed(Strategy):\n    def on_bar(self, ctx):\n        {text}\n", {"__name__": "typed"}, names)  # noqa: S102
        return names["Typed"]

    assert source_hash(made("ctx.buy()")) == source_hash(made("ctx.buy()")) != source_hash(made("ctx.sell()"))


def test_parameters_that_a_strategy_refuses_are_told() -> None:
    with pytest.raises(UsageError, match="at most 30"):
        vary(load_waves(), {"length": 31})
