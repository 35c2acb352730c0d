"""The contract note of a day in a compiled run, exactly as `market.contract_note` rounds it.

Sums of turnover × rate are kept as whole billions and rest. Of the quotients (tax on an average price, duty on a part
of a side) the whole parts are summed; what is left over is below one unit of 1e-13 rupee each, and where the sum of
several could decide a rounding, the run is handed to the event engine instead of guessed.
"""

from manjha.research.kernel.records import AMBIGUOUS
from manjha.research.kernel.rows import card_at, day_at, fill, holding, note, order_at, session_at
from manjha.research.kernel.scalars import Rec, inline, njit, order_brokerage
from manjha.research.kernel.trades import record_step
from manjha.research.kernel.wide import NANO, half_up, multiply_divide, plus, times


@njit
def settle_day(k: Rec) -> None:
    """Book the difference between the day's contract note and what was booked with its fills."""
    r = k
    n = note(k, r.notes)
    n.day, n.dp, n.other = r.day, 0, 0
    n.brokerage = n.stt = n.exchange = n.ipft = n.sebi = n.stamp = n.gst = 0
    for exchange in range(r.exchanges):
        _add_section(k, n, exchange)
    if r.paid:
        for i in range(r.instruments):
            if holding(k, i).note_day == r.day and holding(k, i).sold > holding(k, i).bought:
                n.dp += day_at(k, r.day_row).dp
    lines = r.day_lines
    n.brokerage -= lines[0]
    n.stt -= lines[1]
    n.exchange -= lines[2]
    n.ipft -= lines[3]
    n.sebi -= lines[4]
    n.stamp -= lines[5]
    n.gst -= lines[6]
    if n.brokerage or n.stt or n.exchange or n.ipft or n.sebi or n.stamp or n.gst or n.dp:
        r.cash -= n.brokerage + n.stt + n.exchange + n.ipft + n.sebi + n.stamp + n.gst + n.dp
        r.notes += 1
        record_step(k, -1, 0, 0)


@njit
def _add_section(k: Rec, n: Rec, exchange: int) -> None:
    """Add one exchange's section of the note to its lines."""
    r = k
    if not _sum_sides(k, exchange):
        return
    charge_high, charge_low, ipft_high, ipft_low = 0, 0, 0, 0
    sebi_high, sebi_low, taxed_high, taxed_low, gst = 0, 0, 0, 0, 0
    for at in range(r.today_fills, r.fills):
        f = fill(k, at)
        if holding(k, f.instrument).exchange != exchange:
            continue
        back = _traded_back(k, holding(k, f.instrument), f)
        _add_to_order(k, f, back)
        for part in range(2):
            qty = f.qty - back if part else back
            if qty == 0:
                continue
            s = session_at(k, r.day_row * k.instruments + f.instrument)
            c = card_at(k, s.note_card if part else s.intraday_card)
            turnover = f.px * qty
            high, low = times(turnover, c.exchange)
            charge_high, charge_low = plus(charge_high, charge_low, high, low)
            high, low = times(turnover, c.ipft)
            ipft_high, ipft_low = plus(ipft_high, ipft_low, high, low)
            high, low = times(turnover, c.sebi)
            sebi_high, sebi_low = plus(sebi_high, sebi_low, high, low)
            if c.gst_on_sebi:
                taxed_high, taxed_low = plus(taxed_high, taxed_low, high, low)
            gst = c.gst
    brokerage = (2 * _brokerage(k, exchange) + r.paisa) // (2 * r.paisa) * r.paisa
    charge = half_up(charge_high, charge_low, r.paisa)
    high, low = times(brokerage + charge + half_up(taxed_high, taxed_low, r.paisa), gst)
    n.brokerage += brokerage
    n.exchange += charge
    n.ipft += half_up(ipft_high, ipft_low, r.paisa)
    n.sebi += half_up(sebi_high, sebi_low, r.paisa)
    n.gst += half_up(high, low, r.paisa)
    n.stt += _tax(k, exchange, 1) + _tax(k, exchange, 0)
    if r.contracts:
        n.stt += _tax_of_futures(k, exchange)
    n.stamp += _duty(k, exchange)


@njit
def _sum_sides(k: Rec, exchange: int) -> bool:
    """Sum quantity and value of each side by instrument; tell whether anything traded on the exchange."""
    r, any_trade = k, False
    for at in range(r.today_fills, r.fills):
        f = fill(k, at)
        x = holding(k, f.instrument)
        if x.exchange != exchange:
            continue
        any_trade = True
        if x.note_day != r.day:
            x.note_day, x.bought, x.sold, x.value_bought, x.value_sold = r.day, 0, 0, 0, 0
        if f.side > 0:
            x.bought += f.qty
            x.value_bought += f.px * f.qty
        else:
            x.sold += f.qty
            x.value_sold += f.px * f.qty
    for i in range(r.instruments):
        x = holding(k, i)
        x.back_bought = x.back_sold = min(x.bought, x.sold)
    return any_trade


@inline
def _traded_back(k: Rec, x: Rec, f: Rec) -> int:
    """Return how much of a delivery trade was bought and sold the same day, first trades first."""
    if not k.paid:
        return 0
    if f.side > 0:
        back = min(f.qty, x.back_bought)
        x.back_bought -= back
    else:
        back = min(f.qty, x.back_sold)
        x.back_sold -= back
    return int(back)


@inline
def _add_to_order(k: Rec, f: Rec, back: int) -> None:
    """Count a fill to what its order traded today, apart for what was traded back."""
    o = order_at(k, f.order)
    if o.note_day != k.day:
        o.note_day, o.note_back, o.note_rest = k.day, 0, 0
    o.note_back += f.px * back
    o.note_rest += f.px * (f.qty - back)


@njit
def _brokerage(k: Rec, exchange: int) -> int:
    """Return the brokerage of the day's orders; their parts are billed together where the terms are the same."""
    total, r = 0, k
    for at in range(r.today_fills, r.fills):
        f = fill(k, at)
        o = order_at(k, f.order)
        if holding(k, f.instrument).exchange != exchange or o.note_day != r.day:
            continue
        o.note_day = 0
        s = session_at(k, r.day_row * k.instruments + f.instrument)
        rest, back = card_at(k, s.note_card), card_at(k, s.intraday_card)
        kind, rate, cap = rest.brokerage_kind, rest.brokerage_rate, rest.brokerage_cap
        if (kind, rate, cap) == (back.brokerage_kind, back.brokerage_rate, back.brokerage_cap):
            total += order_brokerage(o.note_back + o.note_rest, kind, rate, cap)
        else:
            total += order_brokerage(o.note_rest, kind, rate, cap)
            total += order_brokerage(o.note_back, back.brokerage_kind, back.brokerage_rate, back.brokerage_cap)
    return total


@njit
def _tax(k: Rec, exchange: int, intraday: int) -> int:
    """Return transaction tax, on the average price of all trades of each share, rounded."""
    high, low, left_over = 0, 0, 0
    for i in range(k.instruments):
        x = holding(k, i)
        if x.exchange != exchange or x.note_day != k.day or x.group >= 0:
            continue
        s = session_at(k, k.day_row * k.instruments + i)
        c = card_at(k, s.intraday_card if intraday else s.delivery_card)
        total, units, both = x.value_bought + x.value_sold, x.bought + x.sold, min(x.bought, x.sold)
        for side in range(2):
            part = both if intraday else (x.sold if side else x.bought) - both
            rate = c.stt_sell if side else c.stt_buy
            high, low, left_over = _add_part(high, low, left_over, (total, part, units, rate))
    return _round(k, high, low, left_over)


@njit
def _tax_of_futures(k: Rec, exchange: int) -> int:
    """Return transaction tax on the turnover of futures, rounded."""
    high, low, left_over = 0, 0, 0
    for i in range(k.instruments):
        x = holding(k, i)
        if x.exchange == exchange and x.note_day == k.day and x.group >= 0:
            c = card_at(k, session_at(k, k.day_row * k.instruments + i).note_card)
            high, low, left_over = _add_part(high, low, left_over, (x.value_bought, x.bought, x.bought, c.stt_buy))
            high, low, left_over = _add_part(high, low, left_over, (x.value_sold, x.sold, x.sold, c.stt_sell))
    return _round(k, high, low, left_over)


@njit
def _duty(k: Rec, exchange: int) -> int:
    """Return stamp duty, on each side's own turnover, rounded."""
    high, low, left_over = 0, 0, 0
    for i in range(k.instruments):
        x = holding(k, i)
        if x.exchange != exchange or x.note_day != k.day:
            continue
        s, both = session_at(k, k.day_row * k.instruments + i), 0 if x.group >= 0 else min(x.bought, x.sold)
        for intraday in range(1 if x.group >= 0 else 2):
            c = card_at(k, s.intraday_card if intraday else s.delivery_card)
            part = both if intraday else x.bought - both
            high, low, left_over = _add_part(high, low, left_over, (x.value_bought, part, x.bought, c.stamp_buy))
            part = both if intraday else x.sold - both
            high, low, left_over = _add_part(high, low, left_over, (x.value_sold, part, x.sold, c.stamp_sell))
    return _round(k, high, low, left_over)


@njit
def _add_part(high: int, low: int, left_over: int, of: tuple[int, int, int, int]) -> tuple[int, int, int]:
    """Add value × part ÷ whole × rate to whole billions and rest; count what is left over below one."""
    value, part, whole, rate = of
    if part == 0 or rate == 0:
        return high, low, left_over
    quotient, rest = multiply_divide(value, part, whole)
    more_high, more_low = times(quotient, rate)
    high, low = plus(high, low, more_high, more_low)
    units = rest * rate // whole
    high, low = plus(high, low, units // NANO, units % NANO)
    return high, low, left_over + (1 if units * whole != rest * rate else 0)


@inline
def _round(k: Rec, high: int, low: int, left_over: int) -> int:
    """Round half up to the rupee; stop the run where several rests could decide it."""
    unit = k.rupee
    rest = high % unit * NANO + low
    half = unit * NANO // 2
    if half - left_over < rest < half:
        k.status = AMBIGUOUS
    return half_up(high, low, unit)
