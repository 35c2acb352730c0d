"""All that can be asked of the exchange."""

from manjha.exchange.calls import Route
from manjha.exchange.routes import actors, faults, instruments, orders, saving, session, simulation

ROUTES: tuple[Route, ...] = (
    *session.ROUTES,
    *orders.ROUTES,
    *instruments.ROUTES,
    *simulation.ROUTES,
    *actors.ROUTES,
    *faults.ROUTES,
    *saving.ROUTES,
)
