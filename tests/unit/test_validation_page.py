"""The page on validation shows what its examples print, and the thresholds that the code has."""

import contextlib
import io
import re
from pathlib import Path

import msgspec
import pytest

from manjha.research.overfit import Thresholds

PAGE = (Path(__file__).parents[2] / "docs" / "validation.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_every_example_prints_what_the_page_shows() -> None:
    assert len(EXAMPLES) == PAGE.count("```python") == 4
    for code, shown in EXAMPLES:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(code, "the page", "exec"), {})  # noqa: S102 - our own document
        assert said.getvalue() == shown


def test_the_table_has_every_threshold() -> None:
    table = PAGE.split("| number | likely luck")[1].split("\n\n")[0]
    limits = Thresholds()
    shown = sorted(map(float, re.findall(r"\d\.\d+", table)))
    assert shown == sorted(getattr(limits, field.name) for field in msgspec.structs.fields(Thresholds))
