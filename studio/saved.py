"""A page as one HTML file that needs nothing else: no server, no script, no token, no network.

The file shows what the page showed at one moment. Its style stands in it; what acts or leads to other pages
(scripts, forms, fields, links) is taken out, and it tells the browser to load nothing.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from html.parser import HTMLParser
from urllib.parse import parse_qsl, unquote

from starlette.routing import Match, Route

from aws_formats.errors import GatehouseError
from aws_formats.times import moment
from studio.access import Access
from studio.app import Studio
from studio.links import BASE, new_token
from studio.pages import PAGES
from studio.pages.answers import Asked, Document, Page, Redirect
from studio.source import Source

_PATIENCE = 60.0
"""Seconds for which a file waits for what is still being read: unlike a page, it cannot ask again."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_WITHOUT_CONTENT = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_LEFT_OUT = frozenset({"script", "form", "input", "button", "select", "textarea", "link"})
_LEFT_OUT_CLASSES = frozenset({"skip", "filter", "stale"})


def saved_page(source: Source, path: str, now: datetime | None = None) -> str:
    """The page at a path below the pages' base, as the text of a file.

    Raises:
        GatehouseError: there is no such page, or it cannot be shown.
    """
    page, asked = _page_at(path)
    answer = page(replace(source, patience=_PATIENCE), asked)
    if isinstance(answer, Redirect):
        raise GatehouseError(f"{path} is no page of its own", remedy=f"Save {answer.path}")
    if isinstance(answer, Document):
        return answer.text
    style = importlib.resources.files("studio").joinpath("static/studio.css").read_text(encoding="utf-8")
    head = f'<meta http-equiv="content-security-policy" content="{_POLICY}"><style>\n{style}</style>'
    saved = f"<p>Saved on {escape(moment(now or datetime.now(UTC)))}.</p>\n"
    writer = _Rewriter(before={"head": head, "main": saved})
    studio = Studio(source, Access(new_token()))
    writer.feed(studio.html(answer.template, f"{BASE}{path}", **answer.values))
    writer.close()
    return "".join(writer.written)


def _page_at(path: str) -> tuple[Page, Asked]:
    place, _, query = path.partition("?")
    scope = {"type": "http", "method": "GET", "path": unquote(place)}
    for address, page in PAGES.items():
        match, found = Route(address, page).matches(scope)
        if match is Match.FULL:
            return page, Asked(found["path_params"], dict(parse_qsl(query)), {})
    raise GatehouseError(f"there is no page {path!r}")


class _Rewriter(HTMLParser):
    """Writes the same document without what acts; `before` is written before the end of an element."""

    def __init__(self, before: dict[str, str]) -> None:
        super().__init__(convert_charrefs=False)
        self.written: list[str] = []
        self._before = before
        self._left_out: list[str] = []  # the open elements from the one that is left out on

    def handle_starttag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        has_content = tag not in _WITHOUT_CONTENT
        classes = set((dict(attributes).get("class") or "").split())
        if self._left_out or tag in _LEFT_OUT or classes & _LEFT_OUT_CLASSES:
            if has_content:
                self._left_out.append(tag)
            return
        self._write_start(tag, attributes, ">")

    def handle_startendtag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        if not self._left_out and tag not in _LEFT_OUT:
            self._write_start(tag, attributes, "/>")

    def handle_endtag(self, tag: str) -> None:
        if self._left_out:
            if tag == self._left_out[-1]:
                self._left_out.pop()
            return
        self.written.append(f"{self._before.get(tag, '')}</{tag}>")

    def _write_start(self, tag: str, attributes: Sequence[tuple[str, str | None]], end: str) -> None:
        kept = (
            f" {name}" if value is None else f' {name}="{escape(value)}"'
            for name, value in attributes
            if not name.startswith("hx-") and not (name == "href" and not (value or "").startswith("#"))
        )
        self.written.append(f"<{tag}{''.join(kept)}{end}")

    def _write(self, text: str) -> None:
        if not self._left_out:
            self.written.append(text)

    def handle_data(self, data: str) -> None:
        self._write(data)

    def handle_entityref(self, name: str) -> None:
        self._write(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._write(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self._write(f"<!{decl}>")
