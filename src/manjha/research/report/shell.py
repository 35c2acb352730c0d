"""What every page is made of: one HTML file that needs no network, with style, scripts and ECharts inside."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent
ECHARTS = FOLDER / "vendor" / "echarts-6.1.0.min.js.gz"
BASE = FOLDER / "base.js"


def environment(folder: Path) -> "Environment":
    """Return what fills the templates of a folder; values are escaped, and a missing one is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def shared_parts(scripts: Sequence[Path]) -> dict[str, str]:
    """Return style, ECharts and the scripts of a page, the shared one first, safe to stand inside their elements."""
    return {
        "style": (FOLDER / "page.css").read_text("utf-8"),
        "echarts": _inline(gzip.decompress(ECHARTS.read_bytes()).decode("utf-8")),
        "script": _inline("".join(path.read_text("utf-8") for path in (BASE, *scripts))),
    }


def embedded(value: Any) -> str:
    """Write JSON that no content can break out of: `<`, `>` and `&` are written as escapes. NaN is refused."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def written_page(text: str, path: Path) -> Path:
    """Write a page whole or not at all, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return path


def _inline(script: str) -> str:
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
