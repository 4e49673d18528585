"""Who may see the pages, and who may change something through them.

The pages listen on 127.0.0.1, where every program of every user of this machine can reach them, and every
web page in the user's browser can send requests there. So:

- ``Host`` must name this address, which stops names that somebody else points at 127.0.0.1;
- a link, which the command prints, holds a token that is exchanged for a cookie at the first visit, and only
  then; without the cookie there is nothing to see;
- a change is a POST from a page of our own: ``Origin`` and ``Sec-Fetch-Site`` must say so, and the form
  carries a second token that is made from the first one.

Nothing is loaded from elsewhere, and no script or style stands in the HTML itself: the content security
policy forbids both, so that stored text which a mistake here would let through could still run nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.links import use_link

COOKIE = "gatehouse-studio"
HOSTS = ("127.0.0.1", "localhost", "[::1]")
HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "same-origin",  # with no-referrer a browser sends `Origin: null` with our own forms
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""Sent with every answer."""

SANDBOX: Mapping[str, str] = {
    "content-security-policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
    )
}
"""Sent instead with a document that these pages have not made: it has an origin of its own and no scripts."""


@dataclass(frozen=True)
class Access:
    """Checks requests.

    Attributes:
        token: what the cookie holds.
        links: the folder of the links that nobody has used yet; None where there are none.
    """

    token: str
    links: Path | None = None

    @property
    def form_token(self) -> str:
        """What every form that changes something carries."""
        return hmac.new(self.token.encode(), b"form", hashlib.sha256).hexdigest()

    def is_own_host(self, host: str) -> bool:
        """Whether the request was sent to this machine by a name of this machine, on whatever port."""
        name, colon, port = host.lower().rpartition(":")
        return (name if colon and port.isdecimal() else host.lower()) in HOSTS

    def is_known(self, cookie: str | None) -> bool:
        """Whether the browser has been let in."""
        return cookie is not None and hmac.compare_digest(cookie.encode(), self.token.encode())

    def lets_in(self, link_token: str) -> bool:
        """Whether a link lets this browser in: nobody has used it before."""
        return self.links is not None and use_link(self.links, link_token)

    def may_change(self, headers: Mapping[str, str], form_token: str | None) -> bool:
        """Whether a POST comes from a page of this very address."""
        origin, host = headers.get("origin"), headers.get("host", "")
        is_same = origin is not None and origin.lower() == f"http://{host.lower()}"
        is_foreign = headers.get("sec-fetch-site", "same-origin") != "same-origin"
        given = (form_token or "").encode()
        return is_same and not is_foreign and hmac.compare_digest(given, self.form_token.encode())
