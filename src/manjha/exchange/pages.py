"""What a person sees of the exchange in a browser: plain pages that say that nothing on them is real."""

from html import escape

from manjha.exchange.calls import Answer

HTML = "text/html; charset=utf-8"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>
:root {{ --ground: #fff; --text: #1c1c1c; --note: #fff3c4; --edge: #b58900; --press: #1f5fbf; --on: #fff; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ground: #16181b; --text: #e8e6e3; --note: #3a3112; --edge: #d9a514; --press: #7fb0ff; --on: #10151c; }}
}}
body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground);
  margin: 2.5rem auto; max-width: 34rem; padding: 0 1rem; }}
.note {{ background: var(--note); border-left: 4px solid var(--edge); padding: .75rem 1rem; margin: 0; }}
h1 {{ font-size: 1.5rem; line-height: 1.3; overflow-wrap: anywhere; }}
form p {{ display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; }}
label {{ display: flex; gap: .75rem; align-items: center; }}
button, select {{ font: inherit; padding: .4rem .9rem; border: 1px solid currentcolor; border-radius: 4px; }}
button {{ background: var(--press); color: var(--on); border-color: var(--press); cursor: pointer; }}
:focus-visible {{ outline: 3px solid var(--edge); outline-offset: 2px; }}
code {{ overflow-wrap: anywhere; }}
</style></head>
<body><p class="note"><strong>This is a simulation.</strong> {note}</p>
<main>{content}</main></body></html>
"""


def page(title: str, note: str, content: str) -> Answer:
    """Return a page; `content` is HTML, title and note are texts."""
    return Answer(_PAGE.format(title=escape(title), note=escape(note), content=content).encode(), HTML)
