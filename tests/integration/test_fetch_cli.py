"""`manjha data fetch` in a process of its own, against a server on this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from manjha.app.cli.errors import INTERRUPTED, OK, SOURCE, USAGE
from tests.fakes import history_replies
from tests.fakes.history_servers import Answer, Asked, in_order, serving

CODE = "from manjha.app.cli import main; main()"
NOWHERE = "http://127.0.0.1:9"
KEYS = {"MANJHA_KITE_API_KEY": "key", "MANJHA_KITE_ACCESS_TOKEN": "hush"}


def environment(base: str, **more: str) -> dict[str, str]:
    """Every source at one address; the home is the test's own."""
    places = {f"MANJHA_FETCH_{name}_URL": base for name in ("NSE", "BSE", "YAHOO", "KITE")}
    quick = {"MANJHA_FETCH_PER_MINUTE": "60000", "MANJHA_FETCH_NSE_HOME_URL": f"{base}/home", "NO_COLOR": "1"}
    return os.environ | places | quick | more


def manjha(base: str, *args: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run the command and wait for it."""
    command, env = [sys.executable, "-c", CODE, *args], environment(base, **more)
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def fetch(base: str, source: str, *rest: str, **more: str) -> "subprocess.CompletedProcess[str]":
    span = ("--from", "2024-08-01", "--to", "2024-08-06")
    return manjha(base, "data", "fetch", "--source", source, *span, *rest, **more)


def listed(instrument: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(manjha(NOWHERE, "data", "list", "--json").stdout)
    return [row for row in rows if row["instrument"] == instrument]


@pytest.mark.parametrize(
    ("source", "answers", "instrument"),
    [
        ("nse", history_replies.nse, "NSE:RELIANCE"),
        ("nse", history_replies.nse, "NSE:NIFTY 50"),
        ("bse", history_replies.bse, "BSE:RELIANCE"),
        ("yahoo", history_replies.yahoo, "NSE:RELIANCE"),
        ("kite", history_replies.kite, "NSE:RELIANCE"),
    ],
)
def test_a_new_home_is_filled_and_the_second_call_asks_for_nothing(source: str, answers: Any, instrument: str) -> None:
    with serving(answers) as (base, asked):
        first = fetch(base, source, "--instrument", instrument, **KEYS)
        assert first.returncode == OK, first.stderr
        before = len(asked)
        second = json.loads(fetch(base, source, "--instrument", instrument, "--json", **KEYS).stdout)
    assert (second["missing_days"], second["requests"], second["files"]) == (0, 0, [])
    assert len(asked) == before > 0
    (series,) = listed(instrument)
    assert (series["interval"], series["bars"] >= 4, series["sources"]) == ("1d", True, [source])


def test_only_what_is_missing_is_asked_for() -> None:
    def answers(asked: Asked) -> Answer:
        return (
            history_replies.ABSENT if "02AUG" in asked.path or "20240802" in asked.path else history_replies.nse(asked)
        )

    with serving(answers) as (base, asked):
        first = fetch(base, "nse", "--instrument", "RELIANCE")
        assert "no file of 2024-08-02" in first.stderr
        before = len(asked)
        assert fetch(base, "nse", "--instrument", "RELIANCE").returncode == OK
    # The bhavcopy of that day, and the full one that could stand in for it.
    again = asked[before:]
    assert len(again) == 2
    assert "20240802" in again[0]
    assert "full_02082024" in again[1]


def test_after_a_failure_the_next_call_goes_on() -> None:
    def failing(asked: Asked) -> Answer:
        return Answer(status=403) if "20240805" in asked.path else history_replies.nse(asked)

    with serving(failing) as (base, _):
        broken = fetch(base, "nse", "--instrument", "RELIANCE")
    assert broken.returncode == SOURCE
    assert "403" in broken.stderr
    assert "Traceback" not in broken.stderr
    assert manjha(NOWHERE, "data", "verify").returncode == OK
    with serving(history_replies.nse) as (base, asked):
        assert fetch(base, "nse", "--instrument", "RELIANCE").returncode == OK
    assert all("20240801" not in path and "20240802" not in path for path in asked)
    assert listed("NSE:RELIANCE")[0]["bars"] == 4


def test_an_interruption_keeps_what_is_done() -> None:
    reached, done = threading.Event(), threading.Event()

    def answers(asked: Asked) -> Answer:
        if "20240805" in asked.path:
            reached.set()
            done.wait(30)
        return history_replies.nse(asked)

    wanted = ("--source", "nse", "--instrument", "RELIANCE", "--from", "2024-08-01", "--to", "2024-08-06")
    with serving(answers) as (base, _):
        command = [sys.executable, "-c", CODE, "data", "fetch", *wanted]
        with subprocess.Popen(command, env=environment(base), stderr=subprocess.PIPE, text=True) as running:
            assert reached.wait(30)
            running.send_signal(signal.SIGINT)
            _, words = running.communicate(timeout=30)
        done.set()
    assert (running.returncode, "Traceback" in words) == (INTERRUPTED, False)
    assert listed("NSE:RELIANCE")[0]["bars"] == 3
    assert manjha(NOWHERE, "data", "verify").returncode == OK


def test_many_instruments_share_a_days_file() -> None:
    with serving(history_replies.nse) as (base, asked):
        fetch(base, "nse", "--instrument", "RELIANCE")
        done = json.loads(
            fetch(base, "nse", "--instrument", "NSE:NIFTY 50", "--instrument", "RELIANCE", "--json").stdout
        )
    assert done["problem"] is None
    assert len(asked) == len(set(asked))


def test_a_name_that_the_source_does_not_know_either_is_refused() -> None:
    with serving(history_replies.nse) as (base, _):
        done = fetch(base, "nse", "--instrument", "NSE:RELIANSE")
    assert done.returncode == USAGE
    assert "RELIANSE" in done.stderr
    assert "NSE:RELIANCE" in done.stderr


def test_a_token_that_ended_is_said_with_what_to_do_and_without_it() -> None:
    keys = KEYS | {"MANJHA_KITE_ACCESS_TOKEN": "stale-token"}
    with serving(history_replies.kite) as (base, _):
        done = fetch(base, "kite", "--instrument", "NSE:RELIANCE", **keys)
    assert done.returncode == SOURCE
    assert "TokenException" in done.stderr
    assert "MANJHA_KITE_ACCESS_TOKEN" in done.stderr
    assert "stale-token" not in done.stdout + done.stderr


def test_kite_without_credentials_asks_for_nothing() -> None:
    with serving(history_replies.kite) as (base, asked):
        done = fetch(base, "kite", "--instrument", "NSE:RELIANCE", MANJHA_KITE_API_KEY="", MANJHA_KITE_ACCESS_TOKEN="")
    assert done.returncode == USAGE
    assert "MANJHA_KITE_ACCESS_TOKEN" in done.stderr
    assert asked == []


def test_a_web_page_is_never_stored() -> None:
    with serving(in_order(Answer(b"<html>blocked</html>"))) as (base, _):
        done = fetch(base, "bse", "--instrument", "BSE:RELIANCE")
    assert done.returncode == SOURCE
    assert not list(Path(os.environ["MANJHA_HOME"]).rglob("*.parquet"))
