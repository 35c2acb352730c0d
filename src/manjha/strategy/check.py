"""What is wrong with a strategy's declaration, found without running it. Running it is `research.conformance`."""

import re

from manjha.strategy.interface import Strategy
from manjha.strategy.params import Param

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_ACTS = ("on_bar", "on_fill", "on_timer", "on_session")


def check_declaration(found: type[Strategy]) -> list[str]:
    """Return what is wrong with a strategy's documentation, name, parameters and methods; empty when nothing is."""
    problems = []
    if not (found.__doc__ or "").strip():
        problems.append("has no docstring: say what it does, when it enters and when it leaves")
    if not _NAME.fullmatch(found.name):
        problems.append(f"is named {found.name!r}; a name is small letters and digits joined by hyphens")
    if found.instruments_min < 1 or 0 < found.instruments_max < found.instruments_min:
        problems.append(f"takes {found.instruments_min} to {found.instruments_max} instruments, which is no range")
    for p in found.params.values():
        problems += _parameter(p)
    return problems + _methods(found)


def _parameter(p: Param) -> list[str]:
    problems = []
    if not p.help:
        problems.append(f"parameter {p.name} has no help text")
    if p.kind is str:
        if p.choices and p.default not in p.choices:
            problems.append(f"parameter {p.name} has a default that is none of its choices: {p.default!r}")
        return problems
    if p.kind is bool:
        return problems
    if p.low is None or p.high is None:
        problems.append(f"parameter {p.name} has no range (low and high), so it cannot be searched")
    elif isinstance(p.default, int | float) and not p.low <= p.default <= p.high:
        problems.append(f"parameter {p.name} has a default outside its range: {p.default} of {p.low:g} to {p.high:g}")
    return problems


def _methods(found: type[Strategy]) -> list[str]:
    acts = [name for name in _ACTS if getattr(found, name) is not getattr(Strategy, name)]
    states = [name for name in ("targets", "entries") if getattr(found, name) is not getattr(Strategy, name)]
    if len(states) > 1:
        return ["has both targets and entries: only targets would be used"]
    if states and "on_bar" in acts:
        return [f"has both {states[0]} and on_bar: only {states[0]} would be used"]
    if not states and not acts:
        return ["has neither on_bar nor targets, so it never trades"]
    return []
