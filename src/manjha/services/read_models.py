"""Bringing the read models of an account up to its journal: step by step, or anew from the first row."""

from collections.abc import Callable, Sequence
from itertools import islice

import msgspec

from manjha.domain.charges import LINES, ChargeLines
from manjha.domain.errors import DataError, JournalHalted, UsageError
from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash
from manjha.domain.orders import Fill, Product
from manjha.domain.read_models import FORM, OrderView, Reached
from manjha.engine.journaling import value_of
from manjha.market.charges import RateCard, fill_charges, rate_card
from manjha.market.rules import MarketRules
from manjha.ports.journal import Journal
from manjha.ports.unit_of_work import Records, UnitOfWork
from manjha.services.folding import InstrumentOf, Known, Reference
from manjha.services.journals import verified
from manjha.services.projection import Read, named_in, project

BATCH = 2_000
"""Rows of the journal in one transaction."""
Progress = Callable[[int, int], None]
"""Called after each transaction with the row reached and the journal's last one."""


class Followed(msgspec.Struct, frozen=True):
    """From which row the read models have come, and how far."""

    before: Reached
    reached: Reached


def rebuild(
    journal: Journal, work: UnitOfWork, reference: Reference, *, batch: int = BATCH, tell: Progress | None = None
) -> Followed:
    """Make the read models of a journal's account anew. Whoever reads them meanwhile sees the first part of them.

    A kill in between leaves what a part of the journal adds up to; `follow` or another `rebuild` ends it.

    Raises
    ------
    JournalHalted
        The journal is not whole, or its rows contradict each other; what was there stays in the first case.
    DataError
        A contract ended or was adjusted that nobody knows.
    UsageError
        Another process writes the same read models.
    """
    found = verified(journal, None)
    if found.faults:
        raise JournalHalted(
            f"the journal of {found.head.account} is not whole: {found.faults[0].what}",
            hint="`manjha journal verify` lists what is wrong. The read models stay as they were.",
        )
    with work.begin() as records:
        records.read_models.forget(found.head.account)
    return follow(journal, work, reference, batch=batch, tell=tell)


def follow(
    journal: Journal, work: UnitOfWork, reference: Reference, *, batch: int = BATCH, tell: Progress | None = None
) -> Followed:
    """Go on from where the read models are, up to the end of the journal, in transactions of `batch` rows.

    Raises as `rebuild`, and `UsageError` where the read models were made of another journal.
    """
    head = journal.head()
    with work.begin() as records:
        before = reached = records.read_models.reached(head.account)
    _require_same(journal, reached)
    rows = journal.rows(after=reached.seq)
    while some := [(row, value_of(row.entry)) for row in islice(rows, batch)]:
        with work.begin() as records:
            reached = _write(records, reached, some, reference)
        if tell is not None:
            tell(reached.seq, max(head.seq, reached.seq))
    return Followed(before, reached)


def reference_of(rules: MarketRules, instrument_of: InstrumentOf) -> Reference:
    """Return whom a fold asks: an instrument's charges are those of the rules on the session's day.

    They are not known (None) where the instrument is not, or where the rules have no row for the day.
    """
    cards: dict[tuple[str, Product, TradingDay], RateCard | None] = {}

    def charges_of(fill: Fill, turnover_before: int, day: TradingDay) -> ChargeLines | None:
        key = (fill.instrument, fill.product, day)
        if key not in cards:
            instrument = instrument_of(fill.instrument, day)
            try:
                cards[key] = None if instrument is None else rate_card(rules, instrument, fill.product, day)
            except (DataError, UsageError):
                cards[key] = None
        card = cards[key]
        if card is None:
            return None
        lines = fill_charges(card, fill.side, fill.px * fill.qty, turnover_before)
        return ChargeLines(**dict(zip(LINES, map(Cash, lines), strict=False)))

    return Reference(instrument_of, charges_of)


def _write(records: Records, reached: Reached, some: Sequence[Read], reference: Reference) -> Reached:
    models, account = records.read_models, reached.account
    runs = {run: models.activity(account, run) for run in {row.run for row, _ in some}}
    named = named_in(reached.desk, some)
    orders: list[OrderView] = [*models.orders_named(account, named.orders)]
    if named.wants_open:
        orders += models.orders_at_broker(account, named.tags, named.numbers)
    known = Known(
        reached=reached,
        orders={view.order.id: view for view in orders},
        positions={(one.strategy, one.instrument, one.product): one for one in models.positions(account)},
        runs={run: activity for run, activity in runs.items() if activity is not None},
        reference=reference,
        trades=frozenset(models.trades_named(account, named.trades, after=reached.desk.day_seq)),
    )
    after, changes = project(known, some)
    models.write(reached, after, changes)
    return after


def _require_same(journal: Journal, reached: Reached) -> None:
    """Raise `UsageError` unless the row that the read models have come to is the journal's, and read as of today."""
    if reached.seq == 0:
        return
    if reached.form < FORM:
        raise UsageError(
            f"the read models of {reached.account} were made by an older Manjha, which read less in a journal",
            hint="Rebuild them from the first row: `manjha db rebuild JOURNAL`, without --continue.",
        )
    row = next(iter(journal.rows(after=reached.seq - 1)), None)
    if row is None or row.hash != reached.hash:
        raise UsageError(
            f"the read models of {reached.account} were made of another journal, up to its row {reached.seq}",
            hint="Rebuild them from the first row, or give the journal that they were made of.",
        )
