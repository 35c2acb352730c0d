"""Implements `ports.records.ModelCatalogue` and `SettingBook` over SQL."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from manjha.adapters.sql.record_tables import MODEL_VERSIONS, SETTINGS
from manjha.adapters.sql.rows import columns_of
from manjha.domain.errors import UsageError
from manjha.domain.records import ModelVersion, SettingChange, Stage

_TEXTS = msgspec.json.Decoder(tuple[str, ...])


class SqlModelCatalogue:
    """What is known of trained models, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, model: ModelVersion) -> None:
        """Record a version. See the port."""
        values = msgspec.structs.asdict(model) | {"data_hashes": _json(model.data_hashes)}
        try:
            self._connection.execute(insert(MODEL_VERSIONS).values(**values))
        except IntegrityError as error:
            raise UsageError(
                f"version {model.version} of model {model.name} cannot be recorded: the version, a model of the same "
                "hash or another champion is there",
                hint="Give the next version; promote it afterwards.",
            ) from error

    def promote(self, name: str, version: int, stage: Stage) -> None:
        """Give a version a stage. See the port."""
        table = MODEL_VERSIONS.c
        if stage is Stage.CHAMPION:
            others = (table.name == name) & (table.stage == stage) & (table.version != version)
            self._connection.execute(update(MODEL_VERSIONS).where(others).values(stage=Stage.RETIRED))
        one = (table.name == name) & (table.version == version)
        if self._connection.execute(update(MODEL_VERSIONS).where(one).values(stage=stage)).rowcount != 1:
            raise UsageError(f"there is no version {version} of model {name}", hint="Record it first.")

    def versions(self, name: str = "") -> list[ModelVersion]:
        """Return the versions of a model or of all. See the port."""
        table = MODEL_VERSIONS.c
        asked = select(MODEL_VERSIONS)
        found = [
            _model(columns_of(row))
            for row in self._connection.execute(asked.where(table.name == name) if name else asked)
        ]
        # Not by the database: what comes first among letters is another question in each locale.
        return sorted(found, key=lambda model: (model.name, -model.version))


class SqlSettingBook:
    """Settings and their history, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, change: SettingChange) -> None:
        """Put a value. See the port."""
        held = self.get(change.key)
        try:
            if change.version != (held.version if held else 0) + 1:
                raise _changed_meanwhile(change)
            self._connection.execute(insert(SETTINGS).values(**msgspec.structs.asdict(change)))
        except IntegrityError as error:
            raise _changed_meanwhile(change) from error

    def get(self, key: str) -> SettingChange | None:
        """Return the newest value. See the port."""
        return next(iter(self._of(key, 1)), None)

    def settings(self) -> list[SettingChange]:
        """Return the newest value of every key. See the port."""
        table = SETTINGS.c
        found = self._connection.execute(select(SETTINGS).order_by(table.version))
        newest = {row.key: SettingChange(**columns_of(row)) for row in found}
        return [newest[key] for key in sorted(newest)]

    def history(self, key: str) -> list[SettingChange]:
        """Return all values of a key, newest first. See the port."""
        return self._of(key, None)

    def _of(self, key: str, limit: int | None) -> list[SettingChange]:
        asked = select(SETTINGS).where(SETTINGS.c.key == key).order_by(SETTINGS.c.version.desc()).limit(limit)
        return [SettingChange(**columns_of(row)) for row in self._connection.execute(asked)]


def _changed_meanwhile(change: SettingChange) -> UsageError:
    return UsageError(
        f"{change.key} was changed by somebody else meanwhile: version {change.version} is not the next one",
        hint="Look at the newest value and change that one.",
    )


def _model(row: Mapping[str, Any]) -> ModelVersion:
    held = {**row, "stage": Stage(row["stage"]), "data_hashes": _TEXTS.decode(row["data_hashes"])}
    return ModelVersion(**held)


def _json(texts: tuple[str, ...]) -> str:
    return msgspec.json.encode(texts).decode()
