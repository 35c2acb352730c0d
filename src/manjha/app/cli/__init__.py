"""The command line: `manjha`."""

import sys
from collections.abc import Sequence


def main(args: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit code."""
    # Imports are inside of what is guarded: they take most of the time in which somebody sees his mistake.
    try:
        from manjha.app.cli.errors import guarded
        from manjha.app.cli.root import app
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    sys.exit(guarded(lambda: app(args=args, prog_name="manjha"), sys.argv[1:] if args is None else args))
