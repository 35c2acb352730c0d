"""A sentinel and a trader as processes: the trader is stopped or killed, and what it left open is taken away."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from manjha.app.settings import load_settings
from manjha.app.trading.account_parts import places
from manjha.domain.moments import TradingDay
from manjha.domain.orders import StrategyId
from manjha.orders.tags import tag_of

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
TAG = tag_of(1, TradingDay(20_000), 1, StrategyId("s"))


def started(module: str, *words: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-m", module, *words], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def broker(tmp_path: Path) -> Path:
    folder = tmp_path / "broker"
    folder.mkdir()
    (folder / "ours").write_text(TAG)
    (folder / "foreign").write_text("by hand")
    return folder


@pytest.fixture
def heart() -> Iterator[subprocess.Popen[str]]:
    with started("tests.fakes.small_heart", str(places(load_settings(), "AB1234").vitals)) as process:
        assert line_of(process) == "beats"
        yield process
        process.kill()


@pytest.fixture
def sentinel(broker: Path) -> Iterator[subprocess.Popen[str]]:
    with started("tests.fakes.small_sentinel", "AB1234", str(broker)) as process:
        yield process
        process.kill()


@pytest.mark.failure("F51")
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_trader_that_goes_silent_leaves_no_open_order(
    heart: subprocess.Popen[str], sentinel: subprocess.Popen[str], broker: Path, how: signal.Signals
) -> None:
    heart.send_signal(how)
    assert line_of(sentinel) == "Sentinel: sentinel: the trader's loop stands still while it has open risk"
    assert line_of(sentinel) == "Sentinel: cancelled: 1 open orders of ours, asked to cancel: ours"
    assert sorted(path.name for path in broker.iterdir()) == ["foreign"]
    kill = load_settings().home / "kill.json"
    lines = msgspec.json.decode(kill.read_bytes(), type=dict[str, list[dict[str, object]]])["switches"]
    assert {(line["level"], line["who"]) for line in lines} == {("cancel-all", "sentinel")}
    if how is signal.SIGSTOP:
        heart.send_signal(signal.SIGCONT)
        assert "moves again; the kill switch stays on" in line_of(sentinel)
    sentinel.send_signal(signal.SIGTERM)
    assert sentinel.wait(20) == 0


def test_the_command_watches_until_it_is_interrupted(tmp_path: Path) -> None:
    environment = {**os.environ, "MANJHA_HOME": str(tmp_path / "home")}
    words = [
        sys.executable,
        "-c",
        "from manjha.app.cli import main; main()",
        "sentinel",
        "--account",
        "AB1234",
        "--exchange",
        "mcx",
    ]
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        code = process.wait(20)
    assert re.fullmatch(r"watching the trader of AB1234 by .*vitals; \^C ends it\n", told)
    # Before the loop has its handler an interrupt is one of the command line.
    assert code in (0, 130)


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--exchange", "LSE"], "--exchange expects one of NSE"), (["--account", "../x"], "an account cannot be named")],
)
def test_what_cannot_be_watched_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    from manjha.app.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["sentinel", "--account", "AB1234", *words])
    assert (ended.value.code, said in capsys.readouterr().err) == (2, True)
