"""`python -m tests.simulation.hashed COUNT [BUG]`: live some days, with a planted bug or without, and print their hash.

Called under several PYTHONHASHSEEDs: whatever walks a set of texts in the core goes another way under another one.
"""

import hashlib
import os
import subprocess
import sys
from contextlib import nullcontext

from tests.simulation.lived import live
from tests.simulation.mutants import OF_ORDER

SEEDS = ("0", "1", "2", "3")
"""What PYTHONHASHSEED is."""


def main(count: str, bug: str = "") -> None:
    """Live the days."""
    sha = hashlib.sha256()
    with OF_ORDER[bug]() if bug else nullcontext():
        for seed in range(int(count)):
            sha.update(live(seed).hash.encode())
    sys.stdout.write(sha.hexdigest())


def hashes(count: int, bug: str = "") -> dict[str, str]:
    """Return what comes of the days in processes of other hash seeds."""
    command = [sys.executable, "-m", "tests.simulation.hashed", str(count), *([bug] if bug else [])]
    running = {
        seed: subprocess.Popen(command, env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True)
        for seed in SEEDS
    }
    found = {seed: process.communicate(timeout=600)[0] for seed, process in running.items()}
    failed = [seed for seed, process in running.items() if process.returncode]
    if failed:
        raise RuntimeError(f"days could not be lived under PYTHONHASHSEED {', '.join(failed)}")
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
