"""The exception tree. A class says what the reader may do next.

    ManjhaError
    ├── UsageError        what was asked for cannot be: name, value or range (exit code 2)
    │   ├── NoSuchJob     there is no job of that id, or no file of that name of it
    │   └── QueueFull     as much is waiting as may wait: ask again when some of it is done
    ├── DataError         market data is missing, late, malformed or out of order (exit code 2)
    │   └── OutsideTable  a date or key that a dated table does not cover
    ├── SettingsError     configuration is wrong; raised at start only (exit code 2)
    ├── SourceError       a data source outside failed; nothing was lost, try again later (exit code 3)
    │   └── TraderAway    no trader of the account listens: nothing was asked of one
    ├── AccountHeld       another process trades the account: end that one, or this one (exit code 5)
    ├── JournalHalted     the journal cannot be written or trusted: stop, send nothing (exit code 4)
    │   └── StaleWriter   another process writes it now
    └── InvariantBroken   our own bug: stop

A refusal by risk is no exception but a value (`commands.Refused`).
"""


class ManjhaError(Exception):
    """Every error that Manjha raises on purpose.

    Parameters
    ----------
    message
        What was expected and what was found, with the values.
    hint
        What to do next, as one sentence for a person; may be empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(ManjhaError):
    """An argument names something that does not exist or cannot be done."""


class NoSuchJob(UsageError):
    """There is no job of that id, or it has no file of that name."""


class QueueFull(UsageError):
    """As many jobs wait as may wait, of all callers or of this one."""


class DataError(ManjhaError):
    """Market data is missing, malformed, out of order or contradicts itself."""


class OutsideTable(DataError):
    """A dated table has no row for this date or key; the answer would be a guess."""


class SettingsError(ManjhaError):
    """The configuration cannot be used. Raised at start only."""


class SourceError(ManjhaError):
    """A data source outside did not give what was asked. What was stored before is untouched."""


class TraderAway(SourceError):
    """No trader of the account listens, so that nothing was asked of one."""


class AccountHeld(ManjhaError):
    """Another process trades the account, or listens in its place; this one has sent nothing and must end."""


class JournalHalted(ManjhaError):
    """The journal cannot be written, read or trusted. Nothing may be sent; what was acknowledged is there."""


class StaleWriter(JournalHalted):
    """Another process has taken the journal over: this one must stop."""


class InvariantBroken(ManjhaError):
    """A rule that our own code promises to keep does not hold. Stop, do not trade on."""


def invariant(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as an assertion
    """Raise `InvariantBroken` unless the condition holds. On in production."""
    if not condition:
        raise InvariantBroken(message, hint="This is a bug in Manjha: please report it with the command you ran.")
