"""What commands print of a report."""

import os
import pty
import subprocess
import sys
from contextlib import suppress

import msgspec
import pytest

from manjha.app.cli.data_output import print_files, print_gaps, print_series, print_steps
from manjha.app.cli.output import print_json, print_table
from manjha.domain.bars import DAY, MINUTE
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, TradingDay, TsNs, at, parse_clock, parse_day
from manjha.domain.money import Px
from manjha.ports.market_data import Conflict
from manjha.services.reports import DayGap, FileReport, GapReport, Problem, SeriesView, Step, Tally

MONDAY = parse_day("2021-06-07")
OPEN = TsNs(at(MONDAY, parse_clock("09:15")))
INFY = InstrumentId("NSE:INE009A01021")
VIEW = SeriesView(INFY, "NSE:INFY", DAY, "raw", 1234, OPEN, OPEN, ("nse",), "")
Captured = pytest.CaptureFixture[str]


def test_columns_are_aligned_numbers_to_the_right(capsys: Captured) -> None:
    print_table(("name", "rows"), [("a", 5), ("long", 12345)])
    assert capsys.readouterr().out == "name    rows\na          5\nlong  12,345\n"


BAR = """
import time
from manjha.app.cli.output import progress_bar
with progress_bar() as tell:
    tell("nse", {done}, 5)
    time.sleep({pause})
print("result")
"""


@pytest.mark.parametrize(("pause", "shown"), [("0", False), ("1.4", True)])
def test_a_bar_appears_on_a_terminal_after_a_second_and_goes_away(pause: str, *, shown: bool) -> None:
    ours, theirs = pty.openpty()
    code = BAR.format(done=2, pause=pause)
    command, environment = [sys.executable, "-c", code], os.environ | {"TERM": "xterm"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=theirs, text=True, check=True)
    os.close(theirs)
    said = b""
    with suppress(OSError):  # What Linux says at the end of a terminal that nobody writes to any more.
        while piece := os.read(ours, 65_536):
            said += piece
    os.close(ours)
    assert done.stdout == "result\n"
    assert (b"2/5" in said) is shown


def test_without_a_terminal_no_bar_appears() -> None:
    code = BAR.format(done=2, pause="1.4")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("result\n", "")


def test_json_is_one_document(capsys: Captured) -> None:
    print_json({"a": [Tally("x", 1)]})
    assert msgspec.json.decode(capsys.readouterr().out) == {"a": [{"what": "x", "count": 1}]}


def test_contracts_of_one_underlying_are_one_row(capsys: Captured) -> None:
    ids = [InstrumentId(f"NFO:NIFTY:2021-06-24:CE:{strike}") for strike in (15000, 15100)]
    print_series([VIEW, *(msgspec.structs.replace(VIEW, instrument=name, name=name) for name in ids)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["NSE:INFY", "NFO:NIFTY (2 contracts)"]
    assert "2,468" in lines[2]


def test_an_empty_store_says_what_to_do(capsys: Captured) -> None:
    print_series([])
    assert "manjha data import" in capsys.readouterr().err


def test_files_notes_of_a_kind_are_said_once(capsys: Captured) -> None:
    print_files([FileReport(f"in/{n}.csv", added=n, notes=(f"{n} rows left out",)) for n in (1, 2, 3)])
    shown = capsys.readouterr()
    assert shown.err == "note: 1.csv: 1 rows left out (and the like of 2 more files)\n"
    assert shown.out.splitlines()[-1].split()[:5] == ["3", "files", "0", "6", "0"]


def test_problems_conflicts_and_quarantine_are_told(capsys: Captured) -> None:
    conflict = Conflict(INFY, MINUTE, OPEN, "close", 1_0000, 2_0000)
    overlap = Conflict(INFY, MINUTE, TsNs(OPEN + 1), "ts_open", OPEN, OPEN + 1)
    print_files(
        [
            FileReport("a.csv", conflicting=2, conflicts=(conflict, overlap)),
            FileReport("b.csv", quarantined=(Tally("zero", 7),), quarantine_file="there.csv"),
            FileReport("c.csv", problem=Problem("no close", "Add it.")),
        ],
        {INFY: "NSE:INFY"}.__getitem__,
    )
    told = capsys.readouterr().err
    assert "conflict: NSE:INFY 1m 2021-06-07 09:15 close: stored 1.00, offered 2.00" in told
    assert "reaches into the stored bar of 2021-06-07T09:15:00+05:30" in told
    assert "b.csv: 7 rows: zero" in told
    assert "error: c.csv: no close\n  try: Add it.\n" in told


def test_gaps_are_days_runs_and_spans(capsys: Captured) -> None:
    whole = [DayGap(TradingDay(MONDAY + n), 375, 0) for n in (0, 1, 4)]
    part = DayGap(TradingDay(MONDAY + 7), 375, 372, ((OPEN, TsNs(OPEN + MINUTE_NS)), (OPEN, OPEN)))
    gaps = (*whole, part)
    print_gaps(GapReport(INFY, "NSE:INFY", MINUTE, "raw", MONDAY, TradingDay(MONDAY + 7), 6, gaps))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("6 trading days, 3 missing, 1,128 bars missing in all")
    assert lines[1:] == [
        "2021-06-07 to 2021-06-11  no bars on 3 trading days",
        "2021-06-14  3 of 375: 09:15–09:16, 09:15",
    ]


def test_many_steps_are_cut_short(capsys: Captured) -> None:
    step = Step(INFY, "NSE:INFY", MONDAY, Px(2_0000), Px(1_0000), 2000, "a split")
    print_steps([step] * 12)
    told = capsys.readouterr().err
    assert "NSE:INFY steps on 2021-06-07 from 2.00 to 1.00 (×2); this looks like a split" in told
    assert "2 more steps" in told
