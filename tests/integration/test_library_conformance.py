"""Every strategy of the library runs, repeats itself, does not look ahead, and holds over night only if it says so."""

from pathlib import Path

import pytest

from manjha.app.strategies import StrategyFiles, template
from manjha.domain.errors import UsageError
from manjha.domain.orders import Product
from manjha.research.backtest import run_backtest
from manjha.research.conformance import check_strategy, synthetic_spec
from manjha.strategy.interface import Strategy
from tests.fakes.market_rules import shipped_rules

LIBRARY = {found.name: found for found in StrategyFiles(Path("nowhere")).all()}


def test_the_library_has_what_traders_know() -> None:
    assert set(LIBRARY) >= {
        "sma-cross", "ema-cross", "rsi-mean-reversion", "bollinger-breakout", "donchian-turtle", "supertrend",
        "opening-range-breakout", "vwap-reversion", "gap-fade", "pairs-spread", "momentum-rotation",
        "nifty-intraday-trend", "buy-and-hold", "iron-condor",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_strategy_conforms(name: str) -> None:
    assert check_strategy(LIBRARY[name], shipped_rules()) == []


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_strategy_trades_on_the_synthetic_market_and_the_account_adds_up(name: str) -> None:
    result = run_backtest(synthetic_spec(LIBRARY[name], shipped_rules()))
    booked = int(result.fill_charges.sum()) + sum(row.adjustment.total for row in result.day_charges)
    cash = result.initial - booked - sum(int(f.side) * f.qty * f.px for f in result.fills)
    held: dict[str, int] = {}
    for fill in result.fills:
        held[fill.instrument] = held.get(fill.instrument, 0) + int(fill.side) * fill.qty
    marks = {str(instrument): int(px) for instrument, px in result.marks}
    assert result.fills
    assert result.final == cash + sum(qty * marks[instrument] for instrument, qty in held.items())


def test_a_strategy_that_looks_ahead_is_found_out() -> None:
    class Oracle(Strategy):
        """Buy when the last bar of the run is dearer than now."""

        def init(self, ctx):  # type: ignore[no-untyped-def]
            self.last = ctx.market.series.floats("close")[-1]

        def on_bar(self, ctx):  # type: ignore[no-untyped-def]
            if ctx.close[-1] < self.last and not ctx.position:
                ctx.buy(1)
            elif ctx.close[-1] > self.last and ctx.position:
                ctx.close_position()

    problems = check_strategy(Oracle, shipped_rules())
    assert any("looks ahead" in problem for problem in problems)
    assert any("cannot trade on bars as they close: oracle reads whole columns" in problem for problem in problems)


def test_a_careless_strategy_is_told_what_is_missing() -> None:
    class Careless(Strategy):
        def init(self, ctx):  # type: ignore[no-untyped-def]
            ctx.buy(1)

    problems = " ".join(check_strategy(Careless, shipped_rules()))
    assert "no docstring" in problems
    assert "asked for an order in init" in problems


def test_the_template_is_a_strategy_that_conforms(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(template(), encoding="utf-8")
    found = StrategyFiles(tmp_path / "none").find(str(path))
    assert check_strategy(found, shipped_rules()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "has no strategy"),
        ("def broken(:\n", "SyntaxError in line 1"),
        ("import nothing_of_this_name\n", "ModuleNotFoundError in line 1"),
        ("from manjha import Strategy\nclass A(Strategy): ...\nclass B(Strategy): ...\n", "several strategies"),
    ],
)
def test_a_file_that_is_no_strategy_is_explained(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "user.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        StrategyFiles(tmp_path / "none").find(str(path))


def test_unknown_names_get_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'sma-cross'"):
        StrategyFiles(tmp_path).find("sma-cros")
    with pytest.raises(UsageError, match="no strategy file"):
        StrategyFiles(tmp_path).find("./nothing.py")


def test_intraday_strategies_say_so() -> None:
    intraday = {name for name, found in LIBRARY.items() if found.product is Product.MIS}
    assert intraday == {
        "opening-range-breakout",
        "vwap-reversion",
        "gap-fade",
        "pairs-spread",
        "nifty-intraday-trend",
        "iron-condor",
    }


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_every_parameter_refuses_what_is_outside_its_range(name: str) -> None:
    for p in LIBRARY[name].params.values():
        if p.kind in (int, float) and p.high is not None:
            with pytest.raises(UsageError, match=p.name):
                LIBRARY[name](**{p.name: p.high + 1})


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_the_document_has_the_strategy_as_it_is_held(name: str) -> None:
    document = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text(encoding="utf-8")
    assert f"| {name} | {LIBRARY[name].product} |" in document
