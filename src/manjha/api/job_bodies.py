"""What jobs are asked with over HTTP: the fields of `services.jobs.asked`, with their bounds and examples."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from manjha.api.words import AskedDay, InstrumentName, IntervalText

_TEXT = StringConstraints(max_length=1_000)
_WORD = StringConstraints(max_length=100)
StrategyName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$"),
    Field(examples=["sma-cross"], description="A strategy of the library, or of MANJHA_HOME/strategies."),
]
NameOrNothing = Annotated[
    str,
    StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,199})?$"),
    Field(examples=["sma-cross"], description="A name; empty for none."),
]
StudyName = Annotated[
    str,
    StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,199})?$"),
    Field(examples=["first-look"], description="A name for it; empty: made from what is asked."),
]
Instruments = Annotated[list[InstrumentName], Field(min_length=1, max_length=500, examples=[["NSE:RELIANCE"]])]
Intervals = Annotated[list[IntervalText], Field(max_length=20, description="Further bars that it may see.")]
Params = Annotated[
    dict[Annotated[str, _WORD], Annotated[str, _WORD] | int | float],
    Field(max_length=100, examples=[{"fast": 10, "slow": 50}], description="Values by the names of parameters."),
]
Ranges = Annotated[
    list[Annotated[str, _TEXT]],
    Field(max_length=500, examples=[["fast=5:50:5", "slow=20:200:20"]], description="name=low:high:step or name=a,b."),
]
Conditions = Annotated[list[Annotated[str, _TEXT]], Field(max_length=500, examples=[["fast < slow"]])]
Objective = Annotated[str, _WORD, Field(examples=["sharpe"], description="A metric, like sharpe or min:volatility.")]
Sample = Annotated[str, _WORD, Field(examples=["lhs:500"], description="lhs:500 draws 500; empty is all.")]
Seed = Annotated[int, Field(ge=0, lt=2**63, description="The same seed gives the same result.")]
Top = Annotated[int, Field(ge=1, le=10_000, description="How many of the best are in the result.")]
Word = Annotated[str, _WORD]


class Body(BaseModel, extra="forbid", strict=True):
    """What every body is: nothing but its fields, each of its type."""


class AskedTerms(Body):
    """The terms of a backtest, as `manjha backtest` takes them."""

    interval: IntervalText = "1d"
    also: Intervals = []
    start: AskedDay = Field(default="", alias="from")
    end: AskedDay = Field(default="", alias="to")
    cash: Word = Field(default="10 lakh", description="Capital: 1000000, 10 lakh, 1cr.")
    size: Word = Field(default="", description="qty:100, capital:0.5, risk:1%, volatility:15%; empty: equal shares.")
    slippage: Word = Field(default="1tick", description="none, 1tick, 5bps, volume:10bps.")
    participation: Word = Field(default="100%", description="Share of a bar's volume, or any.")
    fill: Word = Field(default="next-open", description="next-open, or close (the deciding bar's).")
    limit: Word = Field(default="touch", description="touch or penetration.")
    path: Word = Field(default="worst", description="worst or best.")
    latency_ms: int = Field(default=0, ge=0, le=3_600_000)
    product: Word = Field(default="", description="CNC, MIS or NRML; empty: the strategy's.")
    index_proxy: bool = Field(default=False, description="Trade an index as its future.")


class AskedBacktest(Body):
    """A backtest. `ticks` is empty, or one text like synthetic:10."""

    strategy: StrategyName
    instruments: Instruments
    terms: AskedTerms = AskedTerms()
    params: Params = {}
    adjustment: Word = Field(default="", description="raw, split or total; empty: raw where stored.")
    ticks: list[Word] = Field(default=[], max_length=20)
    bias_check: bool = True
    band: bool = Field(default=True, description="Run it again under other assumptions.")


class _Search(Body):
    strategy: StrategyName
    instruments: Instruments
    terms: AskedTerms = AskedTerms()
    ranges: Ranges = []
    constraints: Conditions = []
    seed: Seed = 0
    study: StudyName = ""


class AskedSweep(_Search):
    """Every combination of parameters, or a sample of them."""

    sample: Sample = ""
    objective: Objective = "sharpe"
    top: Top = 10
    returns: bool = Field(default=True, description="Keep daily returns in the ledger.")


class AskedOptimisation(_Search):
    """A study that proposes combinations; asked again with more trials, it goes on."""

    objectives: list[Objective] = Field(default=["sharpe"], min_length=1, max_length=10)
    trials: int = Field(default=100, ge=1, le=1_000_000, description="In all, earlier ones of the study included.")
    sampler: Word = Field(default="", description="tpe, cma-es or nsga2; empty: by the number of objectives.")
    batch: int = Field(default=8, ge=1, le=1000)
    prune: bool = Field(default=False, description="Give up what is poor on the first quarter or half.")
    top: Top = 10
    returns: bool = Field(default=True, description="Keep daily returns in the ledger.")


class AskedWalkForward(_Search):
    """Parameters chosen on the past, run on what came after, window by window."""

    windows: int = Field(default=10, ge=1, le=1000)
    ratio: float = Field(default=4.0, gt=0, le=1000, description="Training is so many times as long as its test.")
    anchored: bool = Field(default=False, description="Train on everything before, not on the last part.")
    gap: int = Field(default=0, ge=0, le=10_000, description="Days between training and test.")
    sample: Sample = ""
    objective: Objective = "sharpe"


class AskedValidation(Body):
    """How much of the best of all trials is luck: of a strategy on instruments, of a study, or both."""

    strategy: NameOrNothing = ""
    instruments: list[InstrumentName] = Field(default=[], max_length=500, examples=[["NSE:RELIANCE"]])
    terms: AskedTerms = AskedTerms()
    study: StudyName = ""
    variant: str = Field(default="", max_length=1_000, description="Judge fast=5,slow=20 instead of the best.")
    independence: Word = Field(default="all", description="all, correlation or clusters.")
    seed: Seed = 0


class AskedBiasCheck(Body):
    """Does a strategy, or an indicator of the registry, look ahead? One of the two is given."""

    strategy: NameOrNothing = ""
    indicator: NameOrNothing = ""
    instruments: Instruments
    interval: IntervalText = "1d"
    also: Intervals = []
    start: AskedDay = Field(default="", alias="from")
    end: AskedDay = Field(default="", alias="to")
    adjustment: Word = Field(default="", description="raw, split or total; empty: raw where stored.")
    params: Params = {}
    size: Word = ""
    participation: Word = "100%"
    fill: Word = "next-open"
    product: Word = ""
    index_proxy: bool = False
    points: int = Field(default=24, ge=1, le=10_000, description="Where the run is cut and changed.")
    seed: Seed = 0


class AskedFetch(Body):
    """A download of what is missing."""

    source: Word = Field(examples=["nse"], description="kite, yahoo, nse or bse.")
    instruments: Instruments
    interval: IntervalText = "1d"
    start: AskedDay = Field(alias="from")
    end: AskedDay = Field(alias="to")


class AskedImport(BaseModel, extra="forbid"):
    """What is said of a file beside its content; empty where it says it itself."""

    name: str = Field(
        default="", max_length=200, examples=["RELIANCE.csv"], description="What the file is called; no path of it."
    )
    format: Word = Field(default="", description="Force a format by name.")
    instrument: str = Field(default="", max_length=200, description="What a file is of that does not say it.")
    interval: Annotated[str, StringConstraints(pattern=r"^([0-9]{0,5}(s|m|min|minute|h|hour|d|day)s?)?$")] = ""
    unit: Word = Field(default="", description="rupees or paise, where it cannot be known.")
    stamps: Word = Field(default="", description="open or close: what a bar's time means.")
    zone: Word = Field(default="", description="IST or UTC, for times without a zone.")
    day: AskedDay = Field(default="", description="The day of a file that does not say its own.")
    replace: bool = Field(default=False, description="Let rows overwrite stored ones that differ.")
