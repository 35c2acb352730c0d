"""A plan of what goes wrong, as plain values: which requests, streams and moments it is about, and whether it strikes.

Nothing here does anything: `mishaps` carries moments out, `striking` what becomes of a request on its socket.
"""

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import msgspec

from manjha.domain.errors import DataError
from manjha.exchange.errors import Kind

FAULTS_MAX = 1_000
"""Faults of one plan."""
SECONDS_MAX = 86_400
_SCALE = 2**64
_KINDS = {
    400: Kind.ORDER, 403: Kind.TOKEN, 429: Kind.NETWORK, 500: Kind.GENERAL, 502: Kind.DATA, 503: Kind.NETWORK,
    504: Kind.NETWORK,
}  # fmt: skip
_WORDS = {
    400: "Your order timed out. Please check the order book.", 403: "Incorrect `api_key` or `access_token`.",
    429: "Too many requests",
}  # fmt: skip


class Mishap(StrEnum):
    """What becomes of a request: no answer, a late one, an error, a page of HTML, half an answer, a reset."""

    SILENCE = "silence"
    DELAY = "delay"
    ERROR = "error"
    PAGE = "page"
    CUT = "cut"
    RESET = "reset"


class StreamMishap(StrEnum):
    """What becomes of a ticker's connection (silent, heartbeat), or of the messages about orders on it."""

    SILENT = "silent"
    HEARTBEAT = "heartbeat"
    LOSE = "lose"
    REPEAT = "repeat"
    SWAP = "swap"


class Event(StrEnum):
    """What happens at a moment."""

    EXPIRE_TOKENS = "expire-tokens"
    LINK_DOWN = "link-down"
    FREEZE = "freeze"
    RENAME = "rename"
    SWAP_TOKENS = "swap-tokens"


class Matched(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a fault strikes: from its match number `first` on, `times` times (0: without end), by chance where below 1.

    `account` is a pattern of user ids.
    """

    account: str = "*"
    first: int = 1
    times: int = 1
    chance: float = 1.0


class RequestFault(Matched, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault of requests by method and path (patterns, as of file names).

    `after` tells that the request was carried out before the fault; a delay without it lands late. `seconds` are of
    the exchange's time. `status`, `kind` and `message` are those of an error; `kind` and `message` empty for the usual.
    """

    what: Mishap
    method: str = "*"
    path: str = "*"
    after: bool = False
    seconds: float = 0.0
    status: int = 503
    kind: str = ""
    message: str = ""

    @property
    def error_kind(self) -> Kind:
        """The `error_type` of its error."""
        return Kind(self.kind) if self.kind else _KINDS.get(self.status, Kind.GENERAL)

    @property
    def words(self) -> str:
        """The text of its error."""
        return self.message or _WORDS.get(self.status, "The simulated broker fails.")


class StreamFault(Matched, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault of the ticker: matches are connections for silent and heartbeat, messages for the others.

    A connection falls silent `seconds` after it began, in the exchange's time, and stays so.
    """

    what: StreamMishap
    seconds: float = 0.0

    @property
    def is_of_connection(self) -> bool:
        """Whether its matches are connections."""
        return self.what in (StreamMishap.SILENT, StreamMishap.HEARTBEAT)


class Moment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens `at` a time ("HH:MM:SS" of the exchange's day, or with a date before it; empty for now).

    A link that is down, and a freeze, end at `until` where there is one. `instrument` and `to` are keys ("NSE:MANJHA"),
    `to` of a new name the symbol alone. `side` is the limit that a freeze stands at, "upper" or "lower".
    """

    what: Event
    at: str = ""
    until: str = ""
    instrument: str = ""
    to: str = ""
    side: str = "upper"


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is to go wrong; chance is drawn from `seed`."""

    seed: int = 1
    requests: tuple[RequestFault, ...] = ()
    streams: tuple[StreamFault, ...] = ()
    moments: tuple[Moment, ...] = ()


class Tally(msgspec.Struct):
    """How often a fault was met and how often it struck; `seed` and `number` are what its chance is drawn from."""

    seed: int
    number: int
    matched: int = 0
    struck: int = 0


F = TypeVar("F", bound=Matched)


class Counted(msgspec.Struct):
    """The faults of requests that are armed, each with its tally; those of streams likewise."""

    requests: list[tuple[RequestFault, Tally]] = []
    streams: list[tuple[StreamFault, Tally]] = []


def read_plan(raw: Any) -> Plan:
    """Return the plan that a TOML table or a JSON object holds.

    Raises
    ------
    DataError
        What is wrong, and where.
    """
    try:
        plan = msgspec.convert(raw, Plan)
    except msgspec.ValidationError as error:
        raise DataError(f"the fault plan cannot be read: {error}", hint=_HINT) from None
    if len(plan.requests) + len(plan.streams) + len(plan.moments) > FAULTS_MAX:
        raise DataError(f"the fault plan has more than {FAULTS_MAX} faults", hint="Give it in parts.")
    for at, request in enumerate(plan.requests):
        _check(f"requests[{at}]", request)
        _check_request(f"requests[{at}]", request)
    for at, stream in enumerate(plan.streams):
        _check(f"streams[{at}]", stream)
    for at, moment in enumerate(plan.moments):
        _check_moment(f"moments[{at}]", moment)
    return plan


def is_about(fault: RequestFault, method: str, path: str, account: str) -> bool:
    """Tell whether a fault is about a request."""
    of_call = fnmatchcase(method, fault.method) and fnmatchcase(path, fault.path)
    return of_call and fnmatchcase(account, fault.account)


def struck(candidates: Iterable[tuple[F, Tally]]) -> F | None:
    """Count a match of each fault, and return the first that strikes; None for none."""
    found: F | None = None
    for fault, tally in candidates:
        if _is_due(fault, tally) and found is None:
            tally.struck += 1
            found = fault
    return found


def _is_due(fault: Matched, tally: Tally) -> bool:
    tally.matched += 1
    if tally.matched < fault.first or (fault.times and tally.struck >= fault.times):
        return False
    return fault.chance >= 1 or _draw(tally) < fault.chance * _SCALE


def _draw(tally: Tally) -> int:
    digest = hashlib.sha256(f"{tally.seed} fault {tally.number} {tally.matched}".encode()).digest()
    return int.from_bytes(digest[:8])


def _check(where: str, fault: RequestFault | StreamFault) -> None:
    if fault.first < 1 or fault.times < 0:
        raise DataError(f"{where}: expected `first` from 1 and `times` from 0, was {fault.first}, {fault.times}")
    if not 0 < fault.chance <= 1:
        raise DataError(f"{where}: expected a `chance` above 0 and up to 1, was {fault.chance:g}")
    if not 0 <= fault.seconds <= SECONDS_MAX:
        raise DataError(f"{where}: expected `seconds` from 0 to {SECONDS_MAX}, was {fault.seconds:g}")


def _check_request(where: str, fault: RequestFault) -> None:
    if fault.what is Mishap.DELAY and not fault.seconds:
        raise DataError(f"{where}: a delay needs its `seconds`")
    if not 400 <= fault.status <= 599:
        raise DataError(f"{where}: expected a `status` from 400 to 599, was {fault.status}")
    if fault.kind and fault.kind not in list(Kind):
        raise DataError(f"{where}: no `kind` of error is named {fault.kind!r}", hint=f"There are {', '.join(Kind)}.")


def _check_moment(where: str, moment: Moment) -> None:
    if moment.what in (Event.FREEZE, Event.RENAME, Event.SWAP_TOKENS) and not moment.instrument:
        raise DataError(f"{where}: {moment.what} needs its `instrument`", hint='As in quotes: "NSE:MANJHA".')
    if moment.what in (Event.RENAME, Event.SWAP_TOKENS) and not moment.to:
        raise DataError(f"{where}: {moment.what} needs what it comes `to`")
    if moment.until and moment.what not in (Event.LINK_DOWN, Event.FREEZE):
        raise DataError(f"{where}: {moment.what} has no end, so no `until`")
    if moment.side not in ("upper", "lower"):
        raise DataError(f"{where}: expected the `side` upper or lower, was {moment.side!r}")


_HINT = "docs/exchange-faults.md has the form of a plan."
