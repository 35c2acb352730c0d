"""What is asked under a key is done once: asked again it is answered the same, also by the next process.

That something was asked is durable before it is passed on, and it is passed on under a key of ours that stands there
too. So what was cut off between the two is asked again under the same one, and whoever does it does it at most once.
"""

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from manjha.domain.answers import KeptAnswer
from manjha.domain.errors import UsageError
from manjha.domain.moments import HOUR_NS, TsNs
from manjha.ports.clock import Clock
from manjha.ports.unit_of_work import UnitOfWork

KEPT_NS = 24 * HOUR_NS
"""How long a key holds."""
_OWN_BYTES = 16


class KeyUsed(UsageError):  # noqa: N818 - what happened
    """The key was used for something else."""


class Given(NamedTuple):
    """An answer: an HTTP status and JSON. One that is not final is not kept: asked again, it is tried again."""

    status: int
    body: str
    is_final: bool = True
    is_again: bool = False


class OnceOnly:
    """Answers what is asked under keys. Any thread may ask."""

    def __init__(self, records: UnitOfWork, clock: Clock) -> None:
        self._records, self._clock = records, clock
        self._guard = threading.Lock()
        self._held: dict[tuple[str, str], tuple[threading.Lock, int]] = {}

    def answer(self, caller: str, key: str, asked: bytes, do: Callable[[str], Given]) -> Given:
        """Return what `do` gives for our key, or what it gave before; of several at a time one does it.

        Raises
        ------
        KeyUsed
            The key was used for something else within the last day.
        """
        fingerprint = hashlib.sha256(asked).hexdigest()
        with self._alone(caller, key):
            held = self._begin(caller, key, fingerprint)
            if held.fingerprint != fingerprint:
                raise KeyUsed(
                    "this key was used for something else", hint="Take a new Idempotency-Key for each new request."
                )
            if held.status:
                return Given(held.status, held.body, is_again=True)
            given = do(held.own_key)
            if given.is_final:
                with self._records.begin() as books:
                    books.answers.finish(msgspec.structs.replace(held, status=given.status, body=given.body))
            return given

    def _begin(self, caller: str, key: str, fingerprint: str) -> KeptAnswer:
        now_ns = self._clock.now_ns()
        asked = KeptAnswer(
            caller=caller, key=key, fingerprint=fingerprint, own_key=f"api-{secrets.token_hex(_OWN_BYTES)}",
            made_ns=now_ns,
        )  # fmt: skip
        with self._records.begin() as books:
            books.answers.forget(TsNs(now_ns - KEPT_NS))
            return books.answers.begin(asked)

    @contextmanager
    def _alone(self, caller: str, key: str) -> Iterator[None]:
        """Let one thread at a time work under a key."""
        name = (caller, key)
        with self._guard:
            lock, waiting = self._held.get(name, (threading.Lock(), 0))
            self._held[name] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, waiting = self._held[name]
                if waiting == 1:
                    del self._held[name]
                else:
                    self._held[name] = (lock, waiting - 1)
