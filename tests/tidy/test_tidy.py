"""Rules that no library checks for us: one test each over this checkout, and one planted fault for each rule."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tidy import rules

ROOT = Path(__file__).parents[2]

Rule = Callable[[Path], list[str]]


def assert_clean(rule: Rule) -> None:
    findings = rule(ROOT)
    assert not findings, f"{rule.__doc__}\n" + "\n".join(findings)


def test_functions_are_short() -> None:
    assert_clean(rules.long_functions)


def test_files_are_short() -> None:
    assert_clean(rules.long_files)


def test_files_are_light() -> None:
    assert_clean(rules.large_files)


def test_names_say_what_is_inside() -> None:
    assert_clean(rules.banned_names)


def test_exact_packages_know_no_float() -> None:
    assert_clean(rules.floats_in_exact_packages)


def test_float_doors_exist() -> None:
    assert_clean(rules.unused_doors)


def test_chance_stays_in_the_simulator() -> None:
    assert_clean(rules.chance_in_core)


def test_nothing_outside_app_asks_for_the_mode() -> None:
    assert_clean(rules.mode_questions)


def test_every_file_is_imported() -> None:
    assert_clean(rules.dead_files)


def test_public_names_of_the_core_are_documented() -> None:
    assert_clean(rules.missing_docstrings)


def test_each_invariant_has_its_own_message() -> None:
    assert_clean(rules.repeated_invariants)


def test_only_the_command_line_prints() -> None:
    assert_clean(rules.prints)


def test_secrets_are_compared_in_constant_time() -> None:
    assert_clean(rules.compared_secrets)


def test_no_file_names_a_machine_or_a_registry() -> None:
    assert_clean(rules.machine_traces)


def test_locks_name_no_address() -> None:
    assert_clean(rules.addresses_in_locks)


def test_no_notes_for_later_in_the_source() -> None:
    assert_clean(rules.left_over_notes)


# A fault for each rule: (rule, file, its text, how many findings). Zero shows what a rule must leave alone.
DOC = '"""Words."""\n'
DOOR = "def px_to_float(px: int) -> float:\n    return px / 10"
LONG_FUNCTION = "def f():\n" + '    """Words."""\n' + "    x = 1\n" * 61
FITTING_FUNCTION = "def f():\n" + '    """Words\n' + "    words\n" * 9 + '    """\n' + "    x = 1\n" * 60
TWICE = 'invariant(a, "same")\nraise InvariantBroken("same")\n'
PLANTED: list[tuple[Rule, str, str, int]] = [
    (rules.long_functions, "src/manjha/risk/gate.py", LONG_FUNCTION, 1),
    (rules.long_functions, "src/manjha/risk/gate.py", FITTING_FUNCTION, 0),
    (rules.long_files, "tests/unit/test_gate.py", "x = 1\n" * 401, 1),
    (rules.large_files, "data/bars.csv", "1,2,3\n" * 200_000, 1),
    (rules.banned_names, "src/manjha/engine/order_utils.py", "", 1),
    (rules.banned_names, "src/manjha/managers/cash.py", "", 1),
    (rules.banned_names, "src/manjha/engine/base.py", "", 1),
    (rules.banned_names, "src/manjha/engine/baseline.py", "", 0),
    (rules.floats_in_exact_packages, "src/manjha/domain/money.py", "def f(x: float) -> int: ...", 1),
    (rules.floats_in_exact_packages, "src/manjha/domain/money.py", 'def f(x: "int | float") -> int: ...', 1),
    (rules.floats_in_exact_packages, "src/manjha/orders/plan.py", "half = 0.5", 1),
    (rules.floats_in_exact_packages, "src/manjha/risk/sizing.py", "x = y / 2", 1),
    (rules.floats_in_exact_packages, "src/manjha/risk/sizing.py", "x /= 2", 1),
    (rules.floats_in_exact_packages, "src/manjha/risk/sizing.py", "x = y // 2", 0),
    (rules.floats_in_exact_packages, "src/manjha/market/charges.py", "import numpy as np", 1),
    (rules.floats_in_exact_packages, "src/manjha/ports/venue.py", "from polars.exceptions import ShapeError", 1),
    (rules.floats_in_exact_packages, "src/manjha/market/charges.py", "import math\nx = math.sqrt(2)", 1),
    (rules.floats_in_exact_packages, "src/manjha/market/charges.py", "from math import gcd", 0),
    (rules.floats_in_exact_packages, "src/manjha/domain/money.py", DOOR, 0),
    (rules.floats_in_exact_packages, "src/manjha/risk/money.py", DOOR, 2),
    (rules.floats_in_exact_packages, "src/manjha/pricing/black.py", "half = 0.5", 0),
    (rules.unused_doors, "src/manjha/domain/money.py", "def px_to_float(px): ...", 1),
    (rules.chance_in_core, "src/manjha/engine/step.py", "import numpy as np\nnp.random.default_rng(1)", 1),
    (rules.chance_in_core, "src/manjha/strategy/check.py", "from numpy.random import default_rng", 1),
    (rules.chance_in_core, "src/manjha/simulator/faults.py", "import numpy as np\nnp.random.default_rng(1)", 0),
    (rules.mode_questions, "src/manjha/engine/step.py", "if run.is_live: pass", 1),
    (rules.mode_questions, "src/manjha/services/run.py", "def f(*, dry_run: bool) -> None: ...", 1),
    (rules.mode_questions, "src/manjha/services/run.py", 'if run.mode == "live": pass', 1),
    (rules.mode_questions, "src/manjha/services/run.py", "if run.mode is Mode.PAPER: pass", 1),
    (rules.mode_questions, "src/manjha/adapters/kite/ticks.py", 'if packet.mode == "full": pass', 0),
    (rules.mode_questions, "src/manjha/app/bootstrap.py", 'if settings.mode == "live": pass', 0),
    (rules.dead_files, "src/manjha/risk/forgotten.py", DOC, 1),
    (rules.dead_files, "src/manjha/strategy/library/momentum.py", DOC, 0),
    (rules.missing_docstrings, "src/manjha/risk/gate.py", "x = 1", 1),
    (rules.missing_docstrings, "src/manjha/risk/gate.py", DOC + "class Gate:\n    def open(self): ...", 2),
    (rules.missing_docstrings, "src/manjha/risk/gate.py", DOC + "def _hidden(): ...", 0),
    (rules.repeated_invariants, "src/manjha/portfolio/ledger.py", TWICE, 1),
    (rules.repeated_invariants, "src/manjha/portfolio/ledger.py", TWICE.replace("same", "other", 1), 0),
    (rules.prints, "src/manjha/services/run.py", "print(1)", 1),
    (rules.prints, "src/manjha/app/cli/show.py", "print(1)", 0),
    (rules.compared_secrets, "src/manjha/api/auth.py", "if given == self.secret: pass", 1),
    (rules.compared_secrets, "src/manjha/api/auth.py", "if a.reveal() != b: pass", 1),
    (rules.compared_secrets, "src/manjha/api/auth.py", "if access_token in known: pass", 1),
    (rules.compared_secrets, "src/manjha/api/auth.py", "if token_of(asked) == kept: pass", 1),
    (rules.compared_secrets, "src/manjha/exchange/auth.py", "if token == kept: pass", 0),
    (rules.compared_secrets, "src/manjha/api/auth.py", 'if secret == "" or secret is None: pass', 0),
    (rules.compared_secrets, "src/manjha/api/auth.py", "if secret.matches(given) and token_id == kept.id: pass", 0),
    (rules.machine_traces, "docs/guide.md", "cd /wo" + "rk/main", 1),
    (rules.machine_traces, "docs/guide.md", "see ../work/main and a/root/of", 0),
    (rules.machine_traces, "requirements/run.txt", "--index" + "-url x", 1),
    (rules.addresses_in_locks, "requirements/run.txt", "numpy @ https://example.invalid/numpy.whl", 1),
    (rules.addresses_in_locks, "docs/guide.md", "https://example.invalid/", 0),
    (rules.left_over_notes, "src/manjha/risk/gate.py", "# TO" + "DO: later", 1),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "file", "text", "findings"), PLANTED)
def test_rule_sees_a_planted_fault(tmp_path: Path, rule: Rule, file: str, text: str, findings: int) -> None:
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(text)
    assert len(rule(tmp_path)) == findings, rule(tmp_path)


def test_every_rule_has_a_planted_fault() -> None:
    public = {
        name
        for name, value in vars(rules).items()
        if getattr(value, "__module__", "") == rules.__name__ and callable(value) and not name.startswith("_")
    }
    assert public == {rule.__name__ for rule, _, _, findings in PLANTED if findings}


def test_imported_file_is_not_dead(tmp_path: Path) -> None:
    package = tmp_path / "src" / "manjha" / "app"
    package.mkdir(parents=True)
    (package / "cli.py").write_text("from manjha.app import show\nLAZY = 'manjha.app.tell:main'\n")
    (package / "show.py").write_text(DOC)
    (package / "tell.py").write_text(DOC)
    assert rules.dead_files(tmp_path) == []
