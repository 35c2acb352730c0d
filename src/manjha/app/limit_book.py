"""Limits that were changed while the program ran: rows of the settings book, laid over those of the settings."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from manjha.app.setting_sections import RiskSettings
from manjha.app.settings import Settings
from manjha.domain.errors import SettingsError, UsageError
from manjha.ports.limit_book import Limit

if TYPE_CHECKING:
    from manjha.ports.unit_of_work import UnitOfWork

PREFIX = "risk."
"""Of the keys in the settings book under which limits stand."""


def with_limits_put(settings: Settings) -> Settings:
    """Return settings with the limits that were changed since. Changes nothing, and makes no database."""
    from manjha.app.bootstrap import database, unit_of_work

    with_tables = database(settings)
    try:
        if not with_tables.revision():
            return settings
    finally:
        with_tables.close()
    work = unit_of_work(settings)
    try:
        return laid_over(settings, put_limits(work))
    finally:
        work.close()


def put_limits(work: "UnitOfWork") -> dict[str, tuple[Limit, int]]:
    """Return the limits that were changed, by name: each value and its version."""
    with work.begin() as books:
        rows = books.settings.settings()
    return {
        row.key.removeprefix(PREFIX): (msgspec.json.decode(row.value, type=Limit), row.version)
        for row in rows
        if row.key.startswith(PREFIX)
    }


def laid_over(settings: Settings, put: Mapping[str, tuple[Limit, int]]) -> Settings:
    """Return settings with these limits. Raises `SettingsError` for one that this version does not know."""
    values = {name: value for name, (value, _) in put.items()}
    unknown = values.keys() - set(RiskSettings.__struct_fields__)
    if unknown:
        raise SettingsError(
            f"the settings book has the limit {min(unknown)!r}, which this version does not know",
            hint="It was set by another version of Manjha: use that one.",
        )
    return msgspec.structs.replace(settings, risk=msgspec.structs.replace(settings.risk, **values))


class SettingLimits:
    """Implements `ports.limit_book.LimitBook` over the settings and the settings book."""

    def __init__(self, settings: Settings, work: "UnitOfWork") -> None:
        self._settings, self._work = settings, work

    def limits(self) -> Mapping[str, Limit]:
        """Return what the next session would be held to. See the port."""
        return msgspec.structs.asdict(laid_over(self._settings, put_limits(self._work)).risk)

    def changed(self) -> Mapping[str, int]:
        """Return those that were changed. See the port."""
        return {name: version for name, (_, version) in put_limits(self._work).items()}

    def require(self, name: str, value: Limit) -> None:
        """Raise `UsageError` for what cannot be. See the port."""
        from manjha.app.bootstrap import control_limits_of

        field = next((one for one in msgspec.structs.fields(RiskSettings) if one.name == name), None)
        if field is None:
            raise UsageError(
                f"there is no limit {name!r}", hint=f"Known are {', '.join(RiskSettings.__struct_fields__)}."
            )
        try:
            msgspec.convert(value, field.type, strict=True)
        except msgspec.ValidationError:
            raise UsageError(f"{name} cannot be {value!r}", hint=_EXPECTED) from None
        if isinstance(value, int) and value < 1:
            raise UsageError(f"{name} must be at least 1, was {value}", hint=_EXPECTED)
        held = put_limits(self._work) | {name: (value, 0)}
        try:
            control_limits_of(laid_over(self._settings, held), "any")
        except SettingsError as error:
            raise UsageError(error.message, hint=error.hint) from None


_EXPECTED = "A limit is a whole number (rupees, seconds, a count), `instruments` a list with commas; null is none."
