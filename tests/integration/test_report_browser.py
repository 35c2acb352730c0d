"""The report in a real browser: scripts run without an error and every chart is drawn."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from manjha.research.metrics.analysis import analyse
from manjha.research.report import write_report
from manjha.research.result import BacktestResult
from tests.fakes.results import curve_of, market_result, result_of

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")]
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"),
    *("--disable-dev-shm-usage", "--virtual-time-budget=8000", "--dump-dom"),
)


def opened(result: BacktestResult, folder: Path, *, theme: str = "light") -> str:
    path = write_report(analyse(result), folder / "report.html")
    command = [str(BROWSER), f"--user-data-dir={folder / 'profile'}", *FLAGS, f"file://{path}#{theme}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def state(dom: str) -> dict[str, str]:
    root = re.search(r"<html[^>]*>", dom)
    assert root
    return dict(re.findall(r'data-(\w+)="([^"]*)"', root[0]))


def test_every_chart_is_drawn_without_an_error(tmp_path: Path) -> None:
    dom = opened(market_result(days=60), tmp_path, theme="dark")
    assert state(dom) == {"theme": "dark", "errors": "0", "charts": "9", "ready": "yes"}
    assert dom.count("<canvas") == 9


def test_long_tables_are_paged_and_names_stay_text(tmp_path: Path) -> None:
    dom = opened(market_result(days=60, symbol="<img src=x onerror=boom()>"), tmp_path)
    assert state(dom)["errors"] == "0"
    assert "1 to 50 of" in dom
    assert "<img" not in re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)


def test_an_empty_run_has_a_page_without_an_error(tmp_path: Path) -> None:
    assert state(opened(result_of(curve=curve_of([], [])), tmp_path))["errors"] == "0"
