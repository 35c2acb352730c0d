"""Secrets from several places, asked one after the other; kept in the last."""

from collections.abc import Sequence

from manjha.domain.errors import UsageError
from manjha.domain.secret import Secret
from manjha.ports.secret_store import SecretStore


class ChainedSecrets:
    """Implements `ports.secret_store.SecretStore` over others. An earlier one hides what a later one has.

    Parameters
    ----------
    stores
        At least one. What is put goes into the last, unless an earlier one would hide it.
    """

    def __init__(self, stores: Sequence[SecretStore]) -> None:
        self._stores = tuple(stores)

    @property
    def name(self) -> str:
        """Return what people call it."""
        return ", ".join(store.name for store in self._stores)

    def get(self, name: str) -> Secret | None:
        """Return the secret of the first store that has it."""
        return next((value for store in self._stores if (value := store.get(name)) is not None), None)

    def put(self, name: str, value: Secret) -> None:
        """Keep a secret in the last store. Raises `UsageError` where an earlier one would hide it."""
        *before, last = self._stores
        for store in before:
            if store.get(name) is not None:
                raise UsageError(
                    f"{name} comes from {store.name} and would hide what is kept in {last.name}",
                    hint="Take it out there first.",
                )
        last.put(name, value)

    def delete(self, name: str) -> bool:
        """Forget a secret everywhere; tell whether there was one. Raises as the store that does not let it go."""
        found = [store.delete(name) for store in reversed(self._stores)]
        return any(found)

    def names(self) -> list[str]:
        """Return the names that the stores tell."""
        return sorted({name for store in self._stores for name in store.names()})
