"""The root command: names what there is, and loads a command's module when it is used, so that help is quick."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("manjha.app.cli.up", "Try it: a backtest, then a day of paper trading, on a synthetic market."),
    "demo": ("manjha.app.cli.demo", "Try it: a synthetic market, a backtest on it, a report."),
    "data": ("manjha.app.cli.data", "Bring market data in, look at it, check it, take it out."),
    "backtest": ("manjha.app.cli.backtest", "Run a strategy on stored data, with every rupee of charges."),
    "trade": ("manjha.app.cli.trade", "Trade a strategy: on paper, or with --live at Kite."),
    "login": ("manjha.app.cli.login", "Log in at Kite for today; the session is kept sealed."),
    "logout": ("manjha.app.cli.logout", "End today's session at Kite and forget it."),
    "doctor": ("manjha.app.cli.doctor", "Is everything there that trading at Kite needs?"),
    "orders": ("manjha.app.cli.orders", "The day's orders of the account at Kite."),
    "positions": ("manjha.app.cli.positions", "What the account at Kite holds."),
    "funds": ("manjha.app.cli.funds", "The money of the account at Kite."),
    "feed": ("manjha.app.cli.feed", "Publish Kite's ticks, so that one connection serves many processes."),
    "exchange": ("manjha.app.cli.exchange", "A simulated exchange that official Kite clients can trade on."),
    "bias-check": ("manjha.app.cli.bias", "Does a strategy, an indicator or a feature look ahead?"),
    "sweep": ("manjha.app.cli.sweep", "Try every combination of parameters, or a sample of them."),
    "optimize": ("manjha.app.cli.optimize", "Let a study look for good parameters."),
    "walk-forward": ("manjha.app.cli.walk_forward", "Choose on the past, run on what came after, window by window."),
    "validate": ("manjha.app.cli.validate", "How much of the best of all trials is luck?"),
    "evolve": ("manjha.app.cli.evolve", "Breed trading rules from indicators; the best become strategy files."),
    "journal": ("manjha.app.cli.journal", "The journal of an account: is it whole, what is in it?"),
    "kill": ("manjha.app.cli.kill", "Stop trading: throw the kill switch, also when nothing else answers."),
    "resume": ("manjha.app.cli.resume", "Lift the kill switch, with a reason and the account's id."),
    "leader": ("manjha.app.cli.leader", "Who trades an account; take it away from a process that is stopped."),
    "control": ("manjha.app.cli.control", "Tell a running trader what to do, and ask it how things stand."),
    "sentinel": ("manjha.app.cli.sentinel", "Watch a trader from outside; stop trading when it cannot."),
    "serve": ("manjha.app.cli.serve", "Serve the API: everything the bot does, over HTTP."),
    "token": ("manjha.app.cli.token", "Tokens that let programs use the API."),
    "secret": ("manjha.app.cli.secret", "Keep the secrets: set, get, list them, change the key that seals them."),
    "password": ("manjha.app.cli.password", "The password that a browser logs in with."),
    "audit": ("manjha.app.cli.audit", "The log of who was let in and what was changed: is it whole, what is in it?"),
    "lockdown": ("manjha.app.cli.lockdown", "A token or password is stolen: stop trading, let nobody in any more."),
    "notify": ("manjha.app.cli.notify", "Send a test message to every address that notes go to."),
    "db": ("manjha.app.cli.db", "The database of records: its state, its migrations, its read models."),
    "strategy": ("manjha.app.cli.strategy", "List strategies, start one of your own, check it."),
}
"""Commands in the order in which help lists them: the module whose `app` is the command, and one line of help.

A `typer.Typer` with one command and no callback is that command; with several it is a group.
"""


class LazyGroup(TyperGroup):
    """A group that knows the names and the help of its commands, and imports one when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return all names."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """Return a stand-in that carries the help; the command itself comes with `resolve_command`."""
        if cmd_name not in COMMANDS:
            return None
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is called, loaded."""
        # The group suggests close names from here.
        self.commands = {name: self.get_command(ctx, name) for name in COMMANDS}
        name, stand_in, rest = super().resolve_command(ctx, args)
        if name is None or stand_in is None:
            return name, stand_in, rest
        command = typer.main.get_command(import_module(COMMANDS[name][0]).app)
        command.name = name
        return name, command, rest


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"manjha {version('manjha')}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_say_version, is_eager=True, help="Say the version."),
) -> None:
    """Algorithmic trading for Indian markets: real data in, an honest backtest out."""
