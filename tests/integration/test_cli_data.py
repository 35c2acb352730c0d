"""The command line as people meet it: another process, its words, its exit codes, and what it leaves behind."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,TOTALTRADES,ISIN\n"
DAY_FILE = HEAD + (
    "RELIANCE,EQ,2000,2020,1990,2010,2010,1995,1000,2010000,07-JUN-2021,100,INE002A01018\n"
    "INFY,EQ,1400,1420,1390,1410.55,1410,1395,2000,2821100,07-JUN-2021,200,INE009A01021\n"
)
NEXT_DAY = HEAD + (
    "RELIANCE,EQ,1005,1010,1000,1008,1008,2010,1000,1008000,08-JUN-2021,100,INE002A01018\n"
    "INFY,EQ,1410,1420,1390,1412,1412,1410,2000,2821100,08-JUN-2021,200,INE009A01021\n"
)


MANJHA = "from manjha.app.cli import main; main()"


class Ran:
    """What a command gave."""

    def __init__(self, done: "subprocess.CompletedProcess[str]") -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr


def manjha(*args: object, **environment: str) -> Ran:
    command = [sys.executable, "-c", MANJHA, *map(str, args)]
    env = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"} | environment
    return Ran(subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=60))


def home() -> Path:
    return Path(os.environ["MANJHA_HOME"])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that one day was imported into, made once."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "day.csv").write_text(DAY_FILE)
    assert manjha("data", "import", folder / "day.csv", MANJHA_HOME=str(folder / "home")).code == 0
    return folder


@pytest.fixture
def imported(template: Path, tmp_path: Path) -> Path:
    """A home of this test's own that one day was imported into; gives the file of that day."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return tmp_path / "day.csv"


def test_help_and_version_answer_without_heavy_libraries() -> None:
    code = (
        "import sys; from manjha.app.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'polars', 'numba', 'httpx2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "data" in done.stdout
    assert done.stdout.endswith("[]\n")
    version = manjha("--version")
    assert version.code == 0
    assert version.out.startswith("manjha ")


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, manjha; print(sorted({'numpy', 'polars', 'typer', 'msgspec'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_import_list_gaps_verify_and_export(imported: Path, tmp_path: Path) -> None:
    (one,) = json.loads(manjha("data", "list", "--instrument", "infy", "--json").out)
    assert (one["instrument"], one["interval"], one["bars"], one["adjustment"]) == ("NSE:INFY", "1d", 1, "raw")
    assert one["first"] == "2021-06-07T09:15:00+05:30"
    wanted = ("--instrument", "INFY", "--from", "2021-06-07", "--to", "2021-06-08")
    gaps = json.loads(manjha("data", "gaps", *wanted, "--json").out)
    assert [gap["day"] for gap in gaps["gaps"]] == ["2021-06-08"]
    assert json.loads(manjha("data", "verify", "--json").out) == {"files": 1, "problems": []}
    exported = manjha("data", "export", "--instrument", "INFY", "--out", tmp_path / "out.csv")
    assert (exported.code, exported.out[:27]) == (0, "1 raw bars of NSE:INFY writ")
    refused = manjha("data", "export", "--instrument", "INFY", "--out", tmp_path / "a.csv", "--adjustment", "split")
    assert (refused.code, (tmp_path / "a.csv").exists()) == (2, False)
    assert "no split bars of NSE:INFY 1d are stored" in refused.err
    assert (tmp_path / "out.csv").read_text().splitlines()[
        1
    ] == "2021-06-07T09:15:00+05:30,1400.0,1420.0,1390.0,1410.55,2000,0"


def test_a_second_import_changes_no_file(imported: Path) -> None:
    before = {path: path.read_bytes() for path in home().rglob("*.parquet")}
    again = manjha("data", "import", imported, "--json")
    (report,) = json.loads(again.out)["files"]
    assert (again.code, report["outcome"], report["added"], report["unchanged"]) == (0, "unchanged", 0, 2)
    assert {path: path.read_bytes() for path in home().rglob("*.parquet")} == before


def test_a_conflict_is_shown_and_replace_overwrites(imported: Path) -> None:
    imported.write_text(DAY_FILE.replace("1410.55", "1411.55"))
    shown = manjha("data", "import", imported)
    assert shown.code == 0
    assert "close: stored 1410.55, offered 1411.55" in shown.err
    assert "--replace" in shown.err
    assert json.loads(manjha("data", "import", imported, "--replace", "--json").out)["files"][0]["replaced"] == 1


def test_an_unexplained_step_is_a_warning(imported: Path) -> None:
    imported.write_text(NEXT_DAY)
    warned = manjha("data", "import", imported)
    assert warned.code == 0
    assert "warning: NSE:RELIANCE steps on 2021-06-08 from 2010.00 to 1005.00" in warned.err
    assert "2 shares for 1" in warned.err


def test_a_bad_file_beside_a_good_one_is_exit_2_and_the_good_one_is_in(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("this is, no market data\n1,2\n")
    (tmp_path / "in" / "b.csv").write_text(DAY_FILE)
    done = manjha("data", "import", tmp_path / "in", "--json")
    reports = json.loads(done.out)["files"]
    assert (done.code, [report["outcome"] for report in reports]) == (2, ["failed", "added"])


WITHOUT_CLOSE = "Date,Open,High,Low,Volume\n2021-06-07,1,2,1,5\n"
NEGATIVE = "Date,Open,High,Low,Close,Volume\n2021-06-07,-1,2,-1,2,5\n2021-06-08,-1,2,-1,2,5\n"
BACKWARDS = "Date,Open,High,Low,Close,Volume\n2021-06-08,1,3,1,2,5\n2021-06-07,1,2,1,2,5\n2021-06-08,1,3,1,3,5\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("malformed.bin", "\x00\x01\x02 no table", "malformed.bin"),
        ("empty.csv", "", "empty.csv"),
        ("columns.csv", WITHOUT_CLOSE, "close"),
        ("negative.csv", NEGATIVE, "negative"),
        ("time.csv", BACKWARDS, "contradicts"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    options = ("--instrument", "NSE:RELIANCE", "-i", "1d", "--unit", "rupees")
    done = manjha("data", "import", tmp_path / name, *options)
    assert done.code == 2, done.err
    assert said in done.err.lower()
    assert "try:" in done.err
    assert "Traceback" not in done.err + done.out
    assert not list(home().rglob("*.parquet"))


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("list", "--instrument", "RELIANSE"), ("'RELIANSE'", "Did you mean NSE:RELIANCE?")),
        (("gaps", "--instrument", "INFY", "-i", "7x"), ("'7x'", "1m, 3m, 5m")),
        (("gaps", "--instrument", "INFY", "-i", "5m"), ("NSE:INFY", "manjha data list")),
        (("gaps", "--instrument", "INFY", "--from", "2021-06-31"), ("'2021-06-31'",)),
        (("gaps", "--instrument", "INFY", "--from", "2021-06-09", "--to", "2021-06-08"), ("empty", "--from")),
        (("gaps", "--instrument", "INFY", "--to", "2035-01-01"), ("2035", "rules")),
        (("export", "--instrument", "INFY", "--out", "a.xlsx"), ("a.xlsx", ".csv")),
        (("export", "--instrument", "INFY", "--out", "a.csv", "--from", "2022-01-01"), ("2022-01-01", "2021-06-07")),
        (("import", "nowhere.csv"), ("nowhere.csv",)),
        (("import", "day.csv", "--unit", "dollars"), ("'dollars'", "paise")),
        (("import", "day.csv", "--format", "nse-cash"), ("'nse-cash'", "nse-cash-old")),
        (("fetch", "--source", "bloomberg", "--instrument", "INFY", "--from", "2021-01-01", "--to", "2021-01-02"),
         ("'bloomberg'",)),
        (("lst",), ("lst", "'list'")),
        (("list", "--jsn"), ("--jsn", "--json")),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_with_the_next_step(
    imported: Path, args: tuple[str, ...], said: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(imported.parent)
    before = sorted(home().rglob("*.parquet"))
    done = manjha("data", *args)
    assert done.code == 2, done.err
    assert "Traceback" not in done.err + done.out
    for words in said:
        assert words in done.err
    assert sorted(home().rglob("*.parquet")) == before


def test_an_unknown_setting_is_refused_with_a_close_name() -> None:
    home().mkdir(parents=True)
    (home() / "manjha.toml").write_text("[store]\ncache_md = 3\n")
    done = manjha("data", "list")
    assert done.code == 2
    assert "'store.cache_md'" in done.err
    assert "store.cache_mb" in done.err


def test_a_reader_who_goes_away_is_no_error(imported: Path) -> None:
    command = f"{sys.executable} -c '{MANJHA}' data list | head -n 0"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=60)  # noqa: S602
    assert done.stderr == ""


def test_damage_is_found_by_verify(imported: Path) -> None:
    (path,) = (home() / "bars").rglob("*.parquet")
    path.write_bytes(path.read_bytes() + b"x")
    done = manjha("data", "verify")
    assert done.code == 2
    assert path.name in done.err


@pytest.mark.parametrize("missing", [False, True])
def test_damage_is_told_by_every_command_and_mended_by_the_step_it_names(imported: Path, *, missing: bool) -> None:
    (path,) = (home() / "bars").rglob("*.parquet")
    if missing:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-40])
    (imported.parent / "next.csv").write_text(NEXT_DAY)
    out = imported.parent / "out.csv"
    for command in (
        ["list"],
        ["import", imported.parent / "next.csv"],
        ["export", "--instrument", "RELIANCE", "--out", out],
    ):
        done = manjha("data", *command)
        assert (done.code, path.name in done.err, "--set-aside" in done.err) == (2, True, True), done.err
        assert "bug" not in done.err
    assert not out.exists()
    done = manjha("data", "verify", "--set-aside")
    assert (done.code, "import again: " in done.out, "day.csv" in done.out) == (0, True, True), done.out
    assert manjha("data", "import", imported).code == 0
    assert "RELIANCE" in manjha("data", "list").out
    assert manjha("data", "verify").code == 0


def test_a_bug_says_where_its_traceback_is() -> None:
    code = (
        "import manjha.services.stored as stored\n"
        "def broken(*_): raise ZeroDivisionError('kaboom')\n"
        "stored.list_series = broken\n"
        "from manjha.app.cli import main\n"
        "main(['data', 'list'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    (crash,) = (home() / "crash").iterdir()
    assert done.returncode == 70
    assert "ZeroDivisionError: kaboom" in done.stderr
    assert str(crash) in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in crash.read_text()


def test_an_interrupt_is_exit_130() -> None:
    code = (
        "import manjha.services.stored as stored\n"
        "def stopped(*_): raise KeyboardInterrupt\n"
        "stored.list_series = stopped\n"
        "from manjha.app.cli import main\n"
        "main(['data', 'list'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (130, "interrupted; what was stored before is whole\n")


@pytest.mark.parametrize("module", ["manjha.app.cli.root", "typer.main", "manjha.app.cli.data"])
def test_an_interrupt_while_code_is_loaded_is_told(module: str) -> None:
    code = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from manjha.app.cli import main\n"
        "main(['data', 'list'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 130
    assert done.stderr.startswith("interrupted")
    assert done.stderr.count("\n") == 1


def test_python_loads_bars_in_one_line(imported: Path) -> None:
    code = "import manjha; print(manjha.load_bars('infy', '1d', '2021-06-01', '2021-06-30').close.tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[14105500]\n"
