"""Implements `ports.trials.TrialLedger` over SQL."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, LargeBinary, Row, Table, case, func, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from manjha.adapters.sql.database import Database
from manjha.adapters.sql.tables import STUDY_TRIALS, TRIALS
from manjha.domain.trials import ReturnMoments, Trial, TrialOutcome, TrialScope, TrialStatus, TrialSubject
from manjha.ports.clock import Clock

KEYS_AT_ONCE = 500
"""Keys in one question; SQLite takes a bounded number of values in a statement."""


class SqlTrialLedger:
    """Trials in two tables: one row an evaluation, and which study it belongs to."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def record(self, study: str, trials: Sequence[Trial]) -> int:
        """Record trials of a study. See the port."""
        now_ns = self._clock.now_ns()
        rows = {trial.key: _row(trial, now_ns) for trial in trials}
        if not rows:
            return 0
        keys = list(rows)
        with self._database.transaction() as connection:
            known: set[str] = set()
            for at in range(0, len(keys), KEYS_AT_ONCE):
                asked = select(TRIALS.c.key).where(TRIALS.c.key.in_(keys[at : at + KEYS_AT_ONCE]))
                known.update(connection.scalars(asked))
            insert = self._insert(TRIALS)
            new = {column.name: insert.excluded[column.name] for column in TRIALS.c if column.name not in ("id", "key")}
            better = or_(
                TRIALS.c.status == TrialStatus.FAILED,
                (TRIALS.c.status == TrialStatus.PRUNED) & (insert.excluded.status == TrialStatus.OK),
                # The same outcome, this time with its returns.
                (insert.excluded.status == TRIALS.c.status) & (func.length(insert.excluded.returns) > 0),
            )
            connection.execute(
                insert.on_conflict_do_update(index_elements=["key"], set_=new, where=better), list(rows.values())
            )
            connection.execute(
                self._insert(STUDY_TRIALS).on_conflict_do_nothing(),
                [{"study": study, "trial_key": key} for key in keys],
            )
        return len(rows) - len(known)

    def count(self, scope: TrialScope) -> int:
        """Return how many distinct variants were evaluated. See the port."""
        asked = select(func.count(TRIALS.c.variant.distinct())).where(*_within(scope))
        with self._database.transaction() as connection:
            return int(connection.scalar(asked) or 0)

    def counted(self, scope: TrialScope) -> list[Trial]:
        """Return the trials that count. See the port."""
        columns = [column for column in TRIALS.c if column.name != "returns"]
        asked = select(*columns, literal(b"", LargeBinary).label("returns")).where(*_within(scope))
        with self._database.transaction() as connection:
            return [_trial(row) for row in connection.execute(asked.order_by(TRIALS.c.id))]

    def sharpes(self, scope: TrialScope, data_hash: str) -> list[int | None]:
        """Return the Sharpe ratio of each variant. See the port."""
        asked = select(TRIALS.c.variant, TRIALS.c.sharpe).where(*_within(scope))
        # What is on the bars comes last, and takes the place of what was there of its variant.
        asked = asked.order_by(case((TRIALS.c.data_hash == data_hash, 1), else_=0), TRIALS.c.id)
        with self._database.transaction() as connection:
            return list({row.variant: row.sharpe for row in connection.execute(asked)}.values())

    def trials(self, strategy: str, data_set: str, *, study: str = "") -> list[Trial]:
        """Return trials. See the port."""
        asked = select(TRIALS).where(TRIALS.c.strategy == strategy, TRIALS.c.data_set == data_set)
        if study:
            asked = asked.join(STUDY_TRIALS, STUDY_TRIALS.c.trial_key == TRIALS.c.key)
            asked = asked.where(STUDY_TRIALS.c.study == study)
        with self._database.transaction() as connection:
            return [_trial(row) for row in connection.execute(asked.order_by(TRIALS.c.id))]

    def subjects(self, study: str) -> list[tuple[str, str]]:
        """Return strategies and data sets. See the port."""
        asked = select(TRIALS.c.strategy, TRIALS.c.data_set).distinct()
        asked = asked.join(STUDY_TRIALS, STUDY_TRIALS.c.trial_key == TRIALS.c.key)
        asked = asked.where(STUDY_TRIALS.c.study == study)
        with self._database.transaction() as connection:
            return sorted((str(row[0]), str(row[1])) for row in connection.execute(asked))

    def _insert(self, table: Table) -> Any:
        """Return the dialect's insert, which knows what to do about a row that is there."""
        return sqlite.insert(table) if self._database.is_sqlite else postgresql.insert(table)


def _within(scope: TrialScope) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of `TrialScope.has`, of trials that did not fail."""
    return (
        TRIALS.c.strategy.in_(scope.strategies),
        or_(TRIALS.c.instruments == scope.instruments, TRIALS.c.data_set == scope.data_set),
        TRIALS.c.first_ns < scope.last_ns,
        TRIALS.c.last_ns > scope.first_ns,
        TRIALS.c.status != TrialStatus.FAILED,
    )


_FLAT = (TrialSubject, ReturnMoments)


def _row(trial: Trial, now_ns: int) -> dict[str, Any]:
    outcome = msgspec.structs.asdict(trial.outcome)
    moments = msgspec.structs.asdict(outcome.pop("moments"))
    subject = msgspec.structs.asdict(trial.subject)
    return {
        "key": trial.key,
        "variant": trial.variant,
        "parameters": trial.parameters,
        "recorded_ns": now_ns,
        **subject,
        **moments,
        **outcome,
    }


def _trial(row: Row[*tuple[Any, ...]]) -> Trial:
    held = dict(row._mapping)  # noqa: SLF001 - the public name of a row's mapping begins with an underscore
    subject, moments = ({field: held[field] for field in kind.__struct_fields__} for kind in _FLAT)
    outcome = {field: held[field] for field in TrialOutcome.__struct_fields__ if field != "moments"}
    outcome |= {"status": TrialStatus(held["status"]), "returns": bytes(held["returns"])}
    return Trial(TrialSubject(**subject), held["parameters"], TrialOutcome(moments=ReturnMoments(**moments), **outcome))
