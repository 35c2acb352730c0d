"""What is checked before a job is queued, in the words that the command would use; no bars are read."""

from manjha.app.bootstrap import bar_store, instrument_book, require_source, trial_ledger
from manjha.app.data_runs import import_terms, wanted_of
from manjha.app.jobs.data_runs import fetch_words, import_words
from manjha.app.jobs.research_runs import (
    bias_words,
    course_of,
    route_of,
    search_words,
    validation_words,
    words_of,
)
from manjha.app.research.backtests import asked_backtest
from manjha.app.research.bias_runs import bias_request
from manjha.app.research.search_runs import walk_of
from manjha.app.research.searches import candidates_of
from manjha.app.research.terms import parse_span
from manjha.app.research.validations import require_question
from manjha.app.settings import Settings
from manjha.domain.bars import DAY, Interval
from manjha.domain.errors import UsageError
from manjha.domain.instrument import InstrumentId
from manjha.ports.market_data import BarStore
from manjha.research.search.study import parse_sampler
from manjha.services.backtests import BacktestRequest
from manjha.services.bias_checks import FunctionRequest
from manjha.services.jobs.asked import (
    BacktestAsked,
    BiasCheckAsked,
    FetchAsked,
    ImportAsked,
    OptimisationAsked,
    SearchAsked,
    SweepAsked,
    Terms,
    ValidationAsked,
    WalkForwardAsked,
    as_pairs,
)
from manjha.services.stored import load_bars, span_ns
from manjha.services.sweeps import parse_sampling
from manjha.services.validation import require_study

NOTHING: tuple[Interval, ...] = ()


def check_backtest(settings: Settings, asked: BacktestAsked) -> None:
    """Refuse what cannot be run: strategy, parameters, terms, instruments, data."""
    extra = {"adjustment": asked.adjustment, "bias_check": asked.bias_check, "ticks": asked.ticks}
    words = words_of(asked.terms) | extra
    _require_data(
        settings,
        asked_backtest(settings, asked.strategy, as_pairs(asked.params), asked.instruments, words),
    )


def check_sweep(settings: Settings, asked: SweepAsked) -> None:
    """Refuse what cannot be searched."""
    parse_sampling(asked.sample, asked.seed)
    _check_search(settings, asked, (asked.objective,))


def check_optimisation(settings: Settings, asked: OptimisationAsked) -> None:
    """Refuse what cannot be searched."""
    parse_sampler(course_of(asked).sampler, len(set(asked.objectives)))
    _check_search(settings, asked, asked.objectives)


def check_walk_forward(settings: Settings, asked: WalkForwardAsked) -> None:
    """Refuse what cannot be walked."""
    walk_of(route_of(asked))
    _check_search(settings, asked, (asked.objective,))


def check_validation(settings: Settings, asked: ValidationAsked) -> None:
    """Refuse a question that means nothing, a study that there is not, data that is not there."""
    words = validation_words(asked)
    require_question(words)
    if words.strategy and words.instruments:
        _check_terms(settings, words.strategy, words.instruments, asked.terms)
    else:
        require_study(trial_ledger(settings), words.study)


def check_bias_check(settings: Settings, asked: BiasCheckAsked) -> None:
    """Refuse what cannot be checked."""
    pairs = [f"{name}={value}" for name, value in as_pairs(asked.params).items()]
    request = bias_request(settings, (asked.strategy, asked.indicator), asked.instruments, bias_words(asked), pairs)
    _require_data(settings, request)


def check_import(settings: Settings, asked: ImportAsked) -> None:
    """Refuse words that mean nothing."""
    del settings
    import_terms(import_words(asked))


def check_fetch(settings: Settings, asked: FetchAsked) -> None:
    """Refuse a source that there is not, and days that are none."""
    del settings
    require_source(asked.source)
    wanted_of(fetch_words(asked))
    parse_span(asked.start, asked.end)
    if not asked.instruments:
        raise UsageError("a download needs an instrument", hint="Give one like NSE:RELIANCE.")


def _check_search(settings: Settings, asked: SearchAsked, objectives: tuple[str, ...]) -> None:
    if not objectives:
        raise UsageError("a search needs an objective", hint="Like sharpe, or min:volatility.")
    candidates_of(settings, search_words(asked, objectives, with_returns=False))
    _check_terms(settings, asked.strategy, asked.instruments, asked.terms)


def _check_terms(settings: Settings, strategy: str, instruments: tuple[str, ...], terms: Terms) -> None:
    _require_data(settings, asked_backtest(settings, strategy, {}, instruments, words_of(terms)))


def _require_data(settings: Settings, request: BacktestRequest | FunctionRequest) -> None:
    """Refuse instruments that are not known, and spans of which nothing is stored."""
    names: tuple[str, ...]
    if isinstance(request, FunctionRequest):
        names, further = (request.instrument,), NOTHING
    else:
        names, further = request.instruments, request.also
    if not names:
        raise UsageError("an instrument is expected", hint="Give one like NSE:RELIANCE.")
    store, book = bar_store(settings), instrument_book(settings)
    span = (request.start, request.end)
    for name in names:
        found = book.find(name, request.start)
        for interval in (request.interval, *further):
            if not _is_stored(store, found.id, interval, span_ns(span), request.adjustment):
                # What is there and what is not is said by who would read it; there is nothing to read.
                load_bars(store, found, interval, span, request.adjustment)


def _is_stored(
    store: BarStore, instrument: InstrumentId, interval: Interval, span: tuple[int, int], adjustment: str
) -> bool:
    """Tell whether bars of the span are stored at this interval, or at a finer one that it can be made of."""
    return any(
        (info.interval == interval or (info.interval < interval and (interval == DAY or not interval % info.interval)))
        and adjustment in ("", info.adjustment)
        and info.first_ns < span[1]
        and info.last_ns >= span[0]
        for info in store.series(instrument)
    )
