"""Implements `ports.identity.SessionBook` and `PeopleBook` over SQL."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, case, delete, insert, select, update

from manjha.adapters.sql.identity_tables import ONE_TIME_LINKS, PEOPLE, SESSION_KEYS, SESSIONS
from manjha.adapters.sql.rows import columns_of, put_rows
from manjha.domain.identity import OneTimeLink, Person, Session, SessionKeys
from manjha.domain.moments import TsNs

_OF_KEYS = [column.label(f"keys_{column.name}") for column in SESSION_KEYS.c]
_BOTH = select(SESSIONS, *_OF_KEYS).join(SESSION_KEYS, SESSION_KEYS.c.session == SESSIONS.c.id)


class SqlSessionBook:
    """Sessions of browsers, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, session: Session, keys: SessionKeys) -> None:
        """Record a session that begins. See the port."""
        self._connection.execute(insert(SESSIONS).values(**msgspec.structs.asdict(session)))
        self._connection.execute(insert(SESSION_KEYS).values(**msgspec.structs.asdict(keys)))

    def find(self, keys_id: str) -> tuple[Session, SessionKeys] | None:
        """Return keys with their session. See the port."""
        found = self._connection.execute(_BOTH.where(SESSION_KEYS.c.id == keys_id)).first()
        return None if found is None else _both(columns_of(found))

    def spend(self, keys_id: str, at_ns: TsNs, access_until_ns: TsNs) -> bool:
        """Note that a refresh was used, the first time. See the port."""
        table = SESSION_KEYS.c
        shorter = case((table.access_expires_ns > access_until_ns, access_until_ns), else_=table.access_expires_ns)
        spent = update(SESSION_KEYS).where(table.id == keys_id, table.spent_ns.is_(None))
        return self._connection.execute(spent.values(spent_ns=at_ns, access_expires_ns=shorter)).rowcount == 1

    def renew(self, keys: SessionKeys, stepped_up_ns: TsNs) -> None:
        """Record the next keys of a session. See the port."""
        self._connection.execute(insert(SESSION_KEYS).values(**msgspec.structs.asdict(keys)))
        one = update(SESSIONS).where(SESSIONS.c.id == keys.session)
        self._connection.execute(one.values(stepped_up_ns=stepped_up_ns))

    def revoke(self, session_id: str, at_ns: TsNs, why: str) -> bool:
        """End a session. See the port."""
        on = update(SESSIONS).where(SESSIONS.c.id == session_id, SESSIONS.c.revoked_ns.is_(None))
        return self._connection.execute(on.values(revoked_ns=at_ns, why=why)).rowcount == 1

    def sessions(self, now_ns: TsNs) -> list[Session]:
        """Return those that are on. See the port."""
        table = SESSIONS.c
        asked = select(SESSIONS).where(table.revoked_ns.is_(None), table.expires_ns > now_ns)
        found = self._connection.execute(asked.order_by(table.started_ns.desc(), table.id))
        return [Session(**columns_of(row)) for row in found]

    def live_keys(self, now_ns: TsNs) -> list[tuple[Session, SessionKeys]]:
        """Return the keys that let in. See the port."""
        asked = _BOTH.where(SESSIONS.c.revoked_ns.is_(None), SESSIONS.c.expires_ns > now_ns)
        found = self._connection.execute(asked.where(SESSION_KEYS.c.access_expires_ns > now_ns))
        return [_both(columns_of(row)) for row in found]

    def forget(self, before_ns: TsNs) -> None:
        """Delete sessions that were over. See the port."""
        old = (SESSIONS.c.expires_ns < before_ns) | (SESSIONS.c.revoked_ns < before_ns)
        ids = select(SESSIONS.c.id).where(old)
        self._connection.execute(delete(SESSION_KEYS).where(SESSION_KEYS.c.session.in_(ids)))
        self._connection.execute(delete(SESSIONS).where(old))


class SqlPeopleBook:
    """Who logs in, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: str) -> Person:
        """Return a person. See the port."""
        found = self._connection.execute(select(PEOPLE).where(PEOPLE.c.name == name)).first()
        return Person(name=name) if found is None else Person(**columns_of(found))

    def put(self, person: Person) -> None:
        """Record a person as he is now. See the port."""
        put_rows(self._connection, PEOPLE, [msgspec.structs.asdict(person)])

    def use_step(self, name: str, step: int) -> bool:
        """Note that the code of a step of time was used. See the port."""
        later = update(PEOPLE).where(PEOPLE.c.name == name, PEOPLE.c.factor_step < step)
        return self._connection.execute(later.values(factor_step=step)).rowcount == 1

    def add_link(self, link: OneTimeLink) -> None:
        """Record a link. See the port."""
        self.drop_links(link.owner)
        self._connection.execute(insert(ONE_TIME_LINKS).values(**msgspec.structs.asdict(link)))

    def use_link(self, link_id: str, at_ns: TsNs) -> bool:
        """Note that a link was used. See the port."""
        table = ONE_TIME_LINKS.c
        fresh = (table.id == link_id) & table.used_ns.is_(None) & (table.expires_ns > at_ns)
        return self._connection.execute(update(ONE_TIME_LINKS).where(fresh).values(used_ns=at_ns)).rowcount == 1

    def drop_links(self, name: str) -> None:
        """Forget every link of a person that was not used. See the port."""
        table = ONE_TIME_LINKS.c
        self._connection.execute(delete(ONE_TIME_LINKS).where(table.owner == name, table.used_ns.is_(None)))

    def link(self, link_id: str) -> OneTimeLink | None:
        """Return a link. See the port."""
        found = self._connection.execute(select(ONE_TIME_LINKS).where(ONE_TIME_LINKS.c.id == link_id)).first()
        return None if found is None else OneTimeLink(**columns_of(found))


def _both(row: Mapping[str, Any]) -> tuple[Session, SessionKeys]:
    keys = {name.removeprefix("keys_"): value for name, value in row.items() if name.startswith("keys_")}
    return Session(**{name: row[name] for name in Session.__struct_fields__}), SessionKeys(**keys)
