"""Implements `ports.identity.TokenBook` over SQL."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from manjha.adapters.sql.identity_tables import API_TOKENS
from manjha.adapters.sql.rows import columns_of
from manjha.domain.errors import UsageError
from manjha.domain.identity import ApiToken
from manjha.domain.moments import TsNs

_TEXTS = msgspec.json.Decoder(tuple[str, ...])
_LISTS = ("scopes", "addresses")


class SqlTokenBook:
    """Tokens as keyed hashes, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, token: ApiToken) -> None:
        """Record a token. See the port."""
        lists = {name: msgspec.json.encode(getattr(token, name)).decode() for name in _LISTS}
        try:
            self._connection.execute(insert(API_TOKENS).values(**msgspec.structs.asdict(token) | lists))
        except IntegrityError as error:
            raise UsageError(
                f"there is a token of id {token.id} already, or a valid one named {token.name!r}",
                hint="Give another name, or revoke the old token first.",
            ) from error

    def find(self, token_id: str) -> ApiToken | None:
        """Return the token of an id. See the port."""
        found = self._connection.execute(select(API_TOKENS).where(API_TOKENS.c.id == token_id)).first()
        return None if found is None else _token(columns_of(found))

    def revoke(self, token_id: str, at_ns: TsNs) -> None:
        """Revoke a token. See the port."""
        revoked = func.coalesce(API_TOKENS.c.revoked_ns, at_ns)
        changed = update(API_TOKENS).where(API_TOKENS.c.id == token_id).values(revoked_ns=revoked)
        if self._connection.execute(changed).rowcount != 1:
            raise UsageError(f"there is no token of id {token_id}", hint="The list of tokens has their ids.")

    def replace(self, token_id: str, by: str, until_ns: TsNs) -> bool:
        """Let a token end when another takes its place. See the port."""
        table = API_TOKENS.c
        standing = (table.id == token_id) & table.revoked_ns.is_(None) & table.replaced_by.is_(None)
        changed = self._connection.execute(update(API_TOKENS).where(standing).values(replaced_by=by))
        later = or_(table.expires_ns.is_(None), table.expires_ns > until_ns)
        if changed.rowcount == 1:
            self._connection.execute(update(API_TOKENS).where(table.id == token_id, later).values(expires_ns=until_ns))
        return changed.rowcount == 1

    def used(self, token_id: str, at_ns: TsNs) -> None:
        """Note that a token was used. See the port."""
        table = API_TOKENS.c
        is_later = or_(table.used_ns.is_(None), table.used_ns < at_ns)
        self._connection.execute(update(API_TOKENS).where(table.id == token_id, is_later).values(used_ns=at_ns))

    def tokens(self) -> list[ApiToken]:
        """Return all tokens. See the port."""
        found = self._connection.execute(select(API_TOKENS))
        return sorted((_token(columns_of(row)) for row in found), key=lambda token: (token.created_ns, token.id))


def _token(row: Mapping[str, Any]) -> ApiToken:
    return ApiToken(**{**row, **{name: _TEXTS.decode(row[name]) for name in _LISTS}})
