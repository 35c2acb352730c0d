"""A page in a real browser: what it says, what it draws, and whether any of it is cut off or covered."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--virtual-time-budget=8000", "--dump-dom"),
)
NEEDED = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")]
DESKTOP, PHONE = 1440, 390
# The page is measured from within a frame, because a window of Chromium is never as narrow as a phone.
FRAME = """<!doctype html><iframe style="border:0;width:{width}px;height:900px" src="{page}#{theme}"></iframe>
<pre id="found"></pre><script>
addEventListener("message", (event) => {{ document.getElementById("found").textContent = event.data; }});
</script>"""
MEASURE = """<script>
// Every text that a chart draws, with its box in the chart's pixels.
function texts(chart) {
  return chart.getZr().storage.getDisplayList(true).filter((el) => el.type === "tspan" && !el.invisible).map((el) => {
    const box = el.getBoundingRect().clone(), way = el.getComputedTransform();
    if (way) box.applyTransform(way);
    return { text: el.style.text, x: box.x, y: box.y, width: box.width, height: box.height };
  });
}
const apart = (a, b) => a.x + a.width <= b.x + 1 || b.x + b.width <= a.x + 1
  || a.y + a.height <= b.y + 3 || b.y + b.height <= a.y + 3;
function measured() {
  const cut = [], covered = [], labels = {};
  charts.forEach((chart, id) => {
    const found = texts(chart), width = chart.getWidth(), height = chart.getHeight();
    labels[id] = found.map((t) => t.text);
    found.filter((t) => t.x < -1 || t.y < -1 || t.x + t.width > width + 1 || t.y + t.height > height + 1)
      .forEach((t) => cut.push(`${id}: ${t.text}`));
    found.forEach((a, i) => found.slice(i + 1).filter((b) => !apart(a, b))
      .forEach((b) => covered.push(`${id}: ${a.text} / ${b.text}`)));
  });
  const root = document.documentElement;
  const empty = Object.fromEntries([...document.querySelectorAll(".chart.empty")].map((e) => [e.id, e.textContent]));
  return { ...root.dataset, width: innerWidth, wide: root.scrollWidth, cut, covered, labels, empty,
    canvases: document.querySelectorAll("canvas").length, text: document.body.innerText,
    images: document.querySelectorAll("img").length, more: extra() };
}
addEventListener("load", () => parent.postMessage(JSON.stringify(measured()), "*"));
</script>"""


def seen_in(page: Path, *, theme: str = "light", width: int = DESKTOP, extra: str = "null") -> dict[str, Any]:
    """Open a page in a frame of `width` and return what was measured in it; `extra` is a JavaScript expression."""
    folder = page.parent
    script = f"{MEASURE}<script>function extra() {{ return {extra}; }}</script>"
    page.write_text(page.read_text("utf-8") + script, "utf-8")
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(width=width, page=page.name, theme=theme), "utf-8")
    command = [str(BROWSER), f"--user-data-dir={folder / 'profile'}", "--window-size=1500,1000", *FLAGS]
    done = subprocess.run([*command, f"file://{frame}"], check=True, capture_output=True, timeout=120)
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout.decode("utf-8"), re.DOTALL)
    assert found
    assert found[1]
    unescaped = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u00a0").replace("&amp;", "&")
    return dict(json.loads(unescaped))
