"""Living a day and keeping what is to be told of it."""

import hashlib
from dataclasses import dataclass, field

from tests.simulation.checkers import Violation
from tests.simulation.day import Day


@dataclass
class OneDay:
    """What came of one seed. `hash` is over the journal and the broker's book."""

    seed: int
    failure: str
    faults: int
    orders: int
    steps: int
    hash: str
    struck: set[str]


@dataclass
class Lived:
    """What came of many."""

    days: int = 0
    faults: int = 0
    orders: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, day: OneDay) -> None:
        self.days += 1
        self.faults += day.faults
        self.orders += day.orders
        if day.failure:
            self.failures.append(f"seed {day.seed}: {day.failure}\n  again: python -m tests.simulation {day.seed}")

    def report(self) -> str:
        return f"{len(self.failures)} of {self.days} days failed\n" + "\n".join(self.failures[:10])


def live(seed: int) -> OneDay:
    """Live the day of a seed."""
    day = Day(seed)
    failure = ""
    try:
        day.run()
    except Violation as violation:
        failure = str(violation)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong belongs to the seed
        failure = f"{type(error).__name__}: {error}"
    sha = hashlib.sha256(day.shared.head.hash)
    for placed in day.broker.orders.values():
        sha.update(repr((placed.broker_id, placed.tag, placed.status, placed.filled, placed.changed_ns)).encode())
    struck, orders = day.world.injected, len(day.broker.orders)
    return OneDay(seed, failure, sum(struck.values()), orders, day.checkers.steps, sha.hexdigest(), set(struck))
