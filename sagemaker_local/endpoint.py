"""The endpoint: a socket on 127.0.0.1, and everything behind it, in this process.

A short command starts one in a background thread for as long as it needs it; ``serve`` keeps one up in
the foreground. One that is kept up is advertised in the home folder, for others to find (advertisement.py).
"""

from __future__ import annotations

import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvicorn

from aws_formats.visible_text import visible
from sagemaker_local import advertisement
from sagemaker_local.app import App
from sagemaker_local.errors import CannotStart
from sagemaker_local.events import bucket_events, messages, outbox
from sagemaker_local.events.arrivals import Arrivals
from sagemaker_local.events.dispatcher import Dispatcher
from sagemaker_local.events.emission import WATCHERS
from sagemaker_local.events.function_documents import sweep_code
from sagemaker_local.events.functions import Functions, sweep_scratch
from sagemaker_local.execution.engine import Engine
from sagemaker_local.home import Home, Owner, sweep_owners, unusable
from sagemaker_local.hosting.capture_writer import Captures
from sagemaker_local.hosting.endpoints import HostedEndpoints
from sagemaker_local.hosting.transform import TransformJobs
from sagemaker_local.http_server import HttpConnection, HttpServer
from sagemaker_local.jobs.job import JobContext
from sagemaker_local.jobs.runner import JobRunner
from sagemaker_local.metrics import Metrics
from sagemaker_local.page import Page
from sagemaker_local.s3.http import S3
from sagemaker_local.s3.objects import ObjectStore
from sagemaker_local.scheduling.clock import Clock
from sagemaker_local.services import table
from sagemaker_local.services.call import Components
from sagemaker_local.services.operations import Operations
from sagemaker_local.stacks.templates import Template
from sagemaker_local.store import Store
from sagemaker_local.tuning.jobs import TuningJobs

_ADDRESS = "127.0.0.1"
_BACKLOG = 512
_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 5
"""For requests that are being answered when the endpoint closes."""
_LOOK_FOR_A_SIGNAL_SECONDS = 1.0


class Endpoint:
    """An endpoint that runs in this process.

    Attributes:
        url: e.g. ``http://127.0.0.1:41234``.
        interrupted: documents of the executions that a dead process left under way; now Failed.
        left_out: resources of the templates that are not created here, by template: logical id -> type.
    """

    def __init__(
        self,
        home: Home,
        port: int,
        interpreters: Mapping[str, str],
        advertise: bool,
        templates: Sequence[Template],
        page: Page | None,
    ) -> None:
        self.home = home
        with ExitStack() as undo:
            if advertise:
                undo.enter_context(advertisement.sole_advertiser(home))
            listener = undo.enter_context(_listener(port))
            port = listener.getsockname()[1]
            self.url = f"http://{_ADDRESS}:{port}"
            owner = Owner(home)
            undo.callback(owner.release)
            operations = _operations(home, owner, interpreters, self.url)
            components = operations.components
            undo.callback(components.store.close)
            self._operations = operations
            _sweep(components)
            self.left_out = _create_stacks(operations, templates)
            s3 = S3(components.objects)
            s3.sweep()
            self.interrupted: list[dict[str, Any]] = components.engine.recover()
            components.jobs.recover()
            components.transforms.recover()
            components.tuning.recover()
            undo.callback(components.metrics.close)
            undo.callback(components.captures.close)
            undo.callback(components.endpoints.close)
            components.endpoints.recover(start=advertise)
            undo.callback(components.functions.close)
            self._dispatcher = Dispatcher(owner, components.store, components.functions, operations)
            self._clock = Clock(components.store, components.objects, operations)
            self._app = App(operations, s3, port, page)
            self._server = HttpServer(_configuration(self._app))
            self._thread = threading.Thread(
                target=self._server.run, args=([listener],), name="endpoint", daemon=True
            )
            self._thread.start()
            undo.callback(self._stop_serving)
            if advertise:
                from sagemaker_local.proxy import server  # a short command needs none

                proxy = server.open_proxy(home.proxy, port)
                undo.callback(proxy.close)
                undo.callback(home.advertisement.unlink, missing_ok=True)
                advertisement.write(home, owner, self.url, proxy.url, proxy.authority.bundle)
                self._dispatcher.start()
                self._clock.start()
            self._undo = undo.pop_all()

    def close(self) -> None:
        """Stop what runs, then stop answering; returns when both is done. A second call does nothing."""
        self._clock.close()
        self._dispatcher.close()
        self._operations.components.arrivals.close()
        self._operations.components.engine.close()
        self._operations.components.tuning.close()
        self._operations.components.jobs.close()
        self._operations.components.transforms.close()
        self._undo.close()

    def _stop_serving(self) -> None:
        self._server.leave()
        self._thread.join()
        self._app.close()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _sweep(components: Components) -> None:
    """Remove what killed processes have left behind, and nothing that a living one uses."""
    sweep_scratch(sweep_owners(components.home))
    with components.owner.alone() as is_alone:
        if is_alone:
            sweep_code(components.home, components.store)
            components.jobs.sweep()
            components.transforms.sweep()


def start(
    home: Path,
    *,
    port: int = 0,
    interpreters: Mapping[str, str] | None = None,
    advertise: bool = False,
    templates: Sequence[Template] = (),
    page: Page | None = None,
) -> Endpoint:
    """An endpoint in a background thread; it answers from the moment this returns.

    Args:
        home: the folder of state, made where there is none.
        port: 0 for one that is free.
        interpreters: image pattern -> Python interpreter, for jobs of foreign images.
        advertise: let others find it (``advertisement.running``), deliver events and start what is
            scheduled; one endpoint of a home can be.
        templates: CloudFormation templates whose rules, functions, topics and queues are made here.
        page: what a browser is shown.

    Raises:
        CannotStart: the home or the port cannot be had, or what a template describes cannot be created.
    """
    home = home.absolute()
    try:
        return Endpoint(Home(home).create(), port, interpreters or {}, advertise, templates, page)
    except (OSError, sqlite3.Error) as error:
        raise unusable(home, str(error)) from error


def serve(
    home: Path,
    *,
    port: int = 0,
    interpreters: Mapping[str, str] | None = None,
    templates: Sequence[Template] = (),
    page: Page | None = None,
) -> None:
    """Keep an advertised endpoint up until SIGTERM or SIGINT; to be called in the main thread.

    A second signal ends the process at once; nothing acknowledged is lost.

    Raises:
        CannotStart: the home or the port cannot be had, or what a template describes cannot be created.
    """
    asked_to_stop = threading.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: asked_to_stop.set()) for number in signals}
    try:
        with start(
            home, port=port, interpreters=interpreters, advertise=True, templates=templates, page=page
        ) as endpoint:
            _say(f"The local SageMaker listens on {endpoint.url}; its state is in {home}.")
            for document in endpoint.interrupted:
                arn, reason = document["PipelineExecutionArn"], document.get("FailureReason", "")
                _say(f"An earlier execution did not end by itself: {arn}: {reason}")
            for path, left_out in endpoint.left_out.items():
                named = ", ".join(f"{logical} ({kind})" for logical, kind in left_out.items())
                _say(f"Not created of {path}: {named}")
            # A signal that the kernel gives to another thread does not wake this one, where its handler runs.
            while not asked_to_stop.wait(_LOOK_FOR_A_SIGNAL_SECONDS):
                pass
            for number in signals:
                signal.signal(number, signal.SIG_DFL)
            _say("Stopping: running jobs end first.")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _operations(home: Home, owner: Owner, interpreters: Mapping[str, str], url: str) -> Operations:
    """Everything behind the socket, from the bottom up: what keeps state, what runs, what is called."""
    store = Store(home.database, WATCHERS)
    outbox.prepare(store)
    messages.prepare(store)
    with store.transaction():
        for listing in table.listings():
            store.prepare(listing)
    objects = ObjectStore(home, store, bucket_events.report)
    context = JobContext(objects, interpreters, url)
    jobs = JobRunner(home, owner, store, context)
    transforms = TransformJobs(home, owner, store, context)
    operations: Operations

    def api(*given: Any, **named: Any) -> dict[str, Any]:
        """Steps call operations, of which one starts an execution: the engine comes first."""
        return operations(*given, **named)

    tuning = TuningJobs(owner, store, jobs, api)
    metrics = Metrics(store)
    functions = Functions(home, owner, store, url)
    runs = {"TransformJob": transforms, "HyperParameterTuningJob": tuning}
    components = Components(
        home=home,
        owner=owner,
        store=store,
        objects=objects,
        jobs=jobs,
        engine=Engine(owner, store, objects, jobs, runs, api, functions.prepare),
        endpoints=HostedEndpoints(home, owner, store, context),
        captures=Captures(home, owner, objects, metrics),
        transforms=transforms,
        tuning=tuning,
        functions=functions,
        arrivals=Arrivals(store),
        metrics=metrics,
        url=url,
    )
    operations = Operations(components)
    return operations


def _create_stacks(operations: Operations, templates: Sequence[Template]) -> dict[str, Mapping[str, str]]:
    """Create what templates describe; what of each is left out, where there is something."""
    left_out: dict[str, Mapping[str, str]] = {}
    if not templates:
        return left_out
    from sagemaker_local.stacks.cloudformation import TemplateError  # YAML, which a short command needs not
    from sagemaker_local.stacks.creation import create_stack

    try:
        for template in templates:
            created = create_stack(
                operations.components.home, operations.components.store, operations, template
            )
            if created.left_out:
                left_out[str(template.path)] = created.left_out
    except TemplateError as error:
        raise CannotStart(f"{error}. Correct the template, or start without it.") from error
    return left_out


def _configuration(app: App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=HttpConnection,
        loop="asyncio",
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nobody stands between a client and this endpoint
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _listener(port: int) -> socket.socket:
    """A listening socket: from here on a client's connection waits in line."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_ADDRESS, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"The local SageMaker cannot listen on {_ADDRESS}:{port}: {error.strerror}. Choose another port."
        ) from error
    except OverflowError as error:
        listener.close()
        raise CannotStart(f"There is no port {port}; choose one up to 65535.") from error
    return listener


def _say(line: str) -> None:
    print(visible(line), file=sys.stderr, flush=True)
