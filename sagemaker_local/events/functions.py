"""The invocations of Lambda functions, and the execution environments that are kept warm for the next ones.

An invocation takes an environment of its function that waits, the one that answered last, or has a new one
made: as many are up as there are invocations at once. One is made ahead where an execution's next step calls
the function. An environment whose function has been changed or deleted since it was made takes no further
event, nor one whose code has been changed where it lies. Those that wait end after a while, and of many those
that have waited longest: what may not be called again holds little memory.

A call takes as long as its function, which may call this endpoint meanwhile. So each has a thread of its own,
and none of those that answer requests or deliver events.

As on AWS, every environment has a log stream to itself, which holds one invocation after the other.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import shutil
import sqlite3
import tempfile
import threading
import uuid
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path

from sagemaker_local import clocks
from sagemaker_local.events.execution_environment import LOG_GROUP, Answer, Closing, ExecutionEnvironment
from sagemaker_local.events.function_documents import FUNCTION
from sagemaker_local.home import Home, Owner
from sagemaker_local.hosting.instance import LOG_STREAM
from sagemaker_local.store import Document, Store

MOST_CALLS = 256
"""Calls under way at once that somebody waits for; AWS has a limit of this kind, too. Each is a process."""

MOST_IDLE = 6
"""Environments that wait for another event, of all functions; one with boto3 takes up to 60 MB."""

IDLE_SECONDS = 60.0
"""How long one waits for another event; on AWS it is a matter of minutes that is not documented."""

_LOOK_SECONDS = 1.0
"""Between two looks for environments that have waited long enough."""

_log = logging.getLogger(__name__)


class Functions:
    """The execution environments of this process."""

    def __init__(self, home: Home, owner: Owner, store: Store, endpoint_url: str) -> None:
        self._home = home
        self._owner = owner
        self._store = store
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._environments: set[ExecutionEnvironment] = set()
        self._idle: list[ExecutionEnvironment] = []  # the one that has waited longest comes first
        self._looking: threading.Thread | None = None
        self._calls = threading.BoundedSemaphore(MOST_CALLS)
        self._closed = threading.Event()

    def begin(self, document: Document, event: str) -> Future[Answer]:
        """Call a function in a thread of its own; the future ends as :meth:`invoke` does.

        Raises:
            TooManyCalls: so many are under way already.
            OSError: this process gets no more threads.
        """
        if not self._calls.acquire(blocking=False):
            raise TooManyCalls
        future: Future[Answer] = Future()

        def call() -> None:
            try:
                answer = self.invoke(document, event)
            except BaseException as problem:
                future.set_exception(problem)
            else:
                future.set_result(answer)
            finally:
                self._calls.release()

        future.set_running_or_notify_cancel()
        name = f"calling {document['FunctionName']}"
        try:
            threading.Thread(target=call, name=name, daemon=True).start()
        except RuntimeError as problem:
            self._calls.release()
            raise OSError(str(problem)) from problem
        return future

    def invoke(self, document: Document, event: str, request_id: str | None = None) -> Answer:
        """Call a function and wait for it.

        Args:
            document: the function's.
            event: JSON.
            request_id: the same for every attempt at one asynchronous invocation.

        Raises:
            OSError: no process could be started.
            Closing: this endpoint is closing.
        """
        environment = self._take_idle(document) or self._make(document)
        try:
            return environment.invoke(event, request_id or str(uuid.uuid4()))
        finally:
            self._put_back(environment)

    def prepare(self, region: str, function: str) -> None:
        """Have a new environment begin to load a function's code, unless one waits that has; returns at once.

        Lambda does so, too, now and then: its guide calls it proactive initialization. What is in the way of
        it is in the way of the invocation as well, which says so.

        Args:
            function: its ARN or its name.
        """
        document = self._store.get(FUNCTION, region, function.rpartition("function:")[2].partition(":")[0])
        if document is None:
            return
        with contextlib.suppress(OSError, Closing, sqlite3.Error):
            environment = self._take_idle(document)
            if environment is None:
                environment = self._make(document)
                try:
                    environment.prepare()
                except BaseException:
                    self._end(environment)
                    raise
            self._put_back(environment)

    def close(self) -> None:
        """End all environments; an invocation that was asynchronous is made again by whoever is up next."""
        with self._lock:
            self._closed.set()
            environments, idle, looking = list(self._environments), self._idle, self._looking
            self._idle = []
        for environment in environments:
            environment.stop()
        for environment in idle:
            self._end(environment)
        if looking is not None:
            looking.join()

    def _take_idle(self, document: Document) -> ExecutionEnvironment | None:
        arn = document["FunctionArn"]
        with self._lock:
            for environment in reversed(self._idle):
                if environment.document["FunctionArn"] == arn and environment.fits(document):
                    self._idle.remove(environment)
                    return environment
        return None

    def _make(self, document: Document) -> ExecutionEnvironment:
        """A new environment, with the first of the function's log streams here that no other has."""
        region, name = document["FunctionArn"].split(":")[3], document["FunctionName"]
        with self._lock:
            if self._closed.is_set():
                raise Closing
            taken = {environment.log for environment in self._environments}
            streams = (
                f"{self._owner.name}-{number}" if number else self._owner.name for number in itertools.count()
            )
            logs = self._home.root / "functions" / region / name / "logs"
            stream = next(one for one in streams if logs / one / "log" not in taken)
            log = logs / stream / "log"
            environment = ExecutionEnvironment(
                document, log, f"[$LATEST]{stream}", _scratch(self._owner.name), self._endpoint_url
            )
            self._environments.add(environment)
        try:
            self._create_stream(region, f"{LOG_GROUP}{name}", f"[$LATEST]{stream}", log)
        except BaseException:
            self._end(environment)
            raise
        return environment

    def _create_stream(self, region: str, group: str, name: str, log: Path) -> None:
        if log.exists():
            return
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        stream = {
            "Group": group,
            "Name": name,
            "Path": str(log.relative_to(self._home.root)),
            "CreationTime": clocks.now(),
            "_Owner": self._owner.name,
        }
        self._store.put(LOG_STREAM, region, f"{group}:{name}", stream, group)

    def _put_back(self, environment: ExecutionEnvironment) -> None:
        """Keep an environment that is warm for the next event, and end it or another that is one too many."""
        surplus = environment
        with self._lock:
            if environment.is_warm and not self._closed.is_set() and self._looks():
                environment.idle_since = clocks.uptime()
                self._idle.append(environment)
                if len(self._idle) <= MOST_IDLE:
                    return
                surplus = self._idle.pop(0)
        self._end(surplus)

    def _end(self, environment: ExecutionEnvironment) -> None:
        environment.end()
        with self._lock:
            self._environments.discard(environment)

    def _looks(self) -> bool:
        """Whether a thread ends what waits too long; it is begun with the first that waits."""
        if self._looking is None:
            looking = threading.Thread(target=self._look, name="ending idle functions", daemon=True)
            try:
                looking.start()
            except RuntimeError:  # the system gives this process no more threads
                return False
            self._looking = looking
        return True

    def _look(self) -> None:
        while not self._closed.wait(_LOOK_SECONDS):
            with self._lock:
                idle = list(self._idle)
            for environment in idle:
                try:
                    self._look_at(environment)
                except sqlite3.Error:  # the store may be read again later
                    _log.exception("an idle function waits: the store cannot be read")

    def _look_at(self, environment: ExecutionEnvironment) -> None:
        """End an environment that waits if it has waited long enough, or its function is another by now."""
        if clocks.uptime() - environment.idle_since < IDLE_SECONDS:
            document = self._store.get(FUNCTION, environment.region, environment.function)
            if document is not None and environment.fits(document):
                return
        with self._lock:
            if environment not in self._idle:
                return
            self._idle.remove(environment)
        self._end(environment)


def sweep_scratch(dead: Iterable[str]) -> None:
    """Remove the temporary folders of the functions that dead owners had called."""
    for owner in dead:
        for folder in Path(tempfile.gettempdir()).glob(f"{_scratch(owner)}*"):
            shutil.rmtree(folder, ignore_errors=True)


def _scratch(owner: str) -> str:
    """What the temporary folder of an environment begins with."""
    return f"function-{owner}-"


class TooManyCalls(Exception):
    """As many calls are under way as there may be."""
