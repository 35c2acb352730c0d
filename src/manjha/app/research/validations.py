"""A question to the ledger from words: what `manjha validate` asks."""

from collections.abc import Mapping
from typing import Any

import msgspec

from manjha.app.research.searches import load_spec
from manjha.app.research.terms import parse_params
from manjha.app.settings import Settings
from manjha.domain.errors import UsageError
from manjha.domain.moments import day_of, format_day
from manjha.domain.trials import Trial
from manjha.ports.trials import TrialLedger
from manjha.research.backtest import BacktestSpec
from manjha.research.overfit import Independence
from manjha.research.search.variants import data_set_of
from manjha.services.validation import Question, require_study


class ValidationWords(msgspec.Struct, frozen=True, kw_only=True):
    """What a user types. Either a strategy on instruments, or a study, or both."""

    strategy: str
    instruments: tuple[str, ...]
    terms: Mapping[str, Any]
    study: str = ""
    variant: str = ""
    independence: str = "all"
    seed: int = 0


def ask(settings: Settings, ledger: TrialLedger, words: ValidationWords) -> Question:
    """Return the question. Raises `ManjhaError` with what is expected."""
    variant = require_question(words)
    spec: BacktestSpec | None = None
    if words.strategy and words.instruments:
        spec = load_spec(settings, words.strategy, words.instruments, words.terms)
        strategy, data_set = spec.strategy.name, data_set_of(spec)
    else:
        strategy, data_set = require_study(ledger, words.study)
    return Question(
        strategy=strategy,
        data_set=data_set,
        study=words.study,
        variant=variant,
        spec=spec,
        seed=words.seed,
        independence=Independence(words.independence),
    )


def require_question(words: ValidationWords) -> Mapping[str, str]:
    """Return the variant that is asked about, before any data is looked at. Raises `UsageError`."""
    if not words.study and not (words.strategy and words.instruments):
        raise UsageError(
            "expected a strategy and an instrument, or a study",
            hint="Like: manjha validate -s sma-cross --instrument NSE:INFY, or --study NAME.",
        )
    variant = parse_params([one for one in words.variant.split(",") if one.strip()])
    if words.independence not in set(Independence):
        raise UsageError(f"unknown independence {words.independence!r}", hint=f"There are {', '.join(Independence)}.")
    return variant


def load_again(settings: Settings, words: ValidationWords, trial: Trial) -> BacktestSpec:
    """Return the run of a trial from what the ledger knows of it, under the options that were given."""
    names, _, interval = trial.subject.data_set.rpartition(" ")
    span = {
        "start": format_day(day_of(trial.subject.first_ns)),
        "end": format_day(day_of(trial.subject.last_ns)),
    }
    instruments = words.instruments or tuple(names.split(", "))
    terms = {**words.terms, **span, "interval": interval}
    return load_spec(settings, words.strategy or trial.subject.strategy, instruments, terms)
