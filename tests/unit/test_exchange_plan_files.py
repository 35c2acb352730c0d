"""Fault plans in files."""

import re
from pathlib import Path

import pytest

from manjha.app.exchange import fault_plan
from manjha.domain.errors import DataError, UsageError
from tests.conftest import ROOT
from tests.fakes.exchanges import an_exchange


def test_the_plan_of_the_page_can_be_armed(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "exchange-faults.md").read_text()
    (shown,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "plan.toml"
    file.write_text(shown)
    plan = fault_plan(file)
    exchange = an_exchange()
    exchange.mishaps.arm(plan, exchange.now_ns)
    assert [len(exchange.mishaps.shown()[name]) for name in ("requests", "streams", "moments")] == [2, 1, 2]


def test_a_file_that_is_absent_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no fault plan can be read"):
        fault_plan(tmp_path / "absent.toml")
    file = tmp_path / "plan.toml"
    file.write_text("[[requests]\n")
    with pytest.raises(DataError, match="is no TOML"):
        fault_plan(file)
