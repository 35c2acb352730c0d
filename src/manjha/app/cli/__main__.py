"""`python -m manjha.app.cli`: the same as the command `manjha`."""

from manjha.app.cli import main

main()
