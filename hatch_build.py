"""Builds the compiled reader of lines (src/manjha/strategy/_reader.c) where there is a C compiler.

The package works without it, with slower `on_bar` backtests: no compiler, no headers or a failed build is not an error.
"""

import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("src/manjha/strategy/_reader.c")
MODULE = SOURCE.with_suffix(".abi3.so")


class CompiledReader(BuildHookInterface):
    """Compiles the module beside its source, so that an editable install has it too."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the module to a wheel, and name the platform that the wheel is then for."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        why = _compile(root / SOURCE, root / MODULE)
        if why:
            self.app.display_warning(f"lines are read in plain Python, about twice as slow in on_bar: {why}")
            return
        build_data["artifacts"].append(f"/{MODULE.as_posix()}")
        if version != "editable":
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"cp311-abi3-{platform}"


def _compile(source: Path, module: Path) -> str:
    """Compile one file; return why it did not work, "" when it did."""
    linker = shlex.split(os.environ.get("LDSHARED") or sysconfig.get_config_var("LDSHARED") or "cc -shared")
    if shutil.which(linker[0]) is None:
        found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if found is None:
            return "no C compiler found"
        linker[0] = found
    made = module.with_suffix(f".{os.getpid()}.part")
    command = [*linker, "-O2", "-fPIC", f"-I{sysconfig.get_path('include')}", str(source), "-o", str(made)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
        if done.returncode == 0:
            made.replace(module)
            return ""
        return next(iter(done.stderr.splitlines()), f"{linker[0]} ended with {done.returncode}")
    finally:
        made.unlink(missing_ok=True)
