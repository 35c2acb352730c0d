"""Charges that do not come with a fill: exercise tax, depository charge, square-off, interest, physical delivery.

Amounts in 1e-4 rupee. Percentages of a value are rounded half up at 1e-4 rupee, like the lines of a fill.
"""

from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument, Kind, Right
from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash
from manjha.domain.orders import Product
from manjha.market.charges import charge_segment, is_agricultural, line_amount
from manjha.market.rules import MarketRules, in_force, keyed


def exercise_tax(rules: MarketRules, option: Instrument, day: TradingDay, settlement: int, qty: int) -> Cash:
    """Return the transaction tax on an option that is exercised at expiry; the long pays it, the short nothing.

    `settlement` is the underlying's final price, `qty` the units held long. An option that is not in the money is not
    exercised and pays nothing. The base was the whole settlement value until 2019-08-31, the intrinsic value since.

    Raises
    ------
    UsageError
        The instrument is no option.
    """
    if option.kind is not Kind.OPTION or option.strike is None:
        raise UsageError(f"{option.display} is no option, so it is not exercised")
    over = settlement - option.strike if option.right is Right.CALL else option.strike - settlement
    segment = charge_segment(option, Product.NRML)
    untaxed = is_agricultural(rules, option) or segment == "currency_options"
    if over <= 0 or qty <= 0 or untaxed:
        return Cash(0)
    rows = keyed((row for row in rules.stt_exercise if row.segment == segment), "stt_exercise", segment)
    row = in_force(rows, day, "stt_exercise", segment)
    return Cash(line_amount((over if row.on_intrinsic else settlement) * qty, row.rate))


def depository_charge(rules: MarketRules, day: TradingDay) -> Cash:
    """Return the charge of one ISIN sold from demat on a day, GST included."""
    return with_gst(rules, in_force(rules.dp, day, "dp").amount, day)


def square_off_fee(rules: MarketRules, day: TradingDay) -> Cash:
    """Return the fee of one order that the broker placed to square off, GST included."""
    return named_fee(rules, "auto_square_off", day)


def physical_delivery_fee(rules: MarketRules, day: TradingDay, value: int, *, netted_off: bool = False) -> Cash:
    """Return the brokerage of a stock derivative that is settled by delivery of `value`, GST included."""
    return named_fee(rules, "physical_delivery_netted" if netted_off else "physical_delivery", day, value)


def funding_interest(rules: MarketRules, day: TradingDay, funded: int, days: int) -> Cash:
    """Return the interest on the funded amount of an MTF position for `days` calendar days, counted from T+1."""
    return Cash(named_fee(rules, "mtf_interest", day, funded) * days)


def pledge_fee(rules: MarketRules, day: TradingDay) -> Cash:
    """Return the fee of one pledge or unpledge request of one ISIN, GST included."""
    return named_fee(rules, "mtf_pledge", day)


def named_fee(rules: MarketRules, name: str, day: TradingDay, value: int = 0) -> Cash:
    """Return a fee of the table by name; `value` is what a rate applies to. Raises `OutsideTable`."""
    return Cash(fee_amount(value, *fee_terms(rules, name, day)))


def fee_terms(rules: MarketRules, name: str, day: TradingDay) -> tuple[int, int, int]:
    """Return amount, rate and GST of a fee, as `fee_amount` takes them. Raises `OutsideTable`."""
    rows = keyed((row for row in rules.fee if row.name == name), "fee", name)
    row = in_force(rows, day, "fee", name)
    return row.amount, row.rate, in_force(rules.gst, day, "gst").rate if row.taxed else 0


def fee_amount(value: int, amount: int, rate: int, gst: int) -> int:
    """Return an amount and a rate of a value, with GST; rates in 1e-9. For the compiled kernel, as `line_amount`."""
    fee = amount + line_amount(value, rate)
    return fee + line_amount(fee, gst)


def with_gst(rules: MarketRules, amount: int, day: TradingDay) -> Cash:
    """Return an amount plus the GST (or service tax) of the day."""
    return Cash(amount + line_amount(amount, in_force(rules.gst, day, "gst").rate))
