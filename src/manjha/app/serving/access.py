"""Who may use the bot, put together from the settings: for the API, and for the commands that give and take access."""

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manjha.app.settings import Settings
    from manjha.services.identity.access import Access
    from manjha.services.identity.desk import Desk
    from manjha.services.identity.stored import StoredIdentity


def access_desk(settings: "Settings") -> "Desk":
    """Return what access works with: the database of records, the secret store, the machine's clock."""
    from manjha.adapters.files.durable import exclusive
    from manjha.app.bootstrap import system_clock, unit_of_work
    from manjha.app.secret_stores import secret_store
    from manjha.services.identity.credentials import KeyRing
    from manjha.services.identity.desk import desk_of

    store = secret_store(settings)
    ring = KeyRing(store, partial(exclusive, settings.home / "identity.lock"))
    return desk_of(unit_of_work(settings), system_clock(), ring, store)


def access_to(settings: "Settings") -> tuple["Access", "StoredIdentity"]:
    """Return access, and the identity that is to be tended. Neither asks the database or the secret store yet."""
    from manjha.services.identity.access import access_of

    return access_of(access_desk(settings))
