"""`python -m tests.simulation SEED [COUNT]`: live a day again, or many, and say what came of it."""

import sys

from tests.simulation.lived import Lived, live


def main(first: int, count: int) -> int:
    """Return 1 where a day failed."""
    lived = Lived()
    for seed in range(first, first + count):
        day = live(seed)
        lived.add(day)
        if count == 1:
            print(f"seed {seed}: {day.orders} orders, {day.faults} faults, {day.steps} steps, {day.hash}")
            print("  struck: " + ", ".join(sorted(day.struck)))
    print(f"{lived.days} days, {lived.orders} orders, {lived.faults} faults, {len(lived.failures)} failed")
    if lived.failures:
        print(lived.report())
    return int(bool(lived.failures))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
