"""A backtest that was run goes on record: what was started, and a row to list it by."""

import msgspec

from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, StrategyId
from manjha.domain.records import BacktestRecord, Run
from manjha.domain.trials import Trial
from manjha.ports.unit_of_work import UnitOfWork
from manjha.research.result import BacktestResult

ACCOUNT = AccountId("backtest")
"""Whose account a backtest trades on."""


class Execution(msgspec.Struct, frozen=True):
    """When a run began and ended (UTC ns), and where its page was written; empty where none was."""

    started_ns: TsNs
    ended_ns: TsNs
    document: str = ""


def record_backtest(work: UnitOfWork, result: BacktestResult, trial: Trial, execution: Execution) -> int:
    """Record a backtest (and what it is as a trial) and its run in one transaction; return the backtest's number.

    A repetition has the same run and another number. Raises `SettingsError` where the database cannot be written.
    """
    subject, outcome = trial.subject, trial.outcome
    run = Run(
        id=result.run,
        account=ACCOUNT,
        mode="backtest",
        strategy=StrategyId(result.strategy),
        parameters=trial.parameters,
        code_version=result.code_version,
        rules_hash=result.rules_hash,
        started_ns=execution.started_ns,
        ended_ns=execution.ended_ns,
        exit="done",
    )
    record = BacktestRecord(
        run=run.id,
        account=run.account,
        strategy=run.strategy,
        parameters=trial.parameters,
        instruments=subject.instruments,
        data_set=subject.data_set,
        data_hash=subject.data_hash,
        first_ns=subject.first_ns,
        last_ns=subject.last_ns,
        initial=result.initial,
        final=result.final,
        charges=result.charges.total,
        trades=outcome.trades,
        total_return=outcome.total_return,
        max_drawdown=outcome.max_drawdown,
        sharpe=outcome.moments.sharpe,
        document=execution.document,
        made_ns=execution.ended_ns,
    )
    with work.begin() as records:
        records.runs.begin(run)
        return records.backtests.add(record)
