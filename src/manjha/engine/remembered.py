"""What a strategy remembers between events, as bytes: its attributes, where they are of plain kinds.

Numbers, texts, None, and lists, tuples, dicts and sets of them are kept by value. What `init` made for reading
(lines, markets, the context) is kept by its place, since a strategy made anew makes the same again. Anything else
cannot be kept: such a run has snapshots that tell its digest, but none to go on from. A strategy that has stated all
its targets or entries before the first bar, and is not called afterwards, has nothing to remember; where the timeline
grows, it is asked at each bar.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any

import msgspec
import numpy as np

from manjha.domain.orders import OrderType, Product, Side, Validity
from manjha.engine.state import EngineState
from manjha.strategy.context import Context, Market
from manjha.strategy.growing import GrowingTimeline
from manjha.strategy.interface import overrides
from manjha.strategy.views import Line, Series, Timeline

CALLBACKS = ("on_fill", "on_timer", "on_session", "universe")
"""Methods that whoever watches a run may stand before; they are no memory."""
_MADE = (Line, Series, Market, Context, Timeline)
_ENUMS: dict[str, type[Enum]] = {kind.__name__: kind for kind in (Side, Product, OrderType, Validity)}
_PLAIN = (type(None), bool, int, float, str, bytes)
_CONTAINERS: dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
_MAKERS: dict[str, Callable[[Iterable[Any]], Any]] = {word: kind for kind, word in _CONTAINERS.items()}
_ENCODER = msgspec.msgpack.Encoder(order="deterministic")


class CannotBeKept(Exception):  # noqa: N818 - it says what is so, and is always caught
    """An attribute of a strategy is of no kind that can be written down and read back as the same."""


class StrategyMemory:
    """Reads and puts back what a strategy remembers. Made when the strategy's `init` has run."""

    def __init__(self, state: EngineState) -> None:
        self._strategy = state.strategy
        is_asked = state.wakeups is None or isinstance(state.timeline, GrowingTimeline)
        self._is_called = is_asked or any(overrides(state.strategy, name) for name in CALLBACKS)
        self._made: list[Any] = [state.ctx, *state.ctx.markets.values()]
        for value in self._attributes().values():
            self._made += [one for one in _within(value) if not any(one is known for known in self._made)]
        self._place = {id(one): at for at, one in enumerate(self._made)}

    def kept(self) -> list[Any]:
        """Return the attributes in words that MessagePack has. Raises `CannotBeKept`."""
        holders: set[int] = set()
        return [[name, self._said(value, holders)] for name, value in self._attributes().items()]

    def put_back(self, kept: list[Any]) -> None:
        """Give the strategy the attributes that it had; one that is not called needs none."""
        if not self._is_called:
            return
        held = vars(self._strategy)
        for name in set(self._attributes()) - {name for name, _ in kept}:
            del held[name]
        for name, said in kept:
            held[name] = self._meant(said)

    def _attributes(self) -> dict[str, Any]:
        held = vars(self._strategy) if self._is_called else {}
        return {name: value for name, value in held.items() if name not in CALLBACKS}

    def _said(self, value: Any, holders: set[int]) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            if kind is int and not -(2**63) <= value < 2**63:
                return ["int", str(value)]
            return ["is", value]
        if id(value) in self._place:
            return ["made", self._place[id(value)]]
        if _ENUMS.get(kind.__name__) is kind:
            return ["enum", kind.__name__, value.value]
        if kind is not dict and kind not in _CONTAINERS:
            raise CannotBeKept(f"a {kind.__name__} cannot be kept")
        if kind in (list, dict, set):
            # Known by two names it would come back as two.
            if id(value) in holders:
                raise CannotBeKept(f"one {kind.__name__} is held twice")
            holders.add(id(value))
        if kind is dict:
            return ["dict", [[self._said(key, holders), self._said(held, holders)] for key, held in value.items()]]
        said = [self._said(one, holders) for one in value]
        return [_CONTAINERS[kind], sorted(said, key=_ENCODER.encode) if kind in (set, frozenset) else said]

    def _meant(self, said: Any) -> Any:
        word, value = said[0], said[1]
        if word == "made":
            return self._made[value]
        if word == "enum":
            return _ENUMS[value](said[2])
        if word == "dict":
            return {self._meant(key): self._meant(held) for key, held in value}
        if word in _MAKERS:
            return _MAKERS[word](map(self._meant, value))
        return int(value) if word == "int" else value


def _within(value: Any) -> Iterator[Any]:
    """Yield what was made for reading, in an attribute and in the containers that it holds, in their order."""
    if isinstance(value, _MADE) or (isinstance(value, np.ndarray) and not value.flags.writeable):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _within(one)
    elif type(value) is list or isinstance(value, tuple):
        if isinstance(value, tuple) and type(value) is not tuple and all(isinstance(one, _MADE) for one in value):
            yield value  # lines with names, as an indicator of several gives them
        for one in value:
            yield from _within(one)
