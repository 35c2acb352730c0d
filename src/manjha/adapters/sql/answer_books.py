"""Implements `ports.answers.AnswerBook` and `HookBook` over SQL."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from manjha.adapters.sql.answer_tables import ANSWERS, HOOK_WORDS, HOOKS
from manjha.adapters.sql.rows import columns_of, inserting
from manjha.domain.answers import KeptAnswer
from manjha.domain.errors import UsageError
from manjha.domain.hooks import Hook, Proof
from manjha.domain.moments import TsNs
from manjha.domain.orders import Product

_TEXTS = msgspec.json.Decoder(tuple[str, ...])


class SqlAnswerBook:
    """Answers by who asked and under which key, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self, asked: KeptAnswer) -> KeptAnswer:
        """Record that something is asked. See the port."""
        put = inserting(self._connection, ANSWERS).on_conflict_do_nothing()
        self._connection.execute(put.values(**msgspec.structs.asdict(asked)))
        found = self._connection.execute(select(ANSWERS).where(_is(asked))).one()
        return KeptAnswer(**columns_of(found))

    def finish(self, asked: KeptAnswer) -> None:
        """Record the answer. See the port."""
        open_ = _is(asked) & (ANSWERS.c.status == 0)
        self._connection.execute(update(ANSWERS).where(open_).values(status=asked.status, body=asked.body))

    def forget(self, before_ns: TsNs) -> int:
        """Take out what is old. See the port."""
        return self._connection.execute(delete(ANSWERS).where(ANSWERS.c.made_ns < before_ns)).rowcount


class SqlHookBook:
    """Hooks and the words of their messages, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def hooks(self) -> list[Hook]:
        """Return all hooks. See the port."""
        found = [_hook(columns_of(row)) for row in self._connection.execute(select(HOOKS))]
        return sorted(found, key=lambda hook: (hook.made_ns, hook.id))

    def find(self, hook_id: str) -> Hook | None:
        """Return the hook of an id. See the port."""
        found = self._connection.execute(select(HOOKS).where(HOOKS.c.id == hook_id)).first()
        return None if found is None else _hook(columns_of(found))

    def add(self, hook: Hook) -> None:
        """Record a hook. See the port."""
        try:
            self._connection.execute(insert(HOOKS).values(**_columns(hook)))
        except IntegrityError as error:
            raise UsageError(f"there is a hook {hook.name!r} already", hint="Give another name.") from error

    def change(self, hook: Hook) -> None:
        """Put a hook in place of itself. See the port."""
        one = (HOOKS.c.id == hook.id) & (HOOKS.c.version == hook.version - 1)
        try:
            changed = self._connection.execute(update(HOOKS).where(one).values(**_columns(hook)))
        except IntegrityError as error:
            raise UsageError(f"there is a hook {hook.name!r} already", hint="Give another name.") from error
        if changed.rowcount != 1:
            raise UsageError(
                f"the hook {hook.id} was changed by somebody else meanwhile, or is gone",
                hint="Look at the newest one and change that.",
            )

    def remove(self, hook_id: str) -> bool:
        """Take a hook out. See the port."""
        return self._connection.execute(delete(HOOKS).where(HOOKS.c.id == hook_id)).rowcount == 1

    def first_time(self, hook_id: str, word: str, until_ns: TsNs) -> bool:
        """Tell whether a word is used for the first time. See the port."""
        put = inserting(self._connection, HOOK_WORDS).on_conflict_do_nothing().returning(HOOK_WORDS.c.hook)
        return self._connection.execute(put.values(hook=hook_id, word=word, until_ns=until_ns)).first() is not None

    def forget_words(self, before_ns: TsNs) -> int:
        """Take out what is old. See the port."""
        return self._connection.execute(delete(HOOK_WORDS).where(HOOK_WORDS.c.until_ns < before_ns)).rowcount


def _is(asked: KeptAnswer) -> Any:
    return (ANSWERS.c.caller == asked.caller) & (ANSWERS.c.key == asked.key)


def _columns(hook: Hook) -> dict[str, Any]:
    instruments = msgspec.json.encode(hook.instruments).decode()
    return msgspec.structs.asdict(hook) | {"instruments": instruments, "is_on": int(hook.is_on)}


def _hook(row: Mapping[str, Any]) -> Hook:
    held = {"product": Product(row["product"]), "proof": Proof(row["proof"]), "is_on": bool(row["is_on"])}
    return Hook(**{**row, **held, "instruments": _TEXTS.decode(row["instruments"])})
