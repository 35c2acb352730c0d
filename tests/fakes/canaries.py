"""Words that must turn up nowhere, and the search for them in every form in which they might be written down."""

import base64
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus


def canary(name: str) -> str:
    """Return a word that nothing else contains; its signs are written otherwise in an address."""
    return f"canary-{name}/{secrets.token_hex(12)}+&="


def forms(word: str) -> dict[str, bytes]:
    """Return a word as it might be written: plainly, backwards, in hex, base64 (each shift), and in an address."""
    raw = word.encode()
    made = {
        "plain": raw, "reversed": raw[::-1], "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(),
        "quoted": quote(word, safe="").encode(), "quoted plus": quote_plus(word).encode(),
        "json": word.encode("unicode_escape").replace(b"/", b"\\/"), "utf-16": word.encode("utf-16-le"),
    }  # fmt: skip
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            # Where the word stands in what was encoded shifts its letters; the ends depend on what is beside it.
            inner = encode(bytes(shift) + raw)[4 if shift else 0 :]
            made[f"{encode.__name__} {shift}"] = inner[: len(inner) // 4 * 4 - 4]
    return made


def found_in(words: Iterable[str], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Return where a word was found, and in which form; never the word."""
    sought = {(word.split("/")[0], form): text for word in words for form, text in forms(word).items()}
    return [
        f"{name} {form} in {place}" for place, data in places for (name, form), text in sought.items() if text in data
    ]


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of everything below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
