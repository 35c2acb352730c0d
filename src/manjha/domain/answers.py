"""Answers that are kept: what a request under a key was answered, so that asked again it is answered the same."""

import msgspec

from manjha.domain.moments import TsNs


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked under a key of theirs, and what they were answered.

    `fingerprint` is a hash of what was asked. `own_key` is ours, under which it is passed on, so that whoever does it
    does it at most once, also for a process that comes after this one. `status` is 0 until there is an answer; `body`
    is JSON.
    """

    caller: str
    key: str
    fingerprint: str
    own_key: str
    made_ns: TsNs
    status: int = 0
    body: str = ""
