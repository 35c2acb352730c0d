"""`manjha bias-check` as its user meets it: verdict, exit code, JSON, and errors that say what to do next."""

import json
from pathlib import Path

import pytest

from manjha.app.cli import main
from manjha.app.cli.demo import INSTRUMENT
from manjha.services.synthetic_market import seed_store

AHEAD = '''
import numpy as np
from manjha import Strategy

class Ahead(Strategy):
    """Compares with a mean that is centred."""

    def init(self, ctx):
        self.signal = ctx.indicator(centred, "close")

    def on_bar(self, ctx):
        if self.signal[-1] > ctx.close[-1] and ctx.position == 0:
            ctx.buy(10)
        elif self.signal[-1] < ctx.close[-1] and ctx.position:
            ctx.close_position()

def centred(close, length=5):
    return np.convolve(close / 10_000, np.ones(length) / length, "same")

def spread(high, low):
    return (high - low) / 10_000
'''
ON = ("--instrument", INSTRUMENT, "-i", "60m", "--points", "3")


class Shell:
    """Runs the command in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture

    def __call__(self, *words: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(words)
        out, err = self.capture.readouterr()
        return stop.value.code, out, err


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a month of the synthetic market and a strategy file."""
    from manjha.app.bootstrap import bar_store, instrument_book, market_rules
    from manjha.app.settings import load_settings
    from manjha.domain.moments import parse_day

    folder = tmp_path_factory.mktemp("bias")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANJHA_HOME", str(folder))
        settings = load_settings()
        span = (parse_day("2024-01-01"), parse_day("2024-01-31"))
        seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), 7, span)
    (folder / "ahead.py").write_text(AHEAD, encoding="utf-8")
    return folder


@pytest.fixture
def manjha(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.setenv("MANJHA_HOME", str(home))
    monkeypatch.chdir(home)
    return Shell(capsys)


@pytest.mark.parametrize("name", ["sma-cross", "supertrend", "gap-fade"])
def test_strategies_of_the_library_are_clean(name: str, manjha: Shell) -> None:
    code, out, err = manjha("bias-check", "-s", name, *ON)
    assert code == 0, err
    assert "CLEAN" in out


def test_a_leak_ends_with_one_and_names_the_bar(manjha: Shell) -> None:
    code, out, _ = manjha("bias-check", "-s", "ahead.py", *ON)
    assert code == 1
    assert "BIASED: it looks ahead" in out
    assert "`signal` at " in out
    assert "when the close of the bar of " in out


def test_json_is_one_document_and_the_same_for_the_same_seed(manjha: Shell) -> None:
    words = ("bias-check", "-s", "ahead.py", *ON, "--seed", "5", "--json")
    code, out, err = manjha(*words)
    told = json.loads(out)
    assert (code, told["biased"], told["seed"], err) == (1, True, 5, "")
    assert told["findings"][0]["cause"]["columns"] == ["close"]
    assert manjha(*words)[1] == out


def test_indicators_and_functions_are_checked_too(manjha: Shell) -> None:
    assert manjha("bias-check", "--indicator", "ema", "-p", "length=30", *ON)[0] == 0
    assert manjha("bias-check", "--indicator", "ahead.py:spread", *ON)[0] == 0
    code, out, _ = manjha("bias-check", "--indicator", "ahead.py:centred", "-p", "length=3", *ON)
    assert code == 1
    assert "`centred` at " in out


def test_a_fill_at_the_close_is_an_assumption_and_a_bias_where_that_close_decides(manjha: Shell) -> None:
    code, out, _ = manjha("bias-check", "-s", "sma-cross", *ON, "--fill", "close")
    assert code == 1
    assert "it decides by the price that it fills at" in out
    code, out, _ = manjha("bias-check", "-s", "buy-and-hold", *ON, "--fill", "close")
    assert code == 0
    assert "market orders fill at the close" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-s", "sma-cross"), "expected a strategy or an indicator, and an instrument"),
        (("--instrument", INSTRUMENT), "expected a strategy or an indicator"),
        (("-s", "sma-cross", "--indicator", "sma", *ON), "expected a strategy or an indicator"),
        (("-s", "sma-cros", *ON), "Did you mean 'sma-cross'"),
        (("--indicator", "smaa", *ON), "no indicator 'smaa'"),
        (("--indicator", "ahead.py:centre", *ON), "It has: centred, spread"),
        (("--indicator", "sma", "-p", "lenght=3", *ON), "no parameter 'lenght'"),
        (("--indicator", "sma", *ON, "--instrument", "NSE:PATANG"), "on one instrument"),
        (("-s", "sma-cross", *ON, "--from", "2024-01-20", "--to", "2024-01-10"), "is empty"),
        (("-s", "sma-cross", "--instrument", "NSE:NONE"), "NSE:NONE"),
        (("-s", "sma-cross", *ON[:4], "--points", "0"), "--points"),
    ],
)
def test_a_mistake_ends_with_two_and_what_to_do(words: tuple[str, ...], said: str, manjha: Shell) -> None:
    code, out, err = manjha("bias-check", *words)
    assert code == 2
    assert said in err
    assert out == ""


def test_a_backtest_warns_by_default_and_is_silent_when_told(manjha: Shell) -> None:
    words = (
        "backtest",
        "-s",
        "ahead.py",
        "--instrument",
        INSTRUMENT,
        "-i",
        "60m",
        "--no-band",
        "--no-report",
        "--json",
    )
    warned, silent = (json.loads(manjha(*words, *more)[1]) for more in ((), ("--no-bias-check",)))
    assert any("looks ahead: `signal`" in warning for warning in warned["warnings"])
    assert silent["warnings"] == []
    assert warned["order_list_hash"] == silent["order_list_hash"]
