"""The documents say what is: links lead somewhere, snippets run, the glossary is complete."""

import importlib
import inspect
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import manjha.domain
import manjha.ports
from manjha.domain.orders import Phase
from manjha.orders.lifecycle import TRANSITIONS, Happening

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("document", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing


def guide_lines(kind: str) -> list[str]:
    text = (ROOT / "docs" / "user-guide.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def run_all(lines: list[str], folder: Path) -> None:
    code = "import sys; from manjha.app.cli import main; main(sys.argv[1:])"
    environment = {**os.environ, "MANJHA_HOME": str(folder / "home")}
    for line in lines:
        command = [sys.executable, "-c", code, *shlex.split(line)[1:]]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def test_the_guides_snippets_run(tmp_path: Path) -> None:
    lines = guide_lines("console")
    assert len(lines) >= 5
    run_all(lines, tmp_path)


def test_the_worked_example_runs_on_real_data(shared: Path, tmp_path: Path) -> None:
    lines = guide_lines("console-shared")
    assert len(lines) == 5
    run_all([line.replace("SHARED", str(shared)) for line in lines], tmp_path)


def test_the_glossary_has_every_word_of_domain_and_ports() -> None:
    words = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    missing = [
        name
        for package in (manjha.domain, manjha.ports)
        for info in pkgutil.iter_modules(package.__path__)
        for name, value in vars(importlib.import_module(f"{package.__name__}.{info.name}")).items()
        if inspect.isclass(value) and value.__module__.startswith(package.__name__) and not name.startswith("_")
        if f"| {name} |" not in words
    ]
    assert not missing


def test_the_lifecycle_is_the_table_in_the_document() -> None:
    rows = [f"| {phase} | {what} | {after} | {how} |" for (phase, what), (after, how) in TRANSITIONS.items()]
    document = (ROOT / "docs" / "order-lifecycle.md").read_text(encoding="utf-8")
    assert [line for line in document.splitlines() if line.startswith("| ")][2:] == rows
    assert len(rows) == len(Phase) * len(Happening)
