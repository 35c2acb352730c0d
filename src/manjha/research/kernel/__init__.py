"""The compiled backtest: what the event engine does, in compiled code, for strategies that state columns.

`run_kernel` runs a backtest and returns a `KernelOutcome`; `kernel_refusal` says why not; `KernelSteps` goes bar by
bar; `warm` compiles ahead. `docs/kernel.md` says what is covered.
"""

from manjha.research.kernel.cache import warm
from manjha.research.kernel.outcome import KernelOutcome
from manjha.research.kernel.refusal import kernel_refusal
from manjha.research.kernel.run import KernelMarket, KernelRefused, run_kernel, run_stated
from manjha.research.kernel.steps import KernelSteps

__all__ = [
    "KernelMarket", "KernelOutcome", "KernelRefused", "KernelSteps", "kernel_refusal", "run_kernel", "run_stated",
    "warm",
]  # fmt: skip
