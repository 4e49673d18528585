"""What this process carries out in threads of its own: transform jobs, tuning jobs.

Each is a document in the store that names this process as its owner, and a run, whose thread alone writes how
it ended. Another process asks it to stop through the store; when the owner dies, whoever reads the document
next ends it (``abandoned``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from sagemaker_local import abandoned
from sagemaker_local.abandoned import OwnedKind
from sagemaker_local.home import Owner
from sagemaker_local.store import Document, Store

_POLL_SECONDS = 0.2


class Run(Protocol):
    """One that is under way.

    Attributes:
        ended: set once its end is written.
    """

    name: str
    ended: threading.Event

    def carry_out(self) -> Document:
        """Do it to the end; the members of the document that say how it ended. Never raises."""
        ...

    def stop(self) -> None:
        """Let it end soon, from another thread."""
        ...


class Runs:
    """Those of one kind that this process carries out."""

    def __init__(
        self,
        owner: Owner,
        store: Store,
        owned: OwnedKind,
        terminal: tuple[str, ...],
        end: Callable[[Document, Document], None],
        not_found: Callable[[str], Exception],
    ) -> None:
        """
        Args:
            terminal: the statuses after which nothing happens any more.
            end: writes the members of an end into a document, with the time.
            not_found: what is raised where there is none of a name.
        """
        self._owner, self._store, self._owned = owner, store, owned
        self._terminal, self._end, self._not_found = terminal, end, not_found
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], Run] = {}
        self._closing = threading.Event()

    def begin(self, region: str, run: Run) -> None:
        """Carry out what is in the store; returns at once."""
        title = f"{self._owned.kind} {run.name}"
        thread = threading.Thread(target=self._carry_out, args=(region, run), name=title, daemon=True)
        with self._lock:
            self._running[region, run.name] = run
        try:
            thread.start()
        except RuntimeError:  # the system gives this process no more threads: the run will get none either
            self._carry_out(region, run)

    def stop(self, region: str, name: str) -> None:
        """Let one end whose document says Stopping, if it runs here."""
        with self._lock:
            run = self._running.get((region, name))
        if run is not None:
            run.stop()

    def wait(self, region: str, name: str) -> Document:
        """Block until it has ended; its document.

        Raises:
            AwsError: there is none of that name.
            RuntimeError: its end could not be written to the store (e.g. a full disk).
        """
        with self._lock:
            run = self._running.get((region, name))
        if run is not None:
            run.ended.wait()
        while True:
            document = self._store.get(self._owned.kind, region, name)
            if document is None:
                raise self._not_found(name)
            document = self.up_to_date(document)
            if document[self._owned.status_member] in self._terminal:
                return document
            if run is not None:
                raise RuntimeError(f"the end of {self._owned.kind} {name} could not be written to the store")
            time.sleep(_POLL_SECONDS)  # another process runs it: there is nobody to wake us

    def up_to_date(self, document: Document) -> Document:
        """The document, ended now if the process that owned it has died."""
        return abandoned.up_to_date(self._store, self._owner, self._owned, document) or document

    def recover(self) -> None:
        """End those whose owner died."""
        abandoned.end_all(self._store, self._owner, self._owned)

    def close(self) -> None:
        """Stop all of this process and wait until they have ended."""
        self._closing.set()
        with self._lock:
            runs = list(self._running.values())
        for run in runs:
            run.stop()
        for run in runs:
            run.ended.wait()

    def _carry_out(self, region: str, run: Run) -> None:
        members = run.carry_out()
        try:
            self._store.write_until_possible(
                lambda: self._store.update(
                    self._owned.kind, region, run.name, lambda document: self._end(document, members)
                ),
                giving_up=self._closing,
            )
        finally:
            with self._lock:
                del self._running[region, run.name]
            run.ended.set()
