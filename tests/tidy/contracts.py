"""Runs the import contracts of .importlinter over a source tree in which some packages may not exist yet."""

import configparser
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MODULE_LISTS = ("source_modules", "forbidden_modules", "modules")


@dataclass(frozen=True)
class Verdict:
    """What import-linter said."""

    kept: bool
    words: str


def check_imports(config: Path, source: Path, scratch: Path) -> Verdict:
    """Check the contracts of `config` over the package below `source`.

    Names of ours that do not exist are dropped from the lists, and contracts that are left empty with them:
    import-linter takes them for spelling mistakes. The layers contract has its own way to say "may be absent".
    """
    trimmed = scratch / "contracts.ini"
    with trimmed.open("w") as file:
        _trimmed(config, source).write(file)
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
        f"--config={trimmed}",
        "--no-cache",
        "--no-logo",
    ]
    environment = {**os.environ, "PYTHONPATH": str(source), "NO_COLOR": "1", "COLUMNS": "110"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=scratch)
    return Verdict(kept=done.returncode == 0, words=done.stdout + done.stderr)


def _trimmed(config: Path, source: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(config)
    for section in parser.sections():
        for option in MODULE_LISTS:
            if names := parser.get(section, option, fallback="").split():
                left = [name for name in names if _exists(name, source)]
                parser.set(section, option, "\n" + "\n".join(left))
                if not left:
                    parser.remove_section(section)
                    break
    return parser


def _exists(name: str, source: Path) -> bool:
    """Tell whether a module of ours exists; those of others are looked for by import-linter."""
    if not name.startswith("manjha."):
        return True
    path = source.joinpath(*name.removesuffix(".*").split("."))
    if name.endswith(".*"):
        return path.is_dir() and any(path.glob("[a-z]*"))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()
