"""Who may import whom: .importlinter over this checkout, and over toy trees with a planted fault for each contract."""

from pathlib import Path

import pytest

from tests.tidy.contracts import check_imports

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / ".importlinter"

PACKAGES = [
    *("domain", "ports", "market", "pricing", "orders", "portfolio", "risk", "strategy", "engine", "simulator"),
    *("research", "ml", "services", "exchange", "adapters", "adapters/kite", "adapters/files", "api", "app"),
]


def plant(root: Path, packages: list[str], faults: dict[str, str]) -> Path:
    """Make a toy `manjha` of empty packages, with the faults written into them."""
    for package in ["", *packages]:
        folder = root / "src" / "manjha" / package
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
    for file, text in faults.items():
        (root / "src" / "manjha" / file).write_text(text)
    return root / "src"


def test_imports_point_inwards(tmp_path: Path) -> None:
    verdict = check_imports(CONFIG, ROOT / "src", tmp_path)
    assert verdict.kept, verdict.words


@pytest.mark.parametrize("packages", [PACKAGES, PACKAGES[:2], ["domain", "adapters", "app"]])
def test_clean_tree_is_kept(tmp_path: Path, packages: list[str]) -> None:
    verdict = check_imports(CONFIG, plant(tmp_path, packages, {}), tmp_path)
    assert verdict.kept, verdict.words


@pytest.mark.parametrize(
    ("file", "text", "contract"),
    [
        ("domain/orders.py", "import manjha.ports", "Dependencies point inwards"),
        ("strategy/check.py", "import manjha.ml", "Dependencies point inwards"),
        ("api/routes.py", "import manjha.adapters.kite", "Dependencies point inwards"),
        ("orders/planning.py", "import manjha.portfolio", "Dependencies point inwards"),
        ("adapters/kite/rest.py", "import manjha.orders", "Adapters know ports, domain and market only"),
        ("adapters/kite/rest.py", "import manjha.adapters.files", "Adapters do not know each other"),
        ("services/watching.py", "import manjha.orders", "The sentinel shares no code"),
        ("engine/step.py", "import asyncio", "The core does no I/O"),
        ("strategy/check.py", "def f():\n    import polars", "The core does no I/O"),
        ("risk/gate.py", "from uuid import uuid4", "Chance enters only"),
        ("portfolio/ledger.py", "import numpy", "Money is counted in integers"),
    ],
)
def test_planted_fault_breaks_its_contract(tmp_path: Path, file: str, text: str, contract: str) -> None:
    verdict = check_imports(CONFIG, plant(tmp_path, PACKAGES, {file: text}), tmp_path)
    broken = [line for line in verdict.words.splitlines() if "BROKEN" in line]
    assert len(broken) == 1, verdict.words
    assert contract in broken[0]


def test_unplaced_package_fails(tmp_path: Path) -> None:
    verdict = check_imports(CONFIG, plant(tmp_path, [*PACKAGES, "helpers"], {}), tmp_path)
    assert not verdict.kept
    assert "manjha.helpers" in verdict.words
