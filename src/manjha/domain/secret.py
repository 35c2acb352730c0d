"""A secret as it is carried in memory: nothing that shows, writes or compares values shows this one."""

import hmac
from typing import ClassVar, NoReturn

SHOWN = "Secret(…)"
"""What is seen of any secret; not even its length is told."""


class Secret:
    """A text that only `reveal` gives. Printing, formatting and tracebacks with values show `SHOWN`.

    It cannot be pickled or written as JSON: what must be kept goes through a `ports.secret_store.SecretStore`. It is no
    key of a dict. Two are compared in a time that does not depend on where they differ.
    """

    __slots__ = ("_value",)
    __hash__: ClassVar[None]  # type: ignore[assignment]  # a hash would be a way to guess it by

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one call that needs it; keep it in no variable that lives longer."""
        return self._value

    def matches(self, given: "str | bytes | Secret") -> bool:
        """Tell whether this is what was given, in constant time."""
        return same(self._value, given.reveal() if isinstance(given, Secret) else given)

    def __eq__(self, other: object) -> bool:
        return self.matches(other) if isinstance(other, Secret) else NotImplemented

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return SHOWN

    def __format__(self, words: str) -> str:
        return format(SHOWN, words)

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled: keep it in a store of secrets, and send its name")


def same(known: str | bytes, given: str | bytes) -> bool:
    """Tell whether two texts are the same, in a time that does not depend on where they differ.

    The one way to compare what gives access: tokens, signatures, checksums, hashes of passwords.
    """
    return hmac.compare_digest(_bytes(known), _bytes(given))


def _bytes(text: str | bytes) -> bytes:
    # A lone surrogate is no reason to fail: it is a wrong secret like any other.
    return text.encode(errors="surrogatepass") if isinstance(text, str) else text
