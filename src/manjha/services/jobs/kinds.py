"""A kind of job, and the table of them that the composition root fills in."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from manjha.domain.errors import UsageError
from manjha.services.jobs.asked import Asked, require_sane

TRIES = 3
"""How often a job may go down with its worker before it is lost."""


class JobKind(msgspec.Struct, frozen=True):
    """One kind of job.

    `check` raises `ManjhaError` for what cannot be done, before it is queued. A job whose worker died is begun again
    from its beginning, which counts nothing twice; with `goes_on` it takes up where it was.
    """

    name: str
    asked: type[Asked]
    check: Callable[[Any], None]
    goes_on: bool = False


Kinds = Mapping[str, JobKind]


def kind_of(kinds: Kinds, name: str) -> JobKind:
    """Return a kind by its name. Raises `UsageError` with those that there are."""
    if name not in kinds:
        raise UsageError(f"there is no kind of job {name!r}", hint=f"There are {', '.join(kinds)}.")
    return kinds[name]


def read_asked(kind: JobKind, content: object) -> Asked:
    """Return parameters from plain values, JSON or the struct itself.

    Raises
    ------
    UsageError
        A name that the kind does not take, a value of the wrong type, or a path where a name belongs.
    """
    try:
        if isinstance(content, str | bytes):
            asked = msgspec.json.decode(content, type=kind.asked)
        else:
            asked = msgspec.convert(content, kind.asked)
    except msgspec.ValidationError as error:
        raise UsageError(f"a job of kind {kind.name} cannot be asked so: {error}") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"the parameters are no JSON: {error}") from None
    require_sane(asked)
    return asked
