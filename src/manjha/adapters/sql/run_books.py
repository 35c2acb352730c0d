"""Implements `ports.records.RunBook` and `BacktestBook` over SQL."""

from typing import Any

import msgspec
from sqlalchemy import Connection, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from manjha.adapters.sql.read_models import activity_of
from manjha.adapters.sql.record_tables import BACKTESTS, RUNS
from manjha.adapters.sql.rows import columns_of, put_rows
from manjha.domain.errors import UsageError
from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, RunId
from manjha.domain.records import BacktestRecord, Run

_RECORDED = tuple(name for name in Run.__struct_fields__ if name != "activity")


class SqlRunBook:
    """Runs within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self, run: Run) -> None:
        """Record a run that begins. See the port."""
        put_rows(self._connection, RUNS, [{name: getattr(run, name) for name in _RECORDED} | {"recorded": 1}])

    def end(self, account: AccountId, run: RunId, ended_ns: TsNs, how: str) -> None:
        """Record that a run has ended. See the port."""
        one = (RUNS.c.account == account) & (RUNS.c.id == run) & (RUNS.c.recorded == 1)
        if self._connection.execute(update(RUNS).where(one).values(ended_ns=ended_ns, exit=how)).rowcount != 1:
            raise UsageError(f"no run {run} of account {account} is recorded", hint="Record its beginning first.")

    def runs(self, account: AccountId, *, before: Run | None = None, limit: int = 100) -> list[Run]:
        """Return the runs of an account, newest first. See the port."""
        table = RUNS.c
        asked = select(RUNS).where(table.account == account)
        if before is not None:
            same = and_(table.started_ns == before.started_ns, table.id > before.id)
            asked = asked.where(or_(table.started_ns < before.started_ns, same))
        found = self._connection.execute(asked.order_by(table.started_ns.desc(), table.id).limit(limit))
        return [_run(columns_of(row)) for row in found]


class SqlBacktestBook:
    """Backtests within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: BacktestRecord) -> int:
        """Record one and return its number. See the port."""
        values = msgspec.structs.asdict(record)
        del values["number"]
        try:
            made = self._connection.execute(insert(BACKTESTS).values(**values).returning(BACKTESTS.c.number))
        except IntegrityError as error:
            raise UsageError(
                f"a backtest belongs to a run, and no run {record.run} of account {record.account} is recorded",
                hint="Record the run first, in the same transaction.",
            ) from error
        return int(made.scalar_one())

    def backtests(self, *, before: int | None = None, limit: int = 100, strategy: str = "") -> list[BacktestRecord]:
        """Return backtests, newest first. See the port."""
        table = BACKTESTS.c
        asked = select(BACKTESTS).order_by(table.number.desc()).limit(limit)
        if before is not None:
            asked = asked.where(table.number < before)
        if strategy:
            asked = asked.where(table.strategy == strategy)
        return [BacktestRecord(**columns_of(row)) for row in self._connection.execute(asked)]


def _run(row: Any) -> Run:
    recorded = {name: row[name] for name in _RECORDED}
    # Where only the journal knows of it, it says at least whose orders there were.
    recorded["strategy"] = row["strategy"] or row["active_strategy"]
    return Run(**recorded, activity=activity_of(row))
