"""A backtest request from words: what the command line and the Python API have in common."""

from collections.abc import Mapping
from typing import Any

from manjha.app.research.terms import parse_amount, parse_participation, parse_sizing, parse_slippage, parse_span
from manjha.domain.bars import parse_interval
from manjha.domain.errors import UsageError
from manjha.domain.orders import Product
from manjha.services.backtests import BacktestRequest
from manjha.simulator.fills import FillRules, LimitFill, MarketFill, Path
from manjha.strategy.interface import Strategy

DEFAULTS: Mapping[str, Any] = {
    "interval": "1d",
    "also": (),
    "start": "",
    "end": "",
    "adjustment": "",
    "cash": "10 lakh",
    "size": "",
    "slippage": "1tick",
    "participation": "100%",
    "fill": "next-open",
    "limit": "touch",
    "path": "worst",
    "latency_ms": 0,
    "product": "",
    "index_proxy": False,
    "seed": 0,
    "bias_check": True,
    "ticks": (),
}
"""What a request takes, with the value of what is not given."""

_FILLS = {"next-open": MarketFill.NEXT_OPEN, "close": MarketFill.DECIDING_CLOSE}


def make_request(strategy: Strategy, instruments: tuple[str, ...], words: Mapping[str, Any]) -> BacktestRequest:
    """Return the request that the words mean. Raises `UsageError` naming the word and what is expected."""
    unknown = [name for name in words if name not in DEFAULTS]
    if unknown:
        raise UsageError(f"a backtest has no option {unknown[0]!r}", hint="It has " + ", ".join(DEFAULTS) + ".")
    chosen = {**DEFAULTS, **words}
    start, end = parse_span(chosen["start"], chosen["end"])
    return BacktestRequest(
        strategy=strategy,
        instruments=instruments,
        interval=parse_interval(chosen["interval"]),
        also=tuple(parse_interval(text) for text in chosen["also"]),
        start=start,
        end=end,
        adjustment=_one_of("--adjustment", chosen["adjustment"].lower(), _STATES),
        initial=parse_amount(str(chosen["cash"])),
        sizing=parse_sizing(chosen["size"]),
        fills=FillRules(
            market=_one_of("--fill", chosen["fill"], _FILLS),
            limit=_one_of("--limit-fill", chosen["limit"], {str(kind): kind for kind in LimitFill}),
            path=_one_of("--intrabar", chosen["path"], {str(kind): kind for kind in Path}),
            participation_ppm=parse_participation(str(chosen["participation"])),
        ),
        slippage=parse_slippage(chosen["slippage"]),
        latency_ns=int(chosen["latency_ms"]) * 1_000_000,
        index_proxy=bool(chosen["index_proxy"]),
        product=_one_of("--product", chosen["product"].upper(), _PRODUCTS) if chosen["product"] else None,
        seed=int(chosen["seed"]),
        bias_check=bool(chosen["bias_check"]),
        ticks=tuple(chosen["ticks"]),
    )


_STATES = {state: state for state in ("", "raw", "split", "total")}
_PRODUCTS = {str(product): product for product in (Product.CNC, Product.MIS, Product.NRML)}


def _one_of(option: str, text: str, choices: Mapping[str, Any]) -> Any:
    if text not in choices:
        raise UsageError(f"{option} expects one of {', '.join(filter(None, choices))}, was {text!r}")
    return choices[text]
