"""Records: what is written down once and looked up later, beside what a journal adds up to."""

from enum import StrEnum

import msgspec

from manjha.domain.moments import TsNs
from manjha.domain.money import Cash
from manjha.domain.orders import AccountId, RunId, StrategyId
from manjha.domain.read_models import RunActivity


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What was started: whose account, which strategy, with what. `mode` is a label for people.

    `parameters` is a JSON object, keys sorted. `rules_hash` is of the market rules. `ended_ns` is None while it runs,
    and where it was killed; `exit` says how it ended. `activity` is what the journal tells of it; None is nothing.
    """

    id: RunId
    account: AccountId
    mode: str = ""
    strategy: StrategyId = StrategyId("")
    parameters: str = "{}"
    code_version: str = ""
    rules_hash: str = ""
    started_ns: TsNs
    ended_ns: TsNs | None = None
    exit: str = ""
    activity: RunActivity | None = None


class BacktestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A backtest that was run: what was asked, the figures to list it by, and where its page lies.

    Money in 1e-4 rupee, `total_return`, `max_drawdown` (negative) and `sharpe` (of a day) in 1e-12; None where a figure
    is not defined. `first_ns` is the first bar's open, `last_ns` the last one's close. `document` is empty where no
    page was written. `number` is given by whoever keeps it.
    """

    run: RunId
    account: AccountId
    strategy: StrategyId
    parameters: str
    instruments: str
    data_set: str
    data_hash: str
    first_ns: TsNs
    last_ns: TsNs
    initial: Cash
    final: Cash
    charges: Cash
    trades: int
    total_return: int | None = None
    max_drawdown: int | None = None
    sharpe: int | None = None
    document: str = ""
    made_ns: TsNs
    number: int = 0


class Stage(StrEnum):
    """Where a trained model stands: tried, in use, or no longer."""

    CANDIDATE = "candidate"
    CHAMPION = "champion"
    RETIRED = "retired"


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a trained model; the model itself is a file, found by its hash.

    `version` counts from 1 by name. `hash` is the file's SHA-256, `data_hashes` those of what it was trained on.
    `metrics` is a JSON object, keys sorted.
    """

    name: str
    version: int
    hash: str
    stage: Stage = Stage.CANDIDATE
    metrics: str = "{}"
    data_hashes: tuple[str, ...] = ()
    created_ns: TsNs


class SettingChange(msgspec.Struct, frozen=True, kw_only=True):
    """A setting as it was put at a moment by somebody. `value` is JSON; `version` counts from 1 by key."""

    key: str
    version: int
    value: str
    changed_ns: TsNs
    changed_by: str
