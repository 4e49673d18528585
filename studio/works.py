"""What takes longer than a request: it goes on in a thread, and pages show how far it is.

A deployment lasts minutes on AWS, so the request that confirms it starts it here and is answered at once.
There is one work at a time for each environment, so that a form that is sent twice starts nothing twice.
What is kept here is only what a work has said; what became of the environment is read from SageMaker. So
after this process has ended, however it ended, the pages of the next one still show what is true.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from aws_formats.errors import GatehouseError

Key = tuple[str, str]
"""A project's name and an environment's."""

Tell = Callable[[str], None]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """Something that a work has said."""

    when: datetime
    text: str


@dataclass(frozen=True)
class Work:
    """One work, as far as it is.

    Attributes:
        title: what it does, such as ``deploy version 2``.
        plan: what it was to do, in words.
        form: which form has asked for it; the same one never asks twice.
        ended: None while it is under way.
        problem: why it failed.
    """

    title: str
    plan: tuple[str, ...]
    form: str
    started: datetime
    lines: tuple[Line, ...] = ()
    ended: datetime | None = None
    problem: str | None = None


class Works:
    """The newest work of each environment that was started in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: dict[Key, Work] = {}

    def newest(self, key: Key) -> Work | None:
        """The newest work; None before the first."""
        with self._lock:
            return self._newest.get(key)

    def start(self, key: Key, work: Work, do: Callable[[Tell], None]) -> Work:
        """Start a work in a thread, unless another is under way or has ended since this one was planned.

        Args:
            work: its start is when it was planned.
            do: does it, and says what it does; its exceptions are the work's problem.

        Returns:
            The newest work: this one, or the one that is in its way.
        """
        with self._lock:
            before = self._newest.get(key)
            if before is not None and (before.ended is None or before.ended >= work.started):
                return before
            self._newest[key] = work
        # A daemon, because nothing that SageMaker does for it ends with this process.
        threading.Thread(target=self._run, args=(key, do), name=f"{work.title}", daemon=True).start()
        return work

    def _run(self, key: Key, do: Callable[[Tell], None]) -> None:
        problem: str | None = None
        try:
            do(lambda text: self._add(key, text))
        except (GatehouseError, ClientError, BotoCoreError) as error:
            problem = str(error)
        except Exception:
            _log.exception("a work on %s in %s failed", *key)
            problem = (
                "This is a mistake in Gatehouse; the log of the process that serves this page says more."
            )
        with self._lock:
            self._newest[key] = replace(self._newest[key], ended=datetime.now(UTC), problem=problem)

    def _add(self, key: Key, text: str) -> None:
        with self._lock:
            work = self._newest[key]
            self._newest[key] = replace(work, lines=(*work.lines, Line(datetime.now(UTC), text)))
