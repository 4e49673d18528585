"""The frame of a page for people: the evaluation's report and a version's model card look alike by it.

A page is one file: no script, no link, no network, no date. It is readable on a telephone, in dark colours
and on paper. Standard library only, since the registry imports it too. Text that people have stored, such as
the name of a class, comes through :func:`text`, and nothing in it becomes markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

_LONGEST = 120
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_HEBREW_TO_ARABIC = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\U00010800-\U00010fff\U0001e800-\U0001efff"
_RIGHT_TO_LEFT = re.compile(f"[{_HEBREW_TO_ARABIC}]+(?: +[{_HEBREW_TO_ARABIC}]+)*")

STYLE = """
:root { color-scheme: light dark; --page: #f4f6f8; --card: #fff; --ink: #1f2933; --soft: #52606d;
  --line: #dfe4ea; --c0: #2f6db5; --c1: #c05621; --c2: #2f855a; --c3: #805ad5; --c4: #b83280; --c5: #0987a0;
  --c6: #975a16; --c7: #4a5568; --c8: #c53030; --c9: #5a67d8; --grey: #8793a0; --yes: #22703f; --no: #b3261e;
  --yes-back: #e3f5ea; --no-back: #fde8e8; --heat: 47 109 181; }
@media (prefers-color-scheme: dark) { :root { --page: #12161b; --card: #1b2129; --ink: #e4e9ef;
  --soft: #a4b0bd; --line: #323b46; --c0: #6aa5e8; --c1: #ed8936; --c2: #68d391; --c3: #b794f4; --c4: #f687b3;
  --c5: #4fd1e0; --c6: #d69e5e; --c7: #a0aec0; --c8: #fc8181; --c9: #a3bffa; --grey: #7d8a98; --yes: #7fdca0;
  --no: #ff9b94; --yes-back: #173826; --no-back: #451c1c; --heat: 106 165 232; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI",
  "Noto Sans", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 28px 16px 56px; }
h1 { font-size: 25px; line-height: 1.25; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 18px; line-height: 1.3; margin: 0 0 10px; overflow-wrap: anywhere; }
h3 { font-size: 15px; margin: 18px 0 6px; }
p { margin: 0 0 12px; }
p.lead { color: var(--soft); margin: 0 0 20px; overflow-wrap: anywhere; }
section, .tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
section { padding: 18px 20px; margin: 0 0 18px; }
section > :last-child { margin-bottom: 0; }
section.passed { border-left: 6px solid var(--yes); }
section.refused { border-left: 6px solid var(--no); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(155px, 1fr)); gap: 12px;
  margin: 0 0 18px; }
.tile { padding: 12px 16px; }
.tile b { display: block; font-size: 25px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span, .tile small, .note, figcaption, .legend { color: var(--soft); font-size: 13px; }
.tile small { display: block; font-variant-numeric: tabular-nums; }
.mark { border-radius: 9px; padding: 1px 9px; font-size: 13px; font-weight: 600; white-space: nowrap; }
.mark.yes { background: var(--yes-back); color: var(--yes); }
.mark.no { background: var(--no-back); color: var(--no); }
.note { margin: 10px 0; }
dl { margin: 0; display: grid; grid-template-columns: minmax(110px, max-content) 1fr; gap: 4px 16px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
.wide { overflow-x: auto; margin: 0 0 12px; background: no-repeat local 0 / 24px 100%
    linear-gradient(90deg, var(--card) 40%, transparent),
  no-repeat local 100% / 24px 100% linear-gradient(270deg, var(--card) 40%, transparent),
  no-repeat 0 / 10px 100% linear-gradient(90deg, var(--line), transparent),
  no-repeat 100% / 10px 100% linear-gradient(270deg, var(--line), transparent); }
dl + .wide { margin-top: 12px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 12px 5px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
  overflow-wrap: break-word; }
th { color: var(--soft); font-weight: 600; }
thead th { vertical-align: bottom; }
td:first-child:not(.number), tbody th { min-width: 7em; max-width: 22em; overflow-wrap: anywhere; }
td:has(> bdi), td:first-child:has(> bdi):not(.number) { min-width: 10em; }
td.number, th.number { text-align: right; white-space: nowrap; }
th.number { white-space: normal; }
.whole { white-space: nowrap; }
tr.now td { font-weight: 700; }
table.matrix th, table.matrix td { padding: 4px 8px; max-width: 9em; min-width: 4.5em;
  overflow-wrap: anywhere; }
table.matrix thead th + th { text-align: right; }
table.matrix td { text-align: right; border: 1px solid var(--line); }
.check { margin: 0 0 14px; } .check p { margin: 4px 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 18px;
  margin: 0 0 12px; }
figure { margin: 0; max-width: 460px; min-width: 0; break-inside: avoid; }
figcaption { font-weight: 600; color: var(--ink); }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--soft); font-size: 11px; font-family: inherit; }
svg .axis { stroke: var(--line); } svg .frame { stroke: var(--grey); fill: none; }
svg .guide { stroke: var(--grey); stroke-dasharray: 4 3; fill: none; }
svg .limit { stroke: var(--no); stroke-width: 2; }
svg .span { stroke: var(--c0); stroke-width: 5; opacity: .45; }
svg .value { fill: var(--c0); stroke: var(--c0); } svg .column { fill: var(--c0); }
svg .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .dots { fill: none; stroke-linecap: round; stroke-width: 4; opacity: .45; }
svg.bar { width: 90px; height: 10px; margin-top: 6px; } svg.bar rect { fill: var(--c0); }
svg.strip { width: 230px; height: 30px; } svg.strip .dots { stroke-width: 3; opacity: .75; }
svg.interval { max-width: 520px; }
svg.key { display: inline-block; width: 26px; height: 10px; margin-right: 6px; }
svg.key path { stroke-width: 4; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 2px 0 0; padding: 0; list-style: none; }
.legend li { overflow-wrap: anywhere; }
.v0 { stroke: #2166ac; } .v1 { stroke: #67a9cf; } .v2 { stroke: #9a8fa8; } .v3 { stroke: #ef8a62; }
.v4 { stroke: #b2182b; } .v5 { stroke: var(--grey); }
@media (max-width: 560px) { section { padding: 14px; } dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin: 0 0 8px; } table { font-size: 13px; } th, td { padding-right: 8px; }
  td:first-child:not(.number), tbody th { min-width: 6em; }
  td:has(> bdi), td:first-child:has(> bdi):not(.number) { min-width: 8em; } td .whole { display: block; }
  svg.bar { width: 40px; } svg.strip { width: 150px; } }
@media print {
  :root { color-scheme: light; --page: #fff; --card: #fff; --ink: #000; --soft: #333; --line: #ccc;
    --c0: #2f6db5; --grey: #777; --yes: #22703f; --no: #b3261e; --yes-back: #fff; --no-back: #fff;
    --heat: 47 109 181; }
  body { font-size: 10.5px; } main { max-width: none; padding: 0; }
  h1 { font-size: 20px; } h2 { font-size: 14px; } h3 { font-size: 11px; } h2, h3 { break-after: avoid; }
  .note, .legend, .mark, figcaption, .tile span, .tile small { font-size: 9.5px; }
  .tile b { font-size: 16px; }
  section { padding: 8px 0; margin: 0 0 8px; border-width: 1px 0 0; border-radius: 0; }
  section.passed, section.refused { padding-left: 10px; }
  .wide { overflow: visible; background: none; } .wide, tr, .check, .tile { break-inside: avoid; }
  thead { display: table-header-group; }
  th, td { padding: 2px 8px 2px 0; } table.matrix th, table.matrix td { padding: 2px 3px; font-size: 8px; }
  .figures { grid-template-columns: 1fr 1fr; } * { print-color-adjust: exact; }
}
""" + "".join(f"td.h{step} {{ background: rgb(var(--heat) / {step * 6}%); }}\n" for step in range(1, 11))
"""``c0`` to ``c9`` are colours of curves, ``v0`` to ``v4`` of low to high values (``v5``: without one),
``h1`` to ``h10`` shades of a cell."""


def text(value: object, most: int = _LONGEST) -> str:
    """Any text in one escaped line: what hides or reorders text is spelled out, what is too long is cut."""
    line = " ".join(str(value).split())
    line = _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), line)
    return escape(line if len(line) <= most else line[: most - 1] + "…")


def prose(value: object, most: int = _LONGEST) -> str:
    """A sentence as :func:`text` writes it; words that are written from right to left, such as the name of a
    class, leave the order of the numbers around them as it is."""
    return _RIGHT_TO_LEFT.sub(r"<bdi>\g<0></bdi>", text(value, most))


def name(value: object, most: int = _LONGEST) -> str:
    """A name in any script: its direction of writing does not change that of the text around it."""
    return f"<bdi>{text(value, most)}</bdi>"


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page.

    Args:
        title: plain text.
        parts: markup, one below the other.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main></body></html>\n"
    )


def section(title: str, *content: str, kind: str = "") -> str:
    """A part of the page under a heading of its own; the title is plain text, the content markup."""
    chosen = f' class="{kind}"' if kind else ""
    return f"<section{chosen}><h2>{text(title)}</h2>\n" + "\n".join(content) + "</section>"


def note(content: str) -> str:
    """Words below a table or a picture; markup."""
    return f'<p class="note">{content}</p>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values, both markup."""
    return "<dl>" + "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in pairs) + "</dl>"


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, words: Sequence[int] = (0,), now: int | None = None
) -> str:
    """A table of markup.

    Args:
        words: the columns that hold words; the others hold numbers, to the right.
        now: the row that is the one in use.
    """

    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{'' if place in words else ' class=number'}>{cell}</{tag}>"
            for place, cell in enumerate(cells)
        )

    body = "\n".join(
        f"<tr{' class=now' if place == now else ''}>{line(row, 'td')}</tr>" for place, row in enumerate(rows)
    )
    return (
        f'<div class="wide"><table><thead><tr>{line(head, "th")}</tr></thead>\n<tbody>{body}</tbody>'
        "</table></div>"
    )
