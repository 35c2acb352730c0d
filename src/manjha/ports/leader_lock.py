"""The lock of an account: who holds it may trade it, and nobody else."""

from typing import Protocol

from manjha.domain.leader import Holder


class LeaderLock(Protocol):
    """One account's lock. The system frees it when its holder dies, however it dies; not when it is only stopped.

    It is no fence: a holder that was stopped wakes up and goes on. What keeps such a one from sending is the journal,
    which refuses whoever is not of the newest epoch (`ports.journal.Journal.append`).
    """

    def acquire(self) -> None:
        """Take the lock; nothing where it is held by this object already.

        Raises
        ------
        AccountHeld
            Another one has it, with its process, machine and since when.
        SettingsError
            The place of the lock cannot be used.
        """
        ...

    def lost(self) -> str:
        """Return why the lock is not held by this object; empty where it is. Asked before anything is sent."""
        ...

    def holder(self) -> Holder | None:
        """Return who holds it, None for nobody. It may be out of date at once."""
        ...

    def take_away(self) -> Holder | None:
        """Take the lock from whoever holds it, even if it lives, and leave it free; return who that was.

        Only for a holder that is known to be stopped or gone, and never without beginning an epoch of the journal
        right afterwards: until then the old holder can still write and send. Raises as `acquire` does.
        """
        ...

    def release(self) -> None:
        """Let the lock go; nothing where it is not held."""
        ...
