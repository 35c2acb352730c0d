"""What servers of ours log, and what the API tells Prometheus."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from manjha.api.metrics import HttpFigures
from manjha.app.logs import logging_of
from manjha.app.observing.exposed import exposed, new_registry

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from manjha.api.problems import Logged
    from manjha.app.settings import Settings


class LoggedErrors:
    """Writes down what callers are not told, with the reference that they were given."""

    def __init__(self, log: "FilteringBoundLogger") -> None:
        self._log = log

    def __call__(self, reference: str, error: Exception) -> None:
        """Write it down: which error, and where it was raised; no values of variables."""
        where = "".join(traceback.format_exception(error))
        self._log.error("request failed", reference=reference, error=repr(error), where=where[-3_000:])


class ServedApi:
    """What an API needs to be observed. `figures` is None where Prometheus does not ask."""

    def __init__(self, logged: "Logged", figures: HttpFigures | None) -> None:
        self.logged, self.figures = logged, figures


@contextmanager
def observed_api(settings: "Settings") -> Iterator[ServedApi]:
    """Give it until the end of the block. Raises `UsageError` where the port for Prometheus is taken."""
    registry, port = new_registry(), settings.metrics.api_port
    with logging_of(settings, "api", os.environ) as log, exposed(registry, port, "metrics.api_port"):
        yield ServedApi(LoggedErrors(log.lines), None if port is None else HttpFigures(registry))
