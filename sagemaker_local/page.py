"""What a browser is shown at the endpoint's address: an ASGI application that somebody else brings.

The endpoint itself speaks AWS's protocols and has no pages. A request without AWS's credentials below the
page's prefix is handed on as it is; it is the page that decides who may see what. It is made when it is
first asked for, so an endpoint that nobody looks at pays nothing for it.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

AsgiApp = Callable[..., Any]
"""``await app(scope, receive, send)``"""


@dataclass(frozen=True)
class Page:
    """Where the page is, and what makes it.

    Attributes:
        prefix: of its addresses, e.g. ``/studio``.
        factory: ``module:function``; it is called with the endpoint's URL and the home folder.
    """

    prefix: str
    factory: str
    _made: list[AsgiApp] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def parse(cls, text: str) -> Page:
        """``/studio=module:function``. Raises ValueError: it is not of this form."""
        prefix, _, factory = text.partition("=")
        module, _, function = factory.partition(":")
        names = [*module.split("."), function]
        is_path = prefix.startswith("/") and not prefix.endswith("/")
        if not is_path or not all(name.isidentifier() for name in names):
            raise ValueError(f"'{text}' is not /PREFIX=MODULE:FUNCTION")
        return cls(prefix, factory)

    def has(self, path: str) -> bool:
        """Whether a path is the page's: the root, where a browser begins, or below the prefix."""
        return path in ("/", self.prefix) or path.startswith(f"{self.prefix}/")

    def app(self, url: str, home: Path) -> AsgiApp:
        """The application; to be called in a thread, since making it imports what it is made of."""
        with self._lock:
            if not self._made:
                module, _, function = self.factory.partition(":")
                self._made.append(getattr(importlib.import_module(module), function)(url, home))
            return self._made[0]
