"""The same trips, grouped: by symbol, hour, weekday, exit, tag, side, product, month."""

from collections import defaultdict
from collections.abc import Callable

import msgspec

from manjha.domain.moments import HOUR_NS, clock_ns, date_from_day, day_of
from manjha.domain.money import Cash
from manjha.domain.orders import Side
from manjha.research.metrics.trading import Trips, profit_factor, win_rate, wins
from manjha.research.result import BacktestResult
from manjha.research.round_trips import RoundTrip

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Group(msgspec.Struct, frozen=True):
    """Closed trips that share a key. Money in 1e-4 rupee, rates as fractions (see `metrics.trading`)."""

    key: str
    trips: int
    wins: int
    win_rate: float
    net: Cash
    charges: Cash
    profit_factor: float


class Breakdown(msgspec.Struct, frozen=True):
    """One way of grouping, with its groups in the order of their keys."""

    name: str
    groups: tuple[Group, ...]


def breakdowns(result: BacktestResult, trips: Trips) -> tuple[Breakdown, ...]:
    """Group closed trips every way. Hour, weekday and month are those of the entry, in IST."""
    names = {item.id: item.display for item in result.instruments}
    ways: dict[str, Callable[[RoundTrip], str]] = {
        "symbol": lambda trip: names.get(trip.instrument, trip.instrument),
        "side": lambda trip: "long" if trip.side is Side.BUY else "short",
        "entry hour": lambda trip: f"{clock_ns(trip.entry_ns) // HOUR_NS:02d}:00",
        "entry weekday": lambda trip: WEEKDAYS[date_from_day(day_of(trip.entry_ns)).weekday()],
        "entry month": lambda trip: date_from_day(day_of(trip.entry_ns)).isoformat()[:7],
        "exit": lambda trip: trip.exit_purpose,
        "product": lambda trip: str(trip.product),
        "tag": lambda trip: trip.tag or "(none)",
    }
    return tuple(Breakdown(name, _groups(trips, key)) for name, key in ways.items())


def _groups(trips: Trips, key: Callable[[RoundTrip], str]) -> tuple[Group, ...]:
    found: dict[str, list[RoundTrip]] = defaultdict(list)
    for trip in trips:
        found[key(trip)].append(trip)
    return tuple(
        Group(
            *(name, len(group), wins(group), win_rate(group), Cash(sum(trip.net for trip in group))),
            charges=Cash(sum(trip.charges.total for trip in group)),
            profit_factor=profit_factor(group),
        )
        for name, group in sorted(found.items(), key=lambda item: _order(item[0]))
    )


def _order(name: str) -> tuple[int, str]:
    """Weekdays in the week's order, all else by name."""
    return (WEEKDAYS.index(name), "") if name in WEEKDAYS else (0, name)
