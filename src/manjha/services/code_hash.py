"""Which code keeps a snapshot: one is of the code that made it, and of no other."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import manjha

_PACKAGES = ("domain", "market", "pricing", "orders", "portfolio", "risk", "strategy", "engine")
_LIBRARY = "library"
"""Strategies are known by hashes of their own."""


@cache
def code_hash() -> str:
    """Return the SHA-256 (hex) of the version and of the source of all that a run's state comes of."""
    digest = hashlib.sha256(version("manjha").encode())
    root = Path(manjha.__file__).parent
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            if path.parent.name != _LIBRARY:
                digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
