"""The documents say what is: links lead somewhere, snippets run and say what is shown, lists are complete."""

import importlib
import inspect
import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import typer

import manjha.domain
import manjha.ports
from manjha.adapters.formats.registry import FORMATS
from manjha.app.cli import main
from manjha.app.cli.demo import FIRST, LAST
from manjha.app.cli.root import COMMANDS
from manjha.app.research.requests import DEFAULTS
from manjha.app.settings import Settings
from manjha.domain.commands import RefusalReason
from manjha.domain.orders import Phase
from manjha.orders.lifecycle import TRANSITIONS, Happening
from manjha.risk.limits import RiskLimits

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py")))


def text_of(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def table_rows(text: str, columns: int) -> list[list[str]]:
    """Return the cells of every table row with this many columns, headers and rulers left out."""
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:2] == "| "]
    return [row for row in rows if len(row) == columns and not set(row[0]) <= set("-: ")]


# ---- links


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", document.read_text(encoding="utf-8"))
    near = [(document.parent / link if link else document, anchor) for link, anchor in links if "://" not in link]
    assert not [str(path) for path, _ in near if not path.exists()]
    assert not [anchor for path, anchor in near if anchor and anchor not in anchors(path)]


def test_the_map_names_every_page() -> None:
    links = set(re.findall(r"\]\(([^)#]+)", text_of("index.md")))
    pages = {str(path.relative_to(ROOT / "docs")) for path in PAGES if path.parent == ROOT / "docs"}
    assert pages - links == {"index.md"}


def test_the_list_of_decisions_is_complete() -> None:
    links = re.findall(r"\]\((\d{4}[^)]+)\)", text_of("adr/README.md"))
    assert links == sorted(path.name for path in (ROOT / "docs" / "adr").glob("0*.md"))


# ---- snippets: ```console runs, ```LANG FILE is written, ```text after a console is in what it said, ```python runs


class Block(NamedTuple):
    kind: str
    file: str
    body: str


def blocks_of(name: str) -> list[Block]:
    found = re.findall(r"^```([\w-]*) ?([^\n]*)\n(.*?)^```$", text_of(name), re.DOTALL | re.MULTILINE)
    return [Block(*one) for one in found]


OF_METHOD = ("indicators", "performance", "synthetic-market")
PLAIN = [page for page in PAGES if page.parent.name == "docs" and page.stem not in OF_METHOD]
RUNNABLE = [
    str(path.relative_to(ROOT / "docs"))
    for path in PAGES
    if re.search(r"^```(console|python)", path.read_text(encoding="utf-8"), re.MULTILINE)
]


def plain(line: str) -> str:
    """Return a line without its padding."""
    return " ".join(line.split())


class Reader:
    """Does what a reader of a document does: writes its files, types its commands, runs its Python."""

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str], shared: Path | None = None
    ) -> None:
        self.folder, self.patch, self.capture, self.shared = folder, patch, capture, shared
        self.home = folder / "home"
        self.said = ""
        patch.chdir(folder)

    def read(self, blocks: list[Block]) -> None:
        ours = "console" if self.shared is None else "console-shared"
        last = ""
        for block in blocks:
            last = block.kind if block.kind.startswith("console") else last
            if block.kind == ours:
                self.said = "".join(self.type(line) for line in block.body.splitlines())
            elif block.file:
                (self.folder / block.file).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / block.file).write_text(block.body, encoding="utf-8")
            elif block.kind == "text" and last == ours:
                missing = set(map(plain, block.body.splitlines())) - set(map(plain, self.said.splitlines()))
                assert not missing, f"{missing} is not in\n{self.said}"
            elif block.kind == "python" and self.shared is None:
                self.patch.setenv("MANJHA_HOME", str(self.home))
                exec(compile(block.body, "the document", "exec"), {})  # noqa: S102 - our own document

    def type(self, line: str) -> str:
        command, _, wanted = line.partition("   # exits with ")
        code, said = self.run(command)
        assert code == int(wanted or 0), f"{line}\n{said}"
        return said

    def run(self, line: str) -> tuple[object, str]:
        """Run a command line in this process; return its exit code and all that it said."""
        words = shlex.split(line.replace("SHARED", str(self.shared)))
        at = words.index("manjha")
        given = dict(word.split("=", 1) for word in words[:at])
        with self.patch.context() as patch:
            for name, value in {"MANJHA_HOME": str(self.home), **given}.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as stop:
                main(words[at + 1 :])
        out, err = self.capture.readouterr()
        return stop.value.code, out + err


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Reader:
    return Reader(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("document", RUNNABLE)
def test_what_a_document_shows_runs_and_says_so(document: str, reader: Reader) -> None:
    reader.read(blocks_of(document))


def test_the_worked_example_runs_on_real_data(shared: Path, reader: Reader) -> None:
    reader.shared = shared
    reader.read(blocks_of("user-guide.md"))
    assert "windows of 105 combinations" in reader.said


# ---- settings


def defaults_of(struct: type[msgspec.Struct], section: str = "") -> dict[str, object]:
    """Return settings by the name that the file gives them, with their defaults; sections opened."""
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(struct):
        if isinstance(field.default, msgspec.Struct):
            found |= defaults_of(type(field.default), f"{field.name}.")
        elif field.name != "home":
            found[section + field.name] = field.default
    return found


def test_the_settings_page_has_every_setting_with_its_variable_and_default() -> None:
    rows = {name: (variable, default) for name, variable, default, _ in table_rows(text_of("settings.md"), 4)[1:]}
    settings = defaults_of(Settings)
    assert rows == {
        f"`{name}`": (f"`MANJHA_{name.replace('.', '_').upper()}`", "none" if value is None else f"`{value}`")
        for name, value in settings.items()
    }


def test_the_settings_page_has_every_other_variable() -> None:
    scripts = [ROOT / "Makefile", ROOT / "tests" / "conftest.py", *sorted((ROOT / ".ci").iterdir())]
    code = SOURCE + "".join(path.read_text(encoding="utf-8") for path in scripts)
    used = set(re.findall(r"MANJHA_[A-Z_]*[A-Z]\b", code))
    assert used <= set(re.findall(r"`(MANJHA_[A-Z_]+)`", text_of("settings.md")))


def test_the_settings_page_has_every_default_of_a_backtest() -> None:
    rows = {row[0]: row[2] for row in table_rows(text_of("settings.md"), 3)}
    shown = {f"`{name}`": f"`{value}`" if value not in ("", ()) else "empty" for name, value in DEFAULTS.items()}
    assert {name: rows.get(name) for name in shown} == shown
    limits = {f"`{field.name}`": f"`{field.default}`" for field in msgspec.structs.fields(RiskLimits)}
    assert {name: rows.get(name) for name in limits} == limits
    assert f"from {FIRST} to {LAST}" in text_of("settings.md")


# ---- troubleshooting

HEAD = "date,symbol,open,high,low,close,volume\n"
MARCH = "2024-03-01,FIRKI,404.00,406.00,403.00,{},90000\n2024-03-04,FIRKI,{},206.00,200.00,205.00,90000\n"
FILES = {
    "days.csv": HEAD + MARCH.format("405.05", "202.50"),
    "other.csv": HEAD + MARCH.format("405.10", "202.50"),
    "whole.csv": HEAD + MARCH.format("405.00", "202.00"),
    "bad.csv": HEAD + MARCH.format("405.05", "202.50") + "2024-03-05,FIRKI,205.00,201.00,204.00,205.00,9000\n",
    "worse.csv": HEAD + "2024-03-06,FIRKI,205.00,201.00,204.00,205.50,9000\n" * 2,
    "nameless.csv": "date,open,high,low,close\n2024-03-01,404.00,406.00,403.00,405.05\n",
    "words.txt": "hello\n",
    "empty.csv": "",
    "short.csv": "date,symbol,open,high,low\n2024-03-01,FIRKI,404.00,406.00,403.00\n",
    "actions.csv": "instrument,ex_day,kind,new_shares\nNSE:FIRKI,2024-03-04,bonus,1\n",
    "index.csv": "time,open,high,low,close\n"
    + "".join(f"2024-03-01 09:{15 + minute}:00,22000.05,22010,21990,22005\n" for minute in range(40)),
    "kite.csv": "date,open,high,low,close,volume\n"
    + "".join(f"2024-03-0{day}T00:00:00+05:30,{day}.05,9.5,1.5,{day}.5,700\n" for day in (4, 5, 6, 7)),
    "broken.py": "def broken(:\n",
    "home/wrong.toml": '[[stt]]\nsegment = "equity"\nfrom = "2024-01-01"\n',
}
MISTAKES = """
manjha data import days.csv other.csv whole.csv bad.csv nameless.csv words.txt
manjha data import nothing.csv
manjha data import empty.csv short.csv
manjha data import nameless.csv --instrument NSE:FIRKE
manjha data import worse.csv
manjha data import actions.csv
manjha data import index.csv --instrument "NSE:NIFTY 50"
manjha data import kite.csv --instrument NSE:DORI
manjha data gaps --instrument NSE:FIRK
manjha data gaps --instrument NSE:FIRKI --to 2027-01-05
manjha backtest --no-band --no-report --instrument NSE:FIRKI -s buy-and-hold -i 1m
manjha backtest --no-band --no-report --instrument NSE:FIRKI -s sma-cross
manjha backtest --no-band --no-report --instrument NSE:FIRKI -s gap-fade
manjha backtest --no-band --no-report --instrument NSE:FIRKI -s pairs-spread
manjha backtest --no-band --no-report --instrument NSE:FIRKI -s sma-cross --product NRML
manjha backtest --no-band --no-report --instrument NSE:FIRKI -s sma-cross --size risk:1%
manjha backtest --no-band --no-report --instrument NSE:FIRKI -s buy-and-hold --size qty:1
manjha backtest --no-band --no-report --instrument NSE:FIRKI -s sma-cross -p fats=3
manjha backtest --no-band --no-report --instrument NSE:FIRKI -s sma-cros
manjha backtest --no-band --no-report --instrument NSE:FIRKI -s broken.py
manjha backtest --no-band --no-report --instrument "NSE:NIFTY 50" -s supertrend
manjha backtest --no-band --no-report --instrument "NSE:NIFTY 50" -s vwap-reversion -i 5m --index-proxy
manjha backtest --no-band --no-report --instrument "NSE:NIFTY 50" -s opening-range-breakout -i 5m --index-proxy
manjha backtest --no-band --no-report --instrument NSE:DORI -s buy-and-hold
manjha backtest --no-band --no-report --instrument NSE:FIRKI -s buy-and-hold
manjha data import kite.csv --instrument NSE:FIRKI
manjha backtest --no-band --no-report --instrument NSE:FIRKI -s buy-and-hold --from 2024-03-04
MANJHA_CASH=1 manjha data list
MANJHA_FETCH_BURST=no manjha data list
MANJHA_RULES_FILE=none.toml manjha data verify
MANJHA_RULES_FILE=none.toml manjha data gaps --instrument NSE:FIRKI
MANJHA_RULES_FILE=wrong.toml manjha data gaps --instrument NSE:FIRKI
manjha data fetch --source google --instrument NSE:FIRKI --from 2024-03-01 --to 2024-03-04
manjha data fetch --source kite --instrument NSE:FIRKI --from 2024-03-01 --to 2024-03-04
"""


def messages(*sections: str) -> list[str]:
    text = text_of("troubleshooting.md")
    parts = [text.split(f"## {section}\n")[1].split("\n## ")[0] for section in sections]
    rows = [row for part in parts for row in table_rows(part, 3)[1:]]
    return [row[0].strip("`") for row in rows]


def test_every_message_of_the_troubleshooting_page_is_produced(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MANJHA_KITE_API_KEY", "MANJHA_KITE_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    reader.read([Block("", name, text) for name, text in FILES.items()])
    said = "\n".join(map(plain, "".join(reader.run(line)[1] for line in MISTAKES.strip().splitlines()).splitlines()))
    wanted = messages("Bringing data in", "Running a backtest", "Settings and sources")
    patterns = {text: ".*".join(re.escape(plain(part)) for part in text.split("…")) for text in wanted}
    assert not [text for text, pattern in patterns.items() if not re.search(pattern, said)], said


def test_every_message_of_a_download_is_in_the_source() -> None:
    wanted = messages("While downloading")
    assert len(wanted) == 4
    assert not [text for text in wanted if not all(part in SOURCE for part in text.split("…"))]


def test_the_page_has_every_reason_for_a_refusal() -> None:
    assert sorted(messages("What risk refuses")) == sorted(RefusalReason)


# ---- lists


def test_the_glossary_has_every_word_of_domain_and_ports() -> None:
    words = text_of("glossary.md")
    missing = [
        name
        for package in (manjha.domain, manjha.ports)
        for info in pkgutil.iter_modules(package.__path__)
        for name, value in vars(importlib.import_module(f"{package.__name__}.{info.name}")).items()
        if inspect.isclass(value) and value.__module__.startswith(package.__name__) and not name.startswith("_")
        if f"| {name} |" not in words
    ]
    assert not missing


def test_the_page_of_formats_has_every_format() -> None:
    rows = [row[0] for row in table_rows(text_of("formats.md").split("\n## ")[0], 4)[1:]]
    assert sorted(rows) == sorted(f"`{one.name}`" for one in FORMATS)


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", {})
    for word, one in inner.items():
        yield from commands(one, f"{name} {word}")
    if not inner:
        yield name, command


def test_the_pages_name_every_command_and_option() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for word, (module, _) in COMMANDS.items():
        for name, command in commands(typer.main.get_command(importlib.import_module(module).app), f"manjha {word}"):
            assert name in pages
            ways = [one.opts for one in command.params if one.param_type_name == "option" and not one.hidden]
            assert not [opts for opts in ways if not any(f"`{opt}" in pages or f" {opt} " in pages for opt in opts)]


# Of computing, not of the market; and names of companies.
COMMON = {"API", "BUY", "CRLF", "CSV", "HTML", "INFY", "JSON", "MB", "README", "SELL", "SQL", "TOML", "TSV", "UTC"}


def test_the_glossary_has_every_abbreviation() -> None:
    prose = "".join(re.sub(r"```.*?```|`[^`]*`", "", text_of(page.name), flags=re.DOTALL) for page in PLAIN)
    known = set(re.findall(r"[A-Z][A-Z0-9&]+", text_of("glossary.md")))
    assert set(re.findall(r"\b[A-Z][A-Z0-9&]{1,6}\b", prose)) <= known | COMMON


def test_the_lifecycle_is_the_table_in_the_document() -> None:
    rows = [f"| {phase} | {what} | {after} | {how} |" for (phase, what), (after, how) in TRANSITIONS.items()]
    assert [line for line in text_of("order-lifecycle.md").splitlines() if line.startswith("| ")][2:] == rows
    assert len(rows) == len(Phase) * len(Happening)
