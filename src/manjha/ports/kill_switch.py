"""The kill switch beside the journal: what a person throws when nothing else works."""

from collections.abc import Sequence
from typing import Protocol

from manjha.domain.events import KillSwitched


class KillSwitch(Protocol):
    """A switch that outlives every process, and works while none runs."""

    def thrown(self) -> Sequence[KillSwitched]:
        """Return what was thrown and lifted, oldest first; empty where nothing ever was.

        What cannot be read counts as thrown: the highest level, for everything.
        """
        ...

    def throw(self, event: KillSwitched) -> None:
        """Throw or lift the switch for a scope, durably: when this returns every later `thrown` tells it.

        Raises `OSError` where the machine refuses; what was thrown before still stands.
        """
        ...
