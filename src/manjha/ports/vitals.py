"""Where a trader leaves its vital signs, and the sentinel finds them."""

from typing import Protocol

from manjha.domain.vitals import Heartbeat, LedgerCopy


class Vitals(Protocol):
    """One account's vital signs: the newest of each, whole or not there. They outlive the trader, not the machine."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """Leave a heartbeat. Raises `OSError` where the machine refuses."""
        ...

    def copy(self, ledger: LedgerCopy) -> None:
        """Leave a copy of the ledger. Raises `OSError` where the machine refuses."""
        ...

    def heartbeat(self) -> Heartbeat | None:
        """Return the newest heartbeat; None where there is none, or none that can be read."""
        ...

    def ledger(self) -> LedgerCopy | None:
        """Return the newest copy of the ledger; None where there is none, or none that can be read."""
        ...
