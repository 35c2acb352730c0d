"""Where an account is traded, written into its folder once: a simulation and real money never share a journal."""

from pathlib import Path

from manjha.adapters.files.durable import write_whole
from manjha.domain.errors import UsageError

FILE = "traded-at"
PAPER, KITE, SIMULATED_KITE = "paper", "kite", "a simulated exchange"


def traded_at(folder: Path) -> str:
    """Return where an account is traded, empty where nobody has traded it; see `claim`."""
    try:
        return (folder / FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return PAPER if (folder / "journal.db").exists() else ""


def claim(folder: Path, where: str) -> None:
    """Write down where an account is traded; a folder of before this was written down is one of paper trading.

    Raises
    ------
    UsageError
        It is traded elsewhere: what one of the two knows of positions and orders is not so at the other.
    """
    file, before = folder / FILE, traded_at(folder)
    if before and before != where:
        raise UsageError(
            f"account {folder.name} is traded at {before} here, not at {where}",
            hint=f"Trade it with another MANJHA_HOME, or name another account. {folder} says what it did so far.",
        )
    if not file.exists():
        write_whole(file, f"{where}\n".encode())
