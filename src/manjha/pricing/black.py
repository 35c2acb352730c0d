"""Black-76 and Black–Scholes: price, implied volatility, Greeks of European options.

Prices in rupees as floats, time in years, volatility and rates a year as fractions. All functions are deterministic and
raise `DataError` on input that has no answer; none returns NaN.
"""

from math import erfc, exp, inf, isfinite, log, pi, sqrt

import msgspec

from manjha.domain.errors import DataError
from manjha.domain.instrument import Right

VOL_MAX = 64.0
"""Highest volatility tried: 6400 % a year, far above any quote that is not an error."""
_STEPS_MAX = 200


class European(msgspec.Struct, frozen=True, gc=False):
    """A European option on something that is expected to cost `forward` at expiry.

    `carry` is the growth rate from today's price to the forward: 0 for an option on a future (Black-76), rate less
    dividend yield for one on a share or index (Black–Scholes). Greeks are with respect to today's price.
    """

    right: Right
    forward: float
    strike: float
    years: float
    rate: float
    carry: float = 0.0


class Greeks(msgspec.Struct, frozen=True, gc=False):
    """Sensitivities of one unit of the option.

    `delta` and `gamma` to a rupee of the underlying, `vega` and `rho` to 1.00 of volatility and rate (not 1 %), `theta`
    to one year passing (divide by 365 for a calendar day).
    """

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


def on_future(right: Right, forward: float, strike: float, years: float, rate: float) -> European:
    """Return an option on a future, priced by Black-76."""
    return European(right, forward, strike, years, rate)


def on_spot(right: Right, spot: float, strike: float, years: float, rate: float, dividend: float = 0.0) -> European:
    """Return an option on a share or index with a continuous dividend yield, priced by Black–Scholes."""
    carry = rate - dividend
    return European(right, spot * exp(carry * years), strike, years, rate, carry)


def price(option: European, vol: float) -> float:
    """Return the value today; at expiry or at zero volatility, the discounted intrinsic value."""
    _require_valid(option)
    sign = _sign(option.right)
    discount = exp(-option.rate * option.years)
    spread = vol * sqrt(option.years)
    if spread <= 0:
        return discount * max(sign * (option.forward - option.strike), 0.0)
    d1, d2 = _d(option, spread)
    return discount * sign * (option.forward * _cdf(sign * d1) - option.strike * _cdf(sign * d2))


def implied_vol(option: European, premium: float) -> float:
    """Return the volatility at which the option is worth `premium`, to about 1e-12.

    Newton steps inside a bracket that is halved whenever a step would leave it, on the out-of-the-money side, where the
    time value is not drowned by the intrinsic value.

    Raises
    ------
    DataError
        The premium is below the intrinsic value or above what any volatility up to `VOL_MAX` gives, or time is up.
    """
    _require_valid(option)
    sign = _sign(option.right)
    intrinsic = exp(-option.rate * option.years) * sign * (option.forward - option.strike)
    outside = option
    if intrinsic > 0:
        outside = msgspec.structs.replace(option, right=Right.PUT if sign > 0 else Right.CALL)
    target = premium - max(intrinsic, 0.0)
    if not isfinite(target) or option.years <= 0 or target <= 0:
        raise DataError(f"no volatility gives a premium of {premium!r} for {option}")
    low, high = 0.0, 1.0
    while price(outside, high) < target:
        low, high = high, high * 2
        if high > VOL_MAX:
            raise DataError(f"no volatility up to {VOL_MAX:.0f} gives a premium of {premium!r} for {option}")
    return _solved(outside, target, low, high)


def greeks(option: European, vol: float) -> Greeks:
    """Return the sensitivities; at expiry or zero volatility only delta is left, 0, ±1 or (at the strike) ±½."""
    _require_valid(option)
    sign = _sign(option.right)
    discount, growth = exp(-option.rate * option.years), exp(option.carry * option.years)
    spread = vol * sqrt(option.years)
    if spread <= 0:
        moneyness = sign * (option.forward - option.strike)
        inside = 1.0 if moneyness > 0 else 0.5 if moneyness == 0 else 0.0
        return Greeks(sign * discount * growth * inside, 0.0, 0.0, 0.0, 0.0)
    d1, d2 = _d(option, spread)
    density = exp(-d1 * d1 / 2) / sqrt(2 * pi)
    held, paid = discount * option.forward, discount * option.strike
    root = sqrt(option.years)
    theta = (
        -held * density * vol / (2 * root)
        - (option.carry - option.rate) * sign * held * _cdf(sign * d1)
        - option.rate * sign * paid * _cdf(sign * d2)
    )
    value = sign * (held * _cdf(sign * d1) - paid * _cdf(sign * d2))
    rho = sign * option.years * paid * _cdf(sign * d2) if option.carry else -option.years * value
    return Greeks(
        delta=sign * discount * growth * _cdf(sign * d1),
        gamma=discount * growth * growth * density / (option.forward * spread),
        vega=held * density * root,
        theta=theta,
        rho=rho,
    )


def _solved(option: European, target: float, low: float, high: float) -> float:
    vol = (low + high) / 2
    for _ in range(_STEPS_MAX):
        missing = price(option, vol) - target
        if missing > 0:
            high = vol
        else:
            low = vol
        slope = greeks(option, vol).vega
        step = vol - missing / slope if slope > 0 else inf
        following = step if low < step < high else (low + high) / 2
        if abs(following - vol) <= 1e-13 * max(vol, 1e-3) or missing == 0:
            return following if missing else vol
        vol = following
    return vol


def _d(option: European, spread: float) -> tuple[float, float]:
    d1 = log(option.forward / option.strike) / spread + spread / 2
    return d1, d1 - spread


def _cdf(x: float) -> float:
    return erfc(-x / sqrt(2)) / 2


def _sign(right: Right) -> int:
    return 1 if right is Right.CALL else -1


def _require_valid(option: European) -> None:
    if not (option.forward > 0 and option.strike > 0 and option.years >= 0):
        raise DataError(f"an option needs a positive forward and strike and time left, was {option}")
