"""A Ray cluster of two workers on this machine, for a test run."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manjha.ports.tasks import TaskRunner

ROOT = Path(__file__).parents[2]
ABSENT = "Ray is absent"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@contextmanager
def cluster() -> Iterator[TaskRunner]:
    """Start a cluster, give a runner on it, stop it. Workers find the tests by PYTHONPATH."""
    ray = pytest.importorskip("ray", reason=ABSENT)
    from manjha.adapters.ray.runner import LOCAL, RayRunner

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, value in QUIET.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT / "src"), str(ROOT))))
        runner = RayRunner(LOCAL, 2)
        try:
            yield runner
        finally:
            ray.shutdown()
