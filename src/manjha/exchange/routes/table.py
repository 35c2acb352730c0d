"""All that can be asked of the exchange."""

from manjha.exchange.calls import Route
from manjha.exchange.routes import instruments, margins, orders, portfolio, quotes, session, simulation, triggers

ROUTES: tuple[Route, ...] = (
    *session.ROUTES,
    *orders.ROUTES,
    *portfolio.ROUTES,
    *margins.ROUTES,
    *quotes.ROUTES,
    *triggers.ROUTES,
    *instruments.ROUTES,
    *simulation.ROUTES,
)
