"""Secrets that the environment brings: read, never written."""

from collections.abc import Mapping

from manjha.domain.errors import UsageError
from manjha.domain.secret import Secret

PREFIX = "MANJHA_"


class EnvironmentSecrets:
    """Implements `ports.secret_store.SecretStore`: the secret `kite.api_key` is the variable MANJHA_KITE_API_KEY."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    @property
    def name(self) -> str:
        """Return what people call it."""
        return "the environment"

    def get(self, name: str) -> Secret | None:
        """Return a secret; an empty variable is none."""
        value = self._environment.get(variable_of(name))
        return Secret(value) if value else None

    def put(self, name: str, value: Secret) -> None:
        """Refuse: who starts the process sets its environment."""
        del value
        raise UsageError(f"{name} cannot be kept in the environment", hint=f"Set {variable_of(name)} where it starts.")

    def delete(self, name: str) -> bool:
        """Refuse, unless there is nothing to forget."""
        if self.get(name) is None:
            return False
        raise UsageError(f"{name} is set in the environment", hint=f"Unset {variable_of(name)} where it starts.")

    def names(self) -> list[str]:
        """Return nothing: which variables are secrets, only who asks for them knows."""
        return []


def variable_of(name: str) -> str:
    """Return the variable of a secret."""
    return PREFIX + name.upper().replace(".", "_").replace("-", "_")
