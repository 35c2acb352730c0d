"""What a keeper outside of this process gave, for as long as it may be believed while that one does not answer.

Only the first question for something waits for the keeper. After it, whoever asks gets what is known at once, and a
thread beside asks anew: a trader's loop never stands still because Vault is slow.
"""

import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from manjha.domain.errors import ManjhaError, SettingsError, SourceError
from manjha.domain.secret import Secret
from manjha.ports.secret_store import KeyWrap, SecretStore

REFRESH_S = 5.0
"""How often what is known is asked for anew: a rotated secret is taken up within it."""


class _Known(NamedTuple):
    """What came of asking: a value and when it was given, and the error since then, None where there was none."""

    fetch: Callable[[], Any]
    value: Any
    given_ns: int | None
    error: ManjhaError | None


class Memory:
    """Values by key. An outage (`SourceError`) leaves them for `outage_ns`; a refusal (`SettingsError`) ends them.

    Parameters
    ----------
    mono_ns
        A clock that never jumps.
    refreshes
        False where nobody asks anew but the test that calls `refresh`.
    """

    def __init__(self, outage_ns: int, mono_ns: Callable[[], int], *, refreshes: bool = True) -> None:
        self._outage_ns, self._mono_ns, self._refreshes = outage_ns, mono_ns, refreshes
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def get(self, key: str, fetch: Callable[[], Any]) -> Any:
        """Return the value of a key; `fetch` asks the keeper. Raises what it raised, once the value is too old."""
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = self._asked(key, fetch, None)
        return self._given(known)

    def forget(self, key: str) -> None:
        """Let the next question for a key go to the keeper."""
        with self._lock:
            self._known.pop(key, None)

    def refresh(self) -> None:
        """Ask anew for everything that is known."""
        with self._lock:
            before = dict(self._known)
        for key, known in before.items():
            self._asked(key, known.fetch, known)

    def _asked(self, key: str, fetch: Callable[[], Any], before: _Known | None) -> _Known:
        begun = self._mono_ns()
        try:
            known = _Known(fetch, fetch(), begun, None)
        except SourceError as error:
            known = _Known(fetch, None, None, error)
            if before is not None and before.given_ns is not None:
                known = before._replace(error=error)
        except SettingsError as error:
            known = _Known(fetch, None, None, error)
        with self._lock:
            # What was forgotten meanwhile was written anew: an older answer must not come back.
            if before is None or self._known.get(key) is before:
                self._known[key] = known
        if before is None and self._refreshes:
            self._refreshes = False
            threading.Thread(target=_refreshing, args=(weakref.ref(self),), daemon=True, name="secrets").start()
        return known

    def _given(self, known: _Known) -> Any:
        if known.error is None:
            return known.value
        if known.given_ns is None or self._mono_ns() - known.given_ns > self._outage_ns:
            raise type(known.error)(known.error.message, hint=known.error.hint)
        return known.value


def _refreshing(memory: "weakref.ref[Memory]") -> None:
    """Refresh until nobody holds the memory any more."""
    pause = threading.Event()
    while not pause.wait(REFRESH_S):
        held = memory()
        if held is None:
            return
        held.refresh()
        del held


class RememberedSecrets:
    """Implements `ports.secret_store.SecretStore` over one whose keeper may be slow or away."""

    def __init__(self, store: SecretStore, memory: Memory) -> None:
        self._store, self._memory = store, memory

    @property
    def name(self) -> str:
        """Return what people call it."""
        return self._store.name

    def get(self, name: str) -> Secret | None:
        """Return a secret as it was a moment ago."""
        store = self._store
        found: Secret | None = self._memory.get(name, lambda: store.get(name))
        return found

    def put(self, name: str, value: Secret) -> None:
        """Keep a secret."""
        self._store.put(name, value)
        self._memory.forget(name)

    def delete(self, name: str) -> bool:
        """Forget a secret."""
        self._memory.forget(name)
        there = self._store.delete(name)
        self._memory.forget(name)
        return there

    def names(self) -> list[str]:
        """Return the names."""
        return self._store.names()


class RememberedKeys:
    """Implements `ports.secret_store.KeyWrap` over one whose keeper may be slow or away."""

    def __init__(self, wrap: KeyWrap, memory: Memory) -> None:
        self._wrap, self._memory = wrap, memory

    @property
    def name(self) -> str:
        """Return what people call it."""
        return self._wrap.name

    def wrap(self, key: bytes) -> str:
        """Return the key sealed."""
        return self._wrap.wrap(key)

    def unwrap(self, wrapped: str) -> bytes:
        """Return what was sealed."""
        keeper = self._wrap
        found: bytes = self._memory.get(wrapped, lambda: keeper.unwrap(wrapped))
        return found
