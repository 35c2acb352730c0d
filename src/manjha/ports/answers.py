"""Books of what outsiders asked: answers under their keys, hooks, and the words that a message may use once."""

from collections.abc import Sequence
from typing import Protocol

from manjha.domain.answers import KeptAnswer
from manjha.domain.hooks import Hook
from manjha.domain.moments import TsNs


class AnswerBook(Protocol):
    """Answers by who asked and under which key, within one transaction."""

    def begin(self, asked: KeptAnswer) -> KeptAnswer:
        """Record that something is asked; return what stands there: this, or what was asked before under the key."""
        ...

    def finish(self, asked: KeptAnswer) -> None:
        """Record the answer of something that is there; one that is answered already stays as it is."""
        ...

    def forget(self, before_ns: TsNs) -> int:
        """Take out what was asked before a moment; return how much."""
        ...


class HookBook(Protocol):
    """Hooks by id, within one transaction."""

    def hooks(self) -> Sequence[Hook]:
        """Return all hooks by the moment they were made, then by id."""
        ...

    def find(self, hook_id: str) -> Hook | None:
        """Return the hook of an id; None if there is none."""
        ...

    def add(self, hook: Hook) -> None:
        """Record a hook. Raises `UsageError` where its id or its name is there."""
        ...

    def change(self, hook: Hook) -> None:
        """Put a hook in place of itself, whose version is one less. Raises `UsageError` where that is not there."""
        ...

    def remove(self, hook_id: str) -> bool:
        """Take a hook out; tell whether it was there."""
        ...

    def first_time(self, hook_id: str, word: str, until_ns: TsNs) -> bool:
        """Tell whether a message of a hook uses a word for the first time, and keep it until a moment at least."""
        ...

    def forget_words(self, before_ns: TsNs) -> int:
        """Take out words that were kept until before a moment; return how many."""
        ...
