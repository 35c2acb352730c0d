"""Back-adjustment factors of corporate actions as exact ratios, and their chain as known on a day.

Prices before an ex-day are multiplied by the price ratio; volumes by the volume ratio (splits and bonuses only: other
actions leave the number of shares that trade as it was). Trading itself uses raw prices; this is for what indicators
see. Rules: INDIAN_MARKETS section 6.
"""

from collections.abc import Mapping, Sequence
from math import gcd

import msgspec

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.errors import DataError
from manjha.domain.moments import TradingDay, format_day
from manjha.domain.money import Px, Qty, Rounding, divide


class Ratio(msgspec.Struct, frozen=True, gc=False):
    """A positive ratio in lowest terms."""

    numerator: int
    denominator: int


class AdjustmentStep(msgspec.Struct, frozen=True, gc=False):
    """What to multiply by before `ex_day`: all actions of this day and later ones that were known are in it."""

    ex_day: TradingDay
    price: Ratio
    volume: Ratio


ONE = Ratio(1, 1)
"""No adjustment."""


def ratio(numerator: int, denominator: int) -> Ratio:
    """Return a ratio in lowest terms; both parts are positive."""
    shared = gcd(numerator, denominator)
    return Ratio(numerator // shared, denominator // shared)


def price_ratio(action: CorporateAction, cum_close: int, *, total_return: bool = False) -> Ratio:
    """Return what prices before the ex-day are multiplied by.

    `cum_close` is the last close before the ex-day in 1e-4 rupee. Ordinary dividends count in a total-return series
    only.

    Raises
    ------
    DataError
        Counts of shares are not positive, or what was paid out is not less than the price.
    """
    new, old, cash = action.new_shares, action.old_shares, action.cash
    if new <= 0 or old <= 0 or cash < 0:
        raise DataError(_message(action, "counts of shares that are positive and an amount that is not negative"))
    match action.kind:
        case ActionKind.SPLIT | ActionKind.BONUS:
            return ratio(old, new)
        case ActionKind.RIGHTS:
            _require_close(action, cum_close)
            return ratio(*rights_ratio(cum_close, new, old, cash))
        case ActionKind.DIVIDEND if not total_return:
            return ONE
        case ActionKind.DIVIDEND | ActionKind.SPECIAL_DIVIDEND | ActionKind.DEMERGER:
            _require_close(action, cum_close)
            return ratio(cum_close - cash, cum_close)


def volume_ratio(action: CorporateAction) -> Ratio:
    """Return what volumes before the ex-day are multiplied by."""
    counts = action.kind is ActionKind.SPLIT or action.kind is ActionKind.BONUS
    return ratio(action.new_shares, action.old_shares) if counts else ONE


def adjustment_chain(
    actions: Sequence[CorporateAction],
    cum_closes: Mapping[TradingDay, Px],
    as_of: TradingDay,
    *,
    total_return: bool = False,
) -> tuple[AdjustmentStep, ...]:
    """Return the cumulative ratios of one instrument as known on a day, by ex-day, oldest first.

    A bar of day d is multiplied by the first step with `ex_day > d`. An action counts once it is effective (`ex_day` at
    or before `as_of`) and known. `cum_closes` gives the last close before an ex-day for the kinds that need it.

    Raises
    ------
    DataError
        A close is needed and missing, or an action is malformed.
    """
    counted = [a for a in actions if a.ex_day <= as_of and (a.known_day is None or a.known_day <= as_of)]
    steps: list[AdjustmentStep] = []
    price = volume = ONE
    for action in sorted(counted, key=lambda a: a.ex_day, reverse=True):
        price = _product(price, price_ratio(action, cum_closes.get(action.ex_day, 0), total_return=total_return))
        volume = _product(volume, volume_ratio(action))
        if steps and steps[-1].ex_day == action.ex_day:
            steps.pop()
        steps.append(AdjustmentStep(action.ex_day, price, volume))
    return tuple(reversed(steps))


def step_for(chain: Sequence[AdjustmentStep], day: int) -> AdjustmentStep | None:
    """Return the step that adjusts a bar of this day, or None where nothing has to be done."""
    return next((step for step in chain if step.ex_day > day), None)


def rights_ratio(cum_close: int, new: int, old: int, cash: int) -> tuple[int, int]:
    """Return the price ratio of rights as two integers: `new` shares after for `old` before, issued at `cash` each.

    Plain integers, as `adjusted`, so that the compiled kernel runs the same functions.
    """
    return cum_close * old + cash * (new - old), cum_close * new


def adjusted(px: int, numerator: int, denominator: int) -> int:
    """Return a price times a ratio, half up; none of them is negative."""
    return (2 * px * numerator + denominator) // (2 * denominator)


def adjusted_px(px: int, by: Ratio) -> Px:
    """Return an adjusted price, half up at 1e-4 rupee."""
    return Px(adjusted(px, by.numerator, by.denominator))


def adjusted_qty(qty: int, by: Ratio) -> Qty:
    """Return an adjusted volume, rounded down to whole units."""
    return Qty(divide(qty * by.numerator, by.denominator, Rounding.DOWN))


def adjusted_contract(strike: int, lot: int, by: Ratio) -> tuple[Px, Qty]:
    """Return strike and lot of a contract after an action: strike × ratio, lot ÷ ratio, so the notional stays."""
    return adjusted_px(strike, by), Qty(divide(lot * by.denominator, by.numerator))


def _product(a: Ratio, b: Ratio) -> Ratio:
    return ratio(a.numerator * b.numerator, a.denominator * b.denominator)


def _require_close(action: CorporateAction, cum_close: int) -> None:
    payout = 0 if action.kind is ActionKind.RIGHTS else action.cash
    if cum_close <= payout:
        raise DataError(
            _message(action, f"a close before the ex-day above what was paid out ({cum_close} against {payout})"),
            hint="Import the bar of the trading day before, or correct the action.",
        )


def _message(action: CorporateAction, expected: str) -> str:
    return f"{action.kind} of {action.instrument} on {format_day(action.ex_day)}: expected {expected}"
