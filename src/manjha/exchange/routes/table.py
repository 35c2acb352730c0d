"""All that can be asked of the exchange."""

from manjha.exchange.calls import Route
from manjha.exchange.routes import faults, instruments, orders, saving, session, simulation

ROUTES: tuple[Route, ...] = (
    *session.ROUTES,
    *orders.ROUTES,
    *instruments.ROUTES,
    *simulation.ROUTES,
    *faults.ROUTES,
    *saving.ROUTES,
)
