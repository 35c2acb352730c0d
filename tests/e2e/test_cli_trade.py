"""`manjha trade` as its user meets it: a day on paper, gone on with, and everything that can be asked wrongly."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from manjha.app.bootstrap import bar_store, instrument_book, journal_to_read, market_rules, unit_of_work
from manjha.app.cli import main
from manjha.app.cli.demo import INSTRUMENT
from manjha.app.cli.errors import HALTED, HELD
from manjha.app.settings import load_settings
from manjha.domain.commands import Tripped
from manjha.domain.moments import parse_day
from manjha.domain.orders import AccountId, Phase
from manjha.engine.journaling import value_of
from manjha.services.synthetic_market import seed_store

STRATEGY = '''
from manjha import Strategy, param

class Keen(Strategy):
    """Buys every few bars with a stop behind, and is out a few bars later."""

    every: int = param(4, low=2, high=20)

    def init(self, ctx):
        self.seen = 0

    def on_bar(self, ctx):
        self.seen += 1
        if self.seen % self.every == 0 and not ctx.position:
            ctx.buy(10, stop=ctx.close[-1] * 0.99)
        elif self.seen % self.every == 2 and ctx.position:
            ctx.close_position()
'''
CALL = "from manjha.app.cli import main; main()"
CASH = 10_000_000_000
"""What a run begins with unless it is told otherwise, in 1e-4 rupee."""
NO_ROOM = (
    "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    "resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); "
)
"""No file may become longer, as on a full disk."""
DAYS = ("--from", "2024-01-30", "--to", "2024-01-31")


class Desk:
    """A home with a month of the synthetic market, a strategy's file, and the commands."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capture = folder, capture
        self.strategy = folder / "keen.py"
        self.said = self.erred = ""

    def __call__(self, *words: object) -> object:
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        self.said, self.erred = self.capture.readouterr()
        return stop.value.code

    def trade(self, *words: object) -> object:
        """Trade the strategy's file on 15-minute bars, as fast as it goes; words given override."""
        usual: tuple[object, ...] = (
            "-s",
            self.strategy,
            "--instrument",
            INSTRUMENT,
            "-i",
            "15m",
            "--product",
            "MIS",
            "--speed",
            0,
        )
        return self("trade", *usual, *words)

    def journal(self, account: str) -> Path:
        return self.folder / "home" / "accounts" / account / "journal.db"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a month of bars and the strategy's file."""
    folder = tmp_path_factory.mktemp("trade")
    (folder / "keen.py").write_text(STRATEGY, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANJHA_HOME", str(folder / "home"))
        settings = load_settings()
        span = (parse_day("2024-01-01"), parse_day("2024-01-31"))
        seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), 7, span)
    return folder


@pytest.fixture
def desk(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("MANJHA_HOME", str(folder / "home"))
    return Desk(folder, capfd)


def test_two_days_on_paper_then_once_more_adds_nothing_and_replays_as_recorded(desk: Desk) -> None:
    assert desk.trade(*DAYS, "--account", "TWO", "--json") == 0
    first = json.loads(desk.said)
    assert first["exchange"] == "simulated"
    assert first["is_new"]
    assert first["orders"] > first["fills"] > 10  # every entry has a stop besides
    assert first["charges"] > 0
    assert "the session opens" in desk.erred

    assert desk.trade(*DAYS, "--account", "TWO", "--json") == 0
    again = json.loads(desk.said)
    assert not again["is_new"]
    assert again["ended"] == "its days are over"
    assert {**again, "is_new": True, "ended": first["ended"]} == first

    assert desk("journal", "verify", desk.journal("TWO")) == 0
    assert desk("journal", "replay", desk.journal("TWO"), "--json") == 0
    (run,) = json.loads(desk.said)["runs"]
    assert (run["difference"], run["changed"]) == (None, [])
    assert run["decisions"] > first["orders"]
    # The same state in a process with other hashes and another time zone.
    words = ["journal", "replay", str(desk.journal("TWO")), "--json"]
    elsewhere = os.environ | {"PYTHONHASHSEED": "4242", "TZ": "Pacific/Apia"}
    said = subprocess.run([sys.executable, "-c", CALL, *words], env=elsewhere, capture_output=True, check=True).stdout
    assert json.loads(said)["runs"][0]["state"] == run["state"]


def test_behind_a_gateway_it_trades_the_same_goes_on_and_replays_as_recorded(desk: Desk) -> None:
    first_day = ("--from", "2024-01-30", "--to", "2024-01-31", "--json")
    assert desk.trade(*first_day, "--account", "HERE") == 0
    here = json.loads(desk.said)
    assert desk.trade(*first_day, "--account", "FAR", "--gateway", "simulated") == 0
    far = json.loads(desk.said)
    assert far == here
    assert far["fills"] > 10
    assert desk.trade(*first_day, "--account", "FAR", "--gateway", "simulated") == 0
    assert json.loads(desk.said) == {**far, "is_new": False, "ended": "its days are over"}
    assert desk("journal", "verify", desk.journal("FAR")) == 0
    assert desk("journal", "replay", desk.journal("FAR"), "--json") == 0
    (run,) = json.loads(desk.said)["runs"]
    assert (run["difference"], run["changed"]) == (None, [])
    assert desk.trade(*first_day, "--account", "WRONG", "--gateway", "kite") == 2
    assert "unknown gateway 'kite'" in desk.erred
    assert not desk.journal("WRONG").exists()


def test_its_journal_makes_the_orders_trades_and_positions_that_it_told(desk: Desk) -> None:
    assert desk.trade(*DAYS, "--account", "ROWS", "--json") == 0
    report = json.loads(desk.said)
    assert desk("db", "rebuild", desk.journal("ROWS")) == 0
    account = AccountId("ROWS")
    with closing(unit_of_work(load_settings())) as work, work.begin() as records:
        models = records.read_models
        orders, trades = models.orders(account, limit=1_000), models.trades(account, limit=1_000)
        notes, [position] = models.notes(account), models.positions(account)
        [run] = records.runs.runs(account)
    assert (len(orders), len(trades)) == (report["orders"], report["fills"])
    assert {order.phase for order in orders} == {Phase.FILLED, Phase.CANCELLED}
    assert sum(order.filled for order in orders) == sum(trade.fill.qty for trade in trades)
    assert all(order.broker_id.startswith("PAPER") for order in orders)
    charges = sum(trade.charges.total for trade in trades if trade.charges is not None)
    assert charges + sum(note.settled.adjustment.total for note in notes) == report["charges"]
    assert position.qty == 0
    assert position.realised - report["charges"] == report["equity"] - CASH
    assert run.activity is not None
    assert (run.strategy, run.activity.orders, run.activity.trades) == ("keen", len(orders), len(trades))
    # Nothing is left to be read.
    assert desk("db", "rebuild", desk.journal("ROWS"), "--continue", "--json") == 0
    done = json.loads(desk.said)
    assert done["from"] == done["reached"]


def test_it_says_in_words_what_became_of_it_and_that_it_was_simulated(desk: Desk) -> None:
    assert desk.trade("--from", "2024-01-31", "--to", "2024-01-31", "--account", "WORDS") == 0
    assert desk.said.startswith("the feed has ended: ")
    assert "the exchange was simulated" in desk.said
    assert re.search(r"the session ends; equity: [\d,.]+, result of the day: .* fills of the day: [1-9]", desk.erred)
    assert f"BUY 10 {INSTRUMENT} at " in desk.erred


def test_another_strategy_on_a_flat_account_begins_a_new_run(desk: Desk) -> None:
    day = ("--from", "2024-01-30", "--to", "2024-01-30")
    assert desk.trade(*day, "--account", "FLAT", "--json") == 0
    assert desk.trade("--from", "2024-01-31", "--to", "2024-01-31", "--account", "FLAT", "-p", "every=5", "--json") == 0
    assert json.loads(desk.said)["is_new"]
    assert desk("journal", "verify", desk.journal("FLAT")) == 0


def test_recorded_ticks_are_the_feed_and_wrong_files_are_refused(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "ticks.csv"
    rows = [
        f"2024-01-30 {9 + (15 + at) // 60:02}:{(15 + at) % 60:02}:07,{100 + at % 9}.05,{at + 1}" for at in range(370)
    ]
    file.write_text("\n".join(["timestamp,ltp,volume", *rows]) + "\n", encoding="utf-8")
    day = ("--from", "2024-01-30", "--to", "2024-01-30", "--ticks", file)
    assert desk.trade(*day, "--account", "RECORDED", "--json") == 0
    assert json.loads(desk.said)["fills"] > 0
    assert f"The ticks are recorded ones, of {file}; the exchange is simulated." in desk.erred
    # Traded is at the prices of the file, which the stored bars never had.
    assert re.search(rf"BUY \d+ {INSTRUMENT} at 10[0-9]\.", desk.erred)
    assert desk("journal", "replay", desk.journal("RECORDED")) == 0
    assert desk.trade(*DAYS, "--ticks", file, "--ticks", file, "--account", "WRONG") == 2
    assert "expects a file for each of 1 instruments, was given 2" in desk.erred
    assert desk.trade(*DAYS, "--ticks", tmp_path / "none.csv", "--account", "WRONG") != 0
    assert "no file or folder" in desk.erred
    assert desk.trade(*DAYS, "--ticks", desk.strategy, "--account", "WRONG") != 0
    assert desk.trade("--from", "2024-01-31", "--to", "2024-01-31", "--ticks", file, "--account", "WRONG") != 0
    assert "the ticks are of 2024-01-30 to 2024-01-30, asked for were 2024-01-31 to 2024-01-31" in desk.erred
    assert desk.trade("--live", "--ticks", file, "--account", "WRONG") == 2
    assert "not recorded ones" in desk.erred
    assert not desk.journal("WRONG").exists()


def test_orders_are_held_to_the_controls_of_the_settings(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANJHA_RISK_ORDER_QTY_MAX", "9")
    assert desk.trade(*DAYS, "--account", "TIGHT", "--json") == 0
    report = json.loads(desk.said)
    assert (report["orders"], report["fills"]) == (0, 0)


GUARDS: dict[str, tuple[dict[str, int], str]] = {
    "cooldown": ({"PROTECTIONS_COOLDOWN_S": 3_600}, "cooldown period"),
    "stop_guard": (
        {f"PROTECTIONS_STOP_GUARD_{name}": at for name, at in (("TRADES", 1), ("LOOKBACK_S", 99_999), ("PAUSE_S", 60))},
        "stop-loss guard",
    ),
    "low_profit": (
        {
            f"PROTECTIONS_LOW_PROFIT_{name}": at
            for name, at in (("TRADES", 2), ("LOOKBACK_S", 99_999), ("PAUSE_S", 60), ("BELOW", 1_000_000))
        },
        "low profit",
    ),
    "drawdown": (
        {
            f"PROTECTIONS_DRAWDOWN_{name}": at
            for name, at in (("TRADES", 1), ("LOOKBACK_S", 99_999), ("PAUSE_S", 60), ("FALL", 1))
        },
        "max drawdown",
    ),
    "strategy": ({"RISK_STRATEGY_LOSS_MAX": 1}, "profit of the day"),
}
"""By name: settings, and the control that then acts in the days that are traded."""


@pytest.mark.parametrize("name", list(GUARDS))
def test_protections_and_a_strategys_loss_act_by_the_settings(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings, control = GUARDS[name]
    for variable, value in settings.items():
        monkeypatch.setenv(f"MANJHA_{variable}", str(value))
    account = f"GUARD-{name}"
    cash = ("--cash", "10000") if name == "drawdown" else ()
    assert desk.trade(*DAYS, *cash, "--account", account, "--json") == 0
    with closing(journal_to_read(str(desk.journal(account)), account)) as journal:
        tripped = [value_of(row.entry) for row in journal.of_kind("Tripped")]
    assert tripped
    assert {(one.control, one.scope.strategy) for one in tripped if isinstance(one, Tripped)} == {(control, "keen")}


@pytest.mark.failure("F45")
def test_an_account_that_another_process_trades_is_left_alone(desk: Desk) -> None:
    from manjha.app.trading.account_parts import leader_lock
    from manjha.domain.orders import AccountId

    desk.journal("HELD").parent.mkdir(parents=True)
    lock = leader_lock(str(desk.journal("HELD")), AccountId("HELD"))
    lock.acquire()
    try:
        assert desk.trade(*DAYS, "--account", "HELD") == HELD
        assert "the account is traded by process" in desk.erred
        assert not desk.journal("HELD").exists()
    finally:
        lock.release()


@pytest.mark.failure("F57")
@pytest.mark.failure("F76")
def test_a_running_trader_hears_of_the_kill_switch_and_ends_in_order(desk: Desk) -> None:
    words: tuple[str, ...] = (
        "trade",
        "-s",
        str(desk.strategy),
        "--instrument",
        INSTRUMENT,
        "-i",
        "15m",
        "--product",
        "MIS",
    )
    words += (*DAYS, "--account", "KILLED", "--speed", "1000")
    call = [sys.executable, "-c", CALL, *words]
    with subprocess.Popen(call, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        until(process.stderr, "  BUY 10 ")
        try:
            assert desk("kill", "--level", "flatten", "--reason", "a test") == 0
            until(process.stderr, "LOOK AT kill switch: thrown, level flatten")
            assert desk("control", "status", "--account", "KILLED", "--json") == 0
            assert json.loads(desk.said)["kill switch"] == "flatten for everything"
        finally:
            assert desk("resume", "--reason", "it was a test", "--yes", load_settings().account) == 0
        until(process.stderr, "LOOK AT kill switch: lifted")
        process.send_signal(signal.SIGUSR1)
        until(process.stderr, "LOOK AT kill switch: thrown, level cancel-all for everything by whoever may signal")
        assert desk("resume", "--reason", "that too", "--yes", load_settings().account) == 0
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate()
    assert process.returncode == 0
    assert said.startswith("it was asked to stop: ")
    assert desk("journal", "verify", desk.journal("KILLED")) == 0
    assert desk("journal", "replay", desk.journal("KILLED")) == 0


def test_a_person_orders_by_hand_looks_at_the_list_and_is_told_what_cannot_be(desk: Desk) -> None:
    words = ("trade", "-s", str(desk.strategy), "--instrument", INSTRUMENT, "-i", "15m", "--product", "MIS")
    call = [sys.executable, "-c", CALL, *words, *DAYS, "--account", "HAND", "--speed", "300"]
    with subprocess.Popen(call, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        until(process.stderr, "pre-open check for 2024-01-30: ")
        until(process.stderr, "  BUY 10 ")
        hand = ("--account", "HAND", "--instrument", INSTRUMENT, "--side", "BUY", "--product", "MIS")
        assert desk("control", "order", *hand, "--qty", 7, "--key", "mine", "--json") == 0
        first = json.loads(desk.said)
        until(process.stderr, "  BUY 7 ")
        assert desk("control", "status", "--account", "HAND", "--json") == 0
        status = json.loads(desk.said)
        assert ("MANUAL", 7) in {(one["strategy"], one["qty"]) for one in status["positions"]}
        assert {one["is"] for one in status["checks"]} <= {"ok", "warn"}
        assert {one["is"] for one in status["checks"] if one["check"] == "books"} == {"ok"}
        assert desk("control", "order", *hand, "--qty", 7, "--key", "mine", "--json") == 0
        assert json.loads(desk.said) == first
        assert desk("control", "order", *hand, "--qty", 7, "--limit", "0.01") == 1
        assert "refused: " in desk.erred
        assert desk("control", "set", "--account", "HAND", "-s", "keen", "-p", "every=5") == 1
        assert "every of keen cannot change while it runs" in desk.erred
        assert desk("control", "accept", "--account", "HAND", "--instrument", INSTRUMENT) == 1
        assert f"{INSTRUMENT} is not frozen; frozen are: none" in desk.erred
        assert desk("control", "order", *hand, "--qty", 10**20) == 1
        assert "the largest quantity is 1,000,000,000" in desk.erred
        assert desk("control", "end", "--account", "HAND") == 1
        assert "the run still has " in desk.erred
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 0
    assert desk("journal", "verify", desk.journal("HAND")) == 0
    assert desk("journal", "replay", desk.journal("HAND")) == 0


def until(lines: Iterable[str], words: str) -> str:
    """Read until a line has the words; return it."""
    for line in lines:
        if words in line:
            return line
    raise AssertionError(f"no line had {words!r}")


@pytest.mark.failure("F40")
def test_a_disc_that_becomes_full_ends_it_and_with_room_it_goes_on(desk: Desk) -> None:
    assert desk.trade("--from", "2024-01-30", "--to", "2024-01-30", "--account", "FULL", "--json") == 0
    journal = desk.journal("FULL")
    limit = journal.stat().st_size + 60_000
    words = ["trade", "-s", str(desk.strategy), "--instrument", INSTRUMENT, "-i", "15m", "--product", "MIS"]
    words += ["--speed", "0", "--from", "2024-01-31", "--to", "2024-01-31", "--account", "FULL"]
    process = [sys.executable, "-c", f"{NO_ROOM.format(limit=limit)}{CALL}", *words]
    ended = subprocess.run(process, check=False, capture_output=True)
    assert ended.returncode == HALTED
    assert b"cannot be written" in ended.stderr
    assert desk("journal", "verify", journal) == 0
    # It takes up the day where it was.
    assert desk.trade("--from", "2024-01-31", "--to", "2024-01-31", "--account", "FULL", "--json") == 0
    assert not json.loads(desk.said)["is_new"]
    assert desk("journal", "verify", journal) == 0
    assert desk("journal", "replay", journal) == 0
