"""The ASGI application: addresses, who may ask, and pages that are made on the server.

Every page is complete HTML at its own address, so that a reload or a bookmark finds the same place; htmx
asks for the part that changes and puts it in place of the old one. Handlers are plain functions, which run
in Starlette's threads, because reading waits for SageMaker.
"""

from __future__ import annotations

import asyncio
import importlib.resources
import logging
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_denied
from aws_formats.sizes import size_in_words
from aws_formats.times import duration, moment
from aws_formats.visible_text import visible
from registry.model_quality import metric_kind
from studio import charts, graph, words
from studio.access import COOKIE, HEADERS, SANDBOX, Access
from studio.links import BASE
from studio.pages import ASKED_BY_FORM, CHANGES, PAGES
from studio.pages.answers import Asked, Document, Page, Redirect
from studio.source import SettingsError, Source

_FOLDER = Path(str(importlib.resources.files("studio")))
_COOKIE_SECONDS = 30 * 86400
_LARGEST_FORM = 64 << 10
_FORM_SECONDS = 10.0
_HEADINGS = {
    400: "The form did not arrive",
    404: "There is nothing at this address",
    405: "This address is not used like that",
    408: "The form did not arrive in time",
    413: "The form is too large",
}
_LAST = {"connection": "close"}
_log = logging.getLogger(__name__)

AsgiApp = Starlette
Endpoint = Callable[[Request], Awaitable[Response]]


def create(source: Source, access: Access) -> AsgiApp:
    """The application; it answers below ``/studio/``.

    Args:
        source: which settings and which SageMaker are shown.
        access: who may see them.
    """
    studio = Studio(source, access)
    routes = [Route(path, studio.reading(page)) for path, page in PAGES.items()]
    routes += [Route(path, studio.sent(page), methods=["POST"]) for path, page in ASKED_BY_FORM.items()]
    routes += [
        Route(path, studio.sent(page, changes=True), methods=["POST"]) for path, page in CHANGES.items()
    ]
    static = StaticFiles(directory=_FOLDER / "static")
    return Starlette(
        routes=[
            Route("/", lambda _: RedirectResponse(f"{BASE}/")),
            Route(BASE, lambda _: RedirectResponse(f"{BASE}/")),
            Mount(f"{BASE}/static", static),
            Mount(BASE, routes=routes),
        ],
        middleware=[Middleware(_OwnHostOnly, access=access)],
        exception_handlers={HTTPException: studio.nothing_there},
    )


class _OwnHostOnly:
    """Refuses requests by a foreign name before anything else sees them; every answer gets our headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                is_static = scope["path"].startswith(f"{BASE}/static/")
                headers.setdefault("cache-control", "no-cache" if is_static else "no-store")
            await send(message)

        if scope["type"] != "http":
            return
        app = self._app
        if not self._access.is_own_host(Request(scope).headers.get("host", "")):
            app = Response("This address does not name this machine.\n", 403, media_type="text/plain")
        await app(scope, receive, send_with_headers)


class Studio:
    """What every page needs: the source, the templates, and who may ask."""

    def __init__(self, source: Source, access: Access) -> None:
        self.source, self._access = source, access
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "ago": words.ago,
            "approval": words.approval,
            "duration": duration,
            "moment": moment,
            "size": size_in_words,
            "visible": visible,
        }
        self._templates.globals |= {
            "base": BASE,
            "charts": charts,
            "graph": graph,
            "metric_kind": metric_kind,
        }

    def page(self, template: str, request: Request, status: int = 200, **values: Any) -> Response:
        """A template, filled in."""
        return HTMLResponse(self.html(template, request.url.path, **values), status)

    def html(self, template: str, path: str, **values: Any) -> str:
        """The text of a template, filled in for the page at this path."""
        values |= {"source": self.source, "path": path, "form_token": self._access.form_token}
        return self._templates.get_template(template).render(values)

    def reading(self, page: Page) -> Endpoint:
        """A page that changes nothing."""

        async def answer(request: Request) -> Response:
            given = request.query_params.get("token")
            if given is None or request.method != "GET":
                return await self._answer(page, request, {})
            # A used link still leads to its page in the browser that it has let in.
            if self._access.lets_in(given) or self._access.is_known(request.cookies.get(COOKIE)):
                return _let_in(request, self._access.token)
            return self.page("locked.html", request, 403, is_link=True)

        return answer

    def sent(self, page: Page, *, changes: bool = False) -> Endpoint:
        """A page that a form is sent to: only for a form of one of our own pages.

        Args:
            changes: whether it changes something, which pages that only read refuse.
        """

        async def answer(request: Request) -> Response:
            form = await _form(request)
            if not self._access.may_change(request.headers, form.get("form_token")):
                return self._problem(request, "This form was not sent by one of these pages", None, 403)
            if changes and not self.source.allow_changes:
                text = "Start it with --allow-changes to change something"
                return self._problem(request, "These pages only read", text, 403)
            return await self._answer(page, request, form)

        return answer

    async def _answer(self, page: Page, request: Request, form: Mapping[str, str]) -> Response:
        if not self._access.is_known(request.cookies.get(COOKIE)):
            return self.page("locked.html", request, 403, is_link=False)
        asked = Asked(request.path_params, request.query_params, form)
        try:
            answer = await run_in_threadpool(page, self.source, asked)
            if isinstance(answer, Redirect):
                return RedirectResponse(BASE + answer.path, 303)
            if isinstance(answer, Document):
                return HTMLResponse(answer.text, headers=SANDBOX)
            return self.page(answer.template, request, **answer.values)
        except SettingsError as error:
            return self._problem(request, "The settings cannot be read", error.on_lines, 503)
        except GatehouseError as error:
            return self._problem(request, "This cannot be done or shown", str(error), 404)
        except (ClientError, BotoCoreError) as error:
            is_refusal = isinstance(error, ClientError) and is_denied(error)
            heading = "You have no permission for this" if is_refusal else "SageMaker gave no answer"
            return self._problem(request, heading, str(error), 502)
        except Exception:
            # The path alone: a query can hold a token.
            _log.exception("the page %s could not be made", visible(request.url.path))
            text = "This is a mistake in Gatehouse; the log of the process that serves this page says more."
            return self._problem(request, "This page could not be made", text, 500)

    def _problem(self, request: Request, heading: str, text: str | None, status: int) -> Response:
        return self.page("problem.html", request, status, heading=heading, text=text)

    async def nothing_there(self, request: Request, error: Exception) -> Response:
        """What is shown where there is nothing at an address, or nothing for that method."""
        if not isinstance(error, HTTPException):
            raise error
        answer = self._problem(
            request, _HEADINGS.get(error.status_code, error.detail), None, error.status_code
        )
        answer.headers.update(error.headers or {})
        return answer


async def _form(request: Request) -> Mapping[str, str]:
    """The fields of a form.

    Raises:
        HTTPException: it is larger than any of these pages sends, or does not arrive in time.
    """
    body = b""
    try:
        async with asyncio.timeout(_FORM_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > _LARGEST_FORM:
                    raise HTTPException(413, headers=_LAST)
    except TimeoutError as error:
        raise HTTPException(408, headers=_LAST) from error
    except ClientDisconnect as error:
        raise HTTPException(400) from error
    return dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _let_in(request: Request, cookie: str) -> Response:
    """The browser gets the cookie, and the link's token leaves the address."""
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
    query = f"?{urllib.parse.urlencode(others)}" if others else ""
    response = RedirectResponse(request.url.path + query, 303)
    response.set_cookie(COOKIE, cookie, max_age=_COOKIE_SECONDS, path=BASE, httponly=True, samesite="strict")
    return response
