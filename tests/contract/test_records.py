"""What every book of records does, whatever database is under it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from manjha.adapters.sql.database import Database
from manjha.adapters.sql.unit_of_work import SqlUnitOfWork
from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash
from manjha.domain.orders import AccountId, RunId, StrategyId
from manjha.domain.records import (
    BacktestRecord,
    ModelVersion,
    Run,
    SettingChange,
    Stage,
)
from manjha.ports.unit_of_work import Records, UnitOfWork
from tests.fakes.databases import forgetful_postgres, url

__all__ = ["forgetful_postgres", "url"]

ROOT = Path(__file__).parents[2]
AT = 1_720_000_000_000_000_000
ACCOUNT = AccountId("AB1234")
BIG = 9_223_372_036_854_775_807
WORDS = "मांझा – ₹ 10,00,000 \N{KITE} 'quoted' \\ \"twice\"\n"


@pytest.fixture
def work(url: str) -> Iterator[UnitOfWork]:
    made = SqlUnitOfWork(Database(url))
    yield made
    made.close()


def run(number: int = 1, **changes: object) -> Run:
    return msgspec.structs.replace(Run(id=RunId(f"run-{number}"), account=ACCOUNT, started_ns=TsNs(AT)), **changes)


def backtest(number: int = 1, **changes: object) -> BacktestRecord:
    made = BacktestRecord(
        run=RunId(f"run-{number}"),
        account=ACCOUNT,
        strategy=StrategyId("sma-cross"),
        parameters='{"fast":10}',
        instruments="NSE:ALPHA",
        data_set="NSE:ALPHA 1d",
        data_hash="d" * 64,
        first_ns=TsNs(AT),
        last_ns=TsNs(AT + 1),
        initial=Cash(BIG),
        final=Cash(-BIG - 1),
        charges=Cash(1),
        trades=3,
        made_ns=TsNs(AT),
    )
    return msgspec.structs.replace(made, **changes)


def model(version: int, **changes: object) -> ModelVersion:
    made = ModelVersion(name="regime", version=version, hash=f"{version:064d}", created_ns=TsNs(AT))
    return msgspec.structs.replace(made, **changes)


def setting(version: int, value: str = "1", key: str = "risk.day_loss") -> SettingChange:
    return SettingChange(key=key, version=version, value=value, changed_ns=TsNs(AT + version), changed_by="asha")


def in_one(work: UnitOfWork, do: Callable[[Records], object]) -> None:
    with work.begin() as records:
        do(records)


def refused(work: UnitOfWork, do: Callable[[Records], object], words: str) -> None:
    with pytest.raises(UsageError, match=words), work.begin() as records:
        do(records)


def add_model(made: ModelVersion, records: Records) -> None:
    records.models.add(made)


def test_new_books_are_empty(work: UnitOfWork) -> None:
    with work.begin() as records:
        models = records.read_models
        assert [*records.runs.runs(ACCOUNT), *records.backtests.backtests(), *records.models.versions()] == []
        assert [*records.tokens.tokens(), *records.settings.settings(), *records.settings.history("x")] == []
        assert [*models.orders(ACCOUNT), *models.trades(ACCOUNT), *models.positions(ACCOUNT)] == []
        assert [*models.notes(ACCOUNT), *models.open_orders(ACCOUNT), *models.orders_named(ACCOUNT, [])] == []
        assert (models.reached(ACCOUNT).seq, records.settings.get("x"), records.tokens.find("x")) == (0, None, None)


def test_a_failure_leaves_nothing_in_any_book(work: UnitOfWork) -> None:
    def fail(records: Records) -> None:
        records.runs.begin(run())
        records.backtests.add(backtest())
        records.settings.put(setting(1))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_one(work, fail)
    with work.begin() as records:
        assert [*records.runs.runs(ACCOUNT), *records.backtests.backtests(), *records.settings.settings()] == []


def test_a_run_begins_and_ends(work: UnitOfWork) -> None:
    begun = run(mode="paper", strategy=StrategyId("sma-cross"), parameters='{"fast":10}', code_version="1", exit="")
    in_one(work, lambda records: records.runs.begin(begun))
    with work.begin() as records:
        assert list(records.runs.runs(ACCOUNT)) == [begun]
        records.runs.end(ACCOUNT, begun.id, TsNs(BIG), WORDS)
        [ended] = records.runs.runs(ACCOUNT)
        assert (ended.ended_ns, ended.exit, ended.activity) == (BIG, WORDS, None)
        records.runs.begin(begun)
        assert list(records.runs.runs(ACCOUNT)) == [begun]
    refused(work, lambda records: records.runs.end(ACCOUNT, RunId("none"), TsNs(1), ""), "no run none of account")


def test_runs_come_newest_first_in_pages_that_miss_none(work: UnitOfWork) -> None:
    begun = [run(number, started_ns=TsNs(AT + number // 3)) for number in range(9)]
    with work.begin() as records:
        for one in (*begun[4:], *begun[:4], run(1, account=AccountId("other"))):
            records.runs.begin(one)
        seen: list[Run] = []
        while page := records.runs.runs(ACCOUNT, before=seen[-1] if seen else None, limit=2):
            seen += page
        assert seen == sorted(begun, key=lambda one: (-one.started_ns, one.id))


def test_a_backtest_is_kept_with_every_digit(work: UnitOfWork) -> None:
    made = backtest(total_return=-BIG, max_drawdown=None, sharpe=BIG, document=WORDS, parameters=WORDS)
    with work.begin() as records:
        records.runs.begin(run())
        number = records.backtests.add(made)
    with work.begin() as records:
        assert list(records.backtests.backtests()) == [msgspec.structs.replace(made, number=number)]


def test_a_backtest_belongs_to_a_run(work: UnitOfWork) -> None:
    refused(work, lambda records: records.backtests.add(backtest()), "belongs to a run, and no run run-1 of account")


def test_backtests_come_newest_first_in_pages(work: UnitOfWork) -> None:
    with work.begin() as records:
        records.runs.begin(run())
        for number in range(7):
            records.backtests.add(backtest(strategy=StrategyId("ab"[number % 2]), trades=number))
        numbers: list[int] = []
        while page := records.backtests.backtests(before=numbers[-1] if numbers else None, limit=3):
            numbers += [one.number for one in page]
        assert [one.trades for one in records.backtests.backtests()] == [6, 5, 4, 3, 2, 1, 0]
        assert numbers == [one.number for one in records.backtests.backtests()]
        assert [one.trades for one in records.backtests.backtests(strategy="b", limit=2)] == [5, 3]


def test_models_are_versions_by_name(work: UnitOfWork) -> None:
    first = model(1, metrics='{"auc":"0.61"}', data_hashes=("a" * 64, "b" * 64))
    other = model(1, name="Ägir", hash="f" * 64)
    with work.begin() as records:
        for one in (model(10), first, model(2), other):
            records.models.add(one)
        assert list(records.models.versions("regime")) == [model(10), model(2), first]
        assert list(records.models.versions()) == [model(10), model(2), first, other]
    for same in (model(2, hash="e" * 64), model(3, hash=first.hash)):
        refused(work, partial(add_model, same), "cannot be recorded")


def test_there_is_one_champion(work: UnitOfWork) -> None:
    with work.begin() as records:
        for version in (1, 2, 3):
            records.models.add(model(version))
        records.models.promote("regime", 1, Stage.CHAMPION)
        records.models.promote("regime", 3, Stage.CHAMPION)
        stages = [one.stage for one in records.models.versions()]
        assert stages == [Stage.CHAMPION, Stage.CANDIDATE, Stage.RETIRED]
    refused(work, lambda records: records.models.add(model(4, stage=Stage.CHAMPION)), "another champion is there")
    refused(work, lambda records: records.models.promote("regime", 9, Stage.CHAMPION), "no version 9 of model regime")
    with work.begin() as records:
        assert [one.stage for one in records.models.versions()] == stages


def test_a_setting_remembers_what_it_was(work: UnitOfWork) -> None:
    changes = [setting(1, WORDS), setting(2, "null"), setting(3, str(BIG))]
    with work.begin() as records:
        for one in (*changes, setting(1, key="a"), setting(1, key="B")):
            records.settings.put(one)
        assert records.settings.get("risk.day_loss") == changes[-1]
        assert list(records.settings.history("risk.day_loss")) == changes[::-1]
        assert list(records.settings.settings()) == [setting(1, key="B"), setting(1, key="a"), changes[-1]]


@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_setting_that_was_changed_meanwhile_is_not_overwritten(work: UnitOfWork, version: int) -> None:
    in_one(work, lambda records: records.settings.put(setting(1)))
    refused(work, lambda records: records.settings.put(setting(version)), "changed by somebody else meanwhile")


WRITER = """
import sys
from manjha.adapters.sql.database import Database
from manjha.adapters.sql.unit_of_work import SqlUnitOfWork
from manjha.domain.errors import UsageError
from tests.contract.test_records import backtest, run, setting

work, mine, put = SqlUnitOfWork(Database(sys.argv[1])), int(sys.argv[2]), 0
for number in range(40):
    with work.begin() as records:
        records.runs.begin(run(mine))
        records.backtests.add(backtest(mine, trades=number))
    while True:
        try:
            with work.begin() as records:
                held = records.settings.get("shared")
                records.settings.put(setting((held.version if held else 0) + 1, str(mine), "shared"))
            break
        except UsageError:
            continue
print("done")
"""


def test_two_processes_write_at_once_and_nothing_is_lost(url: str, work: UnitOfWork) -> None:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    # Neither finds tables: making them is part of what they do at once.
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, str(mine)], stdout=subprocess.PIPE, env=environment)
        for mine in (1, 2)
    ]
    assert [writer.communicate(timeout=120)[0] for writer in writers] == [b"done\n"] * 2
    with work.begin() as records:
        found = records.backtests.backtests(limit=200)
        history = records.settings.history("shared")
    assert sorted((one.run, one.trades) for one in found) == [(f"run-{n}", at) for n in (1, 2) for at in range(40)]
    assert [one.version for one in history] == list(range(80, 0, -1))
    assert [one.value for one in history].count("1") == 40


def test_a_database_that_does_not_answer_is_named() -> None:
    nowhere = SqlUnitOfWork(Database("postgresql://manjha@/none?host=/nowhere"))
    with pytest.raises(SettingsError, match="cannot be used"), nowhere.begin():
        pass
