"""The registry: complete, documented, its parameters checked, its columns read in the right unit."""

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from manjha.domain.errors import UsageError
from manjha.strategy import indicators as ind
from manjha.strategy.indicators import INDICATORS, Indicator, Parameter

KERNELS = Path(ind.__file__).parent / "kernels"
EVERY_PARAMETER = [(entry, parameter) for entry in INDICATORS.values() for parameter in entry.parameters]


def ids(value: object) -> str:
    return value.name if isinstance(value, Indicator | Parameter) else repr(value)


def test_every_public_function_is_registered_under_its_name() -> None:
    functions = {name for name, value in vars(ind).items() if inspect.isfunction(value)} - {"get", "bundle"}
    assert functions == set(INDICATORS)
    assert functions < set(ind.__all__)


@pytest.mark.parametrize("entry", INDICATORS.values(), ids=ids)
def test_function_and_registry_agree_on_parameters(entry: Indicator) -> None:
    given = inspect.signature(getattr(ind, entry.name)).parameters
    defaults = {name: p.default for name, p in given.items() if p.default is not inspect.Parameter.empty}
    assert defaults == {p.name: p.default for p in entry.parameters}
    assert [name for name in given if name not in defaults] == [n.replace("day", "ts_ns") for n in entry.inputs]


@pytest.mark.parametrize(("entry", "parameter"), EVERY_PARAMETER, ids=ids)
def test_parameter_outside_its_range_is_refused_with_value_and_range(entry: Indicator, parameter: Parameter) -> None:
    bad_values = [parameter.low - 1, parameter.high + 1, float("nan"), float("inf"), "ten", True, None]
    for bad in [*bad_values, parameter.low + 0.5] if parameter.integer else bad_values:
        with pytest.raises(UsageError) as caught:
            entry.warmup_bars(**{parameter.name: bad})
        for part in (entry.name, parameter.name, str(parameter.low), str(parameter.high), repr(bad)):
            assert part in str(caught.value)


@pytest.mark.parametrize("entry", INDICATORS.values(), ids=ids)
def test_shortest_windows_work(entry: Indicator) -> None:
    shortest: dict[str, object] = {p.name: p.low for p in entry.parameters}
    shortest |= dict(zip(entry.rising, range(1, 9), strict=False))
    columns = [np.arange(1.0, 41.0)] * len(entry.inputs)
    for line in entry.arrays(*columns, **shortest):
        assert np.isfinite(line[entry.warmup_bars(**shortest) :]).all()


def test_fast_average_must_be_shorter_than_the_slow_one() -> None:
    with pytest.raises(UsageError, match="fast must be below slow"):
        ind.macd([1.0], 26, 26)


def test_unknown_names_are_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"no indicator 'smaa'\n.*sma"):
        ind.get("smaa")
    with pytest.raises(UsageError, match=r"no parameter 'period'\n.*length"):
        ind.get("sma").stream(period=3)


def test_int64_prices_count_1e_4_rupee() -> None:
    assert ind.sma(np.array([10_000, 30_000]), 2)[1] == 2.0
    assert ind.sma(np.array([10_000, 30_000]).data, 2)[1] == 2.0
    assert ind.sma(np.array([1.0, 3.0]), 2)[1] == 2.0


def test_streams_take_whole_prices_unless_told() -> None:
    whole, rupees = ind.get("atr").stream(length=1), ind.get("atr").stream(length=1, in_rupees=True)
    assert np.isnan(whole.value)
    whole.update(20_000, 10_000, 15_000)
    rupees.update(2.0, 1.0, 1.5)
    assert whole.update(30_000, 20_000, 25_000) == rupees.update(3.0, 2.0, 2.5) == whole.value == 1.5


def test_columns_of_mixed_units_or_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match="partly int64, partly float64"):
        ind.donchian([1, 2], [1.0, 2.0])
    with pytest.raises(UsageError, match="equal length, were high 2, low 3"):
        ind.donchian([1, 2], [1, 2, 3])
    with pytest.raises(UsageError, match="one column of numbers"):
        ind.sma(["a"])
    with pytest.raises(UsageError, match="one column of numbers"):
        ind.sma(np.ones((2, 2)))


def test_inputs_are_not_changed_and_views_are_welcome() -> None:
    column = np.arange(50)
    column.setflags(write=False)
    np.testing.assert_array_equal(ind.sma(column[::2], 3), ind.sma(column[::2].copy(), 3))
    assert column.tolist() == list(range(50))


def test_importing_the_indicators_does_not_load_numba() -> None:
    code = "import sys, manjha.strategy.indicators; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_kernels_call_kernels_of_their_own_file_only() -> None:
    for path in KERNELS.glob("*.py"):
        imports = [line for line in path.read_text("utf-8").splitlines() if "import" in line and "manjha" in line]
        # How numba is begun with is no code that a kernel calls.
        known = (
            (".kernels.compiled import", ".numba_start import") if path.stem == "compiled" else (".compiled import",)
        )
        assert all(any(name in line for name in known) for line in imports), path.name


def test_documentation_lists_every_indicator_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "indicators.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [documented(entry) for entry in INDICATORS.values()]


def documented(entry: Indicator) -> str:
    call = ", ".join([*entry.inputs, *(f"{p.name}={p.default}" for p in entry.parameters)]).replace("day", "ts_ns")
    ranges = ", ".join(f"{p.name} {p.low}–{p.high}" for p in entry.parameters) or "none"
    outputs = "" if len(entry.outputs) == 1 else f" → {', '.join(entry.outputs)}"
    cells = (f"`{entry.name}({call})`{outputs}", entry.formula, ranges, str(entry.warmup_bars()), entry.source)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
