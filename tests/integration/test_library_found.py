"""Strategies of the user: found by name and by path, and what is wrong with a file is said in one line."""

from pathlib import Path

import pytest

from manjha.app.strategies import StrategyFiles
from manjha.domain.errors import UsageError

GOOD = '''
from manjha import Strategy

class MyOwn(Strategy):
    """Mine."""

    def on_bar(self, ctx):
        """Nothing."""
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "strategies"
    made.mkdir()
    return made


def test_a_strategy_of_the_users_folder_is_found_by_name(folder: Path) -> None:
    (folder / "anything.py").write_text(GOOD, encoding="utf-8")
    source = StrategyFiles(folder)
    assert source.find("my-own").title == "Mine."
    assert source.find(" MY_OWN ").name == "my-own"
    assert "my-own" in [found.name for found in source.all()]


def test_the_users_own_takes_the_place_of_the_librarys(folder: Path) -> None:
    (folder / "mine.py").write_text(GOOD.replace("MyOwn", "SmaCross"), encoding="utf-8")
    assert StrategyFiles(folder).find("sma-cross").title == "Mine."


def test_a_broken_file_does_not_stop_what_it_does_not_touch(folder: Path) -> None:
    (folder / "half.py").write_text("def half(:\n", encoding="utf-8")
    source = StrategyFiles(folder)
    assert source.find("ema-cross").name == "ema-cross"
    with pytest.raises(UsageError, match=r"half\.py cannot be used: SyntaxError in line 1"):
        source.find("my-own")


@pytest.mark.parametrize("touch", ["class EmaCross(:\n", 'name = "ema-cross"\n1 / 0\n'])
def test_a_broken_file_that_may_replace_a_strategy_stops_it(folder: Path, touch: str) -> None:
    (folder / "half.py").write_text(touch, encoding="utf-8")
    with pytest.raises(UsageError, match=r"half\.py cannot be used"):
        StrategyFiles(folder).find("ema-cross")


def test_two_strategies_of_one_name_are_refused(folder: Path) -> None:
    (folder / "one.py").write_text(GOOD, encoding="utf-8")
    (folder / "two.py").write_text(GOOD, encoding="utf-8")
    with pytest.raises(UsageError, match=r"two strategies are named 'my-own', in one\.py and two\.py"):
        StrategyFiles(folder).find("my-own")


def test_a_class_is_chosen_by_its_name(folder: Path) -> None:
    path = folder / "both.py"
    path.write_text(GOOD + GOOD.replace("MyOwn", "Other"), encoding="utf-8")
    source = StrategyFiles(folder.parent / "none")
    assert source.find(f"{path}:Other").name == "other"
    with pytest.raises(UsageError, match="has no strategy 'Third'") as refused:
        source.find(f"{path}:Third")
    assert "MyOwn, Other" in refused.value.hint


def test_the_line_is_told_of_a_relative_path_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "late.py").write_text("a = 1\nb = 2\nc = a / 0\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError, match=r"late\.py cannot be used: ZeroDivisionError in line 3: division by zero"):
        StrategyFiles(folder / "none").find("late.py")


def test_a_file_that_ends_the_program_is_an_error_and_does_not(folder: Path) -> None:
    (folder / "exit.py").write_text("import sys\nsys.exit(0)\n", encoding="utf-8")
    with pytest.raises(UsageError, match="SystemExit in line 2"):
        StrategyFiles(folder / "none").find(str(folder / "exit.py"))


def test_a_folder_is_no_strategy(folder: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        StrategyFiles(folder / "none").find(f"{folder}/")
