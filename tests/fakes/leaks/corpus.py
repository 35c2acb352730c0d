"""The planted corpus by name: what leaks and what does not."""

from tests.fakes.leaks import (
    at_few_bars,
    clean_in_time,
    clean_in_windows,
    leaks_in_samples,
    leaks_in_time,
    leaks_in_windows,
)
from tests.fakes.leaks.cases import Case

LEAKS: dict[str, type[Case]] = {
    found.name: found
    for group in (leaks_in_windows, leaks_in_samples, leaks_in_time, at_few_bars)
    for found in group.LEAKS
}
CLEAN: dict[str, type[Case]] = {
    found.name: found for group in (clean_in_windows, clean_in_time, at_few_bars) for found in group.CLEAN
}
